//! `vault-token`: a token for HashiCorp Vault or OpenBao, given or got by an AppRole login.
//!
//! Sources: "Vault API docs" (Authentication, Namespaces, AppRole, Tokens); OpenBao's API is the same here.

use std::sync::Arc;

use async_trait::async_trait;
use forge_core::masking::Forms;
use forge_core::setting::{SettingKind, origin};
use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::held::Held;
use super::{Credential, CredentialKind, Errand, Injection, Material, Parameters};
use crate::Error;
use crate::request::Parsed;

mod login;
mod paths;
mod wire;

use login::Login;
use wire::Server;

/// "Vault API docs, Authentication".
const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
/// "Vault API docs, Namespaces".
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");

pub(crate) static KIND: CredentialKind = CredentialKind {
    name: "vault-token",
    sources: &["token", "role-id", "secret-id"],
    settings: &["method", "mount", "namespace", "login-endpoint"],
    usual_sources: &["env:VAULT_TOKEN", "file:~/.vault-token"],
    has_audience: true,
    colon_is_action: false,
    check,
    // All of Vault's own headers: token, namespace, wrapping (`x-vault-wrap-ttl`), policy overrides.
    is_own_header: |_, name| name.starts_with("x-vault-"),
    forbidden: paths::forbidden,
    forbidden_route: paths::forbidden_route,
    open,
};

fn check(parameters: &Parameters) -> Result<(), Error> {
    let given = |name: &str| parameters.contains_key(name);
    match parameters.get("method").map(String::as_str) {
        None => {
            if let Some(name) = ["role-id", "secret-id", "mount", "login-endpoint"].into_iter().find(|name| given(name))
            {
                return Err(KIND.error(format!("needs `method=approle` for `{name}`")));
            }
            KIND.source(parameters, "token")?;
        }
        Some("approle") => {
            if given("token") {
                return Err(KIND.error("gets its token by `method=approle`, so `token` can't be given"));
            }
            KIND.source(parameters, "role-id")?;
        }
        Some(_) => return Err(KIND.error("knows the method `approle`; leave `method` out for a token")),
    }
    for name in ["mount", "namespace"] {
        let fits = |value: &String| SettingKind::Path.normalise(name, value).is_ok_and(|path| path == *value);
        if !parameters.get(name).is_none_or(fits) {
            return Err(KIND.error(format!("needs as `{name}` a path without a slash at either end")));
        }
    }
    let endpoint = parameters.get("login-endpoint");
    if !endpoint.is_none_or(|text| origin(text).is_ok_and(|one| one == *text)) {
        return Err(
            KIND.error("needs as `login-endpoint` an origin in lower case, such as `https://login.example.com:8200`")
        );
    }
    Ok(())
}

fn open(material: Material) -> Result<Arc<dyn Credential>, Error> {
    check(&material.parameters)?;
    let Material { parameters, audience, sources, transport } = material;
    let home = audience.first().cloned().ok_or_else(|| KIND.error("has no origin that it may be sent to"))?;
    let namespace = parameters.get("namespace").map(|namespace| HeaderValue::from_str(namespace));
    let namespace = namespace.transpose().map_err(|_| KIND.error("needs a namespace of ASCII letters"))?;
    let server = |origin: String| Server { transport: Arc::clone(&transport), origin, namespace: namespace.clone() };
    let held = |name| Ok::<Held, Error>(Held::new(Arc::clone(&sources), KIND.source(&parameters, name)?));
    let token = if parameters.contains_key("method") {
        let endpoint = parameters.get("login-endpoint").cloned().unwrap_or_else(|| home.clone());
        Token::LoggedIn(Box::new(Login::new(
            server(home.clone()),
            server(endpoint),
            parameters.get("mount").cloned().unwrap_or_else(|| "approle".to_owned()),
            held("role-id")?,
            if parameters.contains_key("secret-id") { Some(held("secret-id")?) } else { None },
        )))
    } else {
        Token::Given(held("token")?)
    };
    Ok(Arc::new(VaultToken { server: server(home), token }))
}

/// Where the token comes from.
enum Token {
    Given(Held),
    LoggedIn(Box<Login>),
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

/// A token as a header value that no log prints.
fn token_value(token: &SecretString) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(token.expose_secret()).map_err(|_| KIND.error("can't stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
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

    fn refused(text: &str) -> bool {
        let parameters = text.split(',').filter_map(|pair| pair.split_once('='));
        check(&parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()).is_err()
    }

    #[test]
    fn a_token_or_a_login_is_given_and_never_both() {
        for text in [
            "token=env:T",
            "token=env:T,namespace=team/a",
            "method=approle,role-id=env:R",
            "method=approle,role-id=env:R,secret-id=file:/s,mount=a/b,login-endpoint=https://l.example",
        ] {
            assert!(!refused(text), "{text}");
        }
        for text in [
            "",
            "namespace=a",
            "method=approle",
            "method=approle,secret-id=env:S",
            "method=approle,role-id=env:R,token=env:T",
            "token=env:T,role-id=env:R",
            "token=env:T,mount=a",
            "method=kubernetes,role-id=env:R",
        ] {
            assert!(refused(text), "{text}");
        }
    }

    #[test]
    fn a_namespace_a_mount_and_an_endpoint_can_not_leave_their_place() {
        for text in [
            "token=env:T,namespace=../a",
            "token=env:T,namespace=/a",
            "token=env:T,namespace=a/",
            "token=env:T,namespace=a//b",
            "token=env:T,namespace=a?b",
            "method=approle,role-id=env:R,mount=../../sys",
            "method=approle,role-id=env:R,mount=",
            "method=approle,role-id=env:R,login-endpoint=https://l.example/path",
            "method=approle,role-id=env:R,login-endpoint=https://L.example",
            "method=approle,role-id=env:R,login-endpoint=https://u:p@l.example",
        ] {
            assert!(refused(text), "{text}");
        }
    }
}
