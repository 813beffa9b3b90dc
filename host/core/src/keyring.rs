//! Where the sealing key is: in a file of its own, or in a keyring that the file names.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Kind;
use crate::grant::Grant;
use crate::home::{self, Home};
use crate::manifest::printable;
use crate::sealing::{self, STORE_FILE, SealingKey};

/// The version of the marker's format that this forge writes.
const SCHEMA_VERSION: u32 = 1;

/// The longest key file, in bytes: a key has 32, and a marker about a hundred.
const LONGEST: u64 = 512;

/// The longest grant, in bytes.
const LONGEST_GRANT: u64 = 1 << 20;

/// The most entries of a folder that are looked at before a key is made.
const MOST: usize = 4096;

/// What keeps keys outside of forge's files, behind a socket that this crate does not have.
pub trait Keyring: std::fmt::Debug + Send + Sync {
    /// The stable name of this kind of place, as the marker holds it.
    fn name(&self) -> &'static str;

    /// Keeps a new key, reads it back, and answers whether it is kept; `false` where new keys belong into the file.
    ///
    /// # Errors
    /// It has to be kept there, because a person said so, and can't be.
    fn keep_new(&self, key: &SealingKey) -> Result<bool, Trouble>;

    /// Keeps a key that is somewhere else now, and reads it back.
    ///
    /// # Errors
    /// Why it can't be kept; what is elsewhere must stay there.
    fn keep(&self, key: &SealingKey) -> Result<(), Trouble>;

    /// The key of this id.
    ///
    /// # Errors
    /// Why it can't be had.
    fn find(&self, id: &str) -> Result<SealingKey, Trouble>;

    /// Forgets the key of this id; one that is not there is forgotten already.
    ///
    /// # Errors
    /// Why it is still there.
    fn forget(&self, id: &str) -> Result<(), Trouble>;
}

/// Why a keyring does not give or take a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is no way to it.
    #[error("no keyring can be asked: {0}")]
    Unreachable(String),
    /// It is there and silent.
    #[error("the keyring did not answer within {0} s")]
    Timeout(u64),
    /// It is locked, and nobody is there to be asked.
    #[error("the keyring is locked")]
    Locked,
    /// A person was asked to unlock it, and did not.
    #[error("the keyring is locked, and the question to unlock it was refused")]
    Refused,
    /// It says no. The text is its own name for the reason.
    #[error("the keyring refuses: `{0}`")]
    Denied(String),
    /// It answers what no keyring answers.
    #[error("the keyring answered what it can't mean: {0}")]
    Malformed(&'static str),
    /// It has no such key.
    #[error("the keyring has no such key")]
    Missing,
    /// It has another key under this one's id.
    #[error("what the keyring has under this id is another key")]
    Other,
}

impl Trouble {
    fn kind(&self) -> Kind {
        match self {
            Self::Unreachable(_) => Kind::Unavailable,
            Self::Timeout(_) => Kind::Timeout,
            Self::Locked | Self::Refused => Kind::Unauthenticated,
            Self::Denied(_) => Kind::AccessDenied,
            Self::Malformed(_) => Kind::Upstream,
            Self::Missing | Self::Other => Kind::Integrity,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => {
                "log in to the desktop, or give this process its session bus (`DBUS_SESSION_BUS_ADDRESS`)"
            }
            Self::Timeout(_) => "look for a question of the keyring that waits for an answer, then try again",
            Self::Locked | Self::Refused => {
                "unlock the keyring (its own program does, or logging in), or run the command in a terminal, where the keyring may ask"
            }
            Self::Denied(_) | Self::Malformed(_) => "`forge doctor` says where the key is kept",
            Self::Missing | Self::Other => {
                "what was sealed is untouched, and opens when the keyring is restored or the one that was used before runs again"
            }
        }
    }
}

