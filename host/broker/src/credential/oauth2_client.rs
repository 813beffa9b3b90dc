//! `oauth2-client`: a bearer token that a client's id and secret buy (RFC 6749, section 4.4), for services of third parties.
//!
//! It knows no backend and forbids no routes beyond the grant's own, as `bearer` does.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_core::masking::Forms;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use zeroize::Zeroizing;

use super::fetched::{Issuer, Means, Token};
use super::held::Held;
use super::issued::{self, Bearer};
use super::oauth::{self, Asked, encoded};
use super::question::Question;
use super::value::sensitive;
use super::{Credential, CredentialKind, Errand, Material, Parameters};
use crate::Error;
use crate::client::Transport;

/// What the texts of errors call the request for a token.
const WHAT: &str = "login";

pub(crate) static KIND: CredentialKind = CredentialKind {
    sources: &["client-secret"],
    settings: &["client-id", "token-url", "scope", "secret-in"],
    endpoints: &["token-url"],
    ..CredentialKind::usual("oauth2-client", |_, name| name == "authorization", check, open)
};

fn check(parameters: &Parameters) -> Result<(), Error> {
    let typed = |name: &str| parameters.get(name).map(String::as_str);
    // `VSCHAR` of RFC 6749, appendix A.
    let is_id = |text: &str| !text.is_empty() && text.len() <= 256 && text.bytes().all(|b| (0x20..=0x7e).contains(&b));
    if !typed("client-id").is_some_and(is_id) {
        return Err(KIND.error("needs `client-id`, at most 256 printable ASCII characters"));
    }
    KIND.source(parameters, "client-secret")?;
    if endpoint(typed("token-url").unwrap_or_default()).is_none() {
        return Err(KIND.error(
            "needs `token-url`, where it logs in, such as `https://login.example.com/oauth2/token`: in the spelling of a URL parser, without a login and a fragment",
        ));
    }
    // `scope-token` of RFC 6749, section 3.3, with one space between two.
    let is_token =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    if !typed("scope").is_none_or(|text| text.len() <= 1024 && text.split(' ').all(is_token)) {
        return Err(KIND.error("needs as `scope` names with one space between two"));
    }
    match typed("secret-in") {
        None | Some("header" | "body") => Ok(()),
        Some(_) => Err(KIND.error("sends its secret in the `header` or in the `body`: `secret-in=body`")),
    }
}

/// Origin and target of a token endpoint (RFC 6749, section 3.2: it may have a query, and no fragment).
fn endpoint(text: &str) -> Option<(String, String)> {
    let url = Url::parse(text).ok()?;
    let is_plain = matches!(url.scheme(), "https" | "http")
        && url.as_str() == text
        && text.len() <= 2048
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    let query = url.query().map_or(String::new(), |query| format!("?{query}"));
    is_plain.then(|| (url.origin().ascii_serialization(), format!("{}{query}", url.path())))
}

fn open(material: Material) -> Result<Arc<dyn Credential>, Error> {
    check(&material.parameters)?;
    let Material { parameters, sources, transport, tokens, logins, .. } = material;
    let typed = |name: &str| parameters.get(name).cloned().unwrap_or_default();
    let (origin, target) = endpoint(&typed("token-url")).unwrap_or_default();
    let client = Client {
        transport,
        origin,
        target,
        id: typed("client-id"),
        scope: typed("scope"),
        is_in_body: typed("secret-in") == "body",
        secret: Held::new(sources, KIND.source(&parameters, "client-secret")?),
    };
    Ok(issued::credential(KIND.name, client, tokens, logins))
}

/// A client of an authorisation server.
struct Client {
    transport: Arc<Transport>,
    origin: String,
    /// Path and query of the token endpoint.
    target: String,
    id: String,
    scope: String,
    is_in_body: bool,
    secret: Held,
}

impl Client {
    /// Id and secret as HTTP Basic has them (RFC 6749, section 2.3.1), before their base64.
    fn pair(&self, secret: &str) -> Zeroizing<String> {
        Zeroizing::new(format!("{}:{}", encoded(&self.id).as_str(), encoded(secret).as_str()))
    }

