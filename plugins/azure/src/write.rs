//! Writing a value: a new version of a secret, which the service makes where there is none ("SetSecret").
//!
//! Content type, tags and times belong to the version, so each write says them anew.

use std::collections::BTreeMap;

use forge_sdk::{Error, PutOptions, SecretVersion};
use serde::Serialize;

use crate::bundle::{Bundle, Times, seconds};
use crate::call;
use crate::content::Content;
use crate::name;

/// The most tags of a version, and the longest name or value of one, in characters ("About Azure Key Vault secrets").
const TAGS: (usize, usize) = (15, 512);
/// The option that no word of the contract has: when a version begins to be valid, in milliseconds since 1970.
const NOT_BEFORE: &str = "not-before-at";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Set {
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Times::is_unset")]
    attributes: Times,
}

/// Writes the value.
///
/// # Errors
///
/// `invalid-request` for a path, a tag or a time that can't be, `too-large` for a value over the service's limit,
/// `unsupported` for an option that the service can't express, `wrong-state` where a deleted secret has the name, and what
/// the service said.
pub(crate) fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
    options.only(&["content-type", "tags", "expires-at", NOT_BEFORE])?;
    let name = name::secret(path)?;
    let Content { value, content_type } = Content::of(value, options.content_type.as_deref())?;
    let exp = options.expires_at.map(seconds).transpose()?;
    let attributes = Times { exp, nbf: not_before(options)?, ..Times::default() };
    set(name, &Set { value, content_type, tags: tags(options)?, attributes })
}

/// Writes what an old version holds anew, just as it is.
///
/// # Errors
///
/// What the service said.
pub(crate) fn again(name: &str, old: Bundle) -> Result<SecretVersion, Error> {
    let value = old.value.ok_or_else(|| Error::upstream("the answer has no value"))?;
    let body =
        Set { value, content_type: old.content_type, tags: old.tags.unwrap_or_default(), attributes: old.attributes };
    set(name, &body)
}

fn set(name: &str, body: &Set) -> Result<SecretVersion, Error> {
    let written: Bundle = call::send("PUT", &format!("secrets/{name}"), body)?.json("the version that was written")?;
    written.version(true)
}

/// When the version begins to be valid, in the service's seconds.
fn not_before(options: &PutOptions) -> Result<Option<i64>, Error> {
    let time = |text: &str| {
        let time = text.parse().map_err(|_| Error::invalid_request(format!("`{NOT_BEFORE}` is in milliseconds")))?;
        seconds(time)
    };
    options.attribute(NOT_BEFORE).map(time).transpose()
}

fn tags(options: &PutOptions) -> Result<BTreeMap<String, String>, Error> {
    let tags: BTreeMap<String, String> = options.tags.iter().cloned().collect();
    if tags.len() > TAGS.0 || tags.len() != options.tags.len() {
        return Err(Error::invalid_request("a version has at most 15 tags, each of a name of its own"));
    }
    let fits = |text: &String| text.chars().count() <= TAGS.1;
    if !tags.iter().all(|(name, value)| !name.is_empty() && fits(name) && fits(value)) {
        return Err(Error::invalid_request("a tag has a name of 1 to 512 characters and a value of at most 512"));
    }
    Ok(tags)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::call::tests::{answering, asked};

    const WRITTEN: &str = r#"{"value":"x","id":"https://v.example/secrets/a/4387e9f3d6e14c459867679a90fd0f79"}"#;

    fn sent() -> Json {
        serde_json::from_str(&asked()[0].1).unwrap()
    }

    #[test]
    fn a_write_says_all_that_belongs_to_the_version() {
        answering(&[("PUT", "secrets/a", 200, WRITTEN)]);
        let options = PutOptions {
            content_type: Some("text/plain".to_owned()),
            tags: vec![("team".to_owned(), "web".to_owned())],
            expires_at: Some(2_000_999),
            attributes: vec![("not-before-at".to_owned(), "1000000".to_owned())],
            ..PutOptions::default()
        };
        let version = put("a", b"x", &options).unwrap();
        assert_eq!((version.id.as_str(), version.current), ("4387e9f3d6e14c459867679a90fd0f79", true));
        let expected = json!({ "value": "x", "contentType": "text/plain", "tags": { "team": "web" },
            "attributes": { "exp": 2000, "nbf": 1000 } });
        assert_eq!(sent(), expected);
        answering(&[("PUT", "secrets/a", 200, WRITTEN)]);
        put("a", b"x", &PutOptions::default()).unwrap();
        assert_eq!(sent(), json!({ "value": "x" }));
    }

    #[test]
    fn a_deleted_secret_is_not_written_over() {
        let deleted = r#"{"error":{"code":"Conflict","innererror":{"code":"ObjectIsDeletedButRecoverable"}}}"#;
        answering(&[("PUT", "secrets/a", 409, deleted)]);
        let error = put("a", b"x", &PutOptions::default()).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::WrongState, Some(call::DELETED)));
        assert_eq!(asked().len(), 1);
    }

    #[test]
    fn what_the_service_would_refuse_or_lose_is_told_before_anything_is_sent() {
        answering(&[]);
        let refused = |path: &str, value: &[u8], options: PutOptions| put(path, value, &options).unwrap_err().kind();
        let tags = |tags: Vec<(String, String)>| PutOptions { tags, ..PutOptions::default() };
        let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(refused("a_b", b"x", PutOptions::default()), ErrorKind::InvalidRequest);
        assert_eq!(refused("a", &[b'x'; 25_601], PutOptions::default()), ErrorKind::TooLarge);
        for wrong in [
            vec![tag("", "x")],
            vec![tag("a", "1"), tag("a", "2")],
            vec![tag(&"n".repeat(513), "x")],
            vec![tag("a", &"v".repeat(513))],
            (0..16).map(|number| tag(&number.to_string(), "")).collect(),
        ] {
            assert_eq!(refused("a", b"x", tags(wrong)), ErrorKind::InvalidRequest);
        }
        let expected = PutOptions { expected_version: Some(String::new()), ..PutOptions::default() };
        assert_eq!(refused("a", b"x", expected), ErrorKind::Unsupported);
        let option = |name: &str| PutOptions { attributes: vec![tag(name, "soon")], ..PutOptions::default() };
        assert_eq!(refused("a", b"x", option("new")), ErrorKind::Unsupported);
        assert_eq!(refused("a", b"x", option("not-before-at")), ErrorKind::InvalidRequest);
        assert_eq!(asked(), []);
    }
}
