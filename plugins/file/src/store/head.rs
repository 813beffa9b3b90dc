//! The head of a secret: which versions there are, which is current, and what people attached to them.

use forge_sdk::{Attributes, Entry, Error, SecretVersion, Timestamp, VersionState, random};
use serde::{Deserialize, Serialize};

use super::name;
use super::record::Record;

/// The format that is written, and the newest that is read. The first had the value in the same file ([`Record`]).
const FORMAT: u32 = 2;

/// The longest head, in bytes: a hundred versions with all that may be attached to each.
const LONGEST: usize = 2 << 20;

/// What may be attached to one version, in bytes of its tags and its content type.
const MOST_ATTACHED: usize = 16 << 10;

/// The number alone, which every format has, so that a newer one is recognised before its fields are.
#[derive(Deserialize)]
struct Numbered {
    format: u32,
}

/// What a version can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Enabled,
    Disabled,
    /// The secret was deleted when this was one of its versions, and written anew since.
    Deleted,
}

/// One version, without its value.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Version {
    pub(super) id: u64,
    pub(super) created_at: Timestamp,
    pub(super) state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Attributes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
}

/// The head itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Head {
    format: u32,
    /// Random, and part of the names of the values.
    pub(super) life: String,
    /// The true name, where the file's name is a hash of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    created_at: Timestamp,
    /// The number of the next version, which is never counted back.
    next: u64,
    /// Oldest first; the last one is current.
    pub(super) versions: Vec<Version>,
}

impl Version {
    /// Whether its value may be read now.
    ///
    /// # Errors
    ///
    /// `wrong-state`, saying in which it is.
    pub(super) fn readable(&self, now: Timestamp) -> Result<(), Error> {
        let id = self.id;
        match self.state {
            State::Disabled => Err(Error::wrong_state(format!("version `{id}` is disabled"))),
            State::Deleted => Err(Error::wrong_state(format!("version `{id}` was deleted"))),
            State::Enabled if self.expires_at.is_some_and(|end| end <= now) => {
                Err(Error::wrong_state(format!("version `{id}` has expired")))
            }
            State::Enabled => Ok(()),
        }
    }

    fn shown(&self, is_current: bool, is_deleted: bool) -> SecretVersion {
        let state = match self.state {
            _ if is_deleted => VersionState::Deleted,
            State::Enabled => VersionState::Enabled,
            State::Disabled => VersionState::Disabled,
            State::Deleted => VersionState::Deleted,
        };
        SecretVersion {
            created_at: Some(self.created_at),
            expires_at: self.expires_at,
            state,
            ..SecretVersion::new(self.id.to_string(), is_current && !is_deleted)
        }
    }
}

impl Head {
    /// The head of a secret that is new, with no version yet.
    pub(super) fn new(name: Option<String>, now: Timestamp) -> Self {
        let life = name::hex(&random::bytes(16));
        Self { format: FORMAT, life, name, created_at: now, next: 1, versions: Vec::new() }
    }

    /// Reads the content of a file; a secret of the first format comes with its value.
    ///
    /// # Errors
    ///
    /// `unsupported` for a format newer than this plugin knows, `upstream` for anything else that isn't a head.
    pub(super) fn parse(content: &[u8]) -> Result<(Self, Option<Record>), Error> {
        let damaged = |what: &str| Error::upstream(format!("the file of this secret is damaged: {what}"));
        let end = content.iter().take(LONGEST).position(|byte| *byte == b'\n');
        let (line, rest) =
            end.and_then(|end| content.split_at_checked(end)).ok_or_else(|| damaged("its first line doesn't end"))?;
        let Numbered { format } =
            serde_json::from_slice(line).map_err(|_| damaged("its first line is no JSON with a `format`"))?;
        if format > FORMAT {
            return Err(Error::unsupported(format!(
                "the file of this secret has format {format}, and this plugin knows formats up to {FORMAT}"
            )));
        }
        if format < FORMAT {
            let record = Record::parse(line, rest.get(1..).unwrap_or_default()).map_err(damaged)?;
            return Ok((Self::upgraded(&record), Some(record)));
        }
        let head: Self =
            serde_json::from_slice(line).map_err(|_| damaged("its first line lacks a field or has a strange one"))?;
        let counts = head.versions.iter().map(|version| version.id);
        let is_counted = counts.is_sorted_by(|one, next| one < next)
            && head.versions.last().map(|version| version.id).is_some_and(|last| 0 < last && last < head.next);
        let is_life = head.life.len() == 32 && head.life.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if rest != b"\n" || !is_counted || !is_life {
            return Err(damaged("its parts don't fit each other"));
        }
        Ok((head, None))
    }

