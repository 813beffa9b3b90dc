//! Where forge keeps what it keeps, and how it writes it: private, whole, and never through somebody's link.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::keyring::Keyring;
use crate::sealing::hex;

/// How the name of a temporary file begins.
const TEMPORARY: &str = ".new-";

/// How old a temporary file is that nobody is writing any more: a write takes milliseconds.
const LEFT: Duration = Duration::from_secs(3600);

/// The most entries of a directory that are looked at for what a dead process left.
const MOST_LOOKED_AT: usize = 4096;

/// The three directories of one user, and the keyring.
#[derive(Clone, Debug)]
pub struct Home {
    /// `$XDG_CONFIG_HOME/forge`.
    pub config: PathBuf,
    /// `$XDG_DATA_HOME/forge`: grants, plugins, the local store, keys, audit.
    pub data: PathBuf,
    /// `$XDG_CACHE_HOME/forge`: nothing that can't be made again.
    pub cache: PathBuf,
    /// Where the sealing key may be instead of a file; `None` where nobody has one to ask.
    pub keyring: Option<Arc<dyn Keyring>>,
}

/// What could not be done with which file.
#[derive(Debug, thiserror::Error)]
#[error("can't {what} `{}`: {why}", path.display())]
pub struct Error {
    /// `read`, `write` and so on.
    pub what: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The system's reason, or a rule that the file breaks.
    pub why: String,
}

impl Error {
    fn new(what: &'static str, path: &Path, why: impl ToString) -> Self {
        Self { what, path: path.to_owned(), why: why.to_string() }
    }
}

impl Home {
    /// The user's configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The directory of the embedded local store.
    pub fn local_store(&self) -> PathBuf {
        self.data.join("store")
    }

    /// The file of one provider's grant. `provider` is a checked name.
    pub fn grant_file(&self, provider: &str) -> PathBuf {
        self.data.join("grants").join(format!("{provider}.json"))
    }

    /// The file of the sealing key, or of what says where that is.
    pub fn sealing_key_file(&self) -> PathBuf {
        self.data.join("keys").join("sealing.key")
    }
}

/// Makes a directory and its parents, each of mode 0700 if it is new, so that they are there after a power loss as well.
///
/// # Errors
/// The system refuses.
pub fn make_directory(path: &Path) -> Result<(), Error> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Error::new("make the directory", path, error))?;
    // A folder is on the disk once the one above it is, and from the top: what lies in one that is not there is lost.
    for folder in missing.iter().rev() {
        let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = File::open(above).and_then(|above| above.sync_all());
        synced.map_err(|error| Error::new("make the directory", folder, error))?;
    }
    Ok(())
}

/// Reads a file of at most `most` bytes; `None` if there is none.
///
/// # Errors
/// It can't be read, is a link or no regular file, or is longer.
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Error> {
    match open_checked(path) {
        Ok(Some(file)) => read_bounded(file, path, most).map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(Error::new("read", path, error)),
    }
}

