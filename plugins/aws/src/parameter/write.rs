//! Writing a parameter ("AWS Systems Manager API Reference, PutParameter" and "AddTagsToResource").

use forge_sdk::{Error, PutOptions, SecretVersion};
use serde::{Deserialize, Serialize};

use super::form::Form;
use super::read::known;
use super::{EXISTS, NO_RESOURCE, ask};
use crate::call::is;
use crate::tags::{self, Tag};
use crate::write::{DESCRIPTION, description};

/// The longest value, in bytes: 4,096 in the standard tier, and this in the advanced one.
const LONGEST: usize = 8_192;
/// The longest description, in characters.
const LONGEST_DESCRIPTION: usize = 1_024;

/// What a write says of the parameter beside its value.
#[derive(Default)]
pub(super) struct Labels<'a> {
    tags: Vec<Tag>,
    description: Option<&'a str>,
}

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
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
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
/// can't keep, `conflict` where there is a parameter and none was expected, `wrong-state` for one of another type or key
/// than those of the settings, and what the service said.
pub(crate) fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
    options.only(&["expected-version", "tags", DESCRIPTION])?;
    let (name, value) = (super::name_to_write(path)?, text(value)?);
    let labels = Labels { tags: tags::of(&options.tags)?, description: description(options, LONGEST_DESCRIPTION)? };
    let form = Form::of_settings()?;
    match options.expected_version.as_deref() {
        Some("") => written(&name, value, &form, false, &labels),
        Some(_) => Err(Error::unsupported("Parameter Store can't compare versions before it writes")),
        None => over(&name, value, &form, &labels),
    }
}

/// A write over a parameter of the same type and key, or of a new one.
///
/// # Errors
///
/// `wrong-state` for one of another type or key, and what the service said.
pub(super) fn over(name: &str, value: &str, form: &Form, labels: &Labels<'_>) -> Result<SecretVersion, Error> {
    // Twice, since somebody else may make or delete it in between.
    for _ in 0..2 {
        let Some(known) = known(name)? else {
            match written(name, value, form, false, labels) {
                Err(error) if is(&error, EXISTS) => continue,
                answer => return answer,
            }
        };
        form.check(&known)?;
        match tag(name, &labels.tags) {
            Err(error) if is(&error, NO_RESOURCE) => {}
            tagged => return tagged.and_then(|()| written(name, value, form, true, labels)),
        }
    }
    Err(Error::conflict("the parameter is there and not listed yet, so neither its type nor its key is known"))
}

