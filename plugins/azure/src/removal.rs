//! Deleting a secret, taking that back, and removing it for good ("DeleteSecret", "RecoverDeletedSecret", "PurgeDeletedSecret").
//!
//! The service goes on with each of them after it has answered, for some seconds.

use forge_sdk::{Error, ErrorKind};

use crate::call::{DELETING, NOT_FOUND, ask, is, request};
use crate::{history, name};

fn send(method: &str, path: &str) -> Result<bool, Error> {
    match ask(request(method, path, "")?) {
        Err(error) if is(&error, NOT_FOUND) => Ok(false),
        answer => answer.map(|_| true),
    }
}

/// Deletes the secret with all its versions; `true` where there was one. For how long it can be taken back is the vault's to say.
///
/// # Errors
///
/// `invalid-request` for a path that can't be, and what the service said.
pub(crate) fn delete(path: &str) -> Result<bool, Error> {
    send("DELETE", &format!("secrets/{}", name::secret(path)?))
}

/// Takes the deletion back.
///
/// # Errors
///
/// `not-found` where there is none now, `wrong-state` for one that is there, and what the service said.
pub(crate) fn recover(path: &str) -> Result<(), Error> {
    let name = name::secret(path)?;
    if send("POST", &format!("deletedsecrets/{name}/recover"))? {
        return Ok(());
    }
    Err(match history::current(name)? {
        Some(_) => Error::wrong_state("the secret is there, and has not to be recovered"),
        None => none(),
    })
}

/// That there is none, which is no proof of anything: a secret that is being deleted is found neither here nor there.
fn none() -> Error {
    Error::not_found(NONE)
}

const NONE: &str = "there is none now, deleted or not; if it was deleted moments ago, try again in some seconds";

