//! Writing a value: a new version of a secret that is there, or a new secret ("AWS Secrets Manager API Reference,
//! PutSecretValue" and "CreateSecret").
//!
//! Each write brings a token that becomes the version's id, so that a request which is sent twice makes one version.

use forge_sdk::{Error, PutOptions, SecretVersion, random, settings};
use serde::{Deserialize, Serialize};

use crate::call::{EXISTS, NOT_FOUND, ask, is};
use crate::compare;
use crate::content::Content;
use crate::describe::{About, is_of_deleted};
use crate::name::Id;
use crate::tags::{self, Tag};

/// The option that no word of the contract has, and the most characters of one.
pub(crate) const DESCRIPTION: &str = "description";
const LONGEST_DESCRIPTION: usize = 2_048;

/// One write, whose token is the same in each of its requests.
pub(crate) struct Write<'a> {
    pub(crate) id: Id<'a>,
    pub(crate) token: String,
    content: Content<'a>,
    tags: Vec<Tag>,
    description: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Put<'a> {
    secret_id: &'a str,
    client_request_token: &'a str,
    #[serde(flatten)]
    content: &'a Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_stages: Option<[&'a str; 1]>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Create<'a> {
    name: &'a str,
    client_request_token: &'a str,
    #[serde(flatten)]
    content: &'a Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Tag]>::is_empty")]
    tags: &'a [Tag],
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attach<'a> {
    secret_id: &'a str,
    tags: &'a [Tag],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Describe<'a> {
    secret_id: &'a str,
    client_request_token: &'a str,
    description: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    version_id: String,
    version_stages: Option<Vec<String>>,
}

/// Writes the value.
///
/// # Errors
///
/// `invalid-request` for a path, a value or a tag that can't be, `unsupported` for an option that the service can't
/// express, `conflict` where another version is the current one, and what the service said.
pub(crate) fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
    options.only(&["expected-version", "tags", DESCRIPTION])?;
    let (id, content, tags) = (Id::of(path)?, Content::of(value)?, tags::of(&options.tags)?);
    let write = Write { id, token: token(), content, tags, description: description(options, LONGEST_DESCRIPTION)? };
    match options.expected_version.as_deref() {
        None => write.over_anything(),
        Some("") => compare::where_there_is_none(&write),
        Some(expected) => compare::over(&write, expected),
    }
}

/// The description that a write gives a secret.
///
/// # Errors
///
/// `invalid-request` for one of more characters than this.
pub(crate) fn description(options: &PutOptions, longest: usize) -> Result<Option<&str>, Error> {
    let description = options.attribute(DESCRIPTION);
    if description.is_some_and(|text| text.chars().count() > longest) {
        return Err(Error::invalid_request(format!("a description has at most {longest} characters")));
    }
    Ok(description)
}

/// The name of a key, but for the service's own: it is made when it is first needed, and has no name before.
pub(crate) fn named(key: &str) -> Option<&str> {
    (!key.starts_with("alias/aws/")).then_some(key)
}

/// A random UUID (RFC 9562, section 5.4), as the clients of the service choose theirs.
pub(crate) fn token() -> String {
    let mut bytes = random::bytes(16);
    for (at, byte) in bytes.iter_mut().enumerate() {
        match at {
            6 => *byte = (*byte & 0x0f) | 0x40,
            8 => *byte = (*byte & 0x3f) | 0x80,
            _ => {}
        }
    }
    let dash = |at: usize| if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
    bytes.iter().enumerate().map(|(at, byte)| format!("{}{byte:02x}", dash(at))).collect()
}

