//! Writing a secret, and telling a failed compare from a request that is wrong.

use forge_sdk::http::{self, Response};
use forge_sdk::{Error, ErrorKind, PutOptions, SecretVersion, VersionState};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::answer::{Told, Version, content, version_number};
use crate::mount::{Kv, Mount, succeeded};
use crate::number;
use crate::read;
use crate::tags::Tags;
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
    let tags = if kv == Kv::Two { "tags" } else { "" };
    options.only(&["expected-version", tags, if json { "content-type" } else { "" }])?;
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
            let expected = options.expected_version.as_deref();
            let expected = expected.map(|version| if version.is_empty() { Ok(0) } else { version_number(version) });
            let expected = expected.transpose()?;
            let tags = Tags::of(&options.tags)?;
            if let Some(tags) = &tags {
                tags.are_permitted(&mount, path)?;
            }
            let written = match expected {
                None => written(&succeeded(attempt(&mount, path, &stored, None)?)?)?,
                Some(cas) => compared(&mount, path, &stored, cas)?,
            };
            if let Some(tags) = tags.filter(|tags| !tags.are_among(&written.tags)) {
                tags.add(&mount, path).map_err(|error| untagged(error, &written.version))?;
            }
            Ok(written.version)
        }
    }
}

/// The error of tags that were not added, of a value that is written already.
fn untagged(error: Error, version: &SecretVersion) -> Error {
    let words = format!("version `{}` was written, and its tags were not added: {}", version.id, error.message());
    error.with_message(words)
}

/// One write of version 2, whatever its status.
fn attempt(mount: &Mount, path: &str, data: &Stored<'_>, cas: Option<u64>) -> Result<Response, Error> {
    let body = Write { data, options: cas.map(|cas| Options { cas }) };
    http::post_json(mount.behind("data", path)?, &body).send()
}

fn written(response: &Response) -> Result<Told, Error> {
    content::<Version>(response, "the version that was written")?.told(true)
}

/// Writes only over the version of this number, or with 0 only where there is none.
///
/// The newest version counts after a deletion too: who expects none then writes over exactly that version, and another
/// writer in between still ends in a conflict.
fn compared(mount: &Mount, path: &str, data: &Stored<'_>, cas: u64) -> Result<Told, Error> {
    let response = attempt(mount, path, data, Some(cas))?;
    if response.status() != 400 {
        return written(&succeeded(response)?);
    }
    let (current, newest) = refused_at(mount, path, cas, &response)?;
    if cas == 0 && newest.is_some_and(|newest| newest.state != VersionState::Enabled) {
        let response = attempt(mount, path, data, Some(current))?;
        if response.status() != 400 {
            return written(&succeeded(response)?);
        }
    }
    let words = match cas {
        0 => format!("no secret was expected, and the newest version is `{current}`"),
        _ => format!("version `{cas}` was expected, and the newest one is `{current}`"),
    };
    Err(Error::conflict(words).with_status(400))
}

/// Writes exactly over the version of this number, with the object as the server printed it.
///
/// # Errors
///
/// `conflict` where somebody wrote meanwhile, and what the server said.
pub(crate) fn over(mount: &Mount, path: &str, object: &RawValue, number: u64) -> Result<SecretVersion, Error> {
    let response = attempt(mount, path, &Stored::Object(object), Some(number))?;
    if response.status() != 400 {
        return Ok(written(&succeeded(response)?)?.version);
    }
    let (current, _) = refused_at(mount, path, number, &response)?;
    let words = format!("version `{number}` was the newest one, and meanwhile somebody wrote `{current}`");
    Err(Error::conflict(words).with_status(400))
}

