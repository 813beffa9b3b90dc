//! Which projects the user allowed: by the path of their folder, and by the hash of what their files mean.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::{Layer, Withheld};
use crate::home::{self, Home};
use crate::project::{self, Error, Found};

mod change;
mod pattern;

pub use change::{Change, Side, Weight, changes, is_obeyed};
pub use pattern::{Error as PatternError, Pattern};

/// The version of the record's format that this forge writes.
pub const SCHEMA_VERSION: u32 = 1;

/// The longest record, in bytes: what a project means is shorter than its files, but for the names of its fields.
const LONGEST: u64 = 8 << 20;

/// What was allowed of one project.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The format of this record.
    pub schema_version: u32,
    /// The project's folder.
    pub path: String,
    /// [`project::hash`] of the meaning.
    pub hash: String,
    /// What was shown and allowed.
    pub meaning: Layer,
    /// Within which references may change without a question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Pattern>,
}

fn file(home: &Home, directory: &Path) -> PathBuf {
    home.data.join("trust").join(format!("{}.json", project::key(directory)))
}

/// The folder of a project's grants: another project's provider of the same name has another one.
pub fn grants(home: &Home, directory: &Path) -> PathBuf {
    home.data.join("grants").join("projects").join(project::key(directory))
}

impl Record {
    /// What was allowed of the project in this folder; `None` if nothing was.
    ///
    /// # Errors
    /// The record is damaged, of another version or another project, or others could have written it.
    pub fn read(home: &Home, directory: &Path) -> Result<Option<Self>, String> {
        let bytes = home::read_private(&file(home, directory), LONGEST).map_err(|error| error.to_string())?;
        let Some(bytes) = bytes else { return Ok(None) };
        let record: Self = serde_json::from_slice(&bytes).map_err(|_| "its record is damaged".to_owned())?;
        // A record that somebody moved is that of another folder.
        if record.schema_version != SCHEMA_VERSION || Path::new(&record.path) != directory {
            return Err("its record is of another version or another project".to_owned());
        }
        Ok(Some(record))
    }

    /// Keeps this record.
    ///
    /// # Errors
    /// The system refuses; what was allowed before is then still there.
    pub fn write(&self, home: &Home) -> Result<(), home::Error> {
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        home::write(&file(home, Path::new(&self.path)), &text)
    }

    /// Forgets that the project in this folder was allowed; answers whether it was.
    ///
    /// # Errors
    /// The system refuses.
    pub fn remove(home: &Home, directory: &Path) -> Result<bool, home::Error> {
        let path = file(home, directory);
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(home::Error { what: "remove", path, why: error.to_string() }),
        }
    }

    /// Whether a project that means this is what was allowed.
    fn allows(&self, meaning: &Layer) -> bool {
        if project::hash(meaning) == self.hash {
            return true;
        }
        // References alone may have changed, and only to where the user said.
        !self.references.is_empty()
            && changes(&self.meaning, meaning).iter().all(|change| pattern::covers(&self.references, change))
    }
}

/// The layer of a project that counts, or why it does not.
pub fn check(home: &Home, found: &Found) -> Result<Layer, Box<Withheld>> {
    let layer = match &found.meaning {
        Ok(layer) => layer.clone(),
        Err(why) => return Err(Box::new(Withheld { layer: None, why: why.clone() })),
    };
    let place = found.place();
    let why = match Record::read(home, &found.directory) {
        Ok(Some(record)) if record.allows(&layer) => return Ok(layer),
        Ok(Some(_)) => Error::Changed(place),
        Ok(None) => Error::NotAllowed(place),
        Err(why) => Error::Record { place, why },
    };
    Err(Box::new(Withheld { layer: Some(layer), why }))
}

#[cfg(test)]
mod tests;