/// Why there is no sealing key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be made, read or replaced.
    #[error(transparent)]
    File(#[from] home::Error),
    /// The system has no random bytes.
    #[error("can't make a sealing key: {0}")]
    Random(sealing::Error),
    /// The file is neither a key nor a marker.
    #[error("can't use `{}`: it is neither a key of 32 bytes nor says where the key is kept", .0.display())]
    Damaged(PathBuf),
    /// The file names a place that this forge does not know.
    #[error("can't use `{}`: it says that the key is kept in `{place}`, which this forge does not know", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The place, as it stands there.
        place: String,
    },
    /// The file is gone, and what it sealed is not: a new key would open none of it.
    #[error(
        "the sealing key's file `{}` is gone, and `{}` holds {}",
        path.display(),
        sealed.display(),
        if *is_empty { "the id of a store that it seals" } else { "what it sealed" }
    )]
    Gone {
        /// The file of the key.
        path: PathBuf,
        /// Where sealed files are.
        sealed: PathBuf,
        /// Whether the store has been made there and nothing else.
        is_empty: bool,
    },
    /// The keyring does not give or take the key.
    #[error("{what} the sealing key `{id}`: {trouble}")]
    Keyring {
        /// What was tried.
        what: &'static str,
        /// The key's id.
        id: String,
        /// What stopped it.
        trouble: Trouble,
    },
}

impl Error {
    fn of(what: &'static str, id: &str, trouble: Trouble) -> Self {
        Self::Keyring { what, id: id.to_owned(), trouble }
    }

    /// The kind, which decides the exit code.
    pub fn kind(&self) -> Kind {
        match self {
            Self::File(_) | Self::Random(_) => Kind::Internal,
            Self::Damaged(_) | Self::Unknown { .. } | Self::Gone { .. } => Kind::Integrity,
            Self::Keyring { trouble, .. } => trouble.kind(),
        }
    }

    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(_) | Self::Random(_) => None,
            Self::Damaged(_) => Some("put the file back from a backup".to_owned()),
            Self::Unknown { .. } => Some("a newer forge may know it".to_owned()),
            Self::Gone { sealed, is_empty: true, .. } => {
                Some(format!("no secret is in it: remove the folder `{}` to begin anew", sealed.display()))
            }
            Self::Gone { path, sealed, is_empty: false } => Some(format!(
                "put `{}` back from a backup; where there is none, move `{}` away to begin anew",
                path.display(),
                sealed.display()
            )),
            Self::Keyring { trouble, .. } => Some(trouble.hint().to_owned()),
        }
    }
}

/// What the key file holds instead of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    schema_version: u32,
    kept_in: String,
    key_id: String,
}

/// Where the sealing key is, without asking the place for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Nowhere yet.
    Nowhere,
    /// In the file.
    File,
    /// In the keyring, under this id.
    Keyring(String),
}

/// What the key file is.
enum KeyFile {
    Key(SealingKey),
    Marker(Marker),
}

impl Home {
    /// The sealing key of this user, made when it is first needed.
    ///
    /// # Errors
    /// It can't be made or read, or its keyring does not give it. No other key is made in the place of one that is lost.
    pub fn sealing_key(&self) -> Result<SealingKey, Error> {
        match self.made_key()? {
            Some(key) => Ok(key),
            None => self.make_key(),
        }
    }

    /// The sealing key of this user, if it was made. Looking for it makes none: a read must not.
    ///
    /// # Errors
    /// It can't be read, or its keyring does not give it.
    pub fn made_key(&self) -> Result<Option<SealingKey>, Error> {
        match self.key_file()? {
            Some(KeyFile::Key(key)) => Ok(Some(key)),
            Some(KeyFile::Marker(marker)) => self.kept(&marker).map(Some),
            None => Ok(None),
        }
    }

    /// The error of a place that holds what a key sealed which is nowhere.
    pub fn key_is_gone(&self, sealed: &Path) -> Error {
        let entries = std::fs::read_dir(sealed).into_iter().flatten().flatten();
        // The store's id and lock, and temporary files of writers.
        let is_none = |name: &[u8]| name.starts_with(b".forge-") || name.starts_with(b".new-");
        let is_empty = entries.take(MOST).all(|entry| is_none(entry.file_name().as_encoded_bytes()));
        Error::Gone { path: self.sealing_key_file(), sealed: sealed.to_owned(), is_empty }
    }

