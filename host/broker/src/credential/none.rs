//! `none`: requests go out as they are, for backends that need no login.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Credential, CredentialKind, Errand, Injection};
use crate::Error;
use crate::request::Parsed;

pub(crate) static KIND: CredentialKind = CredentialKind {
    has_audience: false,
    ..CredentialKind::usual("none", |_, _| false, |_| Ok(()), |_| Ok(Arc::new(Nothing)))
};

/// No credential.
struct Nothing;

#[async_trait]
impl Credential for Nothing {
    async fn inject(&self, _: &Parsed, _: &Errand<'_>) -> Result<Injection, Error> {
        Ok(Injection::default())
    }

    async fn renew(&self, _: &Parsed, _: &Injection, _: u16, _: &Errand<'_>) -> Result<Option<Injection>, Error> {
        Ok(None)
    }

    async fn identity(&self, _: &Errand<'_>) -> Result<Option<String>, Error> {
        Ok(None)
    }
}
