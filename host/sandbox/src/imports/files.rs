//! `files`: the granted directory.

use forge_core::Kind;
use forge_core::provider::Failure;

use crate::bindings::imports::forge::plugin::files;
use crate::bindings::types;
use crate::directory::Directory;
use crate::limit;
use crate::state::State;

/// The most entries of one page.
const PAGE: u32 = 10_000;

impl State {
    /// Reads, lists or removes in the directory. What breaks a rule is the host's own word; what the disk refuses is told
    /// to the guest, which knows whether its operation is done without it.
    fn in_directory<T>(&mut self, act: impl FnOnce(&Directory) -> Result<T, Failure>) -> Result<T, types::Error> {
        let Some(directory) = self.directory.clone() else {
            return Err(told(Kind::NotGranted));
        };
        act(&directory).map_err(|failure| {
            let kind = failure.kind;
            if matches!(kind, Kind::NotGranted | Kind::PluginFault) {
                self.refuse(failure);
            } else {
                self.miss(failure);
            }
            told(kind)
        })
    }

    /// Writes in the directory; what fails is told to the guest by kind, and kept as the host's own word.
    fn write_in_directory<T>(&mut self, act: impl FnOnce(&Directory) -> Result<T, Failure>) -> Result<T, types::Error> {
        let Some(directory) = self.directory.clone() else {
            return Err(told(Kind::NotGranted));
        };
        act(&directory).map_err(|failure| {
            let kind = failure.kind;
            self.refuse(failure);
            told(kind)
        })
    }

    /// Whether this call may change another file by this many bytes.
    fn may_write(&mut self, bytes: usize) -> Result<(), Failure> {
        self.changes.0 = self.changes.0.saturating_add(1);
        self.changes.1 = self.changes.1.saturating_add(bytes as u64);
        if self.changes.0 > limit::FILE_CHANGES || self.changes.1 > limit::FILE_BYTES {
            let what =
                format!("plugin `{}` used up its budget: more files or bytes than one call may write", self.plugin);
            return Err(Failure::new(Kind::PluginFault, what));
        }
        // Only calls of the writing abilities hold the lock, so a read that writes is a plugin that lies.
        if self.lock.is_some() {
            return Ok(());
        }
        Err(Failure::new(Kind::NotGranted, format!("plugin `{}` tried to write a file during a read", self.plugin)))
    }
}

/// The error that a guest hears: a kind, and nothing about this machine.
fn told(kind: Kind) -> types::Error {
    let kind = match kind {
        Kind::NotGranted => types::ErrorKind::DeniedByHost,
        Kind::TooLarge => types::ErrorKind::TooLarge,
        Kind::Integrity => types::ErrorKind::Upstream,
        _ => types::ErrorKind::Internal,
    };
    types::Error {
        kind,
        message: String::new(),
        status: None,
        code: None,
        retry_after_ms: None,
        attributes: Vec::new(),
    }
}

impl files::Host for State {
    async fn read(&mut self, path: String) -> wasmtime::Result<Result<Option<Vec<u8>>, types::Error>> {
        Ok(self.in_directory(|directory| Ok(directory.read(&path)?.map(|mut content| std::mem::take(&mut *content)))))
    }

    async fn write(&mut self, path: String, content: Vec<u8>) -> wasmtime::Result<Result<(), types::Error>> {
        let content = zeroize::Zeroizing::new(content);
        let allowed = self.may_write(content.len());
        Ok(self.write_in_directory(|directory| allowed.and_then(|()| directory.write(&path, &content))))
    }

    async fn remove(&mut self, path: String) -> wasmtime::Result<Result<bool, types::Error>> {
        let allowed = self.may_write(0);
        Ok(self.in_directory(|directory| allowed.and_then(|()| directory.remove(&path))))
    }

    async fn list(
        &mut self,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Result<(Vec<files::Entry>, Option<String>), types::Error>> {
        let limit = usize::try_from(limit.clamp(1, PAGE)).unwrap_or(1);
        Ok(self.in_directory(|directory| {
            let (listed, next) = directory.list(&prefix, cursor.as_deref(), limit)?;
            let entry = |file: crate::directory::Listed| files::Entry {
                path: file.path,
                size: file.size,
                modified_at: file.modified_at,
            };
            Ok((listed.into_iter().map(entry).collect(), next))
        }))
    }
}
