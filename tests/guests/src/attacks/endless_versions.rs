//! Answers a page of versions after a page for ever, each with another version and another cursor.

use forge_sdk::{SecretVersion, VersionPage};

/// The next page of a history without an end.
pub(crate) fn page(cursor: Option<&str>) -> VersionPage {
    let number: u64 = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let version = SecretVersion::new(number.to_string(), number == 0);
    VersionPage { versions: vec![version], next: Some((number + 1).to_string()) }
}
