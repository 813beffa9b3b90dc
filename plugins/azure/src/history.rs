//! Versions, their states, and the way back to one: its value is written anew ("GetSecretVersions", "SetSecret", "UpdateSecret").

use forge_sdk::{Error, SecretVersion, VersionPage, VersionState};
use serde_json::json;

use crate::bundle::Bundle;
use crate::call::{self, DISABLED, NOT_FOUND, is};
use crate::listing::{PAGE, items};
use crate::{name, read, write};

/// The most pages of versions that are read: 1,000 versions.
const PAGES: usize = 40;

/// Any version of a secret, without its value, by as few requests as can be; none where there is no such secret.
///
/// # Errors
///
/// What the service said.
pub(crate) fn any(name: &str) -> Result<Option<Bundle>, Error> {
    let (place, mut mark) = (format!("secrets/{name}/versions"), None::<String>);
    for _ in 0..PAGES {
        let (found, next) = match call::page(&place, 1, mark.as_deref()) {
            Err(error) if is(&error, NOT_FOUND) => return Ok(None),
            response => items(&response?)?,
        };
        let first = found.into_iter().next();
        if first.is_some() || next.is_none() {
            return Ok(first);
        }
        mark = next;
    }
    Err(Error::upstream("the list of versions has pages without versions, and no end"))
}

/// All versions of a secret, the current one first and then the newest first; none where there is no such secret.
fn all(name: &str) -> Result<Vec<Bundle>, Error> {
    let (mut versions, mut mark) = (Vec::new(), None::<String>);
    let place = format!("secrets/{name}/versions");
    for _ in 0..PAGES {
        let (found, next) = match call::page(&place, PAGE, mark.as_deref()) {
            Err(error) if is(&error, NOT_FOUND) => break,
            response => items(&response?)?,
        };
        versions.extend(found);
        mark = next;
        if mark.is_none() {
            break;
        }
    }
    if mark.is_some() {
        return Err(Error::upstream("the secret has more versions than 1,000"));
    }
    versions.sort_by_key(|version| std::cmp::Reverse(version.attributes.created));
    settle(name, &mut versions)?;
    Ok(versions)
}

/// Puts the current version first, where several were made in the newest second: the service counts no finer, and lists them
/// in no order of time.
fn settle(name: &str, versions: &mut [Bundle]) -> Result<(), Error> {
    let newest = versions.first().and_then(|version| version.attributes.created);
    let ties = versions.iter().take_while(|version| version.attributes.created == newest).count();
    if ties < 2 {
        return Ok(());
    }
    let current = match read::bundle(name, None) {
        Ok(Some(current)) => Some(current.version(true)?.id),
        // The service reads no disabled version, so it is one of those.
        Err(error) if is(&error, DISABLED) => None,
        Ok(None) => return Ok(()),
        Err(error) => return Err(error),
    };
    let is_current = |version: &Bundle| match &current {
        Some(id) => version.version(true).is_ok_and(|version| version.id == *id),
        None => version.attributes.enabled == Some(false),
    };
    if let Some(at) = versions.iter().take(ties).position(is_current)
        && let Some(first) = versions.get_mut(..=at)
    {
        first.rotate_right(1);
    }
    Ok(())
}

/// What is known of the current version of a secret, without its value; none where there is no such secret.
///
/// # Errors
///
/// What the service said.
pub(crate) fn current(name: &str) -> Result<Option<Bundle>, Error> {
    Ok(all(name)?.into_iter().next())
}

