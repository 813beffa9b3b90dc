//! The audit log: every operation and every request, no value, and no answer without a record.

use std::os::unix::fs::PermissionsExt as _;

use forge_tests::servers::openbao::OpenBao;
use forge_tests::world::World;

use super::{add_vault, get, root_world, set};

#[test]
fn every_operation_is_recorded_with_its_outcome_and_without_its_value() {
    let world = World::new();
    set(&world, "app/db", "value-for-the-audit").succeeds();
    get(&world, "app/db").succeeds();
    get(&world, "missing").exits(3);
    world.forge(["secret", "list", "app"]).succeeds();
    world.forge(["secret", "delete", "app/db", "--yes"]).succeeds();
    let records = world.audit();
    let told: Vec<(&str, &str, &str)> = records
        .iter()
        .map(|record| {
            let text = |name: &str| record[name].as_str().unwrap();
            (text("operation"), text("path"), text("outcome"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("set", "app/db", "ok"),
            ("get", "app/db", "ok"),
            ("get", "missing", "ok"),
            ("list", "app", "ok"),
            ("delete", "app/db", "ok")
        ]
    );
    for record in &records {
        assert_eq!(record["schema_version"], 1);
        assert_eq!(record["provider"], "local");
        assert_eq!(record["allowed"], true);
        assert_eq!(record["plugin"].as_str().unwrap().len(), 64);
        assert!(record["time"].as_str().unwrap().ends_with('Z'));
        assert!(!record["user"].as_str().unwrap().is_empty());
    }
    world.keeps_nowhere("value-for-the-audit");
    let file = world.data().join("audit/audit.jsonl");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_request_is_recorded_by_its_route_and_not_by_its_path() {
    let server = OpenBao::start();
    let world = root_world();
    add_vault(&world, &server, []).succeeds();
    set(&world, "store://bao/name-of-a-secret", "x").succeeds();
    get(&world, "store://bao/name-of-a-secret").succeeds();
    let records = world.audit();
    let requests: Vec<_> = records.iter().filter(|record| record["event"] == "request").collect();
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(request["origin"], server.address());
        assert!(!request.to_string().contains("name-of-a-secret"), "{request}");
        assert!(records.iter().any(|record| record["event"] == "operation" && record["id"] == request["id"]));
    }
}

#[test]
fn nothing_is_answered_that_can_not_be_recorded() {
    let world = World::new();
    set(&world, "a", "not without a record").succeeds();
    let file = world.data().join("audit/audit.jsonl");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let outcome = get(&world, "a");
    outcome.exits(1).stdout_is("").stderr_has("audit").never_shows("without a record");
    // Nor is somebody else's file written through a link.
    std::fs::remove_dir(&file).unwrap();
    let elsewhere = world.file("elsewhere", "");
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    get(&world, "a").exits(1).stdout_is("");
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "");
    std::fs::remove_file(&file).unwrap();
    get(&world, "a").succeeds().stdout_is("not without a record");
}
