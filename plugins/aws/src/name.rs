//! Which texts can name a secret or a version, so that nothing is sent that the service would refuse.

use forge_sdk::Error;

/// The longest name, in characters ("CreateSecret", parameter `Name`).
const LONGEST: usize = 512;
/// The longest ARN, in characters ("GetSecretValue", parameter `SecretId`).
const LONGEST_ARN: usize = 2048;

/// A secret as its path names it: by its name, or by its ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id<'a> {
    /// The text itself, as `SecretId` takes it.
    pub(crate) text: &'a str,
    /// It is an ARN, so it names a secret that is there already.
    pub(crate) is_arn: bool,
}

impl<'a> Id<'a> {
    /// The secret that a path names.
    ///
    /// # Errors
    ///
    /// `invalid-request`, saying the rule.
    pub(crate) fn of(path: &'a str) -> Result<Self, Error> {
        let is_arn = path.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("arn:"));
        // What an ARN has to be, part by part, is the grant's to know.
        let (longest, marks) = if is_arn { (LONGEST_ARN, "/_+=.@-!:") } else { (LONGEST, "/_+=.@-!") };
        let fits = |character: char| character.is_ascii_alphanumeric() || marks.contains(character);
        if path.is_empty() || path.len() > longest || !path.chars().all(fits) {
            let words = "the name of a secret has 1 to 512 ASCII letters, digits and `/_+=.@-`, and a `!` where \
                         another service gave it";
            return Err(Error::invalid_request(words));
        }
        Ok(Self { text: path, is_arn })
    }
}

/// Which version of a secret is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    /// By its id, which has 32 to 64 characters ("PutSecretValue", parameter `ClientRequestToken`), or by a label that is
    /// as long: only the secret's versions tell which.
    IdOrLabel(&'a str),
    /// By a label on it, such as `AWSPREVIOUS`.
    Label(&'a str),
}

/// The label of the version that a read without a version returns.
pub(crate) const CURRENT: &str = "AWSCURRENT";

impl<'a> Wanted<'a> {
    /// The version of this name; none means the current one.
    ///
    /// # Errors
    ///
    /// `invalid-request` for a text that is neither id nor label.
    pub(crate) fn of(version: Option<&'a str>) -> Result<Self, Error> {
        let version = version.unwrap_or(CURRENT);
        match version.chars().count() {
            32..=64 => Ok(Self::IdOrLabel(version)),
            // "UpdateSecretVersionStage", parameter `VersionStage`.
            1..=256 => Ok(Self::Label(version)),
            _ => Err(Error::invalid_request("a version is an id of 32 to 64 characters, or a label of 1 to 256")),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;

    #[test]
    fn a_name_has_the_letters_that_the_service_takes() {
        let long = "n".repeat(512);
        // A `!` stands in the names of what other services made ("Secrets managed by other AWS services").
        for name in ["a", "app/db", "/app/db", "a_b+c=d.e@f-g", "app/db-AbCdEf", "rds!db-1", &long] {
            assert_eq!(Id::of(name).unwrap(), Id { text: name, is_arn: false });
        }
        let longer = "n".repeat(513);
        for name in ["", "a b", "caf\u{e9}", "a:b", "a*", "a~", "a\n", "a%20b", &longer] {
            assert_eq!(Id::of(name).unwrap_err().kind(), ErrorKind::InvalidRequest, "{name:?}");
        }
    }

    #[test]
    fn an_arn_is_told_from_a_name_in_whatever_case_it_begins() {
        for arn in ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:app/db-AbCdEf", "ARN:x"] {
            assert_eq!(Id::of(arn).unwrap(), Id { text: arn, is_arn: true });
        }
        assert!(Id::of("arn:aws:secretsmanager:eu-central-1:1:secret:**").is_err());
    }

    #[test]
    fn a_version_is_an_id_or_a_label() {
        let id = "11111111-2222-3333-4444-555555555555";
        assert_eq!(Wanted::of(Some(id)).unwrap(), Wanted::IdOrLabel(id));
        assert_eq!(Wanted::of(Some("AWSPREVIOUS")).unwrap(), Wanted::Label("AWSPREVIOUS"));
        assert_eq!(Wanted::of(None).unwrap(), Wanted::Label("AWSCURRENT"));
        let long = "x".repeat(256);
        for label in [&long[..31], &long[..65], &long] {
            assert_eq!(Wanted::of(Some(label)).unwrap(), Wanted::Label(label));
        }
        for odd in ["", &"x".repeat(257)] {
            assert_eq!(Wanted::of(Some(odd)).unwrap_err().kind(), ErrorKind::InvalidRequest);
        }
    }
}
