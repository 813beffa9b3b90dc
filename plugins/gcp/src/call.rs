//! One request and what its errors mean ("Google Cloud APIs, Errors": the body's `status`, and never its words).

use forge_sdk::http::{Request, Response};
use forge_sdk::{Code, Error, ErrorKind};
use serde::Deserialize;

/// What each status means (`google.rpc.Code`).
const CODES: [Code; 11] = [
    ("NOT_FOUND", ErrorKind::NotFound, "there is no such secret or version"),
    ("ALREADY_EXISTS", ErrorKind::Conflict, "there is a secret of this name"),
    ("ABORTED", ErrorKind::Conflict, "somebody else changed it meanwhile"),
    ("FAILED_PRECONDITION", ErrorKind::WrongState, "the state of the version, or of the secret, forbids this"),
    ("INVALID_ARGUMENT", ErrorKind::InvalidRequest, "the service does not take what was asked"),
    ("PERMISSION_DENIED", ErrorKind::AccessDenied, "no role allows this, or the project does not exist"),
    ("UNAUTHENTICATED", ErrorKind::Unauthenticated, "the token is not accepted"),
    ("RESOURCE_EXHAUSTED", ErrorKind::RateLimited, "a quota of the project is used up"),
    ("UNAVAILABLE", ErrorKind::Unavailable, "the service is not ready"),
    ("DEADLINE_EXCEEDED", ErrorKind::Unavailable, "the service took too long"),
    ("INTERNAL", ErrorKind::Unavailable, "the service failed"),
];

#[derive(Deserialize)]
struct Refused {
    error: Status,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

/// Sends a request; answers the answer of success.
///
/// # Errors
///
/// What the host refused, and what the service answered, with its code where that is a known one.
pub(crate) fn send(request: Request) -> Result<Response, Error> {
    told(request.send()?)
}

/// The answer where it is one of success.
///
/// # Errors
///
/// What the service answered.
pub(crate) fn told(response: Response) -> Result<Response, Error> {
    if (200..300).contains(&response.status()) { Ok(response) } else { Err(refusal(&response)) }
}

/// The answer, and `None` where the service says that there is no such thing.
///
/// # Errors
///
/// As [`send`].
pub(crate) fn found(answer: Result<Response, Error>) -> Result<Option<Response>, Error> {
    match answer {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        answer => answer.map(Some),
    }
}

fn refusal(response: &Response) -> Error {
    let refused: Option<Refused> = serde_json::from_slice(response.body()).ok();
    response.refusal(&CODES, refused.iter().map(|refused| refused.error.status.as_str()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) mod tests {
    use forge_sdk::{fake, http};

    use super::*;

    /// Where the secrets of the tests' project lie.
    pub(crate) const URL: &str = "https://s.example/v1/projects/p/secrets";

    /// A host with the manifest's own settings.
    pub(crate) fn host() -> fake::Host {
        let settings = [
            ("endpoint", "https://s.example"),
            ("project", "p"),
            ("parent", "projects/p"),
            ("replicas", ""),
            ("tags", "labels"),
        ];
        settings.into_iter().fold(fake::Host::new(), |host, (name, value)| host.setting(name, value))
    }

    /// An error as the service writes it.
    pub(crate) fn refused(code: &str) -> String {
        format!(r#"{{"error":{{"code":1,"message":"hunter2","status":"{code}"}}}}"#)
    }

    /// The requests that were sent: method, what follows [`URL`], and body.
    pub(crate) fn sent() -> Vec<(String, String, serde_json::Value)> {
        let one = |request: &http::Request| {
            let rest = request.url().strip_prefix(URL).unwrap().to_owned();
            let body = serde_json::from_slice(request.body_bytes()).unwrap_or_default();
            (request.method().to_owned(), rest, body)
        };
        fake::requests().iter().map(one).collect()
    }

    #[test]
    fn an_error_is_told_by_its_code_and_never_by_its_words() {
        let asked = |status, body: &str| {
            host().answer("GET", URL, status, body).install();
            send(http::get(URL)).unwrap_err()
        };
        for (code, kind, ..) in CODES {
            let error = asked(400, &refused(code));
            assert_eq!((error.kind(), error.code()), (kind, Some(code)));
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        assert_eq!(asked(404, "<html>NOT_FOUND").kind(), ErrorKind::Upstream);
        assert_eq!(asked(403, "").kind(), ErrorKind::AccessDenied);
        assert_eq!(asked(503, "").kind(), ErrorKind::Unavailable);
        assert_eq!(asked(404, &refused("SOMETHING")).kind(), ErrorKind::NotFound);
    }
}
