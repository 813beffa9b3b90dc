//! HTTP with JSON, through the host: the only way out, checked against the grant request by request.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, ErrorKind};
#[cfg(not(target_arch = "wasm32"))]
use crate::fake::call as host;
#[cfg(target_arch = "wasm32")]
use crate::import as host;
use crate::secret::Attributes;

/// Why the host sent no request, or gave no answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No rule of the grant matches.
    Denied(String),
    /// The host could not get the credential.
    Credential(String),
    /// The answer held the credential, so nothing of it is given out.
    CredentialReflected,
    /// No connection.
    Unreachable(String),
    /// No answer in time.
    Timeout,
    /// The answer is larger than the route allows.
    TooLarge,
    /// This call has sent all the requests it may.
    Budget,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Denied(reason) => Self::new(ErrorKind::DeniedByHost, reason),
            Failure::Credential(reason) => Self::new(ErrorKind::Unauthenticated, reason),
            Failure::CredentialReflected => Self::new(ErrorKind::DeniedByHost, "the answer held the credential"),
            Failure::Unreachable(reason) => Self::new(ErrorKind::Unavailable, reason),
            Failure::Timeout => Self::new(ErrorKind::Timeout, "no answer in time"),
            Failure::TooLarge => Self::new(ErrorKind::TooLarge, "the answer is larger than the route allows"),
            Failure::Budget => Self::new(ErrorKind::DeniedByHost, "this call has sent all the requests it may"),
        }
    }
}

/// What crosses to the host.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Attributes,
    pub(crate) body: Vec<u8>,
}

/// A request that is being built. Nobody names a credential here: the route that it matches does.
#[derive(Clone)]
pub struct Request {
    parts: Parts,
    /// A body that could not be written as JSON; told when the request is sent, so that building reads as one line.
    fault: Option<Error>,
}

/// A `GET` of this URL.
#[must_use]
pub fn get(url: impl Into<String>) -> Request {
    Request::new("GET", url)
}

/// A `POST` to this URL.
#[must_use]
pub fn post(url: impl Into<String>) -> Request {
    Request::new("POST", url)
}

/// A `PUT` to this URL.
#[must_use]
pub fn put(url: impl Into<String>) -> Request {
    Request::new("PUT", url)
}

/// A `PATCH` of this URL.
#[must_use]
pub fn patch(url: impl Into<String>) -> Request {
    Request::new("PATCH", url)
}

/// A `DELETE` of this URL.
#[must_use]
pub fn delete(url: impl Into<String>) -> Request {
    Request::new("DELETE", url)
}

/// A `POST` of this JSON.
#[must_use]
pub fn post_json(url: impl Into<String>, body: &impl Serialize) -> Request {
    post(url).json(body)
}

/// A `PUT` of this JSON.
#[must_use]
pub fn put_json(url: impl Into<String>, body: &impl Serialize) -> Request {
    put(url).json(body)
}

/// Sends the requests in parallel, as far as the host allows, and answers in their order.
#[must_use]
pub fn send_all(requests: Vec<Request>) -> Vec<Result<Response, Error>> {
    let mut faults = Vec::with_capacity(requests.len());
    let mut sound = Vec::with_capacity(requests.len());
    for request in requests {
        if request.fault.is_none() {
            sound.push(request.parts);
        }
        faults.push(request.fault);
    }
    let mut answers = host::send_all(sound).into_iter();
    let answered = |fault: Option<Error>| match fault {
        Some(fault) => Err(fault),
        None => match answers.next() {
            Some(answer) => answer.map_err(Error::from),
            None => Err(Error::internal("the host answered fewer requests than it was given")),
        },
    };
    faults.into_iter().map(answered).collect()
}

