//! One file per noun.

pub(crate) mod allow;
pub(crate) mod audit;
pub(crate) mod cache;
pub(crate) mod check;
pub(crate) mod completion;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod inject;
pub(crate) mod out;
pub(crate) mod plugin;
pub(crate) mod policy;
pub(crate) mod provider;
pub(crate) mod redact;
pub(crate) mod run;
pub(crate) mod secret;
pub(crate) mod variables;
pub(crate) mod written;

use forge_core::time::rfc3339;
use serde_json::{Value as Json, json};

/// A version as JSON; a backend without versions has none to name.
pub(crate) fn version(version: &forge_core::secret::SecretVersion) -> Json {
    json!({
        "id": Some(&version.id).filter(|id| !id.is_empty()),
        "created_at": version.created_at.and_then(rfc3339),
        "expires_at": version.expires_at.and_then(rfc3339),
        "state": version.state,
        "labels": version.labels,
        "current": version.current,
    })
}