    /// Where the sealing key is.
    ///
    /// # Errors
    /// The file can't be read or understood.
    pub fn key_location(&self) -> Result<Location, Error> {
        Ok(match self.key_file()? {
            None => Location::Nowhere,
            Some(KeyFile::Key(_)) => Location::File,
            Some(KeyFile::Marker(marker)) => Location::Keyring(marker.key_id),
        })
    }

    /// Moves the key from its file into the keyring. Wherever it stops, one of both has the key.
    ///
    /// # Errors
    /// The keyring does not take it, or the file can't be replaced; the file then still has it.
    pub fn move_key_to_keyring(&self) -> Result<(), Error> {
        let _lock = self.lock_keys()?;
        let path = self.sealing_key_file();
        if let Some(KeyFile::Key(key)) = self.key_file()? {
            let id = key.id();
            let tried = |trouble| Error::of("can't move", &id, trouble);
            let keyring = self.keyring.as_ref().ok_or_else(|| tried(no_keyring()))?;
            keyring.keep(&key).map_err(tried)?;
            home::write(&path, &marker(keyring.name(), &id))?;
        }
        // A writer that was killed may have left the key's bytes beside its file, for whoever copies the disk.
        home::sweep_all(path.parent().unwrap_or(&self.data));
        Ok(())
    }

    /// Moves the key from the keyring into its file. Wherever it stops, one of both has the key.
    ///
    /// # Errors
    /// The keyring does not give it, or the file can't be replaced; the keyring then still has it.
    pub fn move_key_to_file(&self) -> Result<(), Error> {
        let _lock = self.lock_keys()?;
        let (id, was_there) = match self.key_file()? {
            None => return Ok(()),
            // The keyring may still have it, where an earlier move could not finish.
            Some(KeyFile::Key(key)) => (key.id(), true),
            Some(KeyFile::Marker(marker)) => {
                let key = self.kept(&marker)?;
                home::write(&self.sealing_key_file(), key.expose())?;
                (marker.key_id, false)
            }
        };
        match self.keyring.as_ref().map_or(Ok(()), |keyring| keyring.forget(&id)) {
            // Of a machine without a keyring nobody says that it still keeps something.
            Err(Trouble::Unreachable(_)) if was_there => Ok(()),
            forgotten => {
                forgotten.map_err(|trouble| Error::of("the file has it, and the keyring still keeps", &id, trouble))
            }
        }
    }

    /// Two that move the key at once could each remove what the other has just written.
    fn lock_keys(&self) -> Result<std::fs::File, Error> {
        let file = self.sealing_key_file();
        let directory = file.parent().unwrap_or(&self.data);
        let refuse = |why: String| home::Error { what: "lock the directory", path: directory.to_owned(), why };
        let opened = std::fs::File::open(directory).map_err(|error| refuse(error.to_string()))?;
        opened.try_lock().map_err(|_| refuse("the key is being moved by another command".to_owned()))?;
        Ok(opened)
    }

    fn key_file(&self) -> Result<Option<KeyFile>, Error> {
        let path = self.sealing_key_file();
        let Some(content) = home::read_private(&path, LONGEST)?.map(zeroize::Zeroizing::new) else {
            return Ok(None);
        };
        if let Ok(bytes) = <&[u8; 32]>::try_from(content.as_slice()) {
            return Ok(Some(KeyFile::Key(SealingKey::from_bytes(bytes))));
        }
        // What the parser says of it is not repeated: a file that is no marker may be half a key.
        let marker: Option<Marker> = serde_json::from_slice(&content).ok();
        match marker.filter(|marker| marker.schema_version == SCHEMA_VERSION) {
            Some(marker) => Ok(Some(KeyFile::Marker(marker))),
            None => Err(Error::Damaged(path)),
        }
    }

