//! Asks the host for the time, over and over: the host's own code runs, and a budget for the guest's does not see it.

use forge_sdk::clock;

use crate::{Loot, text};

/// As many times as the path says, or for ever.
pub(super) fn run(rest: &str) -> Loot {
    let times: u64 = rest.parse().unwrap_or(u64::MAX);
    let latest = (0..times).map(|_| clock::now()).max();
    text(format!("asked until {}", latest.unwrap_or_default()))
}
