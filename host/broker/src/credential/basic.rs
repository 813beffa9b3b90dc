//! `basic`: a user's name and a password in `Authorization: Basic` (RFC 7617).

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_core::masking::Forms;
use http::header::AUTHORIZATION;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::held::Held;
use super::value::sensitive;
use super::{Credential, CredentialKind, Errand, Injection, Material, Parameters};
use crate::request::Parsed;
use crate::{Error, Source};

pub(crate) static KIND: CredentialKind = CredentialKind {
    sources: &["password"],
    // A user's name has no colon (RFC 7617, section 2), and every source has one.
    either: &["username"],
    ..CredentialKind::usual("basic", |_, name| name == "authorization", check, open)
};

/// Who logs in: typed, or found at a source.
enum Name {
    Typed(String),
    Held(Held),
}

fn check(parameters: &Parameters) -> Result<(), Error> {
    let name = parameters
        .get("username")
        .ok_or_else(|| KIND.error("needs `username`, a name or a source; `username=` where the server wants none"))?;
    if name.contains(':') {
        name.parse::<Source>()?;
    } else if name.len() > 256 || !name.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        return Err(KIND.error("needs as `username` at most 256 printable ASCII characters"));
    }
    KIND.source(parameters, "password").map(|_| ())
}

fn open(material: Material) -> Result<Arc<dyn Credential>, Error> {
    check(&material.parameters)?;
    let Material { parameters, sources, .. } = material;
    let password = Held::new(Arc::clone(&sources), KIND.source(&parameters, "password")?);
    let name = match parameters.get("username").map(String::as_str).unwrap_or_default() {
        source if source.contains(':') => Name::Held(Held::new(sources, source.parse()?)),
        name => Name::Typed(name.to_owned()),
    };
    Ok(Arc::new(Basic { name, password }))
}

struct Basic {
    name: Name,
    password: Held,
}

/// The edition of the name and that of the password, as one number.
fn edition(name: u64, password: u64) -> u64 {
    (name << 32) | (password & u64::from(u32::MAX))
}

impl Basic {
    async fn injection(&self) -> Result<Injection, Error> {
        let held;
        let mut name_forms = None;
        let (name, name_edition, is_name_fresh) = match &self.name {
            Name::Typed(name) => (name.as_str(), 0, false),
            Name::Held(source) => {
                let (reading, is_fresh) = source.read().await?;
                held = reading;
                // A name that comes from a source may be as private as a password.
                name_forms = Some(Arc::clone(&held.forms));
                (held.text.expose_secret(), held.edition, is_fresh)
            }
        };
        // With a colon in it the server would read another name and another password than those that were given.
        if name.contains(':') {
            return Err(KIND.error("has a `username` with a `:` at its source, which no user's name has"));
        }
        let (password, is_fresh) = self.password.read().await?;
        let pair = Zeroizing::new(format!("{name}:{}", password.text.expose_secret()));
        let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        let value = sensitive("Basic ", &encoded).ok_or_else(|| KIND.error("can't stand in a header"))?;
        // The pair has its base64 among its forms; what is made of that base64 in turn is looked for as well.
        let (pair, encoded) = (Forms::of(pair.as_bytes()), Forms::of(encoded.as_bytes()));
        Ok(Injection {
            headers: vec![(AUTHORIZATION, value)],
            secrets: [Arc::clone(&password.forms), Arc::new(pair), Arc::new(encoded)]
                .into_iter()
                .chain(name_forms)
                .collect(),
            edition: edition(name_edition, password.edition),
            is_fresh: is_fresh || is_name_fresh,
        })
    }
}

#[async_trait]
impl Credential for Basic {
    async fn inject(&self, _: &Parsed, _: &Errand<'_>) -> Result<Injection, Error> {
        self.injection().await
    }

    async fn renew(&self, _: &Parsed, used: &Injection, _: u16, _: &Errand<'_>) -> Result<Option<Injection>, Error> {
        if used.is_fresh {
            return Ok(None);
        }
        let is_name_newer = match &self.name {
            Name::Typed(_) => false,
            Name::Held(held) => held.newer_than(used.edition >> 32).await?.is_some(),
        };
        let is_password_newer = self.password.newer_than(used.edition & u64::from(u32::MAX)).await?.is_some();
        if !is_name_newer && !is_password_newer {
            return Ok(None);
        }
        Ok(Some(Injection { is_fresh: true, ..self.injection().await? }))
    }

    async fn identity(&self, _: &Errand<'_>) -> Result<Option<String>, Error> {
        // A name at a source may be as private as a password, so only a typed one is told.
        self.injection().await?;
        Ok(match &self.name {
            Name::Typed(name) if !name.is_empty() => Some(name.clone()),
            _ => None,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    struct Fixed;

    #[async_trait]
    impl crate::Sources for Fixed {
        async fn read(&self, source: &Source) -> Result<secrecy::SecretString, Error> {
            Ok(if source.to_string() == "env:U" { "Aladdin".into() } else { "open sesame".into() })
        }
    }

    #[tokio::test]
    async fn the_header_is_that_of_the_standard_and_marked_so_that_no_log_prints_it() {
        let held = |name: &str| Held::new(Arc::new(Fixed), Source::Environment(name.to_owned()));
        for name in [Name::Typed("Aladdin".to_owned()), Name::Held(held("U"))] {
            let injection = Basic { name, password: held("P") }.injection().await.unwrap();
            let (_, value) = injection.headers.first().unwrap();
            // The example of RFC 7617, section 2.
            assert_eq!(value.as_bytes(), b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
            assert!(value.is_sensitive() && !format!("{value:?}").contains("QWxh"));
        }
    }

    #[test]
    fn a_name_is_typed_or_a_source_and_a_password_always_a_source() {
        let given = |name: &str, password: &str| {
            let pairs = [("username", name), ("password", password)];
            check(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
        };
        for name in ["svc", "", "a b", "env:U", "file:/run/user", "store://local/user"] {
            assert!(given(name, "env:P").is_ok(), "{name}");
        }
        for (name, password) in
            [("svc:x", "env:P"), ("file:relative", "env:P"), ("svc\n", "env:P"), ("svc", "hunter2"), ("svc", "")]
        {
            assert!(given(name, password).is_err(), "{name}");
        }
        assert!(check(&[("password".to_owned(), "env:P".to_owned())].into()).is_err());
    }
}
