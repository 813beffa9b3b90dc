//! Paths of Vault that a plugin never reaches with the user's token, whatever it was granted.
//!
//! Sources: "Vault API docs" (Auth methods, System backend, Identity, KV version 2) and "Namespaces and mount points":
//! a namespace may stand in the path before the mount.

use forge_core::route::{Route, Segment};

use crate::request::Parsed;
use crate::route::literals;

/// Mount points of Vault's own that issue tokens and change who may do what.
const OWN: [&str; 4] = ["auth", "sys", "identity", "cubbyhole"];

/// Reads below `sys` that name a mount or a state and no secret; plugins need them to find a mount's KV version.
const READS: [(&[&str], bool); 3] = [
    // Each with whether more segments must follow.
    (&["sys", "internal", "ui", "mounts"], true),
    (&["sys", "health"], false),
    (&["sys", "seal-status"], false),
];

/// What KV version 2 puts behind its mount, before the names of secrets ("Vault API docs, KV version 2").
const BEHIND_MOUNT: [&str; 7] = ["config", "data", "delete", "destroy", "metadata", "subkeys", "undelete"];

const ONLY_API: &str = "is sent only to paths below `/v1/`";
const NOT_OWN: &str =
    "never opens `auth`, `sys`, `identity` or `cubbyhole` to a plugin: they issue tokens, hold them or change policies";
const MOUNT_FIRST: &str = "needs routes without a wildcard before the end of the mount";

/// The rule that a request breaks; `literals` segments of its path are spelled out by its route.
pub(super) fn forbidden(request: &Parsed, literals: usize) -> Option<&'static str> {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let Some((&"v1", path)) = segments.split_first() else { return Some(ONLY_API) };
    if is_read(path, matches!(request.method.as_str(), "GET")) {
        return None;
    }
    // The route spells out the mount, so what is spelled out and the one segment behind it are where Vault could
    // still read a mount of its own, behind a namespace that was given as a mount. Deeper it is a secret's name.
    opens_own(path, literals.saturating_sub(1)).then_some(NOT_OWN)
}

/// The rule that a route breaks before any request is made.
pub(super) fn forbidden_route(route: &Route) -> Option<&'static str> {
    let count = literals(&route.path);
    let spelled: Vec<&str> = route
        .path
        .0
        .iter()
        .take(count)
        .filter_map(|segment| if let Segment::Literal(text) = segment { Some(text.as_str()) } else { None })
        .collect();
    let Some((&"v1", path)) = spelled.split_first() else { return Some(ONLY_API) };
    let is_get = route.methods.iter().all(|method| method == "GET");
    // A wildcard at the end stands for the segments that must follow.
    let with_rest = if route.path.0.len() > count { [path, &["*"]].concat() } else { path.to_vec() };
    if is_read(&with_rest, is_get) {
        return None;
    }
    if path.is_empty() {
        return Some(MOUNT_FIRST);
    }
    opens_own(path, path.len()).then_some(NOT_OWN)
}

fn is_read(path: &[&str], is_get: bool) -> bool {
    is_get
        && READS
            .iter()
            .any(|(read, has_more)| path.strip_prefix(*read).is_some_and(|more| more.is_empty() != *has_more))
}

