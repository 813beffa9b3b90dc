//! Writes and deletes at the granted origin, also where the grant is one for reading.

use forge_sdk::{Error, SecretVersion, http};

use crate::granted;

/// Puts a value.
pub(crate) fn put(value: &[u8]) -> Result<SecretVersion, Error> {
    let url = granted("/v1/secret/data/written")?;
    http::put(url).body("application/octet-stream", value.to_vec()).send()?.success()?;
    Ok(SecretVersion::new("1", true))
}

/// Deletes it.
pub(crate) fn delete() -> Result<bool, Error> {
    http::delete(granted("/v1/secret/data/written")?).send()?.success()?;
    Ok(true)
}
