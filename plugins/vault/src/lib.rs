//! HashiCorp Vault and OpenBao: the KV secrets engine, version 1 and 2 (Vault API docs, "KV secrets engine").
//!
//! The server's token and namespace are the host's: no request names them.

mod answer;
mod history;
mod listing;
mod mount;
mod number;
mod read;
mod removal;
mod tags;
mod value;
mod write;

use forge_sdk::{
    Attributes, Entry, Error, Page, PutOptions, Secret, SecretHistory, SecretMetadata, SecretProvider, SecretRemoval,
    SecretVersion, SecretWriter, VersionPage, VersionState, secret,
};

/// The plugin: the secrets of one KV mount.
#[derive(Debug)]
pub struct Vault;

forge_sdk::plugin! {
    manifest: "../plugin.toml",
    type: Vault,
    abilities: [provider, metadata, writer, removal, history],
}

impl SecretProvider for Vault {
    fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
        read::secret(path, version)
    }

    fn check() -> Result<Attributes, Error> {
        let version = match mount::discovered(&mount::Mount::configured()?)? {
            mount::Kv::One => "1",
            mount::Kv::Two => "2",
        };
        Ok(vec![("kv-version".to_owned(), version.to_owned())])
    }
}

impl SecretMetadata for Vault {
    fn describe(path: &str) -> Result<Option<Entry>, Error> {
        read::entry(path)
    }

    fn list(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        listing::page(prefix, cursor, limit)
    }
}

impl SecretWriter for Vault {
    fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
        write::put(path, value, options)
    }
}

impl SecretRemoval for Vault {
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

impl SecretHistory for Vault {
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
