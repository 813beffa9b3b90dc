//! Reading several values in one request ("AWS Secrets Manager API Reference, BatchGetSecretValue").
//!
//! What one of them can't be read for is told as an error of its own, and the host then asks for that one by itself: so a
//! key that may not read in batches still reads.

use std::collections::HashMap;

use forge_sdk::{Error, Secret};
use serde::{Deserialize, Serialize};

use crate::call::{self, NOT_FOUND, ask};
use crate::name::Id;
use crate::read::Got;

/// The most secrets of one request ("BatchGetSecretValue", parameter `SecretIdList`).
const MOST: usize = 20;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<'a> {
    secret_id_list: Vec<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    secret_values: Option<Vec<Got>>,
    errors: Option<Vec<Refused>>,
}

/// Why a secret is not among the values. The service's words are not read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refused {
    secret_id: Option<String>,
    error_code: Option<String>,
}

/// The current versions of the secrets at these paths.
pub(crate) fn secrets(paths: &[String]) -> Vec<Result<Option<Secret>, Error>> {
    paths.chunks(MOST).flat_map(some).collect()
}

fn some(paths: &[String]) -> Vec<Result<Option<Secret>, Error>> {
    let ids: Vec<Result<Id<'_>, Error>> = paths.iter().map(|path| Id::of(path)).collect();
    let sound: Vec<&str> = ids.iter().flatten().map(|id| id.text).collect();
    if sound.is_empty() {
        return ids.into_iter().map(|id| id.map(|_| None)).collect();
    }
    let answer = ask("BatchGetSecretValue", &Batch { secret_id_list: sound })
        .and_then(|response| response.json::<Answer>("the values of several secrets"));
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return ids.into_iter().map(|id| Err(id.err().unwrap_or_else(|| error.clone()))).collect(),
    };
    let mut codes = HashMap::new();
    for refused in answer.errors.into_iter().flatten() {
        if let (Some(id), Some(code)) = (refused.secret_id, refused.error_code) {
            codes.insert(id, code);
        }
    }
    let mut values: Vec<Option<Got>> = answer.secret_values.into_iter().flatten().map(Some).collect();
    ids.into_iter()
        .map(|id| {
            let id = id?.text;
            let is_it = |got: &Got| [&got.name, &got.arn].into_iter().flatten().any(|known| known == id);
            let found = values.iter_mut().find(|got| got.as_ref().is_some_and(is_it)).and_then(Option::take);
            match (found, codes.get(id)) {
                (Some(got), _) => current(got.secret()?).map(Some),
                (None, Some(code)) if code == NOT_FOUND => Ok(None),
                (None, Some(code)) => Err(call::known(code).unwrap_or_else(left_out)),
                (None, None) => Err(left_out()),
            }
        })
        .collect()
}

/// A secret that the answer says nothing of, as of one whose name is an ARN without its last letters.
fn left_out() -> Error {
    Error::upstream("the service left a secret out of its answer")
}

/// A read without a version is one of the version that is labelled so, whatever else an answer holds.
fn current(secret: Secret) -> Result<Secret, Error> {
    if secret.version.as_ref().is_some_and(|version| version.current) {
        return Ok(secret);
    }
    Err(Error::upstream("the answer has another version than the current one"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;
    use serde_json::json;

    use super::*;
    use crate::call::tests::{actions, answering, asked};

    const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:c-AbCdEf";

    fn paths(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    fn value(name: &str, arn: &str, label: &str) -> String {
        format!(
            r#"{{"Name":"{name}","ARN":"{arn}","VersionId":"v","VersionStages":["{label}"],"CreatedDate":1.795356812142E9,"SecretString":"of {name}"}}"#
        )
    }

    fn kinds(answers: &[Result<Option<Secret>, Error>]) -> Vec<Option<ErrorKind>> {
        answers.iter().map(|answer| answer.as_ref().err().map(Error::kind)).collect()
    }

    #[test]
    fn values_are_matched_by_name_and_arn_whatever_their_order_and_only_once() {
        let values = [value("c", ARN, "AWSCURRENT"), value("x", "y", "AWSCURRENT"), value("a", "z", "AWSCURRENT")];
        let errors = r#"[{"SecretId":"gone","ErrorCode":"ResourceNotFoundException","Message":"hunter2"}]"#;
        let body = format!(r#"{{"SecretValues":[{}],"Errors":{errors}}}"#, values.join(","));
        answering(&[(200, &body)]).install();
        let answers = secrets(&paths(&["a", "gone", ARN]));
        let read = |at: usize| answers[at].as_ref().unwrap().as_ref().map(|secret| secret.value.as_bytes().to_vec());
        assert_eq!((read(0).unwrap(), read(1), read(2).unwrap()), (b"of a".to_vec(), None, b"of c".to_vec()));
        let expected = json!({ "SecretIdList": ["a", "gone", ARN] });
        assert_eq!(asked(), [("BatchGetSecretValue".to_owned(), expected)]);
    }

    #[test]
    fn what_the_answer_refuses_leaves_out_or_has_in_another_version_is_an_error_of_its_own() {
        let errors = r#"[{"SecretId":"denied","ErrorCode":"AccessDeniedException"},
            {"SecretId":"deleted","ErrorCode":"InvalidRequestException"},{"SecretId":"odd","ErrorCode":"hunter2"},{}]"#;
        let body = format!(
            r#"{{"SecretValues":[{},{}],"Errors":{errors}}}"#,
            value("old", "y", "AWSPREVIOUS"),
            value("a", "z", "AWSCURRENT")
        );
        answering(&[(200, &body)]).install();
        let answers = secrets(&paths(&["denied", "deleted", "odd", "absent", "old", "a", "no name"]));
        let upstream = Some(ErrorKind::Upstream);
        let denied = [Some(ErrorKind::AccessDenied), Some(ErrorKind::WrongState), upstream, upstream, upstream];
        assert_eq!(kinds(&answers), [&denied[..], &[None, Some(ErrorKind::InvalidRequest)]].concat());
        assert!(!format!("{answers:?}").contains("hunter2"));
        assert_eq!(asked()[0].1["SecretIdList"].as_array().unwrap().len(), 6, "a path that is no name is not sent");
    }

    #[test]
    fn a_batch_that_fails_as_a_whole_is_an_error_for_each() {
        answering(&[(400, "AccessDeniedException")]).install();
        let denied = Some(ErrorKind::AccessDenied);
        assert_eq!(kinds(&secrets(&paths(&["a", "b c", "d"]))), [denied, Some(ErrorKind::InvalidRequest), denied]);
        answering(&[(200, "[]")]).install();
        assert_eq!(kinds(&secrets(&paths(&["a"]))), [Some(ErrorKind::Upstream)]);
    }

    #[test]
    fn a_request_names_twenty_secrets_at_most_and_none_is_sent_for_none() {
        answering(&[(200, "{}")]).install();
        let many: Vec<String> = (0..41).map(|number| number.to_string()).collect();
        assert_eq!(secrets(&many).len(), 41);
        let lengths: Vec<usize> =
            asked().iter().map(|(_, body)| body["SecretIdList"].as_array().unwrap().len()).collect();
        assert_eq!(lengths, [20, 20, 1]);
        answering(&[]).install();
        assert_eq!(kinds(&secrets(&paths(&["b c"]))), [Some(ErrorKind::InvalidRequest)]);
        assert!(secrets(&[]).is_empty());
        assert_eq!(actions(), [""; 0]);
    }
}
