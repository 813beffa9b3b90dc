//! The content of a version: a value of Key Vault is a text, so other bytes are kept in base64 under a content type that says so.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_sdk::{Error, Value};

/// The longest value, in bytes of UTF-8 ("About Azure Key Vault secrets": 25 kB).
const LONGEST: usize = 25 * 1024;
/// The longest content type, in characters ("About Azure Key Vault secrets").
const LONGEST_TYPE: usize = 255;
/// What bytes that are no text are marked with. Base64 under any other content type, as Key Vault keeps the certificates of
/// others (`application/x-pkcs12`), is the text that it is.
const BYTES: &str = "application/octet-stream;base64";

/// A value as a request has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) value: String,
    pub(crate) content_type: Option<String>,
}

impl Content {
    /// The form for these bytes, of the type that a person gave.
    ///
    /// # Errors
    ///
    /// `too-large` for more than the service keeps, `invalid-request` for a type that can't be, `unsupported` for the type
    /// of bytes that are no text: what marks them stands in its place.
    pub(crate) fn of(value: &[u8], content_type: Option<&str>) -> Result<Self, Error> {
        if content_type.is_some_and(|given| given.len() > LONGEST_TYPE || given.chars().any(char::is_control)) {
            return Err(Error::invalid_request("a content type has at most 255 characters"));
        }
        let (value, content_type) = match std::str::from_utf8(value) {
            Ok(_) if content_type == Some(BYTES) => {
                return Err(Error::unsupported(format!("`content-type` {BYTES} marks bytes that are no text")));
            }
            Ok(text) => (text.to_owned(), content_type.map(str::to_owned)),
            Err(_) if content_type.is_some() => {
                return Err(Error::unsupported(
                    "a write with `content-type` can't be expressed here for bytes that are no text: their own marks them",
                ));
            }
            Err(_) => (STANDARD.encode(value), Some(BYTES.to_owned())),
        };
        if value.len() > LONGEST {
            return Err(Error::too_large("a value has at most 25,600 bytes, and in base64 19,200"));
        }
        Ok(Self { value, content_type })
    }
}

/// The bytes of a stored value, and its type where that is not what marks bytes.
pub(crate) fn read(value: String, content_type: Option<String>) -> (Value, Option<String>) {
    if content_type.as_deref() == Some(BYTES)
        && let Ok(bytes) = STANDARD.decode(&value)
    {
        return (bytes.into(), None);
    }
    // Somebody else may have put the mark on a text, and then the text is what it is.
    (value.into(), content_type)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;

    fn kind(value: &[u8], content_type: Option<&str>) -> Option<ErrorKind> {
        Content::of(value, content_type).err().map(|error| error.kind())
    }

    #[test]
    fn a_text_is_stored_as_it_is_and_other_bytes_in_base64_under_their_mark() {
        let text = Content::of(b"{\"a\":1.10}\n", Some("application/json")).unwrap();
        assert_eq!((text.value.as_str(), text.content_type.as_deref()), ("{\"a\":1.10}\n", Some("application/json")));
        let bytes = Content::of(&[0xff, 0xfe, 0], None).unwrap();
        assert_eq!((bytes.value.as_str(), bytes.content_type.as_deref()), ("//4A", Some(BYTES)));
        let (value, content_type) = read(bytes.value, bytes.content_type);
        assert_eq!((value.as_bytes(), content_type), (&[0xff, 0xfe, 0][..], None));
        assert_eq!(Content::of(b"", None).unwrap().value, "");
    }

    #[test]
    fn base64_of_others_and_a_mark_on_a_text_are_texts() {
        for (value, content_type) in
            [("//4A", Some("application/x-pkcs12")), ("//4A", None), ("no base64!", Some(BYTES))]
        {
            let content_type = content_type.map(str::to_owned);
            let (read, told) = read(value.to_owned(), content_type.clone());
            assert_eq!((read.as_bytes(), told), (value.as_bytes(), content_type));
        }
    }

    #[test]
    fn a_value_that_the_service_would_refuse_is_told_by_its_rule() {
        assert_eq!(kind(&[b'x'; 25_600], None), None);
        assert_eq!(kind(&[b'x'; 25_601], None), Some(ErrorKind::TooLarge));
        assert_eq!(kind(&[0xff; 19_200], None), None);
        assert_eq!(kind(&[0xff; 19_201], None), Some(ErrorKind::TooLarge));
        assert_eq!(kind(b"x", Some(&"t".repeat(256))), Some(ErrorKind::InvalidRequest));
    }

    #[test]
    fn no_type_is_lost_and_no_text_is_marked_as_bytes() {
        assert_eq!(kind(&[0xff], Some("image/png")), Some(ErrorKind::Unsupported));
        assert_eq!(kind(b"x", Some(BYTES)), Some(ErrorKind::Unsupported));
    }
}
