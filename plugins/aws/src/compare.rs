//! Writes that compare: the service has none, but it moves the label of the current version only from the version that
//! has it ("AWS Secrets Manager API Reference, UpdateSecretVersionStage", parameter `RemoveFromVersionId`).
//!
//! So a new version is written beside the current one, and becomes the current one by that move or not at all.

use forge_sdk::{Error, SecretVersion, log};
use serde::Serialize;

use crate::call::{EXISTS, WRONG_PARAMETER, WRONG_STATE, ask, is};
use crate::describe::known;
use crate::name::{CURRENT, Id};
use crate::write::Write;

/// The label that keeps a version which is not current yet: one without any label may be removed at any time. It is none
/// that the service or a rotation uses.
const WAITING: &str = "FORGEWRITE";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Move<'a> {
    secret_id: &'a str,
    version_stage: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    move_to_version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remove_from_version_id: Option<&'a str>,
}

fn shift(id: Id<'_>, label: &str, from: Option<&str>, to: Option<&str>) -> Result<(), Error> {
    let body = Move { secret_id: id.text, version_stage: label, move_to_version_id: to, remove_from_version_id: from };
    ask("UpdateSecretVersionStage", &body).map(drop)
}

fn conflict(expected: &str, current: Option<&str>) -> Error {
    Error::conflict(match current {
        Some(current) if expected.is_empty() => {
            format!("no secret was expected, and its current version is `{current}`")
        }
        Some(current) => format!("version `{expected}` was expected, and the current one is `{current}`"),
        None => format!("version `{expected}` was expected, and there is none"),
    })
}

/// Makes a version the current one in the place of the one that is now.
///
/// # Errors
///
/// `conflict` where somebody else moved the label in between, and what the service said.
pub(crate) fn make_current(id: Id<'_>, from: Option<&str>, to: &str) -> Result<(), Error> {
    let Err(error) = shift(id, CURRENT, from, Some(to)) else { return Ok(()) };
    if !is(&error, WRONG_PARAMETER) && !is(&error, WRONG_STATE) {
        return Err(error);
    }
    // The same answer is given to a version that is gone, so what is current now tells.
    match known(id) {
        Ok(Some(known)) if known.current() == Some(to) => Ok(()),
        Ok(Some(known)) if known.current() != from => Err(conflict(from.unwrap_or_default(), known.current())),
        _ => Err(error),
    }
}

/// Writes only where there is no secret; one that is scheduled for deletion is none.
///
/// # Errors
///
/// `conflict` where there is one, and what the service said.
pub(crate) fn where_there_is_none(write: &Write<'_>) -> Result<SecretVersion, Error> {
    let error = match write.create() {
        Err(error) if is(&error, EXISTS) || is(&error, WRONG_STATE) => error,
        written => return written,
    };
    let Some(known) = known(write.id)? else { return Err(error) };
    match known.current() {
        current if known.is_deleted() => {
            write.restore()?;
            beside(write, current)
        }
        // Made without a value, as tools do that leave the value to others.
        None => beside(write, None),
        current => Err(conflict("", current)),
    }
}

/// Writes only over the version of this id.
///
/// # Errors
///
/// `conflict` where another version is current, and what the service said.
pub(crate) fn over(write: &Write<'_>, expected: &str) -> Result<SecretVersion, Error> {
    match known(write.id)?.filter(|known| !known.is_deleted()) {
        Some(known) if known.current() == Some(expected) => beside(write, Some(expected)),
        known => Err(conflict(expected, known.as_ref().and_then(|known| known.current()))),
    }
}

