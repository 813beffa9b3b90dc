//! Versions, tags and removals of the real OpenBao: what `forge` does `bao kv` sees and undoes, and the other way round.

use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::World;
use serde_json::{Value as Json, json};

use super::{add_vault, get, root_world, set};

const DB: &str = "store://bao/app/db";

/// A server with the provider `bao`, and a secret with these values as its versions.
fn written(values: &[&str]) -> (OpenBao, World) {
    let server = OpenBao::start();
    let world = root_world();
    add_vault(&world, &server, []).succeeds();
    for value in values {
        set(&world, DB, *value).succeeds();
    }
    (server, world)
}

/// The versions as `forge` tells them.
#[track_caller]
fn versions(world: &World) -> Vec<Json> {
    let shown = world.forge(["--json", "secret", "versions", DB]).succeeds().json();
    shown["versions"].as_array().unwrap().clone()
}

/// Number and state of each version, newest first.
#[track_caller]
fn states(world: &World) -> Vec<(String, String)> {
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    versions(world).iter().map(|version| (text(&version["id"]), text(&version["state"]))).collect()
}

fn pairs(states: &[(&str, &str)]) -> Vec<(String, String)> {
    states.iter().map(|(id, state)| ((*id).to_owned(), (*state).to_owned())).collect()
}

/// What `bao kv metadata get` tells.
#[track_caller]
fn metadata(server: &OpenBao) -> Json {
    server.bao(["kv", "metadata", "get", "-mount=secret", "app/db"]).unwrap()["data"].clone()
}

/// The value that `bao kv get` reads.
fn value(server: &OpenBao) -> Json {
    match server.bao(["kv", "get", "-mount=secret", "app/db"]) {
        Ok(read) => read["data"]["data"]["value"].clone(),
        Err(_) => Json::Null,
    }
}

#[test]
fn states_and_times_of_versions_agree_with_bao_kv() {
    let (server, world) = written(&["one", "two", "three", "four"]);
    server.bao(["kv", "delete", "-mount=secret", "-versions=1", "app/db"]).unwrap();
    server.bao(["kv", "destroy", "-mount=secret", "-versions=2", "app/db"]).unwrap();
    assert_eq!(states(&world), pairs(&[("4", "enabled"), ("3", "enabled"), ("2", "destroyed"), ("1", "deleted")]));
    let known = metadata(&server);
    for version in versions(&world) {
        let id = version["id"].as_str().unwrap();
        assert_eq!(version["current"], json!(id == "4"), "{version}");
        // The server has nanoseconds and forge has milliseconds.
        let (made, told) = (known["versions"][id]["created_time"].as_str().unwrap(), version["created_at"].clone());
        assert_eq!(told.as_str().unwrap().get(..19), made.get(..19), "{version}");
    }
    world.forge(["secret", "delete", DB, "--yes"]).succeeds();
    assert_eq!(states(&world)[0], ("4".to_owned(), "deleted".to_owned()));
    let newest = metadata(&server)["versions"]["4"].clone();
    assert_ne!(newest["deletion_time"], "");
    assert_eq!(newest["destroyed"], false);
    let table = world.forge(["secret", "versions", DB]).succeeds().text();
    assert!(table.lines().next().unwrap().starts_with("* 4"), "{table}");
    world.keeps_nowhere(ROOT);
}

#[test]
fn a_rollback_is_a_new_version_for_both_and_each_rolls_back_what_the_other_wrote() {
    let (server, world) = written(&["one", "two", "three"]);
    world.forge(["secret", "rollback", DB, "--to", "1"]).succeeds().stdout_is("");
    assert_eq!(value(&server), "one");
    assert_eq!(metadata(&server)["current_version"], 4);
    server.bao(["kv", "rollback", "-mount=secret", "-version=2", "app/db"]).unwrap();
    get(&world, DB).succeeds().stdout_is("two");
    let shown = world.forge(["--json", "secret", "rollback", DB, "--to", "3"]).succeeds().json();
    assert_eq!((&shown["version"]["id"], &shown["version"]["current"]), (&json!("6"), &json!(true)));
    assert_eq!(value(&server), "three");
    get(&world, &format!("{DB}?version=4")).succeeds().stdout_is("one");
    // What is current stays as it is.
    world.forge(["secret", "rollback", DB, "--to", "6"]).succeeds();
    assert_eq!(metadata(&server)["current_version"], 6);
}

