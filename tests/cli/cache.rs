//! Copies on disk: the next command has them, a backend that is down is stood in for, and what was denied stays denied.

use std::io::Write as _;
use std::time::Duration;

use forge_core::config::{Layer, Place};
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::{World, files, root};

use super::{add_vault, get, root_world, set};

/// Copies lie on disk; `ttl` is how long they are fresh.
fn keep_copies(world: &World, ttl: &str) {
    let text = format!("\n[cache]\nttl = \"{ttl}\"\nmax-stale = \"1h\"\ndisk = true\n");
    std::fs::OpenOptions::new().append(true).open(world.config()).unwrap().write_all(text.as_bytes()).unwrap();
}

/// A world with the provider `bao`, whose copies lie on disk.
fn copying(server: &OpenBao, ttl: &str) -> World {
    let world = root_world();
    add_vault(&world, server, []).exits(0);
    keep_copies(&world, ttl);
    world
}

/// Longer than copies are fresh for `1s`.
fn grow_old() {
    std::thread::sleep(Duration::from_millis(1_100));
}

/// How many copies there are on disk.
fn copies(world: &World) -> usize {
    files(&world.cache().join("secrets")).len()
}

#[test]
fn the_next_command_has_a_copy_that_is_sealed_and_asks_nobody() {
    let mut server = OpenBao::start();
    let world = copying(&server, "5m");
    set(&world, "store://bao/app/canary-name", "canary-value").exits(0);
    get(&world, "store://bao/app/canary-name").exits(0);
    assert_eq!(copies(&world), 1);
    world.keeps_nowhere("canary-value");
    let names: Vec<String> =
        files(&world.cache().join("secrets")).iter().map(|file| file.display().to_string()).collect();
    assert!(!names.concat().contains("canary"));
    server.stop();
    let read = get(&world, "store://bao/app/canary-name");
    read.exits(0).stdout_is("canary-value").stderr_is("");
    assert_eq!(world.audit().pop().unwrap()["cached"], true);
    // Nobody else's: neither another field of the key, nor whoever wants it anew.
    get(&world, "store://bao/app/canary-name?version=1").exits(6);
    world.forge(["secret", "get", "--refresh", "store://bao/app/canary-name"]).exits(6);
    std::fs::remove_dir_all(world.cache().join("secrets")).unwrap();
    get(&world, "store://bao/app/canary-name").exits(6);
}

#[test]
fn a_stale_copy_answers_while_the_backend_is_down_with_a_warning() {
    let mut server = OpenBao::start();
    let world = copying(&server, "1s");
    set(&world, "store://bao/app/db", "hunter2").exits(0);
    get(&world, "store://bao/app/db").exits(0);
    grow_old();
    get(&world, "store://bao/app/db").exits(0).stderr_is("");
    assert_eq!(
        world.audit().pop().unwrap()["cached"],
        false,
        "a copy that is not fresh answered for a backend that is up"
    );
    grow_old();
    server.stop();
    get(&world, "store://bao/app/db").exits(0).stdout_is("hunter2").stderr_has("is a copy of ").stderr_has("warning:");
    let record = world.audit().pop().unwrap();
    assert_eq!((&record["cached"], &record["outcome"]), (&true.into(), &"ok".into()));
    assert!(record["stale_seconds"].as_u64().is_some_and(|age| age >= 1), "{record}");
    world.forge(["audit", "tail", "-n", "1"]).exits(0).stdout_has("  from the cache, ").stdout_has(" old\n");
    let object = world.forge(["--json", "secret", "get", "store://bao/app/db"]).exits(0).json();
    assert!(object["warnings"][0].as_str().unwrap().contains("is a copy of "), "{object}");
    // Not longer than the rules of now say.
    let config = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), config.replace("\"1h\"", "\"0s\"")).unwrap();
    get(&world, "store://bao/app/db").exits(6);
}

