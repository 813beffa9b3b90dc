//! What no manifest and no grant may ask for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use forge_core::grant::CredentialGrant;

use super::*;
use crate::request::tests::grant as plain_grant;

fn manifest(kind: &str, route: &str) -> Result<(), Error> {
    let text = format!(
        r#"
id = "x"
title = "x"
version = "1"
[credential]
kind = "{kind}"
[[setting]]
name = "address"
kind = "origin"
required = true
[[setting]]
name = "mount"
kind = "path"
default = "secret"
[[setting]]
name = "region"
kind = "dns-label"
[[route]]
ability = "read"
methods = ["GET"]
{route}
"#
    );
    check_manifest(&Manifest::parse(text.as_bytes()).unwrap())
}

#[test]
fn a_manifest_with_ordinary_routes_passes() {
    for route in [
        r#"url = "{address}/v1/{mount}/data/**""#,
        r#"url = "https://kv.{region}.example.com/v1/{mount}/**""#,
        "url = \"{address}/v1/{mount}/metadata/**\"\nwhen = { mount = \"x\" }",
        "url = \"{address}/v1/{mount}\"\nheaders = { x-amz-target = [\"a.B\"] }\nquery = { version = \"integer\" }",
    ] {
        manifest("vault-token", route).unwrap();
    }
}

