//! The audit log: every operation and every request, no value, and no answer without a record.

use std::os::unix::fs::PermissionsExt as _;

use forge_tests::component;
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
    // Whoever took the log away is found, and a warning instead is a person's to choose.
    world.forge(["audit", "verify"]).exits(11).stderr_has("the file before it was removed");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    std::fs::create_dir_all(world.config().parent().unwrap()).unwrap();
    std::fs::write(world.config(), "[audit]\non-failure = \"warn\"\n").unwrap();
    let warned = get(&world, "a");
    warned.succeeds().stdout_is("not without a record").stderr_has("warning: this is not on record");
    let json = world.forge(["--json", "secret", "get", "a"]).succeeds().json();
    assert!(json["warnings"][0].as_str().unwrap().contains("not on record"), "{json}");
}

#[test]
fn an_operation_has_a_beginning_and_says_who_asked_why_and_for_which_value() {
    let world = World::new();
    set(&world, "app/db", "value-for-the-audit").succeeds();
    world.forge(["secret", "get", "app/db", "--reason", "ticket 17"]).succeeds();
    let records = world.audited();
    let (begin, end) = (&records[records.len() - 2], &records[records.len() - 1]);
    assert_eq!((begin["event"].as_str(), end["event"].as_str()), (Some("begin"), Some("operation")));
    assert_eq!(begin["id"], end["id"]);
    for record in [begin, end] {
        assert_eq!(record["reference"], "store://local/app/db");
        assert_eq!(record["reason"], "ticket 17");
        let program = record["program"].as_str().unwrap();
        assert!(program.starts_with("forge ") && program.ends_with(" secret get"), "{program}");
        assert!(!record["parent"].as_str().unwrap().is_empty());
    }
    let hash = world.command(["audit", "hash"]).input("value-for-the-audit\n").run();
    assert_eq!(end["value_hmac"], hash.succeeds().text().trim_end());
    assert_eq!(records[2]["value_hmac"], end["value_hmac"], "what was written");
    // Of another key it is another one, so nobody tries values at a copy of the log.
    let other = World::new();
    set(&other, "a", "x").succeeds();
    let others = other.command(["audit", "hash"]).input("value-for-the-audit\n").run();
    assert_ne!(others.succeeds().text(), hash.text());
    let long = "x".repeat(201);
    for reason in ["", "two\nlines", "\u{1b}[2J", &long] {
        world.forge(["secret", "get", "app/db", "--reason", reason]).exits(2).stdout_is("").stderr_has("--reason");
    }
}

#[test]
fn changes_of_forges_own_state_are_on_record_with_their_ends() {
    let world = World::new();
    let file = world.file("dev.env", "A=x\n");
    let setting = format!("file={file}");
    world.forge(["provider", "add", "dev", "--plugin", "textfile", "--set", &setting, "--yes"]).succeeds();
    let add = ["provider", "add", "bao", "--plugin", "vault", "--set", "address=http://127.0.0.1:1", "--yes"];
    world.command(add).variable("VAULT_TOKEN", "x").run().exits(6);
    world.forge(["provider", "remove", "dev", "--yes"]).succeeds();
    world.install(&component::attacker()).succeeds();
    world.forge(["plugin", "remove", "attacker"]).succeeds();
    std::fs::write(world.path("work/forge.toml"), "[secrets]\nA = \"app/a\"\n").unwrap();
    world.forge(["allow", "--yes"]).succeeds();
    world.forge(["allow", "--revoke"]).succeeds();
    world.forge(["doctor", "--move-key", "file"]).succeeds();
    let records = world.audited();
    let of = |event: &str| {
        let changes = records.iter().filter(|record| record["event"] == event && !record["change"].is_null());
        changes.map(|record| record["change"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let expected = [
        "provider-add",
        "provider-add",
        "provider-remove",
        "plugin-install",
        "plugin-remove",
        "project-allow",
        "project-revoke",
        "key-move",
    ];
    assert_eq!(of("change"), expected);
    assert_eq!(of("begin"), expected);
    let ends: Vec<_> = records.iter().filter(|record| record["event"] == "change").collect();
    let outcomes: Vec<bool> = ends.iter().map(|record| record["outcome"] == "ok").collect();
    assert_eq!(outcomes, [true, false, true, true, true, true, true, true]);
    assert_eq!(ends[0]["subject"], "dev");
    assert_eq!(ends[0]["fields"]["grant"].as_str().unwrap().len(), 64);
    assert_eq!(ends[3]["fields"]["sha256"], component::sha256(&component::attacker()));
    world.forge(["audit", "verify"]).succeeds();
    // What is only rehearsed changes nothing and is not on record.
    let before = world.audited().len();
    world.forge(["provider", "add", "d", "--plugin", "textfile", "--set", &setting, "--dry-run"]).succeeds();
    assert_eq!(world.audited().len(), before);
}
