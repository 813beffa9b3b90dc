//! `#FIELD` of a reference: taken out of the value by the host, never by the plugin.

use base64::Engine as _;

use crate::secret::{Secret, Value};

/// Why a field can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The value is no JSON object.
    #[error("the value is not a JSON object, so it has no fields")]
    NotAnObject,
    /// There is no such field, or it is null.
    #[error("there is no such field")]
    Missing,
    /// A value that says it is base64 is not.
    #[error("the value is marked as base64 and is not")]
    NotBase64,
    /// A pointer leads through something that is not there, or that has no fields.
    #[error("the field's parent is not there, or has no fields")]
    NoParent,
    /// Bytes that JSON can't hold.
    #[error("a field holds text, and this value is not UTF-8")]
    NotText,
}

/// The attribute in which a plugin names what a reference without `#FIELD` means.
pub const DEFAULT_FIELD: &str = "default-field";

/// The attribute in which a plugin says how the default field is encoded; `base64` is the one known.
pub const DEFAULT_ENCODING: &str = "default-encoding";

/// The value that a reference means: the field named, the plugin's default field, or the whole.
///
/// A field that is a JSON string is answered without its quotes, any other as JSON.
///
/// # Errors
/// The field is missing, or the value has no fields.
pub fn take(secret: &Secret, field: Option<&str>) -> Result<Value, Error> {
    let attribute = |name: &str| secret.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    match (field, attribute(DEFAULT_FIELD)) {
        (Some(field), _) => of_json(secret.value.expose(), field),
        (None, None) => Ok(secret.value.clone()),
        (None, Some(field)) => {
            let value = of_json(secret.value.expose(), field)?;
            if attribute(DEFAULT_ENCODING) != Some("base64") {
                return Ok(value);
            }
            let bytes = base64::engine::general_purpose::STANDARD.decode(value.expose());
            bytes.map(Value::new).map_err(|_| Error::NotBase64)
        }
    }
}

/// The whole value with one field set to a text: what `set REF#FIELD` writes. `None` is a secret that is not there yet.
///
/// A pointer sets what its parent holds, and makes no parents; `-` as its last part appends to a list (RFC 6901).
///
/// # Errors
/// The value has no fields, the field's parent is not there, or the text is not UTF-8.
pub fn put(whole: Option<&Secret>, field: &str, text: &[u8]) -> Result<Value, Error> {
    let text = std::str::from_utf8(text).map_err(|_| Error::NotText)?;
    let mut document = match whole {
        Some(secret) => serde_json::from_slice(secret.value.expose()).map_err(|_| Error::NotAnObject)?,
        None => serde_json::Value::Object(serde_json::Map::new()),
    };
    let set = set(&mut document, field, text);
    let written = set.and_then(|()| serde_json::to_vec(&document).map(Value::new).map_err(|_| Error::NotAnObject));
    wipe(&mut document);
    written
}

/// The names of the fields that a secret has, without those that are null.
///
/// A name that begins with `/` would be a pointer in a reference, so it is left out.
///
/// # Errors
/// The value has no fields.
pub fn names(secret: &Secret) -> Result<Vec<String>, Error> {
    let mut document = serde_json::from_slice(secret.value.expose()).map_err(|_| Error::NotAnObject)?;
    let names = match &document {
        serde_json::Value::Object(fields) => {
            let named = fields.iter().filter(|(name, value)| !value.is_null() && !name.starts_with('/'));
            Ok(named.map(|(name, _)| name.clone()).collect())
        }
        _ => Err(Error::NotAnObject),
    };
    wipe(&mut document);
    names
}

/// The media type of what [`take`] answers for the whole: that of a map is none of its default field.
pub fn content_type(secret: &Secret) -> Option<String> {
    let is_of_map = secret.attributes.iter().any(|(name, _)| name == DEFAULT_FIELD);
    secret.content_type.clone().filter(|_| !is_of_map)
}

/// Whether a secret is a JSON object of which no field stands for the whole: another value would take the place of them all.
pub fn has_several(secret: &Secret) -> bool {
    let is_natural = secret.attributes.iter().any(|(name, _)| name == DEFAULT_FIELD);
    let Ok(mut document) = serde_json::from_slice::<serde_json::Value>(secret.value.expose()) else { return false };
    let is_object = document.is_object();
    wipe(&mut document);
    is_object && !is_natural
}

fn set(document: &mut serde_json::Value, field: &str, text: &str) -> Result<(), Error> {
    use serde_json::Value as Json;
    let value = Json::String(text.to_owned());
    if !document.is_object() {
        return Err(Error::NotAnObject);
    }
    let (parent, name) = match field.starts_with('/').then(|| field.rsplit_once('/')).flatten() {
        Some((parent, name)) => (document.pointer_mut(parent), name.replace("~1", "/").replace("~0", "~")),
        None => (Some(document), field.to_owned()),
    };
    match parent {
        Some(Json::Object(fields)) => {
            if let Some(Json::String(mut old)) = fields.insert(name, value) {
                zeroize::Zeroize::zeroize(&mut old);
            }
            Ok(())
        }
        Some(Json::Array(list)) if name == "-" => {
            list.push(value);
            Ok(())
        }
        Some(Json::Array(list)) => {
            let place = name.parse().ok().and_then(|at: usize| list.get_mut(at)).ok_or(Error::NoParent)?;
            *place = value;
            Ok(())
        }
        _ => Err(Error::NoParent),
    }
}

