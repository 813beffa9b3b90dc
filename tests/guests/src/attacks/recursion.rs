//! Calls itself as deep as the path says, or until the stack is gone.

use std::hint::black_box;

use crate::{Loot, text};

/// Goes down and comes up again.
pub(super) fn run(rest: &str) -> Loot {
    let depth: u64 = rest.parse().unwrap_or(u64::MAX);
    text(format!("went down {}", down(depth)))
}

#[inline(never)]
fn down(depth: u64) -> u64 {
    // Nobody may know what comes back, or a compiler makes a loop of it.
    if depth == 0 { 0 } else { black_box(down(depth - 1)) + 1 }
}
