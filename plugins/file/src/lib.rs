//! The embedded store: secrets in a sealed directory of this machine.

mod store;

use forge_sdk::{
    Attributes, Entry, Error, Page, PutOptions, Secret, SecretHistory, SecretMetadata, SecretProvider, SecretRemoval,
    SecretVersion, SecretWriter, VersionPage, VersionState,
};

/// The plugin: secrets in the granted directory.
#[derive(Debug)]
pub struct File;

forge_sdk::plugin! {
    manifest: "../plugin.toml",
    type: File,
    abilities: [provider, metadata, writer, removal, history],
}

impl SecretProvider for File {
    fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
        store::get(path, version)
    }

    fn check() -> Result<Attributes, Error> {
        store::check().map(|()| Attributes::new())
    }
}

impl SecretMetadata for File {
    fn describe(path: &str) -> Result<Option<Entry>, Error> {
        store::describe(path)
    }

    fn list(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        store::list(prefix, cursor, limit)
    }
}

impl SecretWriter for File {
    /// The host holds the lock for the whole call, so no one writes between the read and the write.
    fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
        store::put(path, value, options)
    }
}

impl SecretRemoval for File {
    fn delete(path: &str, options: &Attributes) -> Result<bool, Error> {
        store::delete(path, options)
    }

    fn recover(path: &str) -> Result<(), Error> {
        store::recover(path)
    }

    fn purge(path: &str) -> Result<bool, Error> {
        store::purge(path)
    }
}

impl SecretHistory for File {
    fn versions(path: &str, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Error> {
        store::versions(path, cursor, limit)
    }

    fn restore(path: &str, version: &str) -> Result<SecretVersion, Error> {
        store::restore(path, version)
    }

    fn set_state(path: &str, version: &str, state: VersionState) -> Result<(), Error> {
        store::set_state(path, version, state)
    }
}
