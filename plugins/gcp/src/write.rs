//! Writing: a version is added, to a secret that is made where there is none ("Secret Manager API,
//! projects.secrets.addVersion", "projects.secrets.create" and "projects.secrets.patch").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_sdk::{Error, PutOptions, SecretVersion, http, settings, url};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::call::{found, send};
use crate::listing::described;
use crate::tags::{self, Tags};
use crate::{crc32c, name};

/// The longest value in bytes ("Secret Manager docs, Quotas").
const LONGEST: usize = 65_536;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    name: String,
    /// Whether the service got a checksum and compared it.
    #[serde(default)]
    client_specified_payload_checksum: bool,
}

#[derive(Serialize)]
struct Create<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    replication: Option<Json>,
    #[serde(flatten)]
    tags: &'a Tags,
}

#[derive(Serialize)]
struct Update {
    etag: String,
    #[serde(flatten)]
    tags: Tags,
}

/// Writes a value as a new version.
///
/// # Errors
///
/// `unsupported` for an option that the service can't express, `too-large`, `invalid-request` for an empty value or what
/// else can't be, and what the service said.
pub(crate) fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
    // An etag guards labels and states, and a version is added whatever the newest one is: nothing compares there.
    options.only(&["tags"])?;
    let secret = name::secret(path)?;
    if value.is_empty() {
        return Err(Error::invalid_request("a value has at least one byte"));
    }
    if value.len() > LONGEST {
        return Err(Error::too_large("a value has at most 65,536 bytes"));
    }
    let tags = tags::of(&options.tags)?;
    // Before the value, so that one which is refused writes nothing.
    let is_there = tags.is_empty() || tag(secret, &tags)?;
    if is_there && let Some(version) = add(secret, value)? {
        return Ok(version);
    }
    let deleted = || Error::not_found("the secret was deleted while it was written");
    // Who made it a moment ago knows nothing of these tags.
    if !create(secret, &tags)? && !tags.is_empty() && !tag(secret, &tags)? {
        return Err(deleted());
    }
    add(secret, value)?.ok_or_else(deleted)
}

/// Adds a version; `None` where there is no such secret.
///
/// # Errors
///
/// `upstream` where the service does not say that it compared the checksum, and what it said.
pub(crate) fn add(secret: &str, value: &[u8]) -> Result<Option<SecretVersion>, Error> {
    let checksum = crc32c::of(value).to_string();
    let body = json!({ "payload": { "data": STANDARD.encode(value), "dataCrc32c": checksum } });
    let request = http::post_json(name::below(&format!("secrets/{secret}:addVersion"))?, &body);
    let Some(response) = found(send(request))? else { return Ok(None) };
    let added: Added = response.json("a new version")?;
    if !added.client_specified_payload_checksum {
        return Err(Error::upstream(
            "the service does not say that it got the value whole; look at the newest version",
        ));
    }
    Ok(Some(SecretVersion::new(name::last(&added.name), true)))
}

/// Makes a secret without a version; `false` where somebody else made one a moment ago, with tags of their own.
fn create(secret: &str, tags: &Tags) -> Result<bool, Error> {
    let url = format!("{}?{}", name::below("secrets")?, url::query(&[("secretId", secret)]));
    match send(http::post_json(url, &Create { replication: replication()?, tags })) {
        Err(error) if error.code() == Some("ALREADY_EXISTS") => Ok(false),
        answer => answer.map(|_| true),
    }
}

/// Where the copies of a new secret lie; a regional one has none.
fn replication() -> Result<Option<Json>, Error> {
    let locations = settings::get("replicas").unwrap_or_default();
    let is_regional = settings::get("location").is_some_and(|location| !location.is_empty());
    if locations.is_empty() {
        return Ok((!is_regional).then(|| json!({ "automatic": {} })));
    }
    if is_regional {
        return Err(Error::invalid_request("a regional secret has no `replicas`"));
    }
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let locations: Vec<&str> = locations.split(',').map(str::trim).collect();
    if !locations.iter().all(|location| plain(location)) {
        return Err(Error::invalid_request("the setting `replicas` has locations with a comma between two"));
    }
    let replicas: Vec<Json> = locations.iter().map(|location| json!({ "location": location })).collect();
    Ok(Some(json!({ "userManaged": { "replicas": replicas } })))
}

