//! Deleting a secret, taking that back, and deleting it for good.

use forge_sdk::{Error, VersionState, http};
use serde::Serialize;

use crate::answer::Metadata;
use crate::mount::{Kv, Mount, succeeded};
use crate::read;

/// Deletes the newest version of a version 2 secret, or a version 1 secret for good; `true` where there was one.
///
/// The server answers the same whether there was one, so it is read before: in version 2 what is known about it, in
/// version 1 the secret itself, since there is no other way to ask.
///
/// # Errors
///
/// `invalid-request` for a path that can't be, and what the server said.
pub(crate) fn delete(path: &str) -> Result<bool, Error> {
    let (mount, kv) = Mount::known()?;
    let (there, url) = match kv {
        Kv::One => (read::exists(&mount, path)?, mount.below(path)?),
        Kv::Two => {
            let newest = match read::metadata(&mount, path)? {
                Some(response) => Metadata::of(&response)?.newest()?,
                None => None,
            };
            (newest.is_some_and(|newest| newest.state == VersionState::Enabled), mount.behind("data", path)?)
        }
    };
    if there {
        succeeded(http::delete(url).send()?)?;
    }
    Ok(there)
}

/// The versions that a request is about: exactly one, so that a request sent again does nothing more.
#[derive(Serialize)]
struct Versions {
    versions: [u64; 1],
}

/// What can be done with one version of a version 2 secret (Vault API docs, "KV version 2").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Deletes it, which can be taken back.
    Delete,
    /// Takes its deletion back.
    Undelete,
    /// Removes its value for good.
    Destroy,
}

impl Change {
    /// Has the server do it. The server answers the same where there is no such version.
    ///
    /// # Errors
    ///
    /// `invalid-request` for a path that can't be, and what the server said.
    pub(crate) fn send(self, mount: &Mount, path: &str, number: u64) -> Result<(), Error> {
        let word = match self {
            Self::Delete => "delete",
            Self::Undelete => "undelete",
            Self::Destroy => "destroy",
        };
        let versions = Versions { versions: [number] };
        succeeded(http::post_json(mount.behind(word, path)?, &versions).send()?).map(drop)
    }
}

/// Takes the deletion of the newest version back.
///
/// # Errors
///
/// `not-found`, `wrong-state` where it isn't deleted or is destroyed, `unsupported` in version 1, and what the server
/// said.
pub(crate) fn recover(path: &str) -> Result<(), Error> {
    let (mount, kv) = Mount::known()?;
    if kv == Kv::One {
        return Err(Error::unsupported("what was deleted from a KV version 1 mount is gone"));
    }
    let missing = || Error::not_found("there is no such secret, not even a deleted one");
    let response = read::metadata(&mount, path)?.ok_or_else(missing)?;
    let known = Metadata::of(&response)?;
    match known.newest()?.ok_or_else(missing)?.state {
        VersionState::Deleted => Change::Undelete.send(&mount, path, known.current()),
        VersionState::Destroyed => Err(Error::wrong_state("the newest version was destroyed and is gone for good")),
        VersionState::Enabled | VersionState::Disabled => Err(Error::wrong_state("the newest version isn't deleted")),
    }
}

