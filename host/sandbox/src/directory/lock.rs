//! One writer at a time: the lock that a writing call holds, and what it finds left by one that died.

use std::fs::{File, TryLockError};
use std::io;
use std::time::Duration;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use forge_core::Kind;
use forge_core::provider::Failure;

use super::{Directory, LOCK_FILE, Open, STORE_FILE};

/// How long a writer waits for the lock of another one.
const WAIT: Duration = Duration::from_secs(10);

/// Holds the directory's lock; dropping it, or dying, lets the next writer go on.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Directory {
    /// Takes the lock for a call that writes; makes the store where there is none, and removes what a dead writer left.
    pub(crate) async fn lock(&self) -> Result<Lock, Failure> {
        self.check_writable()?;
        let dir = self.locked_directory()?;
        let file = self.lock_file(&dir)?;
        let begun = tokio::time::Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(self.failure("lock", "", error)),
                Err(TryLockError::WouldBlock) if begun.elapsed() < WAIT => {
                    tokio::time::sleep(Duration::from_millis(2)).await
                }
                Err(TryLockError::WouldBlock) => {
                    let what =
                        format!("another process has been writing to `{}` for {} seconds", self.path, WAIT.as_secs());
                    return Err(Failure::new(Kind::Timeout, what));
                }
            }
        }
        match dir.remove_file(self.temporary()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.failure("remove", self.temporary(), error)),
        }
        if let Some(seal) = &self.seal
            && self.open()?.is_none()
        {
            let key = seal.of_new_store()?;
            let mut id = [0; 16];
            getrandom::fill(&mut id).map_err(|error| self.failure("make", STORE_FILE, error))?;
            self.write_whole(&dir, STORE_FILE, &[id.as_slice(), &key.id_bytes()].concat())?;
        }
        Ok(Lock { _file: file })
    }

    fn locked_directory(&self) -> Result<Dir, Failure> {
        if self.only.is_some() {
            let missing = || self.failure("open", "", "there is no such directory");
            return self.open()?.map(|Open { dir, .. }| dir).ok_or_else(missing);
        }
        self.reached(true).map_err(|error| self.failure("make", "", error))
    }

    /// What is locked: a file of the store's own, or, so that nothing is left in somebody's project, the folder itself.
    fn lock_file(&self, dir: &Dir) -> Result<File, Failure> {
        if self.only.is_some() {
            return dir.open(".").map(cap_std::fs::File::into_std).map_err(|error| self.failure("lock", "", error));
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).mode(0o600);
        let file = dir.open_with(LOCK_FILE, &options).map_err(|error| self.failure("open", LOCK_FILE, error))?;
        Ok(file.into_std())
    }
}
