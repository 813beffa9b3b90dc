//! `none`: requests go out as they are, for backends that need no login.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Credential, CredentialKind, Derives, Errand, Injection};
use crate::Error;
use crate::request::Parsed;

pub(crate) static KIND: CredentialKind = CredentialKind {
    name: "none",
    sources: &[],
    settings: &[],
    either: &[],
    usual_sources: &[],
    has_audience: false,
    is_own_origin: |_| false,
    has_own_names: false,
    colon_is_action: false,
    shares_endpoints: None,
    derives: Derives::NONE,
    endpoints: &[],
    logs_in_at: |_| Vec::new(),
    asks_at: |_, _| None,
    needs_certificate: |_| false,
    needs_tokens_kept: |_| false,
    check: |_| Ok(()),
    is_own_header: |_, _| false,
    forbidden: |_, _| None,
    forbidden_route: |_| None,
    open: |_| Ok(Arc::new(Nothing)),
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
