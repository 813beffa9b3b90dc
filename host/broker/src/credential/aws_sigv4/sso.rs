//! IAM Identity Center: the key of a role for the login that the AWS CLI left behind.
//!
//! Sources: "AWS SDKs and Tools Reference Guide, IAM Identity Center credential provider"; "IAM Identity Center Portal API
//! Reference, GetRoleCredentials". Where the login lies is a fact of the AWS CLI's source
//! (`awscli/customizations/sso/utils.py`, botocore's `SSOTokenLoader`).

use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;

use super::profile::Sso;
use super::session::Session;
use super::{KIND, endpoint, partition};
use crate::Error;
use crate::client::Transport;
use crate::credential::Errand;
use crate::credential::question::Question;
use crate::credential::value::sensitive;
use crate::{Source, Sources};

const BEARER: HeaderName = HeaderName::from_static("x-amz-sso_bearer_token");

/// A login as the AWS CLI keeps it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Login {
    access_token: String,
    expires_at: String,
}

/// Where logins lie and where they are used.
pub(super) struct Portal<'a> {
    pub(super) transport: &'a Arc<Transport>,
    pub(super) sources: &'a dyn Sources,
    /// The folder of the file in which the profile stands.
    pub(super) folder: PathBuf,
    /// The origin that a person typed in the place of AWS' own.
    pub(super) typed: Option<&'a str>,
}

impl Portal<'_> {
    /// The key of the role that the profile names.
    pub(super) async fn session(&self, sso: &Sso, errand: &Errand<'_>) -> Result<Session, Error> {
        endpoint::check_region(&sso.region)?;
        let token = self.token(sso).await?;
        let query = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let target =
            format!("/federation/credentials?role_name={}&account_id={}", query(&sso.role), query(&sso.account));
        let origin = self.origin(sso);
        let bearer = sensitive("", token.expose_secret()).ok_or_else(|| over(sso))?;
        let headers = HeaderMap::from_iter([(BEARER, bearer)]);
        let question = Question {
            kind: KIND.name,
            what: "login",
            method: Method::GET,
            origin: &origin,
            target: &target,
            headers,
            body: b"",
            is_of_metadata: false,
        };
        let answer = question.ask(self.transport, errand).await?;
        let (kind, status) = (KIND.name, answer.status);
        match status {
            200 => Session::of_portal(&answer.body).ok_or(Error::Protocol { kind, origin, what: "login" }),
            401 => Err(over(sso)),
            403 => Err(Error::RoleDenied { origin, role: sso.role.clone(), place: self.file(sso).to_string() }),
            429 | 500..=599 => Err(Error::Unavailable { kind, origin, what: "login", status }),
            _ => Err(Error::Rejected { kind, origin, what: "login", status }),
        }
    }

    /// The token of the login.
    async fn token(&self, sso: &Sso) -> Result<SecretString, Error> {
        let source = self.file(sso);
        let text = match self.sources.read(&source).await {
            Err(Error::SourceAbsent { .. }) => return Err(over(sso)),
            text => text?,
        };
        let refuse = || Error::SourceContent { place: source.to_string(), rule: "holds no login of the AWS CLI" };
        let login: Login = serde_json::from_str(text.expose_secret()).map_err(|_| refuse())?;
        let expires: Timestamp = login.expires_at.replace("UTC", "Z").parse().map_err(|_| refuse())?;
        if Timestamp::now() < expires {
            return Ok(SecretString::from(login.access_token));
        }
        Err(over(sso))
    }

    /// The file of a login: its name is a hash of the session's name, or of the start URL where there is no session.
    fn file(&self, sso: &Sso) -> Source {
        let name = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, sso.cached_as.as_bytes());
        let name = format!("{}.json", forge_core::sealing::hex(name.as_ref()));
        Source::File(self.folder.join("sso").join("cache").join(name))
    }

    fn origin(&self, sso: &Sso) -> String {
        let usual = || format!("https://portal.sso.{}.{}", sso.region, partition::of(&sso.region).domain);
        self.typed.map_or_else(usual, str::to_owned)
    }
}

/// The AWS CLI refreshes its login by itself; forge doesn't, because the answer may replace what the CLI has in its file.
fn over(sso: &Sso) -> Error {
    let session = crate::denial::shown(&sso.cached_as);
    Error::LoginOver { program: "the AWS CLI", session, command: "aws sso login" }
}
