//! Sends as many requests as the path says, one by one or at once, whatever is answered.

use forge_sdk::http;

use crate::{Loot, granted, text};

fn times(rest: &str) -> usize {
    rest.parse().unwrap_or(1_000)
}

/// One after another, and stops at the first that the host refuses.
pub(super) fn one_by_one(rest: &str) -> Loot {
    let url = granted("/v1/secret/data/flood")?;
    for _ in 0..times(rest) {
        http::get(url.as_str()).send()?;
    }
    text(format!("sent {}", times(rest)))
}

/// All in one `send-all`; answers the first refusal, or how many went out.
pub(super) fn at_once(rest: &str) -> Loot {
    let url = granted("/v1/secret/data/flood")?;
    let requests = (0..times(rest)).map(|_| http::get(url.as_str())).collect();
    for answer in http::send_all(requests) {
        answer?;
    }
    text(format!("sent {}", times(rest)))
}
