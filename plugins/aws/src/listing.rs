//! Listing names ("AWS Secrets Manager API Reference, ListSecrets"), which also is the cheapest way to ask for anything.

use forge_sdk::http::Response;
use forge_sdk::{Error, ErrorKind, Page, log, settings};
use serde::{Deserialize, Serialize};

use crate::bounds::Bounds;
use crate::call::ask;
use crate::describe::Described;

/// The most names of one page ("ListSecrets", parameter `MaxResults`).
const PAGE: u32 = 100;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct List<'a> {
    max_results: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filters: Option<[Filter<'a>; 1]>,
}

/// `name` is a beginning, letter by letter ("AWS Secrets Manager API Reference, Filter").
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Filter<'a> {
    key: &'static str,
    values: [&'a str; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    secret_list: Vec<Described>,
    next_token: Option<String>,
}

fn send(beginning: &str, cursor: Option<&str>, limit: u32) -> Result<Response, Error> {
    // "AWS Secrets Manager API Reference, Filter", `Values`: a `!` before a value leaves out what it matches, which would
    // be everything that is not granted.
    if beginning.starts_with('!') {
        return Err(Error::invalid_request("no name begins with `!`, which means \"not\" to the service"));
    }
    let filters = (!beginning.is_empty()).then_some([Filter { key: "name", values: [beginning] }]);
    ask("ListSecrets", &List { max_results: limit.clamp(1, PAGE), next_token: cursor, filters })
}

/// Proves that settings and key work. A key that may not list is one that the service knows, and may still read.
///
/// # Errors
///
/// What is wrong with the settings or the key.
pub(crate) fn check() -> Result<(), Error> {
    match send(&settings::get("prefix").unwrap_or_default(), None, 1) {
        Err(error) if error.kind() == ErrorKind::AccessDenied => {
            log::warn("the key may not list secrets, so this proves only that the service accepts it");
            Ok(())
        }
        answer => answer.map(drop),
    }
}

/// One page of the secrets at or below a prefix of whole segments; those that are scheduled for deletion are left out.
///
/// # Errors
///
/// `invalid-request` for a cursor that is none of the service's, and what it said.
pub(crate) fn page(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    let bounds = Bounds::of(prefix);
    let Some(beginning) = bounds.beginning("/_+=.@-!") else { return Ok(Page::default()) };
    let listed: Listed = send(beginning, cursor, limit)?.json("a list of secrets")?;
    let named = |mut secret: Described| secret.name.take().map(|name| (name, secret));
    let entries = listed.secret_list.into_iter().filter_map(named).filter(|(name, _)| bounds.hold(name));
    let entries = entries.map(|(name, secret)| secret.entry(name)).collect();
    Ok(Page { entries, next: listed.next_token.filter(|next| !next.is_empty()) })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::call::tests::{URL, actions, answering, asked, host};

    fn names(page: &Page) -> Vec<&str> {
        page.entries.iter().map(|entry| entry.path.as_str()).collect()
    }

    fn listed(names: &[&str]) -> String {
        let list: Vec<_> = names.iter().map(|name| json!({ "Name": name })).collect();
        json!({ "SecretList": list }).to_string()
    }

    #[test]
    fn a_page_has_the_names_of_whole_segments_and_the_services_cursor() {
        let body = r#"{"SecretList":[{"Name":"app"},{"Name":"app/db","Tags":[{"Key":"a","Value":"b"}],
            "SecretVersionsToStages":{"v":["AWSCURRENT"]}},{"Name":"apple"}],"NextToken":"more"}"#;
        answering(&[(200, body)]).install();
        let listed = page(Some("app"), Some("there"), 1000).unwrap();
        assert_eq!(names(&listed), ["app", "app/db"]);
        assert_eq!(listed.next.as_deref(), Some("more"));
        assert_eq!(listed.entries.last().unwrap().version.as_ref().unwrap().id, "v");
        let filter = json!([{ "Key": "name", "Values": ["app"] }]);
        let expected = json!({ "MaxResults": 100, "NextToken": "there", "Filters": filter });
        assert_eq!(asked(), [("ListSecrets".to_owned(), expected)]);
        answering(&[(200, r#"{"SecretList":[],"NextToken":""}"#)]).install();
        assert_eq!(page(None, None, 10).unwrap().next, None);
        assert_eq!(asked().first().unwrap().1, json!({ "MaxResults": 10 }));
    }

    #[test]
    fn a_granted_prefix_bounds_what_is_asked_for() {
        let granted = |prefix: Option<&str>| {
            let host = host().setting("prefix", "team/app-");
            host.answer("POST", URL, 200, listed(&["team/app-a/db", "team/app-b", "team/other"])).install();
            let listed = page(prefix, None, 10).unwrap();
            let filter = asked().first().map(|(_, body)| body["Filters"][0]["Values"][0].as_str().unwrap().to_owned());
            (names(&listed).join(" "), filter)
        };
        let all = "team/app-a/db team/app-b".to_owned();
        let bounded = Some("team/app-".to_owned());
        assert_eq!(granted(None), (all.clone(), bounded.clone()));
        assert_eq!(granted(Some("team")), (all, bounded));
        assert_eq!(granted(Some("team/app-a")), ("team/app-a/db".to_owned(), Some("team/app-a".to_owned())));
        for nothing in ["other", "team/app-\u{e9}"] {
            assert_eq!(granted(Some(nothing)), (String::new(), None));
        }
    }

    #[test]
    fn what_other_services_made_is_listed_and_a_mark_that_means_not_is_never_sent() {
        answering(&[(200, &listed(&["rds!db-1", "rds"]))]).install();
        assert_eq!(names(&page(Some("rds!db-1"), None, 10).unwrap()), ["rds!db-1"]);
        assert_eq!(asked()[0].1["Filters"][0]["Values"], json!(["rds!db-1"]));
        // `!app` would list everything that does not begin with `app`.
        answering(&[(200, &listed(&["other"]))]).install();
        assert_eq!(page(Some("!app"), None, 10).unwrap_err().kind(), ErrorKind::InvalidRequest);
        answering(&[(200, &listed(&["other"]))]).setting("prefix", "!app").install();
        assert_eq!(page(None, None, 10).unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert_eq!(check().unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert_eq!(actions(), [""; 0]);
    }

    #[test]
    fn a_key_that_may_not_list_still_proves_that_it_is_known() {
        answering(&[(400, "AccessDeniedException")]).install();
        check().unwrap();
        assert_eq!(forge_sdk::fake::lines().len(), 1);
        answering(&[(400, "UnrecognizedClientException")]).install();
        assert_eq!(check().unwrap_err().kind(), ErrorKind::Unauthenticated);
        assert_eq!(actions(), ["ListSecrets"]);
    }
}