/// Removes the secret with all its versions for good, deleted already or not; `true` where there was anything.
///
/// # Errors
///
/// `not-found` where there is none now, `invalid-request` for a path that can't be, `access-denied` for a secret that is there
/// in a vault that is protected from this (it stays as it is), `wrong-state` where the secret is deleted now and no more came of
/// it, and what the service said.
pub(crate) fn purge(path: &str) -> Result<bool, Error> {
    let name = name::secret(path)?;
    let deleted = format!("deletedsecrets/{name}");
    if send("DELETE", &deleted)? {
        return Ok(true);
    }
    // The deletion before a purge that is never allowed would take down what is in use, and nothing else.
    let Some(living) = history::any(name)? else { return Err(none()) };
    if !living.is_purgeable() {
        return Err(Error::new(
            ErrorKind::AccessDenied,
            "the vault is protected from purges, and the secret is not deleted",
        ));
    }
    if !delete(path)? {
        return Err(none());
    }
    // Nobody may wait here, so a deletion that takes the service longer is told, and the next purge goes on from it.
    match send("DELETE", &deleted) {
        Ok(true) => Ok(true),
        Err(error) if !is(&error, DELETING) => {
            // The kind's hint is what everybody sees, so it has to be the one that speaks of deleted secrets.
            let words = format!("the secret is deleted now, and `recover` brings it back: {}", error.message());
            let told = Error::wrong_state(words);
            Err(error.status().into_iter().fold(told, Error::with_status))
        }
        _ => Err(Error::wrong_state(
            "the secret is deleted now, and the service is not done yet: purge it again in some seconds",
        )),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;
    use crate::call::tests::{MISSING, answering, places};

    const STILL: &str = r#"{"error":{"code":"Conflict","innererror":{"code":"ObjectIsBeingDeleted"}}}"#;
    const NOWHERE: (&str, &str, u16, &str) = ("DELETE", "deletedsecrets/a", 404, MISSING);
    const DELETES: (&str, &str, u16, &str) = ("DELETE", "secrets/a", 200, "{}");
    const LIVING: &str =
        r#"{"value":[{"id":"https://v.example/secrets/a/12","attributes":{"recoveryLevel":"Recoverable+Purgeable"}}]}"#;
    const FIRST: (&str, &str) = ("GET", "secrets/a/versions?&maxresults=1");
    const VERSIONS: (&str, &str) = ("GET", "secrets/a/versions?&maxresults=25");

    fn living() -> (&'static str, &'static str, u16, &'static str) {
        (FIRST.0, FIRST.1, 200, LIVING)
    }

    #[test]
    fn what_is_not_there_is_not_deleted() {
        answering(&[("DELETE", "secrets/a", 200, "{}")]);
        assert!(delete("a").unwrap());
        answering(&[("DELETE", "secrets/a", 404, MISSING)]);
        assert!(!delete("a").unwrap());
        answering(&[("DELETE", "secrets/a", 404, "")]);
        assert_eq!(delete("a").unwrap_err().kind(), ErrorKind::Upstream);
    }

    #[test]
    fn only_a_deletion_is_taken_back() {
        answering(&[("POST", "deletedsecrets/a/recover", 200, "{}")]);
        recover("a").unwrap();
        let none = ("POST", "deletedsecrets/a/recover", 404, MISSING);
        let there = r#"{"value":[{"id":"https://v.example/secrets/a/12"}]}"#;
        for (listed, kind) in [(there, ErrorKind::WrongState), (r#"{"value":[]}"#, ErrorKind::NotFound)] {
            answering(&[none, (VERSIONS.0, VERSIONS.1, 200, listed)]);
            let error = recover("a").unwrap_err();
            assert_eq!((error.kind(), error.message() == NONE), (kind, kind == ErrorKind::NotFound));
        }
    }

    #[test]
    fn a_purge_of_a_deleted_secret_is_one_request() {
        answering(&[("DELETE", "deletedsecrets/a", 204, "")]);
        assert!(purge("a").unwrap());
        assert_eq!(places(), ["DELETE /deletedsecrets/a"]);
    }

    #[test]
    fn a_purge_of_a_secret_deletes_it_first_and_tells_when_that_takes_longer() {
        answering(&[NOWHERE, living(), DELETES, ("DELETE", "deletedsecrets/a", 204, "")]);
        assert!(purge("a").unwrap());
        for still in [("DELETE", "deletedsecrets/a", 409, STILL), NOWHERE] {
            answering(&[NOWHERE, living(), DELETES, still]);
            let error = purge("a").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WrongState);
            assert!(error.message().contains("purge it again"), "{}", error.message());
        }
    }

    #[test]
    fn a_secret_that_is_found_nowhere_is_not_said_to_be_gone() {
        let unlisted = (FIRST.0, FIRST.1, 200, r#"{"value":[]}"#);
        for answers in [vec![NOWHERE, unlisted], vec![NOWHERE, living(), ("DELETE", "secrets/a", 404, MISSING)]] {
            answering(&answers);
            let error = purge("a").unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, NONE));
        }
    }

    #[test]
    fn what_stops_a_purge_after_its_deletion_says_that_the_secret_is_deleted() {
        for (status, body) in
            [(403, r#"{"error":{"code":"Forbidden"}}"#), (429, r#"{"error":{"code":"Throttled"}}"#), (503, "")]
        {
            answering(&[NOWHERE, living(), DELETES, ("DELETE", "deletedsecrets/a", status, body)]);
            let error = purge("a").unwrap_err();
            assert_eq!((error.kind(), error.status()), (ErrorKind::WrongState, Some(status)));
            assert!(error.message().starts_with("the secret is deleted now, and `recover`"), "{}", error.message());
        }
    }

    #[test]
    fn a_secret_in_use_is_not_deleted_where_its_vault_is_protected_from_purges() {
        for level in
            [r#""Recoverable""#, r#""Recoverable+ProtectedSubscription""#, r#""CustomizedRecoverable""#, "null"]
        {
            let listed = LIVING.replace(r#""Recoverable+Purgeable""#, level);
            answering(&[NOWHERE, (FIRST.0, FIRST.1, 200, &listed)]);
            assert_eq!(purge("a").unwrap_err().kind(), ErrorKind::AccessDenied, "{level}");
            assert_eq!(places(), ["DELETE /deletedsecrets/a", "GET /secrets/a/versions&maxresults=1"]);
        }
    }

    #[test]
    fn a_vault_that_is_protected_from_purges_says_so() {
        answering(&[("DELETE", "deletedsecrets/a", 403, r#"{"error":{"code":"Forbidden"}}"#)]);
        assert_eq!(purge("a").unwrap_err().kind(), ErrorKind::AccessDenied);
        assert_eq!(places(), ["DELETE /deletedsecrets/a"]);
    }
}
