//! The service's own rotation: the function that is set up for a secret makes its new version ("AWS Secrets Manager API
//! Reference, RotateSecret").
//!
//! No request names the function or the days between rotations, so what is set up stays as it is.

use forge_sdk::{Error, SecretVersion};
use serde::{Deserialize, Serialize};

use crate::call::{WRONG_STATE, ask, is};
use crate::name::Id;
use crate::write::token;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Rotate<'a> {
    secret_id: &'a str,
    client_request_token: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Begun {
    version_id: Option<String>,
}

/// Begins a rotation; the version that it makes is current when the function has done its work.
///
/// # Errors
///
/// `invalid-request` for a path that can't be, `wrong-state` for a secret without a rotation, one that is being rotated,
/// and one that is deleted, and what the service said.
pub(crate) fn rotate(path: &str) -> Result<Option<SecretVersion>, Error> {
    let id = Id::of(path)?;
    let token = token();
    let response = match ask("RotateSecret", &Rotate { secret_id: id.text, client_request_token: &token }) {
        Err(error) if is(&error, WRONG_STATE) => {
            let words = "no rotation is set up for the secret, it is being rotated, or it is deleted";
            return Err(error.with_message(words));
        }
        response => response?,
    };
    let begun: Begun = response.json("the rotation that was begun")?;
    Ok(begun.version_id.map(|id| SecretVersion::new(id, false)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;
    use crate::call::NOT_FOUND;
    use crate::call::tests::{actions, answering, asked};

    #[test]
    fn a_rotation_has_a_token_and_changes_nothing_of_what_is_set_up() {
        answering(&[(200, r#"{"Name":"a","VersionId":"v"}"#)]).install();
        let begun = rotate("a").unwrap().unwrap();
        assert_eq!((begun.id.as_str(), begun.current), ("v", false));
        let (action, body) = asked().remove(0);
        assert_eq!((action.as_str(), body.as_object().unwrap().len()), ("RotateSecret", 2));
        assert_eq!((&body["SecretId"], body["ClientRequestToken"].as_str().unwrap().len()), (&"a".into(), 36));
    }

    #[test]
    fn a_secret_without_a_rotation_and_one_that_is_not_there_are_told() {
        answering(&[(400, WRONG_STATE)]).install();
        let error = rotate("a").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongState);
        assert!(error.message().contains("no rotation is set up"));
        answering(&[(400, NOT_FOUND)]).install();
        assert_eq!(rotate("a").unwrap_err().kind(), ErrorKind::NotFound);
        answering(&[]).install();
        assert_eq!(rotate("a b").unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert_eq!(actions(), [""; 0]);
    }
}
