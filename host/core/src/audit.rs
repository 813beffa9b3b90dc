//! The audit log: what was asked for, what went out and how it ended, each record chained to the one before, never a value.
//!
//! Whoever has the user's own id and key can write the chain anew; a head that is kept elsewhere shows that. Against
//! everybody else (a copy on a server, a backup, a program that can write the folder and has no key) each changed,
//! removed, swapped or added record and a cut tail are found and placed by [`Audit::verify`].

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use crate::Kind;
use crate::home::{self, Home};
use crate::keyring;
use crate::provider::Failure;

mod chain;
mod folder;
mod head;
mod key;
mod record;
mod verify;

pub use head::{Mark, MarkError};
pub use record::{Asked, Change, Ended, Ending, Who};
pub use verify::{Break, Expected, Fault, Report};

use chain::Writer;
use folder::Folder;
use key::Keys;
use record::Body;

/// How large a file of the log grows before the next one is begun, in bytes, unless the configuration says otherwise.
pub const ROTATE_AT: u64 = 16 << 20;

/// What happens where the log can't be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Nothing is done, and nothing handed out.
    #[default]
    Refuse,
    /// It is done all the same, and told.
    Warn,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What happens where it can't be.
    pub on_failure: OnFailure,
    /// Whether each write is on the disk before anything goes on.
    pub sync: bool,
    /// How large a file grows, in bytes.
    pub rotate_at: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { on_failure: OnFailure::Refuse, sync: false, rotate_at: ROTATE_AT }
    }
}

/// Why something can't be recorded, or the log not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] home::Error),
    /// There is no key for the chain.
    #[error("can't write the audit log: {0}")]
    Key(#[source] keyring::Error),
    /// The system has no random bytes.
    #[error("can't write the audit log: the system gives no random bytes")]
    Random,
    /// There is no log.
    #[error("there is no audit log yet, so nothing in it could be looked for")]
    NoLog,
    /// There is a log, and no key at all.
    #[error("can't check the audit log in `{}`: the sealing key that it was written with is gone", .0.display())]
    NoKey(PathBuf),
}

impl Error {
    /// The kind, which decides the exit code.
    pub fn kind(&self) -> Kind {
        match self {
            Self::File(_) | Self::Random => Kind::Internal,
            Self::Key(error) => error.kind(),
            Self::NoLog => Kind::NotFound,
            Self::NoKey(_) => Kind::Integrity,
        }
    }

    /// What to do.
    pub fn hint(&self) -> Option<String> {
        let refused = "every operation is audited, so nothing is answered until the log can be written";
        match self {
            Self::File(_) | Self::Random => Some(refused.to_owned()),
            Self::Key(error) => error.hint(),
            Self::NoLog => None,
            Self::NoKey(_) => Some("put it back from a backup".to_owned()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { hint: error.hint(), ..Self::new(error.kind(), error.to_string()) }
    }
}

/// Ties the records of one operation together, or of those that one call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(u64);

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The log of one user. Clones share what is open.
#[derive(Clone, Debug)]
pub struct Audit {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    home: Home,
    folder: Folder,
    settings: Settings,
    who: Who,
    writer: Mutex<Option<Writer>>,
    /// The first id, which is random, and how many there have been: ids of one process never meet, and those of several
    /// meet less often than if each were random.
    first: OnceLock<u64>,
    ids: AtomicU64,
    /// Why something was not recorded, until somebody is told.
    trouble: Mutex<Option<String>>,
    /// Whether the key could not be had, and nothing is recorded for the rest of this process: a keyring that was asked
    /// once is not asked again for each record.
    has_given_up: AtomicBool,
}

/// A change that has begun.
#[derive(Debug)]
#[must_use = "how it ends has to be recorded"]
pub struct Begun<'a> {
    id: Id,
    change: Change<'a>,
}

impl Begun<'_> {
    /// Adds what is known only now, for the record of its end.
    pub fn add(&mut self, name: &'static str, text: impl AsRef<str>) {
        self.change.add(name, text.as_ref());
    }
}

