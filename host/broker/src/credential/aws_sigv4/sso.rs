//! IAM Identity Center: the key of a role for the login that the AWS CLI left behind.
//!
//! Sources: "AWS SDKs and Tools Reference Guide, IAM Identity Center credential provider"; "IAM Identity Center Portal API
//! Reference, GetRoleCredentials"; "IAM Identity Center OIDC API Reference, CreateToken". Where the login lies is a fact of
//! the AWS CLI's source (`awscli/customizations/sso/utils.py`, botocore's `SSOTokenLoader`).

use std::path::PathBuf;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::metadata::value;
use super::profile::Sso;
use super::session::Session;
use super::{KIND, endpoint, partition};
use crate::Error;
use crate::client::{Answer, Transport};
use crate::credential::Errand;
use crate::credential::question::Question;
use crate::{Source, Sources};

const BEARER: HeaderName = HeaderName::from_static("x-amz-sso_bearer_token");

/// A login as the AWS CLI keeps it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Login {
    access_token: String,
    expires_at: String,
    refresh_token: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// "CreateToken", answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    access_token: String,
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
        let token = self.token(sso, errand).await?;
        let query = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let target =
            format!("/federation/credentials?role_name={}&account_id={}", query(&sso.role), query(&sso.account));
        let origin = self.origin("portal.sso", sso);
        let bearer = value(&token).ok_or_else(|| over(sso))?;
        let headers = HeaderMap::from_iter([(BEARER, bearer)]);
        let answer = self.ask(Method::GET, &origin, &target, headers, b"", errand).await?;
        let (kind, status) = (KIND.name, answer.status);
        match status {
            200 => Session::of_portal(&answer.body).ok_or(Error::Protocol { kind, origin, what: "login" }),
            401 => Err(over(sso)),
            403 => Err(Error::RoleDenied { origin, role: sso.role.clone(), place: self.file(sso).to_string() }),
            429 | 500..=599 => Err(Error::Unavailable { kind, origin, what: "login", status }),
            _ => Err(Error::Rejected { kind, origin, what: "login", status }),
        }
    }

    /// The token of the login, or one that its refresh token buys. The AWS CLI's file stays as it is: it is another program's.
    async fn token(&self, sso: &Sso, errand: &Errand<'_>) -> Result<SecretString, Error> {
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
        let (Some(refresh), Some(id), Some(secret)) = (login.refresh_token, login.client_id, login.client_secret)
        else {
            return Err(over(sso));
        };
        let (refresh, secret) = (SecretString::from(refresh), SecretString::from(secret));
        let body = Zeroizing::new(
            serde_json::json!({
                "clientId": id, "clientSecret": secret.expose_secret(),
                "grantType": "refresh_token", "refreshToken": refresh.expose_secret(),
            })
            .to_string(),
        );
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let origin = self.origin("oidc", sso);
        let answer = self.ask(Method::POST, &origin, "/token", headers, body.as_bytes(), errand).await?;
        let (kind, status) = (KIND.name, answer.status);
        match status {
            200 => {
                let created = serde_json::from_slice(&answer.body);
                let Created { access_token } = created.map_err(|_| Error::Protocol { kind, origin, what: "login" })?;
                Ok(SecretString::from(access_token))
            }
            400..=403 => Err(over(sso)),
            _ => Err(Error::Unavailable { kind, origin, what: "login", status }),
        }
    }

    /// The file of a login: its name is a hash of the session's name, or of the start URL where there is no session.
    fn file(&self, sso: &Sso) -> Source {
        let name = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, sso.cached_as.as_bytes());
        let name = format!("{}.json", forge_core::sealing::hex(name.as_ref()));
        Source::File(self.folder.join("sso").join("cache").join(name))
    }

    fn origin(&self, service: &str, sso: &Sso) -> String {
        let usual = || format!("https://{service}.{}.{}", sso.region, partition::of(&sso.region).domain);
        self.typed.map_or_else(usual, str::to_owned)
    }

    async fn ask(
        &self,
        method: Method,
        origin: &str,
        target: &str,
        headers: HeaderMap,
        body: &[u8],
        errand: &Errand<'_>,
    ) -> Result<Answer, Error> {
        let question =
            Question { kind: KIND.name, what: "login", method, origin, target, headers, body, is_of_metadata: false };
        question.ask(self.transport, errand).await
    }
}

fn over(sso: &Sso) -> Error {
    Error::SsoOver { session: crate::denial::shown(&sso.cached_as) }
}
