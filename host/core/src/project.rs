//! A project: the `forge.toml` above the working directory, found and read as the file of somebody who may be hostile.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use crate::Kind;
use crate::config::{self, LONGEST, Layer, Owner, Place};
use crate::manifest::printable_name;

pub mod directory;

/// The file that is meant to be committed.
pub const FILE: &str = "forge.toml";

/// The file beside it that is one person's, and is not committed.
pub const LOCAL_FILE: &str = "forge.local.toml";

/// What opens the text that is hashed, so that the hash of a later format is another one.
const FORMAT: &[u8] = b"forge project 1\n";

/// Why a project does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A link: it could lead to a file that changes behind the project's back, or to somebody else's.
    #[error("can't use {0}: it is a link")]
    Link(Place),
    /// A pipe, a folder or a device.
    #[error("can't use {0}: it is no regular file")]
    NotAFile(Place),
    /// Over [`LONGEST`] bytes.
    #[error("can't use {0}: it is longer than {LONGEST} bytes")]
    TooLong(Place),
    /// The system refuses.
    #[error("can't read {place}: {why}")]
    Unreadable {
        /// The file.
        place: Place,
        /// The system's reason.
        why: String,
    },
    /// What stands there is wrong.
    #[error("can't use {place}: {error}")]
    Config {
        /// The file.
        place: Place,
        /// What is wrong, without the text that stands there.
        error: config::Error,
    },
    /// The name of a folder can't be written down.
    #[error("can't use {0}: its path is not UTF-8")]
    Path(Place),
    /// A provider is named like one of the user's or the system's.
    #[error("the provider `{name}` of {place} is also one of your own ({other})")]
    Shadows {
        /// The provider.
        name: String,
        /// The project's file.
        place: Place,
        /// The other file.
        other: Place,
    },
    /// Nobody allowed it yet.
    #[error("the project {0} is not allowed yet")]
    NotAllowed(Place),
    /// It is not what was allowed.
    #[error("the project {0} has changed since it was allowed")]
    Changed(Place),
    /// What was recorded can't be read.
    #[error("it is not known whether the project {place} was allowed: {why}")]
    Record {
        /// The project's file.
        place: Place,
        /// What is wrong with the record.
        why: String,
    },
}

impl Error {
    /// The kind, which decides the exit code.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotAllowed(_) | Self::Changed(_) => Kind::NotGranted,
            Self::Record { .. } => Kind::Integrity,
            Self::Unreadable { .. } => Kind::Internal,
            _ => Kind::InvalidRequest,
        }
    }

    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotAllowed(_) => Some("`forge allow` shows what the project wants, and asks".to_owned()),
            Self::Changed(_) => Some("`forge allow` shows what changed, and asks".to_owned()),
            Self::Record { .. } => Some("`forge allow` records it anew".to_owned()),
            Self::Shadows { name, .. } => Some(format!(
                "rename the project's provider, or remove yours with `forge provider remove {name}` if it is the same"
            )),
            Self::Link(_) | Self::NotAFile(_) => Some(format!(
                "put a regular file in its place; whatever names a provider of yours works without `{FILE}`"
            )),
            _ => None,
        }
    }
}

/// A project that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its folder, without links.
    pub directory: PathBuf,
    /// The files that were read, the committed one first.
    pub files: Vec<PathBuf>,
    /// What they mean together, or why they can't be used.
    pub meaning: Result<Layer, Error>,
}

impl Found {
    /// The committed file.
    pub fn place(&self) -> Place {
        Place { owner: Owner::Project, file: self.directory.join(FILE) }
    }
}

/// The hash of what a project means, in hexadecimal: comments, order and spelling don't count.
pub fn hash(meaning: &Layer) -> String {
    // The fields have one order and the maps are sorted, so the same meaning has the same text.
    let text = serde_json::to_vec(meaning).unwrap_or_default();
    crate::sealing::hex(&sha2::Sha256::new().chain_update(FORMAT).chain_update(text).finalize())
}

