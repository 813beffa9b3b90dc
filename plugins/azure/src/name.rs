//! Which texts can name a secret or a version, so that nothing is sent that the service would refuse or read as something else.

use forge_sdk::Error;

/// The longest name, in characters ("Azure Key Vault service limits", object names).
const LONGEST: usize = 127;
/// The length of a version's id, in characters; the service makes it ("Object identifiers and versioning").
const VERSION: usize = 32;

/// The path as the name of a secret, which the service compares without regard to case.
///
/// # Errors
///
/// `invalid-request`, saying the rule ("SetSecret", parameter `secret-name`: `^[0-9a-zA-Z-]+$`).
pub(crate) fn secret(path: &str) -> Result<&str, Error> {
    if is_name(path) {
        Ok(path)
    } else {
        Err(Error::invalid_request("the name of a secret has 1 to 127 ASCII letters, digits and `-`"))
    }
}

/// Whether a secret could have this name.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The id of a version.
///
/// An id that is too short to be one is sent all the same, and is then one that is not there. What has other characters is
/// not: `versions` in its place is a request of its own.
///
/// # Errors
///
/// `invalid-request`, saying the rule.
pub(crate) fn version(text: &str) -> Result<&str, Error> {
    let fits = (1..=VERSION).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then_some(text).ok_or_else(|| Error::invalid_request("a version is an id of 32 hexadecimal digits"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;

    #[test]
    fn a_name_has_the_letters_that_the_service_takes() {
        let (long, longer) = ("n".repeat(127), "n".repeat(128));
        for name in ["a", "app-db", "-", "0", "A-b-9", &long] {
            assert_eq!(secret(name).unwrap(), name);
        }
        for name in ["", "app/db", "a_b", "a.b", "caf\u{e9}", "a b", "a%20", "a\n", "a?b", "..", &longer] {
            assert_eq!(secret(name).unwrap_err().kind(), ErrorKind::InvalidRequest, "{name:?}");
        }
    }

    #[test]
    fn a_version_can_not_be_the_name_of_another_request() {
        assert_eq!(version("4387e9f3d6e14c459867679a90fd0f79").unwrap(), "4387e9f3d6e14c459867679a90fd0f79");
        assert_eq!(version("99").unwrap(), "99");
        for text in ["", "versions", "backup", "a/b", "..", "4387e9f3d6e14c459867679a90fd0f790", "latest"] {
            assert_eq!(version(text).unwrap_err().kind(), ErrorKind::InvalidRequest, "{text:?}");
        }
    }
}