/// Reads a file that decides what code runs or which key is used: it must belong to this user and be closed to writing by others.
///
/// # Errors
/// As [`read`], and when somebody else could have written it.
pub fn read_private(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Error> {
    read_owned(path, most, rustix::process::geteuid().as_raw())
}

/// The same for a file that must belong to `owner`, the number of a user.
///
/// # Errors
/// As [`read_private`].
pub fn read_owned(path: &Path, most: u64, owner: u32) -> Result<Option<Vec<u8>>, Error> {
    open_owned(path, owner)?.map(|file| read_bounded(file, path, most)).transpose()
}

/// Opens a file as [`read_private`] does, for whoever reads it piece by piece.
///
/// # Errors
/// As [`read_private`], but for the length.
pub fn open_private(path: &Path) -> Result<Option<File>, Error> {
    open_owned(path, rustix::process::geteuid().as_raw())
}

fn open_owned(path: &Path, owner: u32) -> Result<Option<File>, Error> {
    let Some(file) = open_checked(path).map_err(|error| Error::new("read", path, error))? else {
        return Ok(None);
    };
    let metadata = file.metadata().map_err(|error| Error::new("read", path, error))?;
    if metadata.uid() != owner || metadata.mode() & 0o022 != 0 {
        return Err(Error::new("use", path, "it belongs to somebody else, or others can write it"));
    }
    Ok(Some(file))
}

fn open_checked(path: &Path) -> io::Result<Option<File>> {
    // A link could lead to a file that somebody else controls, and a pipe would make us wait for ever.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(Some(file))
}

fn read_bounded(mut file: File, path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    if length > most {
        return Err(Error::new("read", path, format_args!("it is longer than {most} bytes")));
    }
    // In one piece, which for machine code is a dozen of system calls less; what a file grew by meanwhile comes after it.
    let mut content = vec![0; usize::try_from(length).unwrap_or_default()];
    let read = file.read_exact(&mut content).and_then(|()| file.take(most + 1 - length).read_to_end(&mut content));
    read.map_err(|error| Error::new("read", path, error))?;
    if content.len() as u64 > most {
        return Err(Error::new("read", path, format_args!("it is longer than {most} bytes")));
    }
    Ok(content)
}

/// Writes a file of mode 0600 whole or not at all: temporary file, sync, rename, sync of the directory.
///
/// # Errors
/// The system refuses; the old content is then still there.
pub fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    make_directory(path.parent().unwrap_or(Path::new("/")))?;
    replace(path, content, None)
}

/// Writes a file that is there anew, whole or not at all, with the mode that it has. A link is replaced, not followed.
///
/// # Errors
/// It is not there, or the system refuses; the old content is then still there.
pub fn rewrite(path: &Path, content: &[u8]) -> Result<(), Error> {
    let old = path.symlink_metadata().map_err(|error| Error::new("write", path, error))?;
    replace(path, content, Some(old.permissions()))
}

fn replace(path: &Path, content: &[u8], permissions: Option<fs::Permissions>) -> Result<(), Error> {
    let refuse = |error: io::Error| Error::new("write", path, error);
    let directory = path.parent().unwrap_or(Path::new("/"));
    let temporary = write_temporary(directory, content).map_err(refuse)?;
    // The mode comes before the name: nobody who may read the file finds it closed in between.
    let opened = permissions.map_or(Ok(()), |permissions| fs::set_permissions(&temporary, permissions));
    let renamed = opened.and_then(|()| fs::rename(&temporary, path)).and_then(|()| File::open(directory)?.sync_all());
    sweep(directory, LEFT);
    if renamed.is_err() {
        // The error that counts is the one above; a left-over temporary file is harmless.
        fs::remove_file(&temporary).unwrap_or_default();
    }
    renamed.map_err(refuse)
}

/// Removes every temporary file of ours in a directory, whatever its age: for whoever knows that nobody is writing there,
/// and that what a killed writer left must not stay.
pub(crate) fn sweep_all(directory: &Path) {
    sweep(directory, Duration::ZERO);
}

/// Removes a file; one that is not there is removed already.
///
/// # Errors
/// The system refuses.
pub fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::new("remove", path, error)),
        _ => Ok(()),
    }
}

/// Removes temporary files of ours that a process left which was killed in the middle of a write. What can't be removed
/// is in nobody's way, so a failure here is none of the write's.
fn sweep(directory: &Path, left: Duration) {
    let ours = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(directory).into_iter().flatten().take(MOST_LOOKED_AT).flatten() {
        let name = entry.file_name();
        let is_temporary = name.to_str().and_then(|name| name.strip_prefix(TEMPORARY)).is_some_and(|random| {
            random.len() == 16 && random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
        if !is_temporary {
            continue;
        }
        // Of the link itself, where it is one.
        let Ok(metadata) = entry.metadata() else { continue };
        let is_left = metadata.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= left));
        if metadata.is_file() && metadata.uid() == ours && is_left {
            fs::remove_file(entry.path()).unwrap_or_default();
        }
    }
}