#[test]
fn a_rollback_goes_over_a_deleted_version_and_never_to_one() {
    let (server, world) = written(&["one", "two", "three"]);
    server.bao(["kv", "delete", "-mount=secret", "-versions=1", "app/db"]).unwrap();
    world.forge(["secret", "delete", DB, "--yes"]).succeeds();
    let refused = world.forge(["-v", "secret", "rollback", DB, "--to", "1"]);
    refused.exits(9).stderr_has("enable it first").stderr_has("forge secret versions");
    world.forge(["secret", "rollback", DB, "--to", "9"]).exits(3);
    world.forge(["secret", "rollback", "store://bao/app/none", "--to", "1"]).exits(3);
    world.forge(["secret", "rollback", DB, "--to", "latest"]).exits(2);
    assert_eq!(metadata(&server)["current_version"], 3, "a refused rollback wrote something");
    world.forge(["secret", "rollback", DB, "--to", "2"]).succeeds();
    assert_eq!(value(&server), "two");
}

#[test]
fn each_takes_back_what_the_other_deleted() {
    let (server, world) = written(&["one", "two"]);
    world.forge(["secret", "delete", DB, "--yes"]).succeeds();
    get(&world, DB).exits(3);
    server.bao(["kv", "undelete", "-mount=secret", "-versions=2", "app/db"]).unwrap();
    get(&world, DB).succeeds().stdout_is("two");
    server.bao(["kv", "delete", "-mount=secret", "app/db"]).unwrap();
    get(&world, DB).exits(3);
    assert_eq!(value(&server), Json::Null);
    world.forge(["secret", "recover", DB]).succeeds();
    assert_eq!(value(&server), "two");
    world.forge(["secret", "recover", DB]).exits(9).stderr_has("state");
    world.forge(["secret", "recover", "store://bao/app/none"]).exits(3);
    server.bao(["kv", "destroy", "-mount=secret", "-versions=2", "app/db"]).unwrap();
    world.forge(["-v", "secret", "recover", DB]).exits(9).stderr_has("destroyed");
}

#[test]
fn one_version_is_enabled_again_and_none_is_disabled() {
    let (server, world) = written(&["one", "two"]);
    server.bao(["kv", "delete", "-mount=secret", "-versions=1", "app/db"]).unwrap();
    let old = format!("{DB}?version=1");
    get(&world, &old).exits(3);
    world.forge(["secret", "enable", &old]).succeeds();
    get(&world, &old).succeeds().stdout_is("one");
    world.forge(["secret", "enable", DB]).succeeds();
    assert_eq!(metadata(&server)["versions"]["1"]["deletion_time"], "");
    let refused = world.forge(["-v", "secret", "disable", &old]);
    refused.exits(2).stderr_has("can't disable").stderr_has("hint");
    get(&world, &old).succeeds().stdout_is("one");
    world.forge(["secret", "enable", &format!("{DB}?version=9")]).exits(3);
}

#[test]
fn a_purge_leaves_nothing_for_either() {
    let (server, world) = written(&["one", "two"]);
    world.forge(["secret", "purge", DB]).exits(2).stderr_has("--yes");
    assert_eq!(value(&server), "two");
    world.forge(["secret", "purge", DB, "--yes"]).succeeds();
    assert!(server.bao(["kv", "metadata", "get", "-mount=secret", "app/db"]).is_err());
    for command in ["versions", "describe", "recover"] {
        world.forge(["secret", command, DB]).exits(3);
    }
    world.forge(["secret", "purge", DB, "--yes"]).exits(3);
    set(&world, DB, "again").succeeds();
    assert_eq!(states(&world), pairs(&[("1", "enabled")]));
    server.bao(["kv", "metadata", "delete", "-mount=secret", "app/db"]).unwrap();
    world.forge(["secret", "versions", DB]).exits(3);
}

