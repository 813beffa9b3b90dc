//! The embedded store: a head for each secret and a file for each version, in a directory that the host seals.
//!
//! What a write does, it does in this order: the value's file is durable, then the head that names it takes the old
//! one's place at once, then what the head doesn't name any more is removed. The host lets one writer in at a time.
//! A secret whose head ends in `.secret` is there, whatever else lies beside it; so each change has one moment in
//! which it happens, and a crash before or after it leaves only what the next write removes.

mod head;
mod name;
mod record;

use forge_sdk::{
    Attributes, Entry, Error, ErrorKind, Page, PutOptions, Secret, SecretVersion, Timestamp, VersionPage, VersionState,
    clock, files, log, secret, settings,
};
use head::{Head, State, Version};
use name::{Listed, Place};
use record::Record;

/// How many versions are kept where the setting says nothing.
const KEPT: usize = 10;

/// The most versions that the setting may ask for.
const MOST_KEPT: usize = 100;

/// How often a read that meets a writer begins again.
const ATTEMPTS: u32 = 20;

/// More files than the folder of one secret ever holds, and fewer than the host lets one call remove.
const MOST_FILES: u32 = 500;

/// A secret as its head tells it.
struct Stored {
    place: Place,
    head: Head,
    /// The value, for a secret of the first format.
    inline: Option<Record>,
}

impl Stored {
    /// Reads the head at `file`, which is one of the two of `path`.
    fn read(path: &str, place: &Place, file: &str) -> Result<Option<Self>, Error> {
        let Some(content) = files::read(file)? else { return Ok(None) };
        let (head, inline) = Head::parse(&content)?;
        if place.is_hashed() && head.name.as_deref() != Some(path) {
            return Err(Error::upstream("the file of this secret is damaged: it is another secret's"));
        }
        Ok(Some(Self { place: place.clone(), head, inline }))
    }

    fn live(path: &str) -> Result<Option<Self>, Error> {
        let place = Place::of(path)?;
        Self::read(path, &place, &place.head())
    }

    fn deleted(path: &str) -> Result<Option<Self>, Error> {
        let place = Place::of(path)?;
        Self::read(path, &place, &place.deleted())
    }

    /// The secret that a change is for.
    ///
    /// # Errors
    ///
    /// `not-found`, and `wrong-state` where it is deleted.
    fn changed(path: &str) -> Result<Self, Error> {
        match Self::live(path)? {
            Some(stored) => Ok(stored),
            None if Self::deleted(path)?.is_some() => {
                Err(Error::wrong_state("the secret is deleted; it can be recovered"))
            }
            None => Err(Error::not_found("there is no such secret")),
        }
    }

    /// The value of one of its versions; `None` where a writer removed it since the head was read, or somebody else.
    fn value(&self, version: u64) -> Result<Option<Vec<u8>>, Error> {
        match &self.inline {
            Some(record) => Ok(Some(record.value.clone())),
            None => files::read(&self.place.value(&self.head.life, version)),
        }
    }

    /// Writes what the head is to name: the value of the first format has no file of its own yet.
    fn write_inline(&mut self) -> Result<(), Error> {
        let Some(record) = self.inline.take() else { return Ok(()) };
        files::write(&self.place.value(&self.head.life, record.version), &record.value)
    }

    /// Adds a version and makes it the current one.
    fn add(&mut self, version: Version, value: &[u8], keep: usize) -> Result<SecretVersion, Error> {
        self.write_inline()?;
        let id = self.head.add(version)?;
        self.head.keep(keep);
        let content = self.head.content()?;
        files::write(&self.place.value(&self.head.life, id), value)?;
        files::write(&self.place.head(), &content)?;
        // From here on the write is done; what follows is tidying, which the next write would do as well.
        if let Err(error) = files::remove(&self.place.deleted()).and_then(|_| self.sweep()) {
            log::warn(&format!("the write is done, and what it replaced could not be removed: {error}"));
        }
        self.head.shown(false).into_iter().next().ok_or_else(|| Error::internal("the version was not added"))
    }

    /// Writes the head alone.
    fn rewrite(&mut self, file: &str) -> Result<(), Error> {
        self.write_inline()?;
        files::write(file, &self.head.content()?)
    }

    /// Removes the values that the head doesn't name: older ones, and what a write left that didn't end.
    fn sweep(&self) -> Result<(), Error> {
        let named: Vec<String> =
            self.head.versions.iter().map(|version| self.place.value(&self.head.life, version.id)).collect();
        for file in files::list(self.place.values(), None, MOST_FILES)?.files {
            if !named.contains(&file.path) {
                files::remove(&file.path)?;
            }
        }
        Ok(())
    }
}

