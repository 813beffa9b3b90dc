//! AWS Secrets Manager (AWS Secrets Manager API Reference, version 2017-10-17).
//!
//! The signature is the host's: no request names a key, and the account and the partition are those of the grant.

mod call;
mod compare;
mod content;
mod describe;
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

/// The plugin: the secrets of one account in one region.
#[derive(Debug)]
pub struct Aws;

forge_sdk::plugin! {
    manifest: "../plugin.toml",
    type: Aws,
    abilities: [provider, metadata, writer, removal, history],
}

impl SecretProvider for Aws {
    fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
        read::secret(path, version)
    }

    fn check() -> Result<Attributes, Error> {
        listing::check()?;
        Ok(Attributes::new())
    }
}

impl SecretMetadata for Aws {
    fn describe(path: &str) -> Result<Option<Entry>, Error> {
        describe::entry(path)
    }

    fn list(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        listing::page(prefix, cursor, limit)
    }
}

impl SecretWriter for Aws {
    fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
        write::put(path, value, options)
    }
}

impl SecretRemoval for Aws {
    fn delete(path: &str, options: &Attributes) -> Result<bool, Error> {
        secret::no_attributes(options)?;
        removal::delete(path)
    }

    fn recover(path: &str) -> Result<(), Error> {
        removal::recover(path)
    }

    fn purge(path: &str) -> Result<bool, Error> {
        removal::purge(path)
    }
}

impl SecretHistory for Aws {
    fn versions(path: &str, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Error> {
        history::versions(path, cursor, limit)
    }

    fn restore(path: &str, version: &str) -> Result<SecretVersion, Error> {
        history::restore(path, version)
    }

    fn set_state(_: &str, _: &str, _: VersionState) -> Result<(), Error> {
        Err(Error::unsupported("a version has no state of its own: a secret is deleted and recovered as a whole"))
    }
}
