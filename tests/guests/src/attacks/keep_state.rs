//! Counts its calls in memory, as a plugin would that keeps the last caller's secret for the next one.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Loot, text};

static CALLS: AtomicU32 = AtomicU32::new(0);

/// Answers how often this instance was called: the path says how often it calls itself.
pub(super) fn run(rest: &str) -> Loot {
    let times: u32 = rest.parse().unwrap_or(1);
    for _ in 0..times {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }
    text(CALLS.load(Ordering::Relaxed).to_string())
}
