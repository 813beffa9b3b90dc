//! The one directory that a grant names: sealed file by file, written whole or not at all, never left.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use cap_std::fs::{Dir, DirBuilder, OpenOptions, OpenOptionsExt as _};
use forge_core::Kind;
use forge_core::grant::DirectoryGrant;
use forge_core::manifest::DirectoryMode;
use forge_core::provider::Failure;
use forge_core::sealing::{self, Place, SealingKey, hex};
use zeroize::Zeroizing;

/// The longest file, in bytes.
pub(crate) const LONGEST: usize = 16 << 20;
/// The longest path, in bytes.
const LONGEST_PATH: usize = 2048;
/// How long a writer waits for the lock of another one.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// The file that holds the store's random id (16 bytes) and the id of the key that seals it (8 bytes).
const STORE_FILE: &str = ".forge-store";
/// The file whose lock a writer holds.
const LOCK_FILE: &str = ".forge-lock";

/// A granted directory.
#[derive(Debug)]
pub struct Directory {
    path: String,
    is_writable: bool,
    key: Option<SealingKey>,
    owner: String,
}

/// A file as a listing shows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) modified_at: u64,
}

/// An open directory and, where it is sealed, the store's id.
struct Open {
    dir: Dir,
    store: [u8; 16],
}

/// Holds the directory's lock; dropping it, or dying, lets the next writer go on.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Directory {
    /// The directory of a grant, sealed for `owner`. Nothing is opened yet.
    pub fn new(grant: &DirectoryGrant, key: Option<SealingKey>, owner: String) -> Self {
        Self { path: grant.path.clone(), is_writable: grant.mode == DirectoryMode::ReadWrite, key, owner }
    }

    fn failure(&self, what: &str, path: &str, why: impl std::fmt::Display) -> Failure {
        Failure::new(Kind::Internal, format!("can't {what} `{}`: {why}", Path::new(&self.path).join(path).display()))
    }

    /// Opens the directory; `None` when it is not there yet.
    fn open(&self) -> Result<Option<Open>, Failure> {
        let dir = match Dir::open_ambient_dir(&self.path, cap_std::ambient_authority()) {
            Ok(dir) => dir,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failure("open", "", error)),
        };
        if self.key.is_none() {
            return Ok(Some(Open { dir, store: [0; 16] }));
        }
        match self.read_at_most(&dir, STORE_FILE, 24) {
            Ok(Some(ids)) => self.identified(dir, &ids).map(Some),
            Ok(None) => {
                // Without its id nothing in a store opens, so files without one are no store of ours.
                let is_empty = dir
                    .entries()
                    .map_err(|error| self.failure("read", "", error))?
                    .all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(is_reserved)));
                if is_empty {
                    Ok(None)
                } else {
                    Err(self.broken(STORE_FILE, "it is missing, and the directory is not empty"))
                }
            }
            Err(failure) => Err(failure),
        }
    }

    /// The store whose ids these are. Another key than the store's would write what the store's own can't open.
    fn identified(&self, dir: Dir, ids: &[u8]) -> Result<Open, Failure> {
        let (store, key) = ids.split_at_checked(16).unwrap_or_default();
        let Ok(store) = store.try_into() else {
            return Err(self.broken(STORE_FILE, "it is not a store's id"));
        };
        match &self.key {
            Some(ours) if ours.id_bytes() != key => {
                let hint = "put the store's own key file back, or read the store as the user who made it";
                let why =
                    format!("the store is sealed with key `{}`, and the key at hand is `{}`", hex(key), ours.id());
                Err(self.broken("", why).with_hint(hint))
            }
            _ => Ok(Open { dir, store }),
        }
    }

    fn broken(&self, path: &str, why: impl std::fmt::Display) -> Failure {
        let shown = Path::new(&self.path).join(path);
        Failure::new(Kind::Integrity, format!("can't open `{}`: {why}", shown.display()))
    }

    /// Takes the lock for a call that writes; makes the store where there is none.
    pub(crate) async fn lock(&self) -> Result<Lock, Failure> {
        self.check_writable()?;
        forge_core::home::make_directory(Path::new(&self.path))
            .map_err(|error| Failure::new(Kind::Internal, error.to_string()))?;
        let dir = Dir::open_ambient_dir(&self.path, cap_std::ambient_authority())
            .map_err(|error| self.failure("open", "", error))?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).mode(0o600);
        let file =
            dir.open_with(LOCK_FILE, &options).map_err(|error| self.failure("open", LOCK_FILE, error))?.into_std();
        let begun = tokio::time::Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(self.failure("lock", LOCK_FILE, error)),
                Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_WAIT => {
                    tokio::time::sleep(Duration::from_millis(2)).await
                }
                Err(TryLockError::WouldBlock) => {
                    let what = format!(
                        "another process has been writing to `{}` for {} seconds",
                        self.path,
                        LOCK_WAIT.as_secs()
                    );
                    return Err(Failure::new(Kind::Timeout, what));
                }
            }
        }
        if let Some(key) = &self.key
            && self.open()?.is_none()
        {
            let mut id = [0; 16];
            getrandom::fill(&mut id).map_err(|error| self.failure("make", STORE_FILE, error))?;
            self.write_whole(&dir, STORE_FILE, &[id.as_slice(), &key.id_bytes()].concat())?;
        }
        Ok(Lock { _file: file })
    }

    /// Reads a file; `None` if there is none.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        check_path(path)?;
        let Some(open) = self.open()? else { return Ok(None) };
        let Some(content) = self.read_raw(&open.dir, path)? else { return Ok(None) };
        let Some(key) = &self.key else { return Ok(Some(content)) };
        let place = Place { owner: &self.owner, store: &open.store, path };
        let (content, _) = key.open(place, &content).map_err(|error| self.broken(path, error))?;
        Ok(Some(content))
    }

    fn read_raw(&self, dir: &Dir, path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        self.read_at_most(dir, path, LONGEST + sealing::OVERHEAD)
    }

    fn read_at_most(&self, dir: &Dir, path: &str, most: usize) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let refuse = |error: std::io::Error| self.failure("read", path, error);
        let mut options = OpenOptions::new();
        // A pipe in the store would make the call wait for ever.
        options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        let file = match dir.open_with(path, &options) {
            Ok(file) => file,
            // A file where a folder was meant is no secret either.
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(refuse(error)),
        };
        let metadata = file.metadata().map_err(refuse)?;
        if !metadata.is_file() {
            return Err(self.failure("read", path, "it is no regular file"));
        }
        let most = most as u64;
        if metadata.len() > most {
            return Err(Failure::new(Kind::TooLarge, format!("`{path}` in the store is longer than {most} bytes")));
        }
        let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1));
        file.take(most).read_to_end(&mut content).map_err(refuse)?;
        Ok(Some(content))
    }

    /// Writes a file whole or not at all, sealed where the grant says so. The caller holds the lock.
    pub(crate) fn write(&self, path: &str, content: &[u8]) -> Result<(), Failure> {
        check_path(path)?;
        self.check_writable()?;
        if content.len() > LONGEST {
            return Err(Failure::new(Kind::TooLarge, format!("a file of a store has at most {} MiB", LONGEST >> 20)));
        }
        let Some(open) = self.open()? else { return Err(self.failure("write", path, "the directory is gone")) };
        if let Some((folder, _)) = path.rsplit_once('/') {
            let mut builder = DirBuilder::new();
            cap_std::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
            open.dir.create_dir_with(folder, &builder).map_err(|error| self.failure("make", folder, error))?;
        }
        let Some(key) = &self.key else { return self.write_whole(&open.dir, path, content) };
        let before = self.read_raw(&open.dir, path)?;
        let generation = before.and_then(|sealed| sealing::generation(&sealed)).unwrap_or_default();
        let place = Place { owner: &self.owner, store: &open.store, path };
        let sealed = key
            .seal(place, generation.saturating_add(1), content)
            .map_err(|error| self.failure("write", path, error))?;
        self.write_whole(&open.dir, path, &sealed)
    }

    /// Temporary file, sync, rename, sync of the folder: after a crash there is the old content or the new.
    fn write_whole(&self, dir: &Dir, path: &str, content: &[u8]) -> Result<(), Failure> {
        let refuse = |error: std::io::Error| self.failure("write", path, error);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| self.failure("write", path, error))?;
        let (folder, _) = path.rsplit_once('/').unwrap_or((".", path));
        let temporary = format!("{folder}/.new-{}", hex(&random));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = dir.open_with(&temporary, &options).map_err(refuse)?;
        let written =
            file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| dir.rename(&temporary, dir, path));
        if let Err(error) = written {
            // The error that counts is that of the write.
            dir.remove_file(&temporary).unwrap_or_default();
            return Err(refuse(error));
        }
        sync(dir, folder).map_err(refuse)
    }

    /// Removes a file; answers whether there was one. The caller holds the lock.
    pub(crate) fn remove(&self, path: &str) -> Result<bool, Failure> {
        check_path(path)?;
        self.check_writable()?;
        let Some(open) = self.open()? else { return Ok(false) };
        match open.dir.remove_file(path) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Ok(false);
            }
            Err(error) => return Err(self.failure("remove", path, error)),
        }
        let (folder, _) = path.rsplit_once('/').unwrap_or((".", path));
        sync(&open.dir, folder).map_err(|error| self.failure("remove", path, error))?;
        // Folders that are empty now go too; one that is not stays, and that is no error.
        let mut folder = folder;
        while folder != "." && open.dir.remove_dir(folder).is_ok() {
            folder = folder.rsplit_once('/').map_or(".", |(parent, _)| parent);
        }
        Ok(true)
    }

    /// At most `limit` files whose paths begin with `prefix` and come after `cursor`, in order, and whether there are more.
    pub(crate) fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Listed>, bool), Failure> {
        let Some(open) = self.open()? else { return Ok((Vec::new(), false)) };
        let mut paths = Vec::new();
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folder.is_empty() {
            check_path(folder)?;
        }
        self.walk(&open.dir, folder, 0, &mut paths)?;
        paths.retain(|path| path.starts_with(prefix) && cursor.is_none_or(|cursor| path.as_str() > cursor));
        paths.sort_unstable();
        let more = paths.len() > limit;
        paths.truncate(limit);
        let mut listed = Vec::with_capacity(paths.len());
        for path in paths {
            // A file that vanished since is no error.
            let Ok(metadata) = open.dir.symlink_metadata(&path) else { continue };
            let modified =
                metadata.modified().ok().and_then(|time| time.into_std().duration_since(std::time::UNIX_EPOCH).ok());
            let modified_at = modified.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
            let overhead = if self.key.is_some() { sealing::OVERHEAD as u64 } else { 0 };
            listed.push(Listed { path, size: metadata.len().saturating_sub(overhead), modified_at });
        }
        Ok((listed, more))
    }

    fn walk(&self, dir: &Dir, folder: &str, depth: u32, paths: &mut Vec<String>) -> Result<(), Failure> {
        // Deeper than any path that can be written.
        if depth > 1024 {
            return Ok(());
        }
        let entries = match if folder.is_empty() { dir.entries() } else { dir.read_dir(folder) } {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(self.failure("list", folder, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| self.failure("list", folder, error))?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !is_reserved(name)) else { continue };
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let kind = entry.file_type().map_err(|error| self.failure("list", &path, error))?;
            if kind.is_dir() {
                self.walk(dir, &path, depth + 1, paths)?;
            } else if kind.is_file() {
                paths.push(path);
            }
        }
        Ok(())
    }

    fn check_writable(&self) -> Result<(), Failure> {
        if self.is_writable {
            return Ok(());
        }
        Err(Failure::new(Kind::NotGranted, format!("the grant of `{}` is read-only", self.path)))
    }
}

fn sync(dir: &Dir, folder: &str) -> std::io::Result<()> {
    // A directory that cap-std opens as one is only a place (`O_PATH`), and can't be synced.
    dir.open(folder)?.sync_all()
}

/// Names that the host keeps for itself, on disks that don't tell cases apart as well.
fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == STORE_FILE || name == LOCK_FILE || name.starts_with(".new-")
}

/// Refuses paths that climb, are absolute, or name the host's own files: the guest chooses them, and it is hostile.
fn check_path(path: &str) -> Result<(), Failure> {
    let fits = path.len() <= LONGEST_PATH
        && path
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.contains(['\0', '\\']) && !is_reserved(part));
    if fits {
        return Ok(());
    }
    Err(Failure::new(Kind::NotGranted, "the plugin named a path outside of its directory"))
}
