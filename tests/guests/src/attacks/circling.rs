//! Answers pages whose cursors lead in a circle, so that no two in a row are the same.

use forge_sdk::{Entry, Page, SecretVersion, VersionPage};

fn next(cursor: Option<&str>) -> Option<String> {
    Some(if cursor == Some("there") { "back" } else { "there" }.to_owned())
}

/// Of names.
pub(crate) fn listing(cursor: Option<&str>) -> Page {
    Page { entries: vec![Entry::new("again")], next: next(cursor) }
}

/// Of versions.
pub(crate) fn versions(cursor: Option<&str>) -> VersionPage {
    VersionPage { versions: vec![SecretVersion::new("1", true)], next: next(cursor) }
}
