//! Answers a page whose cursor is as many KiB long as the path says, for the host to keep and to hand back.

use forge_sdk::{Page, VersionPage};

fn next(rest: &str, cursor: Option<&str>) -> Option<String> {
    // The page behind it is the last one.
    cursor.is_none().then(|| "x".repeat(rest.parse::<usize>().unwrap_or(1_024) << 10))
}

/// Of names.
pub(crate) fn listing(rest: &str, cursor: Option<&str>) -> Page {
    Page { entries: Vec::new(), next: next(rest, cursor) }
}

/// Of versions.
pub(crate) fn versions(rest: &str, cursor: Option<&str>) -> VersionPage {
    VersionPage { versions: Vec::new(), next: next(rest, cursor) }
}
