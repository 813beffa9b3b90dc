//! `forge run` while secrets change: what is mounted, how often it is read, and what a watched program gets.

use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::process::{Child, Command};

use forge_tests::servers::openbao::OpenBao;
use forge_tests::world::World;

use super::run::{eventually, kill, reads};
use super::{add_vault, root_world, set};

fn world() -> World {
    let world = World::new();
    set(&world, "app/db", "correct horse").succeeds();
    world
}

/// Reads a pipe as any program does.
fn content(world: &World, name: &str) -> String {
    let output = Command::new("cat").arg(world.path("work").join(name)).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Ends a program that waits for that on its input.
fn ended(mut child: Child) -> (Option<i32>, String) {
    drop(child.stdin.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

#[test]
fn a_mounted_file_is_a_pipe_of_this_user_s_that_each_reader_gets_whole_and_that_goes_away() {
    let world = world();
    // Longer than a pipe holds at once.
    let long = "correct horse ".repeat(20_000);
    set(&world, "app/db", long.clone()).succeeds();
    let mut child =
        world.command(["run", "--from", "app/**", "--mount", "db.env", "--", "sh", "-c", "echo ready; cat"]).start();
    reads(&mut child, "ready\n");
    let file = world.path("work/db.env");
    let metadata = file.symlink_metadata().unwrap();
    assert!(metadata.file_type().is_fifo() && metadata.permissions().mode() & 0o777 == 0o600, "{metadata:?}");
    for _ in 0..3 {
        assert!(content(&world, "db.env").contains(long.trim_end()));
    }
    // Whoever opens it and reads nothing holds up neither forge nor the others.
    let lazy = std::fs::File::open(&file).unwrap();
    assert!(content(&world, "db.env").contains(long.trim_end()));
    assert!(content(&world, "db.env").contains(long.trim_end()));
    drop(lazy);
    assert_eq!(ended(child).0, Some(0));
    assert_eq!(std::fs::read_dir(world.path("work")).unwrap().count(), 0);
}

#[test]
fn a_mounted_file_is_gone_after_its_last_reader() {
    let world = world();
    let mount = ["--mount", "db.env", "--mount-reads", "2", "--", "sh", "-c", "echo ready; cat"];
    let mut child = world.command(["run", "--from", "app/**"]).and(mount).start();
    reads(&mut child, "ready\n");
    for _ in 0..2 {
        assert_eq!(content(&world, "db.env"), "DB='correct horse'\n");
    }
    eventually("it is gone", || !world.path("work/db.env").exists());
    assert_eq!(ended(child).0, Some(0));
}

#[test]
fn a_mounted_file_is_removed_after_a_signal_and_nothing_else_is() {
    let world = world();
    for signal in ["TERM", "INT", "HUP"] {
        let mount = ["--mount", "db.env", "--", "sh", "-c", "echo ready; exec sleep 600"];
        let mut child = world.command(["run", "--from", "app/**"]).and(mount).start();
        reads(&mut child, "ready\n");
        assert!(world.path("work/db.env").exists());
        kill(signal, child.id());
        assert!(child.wait().unwrap().code() > Some(128));
        assert!(!world.path("work/db.env").exists(), "{signal}");
    }
    std::fs::write(world.path("work/there"), "mine").unwrap();
    std::os::unix::fs::symlink("nowhere", world.path("work/link")).unwrap();
    for name in ["there", "link", "."] {
        let outcome = world.forge(["run", "--from", "app/**", "--mount", name, "--", "touch", "started"]);
        outcome.exits(125).stderr_has("something is there already");
    }
    world.forge(["run", "--from", "app/**", "--mount", "no/such", "--", "touch", "started"]).exits(125);
    assert!(!world.path("work/started").exists());
    assert_eq!(std::fs::read(world.path("work/there")).unwrap(), b"mine");
    // What somebody puts in its place is theirs.
    let replace = "rm db.env; echo mine > db.env";
    world.forge(["run", "--from", "app/**", "--mount", "db.env", "--", "sh", "-c", replace]).succeeds();
    assert_eq!(std::fs::read(world.path("work/db.env")).unwrap(), b"mine\n");
}

#[test]
fn a_template_is_filled_and_needs_no_variables() {
    let world = world();
    let template = "{\"url\": \"postgres://app:${secret:app/db}@db\", \"again\": \"${secret:app/db}\"}";
    std::fs::write(world.path("work/template.json"), template).unwrap();
    let script =
        "python3 -c 'import json;print(len(json.load(open(\"out.json\"))[\"url\"]))'; echo ${DB-none}; cat out.json";
    let mount = ["run", "--mount", "out.json", "--mount-format", "template.json", "--", "sh", "-c", script];
    let masked = "{\"url\": \"postgres://app:***@db\", \"again\": \"***\"}";
    world.forge(mount).succeeds().stdout_is(format!("31\nnone\n{masked}"));
    std::fs::write(world.path("work/template.json"), "{\"a\": \"${secret:none}\"}").unwrap();
    world.forge(mount).exits(125).stderr_has("template.json:1:8: can't read `none`");
}

/// A backend with one secret, and a world that reads it as `DB`.
fn backend() -> (OpenBao, World) {
    let server = OpenBao::start();
    let world = root_world();
    add_vault(&world, &server, []).succeeds();
    set(&world, "store://bao/app/db", "first value").succeeds();
    std::fs::write(world.path("work/forge.toml"), "[secrets]\nDB = \"store://bao/app/db\"\n").unwrap();
    world.forge(["allow", "--yes"]).succeeds();
    (server, world)
}

/// How often the secret was read.
fn looks(world: &World) -> usize {
    world.audit().iter().filter(|record| record["operation"] == "get" && record["event"] == "operation").count()
}

#[test]
fn a_changed_value_starts_the_program_anew_and_an_unchanged_one_does_not() {
    let (_server, world) = backend();
    let script = "trap 'echo ending $DB; exit' TERM; echo \"begun ${#DB}\"; while :; do sleep 0.05; done";
    let mut child = world.command(["run", "--watch=1s", "--", "sh", "-c", script]).start();
    reads(&mut child, "begun 11\n");
    let before = looks(&world);
    eventually("it was looked at", || looks(&world) >= before + 2);
    set(&world, "store://bao/app/db", "a second value").succeeds();
    // The first one has not begun again in between, and what it prints at its end is masked.
    assert_eq!(reads(&mut child, "begun 14\n"), "ending ***\nbegun 14\n");
    // A new version of the same value is no change.
    set(&world, "store://bao/app/db", "a second value").succeeds();
    let before = looks(&world);
    eventually("it was looked at", || looks(&world) >= before + 2);
    kill("TERM", child.id());
    assert_eq!(reads(&mut child, "\n"), "ending ***\n");
    let (code, said) = ended(child);
    assert_eq!((code, said.as_str()), (Some(0), "secrets have changed: `sh` is started anew\n"));
}

#[test]
fn a_program_that_ignores_its_end_is_ended_by_force() {
    let (_server, world) = backend();
    let script = "trap '' TERM; echo \"begun ${#DB}\"; while :; do sleep 0.05; done";
    let mut child = world.command(["run", "--watch=1", "--", "sh", "-c", script]).start();
    reads(&mut child, "begun 11\n");
    set(&world, "store://bao/app/db", "a second value").succeeds();
    reads(&mut child, "begun 14\n");
    // A signal that it ignores ends neither of both.
    kill("TERM", child.id());
    let number = world.shell(&format!("ps -o pid= --ppid {}", child.id())).env("PATH", "/usr/bin:/bin").output();
    kill("KILL", String::from_utf8(number.unwrap().stdout).unwrap().trim().parse().unwrap());
    assert_eq!(ended(child).0, Some(137));
}

#[test]
fn a_watched_program_is_told_by_a_signal_and_finds_the_new_value_in_its_file() {
    let (_server, world) = backend();
    let script = "trap 'cat db.env; cat db.env | wc -c' USR1; echo begun; while :; do sleep 0.05; done";
    let watch = ["run", "--watch=1s", "--watch-signal", "USR1", "--mount", "db.env", "--", "sh", "-c", script];
    let mut child = world.command(watch).start();
    reads(&mut child, "begun\n");
    assert_eq!(content(&world, "db.env"), "DB='first value'\n");
    set(&world, "store://bao/app/db", "a second value").succeeds();
    // The new value is masked as well, though it was not known when the program began.
    assert_eq!(reads(&mut child, "20\n"), "DB='***'\n20\n");
    assert_eq!(content(&world, "db.env"), "DB='a second value'\n");
    set(&world, "store://bao/app/db", "third").succeeds();
    assert_eq!(reads(&mut child, "9\n"), "DB=third\n9\n");
    kill("TERM", child.id());
    assert_eq!(ended(child).0, Some(143));
}

#[test]
fn a_backend_that_is_away_leaves_the_program_running_with_one_warning() {
    let (mut server, world) = backend();
    // What stands in for the secret at a start is no change of it.
    set(&world, "other", "a stand-in").succeeds();
    let project = "[secrets]\nDB = { ref = \"store://bao/app/db\", fallback = [\"store://local/other\"] }\n";
    std::fs::write(world.path("work/forge.toml"), project).unwrap();
    world.forge(["allow", "--yes"]).succeeds();
    let mut child = world.command(["run", "--watch=1s", "--", "sh", "-c", "echo begun; cat"]).start();
    reads(&mut child, "begun\n");
    server.stop();
    let failed = || world.audit().iter().filter(|record| record["outcome"] == "unavailable").count();
    eventually("it was looked for", || failed() >= 3);
    let (code, said) = ended(child);
    assert_eq!(code, Some(0));
    assert_eq!(said.matches("warning: can't look for changed secrets").count(), 1, "{said}");
    assert!(!said.contains("started anew"), "{said}");
    world.forge(["run", "--", "sh", "-c", "echo ${#DB}"]).succeeds().stdout_is("10\n");
}
