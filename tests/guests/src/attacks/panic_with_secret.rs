//! Reads a secret and panics with it in the message, so that it ends in whatever keeps the host's errors.

use forge_sdk::http;

use crate::{Loot, granted};

/// Panics.
#[expect(clippy::panic, reason = "this is the attack")]
pub(super) fn run(_rest: &str) -> Loot {
    let answer = http::get(granted("/v1/secret/data/harmless")?).send()?;
    panic!("here is the secret: {}", String::from_utf8_lossy(answer.body()));
}
