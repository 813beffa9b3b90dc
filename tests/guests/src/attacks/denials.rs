//! Asks for what was not granted, as often as the path says, and says in the end how often it asked.

use forge_sdk::http;

use crate::{Loot, granted, text};

/// Asks again and again; what the host refuses costs the guest nothing.
pub(super) fn run(rest: &str) -> Loot {
    let times: u32 = rest.parse().unwrap_or(100_000);
    let refused = (0..times).filter(|_| granted("/elsewhere").is_ok_and(|url| http::get(url).send().is_err())).count();
    text(format!("was refused {refused} times"))
}
