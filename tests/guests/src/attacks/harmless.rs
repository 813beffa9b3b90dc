//! No attack: what every plugin does, so that a test sees the provider still served after one.

use forge_sdk::http;

use crate::{Loot, fetch, granted};

/// Reads from the granted route.
pub(super) fn run(_rest: &str) -> Loot {
    fetch(http::get(granted("/v1/secret/data/harmless")?))
}
