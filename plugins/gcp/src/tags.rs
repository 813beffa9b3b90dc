//! Tags, which are a secret's labels or its annotations ("Secret Manager docs, Labels" and "Annotations").

use std::collections::BTreeMap;

use forge_sdk::{Attributes, Error, settings};
use serde::{Deserialize, Serialize};

/// The most labels, and the most bytes of all annotations together.
const MOST: usize = 64;
const LONGEST_ANNOTATIONS: usize = 16 * 1024;

/// What both of them are in a resource; the one that is not meant stays empty and unsent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tags {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// Which of them tags are: `labels` or `annotations`, as a field is called and an update names it.
///
/// # Errors
///
/// `invalid-request` for a setting that is neither.
pub(crate) fn field() -> Result<&'static str, Error> {
    match settings::required("tags")?.as_str() {
        "labels" => Ok("labels"),
        "annotations" => Ok("annotations"),
        _ => Err(Error::invalid_request("the setting `tags` is `labels` or `annotations`")),
    }
}

/// The tags of a write.
///
/// # Errors
///
/// `invalid-request`, saying the rule that one of them breaks.
pub(crate) fn of(pairs: &Attributes) -> Result<Tags, Error> {
    let map: BTreeMap<String, String> = pairs.iter().cloned().collect();
    let refuse = |words: &str| Err(Error::invalid_request(words));
    if map.len() != pairs.len() || map.len() > MOST {
        return refuse("a secret has at most 64 tags, each of a name of its own");
    }
    if field()? == "labels" {
        // "Keys start with a lowercase letter": letters and digits of any script, `-` and `_`, and none in upper case.
        let fits = |text: &str| {
            let plain = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || c == '-' || c == '_';
            text.chars().count() <= 63 && text.len() <= 128 && text.chars().all(plain)
        };
        let begins = |name: &str| name.chars().next().is_some_and(|first| first.is_alphabetic());
        if !map.iter().all(|(name, value)| fits(name) && begins(name) && fits(value)) {
            return refuse(
                "a label has at most 63 lower-case letters, digits, `-` and `_`, and its name begins with a letter",
            );
        }
        return Ok(Tags { labels: map, ..Tags::default() });
    }
    let is_mark = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fits = |name: &str| (1..=63).contains(&name.len()) && name.chars().all(is_mark);
    let size: usize = map.iter().map(|(name, value)| name.len() + value.len()).sum();
    if !map.keys().all(|name| fits(name)) || size > LONGEST_ANNOTATIONS {
        return refuse(
            "an annotation's name has at most 63 letters, digits and `-_.`, and all of them together 16 KiB",
        );
    }
    Ok(Tags { annotations: map, ..Tags::default() })
}

impl Tags {
    /// These with others in front of what is there.
    pub(crate) fn merged(mut self, newer: Self) -> Self {
        self.labels.extend(newer.labels);
        self.annotations.extend(newer.annotations);
        self
    }

    /// Those that are meant, alone.
    pub(crate) fn only(self, field: &str) -> Self {
        match field {
            "labels" => Self { labels: self.labels, ..Self::default() },
            _ => Self { annotations: self.annotations, ..Self::default() },
        }
    }

    /// In the words of the contract.
    pub(crate) fn pairs(self) -> Attributes {
        self.labels.into_iter().chain(self.annotations).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.annotations.is_empty()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::call::tests::host;

    fn pairs(given: &[(&str, &str)]) -> Attributes {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn labels_and_annotations_that_google_would_refuse_are_told_by_their_rule() {
        host().install();
        assert_eq!(of(&pairs(&[("team", "a-b_1"), ("caf\u{e9}", "")])).unwrap().labels.len(), 2);
        let long = "n".repeat(64);
        for pair in [("", "x"), ("Team", "x"), ("1a", "x"), ("a", "X"), ("a", "x y"), (long.as_str(), ""), ("a.b", "")]
        {
            assert!(of(&pairs(&[pair])).is_err(), "{pair:?}");
        }
        assert!(of(&pairs(&[("a", "1"), ("a", "2")])).is_err());
        host().setting("tags", "annotations").install();
        assert_eq!(of(&pairs(&[("Team.x", "Any words")])).unwrap().annotations.len(), 1);
        assert!(of(&pairs(&[("a b", "x")])).is_err() && of(&pairs(&[("a", &"x".repeat(16 * 1024))])).is_err());
        host().setting("tags", "notes").install();
        assert!(of(&pairs(&[("a", "x")])).is_err());
    }
}
