//! Reading a parameter's value, and what is known of it ("AWS Systems Manager API Reference, GetParameter",
//! "DescribeParameters" and "ListTagsForResource").

use forge_sdk::{Attributes, Entry, Error, ErrorKind, Secret, SecretVersion, log};
use serde::{Deserialize, Serialize};

use super::listing::{Filter, Known};
use super::{NO_VERSION, NOT_FOUND, ask};
use crate::call::{self, is};
use crate::tags::{self, Tag};

/// The most answers that are read to find one parameter.
const PAGES: usize = 10;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Get<'a> {
    name: &'a str,
    with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    parameter: Got,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Got {
    pub(super) name: Option<String>,
    pub(super) value: String,
    pub(super) version: u64,
    pub(super) r#type: Option<String>,
    last_modified_date: Option<f64>,
}

impl Got {
    /// The parameter in the words of the contract; `newest` where it was asked for without a version.
    pub(super) fn secret(self, newest: bool) -> Secret {
        let created_at = call::time(self.last_modified_date);
        // A number says nothing of the others, so only what was read without one is known to be the newest.
        let told = SecretVersion { created_at, ..SecretVersion::new(self.version.to_string(), newest) };
        Secret { version: Some(told), ..Secret::new(self.value) }
    }
}

/// The parameter with this name, at this version or the newest; none where there is none.
///
/// # Errors
///
/// Anything but absence.
pub(super) fn got(name: &str, version: Option<&str>) -> Result<Option<Got>, Error> {
    let selected = version.map(|version| format!("{name}:{version}"));
    match ask("GetParameter", &Get { name: selected.as_deref().unwrap_or(name), with_decryption: true }) {
        Err(error) if is(&error, NOT_FOUND) || is(&error, NO_VERSION) => Ok(None),
        response => Ok(Some(response?.json::<Answer>("the value of a parameter")?.parameter)),
    }
}