/// The fields that were not asked for are secrets too.
fn wipe(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => zeroize::Zeroize::zeroize(text),
        serde_json::Value::Array(list) => list.iter_mut().for_each(wipe),
        serde_json::Value::Object(map) => map.values_mut().for_each(wipe),
        _ => {}
    }
}

fn of_json(json: &[u8], field: &str) -> Result<Value, Error> {
    let mut document: serde_json::Value = serde_json::from_slice(json).map_err(|_| Error::NotAnObject)?;
    let found = if field.starts_with('/') {
        document.pointer_mut(field)
    } else {
        document.as_object_mut().ok_or(Error::NotAnObject)?.get_mut(field)
    };
    let taken = match found.map(serde_json::Value::take) {
        // JSON null is absent, as in configuration files.
        None | Some(serde_json::Value::Null) => Err(Error::Missing),
        Some(serde_json::Value::String(text)) => Ok(Value::new(text.into_bytes())),
        Some(other) => Ok(Value::new(other.to_string().into_bytes())),
    };
    wipe(&mut document);
    taken
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn secret(value: &str, attributes: &[(&str, &str)]) -> Secret {
        let attributes = attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Secret { value: Value::new(value.as_bytes().to_vec()), attributes, ..Secret::default() }
    }

    #[test]
    fn a_field_is_a_name_or_a_pointer() {
        let secret = secret(r#"{"a/b":"x","list":[1,{"c":true}],"none":null}"#, &[]);
        let taken = |field| take(&secret, Some(field)).map(|value| String::from_utf8(value.expose().to_vec()).unwrap());
        assert_eq!(taken("a/b").unwrap(), "x");
        assert_eq!(taken("/a~1b").unwrap(), "x");
        assert_eq!(taken("/list/1").unwrap(), r#"{"c":true}"#);
        assert_eq!(taken("none"), Err(Error::Missing));
        assert_eq!(taken("other"), Err(Error::Missing));
        assert_eq!(take(&self::secret("plain", &[]), Some("a")), Err(Error::NotAnObject));
    }

    #[test]
    fn a_field_is_set_and_all_others_stay_as_they_are() {
        let whole = secret(r#"{"b":1.50,"a":"x","in":{"list":["p"]}}"#, &[]);
        let with = |field| put(Some(&whole), field, b"n\"ew").map(|v| String::from_utf8(v.expose().to_vec()).unwrap());
        assert_eq!(with("a").unwrap(), r#"{"b":1.50,"a":"n\"ew","in":{"list":["p"]}}"#);
        assert_eq!(with("new").unwrap(), r#"{"b":1.50,"a":"x","in":{"list":["p"]},"new":"n\"ew"}"#);
        assert_eq!(with("/in/list/0").unwrap(), r#"{"b":1.50,"a":"x","in":{"list":["n\"ew"]}}"#);
        assert_eq!(with("/in/list/-").unwrap(), r#"{"b":1.50,"a":"x","in":{"list":["p","n\"ew"]}}"#);
        assert_eq!(with("/in/c~1d").unwrap(), r#"{"b":1.50,"a":"x","in":{"list":["p"],"c/d":"n\"ew"}}"#);
        for nowhere in ["/other/a", "/a/b", "/in/list/7"] {
            assert_eq!(with(nowhere), Err(Error::NoParent), "{nowhere}");
        }
        assert_eq!(put(None, "a", b"x").unwrap().expose(), br#"{"a":"x"}"#);
        for without_fields in ["plain", "[1]", "\"text\""] {
            assert_eq!(put(Some(&secret(without_fields, &[])), "a", b"x"), Err(Error::NotAnObject));
        }
        assert_eq!(put(None, "a", &[0xff]), Err(Error::NotText));
    }

    #[test]
    fn without_a_field_the_plugins_default_counts_and_else_the_whole() {
        assert_eq!(take(&secret("plain", &[]), None).unwrap().expose(), b"plain");
        let value = secret(r#"{"value":"x"}"#, &[(DEFAULT_FIELD, "value")]);
        assert_eq!(take(&value, None).unwrap().expose(), b"x");
        let bytes = secret(r#"{"b":"/wA="}"#, &[(DEFAULT_FIELD, "b"), (DEFAULT_ENCODING, "base64")]);
        assert_eq!(take(&bytes, None).unwrap().expose(), [0xff, 0]);
    }
}
