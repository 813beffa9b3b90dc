//! From the path of a secret to the path of its file and back, without two secrets ever meeting in one file.
//!
//! Lower-case letters, digits, `-` and `_` stand for themselves and every other byte is `%` with two lower-case
//! hexadecimal digits. So names differ on disks that ignore case (`App` is `%41pp`), nothing on a disk is a dot
//! file, `..` or a device name with an extension of the secret's own, and the mapping has exactly one inverse.
//! The file ends in `.secret` and folders don't, so the secrets `app` and `app/db` live side by side.

use forge_sdk::Error;

/// What the file of a secret ends in; a dot never comes out of the encoding.
const SUFFIX: &str = ".secret";

/// The longest segment, in bytes of the encoded form: file systems allow 255, and the suffix and the host's
/// temporary names need room.
const LONGEST_SEGMENT: usize = 200;

/// The longest path, in bytes of the encoded form: systems allow 4096 with the directory's own path.
const LONGEST_PATH: usize = 2000;

/// The file that holds the secret at this path.
///
/// # Errors
///
/// `invalid-request`, naming the rule that the path breaks.
pub(crate) fn file(path: &str) -> Result<String, Error> {
    let mut encoded = folder(path)?;
    encoded.push_str(SUFFIX);
    Ok(encoded)
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
            return Err(Error::invalid_request(format!(
                "a segment of a path takes at most {LONGEST_SEGMENT} bytes on disk, where each byte but `a-z`, \
                 `0-9`, `-` and `_` takes three"
            )));
        }
    }
    if encoded.len() > LONGEST_PATH {
        return Err(Error::invalid_request(format!("a path takes at most {LONGEST_PATH} bytes on disk")));
    }
    Ok(encoded)
}

/// The secret that this file holds; `None` for a file that no secret would be written to.
pub(crate) fn secret(file: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(file.len());
    let mut rest = file.strip_suffix(SUFFIX)?.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    // Whoever can write to the directory may have put another spelling there; only the one that is read counts.
    let own = self::file(&path).is_ok_and(|own| own == file);
    own.then_some(path)
}

fn push(encoded: &mut String, byte: u8) {
    if byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_') {
        encoded.push(char::from(byte));
        return;
    }
    encoded.push('%');
    for digit in [byte >> 4, byte & 15] {
        encoded.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeSet;

    use forge_sdk::ErrorKind;

    use super::*;

    #[test]
    fn every_character_comes_back_and_none_meets_another_on_a_disk_that_ignores_case() {
        let mut seen = BTreeSet::new();
        for character in ('\0'..='\u{2ff}').filter(|character| *character != '/') {
            let path = format!("a{character}");
            let file = file(&path).unwrap();
            assert_eq!(secret(&file).as_deref(), Some(path.as_str()));
            assert!(file.bytes().all(|byte| byte.is_ascii_graphic()), "{file}");
            assert!(seen.insert(file.to_lowercase()), "`{file}` is taken");
        }
    }

    #[test]
    fn a_secret_and_a_folder_of_the_same_name_do_not_meet() {
        assert_eq!(file("app").unwrap(), "app.secret");
        assert_eq!(file("app/db").unwrap(), "app/db.secret");
        assert_eq!(file("app.secret/db").unwrap(), "app%2esecret/db.secret");
    }

    #[test]
    fn dots_never_reach_the_disk() {
        assert_eq!(file("../.ssh").unwrap(), "%2e%2e/%2essh.secret");
    }

    #[test]
    fn an_empty_segment_is_refused() {
        for path in ["", "/a", "a/", "a//b"] {
            let error = file(path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains("empty segment"));
        }
    }

    #[test]
    fn a_segment_that_is_too_long_on_disk_is_refused_by_its_rule() {
        assert!(file(&"a".repeat(200)).is_ok());
        assert!(file(&"A".repeat(66)).is_ok());
        for path in ["a".repeat(201), "A".repeat(67), format!("b/{}", "é".repeat(34))] {
            let error = file(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains("at most 200 bytes"), "{}", error.message());
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_refused() {
        let segment = "a".repeat(199);
        assert!(file(&[segment.as_str(); 10].join("/")).is_ok());
        assert!(file(&[segment.as_str(); 11].join("/")).unwrap_err().message().contains("at most 2000"));
    }

    #[test]
    fn another_spelling_of_a_file_is_no_secret() {
        for file in
            ["a", "a.txt", "A.secret", "%61.secret", "%4A.secret", "%4.secret", "%ff.secret", ".secret", "a//b.secret"]
        {
            assert_eq!(secret(file), None, "{file}");
        }
    }
}
