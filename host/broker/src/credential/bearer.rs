//! `bearer`: a token in `Authorization: Bearer` (RFC 6750, section 2.1), for backends that issue long-lived ones.
//!
//! It knows no backend and forbids no routes beyond the grant's own; what that means for a Vault token given as
//! `bearer` stands in `header.rs`.

use std::sync::Arc;

use http::header::AUTHORIZATION;

use super::header::Header;
use super::held::Held;
use super::{Credential, CredentialKind, Material, Parameters};
use crate::Error;

pub(crate) static KIND: CredentialKind = CredentialKind {
    sources: &["token"],
    ..CredentialKind::usual("bearer", |_, name| name == "authorization", check, open)
};

fn check(parameters: &Parameters) -> Result<(), Error> {
    KIND.source(parameters, "token").map(|_| ())
}

fn open(material: Material) -> Result<Arc<dyn Credential>, Error> {
    let held = Held::new(material.sources, KIND.source(&material.parameters, "token")?);
    Ok(Arc::new(Header { kind: &KIND, name: AUTHORIZATION, prefix: "Bearer ".to_owned(), held }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_credential_is_a_token_from_a_source() {
        let given = |name: &str, value: &str| check(&[(name.to_owned(), value.to_owned())].into());
        assert!(given("token", "env:T").is_ok());
        assert!(given("token", "abc").is_err() && check(&Parameters::new()).is_err());
        assert!((KIND.is_own_header)(&Parameters::new(), "authorization"));
    }
}
