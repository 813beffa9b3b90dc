//! The real program against real servers, fakes and attackers: one binary, so that one link makes every test.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod attacks;
mod cli;
mod harness;
mod walls;
