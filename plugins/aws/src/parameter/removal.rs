//! Deleting a parameter, which nothing takes back ("AWS Systems Manager API Reference, DeleteParameter").

use forge_sdk::Error;
use serde::Serialize;

use super::{NOT_FOUND, ask};
use crate::call::is;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Delete<'a> {
    name: &'a str,
}

/// Deletes the parameter with all its versions; `true` where there was one.
///
/// # Errors
///
/// `invalid-request` for a path that can't be, and what the service said.
pub(crate) fn delete(path: &str) -> Result<bool, Error> {
    match ask("DeleteParameter", &Delete { name: &super::name(path)? }) {
        Err(error) if is(&error, NOT_FOUND) => Ok(false),
        answer => answer.map(|_| true),
    }
}

/// The error of what there is no need for, or no way back from.
pub(crate) fn unsupported() -> Error {
    Error::unsupported(
        "a parameter is deleted at once and for good: nothing takes that back, and nothing is left to purge",
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::call::tests::{answering, asked};

    #[test]
    fn a_deletion_tells_whether_there_was_a_parameter() {
        answering(&[(200, "{}"), (400, NOT_FOUND)]).install();
        assert!(delete("app/db").unwrap());
        assert!(!delete("app/db").unwrap());
        assert_eq!(asked().first().unwrap(), &("AmazonSSM.DeleteParameter".to_owned(), json!({ "Name": "/app/db" })));
    }
}
