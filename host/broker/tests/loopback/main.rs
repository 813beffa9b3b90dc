//! The broker against servers on this machine that do what a hostile or a broken server does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod answers;
mod basic;
mod budget;
mod causes;
mod google;
mod kept;
mod limits;
mod login;
mod network;
mod oauth;
mod one_use;
mod reflection;
mod retries;
mod server;
mod sessions;
mod setup;
mod signatures;
mod tls;
mod tokens;