impl Audit {
    /// The log in this user's data directory. Nothing is opened before there is something to record.
    pub fn new(home: &Home, settings: Settings, who: Who) -> Self {
        let shared = Shared {
            home: home.clone(),
            folder: Folder::new(&home.data),
            settings,
            who,
            writer: Mutex::default(),
            first: OnceLock::new(),
            ids: AtomicU64::new(0),
            trouble: Mutex::default(),
            has_given_up: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The file that records are appended to.
    pub fn file(&self) -> PathBuf {
        self.shared.folder.current()
    }

    /// The files of the log, oldest first.
    ///
    /// # Errors
    /// The folder can't be listed.
    pub fn files(&self) -> Result<Vec<PathBuf>, Error> {
        Ok(self.shared.folder.files()?.all().into_iter().map(|(_, path)| path).collect())
    }

    /// Where its user's state lies.
    pub(crate) fn home(&self) -> &Home {
        &self.shared.home
    }

    /// Who asks, as this process knows it.
    pub fn who(&self) -> &Who {
        &self.shared.who
    }

    /// A name for an operation, or for those of one call.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn id(&self) -> Result<Id, Error> {
        let Shared { first, ids, .. } = &*self.shared;
        let first = match first.get() {
            Some(first) => *first,
            None => {
                let mut random = [0; 8];
                getrandom::fill(&mut random).map_err(|_| Error::Random)?;
                *first.get_or_init(|| u64::from_be_bytes(random))
            }
        };
        Ok(Id(first.wrapping_add(ids.fetch_add(1, Ordering::Relaxed))))
    }

    /// Records that operations begin, before anything of them is done, so that one whose process dies shows.
    ///
    /// # Errors
    /// The log can't be written, and the settings say that nothing goes on then.
    pub fn begin<'a>(&self, operations: impl IntoIterator<Item = (&'a Id, &'a Asked<'a>)>) -> Result<(), Error> {
        if self.has_given_up() {
            return Ok(());
        }
        let bodies: Vec<Body> =
            operations.into_iter().map(|(id, asked)| record::begin(id, &self.shared.who, asked)).collect();
        self.append(&bodies)
    }

    /// Records how operations ended and the requests that they made; those that did not get as far as their beginning
    /// (`is_begun`) begin here as well.
    ///
    /// # Errors
    /// As [`Audit::begin`]; whoever asked must then not hand out the value.
    pub fn end(&self, operations: &[Ending<'_>], is_begun: bool) -> Result<(), Error> {
        if self.has_given_up() {
            return Ok(());
        }
        let who = &self.shared.who;
        let mut bodies = Vec::with_capacity(operations.len() * 3);
        if !is_begun {
            bodies.extend(operations.iter().map(|Ending { id, asked, .. }| record::begin(id, who, asked)));
        }
        for Ending { id, asked, ended, requests } in operations {
            bodies.extend(requests.iter().map(|request| record::request(id, request)));
            bodies.push(record::operation(id, who, asked, ended));
        }
        self.append(&bodies)
    }

    /// Records that a change of forge's own state begins.
    ///
    /// # Errors
    /// As [`Audit::begin`]: nothing may be changed then.
    pub fn change<'a>(&self, change: Change<'a>) -> Result<Begun<'a>, Error> {
        let id = self.id()?;
        self.append(&[record::change(&id, &self.shared.who, &change, None)])?;
        Ok(Begun { id, change })
    }

    /// Records how a change ended, and answers that: a change that was made stays made where its end can't be recorded,
    /// which is then what the caller is told.
    ///
    /// # Errors
    /// The change's own failure, or [`Audit::begin`]'s.
    pub fn changed<T>(&self, begun: &Begun<'_>, answer: Result<T, Failure>) -> Result<T, Failure> {
        let outcome = answer.as_ref().err().map_or("ok", |failure| failure.kind.token());
        let body = record::change(&begun.id, &self.shared.who, &begun.change, Some(outcome));
        match (self.append(&[body]), answer) {
            (Err(error), Ok(_)) => Err(Failure::from(error).with_hint("it was done, and its end is not on record")),
            // The change's own failure says more than that it could not be recorded.
            (_, answer) => answer,
        }
    }

    /// What the log holds for a value: its keyed HMAC. Where there is no key, nothing.
    pub fn value(&self, value: &[u8]) -> Option<String> {
        if self.has_given_up() {
            return None;
        }
        let mut writer = self.writer();
        let writer = self.opened(&mut writer).ok()?;
        Some(writer.keys().value(value))
    }

    /// The same for whoever looks for a value in the log.
    ///
    /// # Errors
    /// There is no key, or it can't be had. None is made.
    pub fn hash(&self, value: &[u8]) -> Result<String, Error> {
        let folder = &self.shared.folder;
        match self.keys()? {
            Some(keys) => Ok(keys.value(value)),
            None if folder.files()?.is_empty() => Err(Error::NoLog),
            None => Err(Error::NoKey(folder.path().to_owned())),
        }
    }

    /// Follows the whole chain.
    ///
    /// # Errors
    /// The log or its key can't be read. What does not fit is no error but [`Report::fault`].
    pub fn verify(&self, expected: Expected) -> Result<Report, Error> {
        let folder = &self.shared.folder;
        match self.keys()? {
            Some(keys) => Ok(verify::verify(folder, &keys, expected)?),
            None if folder.files()?.is_empty() && expected.head.is_none() => Ok(Report::default()),
            None => Err(Error::NoKey(folder.path().to_owned())),
        }
    }

    /// Why something was not recorded although it was done, since this was last asked.
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keys(&self) -> Result<Option<Keys>, Error> {
        let key = self.shared.home.made_key().map_err(Error::Key)?;
        Ok(key.map(|key| Keys::of(&key)))
    }

    fn has_given_up(&self) -> bool {
        self.shared.has_given_up.load(Ordering::Relaxed)
    }

    fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened<'w>(&self, writer: &'w mut Option<Writer>) -> Result<&'w mut Writer, Error> {
        if let Some(writer) = writer {
            return Ok(writer);
        }
        let key = self.shared.home.sealing_key().map_err(Error::Key)?;
        Ok(writer.insert(Writer::open(&self.shared.folder, Keys::of(&key))?))
    }

    fn append(&self, bodies: &[Body]) -> Result<(), Error> {
        if bodies.is_empty() || self.has_given_up() {
            return Ok(());
        }
        let mut writer = self.writer();
        let opened = self.opened(&mut writer);
        let written = opened.and_then(|writer| Ok(writer.append(bodies, &self.shared.settings)?));
        match (written, self.shared.settings.on_failure) {
            (Err(error), OnFailure::Warn) => {
                self.shared.has_given_up.store(matches!(error, Error::Key(_)), Ordering::Relaxed);
                let mut trouble = self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner);
                trouble.get_or_insert_with(|| format!("this is not on record: {error}"));
                Ok(())
            }
            (written, _) => written,
        }
    }
}

/// A file of the log as `tail` reads it: the lines that are there, without looking at their chain.
///
/// # Errors
/// It can't be read, or others could have written it.
pub fn open(path: &Path) -> Result<Option<std::fs::File>, home::Error> {
    home::open_private(path)
}

#[cfg(test)]
mod tests;
