//! Reading a value ("AWS Secrets Manager API Reference, GetSecretValue").

use forge_sdk::{Error, Secret, SecretVersion};
use serde::{Deserialize, Serialize};

use crate::call::{self, NOT_FOUND, ask, is};
use crate::content;
use crate::describe::is_of_deleted;
use crate::name::{CURRENT, Id, Wanted};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Get<'a> {
    secret_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_stage: Option<&'a str>,
}

/// A version of a secret with its value, as `GetSecretValue` and `BatchGetSecretValue` tell it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Got {
    pub(crate) name: Option<String>,
    #[serde(rename = "ARN")]
    pub(crate) arn: Option<String>,
    version_id: String,
    version_stages: Option<Vec<String>>,
    created_date: Option<f64>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

impl Got {
    /// The secret in the words of the contract.
    ///
    /// # Errors
    ///
    /// `upstream` where there is no value.
    pub(crate) fn secret(self) -> Result<Secret, Error> {
        let labels = self.version_stages.unwrap_or_default();
        let current = labels.iter().any(|label| label == CURRENT);
        let created_at = call::time(self.created_date);
        let version = SecretVersion { created_at, labels, ..SecretVersion::new(self.version_id, current) };
        let value = content::value(self.secret_string, self.secret_binary.as_deref())?;
        Ok(Secret { version: Some(version), ..Secret::new(value) })
    }
}

/// The secret at this path; one that is scheduled for deletion is none.
///
/// # Errors
///
/// `invalid-request` for a path or a version that can't be, and what the service said.
pub(crate) fn secret(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
    let id = Id::of(path)?;
    let get = |version_id, version_stage| ask("GetSecretValue", &Get { secret_id: id.text, version_id, version_stage });
    let answer = match Wanted::of(version)? {
        Wanted::Label(label) => get(None, Some(label)),
        Wanted::IdOrLabel(text) => match get(Some(text), None) {
            Err(error) if is(&error, NOT_FOUND) => get(None, Some(text)),
            answer => answer,
        },
    };
    let response = match answer {
        Err(error) if is(&error, NOT_FOUND) || is_of_deleted(&error, id) => return Ok(None),
        response => response?,
    };
    response.json::<Got>("the value of a secret")?.secret().map(Some)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;
    use serde_json::json;

    use super::*;
    use crate::call::WRONG_STATE;
    use crate::call::tests::{actions, answering, asked};

    const ID: &str = "11111111-2222-3333-4444-555555555555";

    fn got(value: &str) -> String {
        format!(
            r#"{{"Name":"a","VersionId":"{ID}","VersionStages":["AWSCURRENT"],"CreatedDate":1.52347714571325E9,{value}}}"#
        )
    }

    #[test]
    fn a_read_is_one_request_for_the_current_version() {
        answering(&[(200, &got(r#""SecretString":"hunter2""#))]).install();
        let secret = secret("a", None).unwrap().unwrap();
        let version = secret.version.unwrap();
        assert_eq!((secret.value.as_bytes(), version.id.as_str(), version.current), (&b"hunter2"[..], ID, true));
        assert_eq!((version.created_at, version.labels), (Some(1_523_477_145_713), vec!["AWSCURRENT".to_owned()]));
        let expected = json!({ "SecretId": "a", "VersionStage": "AWSCURRENT" });
        assert_eq!(asked(), [("GetSecretValue".to_owned(), expected)]);
    }

    #[test]
    fn a_version_is_read_by_its_id_or_its_label_and_bytes_come_out_of_base64() {
        answering(&[(200, &got(r#""SecretBinary":"//4A""#))]).install();
        assert_eq!(secret("a", Some(ID)).unwrap().unwrap().value.as_bytes(), [0xff, 0xfe, 0]);
        secret("a", Some("AWSPREVIOUS")).unwrap().unwrap();
        let bodies: Vec<_> = asked().into_iter().map(|(_, body)| body).collect();
        let label = json!({ "SecretId": "a", "VersionStage": "AWSPREVIOUS" });
        assert_eq!(bodies, [json!({ "SecretId": "a", "VersionId": ID }), label]);
    }

    #[test]
    fn a_label_as_long_as_an_id_is_asked_for_as_a_label_where_no_version_has_it_as_its_id() {
        let label = "release-of-2026-11-22-before-the-migration";
        answering(&[(400, NOT_FOUND), (200, &got(r#""SecretString":"x""#))]).install();
        assert_eq!(secret("a", Some(label)).unwrap().unwrap().value.as_bytes(), b"x");
        let bodies: Vec<_> = asked().into_iter().map(|(_, body)| body).collect();
        let by_label = json!({ "SecretId": "a", "VersionStage": label });
        assert_eq!(bodies, [json!({ "SecretId": "a", "VersionId": label }), by_label]);
        answering(&[(400, NOT_FOUND)]).install();
        assert_eq!(secret("a", Some(label)).unwrap(), None);
        assert_eq!(actions().len(), 2);
        // One that is longer than any id is a label at once.
        let longer = "x".repeat(256);
        answering(&[(200, &got(r#""SecretString":"x""#))]).install();
        secret("a", Some(&longer)).unwrap().unwrap();
        assert_eq!(asked().remove(0).1, json!({ "SecretId": "a", "VersionStage": longer }));
    }

    #[test]
    fn a_secret_that_is_scheduled_for_deletion_is_none_and_other_states_are_told() {
        answering(&[(400, NOT_FOUND)]).install();
        assert_eq!(secret("a", None).unwrap(), None);
        answering(&[(400, WRONG_STATE), (200, r#"{"Name":"a","DeletedDate":1}"#)]).install();
        assert_eq!(secret("a", None).unwrap(), None);
        assert_eq!(actions(), ["GetSecretValue", "DescribeSecret"]);
        for described in [(200, r#"{"Name":"a"}"#), (400, "AccessDeniedException"), (400, NOT_FOUND)] {
            answering(&[(400, WRONG_STATE), described]).install();
            assert_eq!(secret("a", None).unwrap_err().kind(), ErrorKind::WrongState);
        }
    }

    #[test]
    fn an_answer_that_is_none_is_told_without_what_came() {
        for body in ["{}", &got(r#""SecretString":1"#), &got(r#""x":"hunter2""#)] {
            answering(&[(200, body)]).install();
            let error = secret("a", None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Upstream);
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_path_that_can_be_no_name_is_never_sent() {
        answering(&[]).install();
        assert_eq!(secret("caf\u{e9}", None).unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert_eq!(actions(), [""; 0]);
    }
}
