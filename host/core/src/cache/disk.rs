//! Copies in sealed files, which the next process finds: by choice, and never in the way of a read.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use super::memory::LARGEST;
use super::moment::Moment;
use super::sealed::{ENDING, Keys, Opened};
use super::{CacheKey, Copy, Rules};
use crate::home::{self, Home};
use crate::notice::Notices;
use crate::sealing::hex;
use crate::secret::Secret;

/// The most files, and the most bytes in them. What was written longest ago makes room.
const MOST_FILES: usize = 1024;
const MOST_BYTES: u64 = 64 << 20;

/// Of how many writes of a process one looks at how much there is: the bounds are passed by no more than that for each
/// process that writes.
const LOOKED_AT: u32 = 32;

/// The longest file that is read: the largest value, and what is known of it.
const LONGEST: u64 = (LARGEST as u64) * 2;

/// How old a file is that was begun and not finished, so that nobody is writing it any more.
const LEFT: Duration = Duration::from_secs(600);

/// How the name of a file begins that is being written.
const UNFINISHED: &str = ".new-";

/// The copies of one user on disk.
#[derive(Debug)]
pub struct Disk {
    home: Home,
    folder: PathBuf,
    keys: OnceLock<Option<Keys>>,
    /// Whether there were copies when this was first asked.
    had_any: OnceLock<bool>,
    notices: Notices,
    writes: AtomicU32,
}

/// A copy on disk, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The provider's name.
    pub provider: String,
    /// The path within the provider.
    pub path: String,
    /// The version that was asked for.
    pub version: Option<String>,
    /// How long ago the backend said so; `None` for a file that is of no use.
    pub age: Option<Duration>,
    /// How long its file is.
    pub bytes: u64,
    file: PathBuf,
}

/// Where the copies of one user lie.
fn folder(home: &Home) -> PathBuf {
    home.cache.join("secrets")
}

impl Disk {
    /// Whether this user has copies on disk, or had some: rules that keep none now may have kept them.
    pub fn has_any(home: &Home) -> bool {
        folder(home).exists()
    }

    /// The copies in this user's cache directory. Nothing is opened before something is looked for.
    ///
    /// Why a file is of no use is a detail for `notices`, since the secret is read anew.
    pub fn new(home: &Home, notices: &Notices) -> Self {
        Self {
            home: home.clone(),
            folder: folder(home),
            keys: OnceLock::new(),
            had_any: OnceLock::new(),
            notices: notices.clone(),
            writes: AtomicU32::new(0),
        }
    }

    fn keys(&self) -> Option<&Keys> {
        let found = || match self.home.sealing_key() {
            Ok(key) => Some(Keys::of(key)),
            Err(error) => {
                self.notices.detail(format!("no copies are kept on disk: {error}"));
                None
            }
        };
        self.keys.get_or_init(found).as_ref()
    }

    pub(super) fn get(&self, key: &CacheKey) -> Option<Copy> {
        let keys = self.keys()?;
        let name = keys.name(key);
        let path = self.folder.join(&name);
        let opened = self.opened(keys, &path, &name)?;
        // The name is made of the key, so this is what the seal has shown already.
        (opened.key == *key).then_some(opened.copy)
    }

    /// A file's content; one that is of no use is removed, and the secret read anew.
    fn opened(&self, keys: &Keys, path: &Path, name: &str) -> Option<Opened> {
        let read = home::read_private(path, LONGEST).map_err(|error| error.to_string());
        let opened = read.transpose()?.and_then(|sealed| keys.open(name, &sealed));
        opened
            .inspect_err(|why| {
                self.notices.detail(format!("dropped the copy `{}`: {why}", path.display()));
                home::remove(path).unwrap_or_default();
            })
            .ok()
    }

