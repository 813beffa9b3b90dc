//! A secret of the first format: one file of one line of JSON, a newline, and the value as it is.

use std::fmt;

use forge_sdk::{Attributes, Timestamp};
use serde::Deserialize;

/// The first line, and the value behind it.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Record {
    format: u32,
    pub(super) version: u64,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    #[serde(default)]
    pub(super) content_type: Option<String>,
    #[serde(default)]
    pub(super) tags: Attributes,
    #[serde(skip)]
    pub(super) value: Vec<u8>,
}

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Record(version {}, {} bytes, hidden)", self.version, self.value.len())
    }
}

impl Record {
    /// Reads the two parts of a file.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub(super) fn parse(line: &[u8], value: &[u8]) -> Result<Self, &'static str> {
        let record: Self =
            serde_json::from_slice(line).map_err(|_| "its first line lacks a field or has a strange one")?;
        if record.format != 1 || record.version == 0 {
            return Err("formats and versions are counted from 1");
        }
        Ok(Self { value: value.to_vec(), ..record })
    }
}
