//! Where a token of Google's goes unasked, and what no plugin does with it: new credentials and changes of who may do what.
//!
//! Sources: "Secret Manager docs, REST reference" and "Regional secrets" (endpoints); "IAM Service Account Credentials API";
//! "Security Token Service API"; "Using OAuth 2.0 to access Google APIs".

use forge_core::route::{Route, Segment};

use crate::request::Parsed;

/// A host beside Google's APIs that gives out credentials.
const LOGINS: &str = "accounts.google.com";

/// What the hosts of Google's APIs end with: whatever is there speaks to all of them with the same token.
const APIS: &str = ".googleapis.com";

/// Actions that do, at whatever host: behind the `:` of a path's last segment.
const ACTIONS: [&str; 5] = ["generateAccessToken", "generateIdToken", "setIamPolicy", "signBlob", "signJwt"];

/// First segments of paths at which tokens are given, at whatever host.
const TOKENS: [&str; 7] = ["computeMetadata", "o", "oauth2", "revoke", "token", "tokeninfo", "introspect"];

const NOT_OWN: &str = "never opens policies, keys of accounts or token endpoints to a plugin: they issue credentials or change who may do what";

const OTHER_API: &str = "reaches no other API of Google's than Secret Manager: its token would count for all of them";

/// Whether an origin is Secret Manager's own: the global one, or a region's (`secretmanager.REGION.rep.googleapis.com`).
pub(super) fn is_own_origin(origin: &str) -> bool {
    let Some(host) = origin.strip_prefix("https://") else { return false };
    let region = host.strip_prefix("secretmanager.").and_then(|rest| rest.strip_suffix(".rep.googleapis.com"));
    host == "secretmanager.googleapis.com" || region.is_some_and(is_location)
}

/// Whether a text can be a location: `europe-west3`, `us-central1`.
pub(super) fn is_location(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// The rule that a request breaks whatever the grant says.
pub(super) fn forbidden(request: &Parsed, _: usize) -> Option<&'static str> {
    let segments = request.segments.iter().map(String::as_str);
    rule(&request.origin, segments)
}

/// The rule that a route breaks before any request is made.
pub(super) fn forbidden_route(route: &Route) -> Option<&'static str> {
    let segments: Vec<String> = route
        .path
        .0
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) => text.clone(),
            Segment::AnyVerb(verb) => format!("*:{verb}"),
            Segment::Any | Segment::Rest => "*".to_owned(),
        })
        .collect();
    rule(&route.origin, segments.iter().map(String::as_str))
}

fn rule<'a>(origin: &str, segments: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let host = origin.split("://").nth(1).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches('.');
    // Whatever a person typed as audience: hosts with `.mtls.` or `.rep.` in them are the same APIs, with policies and keys of
    // their own at paths that no list of ours knows.
    let is_api = host.ends_with(APIS) || Some(host) == APIS.strip_prefix('.');
    if is_api && !is_own_origin(origin) {
        return Some(OTHER_API);
    }
    (host == LOGINS || is_closed_path(segments)).then_some(NOT_OWN)
}

fn is_closed_path<'a>(segments: impl Iterator<Item = &'a str>) -> bool {
    let segments: Vec<&str> = segments.collect();
    let is_action = |segment: &&str| segment.split_once(':').is_some_and(|(_, verb)| is_action(verb));
    let is_token = segments.first().is_some_and(|first| TOKENS.contains(first))
        || matches!(segments.as_slice(), [_, "token" | "oauthtoken" | "introspect"]);
    is_token || segments.iter().any(is_action) || segments.contains(&"serviceAccounts")
}

/// Whether a verb is one of those, in whatever way its colon and letters are written.
fn is_action(verb: &str) -> bool {
    ACTIONS.iter().any(|action| action.eq_ignore_ascii_case(verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_closed(origin: &str, path: &str) -> bool {
        rule(origin, path.split('/').skip(1)).is_some()
    }

    #[test]
    fn secret_manager_and_its_regions_are_its_own_and_nothing_that_looks_like_them() {
        for origin in [
            "https://secretmanager.googleapis.com",
            "https://secretmanager.europe-west3.rep.googleapis.com",
            "https://secretmanager.us-central1.rep.googleapis.com",
        ] {
            assert!(is_own_origin(origin), "{origin}");
        }
        for origin in [
            "http://secretmanager.googleapis.com",
            "https://secretmanager.googleapis.com:8443",
            "https://secretmanager.googleapis.com.evil.example",
            "https://secretmanager.evil.example.rep.googleapis.com",
            "https://secretmanager..rep.googleapis.com",
            "https://storage.googleapis.com",
            "https://sts.googleapis.com",
            "https://xsecretmanager.googleapis.com",
        ] {
            assert!(!is_own_origin(origin), "{origin}");
        }
    }

    #[test]
    fn what_issues_credentials_or_changes_policies_is_closed_at_every_host() {
        let own = "https://secretmanager.googleapis.com";
        for path in [
            "/v1/projects/p/secrets/s:setIamPolicy",
            "/v1/projects/p/secrets/s:SETIAMPOLICY",
            "/v1/projects/-/serviceAccounts/a@p.iam.gserviceaccount.com:generateAccessToken",
            "/v1/projects/-/serviceAccounts/a/keys",
            "/token",
            "/v1/token",
            "/o/oauth2/token",
            "/computeMetadata/v1/instance/service-accounts/default/token",
            "/tokeninfo",
        ] {
            assert!(is_closed(own, path) && is_closed("http://127.0.0.1:1", path), "{path}");
        }
        assert!(is_closed("https://accounts.google.com", "/v1/anything"));
        for path in [
            "/v1/projects/p/secrets/s/versions/latest:access",
            "/v1/projects/p/secrets/token:addVersion",
            "/v1/projects/p/secrets/token",
            "/v1/projects/p/secrets/setIamPolicy",
            "/v1/projects/p/locations/europe-west3/secrets",
        ] {
            assert!(!is_closed(own, path), "{path}");
        }
    }

    #[test]
    fn below_googleapis_com_nothing_is_open_but_secret_manager() {
        let path = "/v1/projects/p/secrets/s/versions/1:access";
        for host in [
            "cloudresourcemanager.googleapis.com",
            "googleapis.com",
            "iam.googleapis.com",
            "iam.googleapis.com.",
            "iam.googleapis.com:443",
            "iam.mtls.googleapis.com",
            "iamcredentials.europe-west3.rep.googleapis.com",
            "oauth2.googleapis.com",
            "oauth2.mtls.googleapis.com",
            "secretmanager.googleapis.com.",
            "secretmanager.evil.example.rep.googleapis.com",
            "storage.googleapis.com",
            "sts.googleapis.com",
            "www.googleapis.com",
        ] {
            assert!(is_closed(&format!("https://{host}"), path), "{host}");
        }
        for host in
            ["secretmanager.googleapis.com", "secretmanager.europe-west3.rep.googleapis.com", "googleapis.com.example"]
        {
            assert!(!is_closed(&format!("https://{host}"), path), "{host}");
        }
    }
}
