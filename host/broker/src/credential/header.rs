//! `header`: one secret in one header, for backends whose login is a key that does not change.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::held::{Held, Reading};
use super::{Credential, CredentialKind, Errand, Injection, Material, Parameters};
use crate::request::Parsed;
use crate::{Error, header};

pub(crate) static KIND: CredentialKind = CredentialKind {
    name: "header",
    sources: &["value"],
    settings: &["name", "prefix"],
    either: &[],
    usual_sources: &[],
    has_audience: true,
    colon_is_action: false,
    needs_certificate: |_| false,
    needs_tokens_kept: |_| false,
    check,
    is_own_header: |parameters, name| parameters.get("name").is_some_and(|own| own == name),
    forbidden: |_, _| None,
    forbidden_route: |_| None,
    open,
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

fn check(parameters: &Parameters) -> Result<(), Error> {
    let name = parameters.get("name").ok_or_else(|| KIND.error("needs `name`, the header's name"))?;
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    if !is_lower || name.len() > 64 || HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(KIND.error("needs as `name` a header's name in lower case"));
    }
    if is_framing(name) {
        return Err(KIND.error("can't travel in a header that says how to read the request"));
    }
    // Under another name a Vault token would open what its own kind never opens.
    if name.starts_with("x-vault-") {
        return Err(KIND.error("can't travel in a header of Vault; the kind `vault-token` is for that"));
    }
    let prefix = parameters.get("prefix").map(String::as_str).unwrap_or_default();
    if prefix.len() > 64 || !prefix.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        return Err(KIND.error("needs as `prefix` at most 64 printable characters"));
    }
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
        let text = Zeroizing::new(format!("{}{}", self.prefix, reading.text.expose_secret()));
        let mut value = HeaderValue::from_str(&text).map_err(|_| self.kind.error("can't stand in a header"))?;
        value.set_sensitive(true);
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
        for name in ["authorization", "x-api-key", "private-token"] {
            assert!(check(&parameters(&[("name", name), ("value", "env:K")])).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_header_credential_needs_a_source_and_a_printable_prefix() {
        assert!(check(&parameters(&[("name", "authorization")])).is_err());
        assert!(
            check(&parameters(&[("name", "authorization"), ("value", "env:K"), ("prefix", "Bearer\r\n")])).is_err()
        );
        assert!(check(&parameters(&[("name", "authorization"), ("value", "env:K"), ("prefix", "Bearer ")])).is_ok());
    }
}
