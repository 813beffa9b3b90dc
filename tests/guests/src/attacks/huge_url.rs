//! Sends a request whose URL, or whose header, is as many KiB long as the path says.

use forge_sdk::http;

use crate::{Loot, fetch, granted};

fn long(rest: &str) -> String {
    "x".repeat(rest.parse::<usize>().unwrap_or(20_480) << 10)
}

/// With the URL.
pub(super) fn run(rest: &str) -> Loot {
    fetch(http::get(granted(&format!("/v1/secret/data/{}", long(rest)))?))
}

/// With a header that every guest may send.
pub(super) fn with_header(rest: &str) -> Loot {
    fetch(http::get(granted("/v1/secret/data/a")?).header("accept", long(rest)))
}
