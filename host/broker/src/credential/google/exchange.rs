//! Workload identity federation: another issuer's token for one of Google's (AIP-4117; RFC 8693), and an account's in turn.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::assertion::SCOPE;
use super::file::{External, Place, Subject};
use super::issuer::Issuer;
use super::{EXCHANGE, IMPERSONATION, KIND};
use crate::client::Answer;
use crate::credential::Errand;
use crate::credential::fetched::Token;
use crate::credential::oauth::{self, Asked};
use crate::credential::question::Question;
use crate::credential::value::sensitive;
use crate::{Error, Source};

/// The longest token of another issuer, in bytes.
const LONGEST: usize = 16 * 1024;

/// "IAM Service Account Credentials API, generateAccessToken".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Generated {
    access_token: String,
    expire_time: String,
}

impl Issuer {
    /// A token for the workload, or for the account in whose name it acts.
    pub(super) async fn exchange(&self, external: &External, place: &str, errand: &Errand<'_>) -> Result<Token, Error> {
        let subject = self.subject(&external.subject, place, errand).await?;
        self.sends(&subject);
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("audience", &external.audience),
            ("scope", SCOPE),
            ("subject_token_type", &external.subject_token_type),
            ("subject_token", subject.expose_secret()),
        ];
        let federated = self.post("exchange", EXCHANGE, "/v1/token", &fields, place, errand).await?;
        let Some(account) = &external.account else { return Ok(federated) };
        self.sends(&federated.text);
        self.impersonated(account, external.lifetime, &federated.text, place, errand).await
    }

    async fn impersonated(
        &self,
        account: &str,
        lifetime: u32,
        federated: &SecretString,
        place: &str,
        errand: &Errand<'_>,
    ) -> Result<Token, Error> {
        let origin = self.login_at(IMPERSONATION);
        let asked = Asked { kind: KIND.name, what: "impersonation", origin, place };
        let value = sensitive("Bearer ", federated.expose_secret()).ok_or_else(|| oauth::protocol(asked))?;
        let headers =
            [(http::header::AUTHORIZATION, value), (CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let body = json!({ "scope": [SCOPE], "lifetime": format!("{lifetime}s") }).to_string();
        let question = Question {
            kind: asked.kind,
            what: asked.what,
            method: Method::POST,
            origin,
            target: &format!("/v1/projects/-/serviceAccounts/{account}:generateAccessToken"),
            headers: HeaderMap::from_iter(headers),
            body: body.as_bytes(),
            is_of_metadata: false,
        };
        let answer = question.ask(&self.transport, errand).await?;
        oauth::check(asked, &answer)?;
        let Generated { access_token, expire_time } =
            serde_json::from_slice(&answer.body).map_err(|_| oauth::protocol(asked))?;
        let expire_time: Timestamp = expire_time.parse().map_err(|_| oauth::protocol(asked))?;
        let life = expire_time.as_second().saturating_sub(Timestamp::now().as_second());
        oauth::bearer(asked, access_token, Some(u64::try_from(life).unwrap_or_default()))
    }

    /// The other issuer's token: read anew for each exchange, since whoever writes the file replaces it often.
    async fn subject(&self, subject: &Subject, place: &str, errand: &Errand<'_>) -> Result<SecretString, Error> {
        let (text, found_at) = match &subject.place {
            Place::File(path) => {
                let source: Source = format!("file:{path}").parse()?;
                (self.sources.read(&source).await?, source.to_string())
            }
            Place::Url { url, headers } => (self.subject_of_url(url, headers, place, errand).await?, place.to_owned()),
        };
        let refuse = |rule| Error::SourceContent { place: found_at.clone(), rule };
        let token = match &subject.field {
            None => SecretString::from(text.expose_secret().trim()),
            Some(field) => {
                let fields: std::collections::BTreeMap<String, serde_json::Value> =
                    serde_json::from_str(text.expose_secret())
                        .map_err(|_| refuse("is no JSON object, which the credentials file says it is"))?;
                let found = fields.get(field).and_then(|value| value.as_str());
                SecretString::from(
                    found.ok_or_else(|| refuse("has no token in the field that the credentials file names"))?,
                )
            }
        };
        let is_token = |text: &str| {
            !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
        };
        is_token(token.expose_secret()).then_some(token).ok_or_else(|| refuse("holds no token of one line"))
    }

    async fn subject_of_url(
        &self,
        url: &str,
        headers: &[(String, SecretString)],
        place: &str,
        errand: &Errand<'_>,
    ) -> Result<SecretString, Error> {
        let refuse = || {
            self.file_error(
                place,
                "gets its token from a URL, and only from the origin that was typed as `subject-endpoint=ORIGIN`",
            )
        };
        let parsed = Url::parse(url).map_err(|_| refuse())?;
        let origin = parsed.origin().ascii_serialization();
        let is_plain = parsed.as_str() == url && parsed.username().is_empty() && parsed.password().is_none();
        if self.subject_endpoint.as_ref() != Some(&origin) || !is_plain {
            return Err(refuse());
        }
        let mut sent = HeaderMap::new();
        for (name, text) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?;
            sent.insert(name, sensitive("", text.expose_secret()).ok_or_else(refuse)?);
        }
        let asked = Asked { kind: KIND.name, what: "request for the workload's own token", origin: &origin, place };
        let question = Question {
            kind: asked.kind,
            what: asked.what,
            method: Method::GET,
            origin: asked.origin,
            target: url.strip_prefix(&origin).unwrap_or_default(),
            headers: sent,
            body: b"",
            is_of_metadata: false,
        };
        let answer: Answer = question.ask(&self.transport, errand).await?;
        oauth::check(asked, &answer)?;
        let text = std::str::from_utf8(&answer.body).map_err(|_| oauth::protocol(asked))?;
        Ok(SecretString::from(text))
    }
}
