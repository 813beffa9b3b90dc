//! Writes that compare: the service has none, but it moves the label of the current version only from the version that
//! has it ("AWS Secrets Manager API Reference, UpdateSecretVersionStage", parameter `RemoveFromVersionId`).
//!
//! So a new version is written beside the current one, and becomes the current one by that move or not at all.

use forge_sdk::{Error, ErrorKind, SecretVersion, log};
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
    // The move is sent once, so a lost answer leaves open whether it was done.
    let is_lost =
        matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Upstream | ErrorKind::TooLarge);
    if !is_lost && !is(&error, WRONG_PARAMETER) && !is(&error, WRONG_STATE) {
        return Err(error);
    }
    // The same answer is given to a version that is gone, so what is current now tells.
    match known(id) {
        Ok(Some(known)) if known.current() == Some(to) => Ok(()),
        Ok(Some(known)) if !is_lost && known.current() != from => {
            Err(conflict(from.unwrap_or_default(), known.current()))
        }
        _ => Err(error),
    }
}

/// Writes only where there is no secret; one that is scheduled for deletion is none.
///
/// # Errors
///
/// `conflict` where there is one, `invalid-request` for an ARN, and what the service said.
pub(crate) fn where_there_is_none(write: &Write<'_>) -> Result<SecretVersion, Error> {
    if write.id.is_arn {
        let words = "an ARN names a secret that is there: one that is not yet has a name alone";
        return Err(Error::invalid_request(words));
    }
    let error = match write.create() {
        Err(error) if is(&error, EXISTS) || is(&error, WRONG_STATE) => error,
        written => return written,
    };
    let Some(known) = known(write.id)? else { return Err(error) };
    known.check_account()?;
    match known.current() {
        current if known.is_deleted() => write.restored(|| beside(write, current)),
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
        Some(known) if known.current() == Some(expected) => {
            known.check_account()?;
            beside(write, Some(expected))
        }
        known => Err(conflict(expected, known.as_ref().and_then(|known| known.current()))),
    }
}

