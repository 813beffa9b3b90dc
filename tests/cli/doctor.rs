//! `forge doctor`: what it finds wrong with forge's own state, and what it counts.

use std::os::unix::fs::PermissionsExt as _;

use forge_tests::world::World;

use super::{get, set};

/// What `doctor --offline` says of a subject: its status and the rest of the line.
#[track_caller]
fn check(world: &World, subject: &str) -> (String, String) {
    let told = world.forge(["--json", "doctor", "--offline"]).json();
    let check = told["checks"].as_array().unwrap().iter().find(|check| check["subject"] == subject).unwrap().clone();
    (check["status"].as_str().unwrap().to_owned(), check["detail"].as_str().unwrap().to_owned())
}

#[test]
fn a_file_that_others_can_write_fails_with_what_mends_it() {
    let world = World::new();
    assert_eq!(check(&world, "files").0, "ok");
    set(&world, "a", "x").succeeds();
    let file = world.data().join("audit/audit.jsonl");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o620)).unwrap();
    let (status, detail) = check(&world, "files");
    assert!(status == "failed" && detail.contains("audit/audit.jsonl` can be written by others"), "{detail}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(check(&world, "files").0, "ok");
    std::fs::create_dir_all(world.config().parent().unwrap()).unwrap();
    std::fs::write(world.config(), "").unwrap();
    std::fs::set_permissions(world.config(), std::fs::Permissions::from_mode(0o666)).unwrap();
    world.forge(["doctor", "--offline"]).exits(10).stdout_has("config.toml` can be written by others");
}

#[test]
fn a_log_that_somebody_changed_fails() {
    let world = World::new();
    assert_eq!(check(&world, "audit log").1, "there are no records yet");
    set(&world, "a", "x").succeeds();
    // The doctor's own check of the store is on record, too.
    let (status, detail) = check(&world, "audit log");
    assert!(status == "ok" && detail.ends_with("records in 1 file, in one unbroken chain"), "{detail}");
    let file = world.data().join("audit/audit.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"set\"", "\"get\"", 1)).unwrap();
    let (status, detail) = check(&world, "audit log");
    assert!(status == "failed" && detail.contains("the record was changed"), "{detail}");
}

#[test]
fn the_secrets_of_a_configuration_are_counted_and_those_of_no_provider_told() {
    let world = World::new();
    std::fs::create_dir_all(world.config().parent().unwrap()).unwrap();
    let text = "[secrets]\nA = \"store://local/a\"\nB = { ref = \"b\", required = false }\n";
    std::fs::write(world.config(), text).unwrap();
    let expected = "2 named by `[secrets]`, 1 of them required";
    assert_eq!(check(&world, "secrets"), ("ok".to_owned(), expected.to_owned()));
    std::fs::write(world.config(), format!("{text}C = \"store://nowhere/c\"\n")).unwrap();
    let (status, detail) = check(&world, "secrets");
    assert!(status == "failed" && detail.ends_with("`C`: there is no provider `nowhere`"), "{detail}");
}

#[test]
fn what_the_log_says_of_the_last_day_is_counted() {
    let world = World::new();
    let metrics = || world.forge(["--json", "doctor", "--offline"]).json()["metrics"].clone();
    assert_eq!(metrics()["cache_hit_rate"], serde_json::Value::Null);
    set(&world, "a", "x").succeeds();
    get(&world, "a").succeeds();
    get(&world, "b").exits(3);
    world.forge(["secret", "rotate", "a"]);
    let told = metrics();
    assert_eq!((&told["by_operation"]["get"]["count"], &told["cache_misses"]), (&2.into(), &2.into()));
    assert!(told["latency"]["p99"].as_f64() <= told["latency"]["max"].as_f64() && told["since"].is_string(), "{told}");
    let operations = world.audit().into_iter().filter(|record| record["event"] == "operation").count();
    assert_eq!(metrics()["operations"].as_u64().unwrap(), operations as u64 + 1);
}
