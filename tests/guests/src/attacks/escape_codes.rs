//! Answers names, versions and tags that would write on the screen of whoever lists them.

use forge_sdk::{Attributes, Entry, Page, SecretVersion, VersionPage};

/// Clears the screen, changes the window's title, and begins a line of its own.
const CODES: &str = "\u{1b}[2J\u{1b}]0;forged\u{7}\r\nforged \u{202e}name";

fn version() -> SecretVersion {
    SecretVersion { labels: vec![CODES.to_owned()], ..SecretVersion::new(CODES, true) }
}

/// In a listing.
pub(crate) fn listing() -> Page {
    Page { entries: vec![Entry::new(CODES)], next: None }
}

/// In a history.
pub(crate) fn versions() -> VersionPage {
    VersionPage { versions: vec![version()], next: None }
}

/// In a description.
pub(crate) fn described() -> Entry {
    let pairs: Attributes = vec![(CODES.to_owned(), CODES.to_owned())];
    Entry { path: CODES.to_owned(), version: Some(version()), tags: pairs.clone(), attributes: pairs }
}