/// Writes a version beside the current one and makes it the current one, if that still is.
///
/// Tags and a description belong to the whole secret, so who loses changes none.
fn beside(write: &Write<'_>, current: Option<&str>) -> Result<SecretVersion, Error> {
    let written = write.put(Some(WAITING))?;
    let unlabelled = |error: Error| {
        let words = format!(
            "{}; version `{}` is written and current, without its tags or description",
            error.message(),
            written.id
        );
        error.with_message(words)
    };
    let done = make_current(write.id, current, &written.id).and_then(|()| write.label().map_err(unlabelled));
    // Whichever way it ended, the label has done what it is for; a version without any is removed by the service.
    match shift(write.id, WAITING, Some(&written.id), None) {
        // Another write that compares has taken it meanwhile: a label is on one version.
        Err(error) if is(&error, WRONG_PARAMETER) => {}
        Err(error) => log::warn(&format!("version `{}` keeps the label `{WAITING}`: {error}", written.id)),
        Ok(()) => {}
    }
    done.map(|()| SecretVersion { labels: vec![CURRENT.to_owned()], ..SecretVersion::new(written.id, true) })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::PutOptions;
    use forge_sdk::http::Failure;
    use serde_json::json;

    use super::*;
    use crate::call::tests::{URL, actions, answering, asked};
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
    fn a_move_whose_answer_was_lost_is_looked_for_before_it_is_told_as_failed() {
        let moved = r#"{"Name":"a","VersionIdsToStages":{"old":["AWSPREVIOUS"],"new":["AWSCURRENT"]}}"#;
        for lost in [(500, "InternalServiceError"), (503, "x"), (500, "x")] {
            answering(&[(200, OLD), (200, WRITTEN), lost, (200, moved), (200, "{}")]).install();
            assert_eq!(put("a", b"x", &expecting("old")).unwrap().id, "new");
            let told = answering(&[(200, OLD), (200, WRITTEN), lost, (200, OLD), (200, "{}")]);
            told.install();
            assert!(put("a", b"x", &expecting("old")).is_err(), "{lost:?}");
        }
        let prepared = answering(&[(200, OLD), (200, WRITTEN)]);
        let prepared = prepared.fail("POST", URL, Failure::Timeout).answer("POST", URL, 200, moved);
        prepared.answer("POST", URL, 200, "{}").install();
        put("a", b"x", &expecting("old")).unwrap();
        assert_eq!(actions().len(), 5);
        // Who was refused is not asked about any more.
        answering(&[(200, OLD), (200, WRITTEN), (400, "AccessDeniedException"), (200, "{}")]).install();
        assert_eq!(put("a", b"x", &expecting("old")).unwrap_err().kind(), ErrorKind::AccessDenied);
        assert_eq!(actions().len(), 4);
    }

    #[test]
    fn tags_are_added_by_who_wrote_and_not_by_who_lost() {
        let tagged = PutOptions { tags: vec![("team".to_owned(), "web".to_owned())], ..expecting("old") };
        answering(&[(200, OLD), (200, WRITTEN), (200, "{}")]).install();
        put("a", b"x", &tagged).unwrap();
        let update = "UpdateSecretVersionStage";
        assert_eq!(actions(), ["DescribeSecret", "PutSecretValue", update, "TagResource", update]);
        answering(&[(200, OLD), (200, WRITTEN), (400, WRONG_PARAMETER), (200, OTHER), (200, "{}")]).install();
        assert_eq!(put("a", b"x", &tagged).unwrap_err().kind(), ErrorKind::Conflict);
        assert!(!actions().contains(&"TagResource".to_owned()), "{:?}", actions());
        // Who may not tag is told that the value is there.
        let denied = (400, "AccessDeniedException");
        answering(&[(200, OLD), (200, WRITTEN), (200, "{}"), denied, (200, "{}")]).install();
        let error = put("a", b"x", &tagged).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AccessDenied);
        assert!(error.message().contains("version `new` is written"), "{}", error.message());
        assert_eq!(actions().len(), 5);
    }

    #[test]
    fn a_secret_of_another_account_is_not_written_over_and_its_deletion_stays() {
        let arn = r#""ARN":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-AbCdEf""#;
        let old = OLD.replacen('{', &format!("{{{arn},"), 1);
        let deleted = old.replacen('{', r#"{"DeletedDate":1,"#, 1);
        for (account, is_written) in [("123456789012", true), ("any", true), ("999999999999", false)] {
            answering(&[(200, &old), (200, WRITTEN), (200, "{}")]).setting("account", account).install();
            assert_eq!(put("a", b"x", &expecting("old")).is_ok(), is_written, "{account}");
            assert_eq!(actions().len(), if is_written { 4 } else { 1 });
            let answers = [(400, WRONG_STATE), (200, &*deleted), (200, "{}"), (200, WRITTEN), (200, "{}")];
            answering(&answers).setting("account", account).install();
            assert_eq!(put("a", b"x", &expecting("")).is_ok(), is_written, "{account}");
            assert_eq!(actions().contains(&"RestoreSecret".to_owned()), is_written);
        }
    }

    #[test]
    fn who_expects_none_names_the_secret_by_its_name() {
        answering(&[(400, "AccessDeniedException")]).install();
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-AbCdEf";
        let error = put(arn, b"x", &expecting("")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains("an ARN names a secret that is there"), "{}", error.message());
        assert_eq!(actions(), [""; 0]);
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
        answering(&[(400, WRONG_STATE), (200, deleted), (200, "{}"), (400, "LimitExceededException")]).install();
        let error = put("a", b"x", &expecting("")).unwrap_err();
        assert!(error.message().contains("its deletion was cancelled"), "{}", error.message());
    }

    #[test]
    fn a_label_that_stays_is_told_and_the_write_counts() {
        answering(&[(200, OLD), (200, WRITTEN), (200, "{}"), (500, "InternalServiceError")]).install();
        put("a", b"x", &expecting("old")).unwrap();
        assert!(forge_sdk::fake::lines().iter().any(|(_, line)| line.contains("`FORGEWRITE`")));
        // A second write that compares took the label with it: there is nothing to take off and nothing to tell.
        answering(&[(200, OLD), (200, WRITTEN), (200, "{}"), (400, WRONG_PARAMETER)]).install();
        put("a", b"x", &expecting("old")).unwrap();
        assert_eq!(forge_sdk::fake::lines(), []);
    }
}
