//! Writing a secret, and telling a failed compare from a request that is wrong.

use forge_sdk::http::{self, Response};
use forge_sdk::{Error, PutOptions, SecretVersion, VersionState};
use serde::Serialize;

use crate::answer::{Version, content, version_number};
use crate::mount::{Kv, Mount, succeeded};
use crate::number;
use crate::read;
use crate::value::Stored;

/// A write of version 2.
#[derive(Serialize)]
struct Write<'a> {
    data: &'a Stored<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<Options>,
}

/// `cas`: write only if this is the newest version, where 0 means that there is none.
#[derive(Serialize)]
struct Options {
    cas: u64,
}

/// Writes the value.
///
/// # Errors
///
/// `conflict` where another version is the current one, `unsupported` for an option that a KV mount can't express,
/// `invalid-request` for a path or a version that can't be, and what the server said.
pub(crate) fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
    let (mount, kv) = Mount::known()?;
    let stored = Stored::of(value);
    // An object is read again as JSON, so naming it so loses nothing; any other content type would be lost.
    let json = stored.is_object() && options.content_type.as_deref() == Some("application/json");
    let known = ["expected-version", if json { "content-type" } else { "" }];
    options.only(&known)?;
    match kv {
        Kv::One => {
            if options.expected_version.is_some() {
                return Err(Error::unsupported("a KV version 1 mount can't compare before it writes"));
            }
            succeeded(http::put_json(mount.below(path)?, &stored).send()?)?;
            // There are no versions, so this one has no name.
            Ok(SecretVersion::new("", true))
        }
        Kv::Two => {
            if let Stored::Object(object) = stored {
                number::check(object)?;
            }
            match options.expected_version.as_deref() {
                None => written(&succeeded(attempt(&mount, path, &stored, None)?)?),
                Some("") => compared(&mount, path, &stored, None),
                Some(version) => compared(&mount, path, &stored, Some(version_number(version)?)),
            }
        }
    }
}

/// One write of version 2, whatever its status.
fn attempt(mount: &Mount, path: &str, data: &Stored<'_>, cas: Option<u64>) -> Result<Response, Error> {
    let body = Write { data, options: cas.map(|cas| Options { cas }) };
    http::post_json(mount.behind("data", path)?, &body).send()
}

fn written(response: &Response) -> Result<SecretVersion, Error> {
    Ok(content::<Version>(response, "the version that was written")?.version(true))
}

