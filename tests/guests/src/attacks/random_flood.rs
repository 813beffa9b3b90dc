//! Asks for as many random bytes as the path says in one call, so that the host allocates them.

use forge_sdk::random;

use crate::{Loot, text};

/// Takes them.
pub(super) fn run(rest: &str) -> Loot {
    let bytes = random::bytes(rest.parse().unwrap_or(u32::MAX));
    text(format!("got {}", bytes.len()))
}
