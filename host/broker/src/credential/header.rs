//! `header`: one secret in one header, for backends whose login is a key that does not change.
//!
//! What this kind and `bearer` don't claim: they know no backend, so they forbid no routes beyond the grant's own. A
//! person who gives a Vault token as `bearer`, which Vault takes as well, gives the plugin every route that was granted
//! to it, those that mint tokens included. What is claimed is that a header by which another kind tells who asks is that
//! kind's alone, so that its forbidden routes can't be passed by under another name; and that a plugin whose manifest
//! names a kind gets no other one.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderName;
use secrecy::ExposeSecret as _;

use super::held::{Held, Reading};
use super::value::sensitive;
use super::{Credential, CredentialKind, Errand, Injection, Material, Parameters};
use crate::request::Parsed;
use crate::{Error, header};

pub(crate) static KIND: CredentialKind = CredentialKind {
    sources: &["value"],
    settings: &["name", "prefix"],
    ..CredentialKind::usual(
        "header",
        |parameters, name| parameters.get("name").is_some_and(|own| own == name),
        check,
        open,
    )
};

/// Headers in which the credential would change how the request is framed, where it goes or what it means.
fn is_framing(name: &str) -> bool {
    const FRAMING: [&str; 11] = [
        "host",
        "connection",
        "content-length",
        "content-encoding",
        "expect",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "accept-encoding",
    ];
    FRAMING.contains(&name)
        || header::ALWAYS.contains(&name)
        || name.starts_with("x-http-method")
        || name.starts_with("x-forwarded-")
}

/// Headers by which other kinds say who asks, as beginnings of names, each with what a person uses instead.
const OTHERS: [(&str, &str); 5] = [
    // Under another name a Vault token would open what its own kind never opens.
    ("x-vault-", "the kind `vault-token` is for Vault"),
    // "AWS General Reference, Signature Version 4"; a signature is never a secret that stays the same.
    ("x-amz-", "AWS takes signatures"),
    // "Google Cloud APIs, System parameters".
    ("x-goog-", "Google takes short-lived tokens"),
    // "Azure REST API, authenticating requests".
    ("x-ms-", "Azure takes short-lived tokens"),
    // It acts on behalf of a proxy, which is recorded with the provider and is not the plugin's business.
    ("proxy-", "it is a proxy's"),
];

/// Schemes of `authorization` that are kinds of their own.
const SCHEMES: [&str; 2] = ["basic", "bearer"];

fn check_own(name: &str, prefix: &str) -> Result<(), Error> {
    if let Some((beginning, instead)) = OTHERS.iter().find(|(beginning, _)| name.starts_with(beginning)) {
        return Err(KIND.error(format!("can't travel in a header that begins with `{beginning}`: {instead}")));
    }
    if name != "authorization" {
        return Ok(());
    }
    // Without a scheme of its own the secret could bring one, and be another kind in disguise.
    let scheme = prefix.split_once(' ').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    if scheme.is_empty() || SCHEMES.contains(&scheme.as_str()) {
        return Err(KIND.error(
            "needs for `authorization` a `prefix` with a scheme, such as `Token `; `Bearer` and `Basic` are the kinds `bearer` and `basic`",
        ));
    }
    Ok(())
}

fn check(parameters: &Parameters) -> Result<(), Error> {
    let name = parameters.get("name").ok_or_else(|| KIND.error("needs `name`, the header's name"))?;
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    if !is_lower || name.len() > 64 || HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(KIND.error("needs as `name` a header's name in lower case"));
    }
    if is_framing(name) {
        return Err(KIND.error("can't travel in a header that says how to read the request"));
    }
    let prefix = parameters.get("prefix").map(String::as_str).unwrap_or_default();
    if prefix.len() > 64 || !prefix.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        return Err(KIND.error("needs as `prefix` at most 64 printable characters"));
    }
    check_own(name, prefix)?;
    KIND.source(parameters, "value").map(|_| ())
}

fn open(material: Material) -> Result<Arc<dyn Credential>, Error> {
    check(&material.parameters)?;
    let name = material.parameters.get("name").map(String::as_str).unwrap_or_default();
    Ok(Arc::new(Header {
        kind: &KIND,
        name: HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| KIND.error("needs as `name` a header's name in lower case"))?,
        prefix: material.parameters.get("prefix").cloned().unwrap_or_default(),
        held: Held::new(material.sources, KIND.source(&material.parameters, "value")?),
    }))
}

