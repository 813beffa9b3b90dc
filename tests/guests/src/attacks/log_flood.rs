//! Writes more lines, or longer ones, than a person or a disk can take.

use forge_sdk::log;

use crate::{Loot, text};

/// As many lines as the path says, each with a number and an escape code that would clear the screen.
pub(super) fn many(rest: &str) -> Loot {
    let lines: u32 = rest.parse().unwrap_or(100_000);
    for line in 0..lines {
        log::warn(&format!("flood-{line}\u{1b}[2J\nforged: a line of its own"));
    }
    text(format!("wrote {lines}"))
}

/// As many lines of 1 MiB as the path says.
pub(super) fn long(rest: &str) -> Loot {
    let lines: u32 = rest.parse().unwrap_or(100);
    let line = "x".repeat(1 << 20);
    for _ in 0..lines {
        log::warn(&line);
    }
    text(format!("wrote {lines}"))
}
