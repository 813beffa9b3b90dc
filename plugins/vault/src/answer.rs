//! What a KV mount answers, read into the words of the contract (Vault API docs, "KV version 2").

use std::collections::BTreeMap;
use std::ops::Bound;

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
pub(crate) struct Metadata<'a> {
    current_version: u64,
    custom_metadata: Option<BTreeMap<String, String>>,
    /// Read one by one, as far as somebody asks: there may be many.
    #[serde(borrow)]
    versions: BTreeMap<u64, &'a RawValue>,
    /// 0 where the mount's own limit counts; Vault before 1.2 doesn't tell these.
    #[serde(default)]
    max_versions: u64,
    #[serde(default)]
    cas_required: bool,
    /// A duration as Go writes it, such as `1h30m0s`.
    #[serde(default)]
    delete_version_after: String,
}

const DESCRIPTION: &str = "the description of a secret and its versions";

impl<'a> Metadata<'a> {
    /// What an answer of `metadata` tells.
    ///
    /// # Errors
    ///
    /// `upstream` where the answer is something else.
    pub(crate) fn of(response: &'a Response) -> Result<Self, Error> {
        content(response, DESCRIPTION)
    }

    /// The number of the newest version; 0 where there is only metadata and never was a value.
    pub(crate) fn current(&self) -> u64 {
        self.current_version
    }

    /// The newest version; none where there never was a value.
    ///
    /// # Errors
    ///
    /// `upstream` where it is described in another way.
    pub(crate) fn newest(&self) -> Result<Option<SecretVersion>, Error> {
        self.version(self.current_version)
    }

    /// The version of this number; none where the server keeps none.
    ///
    /// # Errors
    ///
    /// `upstream` where it is described in another way.
    pub(crate) fn version(&self, number: u64) -> Result<Option<SecretVersion>, Error> {
        self.versions.get(&number).map(|described| self.read(number, described)).transpose()
    }

    /// The versions below this number, or all of them, newest first, at most `most`, and whether there are more.
    ///
    /// # Errors
    ///
    /// `upstream` where one of them is described in another way.
    pub(crate) fn below(&self, number: Option<u64>, most: usize) -> Result<(Vec<SecretVersion>, bool), Error> {
        let mut rest = self.versions.range((Bound::Unbounded, number.map_or(Bound::Unbounded, Bound::Excluded))).rev();
        let versions = rest.by_ref().take(most).map(|(number, described)| self.read(*number, described));
        let versions = versions.collect::<Result<Vec<_>, _>>()?;
        Ok((versions, rest.next().is_some()))
    }

    fn read(&self, number: u64, described: &RawValue) -> Result<SecretVersion, Error> {
        let described: Version = http::from_json(described.get().as_bytes(), DESCRIPTION)?;
        Version { version: number, ..described }.version(number == self.current_version)
    }

    /// What people attached to the secret.
    ///
    /// # Errors
    ///
    /// `upstream` for more than any server keeps.
    pub(crate) fn tags(&mut self) -> Result<Attributes, Error> {
        tags(self.custom_metadata.take())
    }

    /// The rules of this secret that differ from those of its mount.
    pub(crate) fn attributes(&self) -> Attributes {
        let given = [
            ("max-versions", self.max_versions.to_string(), self.max_versions > 0),
            ("cas-required", self.cas_required.to_string(), self.cas_required),
            (
                "delete-version-after",
                self.delete_version_after.clone(),
                !matches!(self.delete_version_after.as_str(), "" | "0s"),
            ),
        ];
        given.into_iter().filter(|(_, _, is_set)| *is_set).map(|(name, value, _)| (name.to_owned(), value)).collect()
    }
}

/// The most pairs of `custom_metadata` that are handed on. A write has at most 64 (Vault API docs, "KV version 2"),
/// patches may add up to more, and the host takes 256.
const MOST_TAGS: usize = 256;

fn tags(custom_metadata: Option<BTreeMap<String, String>>) -> Result<Attributes, Error> {
    let tags: Attributes = custom_metadata.unwrap_or_default().into_iter().collect();
    if tags.len() > MOST_TAGS {
        return Err(Error::upstream(format!("the server's answer has more than {MOST_TAGS} pairs of custom metadata")));
    }
    Ok(tags)
}