/// The newest version and its number, after a compare with `cas` was refused by this response.
///
/// The server answers 400 to a compare that fails and to a request that is wrong, so the newest version is read to
/// tell the two apart.
///
/// # Errors
///
/// The error of the response itself where the newest version is the one that was compared with, so that something else
/// was wrong.
fn refused_at(mount: &Mount, path: &str, cas: u64, response: &Response) -> Result<(u64, Option<SecretVersion>), Error> {
    let newest = match read::newest(mount, path) {
        // Who may write and not read can't be told more than that; a wrong request fails without a compare too.
        Err(error) if error.kind() == ErrorKind::AccessDenied => {
            let words = "the compare failed or the request is wrong, and the token may not read which of the two it is";
            return Err(Error::conflict(words).with_status(400));
        }
        newest => newest?,
    };
    let current = newest.as_ref().map_or(0, |newest| newest.number);
    if current == cas { Err(response.error()) } else { Ok((current, newest.map(|newest| newest.version))) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use forge_sdk::{ErrorKind, SecretWriter, fake};

    use super::*;
    use crate::Vault;

    const DATA: &str = "https://v.example/v1/secret/data/a";
    const WRITTEN: &str = r#"{"data":{"created_time":"1970-01-01T00:00:01Z","custom_metadata":null,
        "deletion_time":"","destroyed":false,"version":4}}"#;
    const REFUSED: &str = r#"{"errors":["hunter2"]}"#;

    fn host(kv: &str) -> fake::Host {
        fake::Host::new().setting("address", "https://v.example").setting("mount", "secret").setting("kv-version", kv)
    }

    fn expecting(version: &str) -> PutOptions {
        PutOptions { expected_version: Some(version.to_owned()), ..PutOptions::default() }
    }

    /// The answer to a read of a secret whose newest version is this one, deleted at 2 s or not.
    fn newest(version: u64, deleted: bool) -> (u16, String) {
        let (status, data, deletion) =
            if deleted { (404, "null", "1970-01-01T00:00:02Z") } else { (200, r#"{"value":"hunter2"}"#, "") };
        let body = format!(
            r#"{{"data":{{"data":{data},"metadata":{{"created_time":"","custom_metadata":null,
            "deletion_time":"{deletion}","destroyed":false,"version":{version}}}}}}}"#
        );
        (status, body)
    }

    /// A mount that refuses a write, and where this is the newest version.
    fn refusing(newest: (u16, String)) -> fake::Host {
        host("2").at(5000).answer("POST", DATA, 400, REFUSED).answer("GET", DATA, newest.0, newest.1)
    }

    fn absent() -> (u16, String) {
        (404, r#"{"errors":[]}"#.to_owned())
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
        for (expected, newest) in
            [("3", newest(4, false)), ("3", newest(2, true)), ("", newest(1, false)), ("3", absent())]
        {
            refusing(newest).install();
            let error = Vault::put("a", b"x", &expecting(expected)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict);
            assert!(!format!("{error:?}").contains("hunter2"));
            assert_eq!(fake::requests().len(), 2);
        }
    }

    #[test]
    fn a_refusal_at_the_expected_version_is_a_request_that_is_wrong() {
        for (expected, newest) in [("3", newest(3, false)), ("", absent())] {
            refusing(newest).install();
            assert_eq!(Vault::put("a", b"x", &expecting(expected)).unwrap_err().kind(), ErrorKind::InvalidRequest);
        }
    }

    #[test]
    fn who_may_write_and_not_read_hears_of_a_conflict_that_may_be_something_else() {
        refusing((403, REFUSED.to_owned())).install();
        let error = Vault::put("a", b"x", &expecting("3")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        refusing((503, REFUSED.to_owned())).install();
        assert_eq!(Vault::put("a", b"x", &expecting("3")).unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn who_expects_no_secret_writes_over_a_deleted_one_and_over_nothing_newer() {
        refusing(newest(3, true)).answer("POST", DATA, 200, WRITTEN).install();
        assert_eq!(Vault::put("a", b"x", &expecting("")).unwrap().id, "4");
        let body = |cas: u64| post(&format!(r#"{{"data":{{"value":"x"}},"options":{{"cas":{cas}}}}}"#));
        assert_eq!(sent(), [body(0), get(), body(3)]);
        refusing(newest(3, true)).answer("POST", DATA, 400, REFUSED).install();
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
        let tags = PutOptions { tags: vec![("a".into(), "b".into())], ..PutOptions::default() };
        host("1").install();
        let error = Vault::put("a", b"{}", &tags).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("`tags`"), "{}", error.message());
        assert_eq!(fake::requests().len(), 0);
        host("2").install();
        let options = [
            (PutOptions { content_type: Some("text/plain".into()), ..PutOptions::default() }, "`content-type`"),
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
