//! Tags: the `custom_metadata` of a version 2 secret, to which a write adds and from which it removes nothing.

use std::collections::BTreeMap;

use forge_sdk::http::{self, Response};
use forge_sdk::{Attributes, Error, ErrorKind};
use serde::Serialize;

use crate::mount::{Mount, succeeded};
use crate::read;

/// What the server takes (Vault API docs, "KV version 2", `custom_metadata`): at most 64 pairs of printable text, the
/// names of 1 to 128 bytes and the values of 1 to 512.
const PAIRS: usize = 64;
const NAME: usize = 128;
const VALUE: usize = 512;

/// Tags that the server will take.
#[derive(Debug)]
pub(crate) struct Tags<'a>(BTreeMap<&'a str, &'a str>);

/// A merge patch (RFC 7396) of what is known about a secret: what it doesn't name stays as it is.
#[derive(Serialize)]
struct Patch<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_metadata: Option<&'a BTreeMap<&'a str, &'a str>>,
}

impl<'a> Tags<'a> {
    /// The tags of a write; none where none are given.
    ///
    /// They are looked at before anything is sent, since the value goes out before they do.
    ///
    /// # Errors
    ///
    /// `invalid-request` naming the rule that they break.
    pub(crate) fn of(given: &'a Attributes) -> Result<Option<Self>, Error> {
        let tags: BTreeMap<&str, &str> = given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let fits = |text: &str, most| (1..=most).contains(&text.len()) && !text.chars().any(char::is_control);
        if tags.len() < given.len() {
            return Err(Error::invalid_request("a tag is given twice"));
        }
        if tags.len() > PAIRS {
            return Err(Error::invalid_request(format!("a write has at most {PAIRS} tags")));
        }
        if tags.iter().any(|(name, value)| !fits(name, NAME) || !fits(value, VALUE)) {
            return Err(Error::invalid_request(format!(
                "a tag has a name of 1 to {NAME} bytes, a value of 1 to {VALUE}, and no control character"
            )));
        }
        Ok((!tags.is_empty()).then_some(Self(tags)))
    }

    /// Whether all of them are among these.
    pub(crate) fn are_among(&self, known: &Attributes) -> bool {
        self.0.iter().all(|(name, value)| known.iter().any(|(other, kept)| other == name && kept == value))
    }

    /// Asks whether the token may add the tags, so that one that may not is refused before the value is written.
    ///
    /// Tags that are there already ask for no right: who changes one field of a secret keeps its tags.
    ///
    /// # Errors
    ///
    /// `unsupported` where the server has no such request, and what it said.
    pub(crate) fn are_permitted(&self, mount: &Mount, path: &str) -> Result<(), Error> {
        match read::newest(mount, path) {
            Ok(Some(newest)) if self.are_among(&newest.tags) => return Ok(()),
            // Who may write and not read may still tag.
            Err(error) if error.kind() == ErrorKind::AccessDenied => {}
            newest => drop(newest?),
        }
        // A patch that changes nothing.
        let response = patch(mount, path, &Patch { custom_metadata: None })?;
        match response.status() {
            // There is no such secret yet, and the token was looked at before that.
            404 => Ok(()),
            // Vault before 1.10. Reading and writing all pairs instead could lose those of somebody else.
            405 => Err(Error::unsupported("this server can't add tags to those that are there").with_status(405)),
            _ => succeeded(response).map(drop),
        }
    }

    /// Adds the tags to the secret.
    ///
    /// # Errors
    ///
    /// What the server said.
    pub(crate) fn add(&self, mount: &Mount, path: &str) -> Result<(), Error> {
        succeeded(patch(mount, path, &Patch { custom_metadata: Some(&self.0) })?).map(drop)
    }
}

