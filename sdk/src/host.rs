//! What the host lends a plugin beside HTTP: settings, log, clock, random bytes, files, environment.

#[cfg(not(target_arch = "wasm32"))]
use crate::fake::call as host;
#[cfg(target_arch = "wasm32")]
use crate::import as host;

/// The provider's settings, as its user gave them and the host normalised them.
pub mod settings {
    use super::host;
    use crate::Error;

    /// The setting, where it has a value; the manifest's default counts.
    #[must_use]
    pub fn get(name: &str) -> Option<String> {
        host::setting(name)
    }

    /// The setting, which must have a value.
    ///
    /// # Errors
    ///
    /// `invalid-request`, naming the setting.
    pub fn required(name: &str) -> Result<String, Error> {
        get(name).ok_or_else(|| Error::invalid_request(format!("the setting `{name}` has no value")))
    }
}

/// Lines for a person who asked for details; never write a value into one.
pub mod log {
    use super::host;

    /// How much a line matters.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Level {
        /// For the plugin's author.
        Debug,
        /// For a curious user.
        Info,
        /// Something was left out or done differently.
        Warn,
        /// Something failed and the call goes on.
        Error,
    }

    /// Writes one line; the host cuts and escapes it.
    pub fn write(level: Level, message: &str) {
        host::write_log(level, message);
    }

    /// Writes one line for the plugin's author.
    pub fn debug(message: &str) {
        write(Level::Debug, message);
    }

    /// Writes one line about something that was left out or done differently.
    pub fn warn(message: &str) {
        write(Level::Warn, message);
    }
}

/// The time, from the host.
pub mod clock {
    use super::host;
    use crate::Timestamp;

    /// Milliseconds since the Unix epoch, UTC.
    #[must_use]
    pub fn now() -> Timestamp {
        host::now()
    }
}

/// Random bytes, from the host.
pub mod random {
    use super::host;

    /// As many random bytes; the host traps a plugin that asks for too many at once.
    #[must_use]
    pub fn bytes(length: u32) -> Vec<u8> {
        host::random_bytes(length)
    }
}

/// Environment variables whose names were granted.
pub mod environment {
    use super::host;

    /// The value, where the name was granted and the variable is set; it need not be UTF-8.
    #[must_use]
    pub fn get(name: &str) -> Option<Vec<u8>> {
        host::variable(name)
    }

    /// The names that were granted and are set, in order; one that is not UTF-8 is never among them.
    #[must_use]
    pub fn names() -> Vec<String> {
        host::variables()
    }
}

/// Files below the one directory that was granted, named by relative paths with `/` between segments.
///
/// Where one file was granted and no directory, its path is the name of the setting that names it, such as `file`.
///
/// The host holds the directory's lock for the whole of a writing call, so reading, comparing and writing
/// in one call is safe.
pub mod files {
    use super::host;
    use crate::{Error, Timestamp};

    /// A file in a listing.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct File {
        /// Its path below the granted directory.
        pub path: String,
        /// Its size in bytes.
        pub size: u64,
        /// When it was last written.
        pub modified_at: Timestamp,
    }

    /// One page of a listing.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct FilePage {
        /// The files, sorted by the bytes of their paths.
        pub files: Vec<File>,
        /// The cursor of the next page; `None` ends the listing.
        pub next: Option<String>,
    }

    /// The whole content; `None` where there is no such file.
    ///
    /// # Errors
    ///
    /// What the host said: a path that leaves the directory, a seal that doesn't fit, a disk that fails.
    pub fn read(path: &str) -> Result<Option<Vec<u8>>, Error> {
        host::read_file(path)
    }

    /// Writes the whole file, atomically and durably, and makes the folders it needs.
    ///
    /// # Errors
    ///
    /// What the host said.
    pub fn write(path: &str, content: &[u8]) -> Result<(), Error> {
        host::write_file(path, content)
    }

    /// Removes the file; `true` where there was one.
    ///
    /// # Errors
    ///
    /// What the host said.
    pub fn remove(path: &str) -> Result<bool, Error> {
        host::remove_file(path)
    }

    /// The files whose paths begin with the prefix, in all folders below, at most `limit` of them.
    ///
    /// Folders whose names begin with a dot are left out unless the prefix leads into them, so that a plugin can keep
    /// there what belongs to other files.
    ///
    /// # Errors
    ///
    /// What the host said; `invalid-request` for a cursor it did not make.
    pub fn list(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<FilePage, Error> {
        host::list_files(prefix, cursor, limit)
    }
}
