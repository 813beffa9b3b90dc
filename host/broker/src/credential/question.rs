//! The broker's own questions: what a login, an identity request or a metadata server is asked, and why there was no answer.

use std::sync::PoisonError;

use forge_core::provider::RequestRecord;
use http::{HeaderMap, Method};
use tokio::time::Instant;
use url::Url;

use super::Errand;
use crate::Error;
use crate::client::{Answer, Failure, Limits, Outgoing, Transport};

/// The longest answer in bytes; a token with hundreds of policies fits.
const BODY_MAX: u64 = 64 * 1024;

/// One request of the broker's own, sent once: a login may cost one use of a secret, so it is never repeated unasked.
pub(super) struct Question<'a> {
    /// The kind of credential that asks, for the texts of errors.
    pub(super) kind: &'static str,
    /// `login`, `token lookup` and so on, for the same.
    pub(super) what: &'static str,
    pub(super) method: Method,
    pub(super) origin: &'a str,
    /// Path and query. The path goes to the audit, so no secret may stand in it.
    pub(super) target: &'a str,
    pub(super) headers: HeaderMap,
    pub(super) body: &'a [u8],
    /// Whether its origin is the fixed one of a cloud's metadata server, which no grant names and no plugin reaches.
    pub(super) is_of_metadata: bool,
}

impl Question<'_> {
    /// Asks, and answers whatever the server said: what a status means is the kind's to say.
    ///
    /// # Errors
    /// Nothing whole came back.
    pub(super) async fn ask(self, transport: &Transport, errand: &Errand<'_>) -> Result<Answer, Error> {
        self.ask_as(None, transport, errand).await
    }

    /// The same for a path that opens something to whoever knows it: the audit has `route` in its place.
    ///
    /// # Errors
    /// Nothing whole came back.
    pub(super) async fn ask_as(
        mut self,
        route: Option<&str>,
        transport: &Transport,
        errand: &Errand<'_>,
    ) -> Result<Answer, Error> {
        let url = Url::parse(&format!("{}{}", self.origin, self.target)).map_err(|_| self.protocol())?;
        let headers = std::mem::take(&mut self.headers);
        let outgoing = Outgoing { method: &self.method, url: &url, origin: self.origin, headers, body: self.body };
        let limits = Limits { deadline: errand.deadline, body_max: BODY_MAX, budget: None };
        let started = Instant::now();
        let outcome = match self.is_of_metadata {
            true => transport.exchange_with_metadata_server(outgoing, &limits).await,
            false => transport.exchange(outgoing, &limits).await,
        };
        if let Some(records) = errand.records {
            records.lock().unwrap_or_else(PoisonError::into_inner).push(RequestRecord {
                method: self.method.to_string(),
                origin: self.origin.to_owned(),
                route: route.unwrap_or(url.path()).to_owned(),
                status: outcome.as_ref().ok().map(|answer| answer.status),
                bytes: outcome.as_ref().map_or(0, |answer| answer.body.len() as u64),
                milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                attempts: 1,
                outcome: if outcome.is_ok() { "ok" } else { "unreachable" },
                permission: None,
                is_open: false,
            });
        }
        outcome.map_err(|failure| self.failure(failure))
    }

    fn protocol(&self) -> Error {
        Error::Protocol { kind: self.kind, origin: self.origin.to_owned(), what: self.what }
    }

    fn failure(&self, failure: Failure) -> Error {
        let origin = self.origin.to_owned();
        match failure {
            Failure::Outside(class) => Error::Network {
                origin,
                what: format!("leads to addresses outside the `{class}` network it was granted for"),
            },
            Failure::Unreachable(cause) | Failure::Untrusted(cause) | Failure::Broken(cause) => {
                Error::Unreachable { origin, cause }
            }
            Failure::Certificate(fault) => Error::ClientCertificate(fault),
            Failure::Source(error) => *error,
            Failure::Timeout | Failure::Spent(_) => Error::Timeout { origin },
            Failure::Unreadable(_) | Failure::TooLarge => self.protocol(),
        }
    }
}

/// By how many seconds this machine's clock is ahead of the server's (RFC 9110, section 6.6.1).
pub(super) fn ahead(headers: &HeaderMap) -> Option<i64> {
    let date = headers.get(http::header::DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    Some(jiff::Timestamp::now().as_second().saturating_sub(theirs.as_second()))
}