impl Request {
    /// A request without headers and body. The URL must be spelt as `url` spells it.
    #[must_use]
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        let parts = Parts { method: method.into(), url: url.into(), headers: Attributes::new(), body: Vec::new() };
        Self { parts, fault: None }
    }

    /// Adds a header; the host refuses those that the route doesn't list.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parts.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body to this JSON, with its `content-type`.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body("application/json", bytes),
            Err(_) => Self { fault: Some(Error::internal("a request can't be written as JSON")), ..self },
        }
    }

    /// Sets the body, with its `content-type`.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.parts.body = body;
        self.header("content-type", content_type)
    }

    /// Sends it once; every status is an answer.
    ///
    /// # Errors
    ///
    /// The [`Failure`] of the host, as an error: `denied-by-host`, `unauthenticated`, `unavailable`, `timeout`,
    /// `too-large`.
    pub fn send(self) -> Result<Response, Error> {
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(host::send(self.parts)?),
        }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.parts.method
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.parts.url
    }

    /// The headers, in the order in which they were added.
    #[must_use]
    pub fn headers(&self) -> &Attributes {
        &self.parts.headers
    }

    /// The body.
    #[must_use]
    pub fn body_bytes(&self) -> &[u8] {
        &self.parts.body
    }
}

impl From<Parts> for Request {
    fn from(parts: Parts) -> Self {
        Self { parts, fault: None }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { method, url, body, .. } = &self.parts;
        write!(formatter, "Request({method} {url}, {} bytes, hidden)", body.len())
    }
}

/// What the backend answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Attributes,
    body: Vec<u8>,
}

impl Response {
    pub(crate) fn new(status: u16, headers: Attributes, body: Vec<u8>) -> Self {
        Self { status, headers, body }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Itself where the status is one of success (200 to 299).
    ///
    /// # Errors
    ///
    /// [`Response::error`] for any other status.
    pub fn success(self) -> Result<Self, Error> {
        if (200..300).contains(&self.status) { Ok(self) } else { Err(self.error()) }
    }

    /// The error that the status stands for, with `Retry-After` where that is a number of seconds
    /// (RFC 9110, section 10.2.3). Nothing of the body is in it.
    #[must_use]
    pub fn error(&self) -> Error {
        let error = Error::from_status(self.status);
        match self.header("retry-after").and_then(|seconds| seconds.trim().parse::<u32>().ok()) {
            Some(seconds) => error.with_retry_after_ms(seconds.saturating_mul(1000)),
            None => error,
        }
    }

    /// The error that the first known of the codes stands for that were `found` in the answer; else the one of the status.
    ///
    /// An answer without any code is not the backend's: a proxy's 404 is no missing secret, so what would say something of
    /// the secret is `upstream`.
    #[must_use]
    pub fn refusal<'a>(&self, codes: &[Code], found: impl IntoIterator<Item = &'a str>) -> Error {
        let error = self.error();
        let mut found = found.into_iter().peekable();
        let is_about_secret =
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidRequest | ErrorKind::Conflict);
        if found.peek().is_none() && is_about_secret {
            return Error::upstream("the answer is an error without a code").with_status(self.status);
        }
        let Some(known) = found.find_map(|code| Error::from_code(codes, code)) else { return error };
        error.retry_after_ms().into_iter().fold(known.with_status(self.status), Error::with_retry_after_ms)
    }

    /// The body, read as JSON; `expected` says what it should have been, such as `a secret`.
    ///
    /// # Errors
    ///
    /// `upstream`, which tells what was expected and nothing of what came.
    pub fn json<'a, T: Deserialize<'a>>(&'a self, expected: &str) -> Result<T, Error> {
        from_json(&self.body, expected).map_err(|error| error.with_status(self.status))
    }
}

