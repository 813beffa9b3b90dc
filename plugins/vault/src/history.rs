//! Versions of a version 2 secret: listing them, writing an old one anew, and what becomes of one of them.

use forge_sdk::{Error, SecretVersion, VersionPage, VersionState};

use crate::answer::{Metadata, version_number};
use crate::mount::{Kv, Mount};
use crate::removal::Change;
use crate::{read, write};

/// The most versions of one page, whatever the limit.
const VERSIONS: usize = 1000;

/// The mount, which must keep versions.
fn keeping_versions() -> Result<Mount, Error> {
    match Mount::known()? {
        (mount, Kv::Two) => Ok(mount),
        (_, Kv::One) => Err(Error::unsupported("a KV version 1 mount keeps no versions")),
    }
}

fn missing_secret() -> Error {
    Error::not_found("there is no such secret, not even a deleted one")
}

fn missing_version(number: u64) -> Error {
    Error::not_found(format!("the server keeps no version `{number}` of this secret"))
}

/// One page of the versions, newest first; the cursor is the number of the version that was told last.
///
/// # Errors
///
/// `not-found` where there is no such secret, `unsupported` in version 1, `invalid-request` for a path or a cursor that
/// can't be, and what the server said.
pub(crate) fn versions(path: &str, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Error> {
    let mount = keeping_versions()?;
    let below = cursor.map(version_number).transpose()?;
    let limit = usize::try_from(limit).unwrap_or(VERSIONS).clamp(1, VERSIONS);
    let response = read::metadata(&mount, path)?.ok_or_else(missing_secret)?;
    let (versions, has_more) = Metadata::of(&response)?.below(below, limit)?;
    let next = versions.last().filter(|_| has_more).map(|last| last.id.clone());
    Ok(VersionPage { versions, next })
}

/// Makes an old version current by writing its value anew, over exactly the version that is the newest one now: KV
/// version 2 has no pointer that could be moved. What is current already stays as it is.
///
/// Only the secret itself is read and written, so this needs no right on `metadata`.
///
/// # Errors
///
/// `not-found` for a secret or a version that isn't there, `wrong-state` for a version that was deleted or destroyed,
/// `conflict` where somebody writes meanwhile, `unsupported` in version 1, and what the server said.
pub(crate) fn restore(path: &str, version: &str) -> Result<SecretVersion, Error> {
    let mount = keeping_versions()?;
    let number = version_number(version)?;
    let newest = read::newest(&mount, path)?.ok_or_else(missing_secret)?;
    if number == newest.number && newest.version.state == VersionState::Enabled {
        return Ok(newest.version);
    }
    let response = read::trace(&mount, path, number)?.ok_or_else(|| missing_version(number))?;
    let (object, old) = read::traced(&response)?;
    let Some(object) = object else {
        return Err(Error::wrong_state(match old.version.state {
            VersionState::Destroyed => format!("version `{number}` was destroyed, so its value is gone for good"),
            _ => format!("version `{number}` is deleted: enable it first"),
        }));
    };
    write::over(&mount, path, object, newest.number)
}

/// Deletes, undeletes or destroys one version; nothing is sent where it is in that state already.
///
/// The server answers the same where there is no such version, so what is known about it is read before.
///
/// # Errors
///
/// `not-found` for a secret or a version that isn't there, `wrong-state` for a version that was destroyed,
/// `unsupported` for `disabled` and in version 1, and what the server said.
pub(crate) fn set_state(path: &str, version: &str, state: VersionState) -> Result<(), Error> {
    let mount = keeping_versions()?;
    let change = match state {
        VersionState::Enabled => Change::Undelete,
        VersionState::Deleted => Change::Delete,
        VersionState::Destroyed => Change::Destroy,
        VersionState::Disabled => {
            return Err(Error::unsupported("a KV mount can't disable a version: delete it, which can be taken back"));
        }
    };
    let number = version_number(version)?;
    let response = read::metadata(&mount, path)?.ok_or_else(missing_secret)?;
    let known = Metadata::of(&response)?.version(number)?.ok_or_else(|| missing_version(number))?;
    if known.state == state {
        return Ok(());
    }
    if known.state == VersionState::Destroyed {
        return Err(Error::wrong_state(format!("version `{number}` was destroyed, so its value is gone for good")));
    }
    change.send(&mount, path, number)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