    fn body(&self, secret: &str) -> Zeroizing<String> {
        let mut fields = vec![("grant_type", "client_credentials")];
        if !self.scope.is_empty() {
            fields.push(("scope", &self.scope));
        }
        if self.is_in_body {
            fields.extend([("client_id", self.id.as_str()), ("client_secret", secret)]);
        }
        oauth::form(&fields)
    }
}

#[async_trait]
impl Issuer for Client {
    fn origin(&self) -> &str {
        &self.origin
    }

    async fn means(&self) -> Result<Means, Error> {
        let mut means = Means::default();
        means.add("client_secret", &self.secret).await?;
        if self.secret.is_read().await {
            let (reading, _) = self.secret.read().await?;
            // What the secret travels as has forms of its own.
            let pair = self.pair(reading.text.expose_secret());
            let base64 = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
            means.forms.extend([&pair, &base64].map(|text| Arc::new(Forms::of(text.as_bytes()))));
        }
        Ok(means)
    }

    async fn fetch(&self, errand: &Errand<'_>) -> Result<Token, Error> {
        let (reading, _) = self.secret.read().await?;
        let secret = reading.text.expose_secret();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if !self.is_in_body {
            let base64 = Zeroizing::new(STANDARD.encode(self.pair(secret).as_bytes()));
            let value = sensitive("Basic ", &base64).ok_or_else(|| KIND.error("can't stand in a header"))?;
            headers.insert(AUTHORIZATION, value);
        }
        let body = self.body(secret);
        let question = Question {
            kind: KIND.name,
            what: WHAT,
            method: Method::POST,
            origin: &self.origin,
            target: &self.target,
            headers,
            body: body.as_bytes(),
            is_of_metadata: false,
        };
        let answer = question.ask(&self.transport, errand).await?;
        let place = self.secret.place();
        oauth::token(Asked { kind: KIND.name, what: WHAT, origin: &self.origin, place: &place }, &answer)
    }

    async fn is_newer(&self) -> Result<bool, Error> {
        let (reading, _) = self.secret.read().await?;
        Ok(self.secret.newer_than(reading.edition).await?.is_some())
    }
}

#[async_trait]
impl Bearer for Client {
    /// The client's id, which a token has shown that its secret is accepted for.
    async fn identity(&self, _: &SecretString, _: &Errand<'_>) -> Result<Option<String>, Error> {
        Ok(Some(format!("{} (issuer: {})", self.id, self.origin)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(pairs: &[(&str, &str)]) -> Result<(), Error> {
        let usual = [("client-id", "app"), ("client-secret", "env:S"), ("token-url", "https://login.example/token")];
        let mut parameters: Parameters = usual.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        for (name, value) in pairs {
            parameters.insert((*name).to_owned(), (*value).to_owned());
        }
        check(&parameters)
    }

    #[test]
    fn a_token_endpoint_is_a_url_in_one_spelling_without_a_login_or_a_fragment() {
        for url in ["https://l.example/", "http://127.0.0.1:81/t?tenant=a", "https://l.example/a/b"] {
            assert!(checked(&[("token-url", url)]).is_ok(), "{url}");
        }
        for url in [
            "",
            "https://l.example",
            "https://L.example/t",
            "https://u:p@l.example/t",
            "https://l.example/t#a",
            "https://l.example:443/t",
            "ftp://l.example/t",
            "/token",
        ] {
            assert!(checked(&[("token-url", url)]).is_err(), "{url}");
        }
    }

    #[test]
    fn an_id_is_typed_a_secret_is_a_source_and_a_scope_has_names() {
        for good in [("scope", "a b:c/d"), ("secret-in", "body"), ("secret-in", "header"), ("client-id", "a:b c")] {
            assert!(checked(&[good]).is_ok(), "{good:?}");
        }
        for bad in [
            ("scope", "a  b"),
            ("scope", " a"),
            ("scope", "a\"b"),
            ("secret-in", "query"),
            ("client-id", ""),
            ("client-id", "a\n"),
            ("client-secret", "hunter2"),
        ] {
            assert!(checked(&[bad]).is_err(), "{bad:?}");
        }
    }
}