    fn kept(&self, marker: &Marker) -> Result<SealingKey, Error> {
        let tried = |trouble| Error::of("can't get", &printable(&marker.key_id), trouble);
        let keyring = self.keyring.as_ref().ok_or_else(|| tried(no_keyring()))?;
        if keyring.name() != marker.kept_in {
            return Err(Error::Unknown { path: self.sealing_key_file(), place: printable(&marker.kept_in) });
        }
        let key = keyring.find(&marker.key_id).map_err(tried)?;
        // Whoever can write to the keyring must not choose what new secrets are sealed with.
        if key.id() == marker.key_id { Ok(key) } else { Err(tried(Trouble::Other)) }
    }

    fn make_key(&self) -> Result<SealingKey, Error> {
        let path = self.sealing_key_file();
        if let Some(sealed) = self.sealed_before() {
            // Another command may have made the key, and sealed with it, since this one looked for it.
            return self.made_key()?.ok_or_else(|| self.key_is_gone(&sealed));
        }
        let mut key = SealingKey::generate().map_err(Error::Random)?;
        let keyring = match &self.keyring {
            Some(keyring) if keyring.keep_new(&key).map_err(|t| Error::of("can't keep", &key.id(), t))? => {
                Some(keyring)
            }
            // A keyring that answered too late may have it all the same, and what is in two places is as open as the
            // worse of both: the file gets a key of its own.
            Some(_) => {
                key = SealingKey::generate().map_err(Error::Random)?;
                None
            }
            None => None,
        };
        let content = keyring.map(|keyring| zeroize::Zeroizing::new(marker(keyring.name(), &key.id())));
        let made = home::create(&path, content.as_ref().map_or(key.expose(), |content| content.as_slice()));
        if let (Some(keyring), Ok(false) | Err(_)) = (keyring, &made) {
            // Another command was first, or the disk is full. A key that nothing names does no harm where it can't be
            // removed, and what counts is the outcome above.
            keyring.forget(&key.id()).unwrap_or_default();
        }
        if made? {
            return Ok(key);
        }
        let vanished = home::Error { what: "read", path, why: "it vanished".to_owned() };
        self.made_key()?.ok_or(Error::File(vanished))
    }

    /// A directory in which something sealed lies: one of forge's own, or one that a grant lends to a plugin. Tokens
    /// don't count: they can be had again.
    fn sealed_before(&self) -> Option<PathBuf> {
        let is_store = |directory: &PathBuf| directory.join(STORE_FILE).symlink_metadata().is_ok();
        let holds = |directory: &PathBuf| {
            let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
            // The store's lock is there before its key, and its id comes after it.
            is_store(directory) || entries.take(16).any(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
        };
        let own = [self.local_store(), self.data.join("credentials")].into_iter().find(holds);
        own.or_else(|| self.granted_stores().into_iter().find(is_store))
    }

    /// The sealed directories of all grants, the user's and the projects'. A grant that can't be read lends nothing.
    fn granted_stores(&self) -> Vec<PathBuf> {
        let within = |folder: PathBuf| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.take(MOST).map(|entry| entry.path())
        };
        let grants = self.data.join("grants");
        let files = within(grants.clone()).chain(within(grants.join("projects")).flat_map(within));
        let json = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
        let grants = json.take(MOST).filter_map(|file| {
            let text = home::read_private(&file, LONGEST_GRANT).ok()??;
            serde_json::from_slice::<Grant>(&text).ok()
        });
        let sealed = grants.flat_map(|grant| grant.directories).filter(|directory| directory.sealed);
        sealed.map(|directory| directory.path.into()).collect()
    }
}

fn no_keyring() -> Trouble {
    Trouble::Unreachable("this program has none".to_owned())
}

fn marker(place: &str, id: &str) -> Vec<u8> {
    let marker = Marker { schema_version: SCHEMA_VERSION, kept_in: place.to_owned(), key_id: id.to_owned() };
    // Three plain fields can't fail to be written.
    let mut text = serde_json::to_vec(&marker).unwrap_or_default();
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests;
