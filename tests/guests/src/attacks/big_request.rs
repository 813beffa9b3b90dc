//! Sends a body of as many MiB as the path says, to fill the host's memory or somebody's disk.

use forge_sdk::{Error, SecretVersion, http};

use crate::granted;

/// Posts zeros.
pub(crate) fn put(size: &str) -> Result<SecretVersion, Error> {
    let mebibytes: usize = size.parse().unwrap_or(100);
    let body = vec![0; mebibytes << 20];
    http::post(granted("/v1/secret/data/big")?).body("application/octet-stream", body).send()?.success()?;
    Ok(SecretVersion::new("1", true))
}
