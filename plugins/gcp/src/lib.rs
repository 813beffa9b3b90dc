//! Google Secret Manager ("Secret Manager API", REST, v1), global and regional.
//!
//! The token is the host's: no request names an account, and the project is the one of the grant.

mod call;
mod crc32c;
mod history;
mod listing;
mod name;
mod read;
mod removal;
mod tags;
mod write;

use forge_sdk::{
    Attributes, Entry, Error, Page, PutOptions, Secret, SecretHistory, SecretMetadata, SecretProvider, SecretRemoval,
    SecretVersion, SecretWriter, VersionPage, VersionState, secret,
};

/// The plugin: the secrets of one project, all global ones or those of one location.
#[derive(Debug)]
pub struct Gcp;

forge_sdk::plugin! {
    manifest: "../plugin.toml",
    type: Gcp,
    abilities: [provider, metadata, writer, removal, history],
}

impl SecretProvider for Gcp {
    fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
        read::secret(path, version)
    }

    fn check() -> Result<Attributes, Error> {
        listing::check()?;
        Ok(Attributes::new())
    }
}

impl SecretMetadata for Gcp {
    fn describe(path: &str) -> Result<Option<Entry>, Error> {
        listing::entry(path)
    }

    fn list(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        listing::page(prefix, cursor, limit)
    }
}

impl SecretWriter for Gcp {
    fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
        write::put(path, value, options)
    }
}

impl SecretRemoval for Gcp {
    fn delete(path: &str, options: &Attributes) -> Result<bool, Error> {
        secret::no_attributes(options)?;
        removal::delete(path)
    }

    fn recover(_: &str) -> Result<(), Error> {
        Err(Error::unsupported("a deleted secret is gone with all its versions"))
    }

    fn purge(path: &str) -> Result<bool, Error> {
        removal::delete(path)
    }
}

impl SecretHistory for Gcp {
    fn versions(path: &str, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Error> {
        history::versions(path, cursor, limit)
    }

    fn restore(path: &str, version: &str) -> Result<SecretVersion, Error> {
        history::restore(path, version)
    }

    fn set_state(path: &str, version: &str, state: VersionState) -> Result<(), Error> {
        history::set_state(path, version, state)
    }
}
