//! The mount that the provider names, its URLs, and what its statuses mean.

use std::collections::BTreeMap;

use forge_sdk::http::{self, Request, Response};
use forge_sdk::{Error, ErrorKind, settings, url};
use serde::Deserialize;

use crate::answer::content;

/// The two kinds of KV mounts (Vault API docs, "KV secrets engine").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kv {
    /// A value for each path, overwritten in place.
    One,
    /// Versions for each path, which can be deleted and recovered.
    Two,
}

/// The mount, as the settings describe it.
#[derive(Debug)]
pub(crate) struct Mount {
    /// As the user wrote it: `secret`, `team/kv`.
    pub(crate) name: String,
    address: String,
    encoded: String,
}

impl Mount {
    /// The mount of the settings `address` and `mount`.
    ///
    /// # Errors
    ///
    /// `invalid-request` for a setting that is missing or can't stand in a URL.
    pub(crate) fn configured() -> Result<Self, Error> {
        let name = settings::required("mount")?;
        let encoded = url::path(&name)?;
        Ok(Self { name, address: settings::required("address")?, encoded })
    }

    /// The mount and which kind it is, as `check` found it.
    ///
    /// # Errors
    ///
    /// As [`Mount::configured`], and `invalid-request` while the kind isn't known.
    pub(crate) fn known() -> Result<(Self, Kv), Error> {
        let kv = match settings::get("kv-version").as_deref() {
            Some("1") => Kv::One,
            Some("2") => Kv::Two,
            Some(_) => return Err(Error::invalid_request("the setting `kv-version` is `1` or `2`")),
            None => {
                return Err(Error::invalid_request(
                    "the setting `kv-version` has no value: it is learnt when the provider is added or tested",
                ));
            }
        };
        Ok((Self::configured()?, kv))
    }

    /// Where the server tells about the mount itself, to any token that has some right below it
    /// (Vault API docs, `/sys/internal/ui/mounts/:path`).
    pub(crate) fn about(&self) -> String {
        format!("{}/v1/sys/internal/ui/mounts/{}", self.address, self.encoded)
    }

    /// The URL of a path below the mount, which in version 1 is the secret itself.
    ///
    /// # Errors
    ///
    /// `invalid-request` for a path that can't stand in a URL.
    pub(crate) fn below(&self, path: &str) -> Result<String, Error> {
        Ok(format!("{}/v1/{}/{}", self.address, self.encoded, url::path(path)?))
    }

    /// The URL of a path behind one of the words that version 2 puts after the mount: `data`, `metadata`, `delete`,
    /// `undelete`, `destroy`.
    ///
    /// # Errors
    ///
    /// `invalid-request` for a path that can't stand in a URL.
    pub(crate) fn behind(&self, word: &str, path: &str) -> Result<String, Error> {
        Ok(format!("{}/v1/{}/{word}/{}", self.address, self.encoded, url::path(path)?))
    }

    /// The URL that lists a folder; the empty path is the mount itself.
    ///
    /// # Errors
    ///
    /// `invalid-request` for a path that can't stand in a URL.
    pub(crate) fn folder(&self, kv: Kv, path: &str) -> Result<String, Error> {
        // Only a listing may name the mount itself: a deletion there would not be of one secret.
        let folder = match (kv, path) {
            (Kv::One, "") => format!("{}/v1/{}", self.address, self.encoded),
            (Kv::One, _) => self.below(path)?,
            (Kv::Two, "") => format!("{}/v1/{}/metadata", self.address, self.encoded),
            (Kv::Two, _) => self.behind("metadata", path)?,
        };
        Ok(format!("{folder}?{}", url::query(&[("list", "true")])))
    }

    /// Sends a request whose 404 means that something isn't there, which is `None`.
    ///
    /// # Errors
    ///
    /// `not-found` where it is the mount or the namespace that isn't there, and what the status stands for.
    pub(crate) fn send(&self, request: Request) -> Result<Option<Response>, Error> {
        Ok(self.trace(request)?.filter(|response| response.status() != 404))
    }

    /// The same, and a 404 that tells about a version that was deleted or destroyed is an answer.
    ///
    /// # Errors
    ///
    /// As [`Mount::send`].
    pub(crate) fn trace(&self, request: Request) -> Result<Option<Response>, Error> {
        let response = request.send()?;
        if response.status() != 404 {
            return succeeded(response).map(Some);
        }
        // The server answers 404 with `"errors":[]` for a secret that isn't there, with `data` for a version that was
        // deleted, and with words in `errors` where it has nothing mounted. Something else in between may answer 404
        // too, and its page must not pass as the absence of a secret.
        let body: NotFound<'_> = response.json("one of a Vault server")?;
        let (has_data, is_silent) = (body.data.is_some(), body.errors.as_ref().map(Vec::is_empty));
        match is_silent {
            None if has_data => Ok(Some(response)),
            Some(true) => Ok(None),
            _ => Err(Error::not_found(format!("the server has no mount `{}`, or not in this namespace", self.name))
                .with_status(404)),
        }
    }
}

/// What the server says with a 404; the words themselves are not looked at.
#[derive(Deserialize)]
struct NotFound<'a> {
    #[serde(borrow)]
    errors: Option<Vec<&'a serde_json::value::RawValue>>,
    #[serde(borrow)]
    data: Option<&'a serde_json::value::RawValue>,
}

/// The response where it is one of success.
///
/// # Errors
///
/// What the status stands for; Vault's own meanings are in its API docs, "HTTP status codes".
pub(crate) fn succeeded(response: Response) -> Result<Response, Error> {
    if response.status() == 412 {
        // A standby that hasn't caught up yet, not a compare that failed.
        let error = Error::new(ErrorKind::Unavailable, "the server's standby has not caught up yet");
        return Err(error.with_status(412));
    }
    response.success()
}

