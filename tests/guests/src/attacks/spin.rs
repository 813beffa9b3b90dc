//! Computes for as many milliseconds as the path says, or for ever, without ever asking the host for anything.

use std::hint::black_box;

use forge_sdk::clock;

use crate::{Loot, text};

/// How many rounds lie between two looks at the clock.
const ROUNDS: u64 = 5_000_000;

/// Spins.
pub(super) fn run(rest: &str) -> Loot {
    let Ok(milliseconds) = rest.parse::<u64>() else { forever() };
    let end = clock::now() + milliseconds;
    while clock::now() < end {
        for round in 0..ROUNDS {
            black_box(round);
        }
    }
    text("spun")
}

fn forever() -> ! {
    let mut round = 0_u64;
    loop {
        round = black_box(round.wrapping_add(1));
    }
}