#[test]
fn tags_are_custom_metadata_and_neither_loses_those_of_the_other() {
    let (server, world) = written(&[]);
    let tagged = |tag: &str| world.command(["secret", "set", DB, "--tag", tag]).input("x").run();
    tagged("team=payments").succeeds();
    assert_eq!(metadata(&server)["custom_metadata"], json!({ "team": "payments" }));
    server.bao(["kv", "metadata", "patch", "-mount=secret", "-custom-metadata=owner=ops", "app/db"]).unwrap();
    tagged("team=billing").succeeds();
    let all = json!({ "team": "billing", "owner": "ops" });
    assert_eq!(metadata(&server)["custom_metadata"], all);
    set(&world, DB, "without tags").succeeds();
    assert_eq!(world.forge(["--json", "secret", "describe", DB]).succeeds().json()["tags"], all);
    assert_eq!(world.forge(["--json", "secret", "get", DB]).succeeds().json()["tags"], all);
    // What can't be a tag is refused before the value is written.
    let before = metadata(&server)["current_version"].clone();
    tagged("empty=").exits(2);
    tagged(&format!("long={}", "v".repeat(513))).exits(2);
    assert_eq!(metadata(&server)["current_version"], before);
}

#[test]
fn a_description_tells_the_rules_of_the_secret_and_the_versions_that_are_left() {
    let (server, world) = written(&[]);
    server
        .bao(["kv", "metadata", "put", "-mount=secret", "-max-versions=2", "-delete-version-after=90m", "app/db"])
        .unwrap();
    world.forge(["secret", "describe", DB]).succeeds();
    world.forge(["secret", "versions", DB]).exits(3);
    for value in ["one", "two", "three"] {
        set(&world, DB, value).succeeds();
    }
    assert_eq!(states(&world), pairs(&[("3", "enabled"), ("2", "enabled")]));
    let described = world.forge(["--json", "secret", "describe", DB]).succeeds().json();
    assert_eq!(described["attributes"], json!({ "max-versions": "2", "delete-version-after": "1h30m0s" }));
    assert_eq!(described["version"]["id"], "3");
    let expires = described["version"]["expires_at"].as_str().unwrap().to_owned();
    let told = metadata(&server)["versions"]["3"]["deletion_time"].as_str().unwrap().to_owned();
    assert_eq!(expires.get(..19), told.get(..19));
    world.forge(["secret", "rollback", DB, "--to", "1"]).exits(3);
}

#[test]
fn a_history_that_is_longer_than_a_page_is_told_whole() {
    let (server, world) = written(&[]);
    server.bao(["kv", "metadata", "put", "-mount=secret", "-max-versions=150", "app/db"]).unwrap();
    for number in 1..=120 {
        server.root("POST", "secret/data/app/db", &format!(r#"{{"data":{{"n":{number}}}}}"#)).has_status(200);
    }
    let ids: Vec<String> = states(&world).into_iter().map(|(id, _)| id).collect();
    let expected: Vec<String> = (1..=120).rev().map(|number: u32| number.to_string()).collect();
    assert_eq!(ids, expected);
}

#[test]
fn version_1_refuses_each_of_these_by_name_and_sends_nothing() {
    let server = OpenBao::start();
    server.mount("one", 1);
    let world = root_world();
    add_vault(&world, &server, ["--set", "mount=one"]).succeeds();
    set(&world, DB, "x").succeeds();
    let old = format!("{DB}?version=1");
    let before = world.audit().len();
    let runs = [
        world.forge(["secret", "versions", DB]),
        world.forge(["secret", "rollback", DB, "--to", "1"]),
        world.forge(["secret", "recover", DB]),
        world.forge(["secret", "purge", DB, "--yes"]),
        world.forge(["secret", "enable", &old]),
        world.forge(["secret", "disable", &old]),
        world.forge(["secret", "get", &old]),
        world.command(["secret", "set", DB, "--tag", "a=b"]).input("x").run(),
    ];
    for run in &runs {
        run.exits(2).stderr_has("no such operation").stderr_has("version 1");
    }
    let sent: Vec<Json> = world.audit().split_off(before);
    assert_eq!(sent.len(), runs.len(), "each is recorded");
    assert!(sent.iter().all(|record| record["event"] == "operation"), "something was sent: {sent:?}");
    get(&world, DB).succeeds().stdout_is("x");
    world.forge(["secret", "describe", DB]).succeeds();
}