/// What `sys/internal/ui/mounts` answers.
#[derive(Deserialize)]
struct About {
    #[serde(rename = "type")]
    engine: String,
    path: String,
    options: Option<BTreeMap<String, String>>,
}

/// Asks the server which kind of mount this is.
///
/// # Errors
///
/// `invalid-request` where it is no KV mount or the name goes below one, and what the status stands for.
pub(crate) fn discovered(mount: &Mount) -> Result<Kv, Error> {
    let name = &mount.name;
    let response = http::get(mount.about()).send()?;
    if matches!(response.status(), 403 | 404) {
        // One answer for two causes: the server doesn't tell a token about what it can't use.
        let words = format!("the server has no mount `{name}` in this namespace, or the token has no right below it");
        return Err(response.error().with_message(words));
    }
    let response = succeeded(response)?;
    let about: About = content(&response, &format!("the description of the mount `{name}`"))?;
    // `generic` is what KV version 1 was called before Vault 0.10.
    if about.engine != "kv" && about.engine != "generic" {
        return Err(Error::invalid_request(format!("the mount `{name}` is no KV secrets engine")));
    }
    // The endpoint also answers for each path below a mount.
    if about.path.trim_end_matches('/') != name {
        return Err(Error::invalid_request(format!(
            "`{name}` is below a mount and not one itself: shorten the setting `mount`"
        )));
    }
    let options = about.options.unwrap_or_default();
    match options.get("version").map(String::as_str) {
        None | Some("" | "1") => Ok(Kv::One),
        Some("2") => Ok(Kv::Two),
        Some(_) => Err(Error::unsupported(format!("the mount `{name}` is of a KV version other than 1 and 2"))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use forge_sdk::{SecretProvider, fake};

    use super::*;
    use crate::Vault;

    const ABOUT: &str = "http://127.0.0.1:8200/v1/sys/internal/ui/mounts/team/kv";

    fn host() -> fake::Host {
        fake::Host::new().setting("address", "http://127.0.0.1:8200").setting("mount", "team/kv")
    }

    fn checked(status: u16, body: &str) -> Result<String, Error> {
        host().answer("GET", ABOUT, status, body).install();
        let found = Vault::check()?;
        assert_eq!(fake::requests().len(), 1);
        let [(name, version)] = found.as_slice() else { unreachable!("one setting is discovered") };
        assert_eq!(name, "kv-version");
        Ok(version.clone())
    }

    #[test]
    fn check_finds_which_version_a_mount_has() {
        let known = [
            (r#"{"data":{"type":"kv","path":"team/kv/","options":{"version":"2"}}}"#, "2"),
            (r#"{"data":{"type":"kv","path":"team/kv/","options":{"version":"1"}}}"#, "1"),
            (r#"{"data":{"type":"kv","path":"team/kv/","options":null}}"#, "1"),
            (r#"{"data":{"type":"kv","path":"team/kv/","options":{}}}"#, "1"),
            (r#"{"data":{"type":"generic","path":"team/kv/"}}"#, "1"),
        ];
        for (body, version) in known {
            assert_eq!(checked(200, body).unwrap(), version, "{body}");
        }
    }

    #[test]
    fn check_refuses_what_is_no_kv_mount_by_its_name() {
        let wrong = [
            (200, r#"{"data":{"type":"pki","path":"team/kv/"}}"#, ErrorKind::InvalidRequest),
            (200, r#"{"data":{"type":"kv","path":"team/","options":{"version":"2"}}}"#, ErrorKind::InvalidRequest),
            (200, r#"{"data":{"type":"kv","path":"team/kv/","options":{"version":"3"}}}"#, ErrorKind::Unsupported),
            (200, "<html>", ErrorKind::Upstream),
            (403, r#"{"errors":["no"]}"#, ErrorKind::AccessDenied),
            (404, r#"{"errors":["no"]}"#, ErrorKind::NotFound),
        ];
        for (status, body, kind) in wrong {
            let error = checked(status, body).unwrap_err();
            assert_eq!(error.kind(), kind, "{body}");
            assert!(error.message().contains("`team/kv`"), "{}", error.message());
        }
    }

    #[test]
    fn a_server_that_is_sealed_or_busy_is_told_by_its_kind() {
        for (status, kind) in [
            (401, ErrorKind::Unauthenticated),
            (429, ErrorKind::RateLimited),
            (500, ErrorKind::Upstream),
            (503, ErrorKind::Unavailable),
            (412, ErrorKind::Unavailable),
            (307, ErrorKind::Upstream),
        ] {
            assert_eq!(checked(status, "hunter2").unwrap_err().kind(), kind, "{status}");
        }
    }

    #[test]
    fn a_kind_that_is_not_known_yet_is_refused_before_any_request() {
        host().install();
        assert!(Vault::get("a", None).unwrap_err().message().contains("`kv-version`"));
        host().setting("kv-version", "3").install();
        assert!(Vault::get("a", None).unwrap_err().message().contains("`kv-version`"));
        assert_eq!(fake::requests().len(), 0);
    }

    #[test]
    fn a_404_is_absence_only_where_a_vault_server_says_so() {
        let url = "http://127.0.0.1:8200/v1/team/kv/a";
        let answered = |body: &str| {
            host().setting("kv-version", "1").answer("GET", url, 404, body).install();
            Vault::get("a", None)
        };
        assert_eq!(answered(r#"{"errors":[]}"#).unwrap(), None);
        assert_eq!(answered("<html>not here</html>").unwrap_err().kind(), ErrorKind::Upstream);
        assert_eq!(answered("{}").unwrap_err().kind(), ErrorKind::NotFound);
        let error = answered(r#"{"errors":["no handler for route"]}"#).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("`team/kv`"));
    }
}