#[test]
fn a_denied_or_missing_secret_is_never_answered_by_a_copy() {
    let mut server = OpenBao::start();
    let world = copying(&server, "1s");
    server.policy("reader", "path \"secret/data/app/*\" { capabilities = [\"read\"] }");
    let token = server.token(&["reader"]);
    let read = |token: &str, name: &str| world.command(["secret", "get", name]).variable("TOKEN", token).run();
    for name in ["store://bao/app/denied", "store://bao/app/gone"] {
        set(&world, name, "hunter2").exits(0);
        read(&token, name).exits(0).stdout_is("hunter2");
    }
    grow_old();
    server.policy("reader", "path \"secret/data/app/gone\" { capabilities = [\"read\"] }");
    server.root("DELETE", "secret/metadata/app/gone", "");
    read(&token, "store://bao/app/denied").exits(4);
    read(&token, "store://bao/app/gone").exits(3);
    assert_eq!(copies(&world), 0, "a copy outlived its denial");
    server.stop();
    read(&token, "store://bao/app/denied").exits(6);
    read(&token, "store://bao/app/gone").exits(6);
}

#[test]
fn what_a_backend_says_while_no_copies_are_kept_counts_for_the_copies_of_before() {
    for off in ["disk = false", "disk = true\n[providers.bao.cache]\nttl = \"0s\""] {
        let mut server = OpenBao::start();
        let world = copying(&server, "1s");
        server.policy("reader", "path \"secret/data/app/*\" { capabilities = [\"read\"] }");
        let token = server.token(&["reader"]);
        let read = |name: &str| world.command(["secret", "get", name]).variable("TOKEN", &token).run();
        let names = ["store://bao/app/denied", "store://bao/app/gone", "store://bao/app/new"];
        for name in names {
            set(&world, name, "hunter2").exits(0);
            read(name).exits(0).stdout_is("hunter2");
        }
        let config = std::fs::read_to_string(world.config()).unwrap();
        std::fs::write(world.config(), config.replace("disk = true", off)).unwrap();
        server.policy("reader", "path \"secret/data/app/*\" { capabilities = [\"read\"] }\npath \"secret/data/app/denied\" { capabilities = [\"deny\"] }");
        server.root("DELETE", "secret/metadata/app/gone", "");
        server.root("POST", "secret/data/app/new", r#"{"data":{"value":"hunter3"}}"#);
        read("store://bao/app/denied").exits(4);
        read("store://bao/app/gone").exits(3);
        read("store://bao/app/new").exits(0).stdout_is("hunter3");
        std::fs::write(world.config(), config).unwrap();
        server.stop();
        for name in names {
            read(name).exits(6).stdout_is("");
        }
    }
}

#[test]
fn a_copy_is_not_for_another_credential_or_another_grant() {
    let server = OpenBao::start();
    let world = copying(&server, "5m");
    set(&world, "store://bao/app/db", "hunter2").exits(0);
    let read = |token: &str| world.command(["secret", "get", "store://bao/app/db"]).variable("TOKEN", token).run();
    read(ROOT).exits(0);
    let stranger = server.token(&["default"]);
    read(&stranger).exits(4);
    read("nobody's").exits(5);
    read(ROOT).exits(0).stdout_is("hunter2");
    assert_eq!(world.audit().pop().unwrap()["cached"], true, "whom it belongs to has it still");
    // The same provider with another grant: what was read through the old one is no copy.
    let config = std::fs::read_to_string(world.config()).unwrap();
    world.forge(["provider", "remove", "bao", "--yes"]).exits(0);
    add_vault(&world, &server, ["--read-only"]).exits(0);
    assert!(config.contains("[cache]") && std::fs::read_to_string(world.config()).unwrap().contains("[cache]"));
    read(ROOT).exits(0);
    assert_eq!(world.audit().pop().unwrap()["cached"], false);
}

#[test]
fn a_write_is_seen_by_the_next_read() {
    let server = OpenBao::start();
    let world = copying(&server, "5m");
    for value in ["one", "two"] {
        set(&world, "store://bao/app/db", value).exits(0);
        get(&world, "store://bao/app/db").exits(0).stdout_is(value);
    }
    world.forge(["secret", "delete", "store://bao/app/db", "--yes"]).exits(0);
    get(&world, "store://bao/app/db").exits(3);
}

#[test]
fn a_copy_that_was_touched_is_read_anew_without_a_word() {
    let server = OpenBao::start();
    let world = copying(&server, "5m");
    set(&world, "store://bao/app/db", "hunter2").exits(0);
    get(&world, "store://bao/app/db").exits(0);
    let file = files(&world.cache().join("secrets")).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let read = world.forge(["-v", "secret", "get", "store://bao/app/db"]);
    read.exits(0).stdout_is("hunter2").stderr_has("dropped the copy");
    std::fs::write(&file, b"").unwrap();
    get(&world, "store://bao/app/db").exits(0).stdout_is("hunter2").stderr_is("");
}

#[test]
fn without_a_word_in_the_configuration_nothing_lies_on_disk_and_a_project_can_not_change_that() {
    let server = OpenBao::start();
    let world = root_world();
    add_vault(&world, &server, []).exits(0);
    set(&world, "store://bao/app/db", "hunter2").exits(0);
    get(&world, "store://bao/app/db").exits(0);
    assert_eq!(copies(&world), 0);
    std::fs::write(world.path("work/forge.toml"), "[cache]\ndisk = true\n").unwrap();
    world.forge(["allow"]).stderr_has("`cache.disk` can't be set by a project");
    // Less is a project's to ask for, and shown.
    std::fs::write(world.path("work/forge.toml"), "fallback = [\"local\"]\n[cache]\nttl = \"7s\"\n").unwrap();
    world.forge(["allow"]).stderr_has("cache.ttl = 7s").stderr_has("fallback = local");
}

#[test]
fn copies_are_shown_and_cleared() {
    let server = OpenBao::start();
    let world = copying(&server, "5m");
    for name in ["store://bao/app/a", "store://bao/app/b", "store://bao/other"] {
        set(&world, name, "hunter2").exits(0);
        get(&world, name).exits(0);
    }
    get(&world, "store://bao/other").exits(0);
    let status = world.forge(["--json", "cache", "status"]).exits(0).json();
    assert_eq!(status["copies"][0]["reference"], "store://bao/app/a");
    assert_eq!(status["copies"][2]["state"], "fresh");
    assert_eq!(status["providers"][0], serde_json::json!({ "provider": "bao", "reads": 4, "from_copies": 1 }));
    world.forge(["cache", "clear", "store://bao/app/**", "--dry-run"]).exits(0).stdout_has("store://bao/app/b");
    assert_eq!(copies(&world), 3);
    world.forge(["cache", "clear", "store://bao/app/**"]).exits(0);
    assert_eq!(copies(&world), 1);
    world.forge(["-p", "bao", "cache", "clear", "other"]).exits(0);
    assert_eq!(copies(&world), 0);
    get(&world, "store://bao/other").exits(0);
    world.forge(["cache", "clear"]).exits(0);
    assert_eq!(copies(&world), 0);
    let changes = world.audited().into_iter().filter(|record| record["change"] == "cache-clear");
    assert_eq!(changes.count(), 6, "a beginning and an end each");
}

#[test]
fn the_guides_configurations_are_ones_that_forge_reads() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for guide in ["Cache", "Fallback"] {
        let text = readme.split(&format!("\n## {guide}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
        let block = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let layer = Layer::parse(block.as_bytes(), &Place::default()).unwrap();
        assert!(!layer.secrets.is_empty() && (!layer.cache.is_empty() || layer.fallback.is_some()), "{guide}");
    }
}
