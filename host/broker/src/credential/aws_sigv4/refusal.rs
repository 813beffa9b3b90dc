//! What an answer says about the key or the signature, read off its code and never off its words.

use forge_core::manifest::printable;

use super::KIND;
use crate::Error;
use crate::client::Answer;
use crate::error::KeyFault;

/// How far two clocks may be apart before AWS refuses a signature ("AWS Signature Version 4 for API requests"), in seconds.
const SKEW: u64 = 300;

/// What is read of an answer to find its code, in bytes.
const LONGEST: usize = 64 * 1024;

/// Why a server did not accept a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The access key is not known, not active, or missing its session's token.
    Key,
    /// The session is over.
    Session,
    /// Key and signature don't fit, or the time of the signature does not.
    Signature,
}

impl Refusal {
    /// The refusal that an answer is; `None` for an answer about anything else.
    ///
    /// The codes are those of "AWS STS API Reference, Common Errors" and of the JSON services' error types.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        if !matches!(answer.status, 400 | 401 | 403) {
            return None;
        }
        Some(match code(answer)?.as_str() {
            "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" => Self::Key,
            "ExpiredTokenException" | "ExpiredToken" | "TokenRefreshRequired" => Self::Session,
            "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "RequestExpired"
            | "RequestTimeTooSkewed"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException" => Self::Signature,
            _ => return None,
        })
    }

    /// What a person is told; `ahead` is by how many seconds this machine's clock is ahead of the server's.
    pub(super) fn error(self, origin: &str, place: String, ahead: Option<i64>) -> Error {
        let origin = origin.to_owned();
        if let Some(seconds) = ahead.filter(|ahead| ahead.unsigned_abs() > SKEW) {
            return Error::ClockSkew { origin, seconds };
        }
        let what = match self {
            Self::Key => KeyFault::Unknown,
            Self::Session => KeyFault::Expired,
            Self::Signature => KeyFault::Signature,
        };
        Error::KeyRefused { kind: KIND.name, origin, place: printable(&place), what }
    }
}

/// Whether an answer says that the account asks too often; nothing was done then ("AWS SDKs and Tools Reference Guide, Retry
/// behavior", throttling errors).
pub(super) fn is_throttled(answer: &Answer) -> bool {
    const CODES: [&str; 7] = [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
    ];
    (400..500).contains(&answer.status) && code(answer).is_some_and(|code| CODES.contains(&code.as_str()))
}

/// The code of an error: a header's, a JSON object's `__type`, or an XML answer's `Code`.
pub(super) fn code(answer: &Answer) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Typed {
        #[serde(rename = "__type")]
        code: String,
    }
    let body = answer.body.get(..answer.body.len().min(LONGEST))?;
    let header = answer.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let typed = || serde_json::from_slice::<Typed>(body).ok().map(|typed| typed.code);
    let text = header.or_else(typed).or_else(|| element(std::str::from_utf8(body).ok()?, "Code").map(str::to_owned))?;
    // `com.amazonaws.x#Code:http://…` ("Smithy, AWS JSON 1.1 protocol, operation error serialization").
    let text = text.split(':').next().unwrap_or_default();
    Some(text.rsplit('#').next().unwrap_or_default().to_owned())
}

/// The text of the one element of this name, which holds no other; `None` where there are several.
pub(super) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let (_, rest) = xml.split_once(&start)?;
    let (text, behind) = rest.split_once(&end)?;
    (!behind.contains(&start) && !text.contains(['<', '&'])).then_some(text)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use zeroize::Zeroizing;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: Zeroizing::new(body.as_bytes().to_vec()) }
    }

    #[test]
    fn a_refusal_is_told_by_its_code_in_each_form_and_not_by_words() {
        for (body, expected) in [
            (r#"{"__type":"UnrecognizedClientException","message":"x"}"#, Some(Refusal::Key)),
            (r#"{"__type":"com.amazonaws.secretsmanager#InvalidSignatureException"}"#, Some(Refusal::Signature)),
            (r#"{"__type":"ExpiredTokenException:http://x/"}"#, Some(Refusal::Session)),
            ("<R><Error><Code>SignatureDoesNotMatch</Code></Error></R>", Some(Refusal::Signature)),
            ("<R><Error><Code>InvalidClientTokenId</Code></Error></R>", Some(Refusal::Key)),
            (r#"{"__type":"AccessDeniedException","message":"UnrecognizedClientException"}"#, None),
            (r#"{"__type":"ResourceNotFoundException"}"#, None),
            // A right is missing: the key is fine ("AWS Secrets Manager API Reference, Common Errors").
            (r#"{"__type":"NotAuthorized"}"#, None),
            ("<Code>a</Code><Code>SignatureDoesNotMatch</Code>", None),
            ("", None),
        ] {
            assert_eq!(Refusal::of(&answer(400, body)), expected, "{body}");
            assert_eq!(Refusal::of(&answer(500, body)), None, "{body}");
        }
        let mut named = answer(403, "");
        named.headers.insert("x-amzn-errortype", HeaderValue::from_static("InvalidSignatureException"));
        assert_eq!(Refusal::of(&named), Some(Refusal::Signature));
    }

    #[test]
    fn clocks_that_are_far_apart_are_told_before_anything_else() {
        let told = |ahead| Refusal::Signature.error("https://x", "env:K".to_owned(), ahead);
        for (ahead, is_skew) in [(Some(301), true), (Some(-4000), true), (Some(300), false), (None, false)] {
            assert_eq!(matches!(told(ahead), Error::ClockSkew { .. }), is_skew, "{ahead:?}");
        }
    }
}
