//! What versions, rollback and states ask of the server, and what they make of its answers.
use forge_sdk::{ErrorKind, SecretHistory, fake};

use super::*;
use crate::Vault;

const DATA: &str = "https://v.example/v1/secret/data/a";
const METADATA: &str = "https://v.example/v1/secret/metadata/a";
const MISSING: &str = r#"{"errors":[]}"#;
const REFUSED: &str = r#"{"errors":["hunter2"]}"#;

fn host(kv: &str) -> fake::Host {
    fake::Host::new()
        .at(5000)
        .setting("address", "https://v.example")
        .setting("mount", "secret")
        .setting("kv-version", kv)
}

/// What a version says of itself: enabled, deleted at 2 s, or destroyed.
fn described(state: VersionState) -> &'static str {
    match state {
        VersionState::Deleted => {
            r#""created_time":"1970-01-01T00:00:01Z","deletion_time":"1970-01-01T00:00:02Z","destroyed":false"#
        }
        VersionState::Destroyed => r#""created_time":"1970-01-01T00:00:01Z","deletion_time":"","destroyed":true"#,
        _ => r#""created_time":"1970-01-01T00:00:01Z","deletion_time":"","destroyed":false"#,
    }
}

/// A secret of four versions: 4 and 1 are enabled, 3 is deleted, 2 destroyed.
fn known() -> fake::Host {
    let states =
        [VersionState::Enabled, VersionState::Destroyed, VersionState::Deleted, VersionState::Enabled].into_iter();
    let versions: Vec<String> =
        states.enumerate().map(|(at, state)| format!(r#""{}":{{{}}}"#, at + 1, described(state))).collect();
    let body = format!(r#"{{"data":{{"current_version":4,"versions":{{{}}}}}}}"#, versions.join(","));
    host("2").answer("GET", METADATA, 200, body)
}

/// The answer to a read of one version.
fn read(host: fake::Host, url: &str, number: u64, state: VersionState) -> fake::Host {
    let (status, data) = if state == VersionState::Enabled { (200, r#"{"n":1.10}"#) } else { (404, "null") };
    let described = described(state);
    let metadata = format!(r#"{{{described},"custom_metadata":null,"version":{number}}}"#);
    host.answer("GET", url, status, format!(r#"{{"data":{{"data":{data},"metadata":{metadata}}}}}"#))
}

fn at(version: u64) -> String {
    format!("{DATA}?version={version}")
}

/// A secret whose newest version is 4 and enabled, and an old version in this state.
fn readable(old: u64, state: VersionState) -> fake::Host {
    let host = read(host("2"), DATA, 4, VersionState::Enabled);
    read(host, &at(old), old, state)
}

fn written(version: u64) -> String {
    format!(r#"{{"data":{{{},"version":{version}}}}}"#, described(VersionState::Enabled))
}

fn sent() -> Vec<String> {
    let shown = |request: &forge_sdk::http::Request| {
        let body = String::from_utf8_lossy(request.body_bytes()).into_owned();
        format!("{} {} {body}", request.method(), request.url().trim_start_matches("https://v.example/v1/secret/"))
    };
    fake::requests().iter().map(shown).collect()
}

#[test]
fn versions_come_newest_first_with_their_states_and_times() {
    known().install();
    let page = Vault::versions("a", None, 10).unwrap();
    let told: Vec<_> =
        page.versions.iter().map(|version| (version.id.as_str(), version.state, version.current)).collect();
    assert_eq!(
        told,
        [
            ("4", VersionState::Enabled, true),
            ("3", VersionState::Deleted, false),
            ("2", VersionState::Destroyed, false),
            ("1", VersionState::Enabled, false),
        ]
    );
    assert!(page.versions.iter().all(|version| version.created_at == Some(1000)));
    assert_eq!(page.next, None);
    assert_eq!(sent(), ["GET metadata/a "]);
}

#[test]
fn the_versions_are_the_same_whatever_the_size_of_the_pages() {
    known().install();
    for limit in [0, 1, 2, 3, 4, 5, u32::MAX] {
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let page = Vault::versions("a", cursor.as_deref(), limit).unwrap();
            assert!(page.versions.len() <= limit.max(1) as usize);
            ids.extend(page.versions.into_iter().map(|version| version.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
            assert!(ids.len() < 5, "the listing must end");
        }
        assert_eq!(ids, ["4", "3", "2", "1"], "{limit}");
    }
}

#[test]
fn a_cursor_that_was_not_given_is_refused_before_any_request() {
    known().install();
    for cursor in ["", "0", "x", "-1", "01", "18446744073709551616"] {
        assert_eq!(Vault::versions("a", Some(cursor), 10).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }
    assert_eq!(fake::requests().len(), 0);
    assert_eq!(Vault::versions("a", Some("1"), 10).unwrap(), VersionPage::default());
}

#[test]
fn a_hundred_thousand_versions_are_told_a_page_at_a_time() {
    let described = described(VersionState::Enabled);
    let versions: Vec<String> = (1..=100_000).map(|number| format!(r#""{number}":{{{described}}}"#)).collect();
    let body = format!(r#"{{"data":{{"current_version":100000,"versions":{{{}}}}}}}"#, versions.join(","));
    host("2").answer("GET", METADATA, 200, body).install();
    let page = Vault::versions("a", None, u32::MAX).unwrap();
    assert_eq!((page.versions.len(), page.next.as_deref()), (1000, Some("99001")));
    let page = Vault::versions("a", Some("1001"), 1000).unwrap();
    assert_eq!((page.versions.len(), page.next), (1000, None));
    assert_eq!(page.versions.first().unwrap().id, "1000");
}

#[test]
fn versions_of_no_secret_are_not_found_and_those_of_a_secret_without_a_value_are_none() {
    host("2").answer("GET", METADATA, 404, MISSING).install();
    assert_eq!(Vault::versions("a", None, 10).unwrap_err().kind(), ErrorKind::NotFound);
    host("2").answer("GET", METADATA, 200, r#"{"data":{"current_version":0,"versions":{}}}"#).install();
    assert_eq!(Vault::versions("a", None, 10).unwrap(), VersionPage::default());
}

#[test]
fn one_version_that_can_not_be_read_is_an_error_and_no_gap() {
    for odd in [r#""x""#, "null", "{}", r#"{"created_time":1,"deletion_time":"","destroyed":false}"#] {
        let body = format!(r#"{{"data":{{"current_version":1,"versions":{{"1":{odd}}}}}}}"#);
        host("2").answer("GET", METADATA, 200, body).install();
        assert_eq!(Vault::versions("a", None, 10).unwrap_err().kind(), ErrorKind::Upstream, "{odd}");
    }
}

#[test]
fn version_1_refuses_each_of_these_by_name_before_any_request() {
    host("1").install();
    let states = [VersionState::Enabled, VersionState::Disabled, VersionState::Deleted, VersionState::Destroyed];
    let errors = [Vault::versions("a", None, 10).unwrap_err(), Vault::restore("a", "1").unwrap_err()];
    let errors = errors.into_iter().chain(states.map(|state| Vault::set_state("a", "1", state).unwrap_err()));
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("version 1"), "{}", error.message());
    }
    assert_eq!(fake::requests().len(), 0);
}

#[test]
fn a_restored_version_is_written_anew_byte_for_byte_over_exactly_the_newest_one() {
    readable(1, VersionState::Enabled).answer("POST", DATA, 200, written(5)).install();
    let version = Vault::restore("a", "1").unwrap();
    assert_eq!((version.id.as_str(), version.current), ("5", true));
    let posted = r#"POST data/a {"data":{"n":1.10},"options":{"cas":4}}"#;
    assert_eq!(sent(), ["GET data/a ", "GET data/a?version=1 ", posted]);
}

#[test]
fn a_version_is_restored_over_a_deleted_and_over_a_destroyed_one() {
    for state in [VersionState::Deleted, VersionState::Destroyed] {
        let host = read(host("2"), DATA, 4, state);
        let host = read(host, &at(1), 1, VersionState::Enabled);
        host.answer("POST", DATA, 200, written(5)).install();
        assert_eq!(Vault::restore("a", "1").unwrap().id, "5");
    }
}

#[test]
fn restoring_what_is_current_writes_nothing() {
    readable(1, VersionState::Enabled).install();
    assert_eq!(Vault::restore("a", "4").unwrap().id, "4");
    assert_eq!(sent(), ["GET data/a "]);
}

#[test]
fn only_a_version_that_can_be_read_is_restored() {
    for (host, kind, word) in [
        (readable(1, VersionState::Deleted), ErrorKind::WrongState, "deleted"),
        (readable(1, VersionState::Destroyed), ErrorKind::WrongState, "destroyed"),
        (readable(2, VersionState::Enabled).answer("GET", &at(1), 404, MISSING), ErrorKind::NotFound, "`1`"),
        (host("2").answer("GET", DATA, 404, MISSING), ErrorKind::NotFound, "no such secret"),
    ] {
        host.install();
        let error = Vault::restore("a", "1").unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.message().contains(word), "{}", error.message());
        assert!(fake::requests().iter().all(|request| request.method() == "GET"));
    }
    host("2").install();
    for version in ["", "0", "01", "latest"] {
        assert_eq!(Vault::restore("a", version).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }
    assert_eq!(fake::requests().len(), 0);
}

#[test]
fn who_writes_during_a_rollback_is_not_written_over() {
    let host = read(host("2"), DATA, 4, VersionState::Enabled);
    let host = read(host, DATA, 5, VersionState::Enabled);
    read(host, &at(1), 1, VersionState::Enabled).answer("POST", DATA, 400, REFUSED).install();
    let error = Vault::restore("a", "1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(!format!("{error:?}").contains("hunter2"));
    // Where nobody did, something else is wrong with the request.
    readable(1, VersionState::Enabled).answer("POST", DATA, 400, REFUSED).install();
    assert_eq!(Vault::restore("a", "1").unwrap_err().kind(), ErrorKind::InvalidRequest);
}

#[test]
fn an_old_version_that_is_no_object_is_never_written() {
    let host = read(host("2"), DATA, 4, VersionState::Enabled);
    let metadata = format!(r#"{{{},"version":1}}"#, described(VersionState::Enabled));
    host.answer("GET", &at(1), 200, format!(r#"{{"data":{{"data":["x"],"metadata":{metadata}}}}}"#)).install();
    assert_eq!(Vault::restore("a", "1").unwrap_err().kind(), ErrorKind::Upstream);
    assert_eq!(fake::requests().len(), 2);
}

#[test]
fn one_version_is_deleted_undeleted_and_destroyed() {
    for (version, state, word) in [
        ("4", VersionState::Deleted, "delete"),
        ("3", VersionState::Enabled, "undelete"),
        ("3", VersionState::Destroyed, "destroy"),
        ("1", VersionState::Destroyed, "destroy"),
    ] {
        let url = format!("https://v.example/v1/secret/{word}/a");
        known().answer("POST", &url, 204, "").install();
        Vault::set_state("a", version, state).unwrap();
        let posted = format!(r#"POST {word}/a {{"versions":[{version}]}}"#);
        assert_eq!(sent(), ["GET metadata/a ".to_owned(), posted]);
    }
}

#[test]
fn a_state_that_is_there_already_is_not_set_again() {
    known().install();
    for (version, state) in [("4", VersionState::Enabled), ("3", VersionState::Deleted), ("2", VersionState::Destroyed)]
    {
        Vault::set_state("a", version, state).unwrap();
    }
    assert!(fake::requests().iter().all(|request| request.method() == "GET"));
}

#[test]
fn a_state_that_can_not_be_is_refused_and_nothing_is_changed() {
    known().install();
    for (version, state, kind) in [
        ("2", VersionState::Enabled, ErrorKind::WrongState),
        ("2", VersionState::Deleted, ErrorKind::WrongState),
        ("9", VersionState::Deleted, ErrorKind::NotFound),
        ("4", VersionState::Disabled, ErrorKind::Unsupported),
        ("x", VersionState::Deleted, ErrorKind::InvalidRequest),
    ] {
        assert_eq!(Vault::set_state("a", version, state).unwrap_err().kind(), kind, "{version}");
    }
    assert!(fake::requests().iter().all(|request| request.method() == "GET"));
    assert_eq!(fake::requests().len(), 3, "what can't be is refused before anything is asked");
    host("2").answer("GET", METADATA, 404, MISSING).install();
    assert_eq!(Vault::set_state("a", "1", VersionState::Deleted).unwrap_err().kind(), ErrorKind::NotFound);
}