/// Whether one of the first `spelled` segments, or the one after them, is a mount of Vault's own.
fn opens_own(path: &[&str], spelled: usize) -> bool {
    path.iter().take(spelled + 1).enumerate().any(|(at, segment)| {
        let before = at.checked_sub(1).and_then(|before| path.get(before));
        let is_name = at >= 2 && before.is_some_and(|before| BEHIND_MOUNT.contains(before));
        OWN.contains(segment) && !is_name
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_core::route::Ability;

    use super::*;

    fn route(methods: &[&str], path: &str) -> Route {
        Route {
            ability: Ability::Read,
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            origin: "https://vault".to_owned(),
            path: path.parse().unwrap(),
            query: Default::default(),
            headers: Default::default(),
            body: None,
            response_max: 1024,
            idempotent: true,
            permission: None,
        }
    }

    fn request(method: &str, path: &str, route: Option<&str>) -> Option<&'static str> {
        let segments: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
        let parsed = Parsed {
            method: method.parse().unwrap(),
            url: format!("https://vault{path}").parse().unwrap(),
            origin: "https://vault".to_owned(),
            segments,
            query: Vec::new(),
            headers: Vec::new(),
            body: Default::default(),
            json: Default::default(),
        };
        forbidden(&parsed, route.map_or(0, |text| literals(&text.parse().unwrap())))
    }

    #[test]
    fn a_route_to_tokens_policies_or_wrapping_is_refused() {
        for path in [
            "/v1/auth/token/create",
            "/v1/auth/token/lookup-self",
            "/v1/auth/**",
            "/v1/sys/**",
            "/v1/sys/wrapping/unwrap",
            "/v1/sys/policies/acl/*",
            "/v1/sys/internal/ui/mounts",
            "/v1/identity/oidc/token/*",
            "/v1/team/sys/policy",
            "/v1/team/identity/oidc/token/*",
            "/v1/cubbyhole/**",
            "/v1/team/auth/token/create",
            "/v1/team/a/sys/**",
            "/v1/**",
            "/v1/*/data/**",
            "/v1",
            "/**",
            "/",
            "/v2/kv/**",
            "/ui/**",
        ] {
            assert!(forbidden_route(&route(&["GET"], path)).is_some(), "{path}");
        }
    }

    #[test]
    fn a_route_below_a_mount_and_the_named_reads_are_granted() {
        for path in [
            "/v1/secret/data/**",
            "/v1/secret/metadata/**",
            "/v1/team/kv/data/**",
            "/v1/kv1/**",
            "/v1/secret/data/sys/db",
            "/v1/sys/internal/ui/mounts/**",
            "/v1/sys/internal/ui/mounts/secret",
            "/v1/sys/health",
            "/v1/sys/seal-status",
        ] {
            assert_eq!(forbidden_route(&route(&["GET"], path)), None, "{path}");
        }
        assert!(forbidden_route(&route(&["GET", "PUT"], "/v1/sys/health")).is_some());
        assert!(forbidden_route(&route(&["POST"], "/v1/sys/internal/ui/mounts/**")).is_some());
    }

    #[test]
    fn a_request_to_a_mount_of_vaults_own_is_refused_whatever_route_it_matched() {
        for (method, path, by) in [
            ("GET", "/v1/auth/token/lookup-self", None),
            ("POST", "/v1/auth/token/create", Some("/v1/**")),
            ("GET", "/v1/sys/mounts", None),
            ("PUT", "/v1/sys/health", None),
            ("GET", "/v1/sys/internal/ui/mounts", None),
            ("POST", "/v1/identity/oidc/token/x", None),
            // A namespace that was given as the mount of a KV version 1 provider.
            ("POST", "/v1/team/sys/policies/acl/x", Some("/v1/team/**")),
            ("POST", "/v1/team/auth/token/create", Some("/v1/team/**")),
            ("GET", "/v1/team/a/sys/mounts", Some("/v1/team/a/**")),
            ("POST", "/v1/admin/identity/oidc/token/x", Some("/v1/admin/**")),
            ("GET", "/ui/vault", None),
        ] {
            assert!(request(method, path, by).is_some(), "{method} {path}");
        }
    }

    #[test]
    fn deeper_than_the_mount_auth_and_sys_are_names() {
        for (path, by) in [
            ("/v1/secret/data/sys/db", "/v1/secret/data/**"),
            ("/v1/secret/data/auth", "/v1/secret/data/**"),
            ("/v1/team/kv/metadata/sys", "/v1/team/kv/metadata/**"),
            ("/v1/kv1/app/sys", "/v1/kv1/**"),
            ("/v1/sys/internal/ui/mounts/secret", "/v1/sys/internal/ui/mounts/**"),
        ] {
            assert_eq!(request("GET", path, Some(by)), None, "{path}");
        }
    }
}
