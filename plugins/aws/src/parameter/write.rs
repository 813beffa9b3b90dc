//! Writing a parameter ("AWS Systems Manager API Reference, PutParameter" and "AddTagsToResource").

use forge_sdk::{Error, PutOptions, SecretVersion, settings};
use serde::{Deserialize, Serialize};

use super::{EXISTS, NO_RESOURCE, ask};
use crate::call::is;
use crate::tags::{self, Tag};
use crate::write::named;

/// The longest value, in bytes: 4,096 in the standard tier, and this in the advanced one.
const LONGEST: usize = 8_192;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Put<'a> {
    name: &'a str,
    value: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    overwrite: bool,
    #[serde(skip_serializing_if = "<[Tag]>::is_empty")]
    tags: &'a [Tag],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attach<'a> {
    resource_type: &'static str,
    resource_id: &'a str,
    tags: &'a [Tag],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    version: u64,
}

/// Writes the value.
///
/// # Errors
///
/// `invalid-request` for a path, a value or a tag that can't be, `unsupported` for an option or bytes that the service
/// can't keep, `conflict` where there is a parameter and none was expected, and what the service said.
pub(crate) fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
    options.only(&["expected-version", "tags"])?;
    let (name, value, tags) = (super::name(path)?, text(value)?, tags::of(&options.tags)?);
    match options.expected_version.as_deref() {
        Some("") => written(&name, value, false, &tags),
        Some(_) => Err(Error::unsupported("Parameter Store can't compare versions before it writes")),
        None if tags.is_empty() => written(&name, value, true, &[]),
        // A write over a parameter takes no tags, so they come first: who may not tag writes nothing.
        None => match ask("AddTagsToResource", &Attach { resource_type: "Parameter", resource_id: &name, tags: &tags })
        {
            Ok(_) => written(&name, value, true, &[]),
            Err(error) if is(&error, NO_RESOURCE) => written(&name, value, false, &tags),
            Err(error) => Err(error),
        },
    }
}

/// The value as the service keeps it: a text that is not empty.
fn text(value: &[u8]) -> Result<&str, Error> {
    if value.is_empty() {
        return Err(Error::invalid_request("an empty value can't be stored: it has at least one byte"));
    }
    if value.len() > LONGEST {
        return Err(Error::too_large("a parameter has at most 4,096 bytes, or 8,192 in the advanced tier"));
    }
    std::str::from_utf8(value).map_err(|_| Error::unsupported("a parameter is a text, and this is none"))
}

/// One write, over what is there or only where there is nothing.
pub(super) fn written(name: &str, value: &str, overwrite: bool, tags: &[Tag]) -> Result<SecretVersion, Error> {
    let (kind, key) = (settings::required("parameter-type")?, settings::required("kms-key")?);
    let key_id = match kind.as_str() {
        "SecureString" => named(&key),
        "String" => None,
        _ => return Err(Error::invalid_request("the setting `parameter-type` is `SecureString` or `String`")),
    };
    let answer = ask("PutParameter", &Put { name, value, r#type: &kind, key_id, overwrite, tags });
    let answer = answer.map_err(|error| {
        let is_conflict = is(&error, EXISTS);
        if is_conflict { error.with_message("no parameter was expected, and there is one") } else { error }
    })?;
    let written: Written = answer.json("the version that was written")?;
    Ok(SecretVersion::new(written.version.to_string(), true))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;
    use serde_json::json;

    use super::*;
    use crate::call::tests::{actions, answering, asked};

    const WRITTEN: &str = r#"{"Version":4,"Tier":"Standard"}"#;

    fn expecting(version: &str) -> PutOptions {
        PutOptions { expected_version: Some(version.to_owned()), ..PutOptions::default() }
    }

    #[test]
    fn a_write_is_one_request_of_the_granted_type_and_key() {
        answering(&[(200, WRITTEN)]).setting("kms-key", "mine").install();
        assert_eq!(put("app/db", b"hunter2", &PutOptions::default()).unwrap().id, "4");
        let body = json!({ "Name": "/app/db", "Value": "hunter2", "Type": "SecureString", "KeyId": "mine", "Overwrite": true });
        assert_eq!(asked(), [("AmazonSSM.PutParameter".to_owned(), body)]);
        answering(&[(200, WRITTEN)]).setting("parameter-type", "String").install();
        put("app/db", b"hunter2", &PutOptions::default()).unwrap();
        assert_eq!((asked()[0].1["Type"].as_str(), asked()[0].1.get("KeyId")), (Some("String"), None));
    }

    #[test]
    fn who_expects_none_meets_one_as_a_conflict_and_nothing_else_is_compared() {
        answering(&[(200, WRITTEN), (400, EXISTS)]).install();
        put("a", b"x", &expecting("")).unwrap();
        assert_eq!(put("a", b"x", &expecting("")).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(asked()[0].1["Overwrite"], false);
        assert_eq!(put("a", b"x", &expecting("3")).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(actions().len(), 2);
    }

    #[test]
    fn tags_are_added_first_and_come_with_a_parameter_that_is_new() {
        let tagged = PutOptions { tags: vec![("team".to_owned(), "web".to_owned())], ..PutOptions::default() };
        answering(&[(200, "{}"), (200, WRITTEN)]).install();
        put("a", b"x", &tagged).unwrap();
        assert_eq!(actions(), ["AmazonSSM.AddTagsToResource", "AmazonSSM.PutParameter"]);
        assert_eq!(asked()[1].1.get("Tags"), None);
        answering(&[(400, NO_RESOURCE), (200, WRITTEN)]).install();
        put("a", b"x", &tagged).unwrap();
        assert_eq!(asked()[1].1["Tags"], json!([{ "Key": "team", "Value": "web" }]));
        assert_eq!(asked()[1].1["Overwrite"], false);
        answering(&[(400, "AccessDeniedException")]).install();
        assert_eq!(put("a", b"x", &tagged).unwrap_err().kind(), ErrorKind::AccessDenied);
        assert_eq!(actions().len(), 1);
    }

    #[test]
    fn what_a_parameter_can_not_be_is_refused_before_any_request() {
        answering(&[]).install();
        for (value, kind) in [
            (&b""[..], ErrorKind::InvalidRequest),
            (&[0xff], ErrorKind::Unsupported),
            (&[b'x'; 8_193], ErrorKind::TooLarge),
        ] {
            assert_eq!(put("a", value, &PutOptions::default()).unwrap_err().kind(), kind);
        }
        assert_eq!(actions(), [""; 0]);
    }
}
