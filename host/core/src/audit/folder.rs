//! The folder of the audit log: the file that is written to, those that were rotated away, the head, and the lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::home::{self, Error};

/// How long a writer waits for the others: a write takes microseconds, so whoever holds the lock so long was stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// The shortest and the longest pause between two looks at the lock.
const PAUSES: (Duration, Duration) = (Duration::from_micros(10), Duration::from_millis(1));

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// The log's files of a moment, oldest first.
#[derive(Debug)]
pub(super) struct Files {
    /// Those that were rotated away, by the sequence of their first record.
    pub(super) rotated: Vec<(u64, PathBuf)>,
    /// The one that is written to, if it is there.
    pub(super) current: Option<PathBuf>,
}

impl Folder {
    pub(super) fn new(data: &Path) -> Self {
        Self(data.join("audit"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The file that is written to.
    pub(super) fn current(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }

    /// The name of a file that was rotated away, by the sequence of its first record.
    pub(super) fn rotated(&self, first: u64) -> PathBuf {
        self.0.join(format!("audit.{first}.jsonl"))
    }

    pub(super) fn head(&self) -> PathBuf {
        self.0.join("head")
    }

    /// Where the remains go of the line that the record of this sequence tells of.
    pub(super) fn remains(&self, sequence: u64) -> String {
        format!("torn-{sequence}.part")
    }

    pub(super) fn make(&self) -> Result<(), Error> {
        home::make_directory(&self.0)
    }

    pub(super) fn error(what: &'static str, path: &Path, error: impl ToString) -> Error {
        Error { what, path: path.to_owned(), why: error.to_string() }
    }

    /// Opens a file of the folder, made if it is missing, and never through a link to somewhere else.
    pub(super) fn open(path: &Path, appends: bool) -> Result<File, Error> {
        let mut options = OpenOptions::new();
        options.read(true).create(true).mode(0o600);
        options.append(appends).write(true);
        options.custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed());
        let file = options.open(path).map_err(|error| Self::error("write the audit log", path, error))?;
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if is_file { Ok(file) } else { Err(Self::error("write the audit log", path, "it is no regular file")) }
    }

    /// The file that is locked, opened.
    pub(super) fn lock_file(&self) -> Result<File, Error> {
        Self::open(&self.0.join("lock"), false)
    }

    /// Locks the log for this process; the system ends the lock with the process, however that dies.
    ///
    /// # Errors
    /// Another process holds it for longer than any write takes.
    pub(super) fn lock<'a>(&self, file: &'a File, is_shared: bool) -> Result<Lock<'a>, Error> {
        let begun = Instant::now();
        let mut pause = PAUSES.0;
        loop {
            let tried = if is_shared { file.try_lock_shared() } else { file.try_lock() };
            match tried {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::Error(error)) => return Err(Self::error("lock the audit log in", &self.0, error)),
                Err(TryLockError::WouldBlock) if begun.elapsed() > PATIENCE => {
                    let why = format!("another process has held its lock for {} seconds", PATIENCE.as_secs());
                    return Err(Self::error("lock the audit log in", &self.0, why));
                }
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// The files that are there now.
    pub(super) fn files(&self) -> Result<Files, Error> {
        let entries = match std::fs::read_dir(&self.0) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Self::error("list", &self.0, error)),
        };
        let mut rotated = Vec::new();
        for entry in entries.into_iter().flatten() {
            let entry = entry.map_err(|error| Self::error("list", &self.0, error))?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("audit.")?.strip_suffix(".jsonl"));
            // One spelling of each number, so that no two files claim one place.
            let first = number.and_then(|digits| digits.parse::<u64>().ok().filter(|n| n.to_string() == digits));
            rotated.extend(first.map(|first| (first, entry.path())));
        }
        rotated.sort();
        let current = self.current();
        let is_there = current.symlink_metadata().is_ok();
        Ok(Files { rotated, current: is_there.then_some(current) })
    }
}

impl Files {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.rotated.is_empty() && self.current.is_none()
    }

    /// All of them, oldest first, each with the sequence that its name claims for its first record.
    pub(super) fn all(self) -> Vec<(Option<u64>, PathBuf)> {
        let rotated = self.rotated.into_iter().map(|(first, path)| (Some(first), path));
        rotated.chain(self.current.map(|path| (None, path))).collect()
    }
}

/// The lock, held.
#[derive(Debug)]
pub(super) struct Lock<'a>(&'a File);

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // A lock that can't be given back goes with the process.
        self.0.unlock().unwrap_or_default();
    }
}