    fn upgraded(record: &Record) -> Self {
        let version = Version {
            id: record.version,
            created_at: record.updated_at,
            state: State::Enabled,
            content_type: record.content_type.clone(),
            tags: record.tags.clone(),
            expires_at: None,
        };
        let next = record.version.saturating_add(1);
        Self { next, versions: vec![version], ..Self::new(None, record.created_at) }
    }

    /// The content of the file.
    ///
    /// # Errors
    ///
    /// `too-large` where the tags and content types of all versions don't fit.
    pub(super) fn content(&self) -> Result<Vec<u8>, Error> {
        let mut content = serde_json::to_vec(self).map_err(|_| Error::internal("the head can't be written"))?;
        if content.len() >= LONGEST {
            return Err(Error::too_large("the tags of all versions that are kept take at most 2 MiB"));
        }
        content.push(b'\n');
        Ok(content)
    }

    /// Adds a version, which is then the current one; answers its number.
    ///
    /// # Errors
    ///
    /// `too-large` for tags and a content type that are, `wrong-state` where the numbers are used up.
    pub(super) fn add(&mut self, version: Version) -> Result<u64, Error> {
        let attached: usize = version.tags.iter().map(|(name, value)| name.len() + value.len()).sum();
        if attached + version.content_type.as_ref().map_or(0, String::len) > MOST_ATTACHED {
            return Err(Error::too_large("the tags and the content type take at most 16 KiB"));
        }
        let id = self.next;
        self.next = id.checked_add(1).ok_or_else(|| Error::wrong_state("the version can't be counted further"))?;
        self.versions.push(Version { id, ..version });
        Ok(id)
    }

    /// Keeps only this many versions, the newest.
    pub(super) fn keep(&mut self, most: usize) {
        let surplus = self.versions.len().saturating_sub(most.max(1));
        self.versions.drain(..surplus);
    }

    /// The current version, whatever its state.
    ///
    /// # Errors
    ///
    /// `upstream`: a head always has one.
    pub(super) fn current(&self) -> Result<&Version, Error> {
        self.versions.last().ok_or_else(|| Error::upstream("the file of this secret names no version"))
    }

    /// The version of this name, or the current one.
    pub(super) fn version(&self, wanted: Option<&str>) -> Option<&Version> {
        match wanted {
            None => self.versions.last(),
            // `01` is no other name of `1`.
            Some(wanted) => self.versions.iter().find(|version| version.id.to_string() == wanted),
        }
    }

    /// The versions as the contract shows them, newest first.
    pub(super) fn shown(&self, is_deleted: bool) -> Vec<SecretVersion> {
        let newest = self.versions.last().map(|version| version.id);
        self.versions.iter().rev().map(|version| version.shown(Some(version.id) == newest, is_deleted)).collect()
    }

    /// What is told about the secret at this path.
    pub(super) fn entry(&self, path: &str, is_deleted: bool) -> Entry {
        Entry {
            version: self.shown(is_deleted).into_iter().next(),
            tags: self.versions.last().map(|version| version.tags.clone()).unwrap_or_default(),
            attributes: vec![
                ("created-at".to_owned(), self.created_at.to_string()),
                ("versions".to_owned(), self.versions.len().to_string()),
            ],
            ..Entry::new(path)
        }
    }
}