/// One page of the versions; the cursor is the id of the version that was told last.
///
/// # Errors
///
/// `not-found` where there is no such secret, `invalid-request` for a path or a cursor that can't be, and what the service
/// said.
pub(crate) fn versions(path: &str, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Error> {
    let all = all(name::secret(path)?)?;
    if all.is_empty() {
        return Err(Error::not_found("there is no such secret, or it is deleted"));
    }
    let told = all.iter().enumerate().map(|(at, version)| version.version(at == 0));
    let mut versions = told.collect::<Result<Vec<SecretVersion>, _>>()?;
    if let Some(cursor) = cursor {
        let told = versions.iter().position(|version| version.id == cursor);
        let told = told.ok_or_else(|| Error::invalid_request("the cursor is none of this list's"))?;
        versions.drain(..=told);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
    let has_more = versions.len() > limit;
    versions.truncate(limit);
    let next = versions.last().filter(|_| has_more).map(|last| last.id.clone());
    Ok(VersionPage { versions, next })
}

/// Writes an old version anew, with its content type, its tags and its times; the service has no other way back.
///
/// # Errors
///
/// `not-found` for a secret or a version that isn't there, `wrong-state` for a version that is disabled, and what the service
/// said.
pub(crate) fn restore(path: &str, version: &str) -> Result<SecretVersion, Error> {
    let (name, version) = (name::secret(path)?, name::version(version)?);
    let missing = || Error::not_found(format!("the vault keeps no version `{version}` of this secret"));
    let old = read::bundle(name, Some(version))?.ok_or_else(missing)?;
    write::again(name, old)
}

/// Enables or disables one version.
///
/// # Errors
///
/// `unsupported` for any other state, `not-found` for a secret or a version that isn't there, and what the service said.
pub(crate) fn set_state(path: &str, version: &str, state: VersionState) -> Result<(), Error> {
    let (name, version) = (name::secret(path)?, name::version(version)?);
    let enabled = match state {
        VersionState::Enabled => true,
        VersionState::Disabled => false,
        VersionState::Deleted | VersionState::Destroyed => {
            return Err(Error::unsupported("a version is enabled or disabled: a secret is deleted as a whole"));
        }
    };
    let body = json!({ "attributes": { "enabled": enabled } });
    call::send("PATCH", &format!("secrets/{name}/{version}"), &body).map(drop)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;
    use crate::call::tests::{MISSING, answering, asked, places};

    const PLACE: &str = "secrets/a/versions?&maxresults=25";

    fn item(version: &str, created: u64, more: &str) -> String {
        format!(
            r#"{{"id":"https://v.example/secrets/a/{version}","attributes":{{"enabled":true,"created":{created}}}{more}}}"#
        )
    }

    fn listed(items: &[String]) -> String {
        format!(r#"{{"value":[{}]}}"#, items.join(","))
    }

    fn told(page: &VersionPage) -> Vec<(&str, bool)> {
        page.versions.iter().map(|version| (version.id.as_str(), version.current)).collect()
    }

    #[test]
    fn versions_are_told_newest_first_whatever_the_order_of_the_pages() {
        let first = format!(r#"{{"value":[{}],"nextLink":"https://x/?$skiptoken=n"}}"#, item("aa", 1, ""));
        let second = listed(&[item("bb", 3, ""), item("cc", 2, "")]);
        let both =
            [("GET", PLACE, 200, &*first), ("GET", "secrets/a/versions?&maxresults=25&$skiptoken=n", 200, &*second)];
        answering(&both);
        let page = versions("a", None, 2).unwrap();
        assert_eq!((told(&page), page.next.as_deref()), (vec![("bb", true), ("cc", false)], Some("cc")));
        answering(&both);
        let page = versions("a", Some("cc"), 2).unwrap();
        assert_eq!((told(&page), page.next.as_deref()), (vec![("aa", false)], None));
        answering(&both);
        assert_eq!(versions("a", Some("dd"), 2).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }

    #[test]
    fn of_versions_of_one_second_the_service_says_which_is_current() {
        let list = listed(&[item("aa", 5, ""), item("bb", 5, ""), item("cc", 4, "")]);
        answering(&[("GET", PLACE, 200, &list), ("GET", "secrets/a", 200, &item("bb", 5, r#","value":"x""#))]);
        let page = versions("a", None, 10).unwrap();
        assert_eq!(told(&page), [("bb", true), ("aa", false), ("cc", false)]);
        // A current version that is disabled can't be read, and so is one of those that are.
        let off = item("bb", 5, "").replace("true", "false");
        let list = listed(&[item("aa", 5, ""), off]);
        let disabled = r#"{"error":{"code":"Forbidden","innererror":{"code":"SecretDisabled"}}}"#;
        answering(&[("GET", PLACE, 200, &list), ("GET", "secrets/a", 403, disabled)]);
        let page = versions("a", None, 10).unwrap();
        assert_eq!(told(&page), [("bb", true), ("aa", false)]);
        assert_eq!(page.versions[0].state, VersionState::Disabled);
    }

    #[test]
    fn versions_of_no_secret_are_not_found_and_a_list_without_an_end_is_given_up() {
        for (status, body) in [(200, r#"{"value":[]}"#), (404, MISSING)] {
            answering(&[("GET", PLACE, status, body)]);
            assert_eq!(versions("a", None, 10).unwrap_err().kind(), ErrorKind::NotFound);
        }
        let endless = r#"{"value":[],"nextLink":"https://x/?$skiptoken=n"}"#;
        answering(&[
            ("GET", PLACE, 200, endless),
            ("GET", "secrets/a/versions?&maxresults=25&$skiptoken=n", 200, endless),
        ]);
        assert_eq!(versions("a", None, 10).unwrap_err().kind(), ErrorKind::Upstream);
        assert_eq!(places().len(), PAGES);
    }

    #[test]
    fn a_rollback_writes_the_old_version_anew_with_all_that_belongs_to_it() {
        let old = item("aa", 1, r#","value":"//4A","contentType":"application/octet-stream;base64","tags":{"x":"y"}"#)
            .replace(r#""enabled":true"#, r#""enabled":true,"exp":7,"nbf":6"#);
        answering(&[
            ("GET", "secrets/a/aa", 200, &old),
            ("PUT", "secrets/a", 200, &item("bb", 2, r#","value":"//4A""#)),
        ]);
        let version = restore("a", "aa").unwrap();
        assert_eq!((version.id.as_str(), version.current), ("bb", true));
        let expected = json!({ "value": "//4A", "contentType": "application/octet-stream;base64", "tags": { "x": "y" },
            "attributes": { "exp": 7, "nbf": 6 } });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&asked()[1].1).unwrap(), expected);
    }

    #[test]
    fn a_version_that_is_gone_or_disabled_is_not_written_anew() {
        let disabled = r#"{"error":{"code":"Forbidden","innererror":{"code":"SecretDisabled"}}}"#;
        for (status, body, kind) in [(404, MISSING, ErrorKind::NotFound), (403, disabled, ErrorKind::WrongState)] {
            answering(&[("GET", "secrets/a/99", status, body)]);
            assert_eq!(restore("a", "99").unwrap_err().kind(), kind);
            assert_eq!(places(), ["GET /secrets/a/99"]);
        }
    }

    #[test]
    fn a_version_is_enabled_and_disabled_and_nothing_else() {
        answering(&[("PATCH", "secrets/a/aa", 200, "{}")]);
        set_state("a", "aa", VersionState::Disabled).unwrap();
        set_state("a", "aa", VersionState::Enabled).unwrap();
        let bodies: Vec<String> = asked().into_iter().map(|(_, body)| body).collect();
        assert_eq!(bodies, [r#"{"attributes":{"enabled":false}}"#, r#"{"attributes":{"enabled":true}}"#]);
        for state in [VersionState::Deleted, VersionState::Destroyed] {
            assert_eq!(set_state("a", "aa", state).unwrap_err().kind(), ErrorKind::Unsupported);
        }
        assert_eq!(asked().len(), 2);
    }
}
