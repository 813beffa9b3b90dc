//! What a grant lends of the disk: one directory, sealed file by file where it says so, or one file; never left.

mod file;
mod listing;
mod lock;
mod place;
mod seal;

use std::path::Path;
use std::sync::Mutex;

use cap_std::fs::Dir;
use forge_core::Kind;
use forge_core::grant::DirectoryGrant;
use forge_core::manifest::DirectoryMode;
use forge_core::provider::Failure;
use forge_core::sealing::{self, Place, STORE_FILE};
use zeroize::Zeroizing;

pub(crate) use listing::Listed;
pub(crate) use lock::Lock;
use place::Open;
pub use seal::Seal;

/// The longest file, in bytes.
pub(crate) const LONGEST: usize = 16 << 20;
/// The longest path, in bytes.
const LONGEST_PATH: usize = 2048;
/// The file whose lock a writer holds.
const LOCK_FILE: &str = ".forge-lock";
/// The one temporary file of a directory, at its top: who holds the lock knows where a dead process left its own.
const TEMPORARY_FILE: &str = ".forge-new";

/// A granted directory, or a granted file in the directory where it lies.
#[derive(Debug)]
pub struct Directory {
    /// The directory.
    path: String,
    /// The one file of it that was granted, where it was not the whole.
    only: Option<Only>,
    is_writable: bool,
    /// Whether the way to the directory may lead through links.
    follows_links: bool,
    seal: Option<Seal>,
    owner: String,
    /// What a listing found when its first page was asked for, so that its other pages don't read the disk again.
    listing: Mutex<Option<listing::Snapshot>>,
}

/// The one file of a grant.
#[derive(Debug)]
struct Only {
    /// The name by which the guest knows it.
    shown: String,
    /// Its name in its directory.
    name: String,
    /// The temporary file of its writers: a name of its own, since other files there may be granted to others.
    temporary: String,
}

impl Directory {
    /// The directory or the file of a grant, sealed for `owner` where there is a seal. Nothing is opened yet.
    pub fn new(grant: &DirectoryGrant, seal: Option<Seal>, owner: String) -> Self {
        let path = Path::new(&grant.path);
        let only = grant.file.as_ref().map(|shown| Only::new(shown, path));
        let folder = if only.is_some() { path.parent().unwrap_or(Path::new("/")) } else { path };
        Self {
            path: folder.display().to_string(),
            only,
            is_writable: grant.mode == DirectoryMode::ReadWrite,
            // Whoever can rename folders on the way to a file, such as the next commit of a cloned repository, could
            // put a link there and have another file of the same name read and written.
            follows_links: grant.file.is_none(),
            seal,
            owner,
            listing: Mutex::default(),
        }
    }

    /// The same, reached through no link: for a path that was resolved and found to be in its place, such as that of a
    /// project's directory, where a link that is new would lead elsewhere.
    #[must_use]
    pub fn without_links(self) -> Self {
        Self { follows_links: false, ..self }
    }

    fn failure(&self, what: &str, path: &str, why: impl std::fmt::Display) -> Failure {
        Failure::new(Kind::Internal, format!("can't {what} `{}`: {why}", self.shown(path)))
    }

    fn broken(&self, path: &str, why: impl std::fmt::Display) -> Failure {
        Failure::new(Kind::Integrity, format!("can't open `{}`: {why}", self.shown(path)))
    }

    /// A path of this directory as people know it.
    fn shown(&self, path: &str) -> String {
        Path::new(&self.path).join(path).display().to_string()
    }

    /// The path on the disk of what the guest names, which is hostile.
    fn path_of<'a>(&'a self, path: &'a str) -> Result<&'a str, Failure> {
        match &self.only {
            None => check_path(path).map(|()| path),
            Some(only) if path == only.shown => Ok(&only.name),
            Some(_) => Err(outside()),
        }
    }

    fn temporary(&self) -> &str {
        self.only.as_ref().map_or(TEMPORARY_FILE, |only| &only.temporary)
    }

    /// Reads a file; `None` if there is none.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let path = self.path_of(path)?;
        let Some(open) = self.open()? else { return Ok(None) };
        let Some(content) = self.read_raw(&open.dir, path)? else { return Ok(None) };
        let Some(seal) = &self.seal else { return Ok(Some(content)) };
        let key = seal.of_store(Path::new(&self.path))?;
        let place = Place { owner: &self.owner, store: &open.store, path };
        let (content, _) = key.open(place, &content).map_err(|error| self.broken(path, error))?;
        Ok(Some(content))
    }

    fn read_raw(&self, dir: &Dir, path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        self.read_at_most(dir, path, LONGEST + sealing::OVERHEAD)
    }

    /// Writes a file whole or not at all, sealed where the grant says so. The caller holds the lock.
    pub(crate) fn write(&self, path: &str, content: &[u8]) -> Result<(), Failure> {
        let path = self.path_of(path)?;
        self.check_writable()?;
        self.forget_listing();
        if content.len() > LONGEST {
            return Err(Failure::new(Kind::TooLarge, format!("a file of a store has at most {} MiB", LONGEST >> 20)));
        }
        let Some(open) = self.open()? else { return Err(self.failure("write", path, "the directory is gone")) };
        let Some(seal) = &self.seal else { return self.write_whole(&open.dir, path, content) };
        let key = seal.of_store(Path::new(&self.path))?;
        let before = self.read_raw(&open.dir, path)?;
        let generation = before.and_then(|sealed| sealing::generation(&sealed)).unwrap_or_default();
        let place = Place { owner: &self.owner, store: &open.store, path };
        let sealed = key
            .seal(place, generation.saturating_add(1), content)
            .map_err(|error| self.failure("write", path, error))?;
        self.write_whole(&open.dir, path, &sealed)
    }

    /// Removes a file; answers whether there was one. The caller holds the lock.
    pub(crate) fn remove(&self, path: &str) -> Result<bool, Failure> {
        if self.only.is_some() {
            return Err(Failure::new(Kind::NotGranted, "a file that was granted by its name is never removed"));
        }
        let path = self.path_of(path)?;
        self.check_writable()?;
        self.forget_listing();
        let Some(Open { dir, .. }) = self.open()? else { return Ok(false) };
        self.remove_whole(&dir, path)
    }

    fn check_writable(&self) -> Result<(), Failure> {
        if self.is_writable {
            return Ok(());
        }
        Err(Failure::new(Kind::NotGranted, format!("the grant of `{}` is read-only", self.path)))
    }
}

impl Only {
    fn new(shown: &str, path: &Path) -> Self {
        use sha2::Digest as _;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let hash = sealing::hex(&sha2::Sha256::digest(&name));
        let temporary = format!("{TEMPORARY_FILE}-{}", hash.get(..16).unwrap_or_default());
        Self { shown: shown.to_owned(), name, temporary }
    }
}

/// Names that the host keeps for itself, on disks that don't tell cases apart as well.
fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // Earlier versions of forge named their temporary files `.new-` and left them anywhere.
    name == STORE_FILE || name == LOCK_FILE || name.starts_with(TEMPORARY_FILE) || name.starts_with(".new-")
}

/// Refuses paths that climb, are absolute, or name the host's own files: the guest chooses them, and it is hostile.
fn check_path(path: &str) -> Result<(), Failure> {
    let fits = path.len() <= LONGEST_PATH
        && path
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.contains(['\0', '\\']) && !is_reserved(part));
    if fits { Ok(()) } else { Err(outside()) }
}

fn outside() -> Failure {
    Failure::new(Kind::NotGranted, "the plugin named a path outside of its directory")
}

#[cfg(test)]
mod tests;