impl Write<'_> {
    /// Writes over whatever is there, or anew.
    fn over_anything(&self) -> Result<SecretVersion, Error> {
        match self.labelled_put() {
            Err(error) if is(&error, NOT_FOUND) && !self.id.is_arn => match self.create() {
                // Somebody else made it in between.
                Err(error) if is(&error, EXISTS) => self.labelled_put(),
                created => created,
            },
            Err(error) if is_of_deleted(&error, self.id) => self.restored(|| self.labelled_put()),
            written => written,
        }
    }

    /// What belongs to the secret first: who may not tag or describe it writes nothing.
    fn labelled_put(&self) -> Result<SecretVersion, Error> {
        self.label()?;
        self.put(None)
    }

    /// Adds the tags to those that the secret has, and describes it anew; nothing is sent where nothing is said.
    pub(crate) fn label(&self) -> Result<(), Error> {
        if !self.tags.is_empty() {
            ask("TagResource", &Attach { secret_id: self.id.text, tags: &self.tags })?;
        }
        if let Some(description) = self.description {
            // The token of a version that this makes none of; the service's own clients send one all the same.
            let token = token();
            ask("UpdateSecret", &Describe { secret_id: self.id.text, client_request_token: &token, description })?;
        }
        Ok(())
    }

    /// A new version of a secret that is there: the current one, or with this label one that is not.
    pub(crate) fn put(&self, label: Option<&str>) -> Result<SecretVersion, Error> {
        let body = Put {
            secret_id: self.id.text,
            client_request_token: &self.token,
            content: &self.content,
            version_stages: label.map(|label| [label]),
        };
        let written: Written = ask("PutSecretValue", &body)?.json("the version that was written")?;
        let version = SecretVersion::new(written.version_id, label.is_none());
        Ok(SecretVersion { labels: written.version_stages.unwrap_or_default(), ..version })
    }

    /// A new secret, with its tags, its description and the one key that is granted.
    pub(crate) fn create(&self) -> Result<SecretVersion, Error> {
        // "AWS Secrets Manager User Guide, Secrets managed by other AWS services".
        if self.id.text.contains('!') {
            let words = "a name with a `!` is given by another service alone, and none of this name is there";
            return Err(Error::invalid_request(words));
        }
        let key = settings::required("kms-key")?;
        let body = Create {
            name: self.id.text,
            client_request_token: &self.token,
            content: &self.content,
            kms_key_id: named(&key),
            tags: &self.tags,
            description: self.description,
        };
        let written: Written = ask("CreateSecret", &body)?.json("the version that was written")?;
        Ok(SecretVersion::new(written.version_id, true))
    }

    /// Takes its deletion back and then writes; a write that fails says what it leaves behind.
    pub(crate) fn restored(
        &self,
        write: impl FnOnce() -> Result<SecretVersion, Error>,
    ) -> Result<SecretVersion, Error> {
        ask("RestoreSecret", &About { secret_id: self.id.text })?;
        write().map_err(|error| {
            let left = "its deletion was cancelled before that: `forge secret delete` schedules it again";
            let words = format!("{}; {left}", error.message());
            error.with_message(words)
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;
    use serde_json::{Value, json};

    use super::*;
    use crate::call::WRONG_STATE;
    use crate::call::tests::{actions, answering, asked};

    const WRITTEN: &str = r#"{"Name":"a","VersionId":"v","VersionStages":["AWSCURRENT"]}"#;

    fn tagged() -> PutOptions {
        PutOptions { tags: vec![("team".to_owned(), "web".to_owned())], ..PutOptions::default() }
    }

    fn bodies() -> Vec<Value> {
        asked().into_iter().map(|(_, body)| body).collect()
    }

    #[test]
    fn a_write_over_a_secret_is_one_request_with_a_token_of_its_own() {
        answering(&[(200, WRITTEN)]).install();
        let version = put("a", b"hunter2", &PutOptions::default()).unwrap();
        assert_eq!((version.id.as_str(), version.current), ("v", true));
        put("a", &[0xff], &PutOptions::default()).unwrap();
        assert_eq!(actions(), ["PutSecretValue", "PutSecretValue"]);
        let bodies = bodies();
        let tokens: Vec<&str> = bodies.iter().map(|body| body["ClientRequestToken"].as_str().unwrap()).collect();
        assert_ne!(tokens[0], tokens[1]);
        for (token, (name, value)) in tokens.iter().zip([("SecretString", "hunter2"), ("SecretBinary", "/w==")]) {
            assert_eq!(token.len(), 36);
            let expected = json!({ "SecretId": "a", "ClientRequestToken": token, name: value });
            assert!(bodies.contains(&expected), "{bodies:?}");
        }
    }

    #[test]
    fn a_secret_that_is_not_there_is_made_with_its_tags_and_the_granted_key() {
        answering(&[(400, NOT_FOUND), (200, WRITTEN)]).install();
        put("a", b"x", &tagged()).unwrap();
        assert_eq!(actions(), ["TagResource", "CreateSecret"]);
        let body = bodies().remove(1);
        assert_eq!(body.get("KmsKeyId"), None, "the service's own key has no name before it is needed");
        assert_eq!(body["Tags"], json!([{ "Key": "team", "Value": "web" }]));
        answering(&[(400, NOT_FOUND), (200, WRITTEN)]).setting("kms-key", "alias/mine").install();
        put("a", b"x", &PutOptions::default()).unwrap();
        assert_eq!(bodies().remove(1)["KmsKeyId"], "alias/mine");
        // Somebody else made it in between.
        answering(&[(400, NOT_FOUND), (400, EXISTS), (200, WRITTEN)]).install();
        put("a", b"x", &PutOptions::default()).unwrap();
        assert_eq!(actions(), ["PutSecretValue", "CreateSecret", "PutSecretValue"]);
        let bodies = bodies();
        assert!(bodies.iter().all(|body| body["ClientRequestToken"] == bodies[0]["ClientRequestToken"]));
    }

    #[test]
    fn a_name_that_other_services_give_is_written_over_and_never_made() {
        answering(&[(200, WRITTEN)]).install();
        put("rds!db-1", b"x", &PutOptions::default()).unwrap();
        for expected in [None, Some(String::new())] {
            answering(&[(400, NOT_FOUND)]).install();
            let options = PutOptions { expected_version: expected, ..PutOptions::default() };
            let error = put("rds!db-1", b"x", &options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains("`!`"), "{}", error.message());
            assert!(!actions().contains(&"CreateSecret".to_owned()));
        }
    }

    #[test]
    fn an_arn_names_what_is_there_and_makes_nothing() {
        answering(&[(400, NOT_FOUND)]).install();
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-AbCdEf";
        assert_eq!(put(arn, b"x", &PutOptions::default()).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(actions(), ["PutSecretValue"]);
    }

    #[test]
    fn a_secret_that_is_scheduled_for_deletion_is_taken_back_and_written() {
        let deleted = r#"{"Name":"a","DeletedDate":1}"#;
        answering(&[(400, WRONG_STATE), (200, deleted), (200, "{}"), (200, WRITTEN)]).install();
        put("a", b"x", &PutOptions::default()).unwrap();
        assert_eq!(actions(), ["PutSecretValue", "DescribeSecret", "RestoreSecret", "PutSecretValue"]);
        let full = (400, "LimitExceededException");
        answering(&[(400, WRONG_STATE), (200, deleted), (200, "{}"), full]).install();
        let error = put("a", b"x", &PutOptions::default()).unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidRequest, Some(400)));
        let told = "its deletion was cancelled before that: `forge secret delete` schedules it again";
        assert!(error.message().ends_with(told), "{}", error.message());
        // A deletion that stays is not told as cancelled.
        answering(&[(400, WRONG_STATE), (200, deleted), full]).install();
        assert!(!put("a", b"x", &PutOptions::default()).unwrap_err().message().contains("cancelled"));
        answering(&[(400, WRONG_STATE), (200, r#"{"Name":"a"}"#)]).install();
        assert_eq!(put("a", b"x", &PutOptions::default()).unwrap_err().kind(), ErrorKind::WrongState);
        assert_eq!(actions(), ["PutSecretValue", "DescribeSecret"]);
    }

    #[test]
    fn a_description_is_given_to_the_secret_before_the_value_and_sent_by_itself() {
        let described = |text: &str| PutOptions {
            attributes: vec![("description".to_owned(), text.to_owned())],
            ..PutOptions::default()
        };
        answering(&[(200, "{}"), (200, WRITTEN)]).install();
        put("a", b"x", &described("of the web team")).unwrap();
        assert_eq!(actions(), ["UpdateSecret", "PutSecretValue"]);
        let mut body = bodies().remove(0);
        assert_eq!(body["ClientRequestToken"].take().as_str().map(str::len), Some(36));
        assert_eq!(
            body,
            json!({ "SecretId": "a", "ClientRequestToken": null, "Description": "of the web team" }),
            "neither a value nor a key"
        );
        answering(&[(400, NOT_FOUND), (200, WRITTEN)]).install();
        put("a", b"x", &described("of the web team")).unwrap();
        assert_eq!(actions(), ["UpdateSecret", "CreateSecret"]);
        assert_eq!(bodies()[1]["Description"], "of the web team");
        answering(&[(400, "AccessDeniedException")]).install();
        assert_eq!(put("a", b"x", &described("d")).unwrap_err().kind(), ErrorKind::AccessDenied);
        assert_eq!(actions(), ["UpdateSecret"]);
        answering(&[]).install();
        let error = put("a", b"x", &described(&"d".repeat(2_049))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains("2048"), "{}", error.message());
    }

    #[test]
    fn who_may_not_tag_writes_nothing() {
        answering(&[(400, "AccessDeniedException")]).install();
        assert_eq!(put("a", b"x", &tagged()).unwrap_err().kind(), ErrorKind::AccessDenied);
        assert_eq!(actions(), ["TagResource"]);
    }

    #[test]
    fn what_can_not_be_written_is_refused_before_any_request() {
        answering(&[]).install();
        let options = [
            (PutOptions { content_type: Some("text/plain".into()), ..PutOptions::default() }, "`content-type`"),
            (PutOptions { expires_at: Some(1), ..PutOptions::default() }, "`expires-at`"),
        ];
        for (options, name) in options {
            let error = put("a", b"x", &options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.message().contains(name), "{}", error.message());
        }
        assert_eq!(put("a", b"", &PutOptions::default()).unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert_eq!(put("a b", b"x", &PutOptions::default()).unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert_eq!(actions(), [""; 0]);
    }
}
