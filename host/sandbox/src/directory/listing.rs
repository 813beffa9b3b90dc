//! Listings of a directory: in the order of the paths, page by page, from one look at the disk.

use std::io;
use std::sync::PoisonError;

use cap_std::fs::{Dir, ReadDir};
use forge_core::Kind;
use forge_core::provider::Failure;
use forge_core::sealing;

use super::{Directory, check_path, is_reserved};

/// The most files of one listing: what is kept of each between two pages is its path.
const MOST: usize = 1_000_000;

/// Folders below each other, of which no path that can be written has as many.
const DEEPEST: u32 = 1024;

/// A file as a listing shows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) modified_at: u64,
}

/// What the first page of a listing found.
#[derive(Debug)]
pub(super) struct Snapshot {
    prefix: String,
    paths: Vec<String>,
}

impl Directory {
    /// At most `limit` files whose paths begin with `prefix` and come after `cursor`, in order, and the next cursor.
    ///
    /// Folders whose names begin with a dot are left out unless the prefix leads into them: they hold what belongs to
    /// other files. The pages after the first come from what the first found, so that a listing reads each folder once.
    pub(crate) fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Listed>, Option<String>), Failure> {
        let Some(open) = self.open()? else { return Ok((Vec::new(), None)) };
        let mut kept = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = match kept.take() {
            Some(snapshot) if cursor.is_some() && snapshot.prefix == prefix => snapshot,
            _ => Snapshot { prefix: prefix.to_owned(), paths: self.paths(&open.dir, prefix)? },
        };
        let start = cursor.map_or(0, |cursor| snapshot.paths.partition_point(|path| path.as_str() <= cursor));
        let rest = snapshot.paths.get(start..).unwrap_or_default();
        let listed = rest.iter().take(limit).filter_map(|path| self.listed(&open.dir, path)).collect();
        let next = rest.get(limit).and(rest.get(..limit)).and_then(<[String]>::last).cloned();
        // The last page ends the listing, and with it the need for what was found.
        *kept = next.is_some().then_some(snapshot);
        Ok((listed, next))
    }

    /// Forgets what a listing found: the caller is about to change it.
    pub(super) fn forget_listing(&self) {
        *self.listing.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn paths(&self, dir: &Dir, prefix: &str) -> Result<Vec<String>, Failure> {
        if let Some(only) = &self.only {
            let is_there = only.shown.starts_with(prefix) && dir.symlink_metadata(&only.name).is_ok();
            return Ok(is_there.then(|| only.shown.clone()).into_iter().collect());
        }
        let mut paths = Vec::new();
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        if folder.is_empty() {
            self.walk(dir.entries(), "", prefix, &mut paths, 0)?;
        } else {
            check_path(folder)?;
            self.walk(dir.read_dir(folder), folder, prefix, &mut paths, 0)?;
        }
        paths.sort_unstable();
        Ok(paths)
    }

    fn walk(
        &self,
        entries: io::Result<ReadDir>,
        folder: &str,
        prefix: &str,
        paths: &mut Vec<String>,
        depth: u32,
    ) -> Result<(), Failure> {
        let refuse = |error: io::Error| self.failure("list", folder, error);
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(refuse(error)),
        };
        for entry in entries {
            let entry = entry.map_err(refuse)?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !is_reserved(name)) else { continue };
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let kind = entry.file_type().map_err(refuse)?;
            // A folder may lie on the way to the prefix; of its files only those behind the prefix count.
            if kind.is_dir() && (path.starts_with(prefix) || prefix.starts_with(&path)) {
                let is_hidden = name.starts_with('.') && !prefix.starts_with(&path);
                if !is_hidden && depth < DEEPEST {
                    self.walk(entry.open_dir().and_then(|dir| dir.entries()), &path, prefix, paths, depth + 1)?;
                }
            } else if kind.is_file() && path.starts_with(prefix) {
                if paths.len() == MOST {
                    let what = format!("`{}` holds more than {MOST} files, which is no listing any more", self.path);
                    return Err(Failure::new(Kind::TooLarge, what));
                }
                paths.push(path);
            }
        }
        Ok(())
    }

    /// A file as the listing shows it; `None` where it vanished since.
    fn listed(&self, dir: &Dir, path: &str) -> Option<Listed> {
        let name = self.only.as_ref().map_or(path, |only| &only.name);
        let metadata = dir.symlink_metadata(name).ok()?;
        let modified =
            metadata.modified().ok().and_then(|time| time.into_std().duration_since(std::time::UNIX_EPOCH).ok());
        let modified_at = modified.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let overhead = if self.seal.is_some() { sealing::OVERHEAD as u64 } else { 0 };
        Some(Listed { path: path.to_owned(), size: metadata.len().saturating_sub(overhead), modified_at })
    }
}
