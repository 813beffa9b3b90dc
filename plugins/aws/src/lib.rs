//! AWS Secrets Manager (AWS Secrets Manager API Reference, version 2017-10-17), and the parameters of Systems Manager.
//!
//! The signature is the host's: no request names a key, and the account and the partition are those of the grant.

mod batch;
mod bounds;
mod call;
mod compare;
mod content;
mod describe;
mod history;
mod listing;
mod name;
mod parameter;
mod read;
mod removal;
mod rotation;
mod tags;
mod write;

use forge_sdk::{
    Attributes, Entry, Error, Page, PutOptions, Secret, SecretBatch, SecretHistory, SecretMetadata, SecretProvider,
    SecretRemoval, SecretRotation, SecretVersion, SecretWriter, VersionPage, VersionState, secret,
};

/// The plugin: the secrets, or the parameters, of one account in one region.
#[derive(Debug)]
pub struct Aws;

forge_sdk::plugin! {
    manifest: "../plugin.toml",
    type: Aws,
    abilities: [provider, batch, metadata, writer, removal, history, rotation],
}

impl SecretProvider for Aws {
    fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
        if parameter::is_meant()? { parameter::read::secret(path, version) } else { read::secret(path, version) }
    }

    fn check() -> Result<Attributes, Error> {
        if parameter::is_meant()? { parameter::listing::check() } else { listing::check() }?;
        Ok(Attributes::new())
    }
}

impl SecretBatch for Aws {
    fn get_many(paths: &[String]) -> Vec<Result<Option<Secret>, Error>> {
        match parameter::is_meant() {
            Ok(true) => parameter::batch::secrets(paths),
            Ok(false) => batch::secrets(paths),
            Err(error) => paths.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

impl SecretMetadata for Aws {
    fn describe(path: &str) -> Result<Option<Entry>, Error> {
        if parameter::is_meant()? { parameter::read::entry(path) } else { describe::entry(path) }
    }

    fn list(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        if parameter::is_meant()? {
            parameter::listing::page(prefix, cursor, limit)
        } else {
            listing::page(prefix, cursor, limit)
        }
    }
}

impl SecretWriter for Aws {
    fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
        if parameter::is_meant()? {
            parameter::write::put(path, value, options)
        } else {
            write::put(path, value, options)
        }
    }
}

impl SecretRemoval for Aws {
    fn delete(path: &str, options: &Attributes) -> Result<bool, Error> {
        secret::no_attributes(options)?;
        if parameter::is_meant()? { parameter::removal::delete(path) } else { removal::delete(path) }
    }

    fn recover(path: &str) -> Result<(), Error> {
        if parameter::is_meant()? { Err(parameter::removal::unsupported()) } else { removal::recover(path) }
    }

    fn purge(path: &str) -> Result<bool, Error> {
        if parameter::is_meant()? { Err(parameter::removal::unsupported()) } else { removal::purge(path) }
    }
}

impl SecretHistory for Aws {
    fn versions(path: &str, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Error> {
        if parameter::is_meant()? {
            parameter::history::versions(path, cursor, limit)
        } else {
            history::versions(path, cursor, limit)
        }
    }

    fn restore(path: &str, version: &str) -> Result<SecretVersion, Error> {
        if parameter::is_meant()? {
            parameter::history::restore(path, version)
        } else {
            history::restore(path, version)
        }
    }

    fn set_state(_: &str, _: &str, _: VersionState) -> Result<(), Error> {
        Err(Error::unsupported("a version has no state of its own: a secret is deleted and recovered as a whole"))
    }
}

impl SecretRotation for Aws {
    fn rotate(path: &str) -> Result<Option<SecretVersion>, Error> {
        if parameter::is_meant()? {
            return Err(Error::unsupported("a parameter has no rotation of its own"));
        }
        rotation::rotate(path)
    }
}