/// Writes only over the expected version, or only where there is none.
///
/// The server answers 400 to a compare that fails and to a request that is wrong, so the newest version is read to
/// tell the two apart. Its newest version counts after a deletion too: who expects none then writes over exactly
/// that version, and another writer in between still ends in a conflict.
fn compared(mount: &Mount, path: &str, data: &Stored<'_>, expected: Option<u64>) -> Result<SecretVersion, Error> {
    let cas = expected.unwrap_or(0);
    let response = attempt(mount, path, data, Some(cas))?;
    if response.status() != 400 {
        return written(&succeeded(response)?);
    }
    let known = read::metadata(mount, path)?;
    let current = known.as_ref().map_or(0, |known| known.current);
    if current == cas {
        return Err(response.error());
    }
    let newest = known.and_then(|known| known.newest);
    let removed = newest.is_some_and(|newest| newest.state != VersionState::Enabled);
    if expected.is_none() && removed {
        let response = attempt(mount, path, data, Some(current))?;
        if response.status() != 400 {
            return written(&succeeded(response)?);
        }
    }
    let words = match expected {
        None => format!("no secret was expected, and the newest version is `{current}`"),
        Some(expected) => format!("version `{expected}` was expected, and the newest one is `{current}`"),
    };
    Err(Error::conflict(words).with_status(400))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use forge_sdk::{ErrorKind, SecretWriter, fake};

    use super::*;
    use crate::Vault;

    const DATA: &str = "https://v.example/v1/secret/data/a";
    const METADATA: &str = "https://v.example/v1/secret/metadata/a";
    const WRITTEN: &str = r#"{"data":{"created_time":"1970-01-01T00:00:01Z","custom_metadata":null,
        "deletion_time":"","destroyed":false,"version":4}}"#;
    const REFUSED: &str = r#"{"errors":["hunter2"]}"#;

    fn host(kv: &str) -> fake::Host {
        fake::Host::new().setting("address", "https://v.example").setting("mount", "secret").setting("kv-version", kv)
    }

    fn expecting(version: &str) -> PutOptions {
        PutOptions { expected_version: Some(version.to_owned()), ..PutOptions::default() }
    }

    /// The metadata of a secret whose newest version is this one, deleted at 2 s or not.
    fn newest(version: u64, deleted: bool) -> String {
        let deletion = if deleted { "1970-01-01T00:00:02Z" } else { "" };
        format!(
            r#"{{"data":{{"current_version":{version},"custom_metadata":null,"versions":{{"{version}":
            {{"created_time":"","deletion_time":"{deletion}","destroyed":false}}}}}}}}"#
        )
    }

    fn sent() -> Vec<(String, String)> {
        let body = |request: &http::Request| String::from_utf8(request.body_bytes().to_vec()).unwrap();
        fake::requests().iter().map(|request| (request.method().to_owned(), body(request))).collect()
    }

    fn post(body: &str) -> (String, String) {
        ("POST".to_owned(), body.to_owned())
    }

    fn get() -> (String, String) {
        ("GET".to_owned(), String::new())
    }

    #[test]
    fn a_write_of_version_2_is_one_request_and_answers_its_version() {
        host("2").answer("POST", DATA, 200, WRITTEN).install();
        let version = Vault::put("a", b"hunter2", &PutOptions::default()).unwrap();
        assert_eq!((version.id.as_str(), version.current, version.created_at), ("4", true, Some(1000)));
        Vault::put("a", br#"{"port":5432.10}"#, &PutOptions::default()).unwrap();
        Vault::put("a", &[0xff], &PutOptions::default()).unwrap();
        let bodies =
            [r#"{"data":{"value":"hunter2"}}"#, r#"{"data":{"port":5432.10}}"#, r#"{"data":{"value_base64":"/w=="}}"#];
        assert_eq!(sent(), bodies.map(post));
    }

    #[test]
    fn an_expected_version_is_compared_by_the_server() {
        host("2").answer("POST", DATA, 200, WRITTEN).install();
        Vault::put("a", b"x", &expecting("3")).unwrap();
        Vault::put("a", b"x", &expecting("")).unwrap();
        let body = |cas: u64| post(&format!(r#"{{"data":{{"value":"x"}},"options":{{"cas":{cas}}}}}"#));
        assert_eq!(sent(), [body(3), body(0)]);
    }

    #[test]
    fn an_expected_version_that_is_no_number_never_reaches_the_server() {
        host("2").install();
        for version in ["0", "03", "latest"] {
            assert_eq!(Vault::put("a", b"x", &expecting(version)).unwrap_err().kind(), ErrorKind::InvalidRequest);
        }
        assert_eq!(fake::requests().len(), 0);
    }

    #[test]
    fn a_refused_compare_is_a_conflict_where_the_newest_version_is_another() {
        for (expected, current) in [("3", newest(4, false)), ("3", newest(2, true)), ("", newest(1, false))] {
            host("2").at(5000).answer("POST", DATA, 400, REFUSED).answer("GET", METADATA, 200, current).install();
            let error = Vault::put("a", b"x", &expecting(expected)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict);
            assert!(!format!("{error:?}").contains("hunter2"));
            assert_eq!(fake::requests().len(), 2);
        }
        host("2").answer("POST", DATA, 400, REFUSED).answer("GET", METADATA, 404, r#"{"errors":[]}"#).install();
        assert_eq!(Vault::put("a", b"x", &expecting("3")).unwrap_err().kind(), ErrorKind::Conflict);
    }

    #[test]
    fn a_refusal_at_the_expected_version_is_a_request_that_is_wrong() {
        host("2").answer("POST", DATA, 400, REFUSED).answer("GET", METADATA, 200, newest(3, false)).install();
        assert_eq!(Vault::put("a", b"x", &expecting("3")).unwrap_err().kind(), ErrorKind::InvalidRequest);
        host("2").answer("POST", DATA, 400, REFUSED).answer("GET", METADATA, 404, r#"{"errors":[]}"#).install();
        assert_eq!(Vault::put("a", b"x", &expecting("")).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }

    #[test]
    fn who_expects_no_secret_writes_over_a_deleted_one_and_over_nothing_newer() {
        let refused_first =
            || host("2").at(5000).answer("POST", DATA, 400, REFUSED).answer("GET", METADATA, 200, newest(3, true));
        refused_first().answer("POST", DATA, 200, WRITTEN).install();
        assert_eq!(Vault::put("a", b"x", &expecting("")).unwrap().id, "4");
        let body = |cas: u64| post(&format!(r#"{{"data":{{"value":"x"}},"options":{{"cas":{cas}}}}}"#));
        assert_eq!(sent(), [body(0), get(), body(3)]);
        refused_first().answer("POST", DATA, 400, REFUSED).install();
        assert_eq!(Vault::put("a", b"x", &expecting("")).unwrap_err().kind(), ErrorKind::Conflict);
    }

    #[test]
    fn a_refusal_without_a_compare_is_told_as_it_is() {
        for (status, kind) in
            [(400, ErrorKind::InvalidRequest), (403, ErrorKind::AccessDenied), (413, ErrorKind::TooLarge)]
        {
            host("2").answer("POST", DATA, status, REFUSED).install();
            assert_eq!(Vault::put("a", b"x", &PutOptions::default()).unwrap_err().kind(), kind);
            assert_eq!(fake::requests().len(), 1);
        }
    }

    #[test]
    fn options_that_a_kv_mount_can_not_express_are_refused_by_name_before_any_request() {
        host("2").install();
        let options = [
            (PutOptions { content_type: Some("text/plain".into()), ..PutOptions::default() }, "`content-type`"),
            (PutOptions { tags: vec![("a".into(), "b".into())], ..PutOptions::default() }, "`tags`"),
            (PutOptions { expires_at: Some(1), ..PutOptions::default() }, "`expires-at`"),
            (PutOptions { attributes: vec![("x".into(), "y".into())], ..PutOptions::default() }, "`x`"),
        ];
        for (options, name) in options {
            let error = Vault::put("a", b"{}", &options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.message().contains(name), "{}", error.message());
        }
        assert_eq!(fake::requests().len(), 0);
    }

    #[test]
    fn an_object_may_be_called_json_since_it_comes_back_as_that() {
        host("2").answer("POST", DATA, 200, WRITTEN).install();
        let json = PutOptions { content_type: Some("application/json".into()), ..PutOptions::default() };
        assert!(Vault::put("a", b"{}", &json).is_ok());
        assert_eq!(Vault::put("a", b"[]", &json).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_number_that_version_2_would_round_never_reaches_the_server() {
        host("2").install();
        let error = Vault::put("a", br#"{"id":9007199254740993}"#, &PutOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(fake::requests().len(), 0);
        host("1").answer("PUT", "https://v.example/v1/secret/a", 204, "").install();
        assert!(Vault::put("a", br#"{"id":9007199254740993}"#, &PutOptions::default()).is_ok());
    }

    #[test]
    fn a_write_of_version_1_puts_the_object_itself_and_can_not_compare() {
        host("1").answer("PUT", "https://v.example/v1/secret/a", 204, "").install();
        assert_eq!(Vault::put("a", b"hunter2", &PutOptions::default()).unwrap().id, "");
        assert_eq!(Vault::put("a", b"x", &expecting("")).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(sent(), [("PUT".to_owned(), r#"{"value":"hunter2"}"#.to_owned())]);
    }
}
