//! Versions of a parameter, and an old one written anew ("AWS Systems Manager API Reference, GetParameterHistory").

use forge_sdk::{Error, SecretVersion, VersionPage};
use serde::{Deserialize, Serialize};

use super::form::Form;
use super::read::got;
use super::write::{Labels, over};
use super::{NOT_FOUND, ask};
use crate::call::{self, is};

/// The most versions of one answer ("GetParameterHistory", parameter `MaxResults`).
const PAGE: u32 = 50;
/// The most answers that are read: the service keeps the last 100 versions ("PutParameter").
const PAGES: usize = 10;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct List<'a> {
    name: &'a str,
    max_results: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    parameters: Vec<Version>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: u64,
    labels: Option<Vec<String>>,
    last_modified_date: Option<f64>,
}

fn missing() -> Error {
    Error::not_found("there is no such parameter")
}

/// One page of the versions, newest first; the cursor is the number of the version that was told last.
///
/// # Errors
///
/// `not-found` where there is no such parameter, `invalid-request` for a path or a cursor that can't be, and what the
/// service said.
pub(crate) fn versions(path: &str, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Error> {
    let name = super::name(path)?;
    let below = cursor.map(|cursor| cursor.parse::<u64>()).transpose();
    let below = below.map_err(|_| Error::invalid_request("the cursor is none of this list's"))?;
    let mut all = all(&name)?;
    let newest = all.iter().map(|version| version.version).max().ok_or_else(missing)?;
    all.retain(|version| below.is_none_or(|below| version.version < below));
    all.sort_by_key(|version| std::cmp::Reverse(version.version));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
    let has_more = all.len() > limit;
    all.truncate(limit);
    let told = |version: Version| SecretVersion {
        created_at: call::time(version.last_modified_date),
        labels: version.labels.unwrap_or_default(),
        ..SecretVersion::new(version.version.to_string(), version.version == newest)
    };
    let versions: Vec<SecretVersion> = all.into_iter().map(told).collect();
    let next = versions.last().filter(|_| has_more).map(|last| last.id.clone());
    Ok(VersionPage { versions, next })
}

/// All versions that the service keeps: it answers the oldest first.
fn all(name: &str) -> Result<Vec<Version>, Error> {
    let (mut versions, mut next) = (Vec::new(), None::<String>);
    for _ in 0..PAGES {
        let body = List { name, max_results: PAGE, next_token: next.as_deref() };
        let listed: Listed = match ask("GetParameterHistory", &body) {
            Err(error) if is(&error, NOT_FOUND) => return Err(missing()),
            response => response?.json("a list of versions")?,
        };
        versions.extend(listed.parameters);
        next = listed.next_token.filter(|next| !next.is_empty());
        if next.is_none() {
            return Ok(versions);
        }
    }
    Err(Error::upstream("the service's list of versions does not end"))
}

/// Makes an old version current by writing its value anew; what is current already stays as it is.
///
/// Parameter Store can't compare, so a write in between is written over; its version stays and can be rolled back to. A
/// version that was of another type is not written: what was encrypted then would be plain text now.
///
/// # Errors
///
/// `not-found` for a parameter or a version that isn't there, `wrong-state` for one of another type or key than those of the
/// settings, and what the service said.
pub(crate) fn restore(path: &str, version: &str) -> Result<SecretVersion, Error> {
    let (name, version) = (super::name_to_write(path)?, super::version(version)?);
    let form = Form::of_settings()?;
    let current = got(&name, None)?.ok_or_else(missing)?;
    let gone = || Error::not_found(format!("the service keeps no version `{version}` of this parameter"));
    let old = got(&name, Some(version))?.ok_or_else(gone)?;
    if old.version == current.version {
        return Ok(SecretVersion::new(current.version.to_string(), true));
    }
    form.check_kind(old.r#type.as_deref())?;
    over(&name, &old.value, &form, &Labels::default())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;
    use serde_json::json;

    use super::*;
    use crate::call::tests::{actions, answering, asked};

    const FIRST: &str =
        r#"{"Parameters":[{"Version":1,"Labels":["old"],"Value":"x"},{"Version":2,"Labels":[]}],"NextToken":"n"}"#;
    const LAST: &str = r#"{"Parameters":[{"Version":3,"LastModifiedDate":1.5}]}"#;

    #[test]
    fn versions_are_told_newest_first_with_their_labels() {
        answering(&[(200, FIRST), (200, LAST)]).install();
        let page = versions("a", None, 2).unwrap();
        let told: Vec<(&str, bool)> =
            page.versions.iter().map(|version| (version.id.as_str(), version.current)).collect();
        assert_eq!((told, page.next.as_deref()), (vec![("3", true), ("2", false)], Some("2")));
        // Only numbers and labels are wanted, so what is encrypted stays so.
        assert_eq!(asked()[0].1.get("WithDecryption"), None);
        answering(&[(200, FIRST), (200, LAST)]).install();
        let page = versions("a", Some("2"), 2).unwrap();
        assert_eq!((page.versions[0].id.as_str(), page.versions[0].current, page.next), ("1", false, None));
        assert_eq!(page.versions[0].labels, ["old"]);
        assert_eq!(versions("a", Some("x"), 2).unwrap_err().kind(), ErrorKind::InvalidRequest);
        answering(&[(400, NOT_FOUND)]).install();
        assert_eq!(versions("a", None, 2).unwrap_err().kind(), ErrorKind::NotFound);
        answering(&[(200, FIRST)]).install();
        assert_eq!(versions("a", None, 2).unwrap_err().kind(), ErrorKind::Upstream);
    }

    #[test]
    fn an_old_version_is_written_anew_and_the_current_one_stays() {
        let of = |version: u64, kind: &str| {
            format!(r#"{{"Parameter":{{"Value":"v{version}","Type":"{kind}","Version":{version}}}}}"#)
        };
        let got = |version: u64| of(version, "SecureString");
        let listed =
            r#"{"Parameters":[{"Name":"a","Type":"SecureString","KeyId":"alias/aws/secretsmanager","Version":3}]}"#;
        answering(&[(200, &got(3)), (200, &got(1)), (200, listed), (200, r#"{"Version":4}"#)]).install();
        assert_eq!(restore("a", "1").unwrap().id, "4");
        assert_eq!((&asked()[3].1["Value"], &asked()[3].1["Type"]), (&json!("v1"), &json!("SecureString")));
        // Neither a version of another type is written, nor over a parameter of another one.
        let plain = listed.replace("SecureString", "String");
        for (old, listed) in [(of(1, "String"), listed), (got(1), &plain)] {
            answering(&[(200, &got(3)), (200, &old), (200, listed), (200, r#"{"Version":4}"#)]).install();
            assert_eq!(restore("a", "1").unwrap_err().kind(), ErrorKind::WrongState);
            assert!(!actions().contains(&"AmazonSSM.PutParameter".to_owned()));
        }
        answering(&[(200, &got(3)), (200, &got(3))]).install();
        assert_eq!(restore("a", "3").unwrap().id, "3");
        assert_eq!(actions().len(), 2);
        answering(&[(200, &got(3)), (400, "ParameterVersionNotFound")]).install();
        assert_eq!(restore("a", "9").unwrap_err().kind(), ErrorKind::NotFound);
    }
}
