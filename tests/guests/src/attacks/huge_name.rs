//! Asks the host for a setting whose name is as many MiB long as the path says.

use forge_sdk::settings;

use crate::{Loot, text};

/// Asks for it.
pub(super) fn run(rest: &str) -> Loot {
    let mebibytes: usize = rest.parse().unwrap_or(40);
    let found = settings::get(&"x".repeat(mebibytes << 20)).is_some();
    text(format!("found: {found}"))
}
