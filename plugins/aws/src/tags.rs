//! Tags, as people attach them to a secret ("AWS Secrets Manager API Reference, TagResource").

use std::collections::BTreeSet;

use forge_sdk::{Attributes, Error};
use serde::{Deserialize, Serialize};

/// The most tags that a secret has.
const MOST: usize = 50;

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

/// The tags of a write.
///
/// # Errors
///
/// `invalid-request`, saying the rule that one of them breaks.
pub(crate) fn of(pairs: &Attributes) -> Result<Vec<Tag>, Error> {
    let refuse = |words: &str| Err(Error::invalid_request(words));
    // "Letters, spaces, and numbers representable in UTF-8, plus the following special characters".
    let fits = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c));
    let names: BTreeSet<&String> = pairs.iter().map(|(name, _)| name).collect();
    if pairs.len() > MOST || names.len() != pairs.len() {
        return refuse("a secret has at most 50 tags, each of a name of its own");
    }
    for (name, value) in pairs {
        if !(1..=128).contains(&name.chars().count()) || value.chars().count() > 256 {
            return refuse("a tag has a name of 1 to 128 characters and a value of at most 256");
        }
        if !fits(name) || !fits(value) {
            return refuse("a tag has letters, digits, spaces and `+-=._:/@`");
        }
        if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return refuse("tags whose names begin with `aws:` are the service's own");
        }
    }
    let tag = |(name, value): &(String, String)| Tag { key: name.clone(), value: Some(value.clone()) };
    Ok(pairs.iter().map(tag).collect())
}

/// The tags of an answer, in the words of the contract.
pub(crate) fn pairs(tags: Option<Vec<Tag>>) -> Attributes {
    tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn tags(given: &[(&str, &str)]) -> Result<Vec<Tag>, Error> {
        of(&given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn tags_that_the_service_would_refuse_are_told_by_their_rule() {
        assert_eq!(tags(&[]).unwrap(), []);
        assert_eq!(tags(&[("team", ""), ("caf\u{e9} 1", "a+b-c=d._:/@")]).unwrap().len(), 2);
        let (long, longer) = ("n".repeat(129), "v".repeat(257));
        for pair in [("", "x"), (long.as_str(), "x"), ("a", longer.as_str()), ("a\n", "x"), ("a", "*"), ("AWS:x", "x")]
        {
            assert!(tags(&[pair]).is_err(), "{pair:?}");
        }
        assert!(tags(&[("a", "1"), ("a", "2")]).is_err());
        let many: Vec<(String, String)> = (0..51).map(|number| (format!("k{number}"), String::new())).collect();
        assert!(of(&many).is_err());
    }
}