/// One secret in one header, behind a prefix; kinds that are no more than that share it.
pub(super) struct Header {
    pub(super) kind: &'static CredentialKind,
    pub(super) name: HeaderName,
    pub(super) prefix: String,
    pub(super) held: Held,
}

impl Header {
    fn injection(&self, reading: &Reading, is_fresh: bool) -> Result<Injection, Error> {
        let value = sensitive(&self.prefix, reading.text.expose_secret());
        let value = value.ok_or_else(|| self.kind.error("can't stand in a header"))?;
        Ok(Injection {
            headers: vec![(self.name.clone(), value)],
            secrets: vec![Arc::clone(&reading.forms)],
            edition: reading.edition,
            is_fresh,
        })
    }
}

#[async_trait]
impl Credential for Header {
    async fn inject(&self, _: &Parsed, _: &Errand<'_>) -> Result<Injection, Error> {
        let (reading, is_fresh) = self.held.read().await?;
        self.injection(&reading, is_fresh)
    }

    async fn renew(&self, _: &Parsed, used: &Injection, _: u16, _: &Errand<'_>) -> Result<Option<Injection>, Error> {
        if used.is_fresh {
            return Ok(None);
        }
        let newer = self.held.newer_than(used.edition).await?;
        newer.map(|reading| self.injection(&reading, true)).transpose()
    }

    async fn identity(&self, _: &Errand<'_>) -> Result<Option<String>, Error> {
        // A bare key does not say whose it is, but that it is there can be said at once.
        self.held.read().await.map(|_| None)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    struct Fixed;

    #[async_trait]
    impl crate::Sources for Fixed {
        async fn read(&self, _: &crate::Source) -> Result<secrecy::SecretString, Error> {
            Ok("canary".into())
        }
    }

    #[tokio::test]
    async fn the_header_is_marked_so_that_no_log_prints_it() {
        let source = crate::Source::Environment("K".to_owned());
        let header = Header {
            kind: &KIND,
            name: http::header::AUTHORIZATION,
            prefix: "Bearer ".to_owned(),
            held: Held::new(Arc::new(Fixed), source),
        };
        let (reading, is_fresh) = header.held.read().await.unwrap();
        let injection = header.injection(&reading, is_fresh).unwrap();
        let (_, value) = injection.headers.first().unwrap();
        assert_eq!(value.as_bytes(), b"Bearer canary");
        assert!(value.is_sensitive() && !format!("{value:?}").contains("canary"));
    }

    #[test]
    fn a_header_credential_needs_a_name_that_does_not_frame_the_request() {
        for name in [
            "",
            "Authorization",
            "host",
            "content-length",
            "transfer-encoding",
            "x-http-method-override",
            "a b",
            "accept",
            "x-vault-token",
        ] {
            assert!(check(&parameters(&[("name", name), ("value", "env:K")])).is_err(), "{name}");
        }
        for name in ["x-api-key", "private-token"] {
            assert!(check(&parameters(&[("name", name), ("value", "env:K")])).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_header_by_which_another_kind_says_who_asks_is_that_kinds_alone() {
        let given = |name: &str, prefix: &str| {
            check(&parameters(&[("name", name), ("value", "env:K"), ("prefix", prefix)])).is_ok()
        };
        for name in [
            "x-vault-token",
            "x-vault-namespace",
            "x-amz-security-token",
            "x-goog-api-key",
            "x-ms-authorization-auxiliary",
            "proxy-authorization",
        ] {
            assert!(!given(name, "") && !given(name, "Token "), "{name}");
        }
        // The server splits at any number of spaces and doesn't tell cases apart (RFC 9110, section 11.4).
        for prefix in ["", "Bearer ", "bearer ", "BEARER  ", "Basic ", "basic x", " Bearer ", "Bearer", "Token"] {
            assert!(!given("authorization", prefix), "{prefix:?}");
        }
        for prefix in ["Token ", "GenieKey ", "token "] {
            assert!(given("authorization", prefix), "{prefix:?}");
        }
    }

    #[test]
    fn a_header_credential_needs_a_source_and_a_printable_prefix() {
        assert!(check(&parameters(&[("name", "x-key")])).is_err());
        assert!(check(&parameters(&[("name", "x-key"), ("value", "env:K"), ("prefix", "Key\r\n")])).is_err());
        assert!(check(&parameters(&[("name", "x-key"), ("value", "env:K"), ("prefix", "Key ")])).is_ok());
    }
}
