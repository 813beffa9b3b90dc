//! The content of a version: a text as it is, any other bytes in base64 ("PutSecretValue", `SecretString`, `SecretBinary`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_sdk::{Error, Value};
use serde::Serialize;

/// The longest value, in bytes ("AWS Secrets Manager quotas", secret value size).
const LONGEST: usize = 65_536;

/// A value as a request has it; one of the two is there.
#[derive(Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_string: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_binary: Option<String>,
}

impl<'a> Content<'a> {
    /// The form for these bytes.
    ///
    /// # Errors
    ///
    /// `invalid-request` for none at all, `too-large` for more than the service keeps.
    pub(crate) fn of(value: &'a [u8]) -> Result<Self, Error> {
        if value.is_empty() {
            return Err(Error::invalid_request("an empty value can't be stored: it has at least one byte"));
        }
        if value.len() > LONGEST {
            return Err(Error::too_large("a value has at most 65,536 bytes"));
        }
        Ok(match std::str::from_utf8(value) {
            Ok(text) => Self { secret_string: Some(text), secret_binary: None },
            Err(_) => Self { secret_string: None, secret_binary: Some(STANDARD.encode(value)) },
        })
    }
}

/// The bytes of an answer's value.
///
/// # Errors
///
/// `upstream` where there is none, or one that is no base64.
pub(crate) fn value(text: Option<String>, binary: Option<&str>) -> Result<Value, Error> {
    match (text, binary) {
        (Some(text), _) => Ok(text.into()),
        (None, Some(binary)) => {
            let bytes = STANDARD.decode(binary);
            bytes.map(Value::from).map_err(|_| Error::upstream("the answer has a binary value that is no base64"))
        }
        (None, None) => Err(Error::upstream("the answer has no value")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;

    #[test]
    fn a_text_is_stored_as_it_is_and_other_bytes_in_base64() {
        let stored = |value: &[u8]| serde_json::to_string(&Content::of(value).unwrap()).unwrap();
        assert_eq!(stored(b"{\"a\":1.10}\n"), r#"{"SecretString":"{\"a\":1.10}\n"}"#);
        assert_eq!(stored(&[0xff, 0xfe, 0]), r#"{"SecretBinary":"//4A"}"#);
    }

    #[test]
    fn a_value_that_the_service_would_refuse_is_told_by_its_rule() {
        let kind = |value: &[u8]| Content::of(value).err().map(|error| error.kind());
        assert_eq!(kind(b""), Some(ErrorKind::InvalidRequest));
        assert_eq!(kind(&[b'x'; 65_536]), None);
        assert_eq!(kind(&[b'x'; 65_537]), Some(ErrorKind::TooLarge));
    }

    #[test]
    fn an_answer_without_a_value_is_none_that_can_be_understood() {
        assert_eq!(value(Some("a".to_owned()), None).unwrap().as_bytes(), b"a");
        assert_eq!(value(None, Some("//4A")).unwrap().as_bytes(), [0xff, 0xfe, 0]);
        for binary in [None, Some("no base64!")] {
            assert_eq!(value(None, binary).unwrap_err().kind(), ErrorKind::Upstream);
        }
    }
}
