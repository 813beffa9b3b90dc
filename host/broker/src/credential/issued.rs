//! A kind that is no more than the token of an issuer, in `Authorization: Bearer`: what such kinds have in common.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;

use super::fetched::{Fetched, Issuer};
use super::{Credential, Errand, Injection};
use crate::client::Answer;
use crate::request::Parsed;
use crate::tokens::GrantTokens;
use crate::{Error, Logins};

/// What is a kind's own beside how it gets its tokens.
#[async_trait]
pub(super) trait Bearer: Issuer {
    /// Whom this token speaks for.
    async fn identity(&self, token: &SecretString, errand: &Errand<'_>) -> Result<Option<String>, Error>;

    /// The injection of a token with what else belongs into the request.
    async fn completed(&self, injection: Injection) -> Result<Injection, Error> {
        Ok(injection)
    }

    /// As [`Credential::is_throttled`].
    fn is_throttled(&self, _answer: &Answer) -> bool {
        false
    }

    /// As [`Credential::doubt`]; `usual` is what such an answer means for any token.
    async fn doubt(&self, _origin: &str, _answer: &Answer, usual: Option<Error>) -> Option<Error> {
        usual
    }
}

/// An issuer, and the token that it gave.
struct Issued<I> {
    issuer: Arc<I>,
    token: Fetched,
}

/// The credential of an issuer, whose texts of errors name this kind.
pub(super) fn credential<I: Bearer + 'static>(
    kind: &'static str,
    issuer: I,
    tokens: Option<GrantTokens>,
    logins: Logins,
) -> Arc<dyn Credential> {
    let issuer = Arc::new(issuer);
    let token = Fetched::new(kind, Arc::clone(&issuer) as Arc<dyn Issuer>, tokens, logins);
    Arc::new(Issued { issuer, token })
}

#[async_trait]
impl<I: Bearer> Credential for Issued<I> {
    async fn inject(&self, _: &Parsed, errand: &Errand<'_>) -> Result<Injection, Error> {
        self.issuer.completed(self.token.inject(errand).await?).await
    }

    fn is_throttled(&self, answer: &Answer) -> bool {
        self.issuer.is_throttled(answer)
    }

    async fn renew(
        &self,
        _: &Parsed,
        used: &Injection,
        status: u16,
        errand: &Errand<'_>,
    ) -> Result<Option<Injection>, Error> {
        match self.token.renew(used, status, errand).await? {
            Some(newer) => self.issuer.completed(newer).await.map(Some),
            None => Ok(None),
        }
    }

    async fn doubt(&self, _: &Injection, origin: &str, answer: &Answer, _: &Errand<'_>) -> Option<Error> {
        self.issuer.doubt(origin, answer, self.token.doubt(origin, answer)).await
    }

    async fn identity(&self, errand: &Errand<'_>) -> Result<Option<String>, Error> {
        let token = self.token.text(errand).await?;
        self.issuer.identity(&token, errand).await
    }
}
