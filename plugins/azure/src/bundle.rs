//! A secret as the service describes it ("Azure Key Vault REST API reference", `SecretBundle`, `SecretItem` and
//! `DeletedSecretBundle`), read into the words of the contract.

use std::collections::BTreeMap;

use forge_sdk::{Attributes, Entry, Error, SecretVersion, Timestamp, VersionState};
use serde::{Deserialize, Serialize};

/// A version, with its value where it was read by itself.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bundle {
    /// The URL of the secret or of the version; a deleted one may have none.
    id: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) attributes: Times,
    /// Whether a certificate of the vault owns it.
    managed: Option<bool>,
    deleted_date: Option<i64>,
    scheduled_purge_date: Option<i64>,
}

/// What the service calls a version's attributes; times are in seconds since 1970.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Times {
    #[serde(skip_serializing)]
    pub(crate) enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<i64>,
    #[serde(skip_serializing)]
    pub(crate) created: Option<i64>,
    #[serde(skip_serializing)]
    pub(crate) updated: Option<i64>,
    #[serde(skip_serializing)]
    pub(crate) recovery_level: Option<String>,
    #[serde(skip_serializing)]
    pub(crate) recoverable_days: Option<i64>,
}

impl Times {
    /// Whether there is anything of it to write.
    pub(crate) fn is_unset(&self) -> bool {
        self.exp.is_none() && self.nbf.is_none()
    }
}

/// Seconds of the service in the milliseconds of the contract.
fn time(seconds: Option<i64>) -> Option<Timestamp> {
    Timestamp::try_from(seconds?).ok()?.checked_mul(1000)
}

/// A time of the contract in the service's seconds; a fraction of one is cut off.
///
/// # Errors
///
/// `invalid-request` for a time that the service can't have.
pub(crate) fn seconds(time: Timestamp) -> Result<i64, Error> {
    // The end of the year 9999, the last that the service's own clients can print.
    let fits = i64::try_from(time / 1000).ok().filter(|seconds| *seconds <= 253_402_300_799);
    fits.ok_or_else(|| Error::invalid_request("a time lies before the year 10000"))
}

impl Bundle {
    /// What its `id` says behind `/secrets/`: the name, and the version where it is one version's.
    ///
    /// # Errors
    ///
    /// `upstream` where it is no such URL.
    fn place(&self) -> Result<(&str, Option<&str>), Error> {
        let refuse = || Error::upstream("the answer names no secret");
        let (_, place) = self.id.as_deref().and_then(|id| id.split_once("/secrets/")).ok_or_else(refuse)?;
        let (name, version) = match place.split_once('/') {
            Some((name, version)) => (name, Some(version)),
            None => (place, None),
        };
        let fits = crate::name::is_name(name) && version.is_none_or(|version| crate::name::version(version).is_ok());
        if fits { Ok((name, version)) } else { Err(refuse()) }
    }

    /// The secret's name.
    ///
    /// # Errors
    ///
    /// `upstream` where the answer has none.
    pub(crate) fn name(&self) -> Result<&str, Error> {
        Ok(self.place()?.0)
    }

    /// The version in the words of the contract.
    ///
    /// # Errors
    ///
    /// `upstream` where the answer has no version's id.
    pub(crate) fn version(&self, current: bool) -> Result<SecretVersion, Error> {
        let (_, id) = self.place()?;
        let id = id.ok_or_else(|| Error::upstream("the answer names no version"))?;
        let state = if self.deleted_date.is_some() {
            VersionState::Deleted
        } else if self.attributes.enabled == Some(false) {
            VersionState::Disabled
        } else {
            VersionState::Enabled
        };
        Ok(SecretVersion {
            created_at: time(self.attributes.created),
            expires_at: time(self.attributes.exp),
            state,
            ..SecretVersion::new(id, current)
        })
    }

    /// Whether its vault lets it be purged ("DeletionRecoveryLevel"); a vault that does not say so is not taken at its word.
    pub(crate) fn is_purgeable(&self) -> bool {
        let level = self.attributes.recovery_level.as_deref().unwrap_or_default();
        level == "Purgeable" || level.ends_with("+Purgeable")
    }

