//! Reading several parameters in one request ("AWS Systems Manager API Reference, GetParameters").

use forge_sdk::{Error, Secret};
use serde::{Deserialize, Serialize};

use super::ask;
use super::read::Got;

/// The most parameters of one request ("GetParameters", parameter `Names`).
const MOST: usize = 10;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<'a> {
    names: Vec<&'a str>,
    with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    parameters: Option<Vec<Got>>,
    invalid_parameters: Option<Vec<String>>,
}

/// The newest versions of the parameters at these paths.
pub(crate) fn secrets(paths: &[String]) -> Vec<Result<Option<Secret>, Error>> {
    paths.chunks(MOST).flat_map(some).collect()
}

fn some(paths: &[String]) -> Vec<Result<Option<Secret>, Error>> {
    let names: Vec<Result<String, Error>> = paths.iter().map(|path| super::name(path)).collect();
    let sound: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
    if sound.is_empty() {
        return names.into_iter().map(|name| name.map(|_| None)).collect();
    }
    let answer = ask("GetParameters", &Batch { names: sound, with_decryption: true })
        .and_then(|response| response.json::<Answer>("the values of several parameters"));
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return names.into_iter().map(|name| Err(name.err().unwrap_or_else(|| error.clone()))).collect(),
    };
    let missing = answer.invalid_parameters.unwrap_or_default();
    let mut values: Vec<Option<Got>> = answer.parameters.into_iter().flatten().map(Some).collect();
    // A name of one segment is the same with and without a `/` before it.
    let is_same = |one: &str, other: &str| super::path(one) == super::path(other);
    names
        .into_iter()
        .map(|name| {
            let name = name?;
            let is_it = |got: &Got| got.name.as_ref().is_some_and(|known| is_same(known, &name));
            let found = values.iter_mut().find(|got| got.as_ref().is_some_and(is_it)).and_then(Option::take);
            match found {
                Some(got) => Ok(Some(got.secret(true))),
                None if missing.iter().any(|missing| is_same(missing, &name)) => Ok(None),
                None => Err(Error::upstream("the service left a parameter out of its answer")),
            }
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;
    use serde_json::json;

    use super::*;
    use crate::call::tests::{answering, asked};

    #[test]
    fn values_are_matched_by_name_and_what_is_named_as_missing_is_none() {
        let body = r#"{"Parameters":[{"Name":"/app/db","Value":"hunter2","Version":3,"LastModifiedDate":1795356812.142},{"Name":"db","Value":"x","Version":1}],
            "InvalidParameters":["/app/gone"]}"#;
        answering(&[(200, body)]).install();
        let paths = ["db", "app/gone", "app/db", "app/left-out", "no name"].map(str::to_owned);
        let answers = secrets(&paths);
        let read = |at: usize| answers[at].as_ref().unwrap().as_ref();
        let version = read(2).unwrap().version.as_ref().unwrap();
        assert_eq!((version.id.as_str(), version.current), ("3", true));
        assert_eq!((read(0).unwrap().value.as_bytes(), read(1)), (&b"x"[..], None));
        assert_eq!(answers[3].as_ref().unwrap_err().kind(), ErrorKind::Upstream);
        assert_eq!(answers[4].as_ref().unwrap_err().kind(), ErrorKind::InvalidRequest);
        let names = json!(["db", "/app/gone", "/app/db", "/app/left-out"]);
        let expected = json!({ "Names": names, "WithDecryption": true });
        assert_eq!(asked(), [("AmazonSSM.GetParameters".to_owned(), expected)]);
    }

    #[test]
    fn a_request_names_ten_parameters_at_most_and_one_that_fails_is_an_error_for_each() {
        answering(&[(400, "AccessDeniedException")]).install();
        let many: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        let answers = secrets(&many);
        assert_eq!((answers.len(), asked().len()), (20, 2));
        assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(|e| e.kind() == ErrorKind::AccessDenied)));
    }
}
