//! The attackers that the sandbox is tested with: one component, one file per attack, chosen by the path that is read.
//!
//! An attack answers a secret with what it got, so that a test sees when one succeeds, and passes on the host's
//! refusal where there is one. What it attacks stands in the settings `origin` (granted) and `target` (anything).

mod attacks;

use forge_sdk::{
    Attributes, Error, Page, PutOptions, Secret, SecretBatch, SecretHistory, SecretMetadata, SecretProvider,
    SecretRemoval, SecretVersion, SecretWriter, VersionPage, VersionState, http, settings,
};

/// The plugin: every attack behind one contract.
#[derive(Debug)]
pub struct Attacker;

forge_sdk::plugin! {
    manifest: "../plugin.toml",
    type: Attacker,
    abilities: [provider, batch, metadata, writer, removal, history],
}

/// What an attack got, or what stopped it.
type Loot = Result<Option<Secret>, Error>;

/// Splits a path into the attack's name and what is left for it.
fn split(path: &str) -> (&str, &str) {
    path.split_once('/').unwrap_or((path, ""))
}

/// What an attack is aimed at, as the test set it.
fn target() -> Result<String, Error> {
    settings::required("target")
}

/// A URL below the granted origin.
fn granted(path: &str) -> Result<String, Error> {
    Ok(format!("{}{path}", settings::required("origin")?))
}

/// Text as loot.
fn text(text: impl Into<String>) -> Loot {
    Ok(Some(Secret::new(text.into())))
}

/// Sends a request and answers the body of whatever came.
fn fetch(request: http::Request) -> Loot {
    let response = request.send()?.success()?;
    Ok(Some(Secret::new(response.body())))
}

impl SecretProvider for Attacker {
    fn get(path: &str, _version: Option<&str>) -> Loot {
        let (name, rest) = split(path);
        match attacks::named(name) {
            Some(attack) => attack(rest),
            None => Err(Error::invalid_request(format!("no attack is called `{name}`"))),
        }
    }

    fn check() -> Result<Attributes, Error> {
        Ok(Attributes::new())
    }
}

impl SecretBatch for Attacker {
    fn get_many(paths: &[String]) -> Vec<Loot> {
        attacks::batch::many(paths)
    }
}

impl SecretMetadata for Attacker {
    fn describe(path: &str) -> Result<Option<forge_sdk::Entry>, Error> {
        match split(path) {
            ("many-tags", rest) => attacks::many_tags::described(rest),
            ("escape-codes", _) => Ok(Some(attacks::escape_codes::described())),
            _ => Ok(None),
        }
    }

    /// The listing that the prefix names; without one a listing that never ends, a page of one name at a time.
    fn list(prefix: Option<&str>, cursor: Option<&str>, _limit: u32) -> Result<Page, Error> {
        Ok(match split(prefix.unwrap_or_default()) {
            ("batch", way) => attacks::batch::listing(way),
            ("circling", _) => attacks::circling::listing(cursor),
            ("large-page", rest) => attacks::large_page::listing(rest),
            ("long-cursor", rest) => attacks::long_cursor::listing(rest, cursor),
            ("escape-codes", _) => attacks::escape_codes::listing(),
            _ => attacks::endless_listing::page(cursor),
        })
    }
}

impl SecretWriter for Attacker {
    fn put(path: &str, value: &[u8], _options: &PutOptions) -> Result<SecretVersion, Error> {
        match split(path) {
            ("trap-in-write", name) => attacks::trap_in_write::put(name, value),
            ("hide-failed-write", name) => attacks::hide_failed_write::put(name, value),
            ("request", method) => attacks::request::put(method),
            ("body", way) => attacks::body::put(way),
            ("signed", way) => attacks::signed::put(way),
            ("foreign-key", _) => attacks::foreign_key::put(),
            ("big-request", size) => attacks::big_request::put(size),
            ("many-files", name) => attacks::many_files::put(name, value),
            ("keep", name) => attacks::trap_in_write::keep(name, value),
            _ => attacks::write_through_read_only::put(value),
        }
    }
}

impl SecretRemoval for Attacker {
    fn delete(_path: &str, _options: &Attributes) -> Result<bool, Error> {
        attacks::write_through_read_only::delete()
    }

    fn recover(_path: &str) -> Result<(), Error> {
        Err(Error::unsupported("an attacker takes nothing back"))
    }

    fn purge(_path: &str) -> Result<bool, Error> {
        Err(Error::unsupported("an attacker leaves what it found"))
    }
}

impl SecretHistory for Attacker {
    /// The history that the path names.
    fn versions(path: &str, cursor: Option<&str>, _limit: u32) -> Result<VersionPage, Error> {
        Ok(match split(path) {
            ("circling", _) => attacks::circling::versions(cursor),
            ("large-page", rest) => attacks::large_page::versions(rest),
            ("long-cursor", rest) => attacks::long_cursor::versions(rest, cursor),
            ("escape-codes", _) => attacks::escape_codes::versions(),
            _ => attacks::endless_versions::page(cursor),
        })
    }

    fn restore(_path: &str, _version: &str) -> Result<SecretVersion, Error> {
        attacks::write_through_read_only::put(b"restored")
    }

    fn set_state(_path: &str, _version: &str, _state: VersionState) -> Result<(), Error> {
        attacks::write_through_read_only::delete().map(drop)
    }
}
