//! What plugins of forge are written against: a trait per ability, the macro that exports them, and the host's gifts.
//!
//! placeholder

pub mod ability;
#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod boundary;
pub mod error;
#[cfg(not(target_arch = "wasm32"))]
pub mod fake;
mod host;
pub mod http;
#[cfg(target_arch = "wasm32")]
mod import;
mod plugin;
pub mod secret;
pub mod time;
pub mod url;

pub use ability::{
    KeyProvider, SecretBatch, SecretHistory, SecretMetadata, SecretProvider, SecretRemoval, SecretRotation, SecretWriter,
};
pub use error::{Error, ErrorKind};
pub use host::{clock, environment, files, log, random, settings};
pub use secret::{
    Attributes, Entry, KeyInfo, Page, PutOptions, Secret, SecretVersion, Timestamp, Value, VersionPage, VersionState,
};
