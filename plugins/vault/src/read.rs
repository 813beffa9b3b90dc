//! Reading one secret, or what is known about it.

use forge_sdk::http::{self, Response};
use forge_sdk::{Entry, Error, Secret, url};
use serde_json::value::RawValue;

use crate::answer::{Metadata, Told, Versioned, content, version_number};
use crate::mount::{Kv, Mount};
use crate::value::{default_field, is_object};

/// The secret, with exactly one request.
///
/// # Errors
///
/// `invalid-request` for a path or a version that can't be, `unsupported` for a version of a mount that keeps none,
/// and what the server said.
pub(crate) fn secret(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
    let (mount, kv) = Mount::known()?;
    match kv {
        Kv::One if version.is_some() => Err(Error::unsupported("a KV version 1 mount keeps no versions")),
        Kv::One => {
            let Some(response) = mount.send(http::get(mount.below(path)?))? else { return Ok(None) };
            object(content(&response, "a secret")?).map(Some)
        }
        Kv::Two => {
            let url = match version {
                None => mount.behind("data", path)?,
                Some(version) => versioned(&mount, path, version_number(version)?)?,
            };
            let Some(response) = mount.send(http::get(url))? else { return Ok(None) };
            let Versioned { data, metadata } = content(&response, VERSIONED)?;
            let Some(data) = data else { return Ok(None) };
            let Told { version, tags, .. } = metadata.told(version.is_none())?;
            Ok(Some(Secret { version: Some(version), tags, ..object(data)? }))
        }
    }
}

fn no_object() -> Error {
    Error::upstream("the server's answer isn't an object of names and values")
}

/// The object as a secret, byte for byte as the server printed it.
fn object(data: &RawValue) -> Result<Secret, Error> {
    if !is_object(data) {
        return Err(no_object());
    }
    Ok(Secret {
        content_type: Some("application/json".to_owned()),
        attributes: default_field(data),
        ..Secret::new(data.get())
    })
}

const VERSIONED: &str = "a secret with its version";

/// The URL of one version of a version 2 secret.
fn versioned(mount: &Mount, path: &str, number: u64) -> Result<String, Error> {
    Ok(format!("{}?{}", mount.behind("data", path)?, url::query(&[("version", &number.to_string())])))
}

/// The newest version, whatever became of it; none where there never was a value.
///
/// A read of the secret tells it, so this needs no right on `metadata`.
///
/// # Errors
///
/// `invalid-request` for a path that can't be, and what the server said.
pub(crate) fn newest(mount: &Mount, path: &str) -> Result<Option<Told>, Error> {
    let Some(response) = mount.trace(http::get(mount.behind("data", path)?))? else { return Ok(None) };
    let Versioned { metadata, .. } = content(&response, VERSIONED)?;
    metadata.told(true).map(Some)
}

/// The answer that tells about one version of a version 2 secret, even one that was deleted; none where there is no
/// such version. To be read by [`traced`].
///
/// # Errors
///
/// As [`newest`].
pub(crate) fn trace(mount: &Mount, path: &str, number: u64) -> Result<Option<Response>, Error> {
    mount.trace(http::get(versioned(mount, path, number)?))
}

/// The object of that version, where there still is one, and what is known about it.
///
/// # Errors
///
/// `upstream` where the answer is something else.
pub(crate) fn traced(response: &Response) -> Result<(Option<&RawValue>, Told), Error> {
    let Versioned { data, metadata } = content(response, VERSIONED)?;
    if data.is_some_and(|data| !is_object(data)) {
        return Err(no_object());
    }
    Ok((data, metadata.told(false)?))
}

/// What version 2 knows about a secret, without its value, to be read as [`Metadata`].
///
/// # Errors
///
/// `invalid-request` for a path that can't be, and what the server said.
pub(crate) fn metadata(mount: &Mount, path: &str) -> Result<Option<Response>, Error> {
    mount.send(http::get(mount.behind("metadata", path)?))
}

/// Whether version 1 has this secret; there is no way to ask without its value.
///
/// # Errors
///
/// `invalid-request` for a path that can't be, and what the server said.
pub(crate) fn exists(mount: &Mount, path: &str) -> Result<bool, Error> {
    Ok(mount.send(http::get(mount.below(path)?))?.is_some())
}

