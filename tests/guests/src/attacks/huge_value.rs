//! Answers a value of as many MiB as the path says, across the boundary and into the host's memory.

use forge_sdk::Secret;

use crate::Loot;

/// Answers it.
pub(super) fn run(rest: &str) -> Loot {
    let mebibytes: usize = rest.parse().unwrap_or(40);
    Ok(Some(Secret::new(vec![b'x'; mebibytes << 20])))
}