fn write_temporary(directory: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    let path = directory.join(format!("{TEMPORARY}{}", hex(&random)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    match written {
        Ok(()) => Ok(path),
        Err(error) => {
            fs::remove_file(&path).unwrap_or_default();
            Err(error)
        }
    }
}

/// The 32 random bytes of a key file, which is made when it is missing; two processes that make it at once get the same.
///
/// # Errors
/// It can't be made or read, others could have written it, or it has another size.
pub fn secret_file(path: &Path) -> Result<zeroize::Zeroizing<[u8; 32]>, Error> {
    if let Some(found) = read_secret_file(path)? {
        return Ok(found);
    }
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| Error::new("make", path, "the system gives no random bytes"))?;
    create(path, bytes.as_slice())?;
    read_secret_file(path)?.ok_or_else(|| Error::new("read", path, "it vanished"))
}

/// Makes a file of mode 0600 whole or not at all; answers whether it is this one, or was there already.
///
/// # Errors
/// The system refuses.
pub fn create(path: &Path, content: &[u8]) -> Result<bool, Error> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    make_directory(directory)?;
    let temporary = write_temporary(directory, content).map_err(|error| Error::new("make", path, error))?;
    // A link fails where the name is taken, so the first of two processes wins and both read what it wrote.
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary).unwrap_or_default();
    sweep(directory, LEFT);
    let is_first = match linked {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(Error::new("make", path, error)),
    };
    // Whoever goes on relies on the file, whichever process made it: what a key seals must not outlive the key.
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| Error::new("make", path, error))?;
    Ok(is_first)
}

fn read_secret_file(path: &Path) -> Result<Option<zeroize::Zeroizing<[u8; 32]>>, Error> {
    let Some(content) = read_private(path, 32)?.map(zeroize::Zeroizing::new) else {
        return Ok(None);
    };
    let bytes: [u8; 32] =
        content.as_slice().try_into().map_err(|_| Error::new("use", path, "it is not 32 bytes long"))?;
    Ok(Some(zeroize::Zeroizing::new(bytes)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_link_and_a_long_file_are_refused_and_a_missing_one_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        assert!(read(&file, 10).unwrap().is_none());
        write(&file, b"0123456789").unwrap();
        assert_eq!(read(&file, 10).unwrap().unwrap(), b"0123456789");
        assert!(read(&file, 9).is_err());
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(read(&link, 10).is_err());
    }

    #[test]
    fn a_file_that_others_can_write_is_not_trusted() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        write(&file, b"x").unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        assert!(read_private(&file, 10).unwrap().is_some());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(read_private(&file, 10).is_err());
    }

    #[test]
    fn what_a_killed_writer_left_goes_with_the_next_write_once_it_is_old() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let old = std::time::SystemTime::now() - LEFT - Duration::from_secs(1);
        let make = |name: &str, time| {
            File::create(at(name)).unwrap().set_modified(time).unwrap();
        };
        make(".new-0123456789abcdef", old);
        // Somebody may be writing this one, and these are no temporary files of ours.
        make(".new-0123456789abcde0", std::time::SystemTime::now());
        for name in [".new-0123456789abcdeg", ".new-0123", "new-0123456789abcdef", "file.json"] {
            make(name, old);
        }
        fs::create_dir(at(".new-0123456789abcde1")).unwrap();
        std::os::unix::fs::symlink(at("file.json"), at(".new-0123456789abcde2")).unwrap();
        read(&at("file.json"), 10).unwrap();
        let count = || fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(count(), 8, "a read tidied");
        write(&at("other"), b"x").unwrap();
        assert!(!at(".new-0123456789abcdef").exists());
        assert_eq!(count(), 8, "the old one is gone, and what was written is there");
    }

    #[test]
    fn two_that_make_the_same_key_get_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys/a.key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| *secret_file(&path).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| Some(key) == keys.first()));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
