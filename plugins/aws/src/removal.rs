//! Deleting a secret for some days, taking that back, and deleting it at once ("AWS Secrets Manager API Reference,
//! DeleteSecret" and "RestoreSecret").

use forge_sdk::{Error, settings};
use serde::Serialize;

use crate::call::{NOT_FOUND, ask, is};
use crate::describe::{About, is_of_deleted, known};
use crate::name::Id;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Delete<'a> {
    secret_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_window_in_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    force_delete_without_recovery: Option<bool>,
}

/// For how many days a deletion can be taken back.
fn days() -> Result<u32, Error> {
    let days = settings::required("recovery-days")?.parse().ok().filter(|days| (7..=30).contains(days));
    days.ok_or_else(|| Error::invalid_request("the setting `recovery-days` is 7 to 30"))
}

/// Schedules the secret for deletion; `true` where there was one that was not yet.
///
/// # Errors
///
/// `invalid-request` for a path or a setting that can't be, and what the service said.
pub(crate) fn delete(path: &str) -> Result<bool, Error> {
    let (id, days) = (Id::of(path)?, days()?);
    let body = Delete { secret_id: id.text, recovery_window_in_days: Some(days), force_delete_without_recovery: None };
    match ask("DeleteSecret", &body) {
        Err(error) if is(&error, NOT_FOUND) || is_of_deleted(&error, id) => Ok(false),
        answer => answer.map(|_| true),
    }
}

/// Takes the deletion back.
///
/// The service answers the same where there was none, so it is asked before.
///
/// # Errors
///
/// `not-found` where there is no such secret any more, `wrong-state` for one that is not scheduled for deletion, and what
/// the service said.
pub(crate) fn recover(path: &str) -> Result<(), Error> {
    let id = Id::of(path)?;
    match known(id)? {
        None => Err(Error::not_found("there is no such secret, not even a deleted one")),
        Some(known) if !known.is_deleted() => Err(Error::wrong_state("the secret is not deleted")),
        Some(_) => ask("RestoreSecret", &About { secret_id: id.text }).map(drop),
    }
}

/// Removes the secret with all its versions at once and for good; `true` where there was anything.
///
/// The service answers the same where there was nothing ("DeleteSecret", parameter `ForceDeleteWithoutRecovery`), so it is
/// asked before. Nothing takes this back, so what it told is named by its ARN: the grant holds that to the account which the
/// provider was added for, and a key that was exchanged for another account's is refused there.
///
/// # Errors
///
/// `invalid-request` for a path that can't be, `denied-by-host` for a secret of an account that is not granted, and what the
/// service said.
pub(crate) fn purge(path: &str) -> Result<bool, Error> {
    let Some(known) = known(Id::of(path)?)? else { return Ok(false) };
    known.check_account()?;
    let body =
        Delete { secret_id: known.arn()?, recovery_window_in_days: None, force_delete_without_recovery: Some(true) };
    ask("DeleteSecret", &body).map(|_| true)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;
    use serde_json::json;

    use super::*;
    use crate::call::WRONG_STATE;
    use crate::call::tests::{actions, answering, asked, host};

    const DELETED: &str = r#"{"Name":"a","DeletedDate":1}"#;
    const THERE: &str = r#"{"Name":"a"}"#;
    const OWN: &str = r#"{"Name":"a","ARN":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-AbCdEf"}"#;
    const OWN_DELETED: &str =
        r#"{"Name":"a","ARN":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-AbCdEf","DeletedDate":1}"#;

    #[test]
    fn a_deletion_leaves_the_days_of_the_setting_to_take_it_back() {
        answering(&[(200, "{}")]).install();
        assert!(delete("a").unwrap());
        assert_eq!(asked(), [("DeleteSecret".to_owned(), json!({ "SecretId": "a", "RecoveryWindowInDays": 30 }))]);
        for days in ["6", "31", "-1", "x"] {
            host().setting("recovery-days", days).install();
            assert_eq!(delete("a").unwrap_err().kind(), ErrorKind::InvalidRequest, "{days}");
            assert_eq!(actions(), [""; 0]);
        }
    }

    #[test]
    fn what_is_not_there_or_deleted_already_is_not_deleted() {
        answering(&[(400, NOT_FOUND)]).install();
        assert!(!delete("a").unwrap());
        answering(&[(400, WRONG_STATE), (200, DELETED)]).install();
        assert!(!delete("a").unwrap());
        answering(&[(400, WRONG_STATE), (200, THERE)]).install();
        assert_eq!(delete("a").unwrap_err().kind(), ErrorKind::WrongState);
    }

    #[test]
    fn only_a_deletion_is_taken_back() {
        answering(&[(200, DELETED), (200, "{}")]).install();
        recover("a").unwrap();
        assert_eq!(actions(), ["DescribeSecret", "RestoreSecret"]);
        answering(&[(200, THERE)]).install();
        assert_eq!(recover("a").unwrap_err().kind(), ErrorKind::WrongState);
        answering(&[(400, NOT_FOUND)]).install();
        assert_eq!(recover("a").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(actions(), ["DescribeSecret"]);
    }

    #[test]
    fn a_purge_is_at_once_and_tells_whether_there_was_anything() {
        for known in [OWN, OWN_DELETED] {
            answering(&[(200, known), (200, "{}")]).install();
            assert!(purge("a").unwrap());
            // By its ARN, which the grant holds to an account.
            let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-AbCdEf";
            let expected = json!({ "SecretId": arn, "ForceDeleteWithoutRecovery": true });
            assert_eq!(asked()[1], ("DeleteSecret".to_owned(), expected));
        }
        answering(&[(400, NOT_FOUND)]).install();
        assert!(!purge("a").unwrap());
        assert_eq!(actions(), ["DescribeSecret"]);
    }

    #[test]
    fn a_secret_of_another_account_is_not_purged() {
        for (account, is_purged) in [("123456789012", true), ("any", true), ("999999999999", false)] {
            answering(&[(200, OWN), (200, "{}")]).setting("account", account).install();
            let purged = purge("a");
            assert_eq!(purged.is_ok(), is_purged, "{account}");
            assert_eq!(actions().len(), if is_purged { 2 } else { 1 });
            let kind = purged.err().map(|error| error.kind());
            assert!(kind.is_none_or(|kind| kind == ErrorKind::AccessDenied), "{kind:?}");
        }
        // Whose it is has to be known.
        answering(&[(200, THERE), (200, "{}")]).install();
        assert_eq!(purge("a").unwrap_err().kind(), ErrorKind::Upstream);
        assert_eq!(actions(), ["DescribeSecret"]);
    }
}
