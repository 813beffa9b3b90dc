//! Paths of a vault that a plugin never reaches with the user's token, whatever it was granted.
//!
//! Source: "Azure Key Vault REST API reference". The same token opens a vault's secrets, keys, certificates and storage
//! accounts, and a backup holds all versions of an object, to be restored in another vault.

use forge_core::route::{Route, Segment};

use crate::request::Parsed;

/// What a plugin may be granted something of.
const ROOMS: [&str; 4] = ["secrets", "deletedsecrets", "keys", "deletedkeys"];

const NOT_OPENED: &str =
    "opens a vault's `secrets` and `keys` to a plugin, and never its certificates, storage accounts and roles";
const NOT_MOVED: &str = "never makes or restores a backup for a plugin, nor lets a key out of its vault";
const SPELLED: &str = "needs routes of `POST` whose last segment is spelled out";

/// Whether a `POST` to these segments takes an object out of the vault, or puts one in ("Backup Secret", "Restore Secret",
/// "Release"). Nothing says that the service tells upper case from lower case there, so an attacker's `Backup` is one.
fn moves(segments: &[&str]) -> bool {
    let is_last = |word: &str| segments.last().is_some_and(|last| last.eq_ignore_ascii_case(word));
    match segments.len() {
        0 | 1 => false,
        2 => is_last("restore"),
        3 => is_last("backup") || is_last("release"),
        _ => is_last("release"),
    }
}

/// The rule that a request breaks.
pub(super) fn forbidden(request: &Parsed, _: usize) -> Option<&'static str> {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    if !segments.first().is_some_and(|room| ROOMS.contains(room)) {
        return Some(NOT_OPENED);
    }
    (request.method.as_str() == "POST" && moves(&segments)).then_some(NOT_MOVED)
}

/// The rule that a route breaks before any request is made.
pub(super) fn forbidden_route(route: &Route) -> Option<&'static str> {
    let literal = |segment: &Segment| match segment {
        Segment::Literal(text) => Some(text.clone()),
        _ => None,
    };
    let segments: Vec<Option<String>> = route.path.0.iter().map(literal).collect();
    if !segments.first().and_then(Option::as_deref).is_some_and(|room| ROOMS.contains(&room)) {
        return Some(NOT_OPENED);
    }
    if !route.methods.iter().any(|method| method == "POST") {
        return None;
    }
    // What stands for any segment stands for those of a backup as well.
    if segments.last().is_some_and(Option::is_none) {
        return Some(SPELLED);
    }
    let words: Vec<&str> = segments.iter().map(|segment| segment.as_deref().unwrap_or("*")).collect();
    moves(&words).then_some(NOT_MOVED)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_core::route::Ability;

    use super::*;

    fn route(method: &str, path: &str) -> Option<&'static str> {
        forbidden_route(&Route {
            ability: Ability::Read,
            methods: vec![method.to_owned()],
            origin: "https://v".to_owned(),
            path: path.parse().unwrap(),
            query: Default::default(),
            headers: Default::default(),
            body: None,
            response_max: 1024,
            idempotent: true,
            permission: None,
        })
    }

    fn request(method: &str, path: &str) -> Option<&'static str> {
        let parsed = Parsed {
            method: method.parse().unwrap(),
            url: format!("https://v{path}").parse().unwrap(),
            origin: "https://v".to_owned(),
            segments: path.split('/').skip(1).map(str::to_owned).collect(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Default::default(),
            json: Default::default(),
        };
        forbidden(&parsed, 0)
    }

    #[test]
    fn certificates_and_backups_are_closed_to_every_route() {
        for (method, path) in [
            ("GET", "/certificates/*"),
            ("GET", "/storage"),
            ("GET", "/**"),
            ("GET", "/*/a"),
            ("GET", "/"),
            ("POST", "/secrets/restore"),
            ("POST", "/secrets/*/backup"),
            ("POST", "/secrets/**"),
            ("POST", "/secrets/*"),
            ("POST", "/keys/*/*"),
            ("POST", "/keys/*/*/release"),
            ("POST", "/secrets/Restore"),
            ("POST", "/secrets/*/BACKUP"),
            ("POST", "/keys/*/Release"),
            ("POST", "/Secrets/*/recover"),
        ] {
            assert!(route(method, path).is_some(), "{method} {path}");
        }
        for (method, path) in [
            ("GET", "/secrets/*/*"),
            ("PUT", "/secrets/*"),
            ("POST", "/deletedsecrets/*/recover"),
            ("POST", "/keys/*/*/wrapkey"),
        ] {
            assert_eq!(route(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn a_request_is_held_to_the_same_whatever_its_route() {
        for (method, path) in [
            ("GET", "/certificates/a"),
            ("POST", "/secrets/restore"),
            ("POST", "/secrets/a/backup"),
            ("POST", "/keys/a/b/release"),
            ("POST", "/keys/a/b/Release"),
            ("POST", "/secrets/RESTORE"),
            ("POST", "/secrets/a/Backup"),
            ("GET", "/Certificates/a"),
        ] {
            assert!(request(method, path).is_some(), "{method} {path}");
        }
        // Secrets may have these names.
        for (method, path) in
            [("GET", "/secrets/restore"), ("PUT", "/secrets/backup"), ("POST", "/deletedsecrets/a/recover")]
        {
            assert_eq!(request(method, path), None, "{method} {path}");
        }
    }
}
