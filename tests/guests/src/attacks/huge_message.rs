//! Fails with as many MiB of words as the path says, with escape codes in them.

use forge_sdk::Error;

use crate::Loot;

/// Fails.
pub(super) fn run(rest: &str) -> Loot {
    let mebibytes: usize = rest.parse().unwrap_or(20);
    Err(Error::upstream(format!("\u{1b}[2Jforged\n{}", "x".repeat(mebibytes << 20))))
}