/// Deletes all versions of a version 2 secret and what is known about it, for good; `true` where there was anything.
///
/// # Errors
///
/// `unsupported` in version 1, whose `delete` is for good already, and what the server said.
pub(crate) fn purge(path: &str) -> Result<bool, Error> {
    let (mount, kv) = Mount::known()?;
    if kv == Kv::One {
        return Err(Error::unsupported(
            "a KV version 1 mount keeps nothing of a deleted secret: `delete` is all it takes",
        ));
    }
    if read::metadata(&mount, path)?.is_none() {
        return Ok(false);
    }
    succeeded(http::delete(mount.behind("metadata", path)?).send()?)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use forge_sdk::{Attributes, ErrorKind, SecretRemoval, fake};

    use crate::Vault;

    const DATA: &str = "https://v.example/v1/secret/data/a";
    const METADATA: &str = "https://v.example/v1/secret/metadata/a";
    const ONE: &str = "https://v.example/v1/secret/a";
    const MISSING: &str = r#"{"errors":[]}"#;

    fn host(kv: &str) -> fake::Host {
        fake::Host::new()
            .at(5000)
            .setting("address", "https://v.example")
            .setting("mount", "secret")
            .setting("kv-version", kv)
    }

    fn newest(deletion: &str, destroyed: bool) -> fake::Host {
        let body = format!(
            r#"{{"data":{{"current_version":3,"custom_metadata":null,"versions":{{"3":
            {{"created_time":"","deletion_time":"{deletion}","destroyed":{destroyed}}}}}}}}}"#
        );
        host("2").answer("GET", METADATA, 200, body)
    }

    fn sent() -> Vec<String> {
        fake::requests().iter().map(|request| format!("{} {}", request.method(), request.url())).collect()
    }

    fn delete() -> Result<bool, forge_sdk::Error> {
        Vault::delete("a", &Attributes::new())
    }

    #[test]
    fn a_deletion_of_version_2_removes_the_newest_version_and_tells_that_there_was_one() {
        newest("", false).answer("DELETE", DATA, 204, "").install();
        assert!(delete().unwrap());
        assert_eq!(sent(), [format!("GET {METADATA}"), format!("DELETE {DATA}")]);
    }

    #[test]
    fn deleting_what_is_gone_already_sends_no_deletion() {
        for host in
            [newest("1970-01-01T00:00:02Z", false), newest("", true), host("2").answer("GET", METADATA, 404, MISSING)]
        {
            host.install();
            assert!(!delete().unwrap());
            assert_eq!(sent(), [format!("GET {METADATA}")]);
        }
    }

    #[test]
    fn a_deletion_that_the_server_refuses_is_an_error() {
        newest("", false).answer("DELETE", DATA, 403, MISSING).install();
        assert_eq!(delete().unwrap_err().kind(), ErrorKind::AccessDenied);
    }

    #[test]
    fn an_option_of_a_deletion_that_is_not_known_is_refused_before_any_request() {
        host("2").install();
        let options = vec![("versions".to_owned(), "1".to_owned())];
        assert_eq!(Vault::delete("a", &options).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(fake::requests().len(), 0);
    }

    #[test]
    fn a_deletion_of_version_1_asks_first_whether_there_is_one() {
        host("1").answer("GET", ONE, 200, r#"{"data":{}}"#).answer("DELETE", ONE, 204, "").install();
        assert!(delete().unwrap());
        host("1").answer("GET", ONE, 404, MISSING).install();
        assert!(!delete().unwrap());
    }

    #[test]
    fn recovering_undeletes_exactly_the_newest_version() {
        let undelete = "https://v.example/v1/secret/undelete/a";
        newest("1970-01-01T00:00:02Z", false).answer("POST", undelete, 204, "").install();
        Vault::recover("a").unwrap();
        assert_eq!(fake::requests().last().unwrap().body_bytes(), br#"{"versions":[3]}"#);
    }

    #[test]
    fn only_what_is_deleted_can_be_recovered() {
        for (host, kind) in [
            (newest("", false), ErrorKind::WrongState),
            (newest("1970-01-01T00:00:02Z", true), ErrorKind::WrongState),
            (host("2").answer("GET", METADATA, 404, MISSING), ErrorKind::NotFound),
            (host("1"), ErrorKind::Unsupported),
        ] {
            host.install();
            assert_eq!(Vault::recover("a").unwrap_err().kind(), kind);
            assert!(fake::requests().iter().all(|request| request.method() == "GET"));
        }
    }

    #[test]
    fn a_purge_deletes_the_secret_with_all_its_versions() {
        newest("1970-01-01T00:00:02Z", false).answer("DELETE", METADATA, 204, "").install();
        assert!(Vault::purge("a").unwrap());
        assert_eq!(sent(), [format!("GET {METADATA}"), format!("DELETE {METADATA}")]);
        host("2").answer("GET", METADATA, 404, MISSING).install();
        assert!(!Vault::purge("a").unwrap());
        host("1").install();
        assert_eq!(Vault::purge("a").unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
