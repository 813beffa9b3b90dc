//! What a token endpoint answers (RFC 6749, sections 5.1 and 5.2), told by its fields and codes and never by its words.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::fetched::Token;
use crate::Error;
use crate::client::Answer;
use crate::error::GrantFault;

/// The longest token in bytes: federated ones of Google have up to 12 KiB ("Google Cloud docs, Token types").
const LONGEST: usize = 12 * 1024;

/// The longest life of a token that is reckoned with, in seconds: ten years.
const LONGEST_LIFE: u64 = 315_360_000;

/// Who is asked for a token, and for what, in the texts of errors.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The kind of credential.
    pub(super) kind: &'static str,
    /// `login` and so on.
    pub(super) what: &'static str,
    pub(super) origin: &'a str,
    /// The source of the secret that buys the token, as it is written.
    pub(super) place: &'a str,
}

/// "RFC 6749, section 5.1".
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: serde_json::Value,
}

/// "RFC 6749, section 5.2".
#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// A text as a form has it (RFC 6749, appendix B).
pub(super) fn encoded(text: &str) -> Zeroizing<String> {
    // Room from the beginning: a text that grows leaves copies behind.
    let mut encoded = Zeroizing::new(String::with_capacity(text.len() * 3));
    byte_serialize(text.as_bytes()).for_each(|part| encoded.push_str(part));
    encoded
}