fn patch(mount: &Mount, path: &str, patch: &Patch<'_>) -> Result<Response, Error> {
    let body = serde_json::to_vec(patch).map_err(|_| Error::internal("tags can't be written as JSON"))?;
    http::patch(mount.behind("metadata", path)?).body("application/merge-patch+json", body).send()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use forge_sdk::http::Failure;
    use forge_sdk::{ErrorKind, PutOptions, SecretVersion, SecretWriter, fake};

    use crate::Vault;

    const DATA: &str = "https://v.example/v1/secret/data/a";
    const METADATA: &str = "https://v.example/v1/secret/metadata/a";
    const WRITTEN: &str =
        r#"{"data":{"created_time":"","custom_metadata":null,"deletion_time":"","destroyed":false,"version":4}}"#;

    fn host() -> fake::Host {
        fake::Host::new().setting("address", "https://v.example").setting("mount", "secret").setting("kv-version", "2")
    }

    /// A mount without this secret.
    fn empty() -> fake::Host {
        host().answer("GET", DATA, 404, r#"{"errors":[]}"#)
    }

    /// A secret with these tags, as an answer tells about it.
    fn tagged(tags: &str) -> String {
        let metadata = format!(
            r#"{{"created_time":"","custom_metadata":{tags},"deletion_time":"","destroyed":false,"version":3}}"#
        );
        format!(r#"{{"data":{{"data":{{}},"metadata":{metadata}}}}}"#)
    }

    fn put(tags: &[(&str, &str)]) -> Result<SecretVersion, forge_sdk::Error> {
        let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Vault::put("a", b"hunter2", &PutOptions { tags, ..PutOptions::default() })
    }

    fn sent() -> Vec<String> {
        let shown = |request: &forge_sdk::http::Request| {
            format!("{} {}", request.method(), String::from_utf8_lossy(request.body_bytes()))
        };
        fake::requests().iter().map(shown).collect()
    }

    #[test]
    fn tags_are_added_after_the_value_and_replace_no_others() {
        for (known, read, body) in [
            (204, 200, tagged("null")),
            (204, 200, tagged(r#"{"team":"a","other":"c"}"#)),
            (204, 403, String::new()),
            (404, 404, r#"{"errors":[]}"#.to_owned()),
        ] {
            host()
                .answer("GET", DATA, read, body)
                .answer("PATCH", METADATA, known, "")
                .answer("PATCH", METADATA, 204, "")
                .answer("POST", DATA, 200, WRITTEN)
                .install();
            assert_eq!(put(&[("team", "a"), ("env", "b")]).unwrap().id, "4");
            assert_eq!(
                sent(),
                [
                    "GET ",
                    "PATCH {}",
                    r#"POST {"data":{"value":"hunter2"}}"#,
                    r#"PATCH {"custom_metadata":{"env":"b","team":"a"}}"#
                ]
            );
            let types = fake::requests().last().unwrap().headers().clone();
            assert_eq!(types, [("content-type".to_owned(), "application/merge-patch+json".to_owned())]);
        }
    }

    #[test]
    fn a_write_without_tags_asks_nothing_of_metadata() {
        host().answer("POST", DATA, 200, WRITTEN).install();
        put(&[]).unwrap();
        assert_eq!(fake::requests().len(), 1);
    }

    #[test]
    fn tags_that_are_there_already_ask_for_no_right_on_metadata() {
        let there = r#"{"team":"a","env":"b"}"#;
        host()
            .answer("GET", DATA, 200, tagged(there))
            .answer("POST", DATA, 200, WRITTEN.replace("null", there))
            .install();
        put(&[("team", "a")]).unwrap();
        assert_eq!(sent().len(), 2);
        // Somebody took them away between the two.
        host()
            .answer("GET", DATA, 200, tagged(there))
            .answer("POST", DATA, 200, WRITTEN)
            .answer("PATCH", METADATA, 204, "")
            .install();
        put(&[("team", "a")]).unwrap();
        assert_eq!(sent().last().unwrap(), r#"PATCH {"custom_metadata":{"team":"a"}}"#);
    }

    #[test]
    fn a_token_that_may_not_tag_writes_no_value() {
        for (status, kind) in [
            (403, ErrorKind::AccessDenied),
            (405, ErrorKind::Unsupported),
            (415, ErrorKind::Upstream),
            (503, ErrorKind::Unavailable),
        ] {
            empty().answer("PATCH", METADATA, status, "").answer("POST", DATA, 200, WRITTEN).install();
            assert_eq!(put(&[("team", "a")]).unwrap_err().kind(), kind);
            assert_eq!(sent(), ["GET ", "PATCH {}"]);
        }
    }

    #[test]
    fn tags_that_fail_after_the_value_are_an_error_that_names_the_version() {
        let first = || empty().answer("PATCH", METADATA, 204, "").answer("POST", DATA, 200, WRITTEN);
        first().answer("PATCH", METADATA, 403, "").install();
        let error = put(&[("team", "a")]).unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::AccessDenied, Some(403)));
        assert!(error.message().contains("version `4` was written"), "{}", error.message());
        first().fail("PATCH", METADATA, Failure::Timeout).install();
        let error = put(&[("team", "a")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.message().contains("version `4` was written"), "{}", error.message());
    }

    #[test]
    fn a_value_that_is_refused_leaves_the_tags_as_they_are() {
        empty().answer("PATCH", METADATA, 204, "").answer("POST", DATA, 403, "").install();
        assert_eq!(put(&[("team", "a")]).unwrap_err().kind(), ErrorKind::AccessDenied);
        assert_eq!(sent().len(), 3);
    }

    #[test]
    fn tags_that_the_server_would_refuse_never_reach_it() {
        host().install();
        let (name, value) = ("k".repeat(129), "v".repeat(513));
        for tags in [[("", "v")], [("k", "")], [(name.as_str(), "v")], [("k", value.as_str())], [("k", "a\nb")]] {
            assert_eq!(put(&tags).unwrap_err().kind(), ErrorKind::InvalidRequest);
        }
        assert_eq!(put(&[("k", "1"), ("k", "2")]).unwrap_err().kind(), ErrorKind::InvalidRequest);
        let names: Vec<String> = (0..65).map(|number| number.to_string()).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        assert_eq!(put(&many).unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert_eq!(fake::requests().len(), 0);
        empty().answer("PATCH", METADATA, 204, "").answer("POST", DATA, 200, WRITTEN).install();
        put(many.get(..64).unwrap()).unwrap();
    }
}