    /// The tags, in the words of the contract.
    pub(crate) fn tags(&self) -> Attributes {
        self.tags.iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The secret under the path that it was asked for or listed with; what is told of it is told of its current version.
    pub(crate) fn entry(&self, path: &str) -> Entry {
        let Times { enabled, exp, nbf, created, updated, recovery_level, recoverable_days } = &self.attributes;
        let times = [
            ("created-at", *created),
            ("changed-at", *updated),
            ("not-before-at", *nbf),
            ("expires-at", *exp),
            ("deleted-at", self.deleted_date),
            // When it is gone for good.
            ("purged-at", self.scheduled_purge_date),
        ];
        let times = times.into_iter().map(|(name, seconds)| (name, time(seconds).map(|time| time.to_string())));
        let texts = [
            ("content-type", self.content_type.clone()),
            ("disabled", (*enabled == Some(false)).then(|| "true".to_owned())),
            ("managed", self.managed.filter(|managed| *managed).map(|_| "by a certificate".to_owned())),
            ("recovery-level", recovery_level.clone()),
            ("recoverable-days", recoverable_days.map(|days| days.to_string())),
        ];
        let known = texts.into_iter().chain(times);
        let attributes = known.filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))).collect();
        Entry { path: path.to_owned(), version: self.version(true).ok(), tags: self.tags(), attributes }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;

    fn bundle(text: &str) -> Bundle {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_version_is_told_by_its_id_and_its_attributes() {
        let told = bundle(
            r#"{"id":"https://v.example/secrets/app-db/4387e9f3d6e14c459867679a90fd0f79","value":"x","contentType":"text/plain",
            "attributes":{"enabled":false,"exp":2,"nbf":1,"created":3,"updated":4,"recoveryLevel":"Recoverable","New":{}},
            "tags":{"team":"web"},"new":1}"#,
        );
        let version = told.version(true).unwrap();
        assert_eq!((version.id.as_str(), version.state), ("4387e9f3d6e14c459867679a90fd0f79", VersionState::Disabled));
        assert_eq!((version.created_at, version.expires_at), (Some(3_000), Some(2_000)));
        let entry = told.entry("app-db");
        assert_eq!(entry.tags, [("team".to_owned(), "web".to_owned())]);
        for (name, value) in [("not-before-at", "1000"), ("content-type", "text/plain"), ("disabled", "true")] {
            assert!(entry.attributes.contains(&(name.to_owned(), value.to_owned())), "{name}");
        }
        assert_eq!(told.name().unwrap(), "app-db");
    }

    #[test]
    fn an_id_that_names_no_secret_is_none_that_can_be_understood() {
        for id in [
            "null",
            r#""x""#,
            r#""https://v.example/secrets/""#,
            r#""https://v.example/keys/a""#,
            r#""https://v.example/secrets/a_b""#,
            r#""https://v.example/secrets/a/versions""#,
            r#""https://v.example/secrets/a/12/34""#,
        ] {
            let told = bundle(&format!(r#"{{"id":{id}}}"#));
            assert_eq!(told.name().unwrap_err().kind(), ErrorKind::Upstream, "{id}");
            assert_eq!(told.version(true).unwrap_err().kind(), ErrorKind::Upstream, "{id}");
        }
        let unversioned = bundle(r#"{"id":"https://v.example/secrets/a"}"#);
        assert_eq!(unversioned.name().unwrap(), "a");
        assert_eq!(unversioned.version(true).unwrap_err().kind(), ErrorKind::Upstream);
    }

    #[test]
    fn a_time_that_can_not_be_is_none_and_is_never_written() {
        assert_eq!(time(Some(-1)), None);
        assert_eq!(time(Some(i64::MAX)), None);
        assert_eq!(seconds(1_999).unwrap(), 1);
        assert!(seconds(Timestamp::MAX).is_err());
    }
}