/// The secret in a listing of one.
///
/// # Errors
///
/// As [`metadata`].
pub(crate) fn entry(path: &str) -> Result<Option<Entry>, Error> {
    let (mount, kv) = Mount::known()?;
    match kv {
        Kv::One => Ok(exists(&mount, path)?.then(|| Entry::new(path))),
        Kv::Two => {
            let Some(response) = metadata(&mount, path)? else { return Ok(None) };
            let mut known = Metadata::of(&response)?;
            let (version, tags) = (known.newest()?, known.tags()?);
            Ok(Some(Entry { version, tags, attributes: known.attributes(), ..Entry::new(path) }))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use forge_sdk::http::Failure;
    use forge_sdk::{ErrorKind, SecretMetadata, SecretProvider, VersionState, fake};

    use super::*;
    use crate::Vault;

    const METADATA: &str = r#""metadata":{"created_time":"1970-01-01T00:00:01.5Z","custom_metadata":{"team":"a"},
        "deletion_time":"","destroyed":false,"version":3}"#;

    fn host(kv: &str) -> fake::Host {
        fake::Host::new().setting("address", "https://v.example").setting("mount", "team/kv").setting("kv-version", kv)
    }

    fn v2(path: &str, status: u16, body: &str) -> fake::Host {
        host("2").answer("GET", &format!("https://v.example/v1/team/kv/data/{path}"), status, body)
    }

    #[test]
    fn a_read_of_version_2_is_one_request_and_hands_on_each_byte() {
        let object = r#"{"z":12345678901234567890123,"a":1.10,"s":"\u00e9 <b>"}"#;
        v2("app/db%20x", 200, &format!(r#"{{"data":{{"data":{object},{METADATA}}},"warnings":null}}"#)).install();
        let secret = Vault::get("app/db x", None).unwrap().unwrap();
        assert_eq!(secret.value.as_bytes(), object.as_bytes());
        assert_eq!(secret.content_type.as_deref(), Some("application/json"));
        assert_eq!(secret.tags, [("team".to_owned(), "a".to_owned())]);
        assert_eq!(secret.attributes, []);
        let version = secret.version.unwrap();
        assert_eq!((version.id.as_str(), version.current, version.created_at), ("3", true, Some(1500)));
        assert_eq!(fake::requests().len(), 1);
    }

    #[test]
    fn a_value_that_forge_wrote_names_its_default_field() {
        v2("a", 200, &format!(r#"{{"data":{{"data":{{"value":"hunter2"}},{METADATA}}}}}"#)).install();
        let secret = Vault::get("a", None).unwrap().unwrap();
        assert_eq!(secret.attributes, [("default-field".to_owned(), "value".to_owned())]);
    }

    #[test]
    fn a_given_version_is_asked_for_and_is_not_called_current() {
        v2("a?version=3", 200, &format!(r#"{{"data":{{"data":{{}},{METADATA}}}}}"#)).install();
        assert!(!Vault::get("a", Some("3")).unwrap().unwrap().version.unwrap().current);
        for version in ["0", "03", "3&list=true", "latest", ""] {
            assert_eq!(Vault::get("a", Some(version)).unwrap_err().kind(), ErrorKind::InvalidRequest);
        }
        assert_eq!(fake::requests().len(), 1, "a version that can't be must not reach the server");
    }

    #[test]
    fn a_deleted_a_destroyed_and_a_missing_secret_are_absent() {
        let deleted = METADATA.replace(r#""deletion_time":"""#, r#""deletion_time":"1970-01-01T00:00:02Z""#);
        let destroyed = METADATA.replace("false", "true");
        for metadata in [deleted, destroyed] {
            v2("a", 404, &format!(r#"{{"data":{{"data":null,{metadata}}}}}"#)).install();
            assert_eq!(Vault::get("a", None).unwrap(), None);
        }
        v2("a", 200, &format!(r#"{{"data":{{"data":null,{METADATA}}}}}"#)).install();
        assert_eq!(Vault::get("a", None).unwrap(), None);
        v2("a", 404, r#"{"errors":[]}"#).install();
        assert_eq!(Vault::get("a", None).unwrap(), None);
    }

    #[test]
    fn an_answer_that_is_no_secret_is_an_error_that_repeats_nothing_of_it() {
        for body in [
            "",
            "<html>hunter2</html>",
            r#"{"data":{"data":{"value":"hunter2"}"#,
            r#"{"data":{"data":{"value":"hunter2"}}}"#,
            r#"{"data":{"data":"hunter2","metadata":{"created_time":"","deletion_time":"","destroyed":false,"version":1}}}"#,
            r#"{"data":{"data":["hunter2"],"metadata":{"created_time":"","deletion_time":"","destroyed":false,"version":1}}}"#,
        ] {
            v2("a", 200, body).install();
            let error = Vault::get("a", None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Upstream, "{body}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn what_the_host_refuses_keeps_its_kind() {
        for (failure, kind) in [
            (Failure::Denied("no route".into()), ErrorKind::DeniedByHost),
            (Failure::CredentialReflected, ErrorKind::DeniedByHost),
            (Failure::Credential("no token".into()), ErrorKind::Unauthenticated),
            (Failure::Unreachable("refused".into()), ErrorKind::Unavailable),
            (Failure::Timeout, ErrorKind::Timeout),
            (Failure::TooLarge, ErrorKind::TooLarge),
            (Failure::Budget, ErrorKind::DeniedByHost),
        ] {
            host("2").fail("GET", "https://v.example/v1/team/kv/data/a", failure).install();
            assert_eq!(Vault::get("a", None).unwrap_err().kind(), kind);
        }
    }

    #[test]
    fn a_rate_limit_says_when_to_come_back() {
        let url = "https://v.example/v1/team/kv/data/a";
        host("2").answer_with("GET", url, 429, &[("Retry-After", "7")], "{}").install();
        let error = Vault::get("a", None).unwrap_err();
        assert_eq!((error.kind(), error.retry_after_ms()), (ErrorKind::RateLimited, Some(7000)));
    }

    #[test]
    fn a_path_that_can_not_stand_in_a_url_never_reaches_the_server() {
        host("2").install();
        for path in ["", "a//b", "../x", "a%2Fb", r"a\b", "a\nb", "/a", "a/"] {
            assert_eq!(Vault::get(path, None).unwrap_err().kind(), ErrorKind::InvalidRequest, "{path:?}");
        }
        assert_eq!(fake::requests().len(), 0);
    }

    #[test]
    fn a_read_of_version_1_is_one_request_without_versions() {
        let url = "https://v.example/v1/team/kv/app/db";
        host("1")
            .answer("GET", url, 200, r#"{"data":{"password":"hunter2","port":5432},"lease_duration":1}"#)
            .install();
        let secret = Vault::get("app/db", None).unwrap().unwrap();
        assert_eq!(secret.value.as_bytes(), br#"{"password":"hunter2","port":5432}"#);
        assert_eq!(secret.version, None);
        assert_eq!(Vault::get("app/db", Some("1")).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(fake::requests().len(), 1);
    }

    #[test]
    fn describing_tells_the_newest_version_and_no_value() {
        let body = r#"{"data":{"current_version":2,"custom_metadata":{"team":"a"},"max_versions":5,"versions":{
            "1":{"created_time":"1970-01-01T00:00:01Z","deletion_time":"","destroyed":false},
            "2":{"created_time":"1970-01-01T00:00:02Z","deletion_time":"1970-01-01T00:00:03Z","destroyed":false}}}}"#;
        let url = "https://v.example/v1/team/kv/metadata/a";
        host("2").at(5000).answer("GET", url, 200, body).install();
        let entry = Vault::describe("a").unwrap().unwrap();
        assert_eq!(entry.tags, [("team".to_owned(), "a".to_owned())]);
        assert_eq!(entry.attributes, [("max-versions".to_owned(), "5".to_owned())]);
        let version = entry.version.unwrap();
        assert_eq!((version.id.as_str(), version.state), ("2", VersionState::Deleted));
        host("2").answer("GET", url, 404, r#"{"errors":[]}"#).install();
        assert_eq!(Vault::describe("a").unwrap(), None);
    }

    #[test]
    fn describing_in_version_1_tells_that_it_is_there() {
        let url = "https://v.example/v1/team/kv/a";
        host("1").answer("GET", url, 200, r#"{"data":{"a":"hunter2"}}"#).install();
        assert_eq!(Vault::describe("a").unwrap(), Some(Entry::new("a")));
        host("1").answer("GET", url, 404, r#"{"errors":[]}"#).install();
        assert_eq!(Vault::describe("a").unwrap(), None);
    }
}
