//! The broker's own few requests to Vault: login, renewal and lookup of a token.

use std::sync::Arc;
use std::time::Duration;

use forge_core::manifest::printable;
use http::{HeaderMap, HeaderValue, Method, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{KIND, NAMESPACE, TOKEN, token_value};
use crate::Error;
use crate::client::{Answer, Transport};
use crate::credential::Errand;
use crate::credential::question::Question;

/// The longest life of a token that is reckoned with, in seconds: ten years.
const LONGEST_LIFE: u64 = 315_360_000;

/// A server of Vault, and the namespace in which it is asked.
pub(super) struct Server {
    pub(super) transport: Arc<Transport>,
    pub(super) origin: String,
    pub(super) namespace: Option<HeaderValue>,
}

/// A token as a login or a renewal answers it.
pub(super) struct Lease {
    pub(super) token: SecretString,
    /// `None` for a token that does not expire.
    pub(super) life: Option<Duration>,
    pub(super) is_renewable: bool,
    /// Whether the server counts how often it is used.
    pub(super) is_counted: bool,
}

/// "Vault API docs, AppRole: Login With AppRole", the same of each other method, and "Tokens: Renew a Token (Self)".
#[derive(Deserialize)]
struct Authenticated {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
    #[serde(default)]
    num_uses: u64,
}

/// "Vault API docs, System backend: /sys/wrapping/lookup".
#[derive(Deserialize)]
struct Wrapping {
    data: Wrap,
}

#[derive(Deserialize)]
struct Wrap {
    creation_path: String,
}

/// "Vault API docs, System backend: /sys/wrapping/unwrap", of an answer of "AppRole: Generate New Secret ID".
#[derive(Deserialize)]
struct Unwrapped {
    data: SecretId,
}

#[derive(Deserialize)]
struct SecretId {
    secret_id: String,
}

/// "Vault API docs, Tokens: Lookup a Token (Self)". The answer holds the token itself; only these fields are read.
#[derive(Deserialize)]
struct LookedUp {
    data: Holder,
}

#[derive(Deserialize)]
struct Holder {
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    entity_id: String,
    #[serde(default)]
    policies: Vec<String>,
    #[serde(default)]
    identity_policies: Option<Vec<String>>,
    #[serde(default)]
    namespace_path: String,
}

impl Server {
    /// Logs in at a path below `/v1/` with a body of JSON.
    pub(super) async fn log_in(&self, path: &str, body: &str, errand: &Errand<'_>) -> Result<Lease, Error> {
        let answer = self.ask("login", Method::POST, path, None, body.as_bytes(), errand).await?;
        self.lease("login", &answer)
    }

    /// The path at which a wrapping token was made; a rejection for one that is spent or expired.
    pub(super) async fn wrapped_at(&self, token: &SecretString, errand: &Errand<'_>) -> Result<String, Error> {
        const WHAT: &str = "wrapping lookup";
        let body = Zeroizing::new(serde_json::json!({ "token": token.expose_secret() }).to_string());
        let answer = self.ask(WHAT, Method::POST, "sys/wrapping/lookup", None, body.as_bytes(), errand).await?;
        let Wrapping { data } = serde_json::from_slice(&answer.body).map_err(|_| self.protocol(WHAT))?;
        Ok(data.creation_path)
    }

    /// Opens a wrapping token, which works once, and takes the secret id out of it.
    pub(super) async fn unwrap(&self, token: &SecretString, errand: &Errand<'_>) -> Result<SecretString, Error> {
        const WHAT: &str = "unwrapping";
        let answer = self.ask(WHAT, Method::POST, "sys/wrapping/unwrap", Some(token), b"{}", errand).await?;
        let Unwrapped { data } = serde_json::from_slice(&answer.body).map_err(|_| self.protocol(WHAT))?;
        Ok(SecretString::from(data.secret_id))
    }

    /// Renews a token by itself; the answer's token is the same one.
    pub(super) async fn renew(&self, token: &SecretString, errand: &Errand<'_>) -> Result<Lease, Error> {
        let answer = self.ask("renewal", Method::POST, "auth/token/renew-self", Some(token), b"{}", errand).await?;
        self.lease("renewal", &answer)
    }

    /// Whom a token speaks for, in words: its display name, entity, policies and namespace.
    pub(super) async fn look_up(&self, token: &SecretString, errand: &Errand<'_>) -> Result<String, Error> {
        const WHAT: &str = "token lookup";
        let answer = self.ask(WHAT, Method::GET, "auth/token/lookup-self", Some(token), b"", errand).await?;
        let LookedUp { data } = serde_json::from_slice(&answer.body).map_err(|_| self.protocol(WHAT))?;
        let mut policies = data.policies;
        policies.extend(data.identity_policies.unwrap_or_default());
        let mut text = format!("{} (policies: {}", data.display_name, policies.join(", "));
        if !data.entity_id.is_empty() {
            text = format!("{text}; entity: {}", data.entity_id);
        }
        let namespace = data.namespace_path.trim_end_matches('/');
        if !namespace.is_empty() {
            text = format!("{text}; namespace: {namespace}");
        }
        Ok(printable(&format!("{text})")))
    }

    fn lease(&self, what: &'static str, answer: &Answer) -> Result<Lease, Error> {
        let Authenticated { auth } = serde_json::from_slice(&answer.body).map_err(|_| self.protocol(what))?;
        let is_token =
            |text: &str| !text.is_empty() && text.len() <= 8192 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_token(&auth.client_token) {
            return Err(self.protocol(what));
        }
        Ok(Lease {
            token: SecretString::from(auth.client_token),
            // A server may say anything; a life beyond ten years is as good as one.
            life: (auth.lease_duration > 0).then(|| Duration::from_secs(auth.lease_duration.min(LONGEST_LIFE))),
            is_renewable: auth.renewable,
            is_counted: auth.num_uses > 0,
        })
    }

    fn protocol(&self, what: &'static str) -> Error {
        Error::Protocol { kind: KIND.name, origin: self.origin.clone(), what }
    }

    /// One request, sent once: a login may cost one use of a secret, so it is never repeated unasked.
    async fn ask(
        &self,
        what: &'static str,
        method: Method,
        path: &str,
        token: Option<&SecretString>,
        body: &[u8],
        errand: &Errand<'_>,
    ) -> Result<Answer, Error> {
        let mut headers = HeaderMap::new();
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(token) = token {
            headers.insert(TOKEN, token_value(token)?);
        }
        if let Some(namespace) = &self.namespace {
            headers.insert(NAMESPACE, namespace.clone());
        }
        let question = Question {
            kind: KIND.name,
            what,
            method,
            origin: &self.origin,
            target: &format!("/v1/{path}"),
            headers,
            body,
            is_of_metadata: false,
        };
        let answer = question.ask(&self.transport, errand).await?;
        let (kind, origin, status) = (KIND.name, self.origin.clone(), answer.status);
        match status {
            200 => Ok(answer),
            400 | 401 | 403 | 404 => Err(Error::Rejected { kind, origin, what, status }),
            429 | 500..=599 => Err(Error::Unavailable { kind, origin, what, status }),
            _ => Err(self.protocol(what)),
        }
    }
}
