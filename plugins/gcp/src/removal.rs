//! Deleting a secret with all its versions, for good ("Secret Manager API, projects.secrets.delete").

use forge_sdk::{Error, http};

use crate::call::{found, send};
use crate::name;

/// Deletes the secret; `true` where there was one.
///
/// # Errors
///
/// `invalid-request` for a name that can't be, and what the service said.
pub(crate) fn delete(path: &str) -> Result<bool, Error> {
    let url = name::below(&format!("secrets/{}", name::secret(path)?))?;
    Ok(found(send(http::delete(url)))?.is_some())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::call::tests::{URL, host, refused};

    #[test]
    fn a_secret_is_deleted_once_and_a_missing_one_was_not_there() {
        host().answer("DELETE", &format!("{URL}/a"), 200, "{}").install();
        assert!(delete("a").unwrap());
        host().answer("DELETE", &format!("{URL}/a"), 404, refused("NOT_FOUND")).install();
        assert!(!delete("a").unwrap());
        assert!(delete("a/b").is_err());
    }
}