/// The name under which a project's records lie: the hash of its folder's path, in hexadecimal.
pub fn key(directory: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    crate::sealing::hex(&sha2::Sha256::digest(directory.as_os_str().as_bytes()))
}

/// Looks for a project from the folder `from` upwards. `from` is a path without links, as the system names the working
/// directory; `home` is the user's home directory and `user` their number.
///
/// The search ends at a repository's root and at the home directory: a file above them was put there by somebody else,
/// or for something else. Files that neither the user nor root owns are passed over, as anybody can put one into
/// `/tmp`.
pub fn find(from: &Path, home: Option<&Path>, user: u32) -> Option<Found> {
    // The home directory is often reached through a link.
    let home = std::cell::LazyCell::new(|| home.and_then(|home| std::fs::canonicalize(home).ok()));
    for directory in from.ancestors() {
        if let Some(file) = look(directory.join(FILE), user) {
            return Some(read(directory, file, user));
        }
        if directory.join(".git").symlink_metadata().is_ok() || home.as_deref() == Some(directory) {
            return None;
        }
    }
    None
}

/// A file of a project, opened and checked; `None` if there is none, or none that counts.
fn look(path: PathBuf, user: u32) -> Option<Result<(File, Place), Error>> {
    let is_ours = |metadata: &std::fs::Metadata| metadata.uid() == user || metadata.uid() == 0;
    // A pipe would make us wait for ever, and a link be followed.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(&path);
    let place = Place { owner: Owner::Project, file: path };
    let error = match opened {
        Ok(file) => match file.metadata() {
            Ok(metadata) if !is_ours(&metadata) => return None,
            Ok(metadata) if !metadata.is_file() => return Some(Err(Error::NotAFile(place))),
            Ok(metadata) if metadata.len() > LONGEST => return Some(Err(Error::TooLong(place))),
            Ok(_) => return Some(Ok((file, place))),
            Err(error) => error,
        },
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return None,
        Err(error) => error,
    };
    match place.file.symlink_metadata() {
        Ok(metadata) if !is_ours(&metadata) => None,
        Ok(metadata) if metadata.is_symlink() => Some(Err(Error::Link(place))),
        Ok(metadata) if !metadata.is_file() => Some(Err(Error::NotAFile(place))),
        _ => Some(Err(Error::Unreadable { place, why: error.to_string() })),
    }
}

fn read(directory: &Path, file: Result<(File, Place), Error>, user: u32) -> Found {
    let mut files = vec![directory.join(FILE)];
    let meaning = file.and_then(meaning).and_then(|layer| {
        if directory.to_str().is_none() {
            return Err(Error::Path(layer.1));
        }
        match look(directory.join(LOCAL_FILE), user) {
            None => Ok(layer.0),
            Some(file) => {
                files.push(directory.join(LOCAL_FILE));
                Ok(layer.0.under(meaning(file?)?.0))
            }
        }
    });
    Found { directory: directory.to_owned(), files, meaning }
}

fn meaning((file, place): (File, Place)) -> Result<(Layer, Place), Error> {
    let mut bytes = Vec::new();
    let read = file.take(LONGEST + 1).read_to_end(&mut bytes);
    match read {
        Err(error) => Err(Error::Unreadable { place, why: error.to_string() }),
        // It grew since it was opened.
        Ok(length) if length as u64 > LONGEST => Err(Error::TooLong(place)),
        Ok(_) => match Layer::parse(&bytes, &place) {
            Ok(layer) => Ok((layer, place)),
            Err(error) => Err(Error::Config { place, error }),
        },
    }
}

/// A path as a person may be shown it: on one line, with nothing in it that drives a terminal.
pub fn shown(path: &Path) -> String {
    printable_name(&path.display().to_string())
}

#[cfg(test)]
mod tests;