#[test]
fn an_unknown_kind_of_credential_is_refused_with_the_kinds_there_are() {
    let error = manifest("vault", r#"url = "{address}/v1/x/**""#).unwrap_err();
    assert!(matches!(error, Error::UnknownKind(_)));
    assert!(error.hint().unwrap().contains("`vault-token`"));
}

#[test]
fn a_route_that_names_a_header_of_the_hosts_own_is_refused() {
    for name in [
        "authorization",
        "cookie",
        "host",
        "x-amz-security-token",
        "x-vault-token",
        "x-vault-namespace",
        "x-http-method-override",
        "accept-encoding",
    ] {
        let error =
            manifest("none", &format!("url = \"{{address}}/v1/x\"\nheaders = {{ {name} = [\"v\"] }}")).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_route_that_names_a_parameter_of_a_presigned_or_keyed_url_is_refused() {
    for name in ["X-Amz-Signature", "x-amz-security-token", "X-Goog-Signature", "key", "access_token", "sig", "_method"]
    {
        let error =
            manifest("none", &format!("url = \"{{address}}/v1/x\"\nquery = {{ {name} = \"any\" }}")).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    manifest(
        "none",
        "url = \"{address}/v1/x\"\nquery = { maxresults = \"integer\", pageToken = \"any\", keys = \"any\" }",
    )
    .unwrap();
}

#[test]
fn a_route_that_its_credentials_kind_forbids_is_refused_even_under_a_condition() {
    for url in [
        "{address}/v1/auth/token/create",
        "{address}/v1/sys/**",
        "{address}/v1/{mount}/sys/policy",
        "{address}/v1/*/data/**",
        "{address}/**",
    ] {
        for route in [format!("url = \"{url}\""), format!("url = \"{url}\"\nwhen = {{ region = \"x\" }}")] {
            assert!(matches!(manifest("vault-token", &route), Err(Error::Route { .. })), "{route}");
        }
        assert!(manifest("none", &format!("url = \"{url}\"")).is_ok(), "{url} is Vault's own only with Vault's token");
    }
}

fn vault_grant(path: &str, audience: &[&str]) -> Grant {
    let mut grant = plain_grant(&["https://vault.example"]);
    grant.routes.iter_mut().for_each(|route| route.path = path.parse().unwrap());
    grant.credential = Some(CredentialGrant {
        kind: "vault-token".to_owned(),
        parameters: [("token".to_owned(), "env:T".to_owned())].into(),
        audience: audience.iter().map(|origin| (*origin).to_owned()).collect(),
        identity: None,
    });
    grant
}

#[test]
fn a_setting_that_leads_into_vaults_own_mounts_is_refused_in_the_grant() {
    check_grant(&vault_grant("/v1/secret/data/**", &["https://vault.example"])).unwrap();
    for path in ["/v1/sys/data/**", "/v1/auth/token/**", "/v1/team/auth/data/**"] {
        assert!(
            matches!(check_grant(&vault_grant(path, &["https://vault.example"])), Err(Error::Route { .. })),
            "{path}"
        );
    }
}

#[test]
fn a_route_outside_the_credentials_audience_is_refused() {
    for audience in [&[][..], &["https://other.example"], &["https://vault.example:8200"], &["http://vault.example"]] {
        assert!(matches!(check_grant(&vault_grant("/v1/s/**", audience)), Err(Error::Audience { .. })), "{audience:?}");
    }
}

#[test]
fn a_credential_with_malformed_parameters_is_refused() {
    for (name, value) in [("token", "hvs.secret"), ("tokn", "env:T"), ("method", "approle")] {
        let mut grant = vault_grant("/v1/s/**", &["https://vault.example"]);
        let parameters = [(name.to_owned(), value.to_owned())].into();
        grant.credential.as_mut().unwrap().parameters = parameters;
        let error = check_grant(&grant).unwrap_err();
        assert!(!error.to_string().contains("hvs.secret"), "{error}");
    }
}

#[test]
fn a_route_that_lists_the_header_credentials_own_header_is_refused() {
    let mut grant = plain_grant(&["https://api.example"]);
    grant.credential = Some(CredentialGrant {
        kind: "header".to_owned(),
        parameters: [("name", "x-team-key"), ("value", "env:K")].map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
        audience: vec!["https://api.example".to_owned()],
        identity: None,
    });
    check_grant(&grant).unwrap();
    grant.routes.iter_mut().for_each(|route| {
        route.headers.insert("x-team-key".to_owned(), vec!["v".to_owned()]);
    });
    assert!(matches!(check_grant(&grant), Err(Error::Route { .. })));
}

/// A kind whose audience serves all tenants at one URL.
fn shared() -> CredentialKind {
    let endpoint = credential::SharedEndpoint { action: "x-target", targets: &["Id", "Ids"] };
    CredentialKind { name: "shared", shares_endpoints: Some(endpoint), ..credential::none::KIND }
}

fn shared_route(headers: &str, body: &str) -> Route {
    let mut route = plain_grant(&["https://all.example"]).routes.remove(0);
    route.headers = serde_json::from_str(headers).unwrap();
    route.body = serde_json::from_str(body).unwrap();
    route
}

const PINNED: &str = r#"{"x-target":["Put"]}"#;

#[test]
fn a_route_at_an_endpoint_that_all_tenants_share_pins_its_action_and_lists_its_body() {
    let bound = r#"{"Id":{"name":["app/**"],"required":true}}"#;
    check_route(&shared_route(PINNED, bound), &shared(), &Parameters::new(), Seen::Manifest).unwrap();
    for (headers, body) in [
        ("{}", "null"),
        (PINNED, "null"),
        ("{}", bound),
        (r#"{"accept":["application/json"]}"#, bound),
        (r#"{"x-target":[]}"#, bound),
    ] {
        let route = shared_route(headers, body);
        for seen in [Seen::Manifest, Seen::Grant] {
            let error = check_route(&route, &shared(), &Parameters::new(), seen).unwrap_err().to_string();
            assert!(error.contains("all tenants share"), "{error}");
            check_route(&route, &credential::none::KIND, &Parameters::new(), seen).unwrap();
        }
    }
}

#[test]
fn a_body_that_binds_no_target_at_an_endpoint_that_all_tenants_share_is_refused() {
    let check = |body, seen| check_route(&shared_route(PINNED, body), &shared(), &Parameters::new(), seen);
    for body in [
        r#"{"Id":{"name":["app/**"],"arn":["arn:p:s:r:1:secret:app/**"],"required":true},"Value":"any"}"#,
        r#"{"Id":{"arn":["arn:p:s:r:1:secret:app/**"],"required":true}}"#,
        r#"{"Id":{"is":["one"],"required":true}}"#,
        r#"{"Ids[]":{"name":["app/**"],"required":true}}"#,
        r#"{"Id":{"name":["app/**"],"required":true},"Tags[].Key":"any"}"#,
    ] {
        for seen in [Seen::Manifest, Seen::Unset, Seen::Grant] {
            check(body, seen).unwrap();
        }
    }
    for body in [
        "{}",
        r#"{"*":"json"}"#,
        r#"{"*":"any"}"#,
        r#"{"Id":"any"}"#,
        r#"{"Id":"any","Stage":["one"]}"#,
        r#"{"Stage":{"is":["one"],"required":true}}"#,
        r#"{"Id":{"name":["app/**"],"required":true},"Ids[]":"any"}"#,
        r#"{"Id":{"name":["app/**"],"required":true},"Ids":"json"}"#,
        r#"{"Id":{"name":["app/**"],"required":true},"Filters":"json"}"#,
        r#"{"Id":{"name":["app/**"],"required":true},"Filters[].*":"any"}"#,
        r#"{"Id":{"name":["app/**"],"required":true},"Replicas[].Id":"any"}"#,
        r#"{"Id":{"is":"any","required":true},"Value":"json"}"#,
        r#"{"*":"any","Id":{"name":["app/**"],"required":true}}"#,
        r#"{"*":{"name":["app/**"]}}"#,
        r#"{"*.Id":{"name":["app/**"]}}"#,
    ] {
        for seen in [Seen::Manifest, Seen::Unset, Seen::Grant] {
            assert!(check(body, seen).is_err(), "{body}");
        }
    }
    // Open in a manifest whatever the settings are; in a grant because a person left the prefix out.
    for body in [
        r#"{"Id":{"name":["**"],"required":true}}"#,
        r#"{"Id":{"name":["/**"],"required":true}}"#,
        r#"{"Id":{"name":["app/**","**"],"required":true}}"#,
        r#"{"Id":{"arn":["arn:p:s:r:1:secret:**"],"required":true}}"#,
        r#"{"Id":{"arn":["arn:p:s:r:1:parameter/**"],"required":true}}"#,
        r#"{"Id":{"name":["app/**"],"arn":["arn:p:s:r:*:secret:app/**"],"required":true}}"#,
    ] {
        assert!(check(body, Seen::Manifest).is_err(), "{body}");
        assert!(check(body, Seen::Unset).is_err(), "{body}");
        check(body, Seen::Grant).unwrap();
    }
    // A filter that may be left out holds nothing, unless it is the person who leaves the setting empty.
    let optional = r#"{"Id":{"name":["app/**"]}}"#;
    check(optional, Seen::Manifest).unwrap_err();
    check(optional, Seen::Unset).unwrap();
}
