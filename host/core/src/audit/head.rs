//! The head of the chain, sealed in a file of its own: how many records there are, and the MAC of the last one.

use serde::Deserialize;

use super::key::{Keys, Tag, tag};
use super::record::SCHEMA_VERSION;
use crate::sealing::hex;

/// The length of the head's file, in bytes: less than a sector, so a disk writes it whole or not at all.
pub(super) const LENGTH: usize = 512;

/// The end of the chain as somebody may keep it elsewhere: `COUNT:MAC`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// How many records the chain has: the sequence of the last one.
    pub count: u64,
    /// The MAC of that record.
    pub(super) tag: Tag,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.count, hex(&self.tag))
    }
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mark({self})")
    }
}

/// A text that is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a head is `COUNT:MAC`, as `forge audit head` prints it")]
pub struct MarkError;

impl std::str::FromStr for Mark {
    type Err = MarkError;

    fn from_str(text: &str) -> Result<Self, MarkError> {
        let (count, mac) = text.split_once(':').ok_or(MarkError)?;
        let count = count.parse().map_err(|_| MarkError)?;
        Ok(Self { count, tag: tag(mac.as_bytes()).ok_or(MarkError)? })
    }
}

/// Where the chain ends, and where the next record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) mark: Mark,
    /// The sequence of the first record in the file that is written to; 0 where there is none yet.
    pub(super) first: u64,
    /// The length of that file, in bytes.
    pub(super) offset: u64,
}

/// What the head's file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is none.
    Absent,
    /// It was edited or cut.
    Broken,
    /// It was sealed with another key; it claims so many records, which nobody can check.
    OtherKey { key: String, count: u64 },
    /// It is what forge wrote last.
    Head(Head),
}

impl Head {
    /// The head of a chain without records.
    pub(super) const EMPTY: Self = Self { mark: Mark { count: 0, tag: [0; 32] }, first: 0, offset: 0 };

    fn text(&self, key: &str) -> String {
        let Self { mark, first, offset } = self;
        format!(
            "{{\"schema_version\":{SCHEMA_VERSION},\"key\":\"{key}\",\"first\":{first},\"offset\":{offset},\
             \"count\":{},\"mac\":\"{}\"",
            mark.count,
            hex(&mark.tag)
        )
    }

    /// The file's bytes, all of them at once.
    pub(super) fn sealed(&self, keys: &Keys) -> [u8; LENGTH] {
        let text = self.text(keys.id());
        let seal = hex(&keys.head(text.as_bytes()));
        let mut bytes = [b' '; LENGTH];
        let sealed = text.bytes().chain(b",\"seal\":\"".iter().copied()).chain(seal.bytes()).chain(*b"\"}");
        bytes.iter_mut().zip(sealed).for_each(|(to, from)| *to = from);
        if let Some(last) = bytes.last_mut() {
            *last = b'\n';
        }
        bytes
    }

    /// Reads the bytes of the file, of which none may have been there.
    pub(super) fn open(bytes: &[u8], keys: &Keys) -> Found {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            schema_version: u32,
            key: String,
            first: u64,
            offset: u64,
            count: u64,
            mac: String,
            seal: String,
        }
        if bytes.is_empty() {
            return Found::Absent;
        }
        let Ok(written) = serde_json::from_slice::<Written>(bytes) else { return Found::Broken };
        if written.schema_version == SCHEMA_VERSION && written.key != keys.id() {
            return Found::OtherKey { key: crate::manifest::printable(&written.key), count: written.count };
        }
        let (Some(mac), Some(seal)) = (tag(written.mac.as_bytes()), tag(written.seal.as_bytes())) else {
            return Found::Broken;
        };
        let Written { first, offset, count, .. } = written;
        let head = Self { mark: Mark { count, tag: mac }, first, offset };
        // The text is made anew from what it says, so only the one spelling of it counts.
        let is_whole = keys.is_head(head.text(keys.id()).as_bytes(), &seal) && head.sealed(keys) == bytes;
        if is_whole { Found::Head(head) } else { Found::Broken }
    }
}
