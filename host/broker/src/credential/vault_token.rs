//! `vault-token`: a token for HashiCorp Vault or OpenBao, given or got by a login.
//!
//! Sources: "Vault API docs" (Authentication, Namespaces, Tokens); OpenBao's API is the same here.

use std::sync::Arc;

use async_trait::async_trait;
use forge_core::masking::Forms;
use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::held::Held;
use super::value::sensitive;
use super::{Credential, CredentialKind, Errand, Injection, Material, UsualSources};
use crate::Error;
use crate::client::Answer;
use crate::request::Parsed;

mod got;
mod login;
mod method;
mod paths;
mod wire;
mod wrapped;

use login::Login;
use wire::Server;

/// "Vault API docs, Authentication".
const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
/// "Vault API docs, Namespaces".
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");

pub(crate) static KIND: CredentialKind = CredentialKind {
    sources: &["token", "role-id", "secret-id", "secret-id-wrapped", "password", "jwt"],
    settings: &["method", "mount", "namespace", "login-endpoint", "username", "role"],
    usual_sources: &[
        UsualSources::required("token", &["env:VAULT_TOKEN", "file:~/.vault-token"]),
        // "Vault docs, Kubernetes auth method": where a pod finds the token of its service account.
        UsualSources {
            method: Some("kubernetes"),
            ..UsualSources::required("jwt", &["file:/var/run/secrets/kubernetes.io/serviceaccount/token"])
        },
    ],
    endpoints: &["login-endpoint"],
    needs_certificate: |parameters| parameters.get("method").is_some_and(|method| method == "cert"),
    needs_tokens_kept: |parameters| parameters.contains_key("secret-id-wrapped"),
    forbidden: paths::forbidden,
    forbidden_route: paths::forbidden_route,
    // All of Vault's own headers: token, namespace, wrapping (`x-vault-wrap-ttl`), policy overrides.
    ..CredentialKind::usual("vault-token", |_, name| name.starts_with("x-vault-"), method::check, open)
};

fn open(material: Material) -> Result<Arc<dyn Credential>, Error> {
    method::check(&material.parameters)?;
    let Material { parameters, audience, sources, transport, tokens, logins } = material;
    let home = audience.first().cloned().ok_or_else(|| KIND.error("has no origin that it may be sent to"))?;
    let namespace = parameters.get("namespace").map(|namespace| HeaderValue::from_str(namespace));
    let namespace = namespace.transpose().map_err(|_| KIND.error("needs a namespace of ASCII letters"))?;
    let server = |origin: String| Server { transport: Arc::clone(&transport), origin, namespace: namespace.clone() };
    let token = match method::of(&parameters, &sources)? {
        Some(means) => {
            let endpoint = parameters.get("login-endpoint").cloned().unwrap_or_else(|| home.clone());
            Token::LoggedIn(Login::new(server(home.clone()), server(endpoint), means, tokens, logins))
        }
        None => Token::Given(Held::new(sources, KIND.source(&parameters, "token")?)),
    };
    Ok(Arc::new(VaultToken { server: server(home), token }))
}

/// Where the token comes from.
enum Token {
    Given(Held),
    LoggedIn(Login),
}

/// A token as one request uses it.
struct Used {
    text: SecretString,
    forms: Arc<Forms>,
    edition: u64,
    is_fresh: bool,
}

struct VaultToken {
    server: Server,
    token: Token,
}

impl VaultToken {
    async fn current(&self, errand: &Errand<'_>) -> Result<Used, Error> {
        match &self.token {
            Token::LoggedIn(login) => login.current(errand).await,
            Token::Given(held) => {
                let (reading, is_fresh) = held.read().await?;
                Ok(Used {
                    text: reading.text.clone(),
                    forms: Arc::clone(&reading.forms),
                    edition: reading.edition,
                    is_fresh,
                })
            }
        }
    }

    fn injection(&self, used: Used) -> Result<Injection, Error> {
        let mut headers = vec![(TOKEN, token_value(&used.text)?)];
        headers.extend(self.server.namespace.clone().map(|namespace| (NAMESPACE, namespace)));
        Ok(Injection { headers, secrets: vec![used.forms], edition: used.edition, is_fresh: used.is_fresh })
    }
}

/// A token as the value of its header.
fn token_value(token: &SecretString) -> Result<HeaderValue, Error> {
    sensitive("", token.expose_secret()).ok_or_else(|| KIND.error("can't stand in a header"))
}

#[async_trait]
impl Credential for VaultToken {
    async fn inject(&self, _: &Parsed, errand: &Errand<'_>) -> Result<Injection, Error> {
        self.injection(self.current(errand).await?)
    }

    async fn renew(
        &self,
        _: &Parsed,
        used: &Injection,
        status: u16,
        errand: &Errand<'_>,
    ) -> Result<Option<Injection>, Error> {
        // Vault answers 403 to a token that it does not know and to a path that its policies deny alike.
        if used.is_fresh || status != 403 {
            return Ok(None);
        }
        let newer = match &self.token {
            Token::LoggedIn(login) => login.newer_than(used.edition, errand).await?,
            Token::Given(held) => held.newer_than(used.edition).await?.map(|reading| Used {
                text: reading.text.clone(),
                forms: Arc::clone(&reading.forms),
                edition: reading.edition,
                is_fresh: true,
            }),
        };
        newer.map(|used| self.injection(used)).transpose()
    }

    async fn doubt(&self, used: &Injection, _: &str, answer: &Answer, errand: &Errand<'_>) -> Option<Error> {
        // A login that is refused says so by itself, and a token that it has just given is good.
        let Token::Given(held) = &self.token else { return None };
        if answer.status != 403 {
            return None;
        }
        let (reading, _) = held.read().await.ok().filter(|(reading, _)| reading.edition == used.edition)?;
        match self.server.look_up(&reading.text, errand).await {
            Err(Error::Rejected { origin, status, .. }) => {
                Some(Error::NotAccepted { kind: KIND.name, origin, place: held.place(), status })
            }
            // It is known, so its policies say no; or nobody can tell just now.
            _ => None,
        }
    }

    async fn identity(&self, errand: &Errand<'_>) -> Result<Option<String>, Error> {
        let used = self.current(errand).await?;
        self.server.look_up(&used.text, errand).await.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_marked_so_that_no_log_prints_it() {
        let value = token_value(&SecretString::from("s.canary"));
        assert!(value.is_ok_and(|value| value.is_sensitive() && !format!("{value:?}").contains("canary")));
    }
}