/// The body of a request for a token: names as they stand, and values.
pub(super) fn form(fields: &[(&str, &str)]) -> Zeroizing<String> {
    let room = fields.iter().map(|(name, value)| name.len() + 2 + value.len() * 3).sum();
    let mut form = Zeroizing::new(String::with_capacity(room));
    for (at, (name, value)) in fields.iter().enumerate() {
        if at > 0 {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        form.push_str(&encoded(value));
    }
    form
}

/// The token that an endpoint answered.
///
/// # Errors
/// Why it gave none: what its code says of the credential, that it can't answer now, or that this is no such answer.
pub(super) fn token(asked: Asked<'_>, answer: &Answer) -> Result<Token, Error> {
    check(asked, answer)?;
    let Granted { access_token, token_type, expires_in } =
        serde_json::from_slice(&answer.body).map_err(|_| protocol(asked))?;
    if !token_type.eq_ignore_ascii_case("bearer") {
        return Err(protocol(asked));
    }
    bearer(asked, access_token, seconds(&expires_in))
}

/// A text as a token that lives for so many seconds; `None` where nobody told.
pub(super) fn bearer(asked: Asked<'_>, text: String, life: Option<u64>) -> Result<Token, Error> {
    let text = SecretString::from(text);
    if !is_token(&text) {
        return Err(protocol(asked));
    }
    // A server may say anything; a life beyond ten years is as good as one.
    Ok(Token { text, life: life.map(|life| Duration::from_secs(life.min(LONGEST_LIFE))) })
}

/// Whether a text can stand in `Authorization: Bearer` (RFC 6750, section 2.1, and what servers issue beyond it).
fn is_token(text: &SecretString) -> bool {
    use secrecy::ExposeSecret as _;
    let text = text.expose_secret();
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A number of seconds, which some servers write as a text (Azure's instance metadata service does).
pub(super) fn seconds(value: &serde_json::Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// That an answer is one of success.
///
/// # Errors
/// Why it is not.
pub(super) fn check(asked: Asked<'_>, answer: &Answer) -> Result<(), Error> {
    let (kind, what, origin, status) = (asked.kind, asked.what, asked.origin.to_owned(), answer.status);
    match status {
        200 => Ok(()),
        400..=404 => Err(match fault(answer) {
            Some(fault) => Error::GrantRefused { kind, what, origin, place: asked.place.to_owned(), fault },
            None => Error::Rejected { kind, origin, what, status },
        }),
        429 | 500..=599 => Err(Error::Unavailable { kind, origin, what, status }),
        _ => Err(protocol(asked)),
    }
}

/// That an endpoint answered something that its protocol does not have.
pub(super) fn protocol(Asked { kind, what, origin, .. }: Asked<'_>) -> Error {
    Error::Protocol { kind, origin: origin.to_owned(), what }
}

fn fault(answer: &Answer) -> Option<GrantFault> {
    let Refused { error } = serde_json::from_slice(&answer.body).ok()?;
    Some(match error.as_str() {
        "invalid_client" => GrantFault::Client,
        "invalid_grant" => GrantFault::Grant,
        "unauthorized_client" => GrantFault::Unauthorized,
        "unsupported_grant_type" => GrantFault::Unsupported,
        "invalid_scope" => GrantFault::Scope,
        // "RFC 8707, section 2".
        "invalid_target" => GrantFault::Target,
        "invalid_request" => GrantFault::Request,
        _ => return None,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use http::HeaderMap;
    use secrecy::ExposeSecret as _;

    use super::*;

    const ASKED: Asked<'static> =
        Asked { kind: "oauth2-client", what: "login", origin: "https://login.example", place: "env:SECRET" };

    fn answered(status: u16, body: &str) -> Result<Token, Error> {
        token(ASKED, &Answer { status, headers: HeaderMap::new(), body: Zeroizing::new(body.as_bytes().to_vec()) })
    }

    #[test]
    fn a_token_and_its_life_are_read_as_a_number_or_a_text() {
        for (life, expected) in
            [("3600", Some(3600)), ("\"3599\"", Some(3599)), ("null", None), ("9999999999999", Some(LONGEST_LIFE))]
        {
            let body = format!(r#"{{"access_token":"a.b-c_d~e+f/g==","token_type":"bEaRer","expires_in":{life}}}"#);
            let token = answered(200, &body).unwrap();
            assert_eq!(token.text.expose_secret(), "a.b-c_d~e+f/g==");
            assert_eq!(token.life.map(|life| life.as_secs()), expected, "{life}");
        }
        assert!(answered(200, r#"{"access_token":"a","token_type":"Bearer"}"#).unwrap().life.is_none());
    }

    #[test]
    fn what_is_no_bearer_token_is_no_answer_of_the_protocol() {
        let long = "a".repeat(LONGEST + 1);
        for body in [
            String::new(),
            "<html>".to_owned(),
            r#"{"access_token":"a"}"#.to_owned(),
            r#"{"access_token":"","token_type":"Bearer"}"#.to_owned(),
            r#"{"access_token":"a b","token_type":"Bearer"}"#.to_owned(),
            r#"{"access_token":"a\r\nx-admin: 1","token_type":"Bearer"}"#.to_owned(),
            r#"{"access_token":"a","token_type":"DPoP"}"#.to_owned(),
            format!(r#"{{"access_token":"{long}","token_type":"Bearer"}}"#),
        ] {
            assert!(matches!(answered(200, &body), Err(Error::Protocol { .. })), "{body}");
        }
        assert!(matches!(answered(302, ""), Err(Error::Protocol { .. })));
    }

    #[test]
    fn a_refusal_is_told_by_its_code_and_not_by_words() {
        for (code, expected) in [
            ("invalid_client", Some(GrantFault::Client)),
            ("invalid_grant", Some(GrantFault::Grant)),
            ("unauthorized_client", Some(GrantFault::Unauthorized)),
            ("unsupported_grant_type", Some(GrantFault::Unsupported)),
            ("invalid_scope", Some(GrantFault::Scope)),
            ("invalid_target", Some(GrantFault::Target)),
            ("invalid_request", Some(GrantFault::Request)),
            ("something_else", None),
        ] {
            let body = format!(r#"{{"error":"{code}","error_description":"invalid_client canary-words"}}"#);
            let error = answered(400, &body).map(|_| ()).unwrap_err();
            assert!(!error.to_string().contains("canary"), "{error}");
            match (&error, expected) {
                (Error::GrantRefused { fault, .. }, Some(expected)) => assert_eq!(*fault, expected),
                (Error::Rejected { status: 400, .. }, None) => {}
                _ => assert_eq!(error.to_string(), code),
            }
        }
        assert!(matches!(answered(401, "no JSON"), Err(Error::Rejected { status: 401, .. })));
        assert!(matches!(answered(503, r#"{"error":"invalid_client"}"#), Err(Error::Unavailable { .. })));
    }

    #[test]
    fn what_stands_in_a_form_is_encoded_as_the_standard_says() {
        // The example of RFC 6749, appendix B.
        assert_eq!(encoded(" %&+\u{a3}\u{20ac}").as_str(), "+%25%26%2B%C2%A3%E2%82%AC");
    }
}
