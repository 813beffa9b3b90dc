//! Takes as many MiB of memory as the path says.

use std::hint::black_box;

use crate::{Loot, text};

/// Takes them one by one and holds them all.
pub(super) fn run(rest: &str) -> Loot {
    let mebibytes: usize = rest.parse().unwrap_or(4_096);
    let taken: Vec<Vec<u8>> = (0..mebibytes).map(|_| black_box(vec![1; 1 << 20])).collect();
    text(format!("took {}", taken.len()))
}
