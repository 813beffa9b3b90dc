//! Where a grant leads: the store that is opened by its id and key, or the folder of a file, reached through no link.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use cap_std::fs::Dir;
use forge_core::Kind;
use forge_core::provider::Failure;
use forge_core::sealing::hex;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{Directory, STORE_FILE, Seal, is_reserved};

/// How the file of a store begins whose format is newer; the one of this forge has 24 bytes and no such beginning.
const NEWER: &[u8] = b"forge store ";

/// An open directory and, where it is sealed, the store's id.
pub(super) struct Open {
    pub(super) dir: Dir,
    pub(super) store: [u8; 16],
}

impl Directory {
    /// Opens the directory; `None` when it is not there yet.
    pub(super) fn open(&self) -> Result<Option<Open>, Failure> {
        let dir = match self.reached(false) {
            Ok(dir) => dir,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failure("open", "", error)),
        };
        let Some(seal) = &self.seal else { return Ok(Some(Open { dir, store: [0; 16] })) };
        match self.read_at_most(&dir, STORE_FILE, 64) {
            Ok(Some(ids)) => self.identified(dir, &ids, seal).map(Some),
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

    /// The directory itself; made durably where it is missing and `is_made` says so.
    pub(super) fn reached(&self, is_made: bool) -> io::Result<Dir> {
        let path = Path::new(&self.path);
        if !self.follows_links {
            return without_links(path, is_made);
        }
        if is_made {
            forge_core::home::make_directory(path).map_err(|error| io::Error::other(error.why))?;
        }
        Dir::open_ambient_dir(path, cap_std::ambient_authority())
    }

    /// The store whose ids these are. Another key than the store's would write what the store's own can't open.
    fn identified(&self, dir: Dir, ids: &[u8], seal: &Seal) -> Result<Open, Failure> {
        if let Some(rest) = ids.strip_prefix(NEWER) {
            let digits: String =
                rest.iter().map_while(|byte| byte.is_ascii_digit().then(|| char::from(*byte))).collect();
            let why = format!("the store has format {digits}, and this forge knows format 1");
            let failure = Failure::new(Kind::Unsupported, format!("can't open `{}`: {why}", self.shown("")));
            return Err(failure.with_hint("use a newer forge; nothing in the store was changed"));
        }
        let (store, key) = ids.split_at_checked(16).unwrap_or_default();
        let (Ok(store), 8) = (store.try_into(), key.len()) else {
            return Err(self.broken(STORE_FILE, "it is not a store's id"));
        };
        let ours = seal.of_store(Path::new(&self.path))?;
        if ours.id_bytes() == key {
            return Ok(Open { dir, store });
        }
        let hint = "put the store's own key file back, or read the store as the user who made it";
        let why = format!("the store is sealed with key `{}`, and the key at hand is `{}`", hex(key), ours.id());
        Err(self.broken("", why).with_hint(hint))
    }
}

/// Opens a directory by its absolute path, step by step and through no link; with `is_made` it makes what is missing.
///
/// The path was resolved when it was granted or checked, and what is opened is that very place: between two steps a
/// folder can be moved, and none can be replaced by a link.
fn without_links(path: &Path, is_made: bool) -> io::Result<Dir> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder: OwnedFd = rustix::fs::open("/", flags | STEP, Mode::empty())?;
    for part in path.components() {
        let name = match part {
            Component::RootDir => continue,
            Component::Normal(name) => name,
            _ => return Err(io::Error::other("it is no absolute path without `..`")),
        };
        folder = match rustix::fs::openat(&folder, name, flags | STEP, Mode::empty()) {
            Err(Errno::NOENT) if is_made => {
                match rustix::fs::mkdirat(&folder, name, Mode::RWXU) {
                    // So that it is there after a power loss as well.
                    Ok(()) => rustix::fs::fsync(rustix::fs::openat(&folder, ".", flags, Mode::empty())?)?,
                    Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                rustix::fs::openat(&folder, name, flags | STEP, Mode::empty())?
            }
            opened => opened?,
        };
    }
    Ok(Dir::from_std_file(rustix::fs::openat(&folder, ".", flags, Mode::empty())?.into()))
}

/// What a step of the way needs: folders that are not ours can often be passed through and not be read.
#[cfg(target_os = "linux")]
const STEP: OFlags = OFlags::PATH;

/// macOS has no such thing.
#[cfg(not(target_os = "linux"))]
const STEP: OFlags = OFlags::RDONLY;
