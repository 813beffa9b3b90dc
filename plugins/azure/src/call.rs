//! One request to the vault: its URL, and what an error means ("Azure Key Vault REST API error codes").

use forge_sdk::http::{Request, Response};
use forge_sdk::{Code, Error, ErrorKind, settings, url};
use serde::{Deserialize, Serialize};

/// The version of the API, which every cloud has; the grant holds each request to it.
const API: &str = "api-version=7.4";

/// There is no such secret, or no such version of it.
pub(crate) const NOT_FOUND: &str = "SecretNotFound";
/// A secret of this name is deleted, and could be recovered.
pub(crate) const DELETED: &str = "ObjectIsDeletedButRecoverable";
/// The service is still deleting it.
pub(crate) const DELETING: &str = "ObjectIsBeingDeleted";
/// The version is disabled.
pub(crate) const DISABLED: &str = "SecretDisabled";

/// What each code means, the inner one first where there is one.
const CODES: [Code; 17] = [
    (NOT_FOUND, ErrorKind::NotFound, "there is no such secret or version"),
    (DELETED, ErrorKind::WrongState, "a deleted secret has this name, and can be recovered or purged"),
    (DELETING, ErrorKind::WrongState, "the service still deletes the secret: try again in some seconds"),
    (
        "ObjectIsBeingRecovered",
        ErrorKind::WrongState,
        "the service still recovers the secret: try again in some seconds",
    ),
    (DISABLED, ErrorKind::WrongState, "the version is disabled"),
    ("SecretExpired", ErrorKind::WrongState, "the version has expired"),
    ("SecretNotYetValid", ErrorKind::WrongState, "the version is not valid yet"),
    ("AccessDenied", ErrorKind::AccessDenied, "no access policy allows this"),
    ("ForbiddenByRbac", ErrorKind::AccessDenied, "no role allows this"),
    ("ForbiddenByPolicy", ErrorKind::AccessDenied, "no access policy allows this"),
    ("ForbiddenByFirewall", ErrorKind::AccessDenied, "the vault's firewall does not let this machine in"),
    ("ForbiddenByConnection", ErrorKind::AccessDenied, "the vault takes requests of private endpoints alone"),
    ("Forbidden", ErrorKind::AccessDenied, "the vault denies this"),
    ("Unauthorized", ErrorKind::Unauthenticated, "the token is not accepted"),
    ("BadParameter", ErrorKind::InvalidRequest, "the service does not take what was asked"),
    ("Conflict", ErrorKind::Conflict, "somebody else changes the secret at this moment"),
    ("Throttled", ErrorKind::RateLimited, "the vault is asked too often"),
];

/// A request for a path below the vault's URL, with what its query has beside the API's version.
///
/// # Errors
///
/// `invalid-request` where the setting is missing.
pub(crate) fn request(method: &str, path: &str, more: &str) -> Result<Request, Error> {
    Ok(Request::new(method, format!("{}/{path}?{API}{more}", settings::required("vault-url")?)))
}

/// A page of a listing, from its beginning or from the mark that the page before ended with.
///
/// # Errors
///
/// As [`ask`].
pub(crate) fn page(path: &str, most: u32, mark: Option<&str>) -> Result<Response, Error> {
    let mark = mark.map(|mark| format!("&$skiptoken{}", url::query(&[("", mark)]))).unwrap_or_default();
    ask(request("GET", path, &format!("&maxresults={most}{mark}"))?)
}

/// Sends a request; answers the answer of success.
///
/// # Errors
///
/// What the host refused, and what the service answered, with its code where that is a known one.
pub(crate) fn ask(request: Request) -> Result<Response, Error> {
    let response = request.send()?;
    if (200..300).contains(&response.status()) { Ok(response) } else { Err(refusal(&response)) }
}

/// The same with a body.
///
/// # Errors
///
/// As [`ask`].
pub(crate) fn send(method: &str, path: &str, body: &impl Serialize) -> Result<Response, Error> {
    ask(request(method, path, "")?.json(body))
}

/// Whether an error is the service's with this code.
pub(crate) fn is(error: &Error, code: &str) -> bool {
    error.code() == Some(code)
}