/// Adds tags to a parameter; a write over one takes none, so they come first: who may not tag writes nothing.
fn tag(name: &str, tags: &[Tag]) -> Result<(), Error> {
    if !tags.is_empty() {
        ask("AddTagsToResource", &Attach { resource_type: "Parameter", resource_id: name, tags })?;
    }
    Ok(())
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
fn written(name: &str, value: &str, form: &Form, overwrite: bool, labels: &Labels<'_>) -> Result<SecretVersion, Error> {
    // A write over a parameter takes no tags.
    let tags: &[Tag] = if overwrite { &[] } else { &labels.tags };
    let (description, key_id) = (labels.description, form.key_id());
    let body = Put { name, value, r#type: form.kind(), key_id, overwrite, tags, description };
    let answer = ask("PutParameter", &body);
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
    const NONE: &str = r#"{"Parameters":[]}"#;
    const THERE: &str =
        r#"{"Parameters":[{"Name":"a","Type":"SecureString","KeyId":"alias/aws/secretsmanager","Version":3}]}"#;

    fn expecting(version: &str) -> PutOptions {
        PutOptions { expected_version: Some(version.to_owned()), ..PutOptions::default() }
    }

    #[test]
    fn a_write_is_of_the_granted_type_and_key() {
        let listed = THERE.replace("alias/aws/secretsmanager", "mine");
        answering(&[(200, &listed), (200, WRITTEN)]).setting("kms-key", "mine").install();
        assert_eq!(put("a", b"hunter2", &PutOptions::default()).unwrap().id, "4");
        let body =
            json!({ "Name": "a", "Value": "hunter2", "Type": "SecureString", "KeyId": "mine", "Overwrite": true });
        assert_eq!(asked()[1], ("AmazonSSM.PutParameter".to_owned(), body));
        let listed = listed.replace("SecureString", "String");
        answering(&[(200, &listed), (200, WRITTEN)]).setting("parameter-type", "String").install();
        put("a", b"hunter2", &PutOptions::default()).unwrap();
        assert_eq!((asked()[1].1["Type"].as_str(), asked()[1].1.get("KeyId")), (Some("String"), None));
    }

    #[test]
    fn a_write_changes_neither_type_nor_key_of_a_parameter_that_is_there() {
        let tagged = PutOptions { tags: vec![("team".to_owned(), "web".to_owned())], ..PutOptions::default() };
        for (setting, value) in [("parameter-type", "String"), ("kms-key", "mine")] {
            for options in [&PutOptions::default(), &tagged] {
                answering(&[(200, THERE), (200, WRITTEN)]).setting(setting, value).install();
                let error = put("a", b"hunter2", options).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::WrongState);
                assert!(error.message().contains(&format!("`{setting}`")), "{}", error.message());
                assert_eq!(actions(), ["AmazonSSM.DescribeParameters"]);
            }
        }
    }

    #[test]
    fn a_description_travels_with_the_value() {
        let text = "of the web team".to_owned();
        let options =
            PutOptions { attributes: vec![("description".to_owned(), text.clone())], ..PutOptions::default() };
        for listed in [NONE, THERE] {
            answering(&[(200, listed), (200, WRITTEN)]).setting("kms-key", "alias/aws/secretsmanager").install();
            put("a", b"x", &options).unwrap();
            assert_eq!(asked()[1].1["Description"], text);
        }
    }

    #[test]
    fn a_parameter_that_is_not_listed_is_never_written_over() {
        answering(&[(200, NONE), (200, WRITTEN)]).install();
        put("a", b"x", &PutOptions::default()).unwrap();
        assert_eq!(asked()[1].1["Overwrite"], false);
        // Somebody else made it in between.
        answering(&[(200, NONE), (400, EXISTS), (200, THERE), (200, WRITTEN)]).install();
        put("a", b"x", &PutOptions::default()).unwrap();
        assert_eq!(asked()[3].1["Overwrite"], true);
        answering(&[(200, NONE), (400, EXISTS), (200, NONE), (400, EXISTS)]).install();
        assert_eq!(put("a", b"x", &PutOptions::default()).unwrap_err().kind(), ErrorKind::Conflict);
        assert!(asked().iter().all(|(_, body)| body["Overwrite"] != true));
    }

    #[test]
    fn what_is_the_services_own_is_refused_before_any_request() {
        answering(&[(200, NONE), (200, WRITTEN)]).install();
        for path in ["aws/service/x", "SSM-x"] {
            assert_eq!(put(path, b"x", &PutOptions::default()).unwrap_err().kind(), ErrorKind::InvalidRequest);
        }
        assert_eq!(actions(), [""; 0]);
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
        answering(&[(200, THERE), (200, "{}"), (200, WRITTEN)]).install();
        put("a", b"x", &tagged).unwrap();
        let names = ["DescribeParameters", "AddTagsToResource", "PutParameter"];
        assert_eq!(actions(), names.map(|name| format!("AmazonSSM.{name}")));
        assert_eq!(asked()[2].1.get("Tags"), None);
        answering(&[(200, NONE), (200, WRITTEN)]).install();
        put("a", b"x", &tagged).unwrap();
        assert_eq!(asked()[1].1["Tags"], json!([{ "Key": "team", "Value": "web" }]));
        // Somebody else deleted it in between.
        answering(&[(200, THERE), (400, NO_RESOURCE), (200, NONE), (200, WRITTEN)]).install();
        put("a", b"x", &tagged).unwrap();
        assert_eq!(asked()[3].1["Overwrite"], false);
        answering(&[(200, THERE), (400, "AccessDeniedException")]).install();
        assert_eq!(put("a", b"x", &tagged).unwrap_err().kind(), ErrorKind::AccessDenied);
        assert_eq!(actions().len(), 2);
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