/// How many versions the setting says to keep.
fn keep() -> Result<usize, Error> {
    let Some(text) = settings::get("keep") else { return Ok(KEPT) };
    let keep = text.parse().ok().filter(|keep| (1..=MOST_KEPT).contains(keep));
    keep.ok_or_else(|| Error::invalid_request(format!("the setting `keep` is a number from 1 to {MOST_KEPT}")))
}

/// Opens the store, which fails where the host can't.
pub(crate) fn check() -> Result<(), Error> {
    keep()?;
    files::read(".versions/check").map(|_| ())
}

/// The value of a version or of the current one.
pub(crate) fn get(path: &str, wanted: Option<&str>) -> Result<Option<Secret>, Error> {
    for _ in 0..ATTEMPTS {
        let Some(stored) = Stored::live(path)? else { return Ok(None) };
        let Some(version) = stored.head.version(wanted) else { return Ok(None) };
        version.readable(clock::now())?;
        if let Some(value) = stored.value(version.id)? {
            let shown = stored.head.shown(false);
            return Ok(Some(Secret {
                version: shown.into_iter().find(|shown| shown.id == version.id.to_string()),
                content_type: version.content_type.clone(),
                tags: version.tags.clone(),
                ..Secret::new(value)
            }));
        }
        // Readers take no lock. If the head still names the value that is not there, no writer removed it.
        let named = stored.head.versions.iter().map(|version| version.id);
        let again = Stored::live(path)?;
        if again.is_some_and(|again| {
            again.head.life == stored.head.life && again.head.versions.iter().map(|version| version.id).eq(named)
        }) {
            return Err(Error::upstream(format!("the value of version `{}` is missing from the store", version.id)));
        }
    }
    Err(Error::new(ErrorKind::Unavailable, "the secret is written faster than it can be read"))
}

/// What is known about a secret, a deleted one included.
pub(crate) fn describe(path: &str) -> Result<Option<Entry>, Error> {
    match Stored::live(path)? {
        Some(stored) => Ok(Some(stored.head.entry(path, false))),
        None => Ok(Stored::deleted(path)?.map(|stored| stored.head.entry(path, true))),
    }
}

/// Names only, as the directory has them: no file is opened but those whose name is a hash.
pub(crate) fn list(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    let prefix = prefix.filter(|prefix| !prefix.is_empty());
    let folder = prefix.map(name::folder).transpose()?.unwrap_or_default();
    let page = files::list(&folder, cursor, limit)?;
    let mut entries = Vec::with_capacity(page.files.len());
    for file in page.files {
        let path = match name::listed(&file.path) {
            Listed::Secret(path) => Some(path),
            Listed::Hashed => hashed(&file.path),
            Listed::Deleted => continue,
            Listed::Foreign => None,
        };
        match path {
            // The host compares text, so a listing of `app` meets `apple` too.
            Some(path) if is_within(&path, prefix) => entries.push(Entry::new(path)),
            Some(_) => {}
            None => log::warn(&format!("`{}` is no file of a secret and was left out", file.path)),
        }
    }
    Ok(Page { entries, next: page.next })
}

/// The name inside a head whose own name is its hash.
fn hashed(file: &str) -> Option<String> {
    let content = files::read(file).ok()??;
    let name = Head::parse(&content).ok()?.0.name?;
    Place::of(&name).is_ok_and(|place| place.head() == file).then_some(name)
}

/// Whether the path is the prefix or below it, by whole segments.
pub(crate) fn is_within(path: &str, prefix: Option<&str>) -> bool {
    prefix.is_none_or(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Writes a value as the next version. The numbers go on where the secret was deleted before and is still kept.
pub(crate) fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
    options.only(&["content-type", "tags", "expires-at", "expected-version"])?;
    let (keep, now) = (keep()?, clock::now());
    if options.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid_request("the expiry lies in the past"));
    }
    let live = Stored::live(path)?;
    if let Some(expected) = options.expected_version.as_deref() {
        compared(expected, live.as_ref())?;
    }
    let mut stored = match live {
        Some(stored) => stored,
        None => beginning(path, now)?,
    };
    let version = Version {
        id: 0,
        created_at: now,
        state: State::Enabled,
        content_type: options.content_type.clone(),
        tags: options.tags.clone(),
        expires_at: options.expires_at,
    };
    stored.add(version, value, keep)
}

/// What a secret begins with that isn't there: what is kept of a deleted one, or nothing.
fn beginning(path: &str, now: Timestamp) -> Result<Stored, Error> {
    if let Some(mut stored) = Stored::deleted(path)? {
        stored.head.versions.iter_mut().for_each(|version| version.state = State::Deleted);
        return Ok(stored);
    }
    let place = Place::of(path)?;
    let name = place.is_hashed().then(|| path.to_owned());
    Ok(Stored { place, head: Head::new(name, now), inline: None })
}

