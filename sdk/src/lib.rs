//! What plugins of forge are written against: a trait per ability, the macro that exports them, and the host's gifts.
//!
//! A whole plugin, for a service that answers `GET /notes/NAME` with `{"text": "…"}`:
//!
//! ```
//! use forge_sdk::{Attributes, Error, Secret, SecretProvider, http, settings, url};
//!
//! struct Notes;
//!
//! forge_sdk::plugin! { manifest: "../examples/notes.toml", type: Notes, abilities: [provider] }
//!
//! #[derive(serde::Deserialize)]
//! struct Note {
//!     text: String,
//! }
//!
//! impl SecretProvider for Notes {
//!     fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
//!         if version.is_some() {
//!             return Err(Error::unsupported("a note has no versions"));
//!         }
//!         let address = settings::required("address")?;
//!         let response = http::get(format!("{address}/notes/{}", url::path(path)?)).send()?;
//!         if response.status() == 404 {
//!             return Ok(None);
//!         }
//!         let note: Note = response.success()?.json("a note")?;
//!         Ok(Some(Secret::new(note.text)))
//!     }
//!
//!     fn check() -> Result<Attributes, Error> {
//!         http::get(format!("{}/notes", settings::required("address")?)).send()?.success()?;
//!         Ok(Attributes::new())
//!     }
//! }
//!
//! // The logic is tested as it is, against a host that answers what the test prepared.
//! use forge_sdk::fake;
//!
//! fake::Host::new()
//!     .setting("address", "https://notes.example")
//!     .answer("GET", "https://notes.example/notes/wifi%20home", 200, r#"{"text":"hunter2"}"#)
//!     .answer("GET", "https://notes.example/notes/none", 404, "")
//!     .install();
//! let secret = Notes::get("wifi home", None).unwrap().unwrap();
//! assert_eq!(secret.value.as_bytes(), b"hunter2");
//! assert_eq!(Notes::get("none", None).unwrap(), None);
//! assert_eq!(fake::requests().len(), 2);
//! ```
//!
//! with the manifest `plugin.toml` beside its `Cargo.toml`, which asks for exactly the requests that the code makes:
//!
//! ```toml
#![doc = include_str!("../examples/notes.toml")]
//! ```
//!
//! Built for `wasm32-unknown-unknown` with `wasm-component-ld` as the linker, this is a component whose only imports
//! are the ones it uses.
//! The plugin never sees a credential: the host adds the one that the user granted to the requests that match a route.
//! It is given a fresh memory for each call, so nothing that it keeps is there the next time.
//!
//! - [`ability`]: the traits, one per ability; [`plugin!`] names those that a plugin has.
//! - [`http`] and [`url`]: requests with JSON, and the one spelling of a URL that the host accepts.
//! - [`settings`], [`log`], [`clock`], [`random`], [`files`], [`environment`]: what else the host lends.
//! - [`secret`] and [`error`]: the words of the contract, with values that `Debug` doesn't show.
//! - [`time`]: times as services write them.
//! - `fake`: the host of tests, on native targets.

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
    KeyProvider, SecretBatch, SecretHistory, SecretMetadata, SecretProvider, SecretRemoval, SecretRotation,
    SecretWriter,
};
pub use error::{Code, Error, ErrorKind};
pub use host::{clock, environment, files, log, random, settings};
pub use secret::{
    Attributes, Entry, KeyInfo, Page, PutOptions, Secret, SecretVersion, Timestamp, Value, VersionPage, VersionState,
};
