//! How a value becomes the object that a KV mount stores, and what of an object a person means.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_sdk::Attributes;
use serde::Serialize;
use serde_json::value::RawValue;

/// What is stored for a value: an object as it is, other text under `value`, other bytes under `value_base64`.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Stored<'a> {
    Object(&'a RawValue),
    Text { value: &'a str },
    Bytes { value_base64: String },
}

impl<'a> Stored<'a> {
    /// The form for these bytes.
    pub(crate) fn of(value: &'a [u8]) -> Self {
        let Ok(text) = std::str::from_utf8(value) else {
            return Self::Bytes { value_base64: STANDARD.encode(value) };
        };
        match serde_json::from_slice::<&RawValue>(value) {
            Ok(json) if is_object(json) => Self::Object(json),
            _ => Self::Text { value: text },
        }
    }

    /// It is stored as it was given, name by name.
    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

/// Whether this JSON is an object; it is well formed already, so its first character tells.
pub(crate) fn is_object(json: &RawValue) -> bool {
    json.get().starts_with('{')
}

/// What a reference without `#FIELD` means in this object: its only name, where that is one of those that
/// [`Stored`] writes.
pub(crate) fn default_field(object: &RawValue) -> Attributes {
    let Ok(fields) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(object.get().as_bytes()) else {
        return Attributes::new();
    };
    let mut fields = fields.into_iter();
    let (Some((name, value)), None) = (fields.next(), fields.next()) else { return Attributes::new() };
    let Ok(text) = serde_json::from_slice::<String>(value.get().as_bytes()) else { return Attributes::new() };
    let field = ("default-field".to_owned(), name);
    match field.1.as_str() {
        "value" => vec![field],
        // Someone else may have put something else under that name, and then the object is what it is.
        "value_base64" if STANDARD.decode(text).is_ok() => {
            vec![field, ("default-encoding".to_owned(), "base64".to_owned())]
        }
        _ => Attributes::new(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn stored(value: &[u8]) -> String {
        serde_json::to_string(&Stored::of(value)).unwrap()
    }

    fn field(object: &str) -> Attributes {
        default_field(serde_json::from_str(object).unwrap())
    }

    #[test]
    fn an_object_is_stored_as_it_is_with_each_of_its_digits() {
        let object = r#"{"z":12345678901234567890123,"a":1.10,"e":1E400,"s":"\u00e9","n":{"x":[1 , 2]}}"#;
        assert_eq!(stored(object.as_bytes()), object);
        assert_eq!(stored(b" \n{}\n"), "{}");
    }

    #[test]
    fn other_text_is_stored_under_value() {
        for (value, expected) in [
            ("hunter2", r#"{"value":"hunter2"}"#),
            ("", r#"{"value":""}"#),
            ("[1]", r#"{"value":"[1]"}"#),
            ("12", r#"{"value":"12"}"#),
            ("{\"a\":1", r#"{"value":"{\"a\":1"}"#),
            ("{\"a\":1} x", r#"{"value":"{\"a\":1} x"}"#),
        ] {
            assert_eq!(stored(value.as_bytes()), expected);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_stored_under_value_base64() {
        assert_eq!(stored(&[0xff, 0xfe, 0]), r#"{"value_base64":"//4A"}"#);
    }

    #[test]
    fn what_was_stored_is_what_a_reference_without_a_field_means() {
        let name = |name: &str| vec![("default-field".to_owned(), name.to_owned())];
        assert_eq!(field(&stored(b"hunter2")), name("value"));
        let mut expected = name("value_base64");
        expected.push(("default-encoding".into(), "base64".into()));
        assert_eq!(field(&stored(&[0xff])), expected);
    }

    #[test]
    fn any_other_object_has_no_default_field() {
        for object in [
            "{}",
            r#"{"value":1}"#,
            r#"{"value":null}"#,
            r#"{"value":{"a":"b"}}"#,
            r#"{"value":"a","other":"b"}"#,
            r#"{"value":"a","value_base64":"YQ=="}"#,
            r#"{"password":"a"}"#,
            r#"{"value_base64":"not base64!"}"#,
            r#"{"value_base64":7}"#,
        ] {
            assert_eq!(field(object), Attributes::new(), "{object}");
        }
    }
}
