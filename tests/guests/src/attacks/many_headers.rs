//! Sends a request with as many headers as the path says, each of them one that every guest may send.

use forge_sdk::http;

use crate::{Loot, fetch, granted};

/// Sends it.
pub(super) fn run(rest: &str) -> Loot {
    let count: u32 = rest.parse().unwrap_or(100_000);
    let request = http::get(granted("/v1/secret/data/a")?);
    fetch((0..count).fold(request, |request, _| request.header("accept", "text/plain")))
}
