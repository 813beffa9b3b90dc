//! From the path of a secret to the paths of its files and back, without two secrets ever meeting in one file.
//!
//! Lower-case letters, digits, `-` and `_` stand for themselves and every other byte is `%` with two lower-case
//! hexadecimal digits. So names differ on disks that ignore case (`App` is `%41pp`) or compose letters, nothing on a
//! disk is a dot file, `..` or a device name with an extension of the secret's own, and the mapping has one inverse.
//! A segment that would be too long for a disk is `=` and its SHA-256, and the true name is sealed inside.
//! The head ends in `.secret` and folders don't, so the secrets `app` and `app/db` live side by side.

use forge_sdk::Error;
use sha2::{Digest as _, Sha256};

/// What the head of a secret ends in; a dot never comes out of the encoding.
const SUFFIX: &str = ".secret";

/// What the head of a deleted secret ends in.
const DELETED: &str = ".deleted";

/// What a segment begins with that is a hash; it never comes out of the encoding.
const HASHED: char = '=';

/// The folder of the values, which listings leave out since its name begins with a dot.
const VERSIONS: &str = ".versions";

/// The longest segment, in bytes of the encoded form: file systems allow 255, and the suffix needs room.
const LONGEST_SEGMENT: usize = 200;

/// The longest path, in bytes of the encoded form: systems allow 4096 with the directory's own path.
const LONGEST_PATH: usize = 2000;

/// Where the files of one secret lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    stem: String,
    values: String,
}

impl Place {
    /// The place of the secret at this path.
    ///
    /// # Errors
    ///
    /// `invalid-request`, naming the rule that the path breaks.
    pub(crate) fn of(path: &str) -> Result<Self, Error> {
        let hash = hash(path);
        let (shard, _) = hash.split_at(2);
        let (name, _) = hash.split_at(32);
        Ok(Self { stem: folder(path)?, values: format!("{VERSIONS}/{shard}/{name}/") })
    }

    /// The head, which says which versions there are.
    pub(crate) fn head(&self) -> String {
        format!("{}{SUFFIX}", self.stem)
    }

    /// The head of the secret while it is deleted.
    pub(crate) fn deleted(&self) -> String {
        format!("{}{DELETED}", self.stem)
    }

    /// The folder that holds the values of this secret and of no other, with the `/` at its end.
    pub(crate) fn values(&self) -> &str {
        &self.values
    }

    /// The value of one version. The life of the secret is part of the name: what is left of an earlier secret of the
    /// same name can't be taken for it.
    pub(crate) fn value(&self, life: &str, version: u64) -> String {
        format!("{}{life}.{version}", self.values)
    }

    /// Whether the true name has to be kept inside, since the file's name doesn't tell it.
    pub(crate) fn is_hashed(&self) -> bool {
        self.stem.contains(HASHED)
    }
}

/// The folder that holds the secrets below this path, without the `/` at its end.
///
/// # Errors
///
/// `invalid-request`, naming the rule that the path breaks.
pub(crate) fn folder(path: &str) -> Result<String, Error> {
    let mut encoded = String::with_capacity(path.len());
    for (position, segment) in path.split('/').enumerate() {
        if segment.is_empty() {
            return Err(Error::invalid_request("a path has no empty segment, and no `/` at its ends"));
        }
        if position > 0 {
            encoded.push('/');
        }
        let start = encoded.len();
        segment.bytes().for_each(|byte| push(&mut encoded, byte));
        if encoded.len() - start > LONGEST_SEGMENT {
            encoded.truncate(start);
            encoded.push(HASHED);
            encoded.push_str(&hash(segment));
        }
    }
    if encoded.len() > LONGEST_PATH {
        return Err(Error::invalid_request(format!("a path takes at most {LONGEST_PATH} bytes on disk")));
    }
    Ok(encoded)
}

/// What a file of a listing is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// The head of the secret at this path.
    Secret(String),
    /// A head whose name is a hash: the true name stands inside.
    Hashed,
    /// The head of a deleted secret.
    Deleted,
    /// A file that no secret would be written to.
    Foreign,
}

