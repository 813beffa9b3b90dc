//! Secrets, their versions and what is said about them, as plugins see them.

use std::collections::BTreeSet;
use std::fmt;

/// Milliseconds since the Unix epoch, UTC.
pub type Timestamp = u64;

/// Name and value pairs, in the order in which they were given; where a record of the contract grows.
pub type Attributes = Vec<(String, String)>;

/// The bytes of a secret. `Debug` shows how many there are and never what they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Value(Vec<u8>);

impl Value {
    /// The bytes, to be sent or measured, never to be printed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes themselves.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Value({} bytes, hidden)", self.0.len())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

/// A secret that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secret {
    /// The value, whole; the host takes a field out of it.
    pub value: Value,
    /// The media type of the value, where the backend knows it.
    pub content_type: Option<String>,
    /// Which version this is, where the backend has versions.
    pub version: Option<SecretVersion>,
    /// What people attached to the secret.
    pub tags: Attributes,
    /// `default-field` names what a reference without `#FIELD` means in a value that is a map,
    /// `default-encoding` how that field is written (`base64`).
    pub attributes: Attributes,
}

impl Secret {
    /// A secret of which only the value is known.
    #[must_use]
    pub fn new(value: impl Into<Value>) -> Self {
        Self { value: value.into(), ..Self::default() }
    }
}

/// What a version of a secret can be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum VersionState {
    /// It can be read.
    #[default]
    Enabled,
    /// It is kept, and can't be read until someone enables it.
    Disabled,
    /// It was deleted, and can be recovered.
    Deleted,
    /// Its value is gone for good.
    Destroyed,
}

/// One version of a secret, without its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretVersion {
    /// The backend's own name of the version.
    pub id: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it stops being readable.
    pub expires_at: Option<Timestamp>,
    /// Whether it can be read.
    pub state: VersionState,
    /// The backend's labels, such as `AWSCURRENT`.
    pub labels: Vec<String>,
    /// A read without a version returns this one.
    pub current: bool,
    /// Anything else the backend says about it.
    pub attributes: Attributes,
}

impl SecretVersion {
    /// A readable version of this name, which is the current one or not.
    #[must_use]
    pub fn new(id: impl Into<String>, current: bool) -> Self {
        Self { id: id.into(), current, ..Self::default() }
    }
}

/// A secret in a listing, without its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The whole path, as `get` takes it.
    pub path: String,
    /// The current version, where the listing tells.
    pub version: Option<SecretVersion>,
    /// What people attached to the secret.
    pub tags: Attributes,
    /// Anything else the backend says about it.
    pub attributes: Attributes,
}

impl Entry {
    /// An entry of which only the path is known.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }
}

/// One page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// At most as many as were asked for; there may be none although `next` is set.
    pub entries: Vec<Entry>,
    /// The cursor of the next page; `None` ends the listing.
    pub next: Option<String>,
}

/// One page of the versions of a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionPage {
    /// At most as many as were asked for.
    pub versions: Vec<SecretVersion>,
    /// The cursor of the next page; `None` ends the listing.
    pub next: Option<String>,
}

/// How a secret is to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// The media type of the value.
    pub content_type: Option<String>,
    /// What to attach to the secret.
    pub tags: Attributes,
    /// When it is to stop being readable.
    pub expires_at: Option<Timestamp>,
    /// Compare-and-set: write only if this is the current version; `Some("")` means there is none yet.
    pub expected_version: Option<String>,
    /// What only this backend keeps, by the names of the plugin's guide; refuse by name what you don't know.
    pub attributes: Attributes,
}

impl PutOptions {
    /// Refuses by name every option that the backend can't express, so that none is lost silently.
    ///
    /// `known` lists what the plugin does honour: `content-type`, `tags`, `expires-at`, `expected-version`, and the names of
    /// attributes of its own.
    ///
    /// # Errors
    ///
    /// `unsupported`, naming the first option that was given and is not in `known`, and `invalid-request` for an attribute
    /// that was given twice.
    pub fn only(&self, known: &[&str]) -> Result<(), crate::Error> {
        let given = [
            ("content-type", self.content_type.is_some()),
            ("tags", !self.tags.is_empty()),
            ("expires-at", self.expires_at.is_some()),
            ("expected-version", self.expected_version.is_some()),
        ];
        for (name, given) in given {
            if given && !known.contains(&name) {
                return Err(crate::Error::unsupported(format!("a write with `{name}` can't be expressed here")));
            }
        }
        let mut names = BTreeSet::new();
        for (name, _) in &self.attributes {
            // What has a field of its own is no attribute.
            if given.iter().any(|(word, _)| word == name) || !known.contains(&name.as_str()) {
                return Err(unknown(name));
            }
            if !names.insert(name) {
                return Err(crate::Error::invalid_request(format!("`{name}` is given twice")));
            }
        }
        Ok(())
    }

    /// An attribute of the plugin's own, which [`PutOptions::only`] let pass.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Refuses options of a call that a plugin doesn't know, by the name of the first.
///
/// # Errors
///
/// `unsupported`, where there is any.
pub fn no_attributes(attributes: &Attributes) -> Result<(), crate::Error> {
    attributes.first().map_or(Ok(()), |(name, _)| Err(unknown(name)))
}

fn unknown(name: &str) -> crate::Error {
    crate::Error::unsupported(format!("the option `{name}` isn't known here"))
}

/// A wrapping key, without its material.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyInfo {
    /// The backend's name of the key.
    pub id: String,
    /// Its current version, where the backend has versions.
    pub version: Option<String>,
    /// The backend's name of its algorithm.
    pub algorithm: String,
    /// It can be used.
    pub enabled: bool,
    /// Anything else the backend says about it.
    pub attributes: Attributes,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn debug_of_a_secret_hides_its_value() {
        let shown = format!("{:?}", Secret::new("hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("104"), "the bytes as numbers are the value too: {shown}");
        assert!(shown.contains("7 bytes"), "{shown}");
    }

    #[test]
    fn an_option_that_can_not_be_expressed_is_refused_by_its_name() {
        let options = PutOptions { expires_at: Some(1), ..PutOptions::default() };
        let error = options.only(&["tags"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("`expires-at`"));
        assert!(options.only(&["expires-at"]).is_ok());
    }

    #[test]
    fn an_unknown_attribute_is_refused_by_its_name() {
        let options = PutOptions { attributes: vec![("replicate".into(), "yes".into())], ..PutOptions::default() };
        assert!(options.only(&[]).unwrap_err().message().contains("`replicate`"));
        assert!(options.only(&["tags", "replicate"]).is_ok());
        assert_eq!((options.attribute("replicate"), options.attribute("other")), (Some("yes"), None));
        // Neither a second one, of which one would be lost, nor one that is said by a field.
        let pair = |name: &str| (name.to_owned(), "yes".to_owned());
        let options = PutOptions { attributes: vec![pair("replicate"), pair("replicate")], ..PutOptions::default() };
        assert_eq!(options.only(&["replicate"]).unwrap_err().kind(), ErrorKind::InvalidRequest);
        let options = PutOptions { attributes: vec![pair("tags")], ..PutOptions::default() };
        assert_eq!(options.only(&["tags"]).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
