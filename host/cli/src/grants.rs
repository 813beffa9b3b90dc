//! All that was ever granted here, whichever configuration or project names it now.

use std::path::{Path, PathBuf};

use forge_core::Kind;
use forge_core::grant::{Grant, SCHEMA_VERSION};
use forge_core::home::{self, Home};
use forge_core::provider::Failure;

use crate::failure::Outcome;

/// The longest grant, in bytes: certificates and 64 routes fit ten times.
pub(crate) const LONGEST: u64 = 1 << 20;

/// The grants of the user's providers and of all projects' ones.
///
/// # Errors
/// A folder or a grant can't be read: what it says of credentials is not known then, so nothing may be lent.
pub(crate) fn every(home: &Home) -> Outcome<Vec<Grant>> {
    let folder = home.data.join("grants");
    let mut files = files(&folder)?;
    for project in entries(&folder.join("projects"))? {
        files.extend(self::files(&project)?);
    }
    files.iter().map(|file| read(file)).collect()
}

fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = entries(folder)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    Ok(files)
}

fn entries(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let refused = |error: std::io::Error| {
        Failure::from(home::Error { what: "list", path: folder.to_owned(), why: error.to_string() })
    };
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path()).map_err(refused)).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(refused(error)),
    }
}

fn read(file: &Path) -> Outcome<Grant> {
    let text = home::read_private(file, LONGEST)?.unwrap_or_default();
    let grant = serde_json::from_slice::<Grant>(&text).ok().filter(|grant| grant.schema_version == SCHEMA_VERSION);
    grant.ok_or_else(|| {
        let what = format!("the grant `{}` is damaged or of another version", file.display());
        Failure::new(Kind::Integrity, what)
            .with_hint("nobody knows which credential it names, so nothing of yours is lent to a plugin: grant it again, or remove the file")
    })
}
