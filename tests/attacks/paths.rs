//! Paths that look like a granted one to a careless reader.

use forge_tests::servers::behaviour::LOOT;

use super::{Ask, Stage};

/// A stage whose attacker asks for this path of the granted origin, with one more granted route or none.
#[track_caller]
fn stage(path: &str, also: Option<&str>) -> Stage {
    let stage = Stage::empty();
    let ask = Ask::new().target(&format!("{}{path}", stage.server.origin()));
    let ask = match also {
        Some(route) => ask.route("read", "GET", &format!("{{origin}}{route}"), ""),
        None => ask,
    };
    stage.install(&ask).succeeds();
    stage.add(&ask).succeeds();
    stage
}

/// Each attack is tried twice with the same code: at a path that is granted, and at its twisted spelling, which every
/// reader that compares prefixes, repairs or decodes would let through.
#[track_caller]
fn only_the_plain_spelling_passes(plain: &str, twisted: &[&str]) {
    stage(plain, None).lets("request", LOOT);
    for path in twisted {
        let stage = stage(path, None);
        stage.attack("request").exits(8);
        stage.server.was_never_asked();
        stage.still_serves();
    }
}

#[test]
fn an_empty_segment_is_refused() {
    only_the_plain_spelling_passes(
        "/v1/secret/data/a",
        &["//v1/secret/data/a", "/v1/secret/data//a", "/v1/secret/data/a/"],
    );
}

#[test]
fn a_path_does_not_climb() {
    only_the_plain_spelling_passes(
        "/v1/secret/data/a",
        &[
            "/v1/secret/data/../../sys/mounts",
            "/v1/secret/data/%2e%2e/%2e%2e/sys/mounts",
            "/v1/secret/data/.%2E/a",
            "/v1/secret/data/%2E%2E/a",
            "/v1/secret/data/./a",
        ],
    );
}

#[test]
fn a_backslash_is_no_slash() {
    only_the_plain_spelling_passes(
        "/v1/secret/data/a",
        &["/v1/secret/data\\a", "\\v1\\secret\\data\\a", "/v1/secret/data/..\\..\\sys", "/v1/secret/data/%5C..%5Csys"],
    );
}

#[test]
fn a_path_has_one_spelling() {
    only_the_plain_spelling_passes(
        "/v1/secret/data/a%20b",
        &[
            "/v1/%73ecret/data/a",
            "/v1/secret/data/%61",
            "/v1/secret/data/a%2Fb",
            "/v1/secret/data/a%2fb",
            "/v1/secret/data/a%00",
            "/v1/secret/data/a%25",
            "/v1/secret/data/a%",
            "/v1/secret/data/a%zz",
            "/v1/secret/data/%C3",
            "/v1/secret/data/a b",
            "/v1/secret/data/é",
        ],
    );
}

#[test]
fn a_url_says_nothing_but_where_it_goes() {
    let stage = Stage::empty();
    let port = stage.server.port();
    stage.install(&Ask::new()).succeeds();
    for url in [
        format!("http://user:password@127.0.0.1:{port}/v1/secret/data/a"),
        format!("http://127.0.0.1:{port}/v1/secret/data/a#fragment"),
        format!("http://127.0.0.1:{port}@elsewhere.example/v1/secret/data/a"),
        format!("HTTP://127.0.0.1:{port}/v1/secret/data/a"),
        format!("http://127.1:{port}/v1/secret/data/a"),
        format!("http://2130706433:{port}/v1/secret/data/a"),
        format!("http://localhost:{port}/v1/secret/data/a"),
        format!("http://[::ffff:127.0.0.1]:{port}/v1/secret/data/a"),
        format!("https://127.0.0.1:{port}/v1/secret/data/a"),
        format!("//127.0.0.1:{port}/v1/secret/data/a"),
        "file:///etc/passwd".to_owned(),
        "data:text/plain,hello".to_owned(),
        "/v1/secret/data/a".to_owned(),
    ] {
        stage.add(&Ask::new().target(&url)).succeeds();
        stage.attack("request").exits(8);
        stage.world.forge(["provider", "remove", "evil", "--yes"]).succeeds();
    }
    stage.server.was_never_asked();
}

#[test]
fn a_sibling_that_begins_with_the_same_letters_is_another_path() {
    let stage = |also| stage("/v1/secret/database/a", also);
    stage(Some("/v1/secret/database/**")).lets("request", LOOT);
    let closed = stage(None);
    closed.stops("request", 8, "is not granted");
    assert!(closed.server.received().iter().all(|request| request.target.ends_with("/harmless")));
}

#[test]
fn another_mount_is_another_path() {
    let stage = |also| stage("/v1/other/data/a", also);
    stage(Some("/v1/other/data/**")).lets("request", LOOT);
    stage(None).stops("request", 8, "is not granted");
}

#[test]
fn what_lies_behind_the_granted_depth_is_another_path() {
    let stage = Stage::empty();
    let mut ask = Ask::new().target(&format!("{}/v1/secret/data/a/b", stage.server.origin()));
    stage.install(&ask).succeeds();
    stage.add(&ask).succeeds();
    stage.lets("request", LOOT);
    let closed = Stage::empty();
    ask = ask.target(&format!("{}/v1/secret/data/a/b", closed.server.origin()));
    ask.settings.retain(|(_, value)| value.starts_with(&closed.server.origin()));
    ask.routes = ask.routes.replace("/data/**", "/data/*");
    closed.install(&ask).succeeds();
    closed.add(&ask).succeeds();
    closed.stops("request", 8, "is not granted");
}
