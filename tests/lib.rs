//! The harness of the tests over the real program: a world of its own for each, servers, and components made to order.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a harness fails by panicking, in the test that used it"
)]

pub mod component;
pub mod library;
pub mod outcome;
pub mod servers;
pub mod terminal;
pub mod transcript;
pub mod world;
