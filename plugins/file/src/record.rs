//! What a file holds: one line of JSON about the secret, a newline, and the value as it is.

use std::fmt;

use forge_sdk::{Attributes, Error, Secret, SecretVersion, Timestamp};
use serde::{Deserialize, Serialize};

/// The format that is written, and the newest that is read.
const FORMAT: u32 = 1;

/// The longest first line, in bytes, so that a damaged file is not searched through for its newline.
const LONGEST_HEAD: usize = 64 * 1024;

/// The number alone, which every format has, so that a newer one is recognised before its fields are.
#[derive(Deserialize)]
struct Numbered {
    format: u32,
}

/// The first line.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Head {
    format: u32,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Attributes,
}

/// A secret as it lies in its file.
#[derive(Clone)]
pub(crate) struct Record {
    head: Head,
    value: Vec<u8>,
}

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Record(version {}, {} bytes, hidden)", self.head.version, self.value.len())
    }
}

impl Record {
    /// What follows `before` when this value is written now.
    pub(crate) fn following(
        before: Option<&Self>,
        now: Timestamp,
        content_type: Option<String>,
        tags: Attributes,
        value: &[u8],
    ) -> Result<Self, Error> {
        let (version, created_at) = match before {
            None => (1, now),
            Some(Self { head, .. }) => {
                let next = head.version.checked_add(1);
                (next.ok_or_else(|| Error::wrong_state("the version can't be counted further"))?, head.created_at)
            }
        };
        let head = Head { format: FORMAT, version, created_at, updated_at: now, content_type, tags };
        Ok(Self { head, value: value.to_vec() })
    }

    /// Reads the content of a file.
    ///
    /// # Errors
    ///
    /// `unsupported` for a format newer than this plugin knows, `upstream` for anything else that isn't a record.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, Error> {
        let damaged = |what: &str| Error::upstream(format!("the file of this secret is damaged: {what}"));
        let end = content.iter().take(LONGEST_HEAD).position(|byte| *byte == b'\n');
        let (line, rest) =
            end.and_then(|end| content.split_at_checked(end)).ok_or_else(|| damaged("its first line doesn't end"))?;
        let Numbered { format } =
            serde_json::from_slice(line).map_err(|_| damaged("its first line is no JSON with a `format`"))?;
        if format > FORMAT {
            return Err(Error::unsupported(format!(
                "the file of this secret has format {format}, and this plugin knows formats up to {FORMAT}"
            )));
        }
        let head: Head =
            serde_json::from_slice(line).map_err(|_| damaged("its first line lacks a field or has a strange one"))?;
        if head.format == 0 || head.version == 0 {
            return Err(damaged("formats and versions are counted from 1"));
        }
        Ok(Self { head, value: rest.get(1..).unwrap_or_default().to_vec() })
    }

    /// The content of the file.
    ///
    /// # Errors
    ///
    /// `too-large` where the tags and the content type don't fit the first line.
    pub(crate) fn content(&self) -> Result<Vec<u8>, Error> {
        let mut content =
            serde_json::to_vec(&self.head).map_err(|_| Error::internal("the first line can't be written"))?;
        if content.len() >= LONGEST_HEAD {
            return Err(Error::too_large("the tags and the content type take at most 64 KiB"));
        }
        content.push(b'\n');
        content.extend_from_slice(&self.value);
        Ok(content)
    }

    /// The version, which is the current one since only that is kept.
    pub(crate) fn version(&self) -> SecretVersion {
        let id = self.head.version.to_string();
        SecretVersion { created_at: Some(self.head.updated_at), ..SecretVersion::new(id, true) }
    }

    /// What people attached to the secret.
    pub(crate) fn tags(&self) -> Attributes {
        self.head.tags.clone()
    }

    /// When the first version was written.
    pub(crate) fn created_at(&self) -> Timestamp {
        self.head.created_at
    }

    /// The secret itself.
    pub(crate) fn into_secret(self) -> Secret {
        let version = self.version();
        Secret {
            version: Some(version),
            content_type: self.head.content_type,
            tags: self.head.tags,
            ..Secret::new(self.value)
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use forge_sdk::ErrorKind;

    use super::*;

    fn first(value: &[u8]) -> Record {
        Record::following(None, 5, Some("text/plain".into()), vec![("team".into(), "a\nb".into())], value).unwrap()
    }

    #[test]
    fn a_record_comes_back_with_any_value() {
        for value in [&b""[..], b"\n", b"a\nb\n", b"{\"format\":9}\n", &[0, 255, 10, 0]] {
            let secret = Record::parse(&first(value).content().unwrap()).unwrap().into_secret();
            assert_eq!(secret.value.as_bytes(), value);
            assert_eq!(secret.content_type.as_deref(), Some("text/plain"));
            assert_eq!(secret.tags, [("team".to_owned(), "a\nb".to_owned())]);
            assert_eq!(secret.version.unwrap().id, "1");
        }
    }

    #[test]
    fn the_disk_format_is_the_one_that_was_promised() {
        let content = br#"{"format":1,"version":7,"created-at":1,"updated-at":2}
hello"#;
        let record = Record::parse(content).unwrap();
        assert_eq!(record.content().unwrap(), content);
        assert_eq!(record.created_at(), 1);
        assert_eq!(record.version().created_at, Some(2));
        assert_eq!(record.into_secret().value.as_bytes(), b"hello");
    }

    #[test]
    fn a_newer_format_is_refused_by_its_number() {
        let error = Record::parse(b"{\"format\":2,\"sealed-twice\":true}\nvalue").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("format 2"), "{}", error.message());
    }

    #[test]
    fn damage_is_an_error_of_the_store_that_repeats_nothing_of_the_file() {
        let long = vec![b' '; LONGEST_HEAD + 10];
        let contents: [&[u8]; 9] = [
            b"",
            b"hunter2",
            b"hunter2\nvalue",
            b"{\"format\":1}\nhunter2",
            b"{\"format\":1,\"version\":0,\"created-at\":1,\"updated-at\":2}\nhunter2",
            b"{\"format\":0,\"version\":1,\"created-at\":1,\"updated-at\":2}\nhunter2",
            b"{\"format\":1,\"version\":1,\"created-at\":1,\"updated-at\":2,\"x\":1}\nhunter2",
            b"{\"format\":1,\"version\":-1,\"created-at\":1,\"updated-at\":2}\nhunter2",
            &long,
        ];
        for content in contents {
            let error = Record::parse(content).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Upstream);
            assert!(!error.message().contains("hunter2"));
        }
    }

    #[test]
    fn every_shortening_of_a_record_is_an_error_or_a_shorter_value_and_never_a_panic() {
        let content = first(b"value").content().unwrap();
        let head = content.iter().position(|byte| *byte == b'\n').unwrap();
        for length in 0..content.len() {
            assert_eq!(Record::parse(content.get(..length).unwrap()).is_ok(), length > head);
        }
    }

    #[test]
    fn tags_that_do_not_fit_the_first_line_are_refused() {
        let tags = vec![("a".to_owned(), "b".repeat(LONGEST_HEAD))];
        let record = Record::following(None, 0, None, tags, b"").unwrap();
        assert_eq!(record.content().unwrap_err().kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn debug_of_a_record_hides_its_value() {
        assert_eq!(format!("{:?}", first(b"hunter2")), "Record(version 1, 7 bytes, hidden)");
    }
}
