//! A secret: its value, and what is known about it.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Name and value pairs; names may repeat and their order is kept.
pub type Attributes = Vec<(String, String)>;

/// The bytes of a secret: wiped when dropped, and never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Value(Zeroizing<Vec<u8>>);

impl Value {
    /// Takes the bytes over; the caller's buffer becomes the one that is wiped.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value(redacted)")
    }
}

/// In which state a version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionState {
    /// It can be read.
    Enabled,
    /// It can't be read until it is enabled again.
    Disabled,
    /// It can be recovered.
    Deleted,
    /// Its value is gone for good.
    Destroyed,
}

/// One version of a secret, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretVersion {
    /// The backend's own name of the version.
    pub id: String,
    /// Milliseconds since the Unix epoch, UTC.
    pub created_at: Option<u64>,
    /// Milliseconds since the Unix epoch, UTC.
    pub expires_at: Option<u64>,
    /// Whether it can be read.
    pub state: VersionState,
    /// The backend's labels, such as `AWSCURRENT`.
    pub labels: Vec<String>,
    /// Whether a read without a version returns this one.
    pub current: bool,
    /// Whatever else the plugin says.
    pub attributes: Attributes,
}

/// A secret as a provider answers it.
#[derive(Clone, Debug, Default)]
pub struct Secret {
    /// The bytes.
    pub value: Value,
    /// A media type, where the backend keeps one.
    pub content_type: Option<String>,
    /// Which version this is, where the backend has versions.
    pub version: Option<SecretVersion>,
    /// The backend's tags or labels.
    pub tags: Attributes,
    /// What the plugin says to the host, such as `default-field`.
    pub attributes: Attributes,
}

/// A secret as a listing shows it: everything but the value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The path within the provider.
    pub path: String,
    /// The current version, where the listing tells it.
    pub version: Option<SecretVersion>,
    /// The backend's tags or labels.
    pub tags: Attributes,
    /// Whatever else the plugin says.
    pub attributes: Attributes,
}

/// The attribute `tags = unlisted` of an entry: the backend tells its tags to who describes it, and to no listing.
pub const UNLISTED_TAGS: (&str, &str) = ("tags", "unlisted");

impl Entry {
    /// Whether it may have tags that this listing does not tell.
    pub fn has_unlisted_tags(&self) -> bool {
        let (name, value) = UNLISTED_TAGS;
        self.attributes.iter().any(|(known, said)| known == name && said == value)
    }
}

/// One page of a listing.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The entries, in the backend's order.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// One page of a secret's versions.
#[derive(Clone, Debug, Default)]
pub struct VersionPage {
    /// The versions, newest first.
    pub versions: Vec<SecretVersion>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// How a secret is to be written.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// A media type, for backends that keep one.
    pub content_type: Option<String>,
    /// Tags to set.
    pub tags: Attributes,
    /// Milliseconds since the Unix epoch, UTC.
    pub expires_at: Option<u64>,
    /// Fail with a conflict unless this is the current version; an empty string means that there is none yet.
    pub expected_version: Option<String>,
    /// Whatever else the plugin understands.
    pub attributes: Attributes,
}
