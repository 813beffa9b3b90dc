//! Azure Key Vault's secrets ("Azure Key Vault REST API reference", api-version 7.4).
//!
//! The token is the host's: no request names one, and the vault is that of the grant.

mod bundle;
mod call;
mod content;
mod history;
mod listing;
mod name;
mod read;
mod removal;
mod write;

use forge_sdk::{
    Attributes, Entry, Error, Page, PutOptions, Secret, SecretHistory, SecretMetadata, SecretProvider, SecretRemoval,
    SecretVersion, SecretWriter, VersionPage, VersionState, secret,
};

/// The plugin: the secrets of one vault.
#[derive(Debug)]
pub struct Azure;

forge_sdk::plugin! {
    manifest: "../plugin.toml",
    type: Azure,
    abilities: [provider, metadata, writer, removal, history],
}

impl SecretProvider for Azure {
    fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
        read::secret(path, version)
    }

    fn check() -> Result<Attributes, Error> {
        listing::check()?;
        Ok(Attributes::new())
    }
}

impl SecretMetadata for Azure {
    fn describe(path: &str) -> Result<Option<Entry>, Error> {
        read::entry(path)
    }

    fn list(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        listing::page(prefix, cursor, limit)
    }
}

impl SecretWriter for Azure {
    fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
        write::put(path, value, options)
    }
}

impl SecretRemoval for Azure {
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

impl SecretHistory for Azure {
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