    pub(super) fn put(&self, key: &CacheKey, secret: &Secret) {
        if secret.value.len() > LARGEST {
            return self.remove(key);
        }
        let Some(keys) = self.keys() else { return };
        let name = keys.name(key);
        let sealed = keys.seal(&name, key, secret, Moment::now()).map_err(|error| error.to_string());
        let written = sealed.and_then(|sealed| self.write(&self.folder.join(&name), &sealed));
        if let Err(why) = written {
            // An older copy must not stay where the newer one could not be written.
            self.remove(key);
            self.notices.detail(format!("no copy is kept on disk: {why}"));
        }
        if self.writes.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOKED_AT) {
            self.make_room();
        }
    }

    /// Writes a file whole or not at all. It waits for no disk: what a power loss cuts does not open, and is read anew.
    fn write(&self, path: &Path, content: &[u8]) -> Result<(), String> {
        home::make_directory(&self.folder).map_err(|error| error.to_string())?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| error.to_string())?;
        let unfinished = self.folder.join(format!("{UNFINISHED}{}", hex(&random)));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished);
        let written = file.and_then(|mut file| file.write_all(content)).and_then(|()| fs::rename(&unfinished, path));
        written.map_err(|error| {
            fs::remove_file(&unfinished).unwrap_or_default();
            error.to_string()
        })
    }

    /// Removes a copy of before this process: its rules keep none on disk, so it writes none that could be meant.
    pub(super) fn remove_earlier(&self, key: &CacheKey) {
        if *self.had_any.get_or_init(|| Self::has_any(&self.home)) {
            self.remove(key);
        }
    }

    pub(super) fn remove(&self, key: &CacheKey) {
        if let Some(keys) = self.keys().filter(|_| self.folder.exists()) {
            self.dropped(&self.folder.join(keys.name(key)));
        }
    }

    fn dropped(&self, path: &Path) {
        if let Err(error) = home::remove(path) {
            self.notices.warn(format!("an old copy of a secret stays on disk: {error}"));
        }
    }

    /// Removes every version of a path, for every caller.
    pub(super) fn forget(&self, grant: &str, path: &str) {
        if !self.folder.exists() {
            return;
        }
        let Some(keys) = self.keys() else { return };
        let beginning = keys.beginning(grant, path);
        for (file, name, _) in self.files() {
            if name.starts_with(&beginning) {
                self.dropped(&file);
            }
        }
    }

    /// The files that are there: path, name and what the system knows of them.
    fn files(&self) -> impl Iterator<Item = (PathBuf, String, fs::Metadata)> {
        fs::read_dir(&self.folder).into_iter().flatten().flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_ours = name.ends_with(ENDING) || name.starts_with(UNFINISHED);
            let metadata = entry.metadata().ok().filter(|metadata| is_ours && metadata.is_file())?;
            Some((entry.path(), name, metadata))
        })
    }

    fn make_room(&self) {
        let (unfinished, mut files): (Vec<_>, Vec<_>) =
            self.files().partition(|(_, name, _)| name.starts_with(UNFINISHED));
        let written = |metadata: &fs::Metadata| metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        for (file, _, metadata) in &unfinished {
            if written(metadata).elapsed().is_ok_and(|age| age > LEFT) {
                home::remove(file).unwrap_or_default();
            }
        }
        files.sort_by_key(|(.., metadata)| std::cmp::Reverse(written(metadata)));
        let (mut number, mut bytes) = (0, 0);
        for (file, _, metadata) in &files {
            number += 1;
            bytes += metadata.len();
            if number > MOST_FILES || bytes > MOST_BYTES {
                home::remove(file).unwrap_or_default();
            }
        }
    }

    /// The copies that are there, by provider and path. Those that do not open are there as well, without a name.
    ///
    /// # Errors
    /// The sealing key can't be had, so nothing can be told of them.
    pub fn entries(&self) -> Result<Vec<Entry>, crate::keyring::Error> {
        let files: Vec<_> = self.files().filter(|(_, name, _)| name.ends_with(ENDING)).collect();
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let keys = self.home.made_key()?.map(Keys::of);
        let entry = |(file, name, metadata): (PathBuf, String, fs::Metadata)| {
            let read = || home::read_private(&file, LONGEST).ok().flatten();
            let opened = keys.as_ref().and_then(|keys| keys.open(&name, &read()?).ok());
            let bytes = metadata.len();
            match opened {
                Some(Opened { key, copy }) => {
                    let CacheKey { identity, path, version, .. } = key;
                    let provider = identity.provider.clone();
                    Entry { provider, path, version, age: Some(copy.age), bytes, file }
                }
                None => Entry { provider: String::new(), path: String::new(), version: None, age: None, bytes, file },
            }
        };
        let mut entries: Vec<Entry> = files.into_iter().map(entry).collect();
        entries.sort_by(|one, other| (&one.provider, &one.path).cmp(&(&other.provider, &other.path)));
        Ok(entries)
    }

    /// Removes copies.
    ///
    /// # Errors
    /// The system refuses one; those before it are gone.
    pub fn clear(&self, entries: &[Entry]) -> Result<(), home::Error> {
        entries.iter().try_for_each(|entry| home::remove(&entry.file))
    }

    /// Removes everything, whether it can be opened or not; answers how many files there were.
    ///
    /// # Errors
    /// The system refuses.
    pub fn clear_all(&self) -> Result<usize, home::Error> {
        let files: Vec<_> = self.files().collect();
        files.iter().try_for_each(|(file, ..)| home::remove(file))?;
        Ok(files.iter().filter(|(_, name, _)| name.ends_with(ENDING)).count())
    }
}

impl Rules {
    /// Whether copies under these rules lie on disk, too.
    pub(super) fn is_on_disk(&self) -> bool {
        self.disk && self.keeps()
    }
}

#[cfg(test)]
mod tests;
