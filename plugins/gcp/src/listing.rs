//! What is known of a secret, and listings ("Secret Manager API, projects.secrets.get" and "projects.secrets.list").

use forge_sdk::{Attributes, Entry, Error, ErrorKind, Page, http, log, time, url};
use serde::Deserialize;

use crate::call::{found, send, told};
use crate::history::Version;
use crate::name;
use crate::tags::{self, Tags};

/// The most names of one answer ("projects.secrets.list", parameter `pageSize`).
const PAGE: u32 = 250;

/// A secret as the service describes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described {
    name: String,
    create_time: Option<String>,
    pub(crate) etag: Option<String>,
    expire_time: Option<String>,
    #[serde(default)]
    replication: Replication,
    #[serde(flatten)]
    pub(crate) tags: Tags,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Replication {
    user_managed: Option<UserManaged>,
}

#[derive(Deserialize)]
struct UserManaged {
    #[serde(default)]
    replicas: Vec<Replica>,
}

#[derive(Deserialize)]
struct Replica {
    #[serde(default)]
    location: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    secrets: Vec<Described>,
    next_page_token: Option<String>,
}

impl Described {
    fn entry(self, field: &str) -> Entry {
        let mut attributes = Attributes::new();
        let created = self.create_time.filter(|text| time::parse_rfc3339(text).is_some());
        let expires = self.expire_time.filter(|text| time::parse_rfc3339(text).is_some());
        attributes.extend(created.map(|text| ("secret-created-at".to_owned(), text)));
        attributes.extend(expires.map(|text| ("secret-expires-at".to_owned(), text)));
        if let Some(managed) = self.replication.user_managed {
            let locations: Vec<String> = managed.replicas.into_iter().map(|replica| replica.location).collect();
            attributes.push(("replicas".to_owned(), locations.join(", ")));
        }
        let tags = self.tags.only(field).pairs();
        Entry { tags, attributes, ..Entry::new(name::last(&self.name)) }
    }
}

/// The secret as the service describes it; `None` where there is none.
///
/// # Errors
///
/// What the service said.
pub(crate) fn described(secret: &str) -> Result<Option<Described>, Error> {
    match found(send(http::get(name::below(&format!("secrets/{secret}"))?)))? {
        Some(response) => response.json("a secret").map(Some),
        None => Ok(None),
    }
}

/// What is known of the secret of this name and of its newest version.
///
/// # Errors
///
/// `invalid-request` for a name that can't be, and what the service said.
pub(crate) fn entry(path: &str) -> Result<Option<Entry>, Error> {
    let (secret, field) = (name::secret(path)?, tags::field()?);
    let ask = |rest: &str| Ok::<_, Error>(http::get(name::below(&format!("secrets/{secret}{rest}"))?));
    let mut answers = http::send_all(vec![ask("")?, ask("/versions/latest")?]).into_iter();
    let mut next = || answers.next().unwrap_or_else(|| Err(Error::internal("an answer is missing"))).and_then(told);
    let (secret, version) = (found(next())?, found(next()));
    let Some(secret) = secret else { return Ok(None) };
    let version = match version? {
        Some(response) => Some(response.json::<Version>("a version")?.told(true)),
        // A secret may be there before its first version.
        None => None,
    };
    Ok(Some(Entry { version, ..secret.json::<Described>("a secret")?.entry(field) }))
}

fn list(cursor: Option<&str>, limit: u32) -> Result<Listed, Error> {
    let size = limit.clamp(1, PAGE).to_string();
    let mut query = vec![("pageSize", size.as_str())];
    query.extend(cursor.map(|cursor| ("pageToken", cursor)));
    send(http::get(format!("{}?{}", name::below("secrets")?, url::query(&query))))?.json("a list of secrets")
}

/// Proves that settings and credential work. Who may not list is still known to the service, and may read.
///
/// # Errors
///
/// What is wrong with the settings or the credential.
pub(crate) fn check() -> Result<(), Error> {
    match list(None, 1) {
        Err(error) if error.kind() == ErrorKind::AccessDenied => {
            log::warn("the account may not list secrets, so this proves only that the service accepts its token");
            Ok(())
        }
        answer => answer.map(drop),
    }
}