/// The compare of a compare-and-set.
fn compared(expected: &str, before: Option<&Stored>) -> Result<(), Error> {
    let current = before.map(|stored| stored.head.current().map(|version| version.id.to_string())).transpose()?;
    match current {
        None if expected.is_empty() => Ok(()),
        None => Err(Error::conflict(format!("version `{expected}` was expected, and there is no such secret"))),
        Some(current) if current == expected => Ok(()),
        Some(current) if expected.is_empty() => {
            Err(Error::conflict(format!("no secret was expected, and there is version `{current}`")))
        }
        Some(current) => {
            Err(Error::conflict(format!("version `{expected}` was expected, and the current one is `{current}`")))
        }
    }
}

/// Deletes a secret and keeps all of it.
pub(crate) fn delete(path: &str, options: &Attributes) -> Result<bool, Error> {
    secret::no_attributes(options)?;
    let Some(mut stored) = Stored::live(path)? else { return Ok(false) };
    let deleted = stored.place.deleted();
    stored.rewrite(&deleted)?;
    files::remove(&stored.place.head())
}

/// Takes a deletion back.
pub(crate) fn recover(path: &str) -> Result<(), Error> {
    if Stored::live(path)?.is_some() {
        return Err(Error::wrong_state("the secret is not deleted"));
    }
    let mut stored = Stored::deleted(path)?.ok_or_else(|| Error::not_found("there is no such secret"))?;
    let head = stored.place.head();
    stored.rewrite(&head)?;
    // The secret is there now, whatever else lies beside its head.
    if let Err(error) = files::remove(&stored.place.deleted()) {
        log::warn(&format!("the secret is recovered, and its deleted head could not be removed: {error}"));
    }
    Ok(())
}

/// Removes everything of a secret. No head is opened, so a damaged one can be removed.
pub(crate) fn purge(path: &str) -> Result<bool, Error> {
    let place = Place::of(path)?;
    // The deleted head first: were it left alone by a crash, it could be recovered without its values.
    let mut found = files::remove(&place.deleted())?;
    found |= files::remove(&place.head())?;
    for file in files::list(place.values(), None, MOST_FILES)?.files {
        found |= files::remove(&file.path)?;
    }
    Ok(found)
}

/// The versions, newest first.
pub(crate) fn versions(path: &str, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Error> {
    let (stored, is_deleted) = match Stored::live(path)? {
        Some(stored) => (stored, false),
        None => (Stored::deleted(path)?.ok_or_else(|| Error::not_found("there is no such secret"))?, true),
    };
    let before: u64 = match cursor {
        None => u64::MAX,
        Some(cursor) => cursor.parse().map_err(|_| Error::invalid_request("the cursor is not this plugin's"))?,
    };
    let mut versions = stored.head.shown(is_deleted);
    versions.retain(|version| version.id.parse().is_ok_and(|id: u64| id < before));
    let limit = limit.max(1) as usize;
    let more = versions.len() > limit;
    versions.truncate(limit);
    let next = versions.last().filter(|_| more).map(|version| version.id.clone());
    Ok(VersionPage { versions, next })
}

/// Writes the value of an old version as a new one: history is never rewritten, the numbers only rise, and who expects
/// the version that was current learns that it isn't any more.
pub(crate) fn restore(path: &str, version: &str) -> Result<SecretVersion, Error> {
    let (keep, now) = (keep()?, clock::now());
    let mut stored = Stored::changed(path)?;
    let missing = || Error::not_found(format!("there is no version `{version}`"));
    let old = stored.head.version(Some(version)).ok_or_else(missing)?.clone();
    old.readable(now)?;
    let value = stored.value(old.id)?;
    let value =
        value.ok_or_else(|| Error::upstream(format!("the value of version `{}` is missing from the store", old.id)))?;
    stored.add(Version { created_at: now, ..old }, &value, keep)
}

/// Makes a version readable or not.
pub(crate) fn set_state(path: &str, version: &str, state: VersionState) -> Result<(), Error> {
    let state = match state {
        VersionState::Enabled => State::Enabled,
        VersionState::Disabled => State::Disabled,
        VersionState::Deleted | VersionState::Destroyed => {
            return Err(Error::unsupported(
                "a version here is enabled or disabled; a whole secret is deleted or purged",
            ));
        }
    };
    let mut stored = Stored::changed(path)?;
    let found = stored.head.versions.iter_mut().find(|kept| kept.id.to_string() == version);
    found.ok_or_else(|| Error::not_found(format!("there is no version `{version}`")))?.state = state;
    let head = stored.place.head();
    stored.rewrite(&head)
}

#[cfg(test)]
mod tests;
