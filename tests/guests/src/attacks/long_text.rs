//! Answers a secret whose media type is as many KiB long as the path says.

use forge_sdk::Secret;

use crate::Loot;

/// Answers it.
pub(super) fn run(rest: &str) -> Loot {
    let kibibytes: usize = rest.parse().unwrap_or(1_024);
    Ok(Some(Secret { content_type: Some("x".repeat(kibibytes << 10)), ..Secret::new("typed") }))
}