/// The names in a folder; those of folders end in `/`.
#[derive(Deserialize)]
pub(crate) struct Names {
    pub(crate) keys: Vec<String>,
}

/// One version and what belongs to the whole secret, in the words of the contract.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) version: SecretVersion,
    /// What people attached to the secret.
    pub(crate) tags: Attributes,
}

impl Version {
    /// The version in the words of the contract; what was read without a version is the current one.
    ///
    /// # Errors
    ///
    /// `upstream` for a time of deletion that can't be read, since whether it is deleted must not be guessed, and for
    /// more tags than any server keeps.
    pub(crate) fn told(self, current: bool) -> Result<Told, Error> {
        let version = self.version(current)?;
        Ok(Told { number: self.version, version, tags: tags(self.custom_metadata)? })
    }

    fn version(&self, current: bool) -> Result<SecretVersion, Error> {
        let ends = self.ends()?;
        let state = if self.destroyed {
            VersionState::Destroyed
        } else if ends.is_some_and(|ends| ends <= clock::now()) {
            VersionState::Deleted
        } else {
            VersionState::Enabled
        };
        Ok(SecretVersion {
            created_at: time::parse_rfc3339(&self.created_time),
            // A time in the past is that of a deletion and no expiry.
            expires_at: ends.filter(|_| state == VersionState::Enabled),
            state,
            ..SecretVersion::new(self.version.to_string(), current)
        })
    }

