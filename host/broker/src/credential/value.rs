//! The value of a header that holds a secret.

use http::HeaderValue;
use zeroize::Zeroizing;

/// `text` behind a prefix such as `Bearer `, marked so that no log prints it; `None` for what can't stand in a header.
pub(super) fn sensitive(prefix: &str, text: &str) -> Option<HeaderValue> {
    let whole = Zeroizing::new([prefix, text].concat());
    let mut value = HeaderValue::from_str(&whole).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn no_log_prints_such_a_value_and_none_brings_a_header_of_its_own() {
        let value = sensitive("Bearer ", "s.canary").unwrap();
        assert_eq!(value.as_bytes(), b"Bearer s.canary");
        assert!(!format!("{value:?}").contains("canary"));
        for text in ["a\r\nx-admin: 1", "a\n", "a\0", "a\u{7f}"] {
            assert!(sensitive("", text).is_none(), "{text:?}");
        }
    }
}