/// Writes a version beside the current one and makes it the current one, if that still is.
fn beside(write: &Write<'_>, current: Option<&str>) -> Result<SecretVersion, Error> {
    write.tag()?;
    let written = write.put(Some(WAITING))?;
    let moved = make_current(write.id, current, &written.id);
    // Whichever way it ended, the label has done what it is for; a version without any is removed by the service.
    if let Err(error) = shift(write.id, WAITING, Some(&written.id), None) {
        log::warn(&format!("version `{}` keeps the label `{WAITING}`: {error}", written.id));
    }
    moved.map(|()| SecretVersion { labels: vec![CURRENT.to_owned()], ..SecretVersion::new(written.id, true) })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::{ErrorKind, PutOptions};
    use serde_json::json;

    use super::*;
    use crate::call::tests::{actions, answering, asked};
    use crate::write::put;

    const WRITTEN: &str = r#"{"Name":"a","VersionId":"new","VersionStages":["FORGEWRITE"]}"#;
    const OLD: &str = r#"{"Name":"a","VersionIdsToStages":{"old":["AWSCURRENT"]}}"#;
    const OTHER: &str = r#"{"Name":"a","VersionIdsToStages":{"old":["AWSPREVIOUS"],"other":["AWSCURRENT"]}}"#;

    fn expecting(version: &str) -> PutOptions {
        PutOptions { expected_version: Some(version.to_owned()), ..PutOptions::default() }
    }

    #[test]
    fn a_write_that_compares_moves_the_label_from_the_version_that_was_expected() {
        answering(&[(200, OLD), (200, WRITTEN), (200, "{}"), (200, "{}")]).install();
        let version = put("a", b"x", &expecting("old")).unwrap();
        assert_eq!((version.id.as_str(), version.current), ("new", true));
        let asked = asked();
        let names = ["DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage", "UpdateSecretVersionStage"];
        assert_eq!(actions(), names);
        assert_eq!(asked[1].1["VersionStages"], json!(["FORGEWRITE"]));
        let moved = json!({ "SecretId": "a", "VersionStage": "AWSCURRENT", "MoveToVersionId": "new", "RemoveFromVersionId": "old" });
        assert_eq!(asked[2].1, moved);
        let taken = json!({ "SecretId": "a", "VersionStage": "FORGEWRITE", "RemoveFromVersionId": "new" });
        assert_eq!(asked[3].1, taken);
    }

    #[test]
    fn a_write_that_expects_another_version_writes_nothing() {
        for (expected, known) in [("older", (200, OLD)), ("old", (400, "ResourceNotFoundException"))] {
            answering(&[known]).install();
            assert_eq!(put("a", b"x", &expecting(expected)).unwrap_err().kind(), ErrorKind::Conflict);
            assert_eq!(actions(), ["DescribeSecret"]);
        }
    }

    #[test]
    fn who_wrote_in_between_is_not_written_over() {
        answering(&[(200, OLD), (200, WRITTEN), (400, WRONG_PARAMETER), (200, OTHER), (200, "{}")]).install();
        let error = put("a", b"x", &expecting("old")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().contains("`other`"), "{}", error.message());
        assert_eq!(asked().last().unwrap().1["VersionStage"], "FORGEWRITE");
        // The same answer where nobody wrote is one about something else.
        answering(&[(200, OLD), (200, WRITTEN), (400, WRONG_PARAMETER), (200, OLD), (200, "{}")]).install();
        assert_eq!(put("a", b"x", &expecting("old")).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }

    #[test]
    fn who_expects_none_makes_the_secret_and_meets_one_as_a_conflict() {
        answering(&[(200, WRITTEN)]).install();
        put("a", b"x", &expecting("")).unwrap();
        assert_eq!(actions(), ["CreateSecret"]);
        answering(&[(400, EXISTS), (200, OLD)]).install();
        assert_eq!(put("a", b"x", &expecting("")).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(actions(), ["CreateSecret", "DescribeSecret"]);
    }

    #[test]
    fn who_expects_none_writes_over_a_deleted_secret_and_into_one_without_a_value() {
        let deleted = r#"{"Name":"a","DeletedDate":1,"VersionIdsToStages":{"old":["AWSCURRENT"]}}"#;
        answering(&[(400, WRONG_STATE), (200, deleted), (200, "{}"), (200, WRITTEN), (200, "{}")]).install();
        put("a", b"x", &expecting("")).unwrap();
        assert_eq!(actions()[2..4], ["RestoreSecret", "PutSecretValue"]);
        assert_eq!(asked()[4].1["RemoveFromVersionId"], "old");
        answering(&[(400, EXISTS), (200, r#"{"Name":"a"}"#), (200, WRITTEN), (200, "{}")]).install();
        put("a", b"x", &expecting("")).unwrap();
        assert_eq!(asked()[3].1.get("RemoveFromVersionId"), None);
    }

    #[test]
    fn a_label_that_stays_is_told_and_the_write_counts() {
        answering(&[(200, OLD), (200, WRITTEN), (200, "{}"), (500, "InternalServiceError")]).install();
        put("a", b"x", &expecting("old")).unwrap();
        assert!(forge_sdk::fake::lines().iter().any(|(_, line)| line.contains("`FORGEWRITE`")));
    }
}