/// Adds tags to those that are there and removes none; `false` where there is no such secret.
fn tag(secret: &str, newer: &Tags) -> Result<bool, Error> {
    let field = tags::field()?;
    let Some(known) = described(secret)? else { return Ok(false) };
    let etag = known.etag.ok_or_else(|| Error::upstream("a secret has no etag"))?;
    let before = known.tags.only(field);
    let tags = before.clone().merged(newer.clone());
    if tags == before {
        return Ok(true);
    }
    let url = format!("{}?{}", name::below(&format!("secrets/{secret}"))?, url::query(&[("updateMask", field)]));
    Ok(found(send(http::Request::new("PATCH", url).json(&Update { etag, tags })))?.is_some())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;
    use crate::call::tests::{URL, host, refused, sent};

    const ADDED: &str = r#"{"name":"projects/1/secrets/a/versions/2","clientSpecifiedPayloadChecksum":true}"#;

    fn add_url() -> String {
        format!("{URL}/a:addVersion")
    }

    fn tagged() -> PutOptions {
        PutOptions { tags: vec![("team".to_owned(), "x".to_owned())], ..PutOptions::default() }
    }

    #[test]
    fn a_write_to_a_secret_that_is_there_is_one_request_with_its_checksum() {
        host().answer("POST", &add_url(), 200, ADDED).install();
        assert_eq!(put("a", b"123456789", &PutOptions::default()).unwrap(), SecretVersion::new("2", true));
        let payload = json!({ "payload": { "data": "MTIzNDU2Nzg5", "dataCrc32c": "3808858755" } });
        assert_eq!(sent(), [("POST".to_owned(), "/a:addVersion".to_owned(), payload)]);
    }

    #[test]
    fn a_write_of_which_nobody_says_that_it_came_whole_is_none() {
        for body in
            [r#"{"name":"projects/1/secrets/a/versions/2"}"#, r#"{"name":"x","clientSpecifiedPayloadChecksum":false}"#]
        {
            host().answer("POST", &add_url(), 200, body).install();
            assert_eq!(put("a", b"x", &PutOptions::default()).unwrap_err().kind(), ErrorKind::Upstream);
        }
    }

    #[test]
    fn a_missing_secret_is_made_with_its_tags_and_the_replication_of_the_settings() {
        let create = format!("{URL}?secretId=a");
        let prepared = || {
            let host = host().answer("GET", &format!("{URL}/a"), 404, refused("NOT_FOUND"));
            host.answer("POST", &create, 200, "{}").answer("POST", &add_url(), 200, ADDED)
        };
        prepared().install();
        put("a", b"x", &tagged()).unwrap();
        assert_eq!(sent()[1].2, json!({ "replication": { "automatic": {} }, "labels": { "team": "x" } }));
        prepared().setting("replicas", "europe-west3, europe-west4").install();
        put("a", b"x", &tagged()).unwrap();
        let replicas = json!([{ "location": "europe-west3" }, { "location": "europe-west4" }]);
        assert_eq!(sent()[1].2["replication"], json!({ "userManaged": { "replicas": replicas } }));
        let regional = "https://s.example/v1/projects/p/locations/europe-west3/secrets";
        let prepared = || {
            let host =
                host().setting("location", "europe-west3").setting("parent", "projects/p/locations/europe-west3");
            let host = host.answer("GET", &format!("{regional}/a"), 404, refused("NOT_FOUND"));
            let host = host.answer("POST", &format!("{regional}?secretId=a"), 200, "{}");
            host.answer("POST", &format!("{regional}/a:addVersion"), 200, ADDED)
        };
        prepared().install();
        put("a", b"x", &tagged()).unwrap();
        let made: Json = serde_json::from_slice(forge_sdk::fake::requests()[1].body_bytes()).unwrap();
        assert_eq!(made, json!({ "labels": { "team": "x" } }));
        prepared().setting("replicas", "europe-west4").install();
        assert_eq!(put("a", b"x", &tagged()).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }

    #[test]
    fn a_secret_that_somebody_else_makes_meanwhile_gets_the_tags_before_the_value() {
        let known = r#"{"name":"projects/1/secrets/a","etag":"e","labels":{"old":"y"}}"#;
        let create = format!("{URL}?secretId=a");
        let raced = |code: &str| {
            let host = host().answer("GET", &format!("{URL}/a"), 404, refused("NOT_FOUND"));
            let host = host.answer("POST", &create, 409, refused(code)).answer("GET", &format!("{URL}/a"), 200, known);
            let patch = format!("{URL}/a?updateMask=labels");
            host.answer("PATCH", &patch, 200, "{}").answer("POST", &add_url(), 200, ADDED).install();
            put("a", b"x", &tagged())
        };
        raced("ALREADY_EXISTS").unwrap();
        let methods: Vec<_> = sent().into_iter().map(|(method, rest, _)| format!("{method} {rest}")).collect();
        let expected = ["GET /a", "POST ?secretId=a", "GET /a", "PATCH /a?updateMask=labels", "POST /a:addVersion"];
        assert_eq!(methods, expected);
        assert_eq!(sent()[3].2["labels"], json!({ "old": "y", "team": "x" }));
        // Another conflict does not say that there is a secret.
        assert_eq!(raced("ABORTED").unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(sent().len(), 2);
    }

    #[test]
    fn tags_are_added_to_those_that_are_there_of_the_state_that_was_read() {
        let known = r#"{"name":"projects/1/secrets/a","etag":"\"e\"","labels":{"old":"y"},"annotations":{"n":"z"}}"#;
        let patch = format!("{URL}/a?updateMask=labels");
        let host_of = |status, body: &str| {
            let host = host().answer("GET", &format!("{URL}/a"), 200, known).answer("PATCH", &patch, status, body);
            host.answer("POST", &add_url(), 200, ADDED)
        };
        host_of(200, "{}").install();
        put("a", b"x", &tagged()).unwrap();
        assert_eq!(sent()[1].2, json!({ "etag": "\"e\"", "labels": { "old": "y", "team": "x" } }));
        host_of(409, &refused("ABORTED")).install();
        assert_eq!(put("a", b"x", &tagged()).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(sent().len(), 2, "the value is not written where its tags were refused");
    }

    #[test]
    fn what_can_not_be_written_is_refused_by_its_name_before_anything_is_sent() {
        host().install();
        let refusal = |value: &[u8], options: &PutOptions| put("a", value, options).unwrap_err().kind();
        assert_eq!(refusal(b"", &PutOptions::default()), ErrorKind::InvalidRequest);
        assert_eq!(refusal(&[0; LONGEST + 1], &PutOptions::default()), ErrorKind::TooLarge);
        let compared = PutOptions { expected_version: Some("1".to_owned()), ..PutOptions::default() };
        assert_eq!(refusal(b"x", &compared), ErrorKind::Unsupported);
        assert!(sent().is_empty());
    }
}
