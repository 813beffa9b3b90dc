//! Steps 2 and 3 of the ladder: what fits a route wholly, and the name of what does not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use forge_core::route::{Ability, QueryClass, QueryRule};

use super::*;
use crate::request::{Request, parse, tests::grant as plain_grant};

const ORIGIN: &str = "https://vault.example:8200";

fn route(methods: &[&str], path: &str) -> Route {
    Route {
        ability: Ability::Read,
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        origin: ORIGIN.to_owned(),
        path: path.parse().unwrap(),
        query: [("version".to_owned(), QueryRule::Class(QueryClass::Integer))].into(),
        headers: [("x-amz-target".to_owned(), vec!["one.Get".to_owned(), "one.List".to_owned()])].into(),
        body: None,
        response_max: 1024,
        idempotent: true,
        permission: None,
    }
}

fn grant(routes: &[Route]) -> Grant {
    Grant { routes: routes.to_vec(), ..plain_grant(&[]) }
}

fn ask(grant: &Grant, method: &str, url: &str, headers: &[(&str, &str)], colon: bool) -> Result<String, Denial> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request = Request { method: method.to_owned(), url: url.to_owned(), headers, body: Vec::new() };
    let parsed = parse(request, grant)?;
    find(grant, &[Ability::Read], &parsed, crate::header::is_own, colon).map(|route| route.path.to_string())
}

#[test]
fn a_route_counts_for_calls_of_its_ability_alone() {
    let write = Route { ability: Ability::Write, ..route(&["POST"], "/v1/a/**") };
    let grant = grant(&[route(&["GET"], "/v1/a/**"), write]);
    let request =
        Request { method: "POST".to_owned(), url: format!("{ORIGIN}/v1/a/b"), headers: Vec::new(), body: Vec::new() };
    let parsed = parse(request, &grant).unwrap();
    let found = |abilities: &[Ability]| find(&grant, abilities, &parsed, crate::header::is_own, false).map(|_| ());
    assert_eq!(found(&[Ability::Read, Ability::Write]), Ok(()));
    let denial = found(&[Ability::Read]).unwrap_err();
    assert!(matches!(denial, Denial::OtherAbility { .. }), "{denial:?}");
    assert_eq!(denial.to_string(), format!("`POST {ORIGIN}/v1/a/**` is granted for writing, and this call only reads"));
    assert!(found(&[Ability::Read, Ability::Remove]).unwrap_err().to_string().ends_with("only reads and removes"));
}

fn get(path: &str, pattern: &str) -> bool {
    ask(&grant(&[route(&["GET"], pattern)]), "GET", &format!("{ORIGIN}{path}"), &[], false).is_ok()
}

#[test]
fn paths_are_matched_by_segments() {
    for (path, pattern) in [
        ("/", "/"),
        ("/", "/**"),
        ("/v1/a", "/v1/a"),
        ("/v1/a", "/v1/*"),
        ("/v1/a/b", "/v1/**"),
        ("/v1", "/v1/**"),
        ("/v1/a/data/x/y", "/v1/a/data/**"),
        ("/v1/a%20b", "/v1/a b"),
        ("/p/x:access", "/p/*:access"),
        ("/p/x:y", "/p/*"),
    ] {
        assert!(get(path, pattern), "{path} should fit {pattern}");
    }
    for (path, pattern) in [
        ("/v1", "/"),
        ("/", "/v1"),
        ("/v1/apiary", "/v1/api"),
        ("/v1/api", "/v1/apiary"),
        ("/v1/a/b", "/v1/a"),
        ("/v1/a", "/v1/a/b"),
        ("/v1/a/b", "/v1/*"),
        ("/v1", "/v1/*"),
        ("/v1/secret2/data/x", "/v1/secret/data/**"),
        ("/V1/a", "/v1/a"),
        ("/p/x:destroy", "/p/*:access"),
        ("/p/:access", "/p/*:access"),
        ("/p/x:access2", "/p/*:access"),
        ("/p/a:x:access", "/p/*:access"),
        ("/p/x:accesss", "/p/*:access"),
    ] {
        assert!(!get(path, pattern), "{path} should not fit {pattern}");
    }
}

#[test]
fn where_a_colon_starts_an_action_a_bare_wildcard_does_not_match_it() {
    let ask = |path: &str, pattern: &str| {
        ask(&grant(&[route(&["GET"], pattern)]), "GET", &format!("{ORIGIN}{path}"), &[], true).is_ok()
    };
    assert!(!ask("/p/x:destroy", "/p/*") && !ask("/p/x:destroy", "/p/**") && !ask("/p/a/b/x:destroy", "/p/**"));
    assert!(ask("/p/x", "/p/*") && ask("/p/x:access", "/p/*:access"));
}

#[test]
fn another_origin_is_refused_however_near_its_name_is() {
    let grant = grant(&[route(&["GET"], "/**")]);
    for origin in [
        "https://vault.example",
        "https://vault.example:8201",
        "https://evil.example:8200",
        "https://vault.example.evil.net:8200",
        "https://xvault.example:8200",
        "https://sub.vault.example:8200",
    ] {
        assert!(
            matches!(ask(&grant, "GET", &format!("{origin}/v1"), &[], false), Err(Denial::NoRoute { .. })),
            "{origin}"
        );
    }
}