/// One page of the secrets; there are no folders, so a prefix is the name of one secret.
///
/// # Errors
///
/// `invalid-request` for a cursor that is none of the service's, and what it said.
pub(crate) fn page(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    let field = tags::field()?;
    if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
        let one = if name::is_secret(prefix) { described(prefix)? } else { None };
        return Ok(Page { entries: one.into_iter().map(|one| one.entry(field)).collect(), next: None });
    }
    let listed = list(cursor, limit)?;
    let entries = listed.secrets.into_iter().map(|secret| secret.entry(field));
    let entries = entries.filter(|entry| name::is_secret(&entry.path)).collect();
    Ok(Page { entries, next: listed.next_page_token.filter(|next| !next.is_empty()) })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::fake;

    use super::*;
    use crate::call::tests::{URL, host, refused, sent};

    #[test]
    fn a_page_has_the_names_their_tags_and_the_services_cursor() {
        let body = r#"{"secrets":[{"name":"projects/1/secrets/a","labels":{"team":"x"},"annotations":{"n":"y"}},
            {"name":"projects/1/secrets/b","replication":{"userManaged":{"replicas":[{"location":"europe-west3"}]}}}],"nextPageToken":"more"}"#;
        host().answer("GET", &format!("{URL}?pageSize=250"), 200, body).install();
        let listed = page(None, None, 1000).unwrap();
        let names: Vec<&str> = listed.entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!((names, listed.next.as_deref()), (vec!["a", "b"], Some("more")));
        assert_eq!(listed.entries.first().unwrap().tags, [("team".to_owned(), "x".to_owned())]);
        let places = &listed.entries.last().unwrap().attributes;
        assert_eq!(places, &[("replicas".to_owned(), "europe-west3".to_owned())]);
        host().answer("GET", &format!("{URL}?pageSize=10&pageToken=a%2Fb"), 200, r#"{"nextPageToken":""}"#).install();
        assert_eq!(page(None, Some("a/b"), 10).unwrap(), Page::default());
    }

    #[test]
    fn a_prefix_is_one_name_and_what_can_be_none_is_not_asked_for() {
        host().answer("GET", &format!("{URL}/a"), 200, r#"{"name":"projects/1/secrets/a"}"#).install();
        assert_eq!(page(Some("a"), None, 10).unwrap().entries.len(), 1);
        host().answer("GET", &format!("{URL}/a"), 404, refused("NOT_FOUND")).install();
        assert_eq!(page(Some("a"), None, 10).unwrap(), Page::default());
        host().install();
        assert_eq!(page(Some("a/b"), None, 10).unwrap(), Page::default());
        assert!(fake::requests().is_empty());
    }

    #[test]
    fn a_secret_without_a_version_is_described_and_a_missing_one_is_none() {
        let (secret, version) = (format!("{URL}/a"), format!("{URL}/a/versions/latest"));
        let there = r#"{"name":"projects/1/secrets/a","createTime":"2026-01-02T03:04:05Z"}"#;
        let first =
            r#"{"name":"projects/1/secrets/a/versions/4","state":"DISABLED","createTime":"2026-01-02T03:04:05Z"}"#;
        host().answer("GET", &secret, 200, there).answer("GET", &version, 200, first).install();
        let found = entry("a").unwrap().unwrap();
        assert_eq!(found.version.unwrap().id, "4");
        assert_eq!(found.attributes, [("secret-created-at".to_owned(), "2026-01-02T03:04:05Z".to_owned())]);
        host().answer("GET", &secret, 200, there).answer("GET", &version, 404, refused("NOT_FOUND")).install();
        assert_eq!(entry("a").unwrap().unwrap().version, None);
        let missing = refused("NOT_FOUND");
        host().answer("GET", &secret, 404, &missing).answer("GET", &version, 404, &missing).install();
        assert_eq!(entry("a").unwrap(), None);
    }

    #[test]
    fn an_account_that_may_not_list_still_proves_that_it_is_known() {
        host().answer("GET", &format!("{URL}?pageSize=1"), 403, refused("PERMISSION_DENIED")).install();
        check().unwrap();
        assert_eq!((fake::lines().len(), sent().len()), (1, 1));
        host().answer("GET", &format!("{URL}?pageSize=1"), 401, refused("UNAUTHENTICATED")).install();
        assert_eq!(check().unwrap_err().kind(), ErrorKind::Unauthenticated);
    }
}
