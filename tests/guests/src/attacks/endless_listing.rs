//! Answers a page after a page for ever, each with another name and another cursor.

use forge_sdk::{Entry, Page};

/// The next page of a listing without an end.
pub(crate) fn page(cursor: Option<&str>) -> Page {
    let number: u64 = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    Page { entries: vec![Entry::new(format!("name-{number}"))], next: Some((number + 1).to_string()) }
}