/// Part of an answer, read as JSON; `expected` says what it should have been.
///
/// # Errors
///
/// `upstream`, which tells what was expected and nothing of what came.
pub fn from_json<'a, T: Deserialize<'a>>(text: &'a [u8], expected: &str) -> Result<T, Error> {
    // The parser's own words may repeat what came, so they are dropped.
    serde_json::from_slice(text)
        .map_err(|_| Error::upstream(format!("the backend's answer isn't {expected}, written as JSON")))
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Response({}, {} bytes, hidden)", self.status, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;

    use super::*;
    use crate::fake;

    const URL: &str = "https://x.example/a";

    fn answered(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        fake::Host::new().answer_with("GET", URL, status, headers, body).install();
        get(URL).send().unwrap()
    }

    #[test]
    fn a_json_body_is_sent_with_its_content_type() {
        fake::Host::new().answer("PUT", URL, 204, "").install();
        put_json(URL, &["a"]).header("if-match", "1").send().unwrap().success().unwrap();
        let requests = fake::requests();
        let request = requests.first().unwrap();
        assert_eq!(request.body_bytes(), br#"["a"]"#);
        let headers = [("content-type", "application/json"), ("if-match", "1")];
        assert_eq!(request.headers(), &headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_body_that_is_no_json_is_told_when_it_would_be_sent() {
        fake::Host::new().install();
        let unprintable = BTreeMap::from([((1, 2), 3)]);
        assert_eq!(post_json(URL, &unprintable).send().unwrap_err().kind(), ErrorKind::Internal);
        assert_eq!(fake::requests().len(), 0);
    }

    #[test]
    fn answers_to_many_requests_come_in_their_order_whatever_fails() {
        fake::Host::new().answer("GET", URL, 200, "1").fail("POST", URL, Failure::Timeout).install();
        let unprintable = BTreeMap::from([((1, 2), 3)]);
        let answers = send_all(vec![get(URL), put_json(URL, &unprintable), post(URL), delete(URL), get(URL)]);
        let kinds: Vec<Result<u16, ErrorKind>> = answers
            .into_iter()
            .map(|answer| answer.map(|answer| answer.status()).map_err(|error| error.kind()))
            .collect();
        let denied = Err(ErrorKind::DeniedByHost);
        assert_eq!(kinds, [Ok(200), Err(ErrorKind::Internal), Err(ErrorKind::Timeout), denied, Ok(200)]);
    }

    #[test]
    fn an_answer_that_is_not_what_was_expected_says_so_and_repeats_nothing() {
        for body in ["", "hunter2", "{\"a\":\"hunter2\"}"] {
            let error = answered(200, &[], body).json::<u32>("a number").unwrap_err();
            assert_eq!((error.kind(), error.status()), (ErrorKind::Upstream, Some(200)));
            assert!(error.message().contains("a number"));
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_refusal_is_what_the_first_known_code_means_and_without_a_code_is_nobodys_word_on_a_secret() {
        let codes = [("Gone", ErrorKind::NotFound, "there is none"), ("Slow", ErrorKind::RateLimited, "too often")];
        let told = |status, found: &[&str]| {
            let error = answered(status, &[("retry-after", "2")], "hunter2").refusal(&codes, found.iter().copied());
            assert_eq!((error.status(), error.message().contains("hunter2")), (Some(status), false));
            (error.kind(), error.code().map(str::to_owned), error.retry_after_ms())
        };
        let of = |code: &str| Some(code.to_owned());
        assert_eq!(told(400, &["Inner", "Gone", "Slow"]), (ErrorKind::NotFound, of("Gone"), Some(2000)));
        assert_eq!(told(400, &["Slow"]), (ErrorKind::RateLimited, of("Slow"), Some(2000)));
        // A code that nobody knows is still the backend's.
        assert_eq!(told(404, &["Unknown"]), (ErrorKind::NotFound, None, Some(2000)));
        for status in [400, 404, 409] {
            assert_eq!(told(status, &[]), (ErrorKind::Upstream, None, None), "{status}");
        }
        assert_eq!(told(403, &[]).0, ErrorKind::AccessDenied);
        assert_eq!(told(503, &[]).0, ErrorKind::Unavailable);
    }

    #[test]
    fn only_2xx_is_success() {
        for status in [200, 204, 299] {
            assert!(answered(status, &[], "").success().is_ok());
        }
        for status in [199, 300, 307, 404, 500] {
            assert_eq!(answered(status, &[], "").success().unwrap_err().status(), Some(status));
        }
    }

    #[test]
    fn a_retry_after_in_seconds_is_told_in_milliseconds() {
        let wait = |value: &str| answered(429, &[("Retry-After", value)], "").error().retry_after_ms();
        assert_eq!(wait("7"), Some(7000));
        assert_eq!(wait("4294967295"), Some(u32::MAX));
        for other in ["Wed, 21 Oct 2015 07:28:00 GMT", "-1", "4294967296", ""] {
            assert_eq!(wait(other), None, "{other}");
        }
    }

    #[test]
    fn debug_of_a_request_and_a_response_hides_bodies_and_headers() {
        let request = put_json(URL, &"hunter2").header("x-note", "hunter2");
        let response = answered(200, &[("x-note", "hunter2")], "hunter2");
        for shown in [format!("{request:?}"), format!("{response:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
