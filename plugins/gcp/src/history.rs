//! Versions, their states, and the way back to one: its value is written anew ("Secret Manager API,
//! projects.secrets.versions").

use forge_sdk::{Error, SecretVersion, VersionPage, VersionState, http, time, url};
use serde::Deserialize;
use serde_json::json;

use crate::call::{found, send};
use crate::{name, read, write};

/// The most versions of one answer ("projects.secrets.versions.list", parameter `pageSize`).
const PAGE: u32 = 250;

/// A version as the service describes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Version {
    name: String,
    create_time: Option<String>,
    state: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    versions: Vec<Version>,
    next_page_token: Option<String>,
}

impl Version {
    /// In the words of the contract.
    pub(crate) fn told(self, current: bool) -> SecretVersion {
        let state = match self.state.as_deref() {
            Some("DISABLED") => VersionState::Disabled,
            Some("DESTROYED") => VersionState::Destroyed,
            _ => VersionState::Enabled,
        };
        let created_at = self.create_time.as_deref().and_then(time::parse_rfc3339);
        SecretVersion { created_at, state, ..SecretVersion::new(name::last(&self.name), current) }
    }
}

/// One page of the versions, newest first, as the service lists them; `latest` is the first of all, whatever its state.
///
/// # Errors
///
/// `not-found` where there is no such secret, and what the service said.
pub(crate) fn versions(path: &str, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Error> {
    let secret = name::secret(path)?;
    let size = limit.clamp(1, PAGE).to_string();
    let mut query = vec![("pageSize", size.as_str())];
    query.extend(cursor.map(|cursor| ("pageToken", cursor)));
    let url = name::below(&format!("secrets/{secret}/versions"))?;
    let listed: Listed = send(http::get(format!("{url}?{}", url::query(&query))))?.json("a list of versions")?;
    let is_first = |at: usize| at == 0 && cursor.is_none();
    let versions = listed.versions.into_iter().enumerate().map(|(at, version)| version.told(is_first(at))).collect();
    Ok(VersionPage { versions, next: listed.next_page_token.filter(|next| !next.is_empty()) })
}

/// Writes the value of an old version anew: a version's number never changes its place here.
///
/// # Errors
///
/// `not-found` for a version that isn't there, `wrong-state` for one that can't be read, and what the service said.
pub(crate) fn restore(path: &str, version: &str) -> Result<SecretVersion, Error> {
    let missing = || Error::not_found(format!("there is no version `{version}` of this secret"));
    let old = read::secret(path, Some(version))?.ok_or_else(missing)?;
    write::add(name::secret(path)?, old.value.as_bytes())?.ok_or_else(missing)
}

/// Enables or disables one version.
///
/// # Errors
///
/// `unsupported` for another state, `not-found`, `wrong-state` for a destroyed version, and what the service said.
pub(crate) fn set_state(path: &str, version: &str, state: VersionState) -> Result<(), Error> {
    let (secret, version) = (name::secret(path)?, name::version(Some(version))?);
    let verb = match state {
        VersionState::Enabled => "enable",
        VersionState::Disabled => "disable",
        // A secret with a `versionDestroyTtl` only puts it off ("projects.secrets", field of that name): done would be untrue.
        VersionState::Destroyed | VersionState::Deleted => {
            return Err(Error::unsupported(
                "a version is disabled, which can be taken back; nothing here destroys one",
            ));
        }
    };
    let url = name::below(&format!("secrets/{secret}/versions/{version}:{verb}"))?;
    let done = found(send(http::post_json(url, &json!({}))))?;
    done.map(drop).ok_or_else(|| Error::not_found("there is no such version"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;
    use crate::call::tests::{URL, host, refused, sent};

    #[test]
    fn versions_are_told_newest_first_with_their_states_and_only_the_first_of_all_is_current() {
        let body = r#"{"versions":[{"name":"p/versions/3","state":"DISABLED","createTime":"1970-01-01T00:00:01Z"},
            {"name":"p/versions/2","state":"DESTROYED"}],"nextPageToken":"more"}"#;
        host().answer("GET", &format!("{URL}/a/versions?pageSize=2"), 200, body).install();
        let page = versions("a", None, 2).unwrap();
        let told: Vec<_> = page.versions.iter().map(|one| (one.id.as_str(), one.state, one.current)).collect();
        assert_eq!(told, [("3", VersionState::Disabled, true), ("2", VersionState::Destroyed, false)]);
        assert_eq!(page.next.as_deref(), Some("more"));
        host().answer("GET", &format!("{URL}/a/versions?pageSize=2&pageToken=more"), 200, body).install();
        assert!(versions("a", Some("more"), 2).unwrap().versions.iter().all(|one| !one.current));
    }

    #[test]
    fn an_old_version_comes_back_by_being_written_anew() {
        let old = r#"{"name":"p/versions/1","payload":{"data":"MTIzNDU2Nzg5","dataCrc32c":"3808858755"}}"#;
        let new = r#"{"name":"p/versions/4","clientSpecifiedPayloadChecksum":true}"#;
        let host_of = |status, body: &str| host().answer("GET", &format!("{URL}/a/versions/1:access"), status, body);
        host_of(200, old).answer("POST", &format!("{URL}/a:addVersion"), 200, new).install();
        assert_eq!(restore("a", "1").unwrap().id, "4");
        let (_, _, body) = sent().pop().unwrap();
        assert_eq!(body, json!({ "payload": { "data": "MTIzNDU2Nzg5", "dataCrc32c": "3808858755" } }));
        host_of(404, &refused("NOT_FOUND")).install();
        assert_eq!(restore("a", "1").unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_version_is_enabled_and_disabled_and_never_destroyed_or_deleted() {
        for (state, verb) in [(VersionState::Enabled, "enable"), (VersionState::Disabled, "disable")] {
            host().answer("POST", &format!("{URL}/a/versions/1:{verb}"), 200, "{}").install();
            set_state("a", "1", state).unwrap();
        }
        host().install();
        for state in [VersionState::Destroyed, VersionState::Deleted] {
            assert_eq!(set_state("a", "1", state).unwrap_err().kind(), ErrorKind::Unsupported);
        }
        assert!(sent().is_empty());
    }
}