    /// When it was or will be deleted.
    fn ends(&self) -> Result<Option<Timestamp>, Error> {
        // Go's zero time stands for none, as the empty text does.
        if matches!(self.deletion_time.as_str(), "" | "0001-01-01T00:00:00Z") {
            return Ok(None);
        }
        let ends = time::parse_rfc3339(&self.deletion_time);
        ends.map(Some).ok_or_else(|| Error::upstream("the server's answer has a time of deletion that is no time"))
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
    use forge_sdk::{ErrorKind, fake};

    use super::*;

    const URL: &str = "https://v.example/v1/secret/metadata/a";

    fn asked<T>(now: Timestamp, data: &str, look: impl FnOnce(Metadata<'_>) -> Result<T, Error>) -> Result<T, Error> {
        fake::Host::new().at(now).answer("GET", URL, 200, format!(r#"{{"data":{data}}}"#)).install();
        look(Metadata::of(&http::get(URL).send()?)?)
    }

    fn newest(times: &str, now: Timestamp) -> Result<SecretVersion, Error> {
        let old = r#""9":{"created_time":"","deletion_time":"","destroyed":true}"#;
        let versions = format!(r#"{{{old},"12":{{"created_time":"",{times}}}}}"#);
        let known = format!(r#"{{"current_version":12,"versions":{versions}}}"#);
        asked(now, &known, |known| Ok(known.newest()?.unwrap()))
    }

    #[test]
    fn a_deletion_in_the_past_is_a_state_and_one_to_come_is_an_expiry() {
        let at = r#""deletion_time":"1970-01-01T00:00:01Z","destroyed":false"#;
        let before = newest(at, 999).unwrap();
        assert_eq!((before.state, before.expires_at), (VersionState::Enabled, Some(1000)));
        let after = newest(at, 1000).unwrap();
        assert_eq!((after.state, after.expires_at), (VersionState::Deleted, None));
        let gone = newest(r#""deletion_time":"1970-01-01T00:00:01Z","destroyed":true"#, 1000).unwrap();
        assert_eq!((gone.state, gone.expires_at), (VersionState::Destroyed, None));
        let plain = newest(r#""deletion_time":"","destroyed":false"#, 1000).unwrap();
        assert_eq!((plain.state, plain.expires_at), (VersionState::Enabled, None));
        assert_eq!((plain.id.as_str(), plain.current), ("12", true));
    }

    #[test]
    fn a_time_of_deletion_is_read_in_each_of_its_forms_and_never_guessed() {
        let at = |time: &str| newest(&format!(r#""deletion_time":{time},"destroyed":false"#), 5000);
        for none in [r#""""#, r#""0001-01-01T00:00:00Z""#] {
            assert_eq!(at(none).unwrap().state, VersionState::Enabled, "{none}");
        }
        for past in [r#""1970-01-01T00:00:04.999999999Z""#, r#""1970-01-01T02:00:04+02:00""#] {
            assert_eq!(at(past).unwrap().state, VersionState::Deleted, "{past}");
        }
        assert_eq!(at(r#""9999-12-31T23:59:59Z""#).unwrap().state, VersionState::Enabled);
        for odd in [r#""yesterday""#, r#""0""#, r#"" ""#, "0", "null", "[]", r#""2026-13-01T00:00:00Z""#, "1e400"] {
            assert_eq!(at(odd).unwrap_err().kind(), ErrorKind::Upstream, "{odd}");
        }
    }

    #[test]
    fn metadata_without_a_value_has_no_newest_version() {
        let data = r#"{"current_version":0,"custom_metadata":{"team":"a"},"versions":{}}"#;
        let look = |mut known: Metadata<'_>| Ok((known.current(), known.newest()?, known.tags()?));
        let tags = vec![("team".to_owned(), "a".to_owned())];
        assert_eq!(asked(0, data, look).unwrap(), (0, None, tags));
    }

    #[test]
    fn version_numbers_that_can_not_be_are_an_error() {
        let version = r#"{"created_time":"","deletion_time":"","destroyed":false}"#;
        for name in ["x", "-1", "1.5", "", "18446744073709551616", " 1", "1e3"] {
            let data = format!(r#"{{"current_version":1,"versions":{{"{name}":{version}}}}}"#);
            assert_eq!(asked(0, &data, |known| known.newest()).unwrap_err().kind(), ErrorKind::Upstream, "{name:?}");
        }
        for current in ["-1", "1.5", "18446744073709551616", r#""1""#, "null"] {
            let data = format!(r#"{{"current_version":{current},"versions":{{}}}}"#);
            assert_eq!(asked(0, &data, |known| known.newest()).unwrap_err().kind(), ErrorKind::Upstream, "{current}");
        }
        // The largest number is only a number.
        let data = format!(r#"{{"current_version":{0},"versions":{{"{0}":{version}}}}}"#, u64::MAX);
        assert_eq!(asked(0, &data, |known| known.newest()).unwrap().unwrap().id, u64::MAX.to_string());
    }

    #[test]
    fn custom_metadata_of_another_type_or_without_an_end_is_an_error() {
        let tags = |custom: &str| {
            let data = format!(r#"{{"current_version":0,"custom_metadata":{custom},"versions":{{}}}}"#);
            asked(0, &data, |mut known| known.tags())
        };
        assert_eq!(tags("null").unwrap(), []);
        for odd in ["[]", "1", r#""a""#, r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":{"b":"c"}}"#] {
            assert_eq!(tags(odd).unwrap_err().kind(), ErrorKind::Upstream, "{odd}");
        }
        let pairs = |count: usize| {
            let pairs: Vec<String> = (0..count).map(|number| format!(r#""k{number}":"v""#)).collect();
            tags(&format!("{{{}}}", pairs.join(",")))
        };
        assert_eq!(pairs(256).unwrap().len(), 256);
        assert_eq!(pairs(257).unwrap_err().kind(), ErrorKind::Upstream);
    }

    #[test]
    fn only_rules_that_differ_from_those_of_the_mount_are_attributes() {
        let rules = |more: &str| {
            asked(0, &format!(r#"{{"current_version":0,"versions":{{}}{more}}}"#), |known| Ok(known.attributes()))
        };
        assert_eq!(rules("").unwrap(), []);
        let usual = r#","max_versions":0,"cas_required":false,"delete_version_after":"0s""#;
        assert_eq!(rules(usual).unwrap(), []);
        let own = r#","max_versions":5,"cas_required":true,"delete_version_after":"1h30m0s""#;
        let expected = [("max-versions", "5"), ("cas-required", "true"), ("delete-version-after", "1h30m0s")];
        assert_eq!(rules(own).unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_version_has_one_spelling() {
        assert_eq!(version_number("12").unwrap(), 12);
        for text in ["", "0", "01", "+1", "-1", "1.0", " 1", "latest", "99999999999999999999"] {
            assert!(version_number(text).is_err(), "{text:?}");
        }
    }
}
