//! Deleting a secret, taking that back, and removing it for good ("DeleteSecret", "RecoverDeletedSecret", "PurgeDeletedSecret").
//!
//! The service goes on with each of them after it has answered, for some seconds.

use forge_sdk::Error;

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
/// `not-found` where there is no such secret any more, `wrong-state` for one that is not deleted, and what the service said.
pub(crate) fn recover(path: &str) -> Result<(), Error> {
    let name = name::secret(path)?;
    if send("POST", &format!("deletedsecrets/{name}/recover"))? {
        return Ok(());
    }
    Err(match history::current(name)? {
        Some(_) => Error::wrong_state("the secret is not deleted"),
        None => Error::not_found("there is no such secret, not even a deleted one"),
    })
}

/// Removes the secret with all its versions for good, deleted already or not; `true` where there was anything.
///
/// # Errors
///
/// `invalid-request` for a path that can't be, `wrong-state` where the service has yet to finish the deletion before it, and
/// what the service said, such as that the vault is protected from this.
pub(crate) fn purge(path: &str) -> Result<bool, Error> {
    let name = name::secret(path)?;
    let deleted = format!("deletedsecrets/{name}");
    if send("DELETE", &deleted)? {
        return Ok(true);
    }
    if !delete(path)? {
        return Ok(false);
    }
    // Nobody may wait here, so a deletion that takes the service longer is told, and the next purge goes on from it.
    match send("DELETE", &deleted) {
        Ok(true) => Ok(true),
        Err(error) if !is(&error, DELETING) => Err(error),
        _ => Err(Error::wrong_state(
            "the secret is deleted, and the service is not done yet: purge it again in some seconds",
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
    const VERSIONS: (&str, &str) = ("GET", "secrets/a/versions?&maxresults=25");

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
            assert_eq!(recover("a").unwrap_err().kind(), kind);
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
        let none = ("DELETE", "deletedsecrets/a", 404, MISSING);
        let deleted = ("DELETE", "secrets/a", 200, "{}");
        answering(&[none, deleted, ("DELETE", "deletedsecrets/a", 204, "")]);
        assert!(purge("a").unwrap());
        for still in [("DELETE", "deletedsecrets/a", 409, STILL), none] {
            answering(&[none, deleted, still]);
            let error = purge("a").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WrongState);
            assert!(error.message().contains("purge it again"), "{}", error.message());
        }
        answering(&[none, ("DELETE", "secrets/a", 404, MISSING)]);
        assert!(!purge("a").unwrap());
    }

    #[test]
    fn a_vault_that_is_protected_from_purges_says_so() {
        answering(&[("DELETE", "deletedsecrets/a", 403, r#"{"error":{"code":"Forbidden"}}"#)]);
        assert_eq!(purge("a").unwrap_err().kind(), ErrorKind::AccessDenied);
        assert_eq!(places(), ["DELETE /deletedsecrets/a"]);
    }
}
