//! Secrets on this machine: the embedded store in a sealed directory, or one development file that people edit too.

mod store;
mod text;

use forge_sdk::{
    Attributes, Entry, Error, Page, PutOptions, Secret, SecretHistory, SecretMetadata, SecretProvider, SecretRemoval,
    SecretVersion, SecretWriter, VersionPage, VersionState, settings,
};

/// The plugin: secrets in the granted directory or file.
#[derive(Debug)]
pub struct File;

forge_sdk::plugin! {
    manifest: "../plugin.toml",
    type: File,
    abilities: [provider, metadata, writer, removal, history],
}

/// Where the secrets are.
enum Kept {
    /// In a directory: the setting `path`.
    Store,
    /// In one file: the setting `file`.
    Text,
}

/// Exactly one of the two settings says it; the host refuses both and neither before a plugin runs.
fn kept() -> Result<Kept, Error> {
    match (settings::get("path"), settings::get("file")) {
        (Some(_), None) => Ok(Kept::Store),
        (None, Some(_)) => Ok(Kept::Text),
        _ => Err(Error::invalid_request("exactly one of the settings `path` and `file` says where the secrets are")),
    }
}

impl SecretProvider for File {
    fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
        match kept()? {
            Kept::Store => store::get(path, version),
            Kept::Text => text::get(path, version),
        }
    }

    fn check() -> Result<Attributes, Error> {
        match kept()? {
            Kept::Store => store::check()?,
            Kept::Text => text::check()?,
        }
        Ok(Attributes::new())
    }
}

impl SecretMetadata for File {
    fn describe(path: &str) -> Result<Option<Entry>, Error> {
        match kept()? {
            Kept::Store => store::describe(path),
            Kept::Text => text::describe(path),
        }
    }

    fn list(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        match kept()? {
            Kept::Store => store::list(prefix, cursor, limit),
            Kept::Text => text::list(prefix, cursor, limit),
        }
    }
}

impl SecretWriter for File {
    /// The host holds the lock for the whole call, so no one writes between the read and the write.
    fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
        match kept()? {
            Kept::Store => store::put(path, value, options),
            Kept::Text => text::put(path, value, options),
        }
    }
}

impl SecretRemoval for File {
    fn delete(path: &str, options: &Attributes) -> Result<bool, Error> {
        match kept()? {
            Kept::Store => store::delete(path, options),
            Kept::Text => text::delete(path, options),
        }
    }

    fn recover(path: &str) -> Result<(), Error> {
        match kept()? {
            Kept::Store => store::recover(path),
            Kept::Text => Err(text::unsupported("way to recover an entry")),
        }
    }

    fn purge(path: &str) -> Result<bool, Error> {
        match kept()? {
            Kept::Store => store::purge(path),
            Kept::Text => Err(text::unsupported("way to purge an entry, since `delete` leaves nothing")),
        }
    }
}

impl SecretHistory for File {
    fn versions(path: &str, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Error> {
        match kept()? {
            Kept::Store => store::versions(path, cursor, limit),
            Kept::Text => Err(text::unsupported("versions")),
        }
    }

    fn restore(path: &str, version: &str) -> Result<SecretVersion, Error> {
        match kept()? {
            Kept::Store => store::restore(path, version),
            Kept::Text => Err(text::unsupported("versions")),
        }
    }

    fn set_state(path: &str, version: &str, state: VersionState) -> Result<(), Error> {
        match kept()? {
            Kept::Store => store::set_state(path, version, state),
            Kept::Text => Err(text::unsupported("states")),
        }
    }
}