/// What the file at this path is.
pub(crate) fn listed(file: &str) -> Listed {
    if file.strip_suffix(DELETED).is_some_and(|stem| !stem.contains('.')) {
        return Listed::Deleted;
    }
    let Some(stem) = file.strip_suffix(SUFFIX) else { return Listed::Foreign };
    if stem.contains(HASHED) {
        return Listed::Hashed;
    }
    // Whoever can write to the directory may have put another spelling there; only the one that is read counts.
    let own = decoded(stem).filter(|path| folder(path).is_ok_and(|own| own == stem));
    own.map_or(Listed::Foreign, Listed::Secret)
}

fn decoded(stem: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(stem.len());
    let mut rest = stem.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn push(encoded: &mut String, byte: u8) {
    if byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_') {
        encoded.push(char::from(byte));
    } else {
        encoded.push('%');
        encoded.push_str(&hex(&[byte]));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeSet;

    use forge_sdk::ErrorKind;

    use super::*;

    fn head(path: &str) -> String {
        Place::of(path).unwrap().head()
    }

    #[test]
    fn every_character_comes_back_and_none_meets_another_on_a_disk_that_ignores_case() {
        let mut seen = BTreeSet::new();
        for character in ('\0'..='\u{2ff}').filter(|character| *character != '/') {
            let path = format!("a{character}");
            let file = head(&path);
            assert_eq!(listed(&file), Listed::Secret(path));
            assert!(file.bytes().all(|byte| byte.is_ascii_graphic()), "{file}");
            assert!(seen.insert(file.to_lowercase()), "`{file}` is taken");
        }
    }

    #[test]
    fn names_that_look_the_same_and_are_written_differently_stay_different() {
        let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
        assert_ne!(head(composed), head(decomposed));
        assert_eq!(listed(&head(decomposed)), Listed::Secret(decomposed.to_owned()));
    }

    #[test]
    fn a_path_is_folders_and_a_file_with_its_own_ending() {
        assert_eq!(head("app"), "app.secret");
        assert_eq!(head("app/db"), "app/db.secret");
        assert_eq!(head("app.secret/db"), "app%2esecret/db.secret");
        assert_eq!(Place::of("app/db").unwrap().deleted(), "app/db.deleted");
        assert_eq!(listed("app/db.deleted"), Listed::Deleted);
    }

    #[test]
    fn dots_never_reach_the_disk() {
        assert_eq!(head("../.ssh"), "%2e%2e/%2essh.secret");
        assert_eq!(head(".versions/x"), "%2eversions/x.secret");
    }

    #[test]
    fn an_empty_segment_is_refused() {
        for path in ["", "/a", "a/", "a//b"] {
            let error = Place::of(path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains("empty segment"));
        }
    }

    #[test]
    fn a_segment_that_is_too_long_for_a_disk_is_hashed_and_meets_no_other() {
        assert_eq!(head(&"a".repeat(200)), format!("{}.secret", "a".repeat(200)));
        let mut seen = BTreeSet::new();
        for path in ["a".repeat(201), "A".repeat(67), format!("b/{}", "\u{e9}".repeat(34)), "a".repeat(4000)] {
            let place = Place::of(&path).unwrap();
            assert!(place.is_hashed());
            assert_eq!(listed(&place.head()), Listed::Hashed);
            assert!(place.head().split('/').all(|segment| segment.len() <= 207));
            // A secret may be named like the file of another one, and still is not it.
            assert_ne!(head(place.head().strip_suffix(".secret").unwrap()), place.head());
            assert!(seen.insert(place.head()));
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_refused() {
        let segment = "a".repeat(199);
        assert!(Place::of(&[segment.as_str(); 10].join("/")).is_ok());
        assert!(Place::of(&[segment.as_str(); 11].join("/")).unwrap_err().message().contains("at most 2000"));
    }

    #[test]
    fn another_spelling_of_a_file_is_no_secret() {
        for file in
            ["a", "a.txt", "A.secret", "%61.secret", "%4A.secret", "%4.secret", "%ff.secret", ".secret", "a//b.secret"]
        {
            assert_eq!(listed(file), Listed::Foreign, "{file}");
        }
    }
}