/// An error by its code; one that is not known by its status alone, since its words are the server's.
fn refusal(response: &Response) -> Error {
    #[derive(Deserialize)]
    struct Answer {
        error: Told,
    }
    #[derive(Deserialize)]
    struct Told {
        code: String,
        innererror: Option<Inner>,
    }
    #[derive(Deserialize)]
    struct Inner {
        code: Option<String>,
    }
    let told = serde_json::from_slice::<Answer>(response.body()).ok().map(|answer| answer.error);
    let inner = |told: &Told| told.innererror.as_ref().and_then(|inner| inner.code.clone());
    let codes = [told.as_ref().and_then(inner), told.map(|told| told.code)];
    response.refusal(&CODES, codes.iter().flatten().map(String::as_str))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) mod tests {
    use forge_sdk::fake;

    use super::*;

    pub(crate) const VAULT: &str = "https://v.example";
    /// An error of the service.
    pub(crate) const MISSING: &str = r#"{"error":{"code":"SecretNotFound","message":"hunter2"}}"#;

    /// The URL of a path, with the API's version.
    pub(crate) fn url(path: &str) -> String {
        format!("{VAULT}/{path}?{API}")
    }

    /// A host that answers these requests in turn: a method, a path, a status and a body.
    pub(crate) fn answering(answers: &[(&str, &str, u16, &str)]) {
        let host = fake::Host::new().setting("vault-url", VAULT);
        let host = answers.iter().fold(host, |host, (method, path, status, body)| {
            let (path, more) = path.split_once('?').unwrap_or((path, ""));
            host.answer(method, &(url(path) + more), *status, body)
        });
        host.install();
    }

    /// What was asked for: method, path and query without the API's version, and the body.
    pub(crate) fn asked() -> Vec<(String, String)> {
        let one = |request: &Request| {
            let place = request.url().strip_prefix(VAULT).unwrap().replace(&format!("?{API}"), "");
            (format!("{} {place}", request.method()), String::from_utf8(request.body_bytes().to_vec()).unwrap())
        };
        fake::requests().iter().map(one).collect()
    }

    /// The same without the bodies.
    pub(crate) fn places() -> Vec<String> {
        asked().into_iter().map(|(place, _)| place).collect()
    }

    fn error(status: u16, body: &str) -> Error {
        answering(&[("GET", "secrets/a", status, body)]);
        ask(request("GET", "secrets/a", "").unwrap()).unwrap_err()
    }

    #[test]
    fn an_error_is_told_by_its_inner_code_or_its_code_and_never_by_its_words() {
        for (status, body, kind, code) in [
            (404, MISSING, ErrorKind::NotFound, Some(NOT_FOUND)),
            (
                403,
                r#"{"error":{"code":"Forbidden","message":"x","innererror":{"code":"SecretDisabled"}}}"#,
                ErrorKind::WrongState,
                Some(DISABLED),
            ),
            (
                403,
                r#"{"error":{"code":"Forbidden","innererror":{"code":"New"}}}"#,
                ErrorKind::AccessDenied,
                Some("Forbidden"),
            ),
            (409, r#"{"error":{"code":"Conflict","innererror":null}}"#, ErrorKind::Conflict, Some("Conflict")),
            (400, r#"{"error":{"code":"hunter2","message":"SecretNotFound"}}"#, ErrorKind::InvalidRequest, None),
            (404, "<html>SecretNotFound</html>", ErrorKind::Upstream, None),
            (404, "", ErrorKind::Upstream, None),
            (403, "", ErrorKind::AccessDenied, None),
            (503, "", ErrorKind::Unavailable, None),
        ] {
            let error = error(status, body);
            assert_eq!((error.kind(), error.code(), error.status()), (kind, code, Some(status)), "{body}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_vault_that_is_asked_too_often_says_when_to_come_again() {
        let host = fake::Host::new().setting("vault-url", VAULT);
        let body = r#"{"error":{"code":"Throttled","message":"x"}}"#;
        host.answer_with("GET", &url("secrets/a"), 429, &[("Retry-After", "7")], body).install();
        let error = ask(request("GET", "secrets/a", "").unwrap()).unwrap_err();
        assert_eq!((error.kind(), error.retry_after_ms()), (ErrorKind::RateLimited, Some(7_000)));
    }

    #[test]
    fn a_mark_of_a_listing_is_one_value_of_the_query() {
        answering(&[("GET", "secrets?&maxresults=25&$skiptoken=a%2Fb%2B%3D%26maxresults%3D1", 200, "{}")]);
        page("secrets", 25, Some("a/b+=&maxresults=1")).unwrap();
    }
}