/// The value at this path.
///
/// # Errors
///
/// `invalid-request` for a path or a version that can't be, and what the service said.
pub(crate) fn secret(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
    let (name, version) = (super::name(path)?, version.map(super::version).transpose()?);
    Ok(got(&name, version)?.map(|got| got.secret(version.is_none())))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resource<'a> {
    resource_type: &'static str,
    resource_id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tagged {
    tag_list: Option<Vec<Tag>>,
}

/// The tags of a parameter; none where the key may not ask for them.
fn tags_of(name: &str) -> Result<Attributes, Error> {
    match ask("ListTagsForResource", &Resource { resource_type: "Parameter", resource_id: name }) {
        Err(error) if error.kind() == ErrorKind::AccessDenied => {
            log::warn("the key may not list the tags of parameters");
            Ok(Attributes::new())
        }
        response => Ok(tags::pairs(response?.json::<Tagged>("the tags of a parameter")?.tag_list)),
    }
}

/// What is known of the parameter at this path.
///
/// # Errors
///
/// `invalid-request` for a path that can't be, and what the service said.
pub(crate) fn entry(path: &str) -> Result<Option<Entry>, Error> {
    let name = super::name(path)?;
    let Some(known) = known(&name)? else { return Ok(None) };
    let tags = tags_of(&name)?;
    Ok(Some(Entry { tags, ..known.entry(path.to_owned()) }))
}

/// The parameter of exactly this name.
///
/// # Errors
///
/// Anything but absence.
pub(super) fn known(name: &str) -> Result<Option<Known>, Error> {
    // "DescribeParameters", `MaxResults`: an answer has none up to as many, and only one without a token is the last.
    let (mut next, mut similar) = (None::<String>, None);
    for _ in 0..PAGES {
        let listed = super::listing::send(Filter::equal(name), next.as_deref(), super::listing::PAGE)?;
        for known in listed.parameters {
            if known.name == name {
                return Ok(Some(known));
            }
            // The service compares without a `/` before a single segment.
            if known.name.trim_start_matches('/') == name.trim_start_matches('/') {
                similar = Some(known);
            }
        }
        next = listed.next_token.filter(|next| !next.is_empty());
        if next.is_none() {
            return Ok(similar);
        }
    }
    Err(Error::upstream("the service's list of parameters does not end"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::call::tests::{answering, asked};

    const GOT: &str = r#"{"Parameter":{"Name":"/app/db","Type":"SecureString","Value":"hunter2","Version":3,"LastModifiedDate":1.5}}"#;

    #[test]
    fn a_value_is_read_decrypted_at_its_newest_version_or_at_the_one_named() {
        answering(&[(200, GOT)]).install();
        let read = secret("app/db", None).unwrap().unwrap();
        let version = read.version.unwrap();
        assert_eq!((read.value.as_bytes(), version.id.as_str(), version.current), (&b"hunter2"[..], "3", true));
        assert_eq!(version.created_at, Some(1500));
        assert!(!secret("app/db", Some("3")).unwrap().unwrap().version.unwrap().current);
        assert_eq!(
            asked()[0],
            ("AmazonSSM.GetParameter".to_owned(), json!({ "Name": "/app/db", "WithDecryption": true }))
        );
        assert_eq!(asked()[1].1["Name"], "/app/db:3");
        for code in [NOT_FOUND, NO_VERSION] {
            answering(&[(400, code)]).install();
            assert_eq!(secret("app/db", Some("9")).unwrap(), None);
        }
    }

    #[test]
    fn a_description_has_the_type_the_key_and_the_tags() {
        let listed = r#"{"Parameters":[{"Name":"/app/db","Type":"SecureString","KeyId":"alias/aws/ssm","Version":2,
            "LastModifiedDate":2,"Tier":"Standard","Description":"d"}]}"#;
        answering(&[(200, listed), (200, r#"{"TagList":[{"Key":"team","Value":"web"}]}"#)]).install();
        let entry = entry("app/db").unwrap().unwrap();
        assert_eq!(entry.version.unwrap().id, "2");
        assert_eq!(entry.tags, [("team".to_owned(), "web".to_owned())]);
        let expected = [
            ("type", "SecureString"),
            ("description", "d"),
            ("kms-key", "alias/aws/ssm"),
            ("tier", "Standard"),
            ("changed-at", "2000"),
        ];
        assert_eq!(entry.attributes, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let filter = json!([{ "Key": "Name", "Option": "Equals", "Values": ["/app/db"] }]);
        assert_eq!(asked()[0].1, json!({ "ParameterFilters": filter, "MaxResults": 50 }));
        answering(&[(200, listed), (400, "AccessDeniedException")]).install();
        assert_eq!(super::entry("app/db").unwrap().unwrap().tags, []);
        answering(&[(200, r#"{"Parameters":[]}"#)]).install();
        assert_eq!(super::entry("app/db").unwrap(), None);
    }

    #[test]
    fn a_parameter_is_found_behind_answers_that_have_none() {
        let none = r#"{"Parameters":[],"NextToken":"more"}"#;
        let there = r#"{"Parameters":[{"Name":"/db","Version":1},{"Name":"db","Version":2}],"NextToken":"more"}"#;
        answering(&[(200, none), (200, none), (200, there), (200, r#"{"TagList":[]}"#)]).install();
        // Of two that differ in a `/` alone, the one that was named.
        assert_eq!(entry("db").unwrap().unwrap().version.unwrap().id, "2");
        let tokens: Vec<_> = asked().iter().take(3).map(|(_, body)| body["NextToken"].clone()).collect();
        assert_eq!(tokens, [json!(null), json!("more"), json!("more")]);
        answering(&[(200, none), (200, r#"{"Parameters":[]}"#)]).install();
        assert_eq!(entry("db").unwrap(), None);
        answering(&[(200, none)]).install();
        assert_eq!(entry("db").unwrap_err().kind(), ErrorKind::Upstream);
        assert_eq!(asked().len(), PAGES);
    }
}
