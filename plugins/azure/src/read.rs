//! Reading a version, and what is known of a secret without its value ("GetSecret", "GetSecretVersions", "GetDeletedSecret").

use forge_sdk::{Entry, Error, ErrorKind, Secret};

use crate::bundle::Bundle;
use crate::call::{NOT_FOUND, ask, is, request};
use crate::{content, history, name};

/// A version with its value, the current one unless one is named; none where there is none.
///
/// # Errors
///
/// What the service said.
pub(crate) fn bundle(name: &str, version: Option<&str>) -> Result<Option<Bundle>, Error> {
    let path = match version {
        Some(version) => format!("secrets/{name}/{version}"),
        None => format!("secrets/{name}"),
    };
    match ask(request("GET", &path, "")?) {
        Err(error) if is(&error, NOT_FOUND) => Ok(None),
        response => response?.json("a secret").map(Some),
    }
}

/// The secret at this path; one that is deleted is none.
///
/// # Errors
///
/// `invalid-request` for a path or a version that can't be, `wrong-state` for a version that is disabled, and what the
/// service said.
pub(crate) fn secret(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
    let (name, wanted) = (name::secret(path)?, version.map(name::version).transpose()?);
    let Some(mut bundle) = bundle(name, wanted)? else { return Ok(None) };
    let value = bundle.value.take().ok_or_else(|| Error::upstream("the answer has no value"))?;
    // Which version is the current one is told by a read without a version alone.
    let version = bundle.version(wanted.is_none())?;
    let tags = bundle.tags();
    let (value, content_type) = content::read(value, bundle.content_type);
    Ok(Some(Secret { version: Some(version), content_type, tags, ..Secret::new(value) }))
}

/// What is known of the secret at this path, also of a deleted one.
///
/// # Errors
///
/// `invalid-request` for a path that can't be, and what the service said.
pub(crate) fn entry(path: &str) -> Result<Option<Entry>, Error> {
    let name = name::secret(path)?;
    if let Some(current) = history::current(name)? {
        return Ok(Some(current.entry(path)));
    }
    let deleted: Bundle = match ask(request("GET", &format!("deletedsecrets/{name}"), "")?) {
        Err(error) if is(&error, NOT_FOUND) => return Ok(None),
        // Who may not look at deleted secrets knows of none.
        Err(error) if error.kind() == ErrorKind::AccessDenied => return Ok(None),
        response => response?.json("a deleted secret")?,
    };
    Ok(Some(deleted.entry(path)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::VersionState;

    use super::*;
    use crate::call::tests::{MISSING, answering, places};

    const ID: &str = "4387e9f3d6e14c459867679a90fd0f79";

    fn stored(more: &str) -> String {
        format!(r#"{{"id":"https://v.example/secrets/a/{ID}","attributes":{{"enabled":true,"created":5}}{more}}}"#)
    }

    #[test]
    fn a_read_is_one_request() {
        answering(&[(
            "GET",
            "secrets/a",
            200,
            &stored(r#","value":"hunter2","contentType":"text/plain","tags":{"a":"b"}"#),
        )]);
        let secret = secret("a", None).unwrap().unwrap();
        let version = secret.version.unwrap();
        assert_eq!((secret.value.as_bytes(), version.id.as_str(), version.current), (&b"hunter2"[..], ID, true));
        assert_eq!((secret.content_type.as_deref(), secret.tags.len()), (Some("text/plain"), 1));
        assert_eq!(places(), ["GET /secrets/a"]);
    }

    #[test]
    fn a_version_is_read_by_its_id_and_is_not_called_current() {
        let body = stored(r#","value":"//4A","contentType":"application/octet-stream;base64""#);
        answering(&[("GET", &format!("secrets/a/{ID}"), 200, &body)]);
        let secret = secret("a", Some(ID)).unwrap().unwrap();
        assert_eq!((secret.value.as_bytes(), secret.version.unwrap().current), (&[0xff, 0xfe, 0][..], false));
    }

    #[test]
    fn a_missing_secret_is_none_and_an_answer_that_is_no_secret_is_told_without_what_came() {
        answering(&[("GET", "secrets/a", 404, MISSING)]);
        assert_eq!(secret("a", None).unwrap(), None);
        for body in
            ["", "{}", r#"["hunter2"]"#, &stored(""), r#"{"value":"hunter2"}"#, r#"{"value":"hunter2","id":"x"}"#]
        {
            answering(&[("GET", "secrets/a", 200, body)]);
            let error = secret("a", None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Upstream, "{body}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_path_that_can_be_no_name_is_never_sent() {
        answering(&[]);
        for path in ["app/db", "a_b", ""] {
            assert_eq!(secret(path, None).unwrap_err().kind(), ErrorKind::InvalidRequest);
        }
        assert_eq!(secret("a", Some("versions")).unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert_eq!(places(), [""; 0]);
    }

    #[test]
    fn a_description_reads_no_value_and_knows_deleted_secrets() {
        let listed = format!(r#"{{"value":[{}],"nextLink":null}}"#, stored(r#","tags":{"team":"web"}"#));
        answering(&[("GET", "secrets/a/versions?&maxresults=25", 200, &listed)]);
        let known = entry("a").unwrap().unwrap();
        assert_eq!((known.version.unwrap().id.as_str(), known.tags.len()), (ID, 1));
        assert_eq!(places(), ["GET /secrets/a/versions&maxresults=25"]);
        let none = ("GET", "secrets/a/versions?&maxresults=25", 200, r#"{"value":[]}"#);
        answering(&[none, ("GET", "deletedsecrets/a", 200, &stored(r#","deletedDate":7,"scheduledPurgeDate":8"#))]);
        let deleted = entry("a").unwrap().unwrap();
        assert_eq!(deleted.version.unwrap().state, VersionState::Deleted);
        assert!(deleted.attributes.contains(&("purged-at".to_owned(), "8000".to_owned())));
        for (status, body) in [(404, MISSING), (403, r#"{"error":{"code":"Forbidden"}}"#)] {
            answering(&[none, ("GET", "deletedsecrets/a", status, body)]);
            assert_eq!(entry("a").unwrap(), None);
        }
    }
}
