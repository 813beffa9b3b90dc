//! What a KV mount answers, read into the words of the contract (Vault API docs, "KV version 2").

use std::collections::BTreeMap;

use forge_sdk::http::{self, Response};
use forge_sdk::{Attributes, Error, SecretVersion, Timestamp, VersionState, clock, time};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Each answer of success has its content in `data`.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The content of an answer; `expected` says what it should be.
///
/// # Errors
///
/// `upstream` where the answer is something else.
pub(crate) fn content<'a, T: Deserialize<'a>>(response: &'a Response, expected: &str) -> Result<T, Error> {
    let Answer { data } = response.json(expected)?;
    http::from_json(data.get().as_bytes(), expected)
}

/// A value of version 2 with its version.
#[derive(Deserialize)]
pub(crate) struct Versioned<'a> {
    /// The object as the server printed it; none for a version that was deleted or destroyed.
    #[serde(borrow)]
    pub(crate) data: Option<&'a RawValue>,
    pub(crate) metadata: Version,
}

/// One version, as `data` and `metadata` tell about it.
#[derive(Deserialize)]
pub(crate) struct Version {
    /// Not told by `metadata`, which has it as a name.
    #[serde(default)]
    version: u64,
    created_time: String,
    /// Empty, or when it was or will be deleted.
    deletion_time: String,
    destroyed: bool,
    custom_metadata: Option<BTreeMap<String, String>>,
}

/// A secret and all its versions, as `metadata` tells about them.
#[derive(Deserialize)]
struct Metadata<'a> {
    current_version: u64,
    custom_metadata: Option<BTreeMap<String, String>>,
    #[serde(borrow)]
    versions: BTreeMap<String, &'a RawValue>,
}

/// What there is to know about a secret without its value.
#[derive(Debug)]
pub(crate) struct Known {
    /// The number of the newest version; 0 where there is only metadata and never was a value.
    pub(crate) current: u64,
    /// The newest version; none where there never was a value.
    pub(crate) newest: Option<SecretVersion>,
    /// What people attached to the secret.
    pub(crate) tags: Attributes,
}

/// What an answer of `metadata` tells.
///
/// # Errors
///
/// `upstream` where the answer is something else.
pub(crate) fn known(response: &Response) -> Result<Known, Error> {
    let expected = "the description of a secret and its versions";
    let Metadata { current_version: current, custom_metadata, versions } = content(response, expected)?;
    let newest = match versions.get(&current.to_string()) {
        Some(newest) => {
            let newest: Version = http::from_json(newest.get().as_bytes(), expected)?;
            Some(Version { version: current, ..newest }.version(true))
        }
        None => None,
    };
    Ok(Known { current, newest, tags: custom_metadata.unwrap_or_default().into_iter().collect() })
}

/// The names in a folder; those of folders end in `/`.
#[derive(Deserialize)]
pub(crate) struct Names {
    pub(crate) keys: Vec<String>,
}

impl Version {
    /// The version in the words of the contract; what was read without a version is the current one.
    pub(crate) fn version(&self, current: bool) -> SecretVersion {
        let ends: Option<Timestamp> = time::parse_rfc3339(&self.deletion_time);
        let state = if self.destroyed {
            VersionState::Destroyed
        } else if ends.is_some_and(|ends| ends <= clock::now()) {
            VersionState::Deleted
        } else {
            VersionState::Enabled
        };
        SecretVersion {
            created_at: time::parse_rfc3339(&self.created_time),
            // A time in the past is that of a deletion and no expiry.
            expires_at: ends.filter(|_| state == VersionState::Enabled),
            state,
            ..SecretVersion::new(self.version.to_string(), current)
        }
    }

    /// What people attached to the secret.
    pub(crate) fn tags(&mut self) -> Attributes {
        self.custom_metadata.take().unwrap_or_default().into_iter().collect()
    }
}

/// The number of a version, in its one spelling.
///
/// # Errors
///
/// `invalid-request` for anything but a number from 1; the server would read `0` as the newest version.
pub(crate) fn version_number(text: &str) -> Result<u64, Error> {
    let number = text.parse::<u64>().ok().filter(|number| *number > 0 && number.to_string() == text);
    number.ok_or_else(|| {
        Error::invalid_request(format!(
            "a version of this mount is a number from 1, and `{}` isn't",
            text.escape_debug()
        ))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use forge_sdk::fake;

    use super::*;

    const URL: &str = "https://v.example/v1/secret/metadata/a";

    fn asked(now: Timestamp, data: &str) -> Known {
        fake::Host::new().at(now).answer("GET", URL, 200, format!(r#"{{"data":{data}}}"#)).install();
        known(&http::get(URL).send().unwrap()).unwrap()
    }

    fn newest(times: &str, now: Timestamp) -> SecretVersion {
        let old = r#""9":{"created_time":"","deletion_time":"","destroyed":true}"#;
        let versions = format!(r#"{{{old},"12":{{"created_time":"",{times}}}}}"#);
        asked(now, &format!(r#"{{"current_version":12,"versions":{versions}}}"#)).newest.unwrap()
    }

    #[test]
    fn a_deletion_in_the_past_is_a_state_and_one_to_come_is_an_expiry() {
        let at = r#""deletion_time":"1970-01-01T00:00:01Z","destroyed":false"#;
        let before = newest(at, 999);
        assert_eq!((before.state, before.expires_at), (VersionState::Enabled, Some(1000)));
        let after = newest(at, 1000);
        assert_eq!((after.state, after.expires_at), (VersionState::Deleted, None));
        let gone = newest(r#""deletion_time":"1970-01-01T00:00:01Z","destroyed":true"#, 1000);
        assert_eq!((gone.state, gone.expires_at), (VersionState::Destroyed, None));
        let plain = newest(r#""deletion_time":"","destroyed":false"#, 1000);
        assert_eq!((plain.state, plain.expires_at), (VersionState::Enabled, None));
        assert_eq!(plain.id, "12");
    }

    #[test]
    fn metadata_without_a_value_has_no_newest_version() {
        let known = asked(0, r#"{"current_version":0,"custom_metadata":{"team":"a"},"versions":{}}"#);
        assert_eq!((known.current, known.newest), (0, None));
        assert_eq!(known.tags, [("team".to_owned(), "a".to_owned())]);
    }

    #[test]
    fn a_version_has_one_spelling() {
        assert_eq!(version_number("12").unwrap(), 12);
        for text in ["", "0", "01", "+1", "-1", "1.0", " 1", "latest", "99999999999999999999"] {
            assert!(version_number(text).is_err(), "{text:?}");
        }
    }
}
