//! The HTTP client of Azure's own library: its requests go out over the broker's transport, to one fixed origin, and what was
//! answered is kept, so that a refusal is told by its numbers.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_core::http::headers::Headers;
use azure_core::http::{
    AsyncRawResponse, Body, ClientOptions, HttpClient, Request, RetryOptions, StatusCode, Transport as Sending,
};
use azure_core::{Error as LibraryError, error::ErrorKind};
use forge_core::provider::RequestRecord;
use http::{HeaderMap, HeaderName, Method};
use tokio::time::Instant;

use super::cloud::Cloud;
use super::{KIND, WHAT};
use crate::Error;
use crate::client::Transport;
use crate::credential::Errand;
use crate::credential::question::Question;
use crate::credential::value::sensitive;

/// The headers of the library that are sent; the others tell who uses which version of what.
const HEADERS: [&str; 3] = ["accept", "content-type", "metadata"];
/// The secret of a machine's own endpoint of identities, which the library takes from the environment.
const IDENTITY: &str = "x-identity-header";

/// What the server said when it gave no token.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: u16,
    /// The numbers of "Microsoft Entra authentication and authorization error codes".
    pub(super) codes: Vec<u32>,
}

/// One login's way out.
pub(super) struct Wire {
    transport: Arc<Transport>,
    /// Where every request goes, whatever the library takes from the environment.
    origin: String,
    /// Whether that is the fixed address of the metadata server.
    is_of_metadata: bool,
    deadline: Instant,
    records: Option<Arc<Mutex<Vec<RequestRecord>>>>,
    outcome: Mutex<Option<Result<Told, Error>>>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Wire {
    pub(super) fn new(
        transport: &Arc<Transport>,
        origin: &str,
        is_of_metadata: bool,
        errand: &Errand<'_>,
    ) -> Arc<Self> {
        Arc::new(Self {
            transport: Arc::clone(transport),
            origin: origin.to_owned(),
            is_of_metadata,
            deadline: errand.deadline,
            records: errand.records.cloned(),
            outcome: Mutex::default(),
        })
    }

    /// The options with which the library uses this and nothing of the environment.
    pub(super) fn options(self: &Arc<Self>, cloud: &Cloud) -> ClientOptions {
        let mut custom = azure_core::cloud::CustomConfiguration::default();
        // A host of its own keeps the library from looking for one in the environment.
        let is_https = self.origin.starts_with("https://");
        custom.authority_host = if is_https { self.origin.clone() } else { cloud.login.to_owned() };
        ClientOptions {
            transport: Some(Sending::new(Arc::clone(self) as Arc<dyn HttpClient>)),
            // An assertion is used once, and the library's own pauses are longer than a call may take.
            retry: RetryOptions::none(),
            cloud: Some(Arc::new(custom.into())),
            ..ClientOptions::default()
        }
    }

    /// Why there was no token: what stopped the request, or what the server said; `None` where it said nothing amiss.
    pub(super) fn outcome(&self) -> Option<Result<Told, Error>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, outcome: Result<Told, Error>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    /// The request as it goes out: method and body are the library's, the origin is this one's own.
    async fn send(&self, request: &Request) -> Result<crate::client::Answer, Error> {
        let protocol = || Error::Protocol { kind: KIND.name, origin: self.origin.clone(), what: WHAT };
        let library = request.url().origin().ascii_serialization();
        if self.is_of_metadata && library != self.origin {
            // The library was told of another endpoint by the environment, which is not a person's word.
            return Err(KIND.error(
                "finds in its environment that this machine gets its identity elsewhere: type that as `login-endpoint=ORIGIN`, unless its address is link-local, which is not asked",
            ));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers().iter() {
            let is_identity = name.as_str() == IDENTITY && !self.is_of_metadata;
            if HEADERS.contains(&name.as_str()) || is_identity {
                let name = HeaderName::from_bytes(name.as_str().as_bytes()).map_err(|_| protocol())?;
                headers.insert(name, sensitive("", value.as_str()).ok_or_else(protocol)?);
            }
        }
        let Body::Bytes(body) = request.body() else { return Err(protocol()) };
        let question = Question {
            kind: KIND.name,
            what: WHAT,
            method: Method::from_bytes(request.method().as_str().as_bytes()).map_err(|_| protocol())?,
            origin: &self.origin,
            target: &request.path_and_query(),
            headers,
            body,
            is_of_metadata: self.is_of_metadata,
        };
        let errand = Errand { deadline: self.deadline, records: self.records.as_ref() };
        question.ask(&self.transport, &errand).await
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        match self.send(request).await {
            Ok(answer) => {
                if answer.status != 200 {
                    self.note(Ok(Told { status: answer.status, codes: codes(&answer.body) }));
                }
                let status = StatusCode::from(answer.status);
                Ok(AsyncRawResponse::from_bytes(status, Headers::new(), answer.body.to_vec()))
            }
            Err(error) => {
                self.note(Err(error));
                Err(LibraryError::with_message(ErrorKind::Other, "the request was not answered"))
            }
        }
    }
}

/// The numbers of an error's answer.
fn codes(body: &[u8]) -> Vec<u32> {
    #[derive(serde::Deserialize)]
    struct Refused {
        #[serde(default)]
        error_codes: Vec<u32>,
    }
    serde_json::from_slice::<Refused>(body).map(|refused| refused.error_codes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_known_by_its_numbers_and_never_by_its_words() {
        let body = br#"{"error":"invalid_client","error_description":"AADSTS90002: x","error_codes":[7000215]}"#;
        assert_eq!(codes(body), [7_000_215]);
        for body in ["", "<html>", r#"{"error":"invalid_client"}"#, r#"{"error_codes":["7000215"]}"#] {
            assert_eq!(codes(body.as_bytes()), [0; 0], "{body}");
        }
    }
}
