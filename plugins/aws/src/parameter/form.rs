//! What a provider makes of parameters: one type and one key, which no write changes on one that is there.
//!
//! The service takes both with each write and changes what differs ("AWS Systems Manager API Reference, PutParameter",
//! `Type` and `KeyId`): a `String` over a `SecureString` would store a secret that everybody with `GetParameter` reads.

use forge_sdk::{Error, settings};

use super::listing::Known;
use crate::write::named;

/// Text that is encrypted with a key.
const ENCRYPTED: &str = "SecureString";
/// Text that is not.
const PLAIN: &str = "String";

/// The type and the key of the provider's settings.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    kind: &'static str,
    key: String,
}

impl Form {
    /// Those that the settings name.
    ///
    /// # Errors
    ///
    /// `invalid-request` for a type that is neither of the two.
    pub(super) fn of_settings() -> Result<Self, Error> {
        let kind = match settings::required("parameter-type")?.as_str() {
            ENCRYPTED => ENCRYPTED,
            PLAIN => PLAIN,
            _ => return Err(Error::invalid_request("the setting `parameter-type` is `SecureString` or `String`")),
        };
        Ok(Self { kind, key: settings::required("kms-key")? })
    }

    /// The type, as a write names it.
    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    /// The key, as a write names it; none for the service's own, and for what is not encrypted.
    pub(super) fn key_id(&self) -> Option<&str> {
        if self.kind == ENCRYPTED { named(&self.key) } else { None }
    }

    /// Refuses a value of another type: what was encrypted is not written as plain text, and the other way round.
    ///
    /// # Errors
    ///
    /// `wrong-state`, naming the setting.
    pub(super) fn check_kind(&self, told: Option<&str>) -> Result<(), Error> {
        if told == Some(self.kind) {
            return Ok(());
        }
        let known = [ENCRYPTED, PLAIN, "StringList"].into_iter().find(|known| told == Some(known));
        let other = known.map_or_else(|| "of another type".to_owned(), |known| format!("a `{known}`"));
        let words = format!("the parameter is {other}, and the setting `parameter-type` is `{}`", self.kind);
        Err(Error::wrong_state(words))
    }

    /// Refuses to write over a parameter of another type or, where it is encrypted, of another key.
    ///
    /// # Errors
    ///
    /// `wrong-state`, naming the setting.
    pub(super) fn check(&self, known: &Known) -> Result<(), Error> {
        self.check_kind(known.r#type.as_deref())?;
        if self.kind == PLAIN || known.key_id.as_deref().is_some_and(|told| is_same_key(told, &self.key)) {
            return Ok(());
        }
        let words = format!("the parameter is encrypted with another key than `{}`, the setting `kms-key`", self.key);
        Err(Error::wrong_state(words))
    }
}

/// Whether the service's word for a key names the key of the setting: the same word, or the ARN of the same id.
///
/// An alias in an ARN may be another account's of the same name, so it is not the same.
fn is_same_key(told: &str, said: &str) -> bool {
    told == said || told.rsplit_once(":key/").is_some_and(|(_, id)| id == said)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;
    use crate::call::tests::host;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    fn known(kind: &str, key: Option<&str>) -> Known {
        let body = serde_json::json!({ "Name": "a", "Type": kind, "KeyId": key });
        serde_json::from_value(body).unwrap()
    }

    fn form(kind: &str, key: &str) -> Form {
        host().setting("parameter-type", kind).setting("kms-key", key).install();
        Form::of_settings().unwrap()
    }

    #[test]
    fn a_parameter_keeps_its_type() {
        for (said, kind, is_kept) in [
            ("SecureString", "SecureString", true),
            ("String", "String", true),
            ("String", "SecureString", false),
            ("SecureString", "String", false),
            ("String", "StringList", false),
            ("SecureString", "hunter2", false),
        ] {
            let checked = form(said, "alias/aws/ssm").check(&known(kind, Some("alias/aws/ssm")));
            assert_eq!(checked.is_ok(), is_kept, "{said} over {kind}");
            let Err(error) = checked else { continue };
            assert_eq!(error.kind(), ErrorKind::WrongState);
            assert!(error.message().contains("`parameter-type`"), "{}", error.message());
            assert!(!error.message().contains("hunter2"), "the service's own words: {}", error.message());
        }
        assert_eq!(form("String", "k").check_kind(None).unwrap_err().kind(), ErrorKind::WrongState);
    }

    #[test]
    fn a_parameter_keeps_its_key() {
        let arn = format!("arn:aws:kms:eu-central-1:123456789012:key/{ID}");
        for (said, told, is_kept) in [
            ("alias/aws/ssm", Some("alias/aws/ssm"), true),
            ("alias/mine", Some("alias/mine"), true),
            (ID, Some(ID), true),
            (ID, Some(arn.as_str()), true),
            ("alias/aws/ssm", Some("alias/mine"), false),
            ("alias/mine", Some("arn:aws:kms:eu-central-1:999999999999:alias/mine"), false),
            (ID, Some("alias/mine"), false),
            ("alias/aws/ssm", None, false),
        ] {
            let checked = form("SecureString", said).check(&known("SecureString", told));
            assert_eq!(checked.is_ok(), is_kept, "{said} over {told:?}");
            assert!(checked.err().is_none_or(|error| error.message().contains("`kms-key`")));
        }
        // What is not encrypted has none.
        form("String", "alias/mine").check(&known("String", None)).unwrap();
    }

    #[test]
    fn a_type_that_is_neither_is_told_by_its_setting() {
        host().setting("parameter-type", "StringList").install();
        assert!(Form::of_settings().unwrap_err().message().contains("`parameter-type`"));
    }
}
