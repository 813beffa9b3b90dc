//! Errors of Google's APIs that say of a request that it was not looked at ("Google Cloud APIs, Errors").

use serde::Deserialize;

use crate::client::Answer;

/// The longest error that is read, in bytes; Google's own has some hundred.
const LONGEST: usize = 64 * 1024;

#[derive(Deserialize)]
struct Refused {
    error: Status,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

/// Whether an answer says that a quota is used up; nothing was done then, so that a write may be sent again.
///
/// A 429 without Google's own word may be that of whoever stands in between and passed the request on already.
pub(super) fn is_throttled(answer: &Answer) -> bool {
    answer.status == 429
        && answer.body.len() <= LONGEST
        && serde_json::from_slice::<Refused>(&answer.body)
            .is_ok_and(|refused| refused.error.status == "RESOURCE_EXHAUSTED")
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn only_googles_own_word_with_its_status_says_that_nothing_was_done() {
        let is_throttled = |status, body: &str| {
            let body = Zeroizing::new(body.as_bytes().to_vec());
            is_throttled(&Answer { status, headers: HeaderMap::new(), body })
        };
        let own = r#"{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}"#;
        assert!(is_throttled(429, own));
        for (status, body) in [
            (200, own),
            (403, own),
            (503, own),
            (429, ""),
            (429, "RESOURCE_EXHAUSTED"),
            (429, r#"{"error":{"status":"UNAVAILABLE"}}"#),
            (429, r#"{"error":{"message":"RESOURCE_EXHAUSTED"}}"#),
            (429, &format!("{own}{}", " ".repeat(LONGEST))),
        ] {
            assert!(!is_throttled(status, body), "{status}");
        }
    }
}
