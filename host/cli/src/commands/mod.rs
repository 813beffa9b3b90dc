//! One file per noun.

pub(crate) mod plugin;
pub(crate) mod provider;
pub(crate) mod secret;

use serde_json::{Value as Json, json};

/// A time in RFC 3339, from milliseconds since the Unix epoch.
pub(crate) fn time(milliseconds: u64) -> Option<String> {
    let milliseconds = i64::try_from(milliseconds).ok()?;
    forge_core::audit::rfc3339(milliseconds)
}

/// A version as JSON; a backend without versions has none to name.
pub(crate) fn version(version: &forge_core::secret::SecretVersion) -> Json {
    json!({
        "id": Some(&version.id).filter(|id| !id.is_empty()),
        "created_at": version.created_at.and_then(time),
        "expires_at": version.expires_at.and_then(time),
        "state": version.state,
        "labels": version.labels,
        "current": version.current,
    })
}