#[test]
fn another_method_is_refused() {
    let grant = grant(&[route(&["GET"], "/v1/**")]);
    for method in ["HEAD", "LIST", "POST", "PUT", "PATCH", "DELETE"] {
        assert!(
            matches!(ask(&grant, method, &format!("{ORIGIN}/v1/x"), &[], false), Err(Denial::NoRoute { .. })),
            "{method}"
        );
    }
}

#[test]
fn a_query_parameter_is_granted_by_name_and_value() {
    let grant = grant(&[route(&["GET"], "/v1/**")]);
    let ask = |query: &str| ask(&grant, "GET", &format!("{ORIGIN}/v1/x?{query}"), &[], false);
    assert!(ask("version=3").is_ok());
    for query in ["version=", "version=-1", "version=3x", "version=%2B3", "version", "version=99999999999999999999"] {
        assert!(matches!(ask(query), Err(Denial::QueryValue { .. })), "{query}");
    }
    for query in ["list=true", "X-Amz-Signature=abc", "Version=3", "version=3&key=abc"] {
        assert!(matches!(ask(query), Err(Denial::QueryName { .. })), "{query}");
    }
}

#[test]
fn a_header_is_granted_by_name_and_value() {
    let grant = grant(&[route(&["GET"], "/v1/**")]);
    let ask = |headers: &[(&str, &str)]| ask(&grant, "GET", &format!("{ORIGIN}/v1/x"), headers, false);
    assert!(ask(&[("Accept", "application/json"), ("content-type", "text/plain"), ("if-match", "\"1\"")]).is_ok());
    assert!(ask(&[("X-Amz-Target", "one.Get")]).is_ok());
    assert!(matches!(ask(&[("x-amz-target", "one.Put")]), Err(Denial::HeaderValue { .. })));
    assert!(matches!(ask(&[("accept", "a\r\nx-vault-token: t")]), Err(Denial::HeaderValue { .. })));
    assert!(matches!(ask(&[("accept", &"a".repeat(257))]), Err(Denial::HeaderValue { .. })));
    assert!(matches!(ask(&[("x-other", "1")]), Err(Denial::Header { .. })));
    assert!(matches!(ask(&[("accept", "a"), ("ACCEPT", "b")]), Err(Denial::HeaderRepeated(_))));
}

#[test]
fn a_header_of_the_hosts_own_is_refused_even_if_a_route_lists_it() {
    let mut listing = route(&["GET"], "/v1/**");
    listing.headers.insert("authorization".to_owned(), vec!["Bearer x".to_owned()]);
    let grant = grant(&[listing]);
    for name in [
        "authorization",
        "Authorization",
        "X-HTTP-Method-Override",
        "host",
        "cookie",
        "x-vault-wrap-ttl",
        "x-forwarded-for",
    ] {
        let outcome = ask(&grant, "GET", &format!("{ORIGIN}/v1/x"), &[(name, "Bearer x")], false);
        assert_eq!(outcome, Err(Denial::Identity(name.to_ascii_lowercase())), "{name}");
    }
}

#[test]
fn some_route_has_to_fit_wholly_and_not_two_in_part() {
    let mut by_query = route(&["GET"], "/v1/**");
    by_query.headers.clear();
    let mut by_header = route(&["GET"], "/v1/**");
    by_header.query.clear();
    let grant = grant(&[by_query, by_header]);
    let both = ask(&grant, "GET", &format!("{ORIGIN}/v1/x?version=1"), &[("x-amz-target", "one.Get")], false);
    assert!(both.is_err());
}

#[test]
fn a_denial_names_what_was_asked_and_hides_what_could_be_a_value() {
    let grant = grant(&[route(&["GET"], "/v1/secret/data/**")]);
    let denial = ask(&grant, "POST", &format!("{ORIGIN}/v1/secret/hunter2/data"), &[], false).unwrap_err();
    assert_eq!(denial.to_string(), format!("`POST {ORIGIN}/v1/secret/*/data` is not granted"));
    let hint = denial.hint(&grant).unwrap();
    assert!(hint.contains("ability = \"write\"") && hint.contains("methods = [\"POST\"]"), "{hint}");
    assert!(hint.contains(&format!("url = \"{ORIGIN}/v1/secret/*/data\"")), "{hint}");
    let elsewhere = ask(&grant, "GET", "https://hunter2.exfil.evil.net/v1", &[], false).unwrap_err().to_string();
    assert_eq!(elsewhere, "`GET https://*.evil.net/v1` is not granted");
    let value = ask(&grant, "GET", &format!("{ORIGIN}/v1/secret/data/x?version=hunter2"), &[], false).unwrap_err();
    assert!(!value.to_string().contains("hunter2") && value.to_string().contains("`version`"), "{value}");
}

#[test]
fn a_change_through_a_read_only_grant_is_explained_as_such() {
    let grant = Grant { read_only: true, ..grant(&[route(&["GET"], "/v1/**")]) };
    let denial = ask(&grant, "PUT", &format!("{ORIGIN}/v1/x"), &[], false).unwrap_err();
    assert!(denial.hint(&grant).unwrap().contains("--read-only"));
}
