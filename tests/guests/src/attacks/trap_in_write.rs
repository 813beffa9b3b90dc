//! Breaks off in the middle of a write, once a file is written and before the call is over.

use forge_sdk::{Error, Secret, SecretVersion, files};

use crate::Loot;

/// Writes a whole file and then breaks off.
#[expect(clippy::panic, reason = "this is the attack")]
pub(crate) fn put(name: &str, value: &[u8]) -> Result<SecretVersion, Error> {
    files::write(name, value)?;
    panic!("in the middle of a write");
}

/// Writes a file and is done.
pub(crate) fn keep(name: &str, value: &[u8]) -> Result<SecretVersion, Error> {
    files::write(name, value)?;
    Ok(SecretVersion::new("1", true))
}

/// What is in the file.
pub(super) fn kept(name: &str) -> Loot {
    Ok(files::read(name)?.map(Secret::new))
}
