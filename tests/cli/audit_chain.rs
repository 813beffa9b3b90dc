//! The chain under many processes, `kill -9` and a full disk: real processes, and the real program that verifies.

use std::collections::HashMap;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use forge_tests::world::{World, files, program};

use super::{get, set};

/// How large a file grows where the driver is not to rotate.
const LARGE: u64 = 1 << 30;

/// The driver, which audits `count` operations in this world.
fn auditor(world: &World, count: u64, rotate_at: u64) -> Command {
    let mut command = Command::new(program().with_file_name("auditor"));
    command.args([world.data().to_str().unwrap(), &count.to_string(), &rotate_at.to_string()]).env_clear();
    command
}

/// The records of all files, as they are.
fn records(world: &World) -> Vec<serde_json::Value> {
    let logs =
        files(&world.data().join("audit")).into_iter().filter(|file| file.extension().is_some_and(|e| e == "jsonl"));
    let text: String = logs.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How often each operation begins and ends.
fn pairs(world: &World) -> HashMap<String, (u64, u64)> {
    let mut pairs: HashMap<String, (u64, u64)> = HashMap::new();
    for record in records(world) {
        let id = record["id"].as_str().unwrap_or_default().to_owned();
        match record["event"].as_str().unwrap() {
            "begin" => pairs.entry(id).or_default().0 += 1,
            "operation" => pairs.entry(id).or_default().1 += 1,
            _ => {}
        }
    }
    pairs
}

#[test]
fn ten_thousand_operations_of_eight_processes_are_ten_thousand_pairs_in_one_unbroken_chain() {
    let world = World::new();
    let start = |_| auditor(&world, 1250, 1 << 20).stdout(Stdio::null()).spawn().unwrap();
    let children: Vec<Child> = (0..8).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let report = world.forge(["--json", "audit", "verify", "--all"]).succeeds().json();
    let files = report["files"].as_u64().unwrap();
    assert!(files > 5, "{report}");
    assert_eq!(
        (report["records"].as_u64(), report["unfinished"].as_u64()),
        (Some(20_000 + files), Some(0)),
        "{report}"
    );
    assert_eq!(report["notes"].as_array().unwrap().len(), 0, "{report}");
    let pairs = pairs(&world);
    assert!(pairs.len() == 10_000 && pairs.values().all(|pair| *pair == (1, 1)));
}

#[test]
fn writers_that_are_killed_at_any_moment_leave_one_chain_with_all_that_was_acknowledged() {
    let world = World::new();
    set(&world, "a", "x").succeeds();
    let mut acknowledged = 0;
    for round in 0..30_u64 {
        let start = |_| auditor(&world, 1 << 30, 64 << 10).stdout(Stdio::piped()).spawn().unwrap();
        let mut children: Vec<Child> = (0..3).map(start).collect();
        std::thread::sleep(Duration::from_micros(2_000 + (round * 7_919) % 40_000));
        for child in &mut children {
            child.kill().unwrap();
            let mut bytes = Vec::new();
            child.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
            acknowledged += bytes.len();
            child.wait().unwrap();
        }
    }
    get(&world, "a").succeeds();
    let report = world.forge(["--json", "audit", "verify", "--all"]).succeeds().json();
    let pairs = pairs(&world);
    let ended = pairs.values().filter(|pair| **pair == (1, 1)).count();
    assert!(acknowledged > 100 && ended >= acknowledged, "{acknowledged} of {ended}");
    let open = pairs.values().filter(|pair| **pair == (1, 0)).count() as u64;
    assert_eq!(report["unfinished"].as_u64(), Some(open));
    assert!(pairs.values().all(|pair| pair.0 == 1));
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_record_refuses_and_the_next_writer_goes_on() {
    let world = World::new();
    set(&world, "a", "the value").succeeds();
    // A shell under which files can't grow over 64 KiB, as on a disk that is full.
    let full = |command: &Command| {
        let mut shell = Command::new("bash");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "bash"]).arg(command.get_program());
        shell.args(command.get_args()).env("HOME", world.home()).stdin(Stdio::null());
        for name in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "DBUS_SESSION_BUS_ADDRESS"] {
            shell.env_remove(name);
        }
        shell.output().unwrap()
    };
    get(&world, "a").succeeds();
    let output = full(&auditor(&world, 1 << 20, LARGE));
    assert_eq!(output.status.code(), Some(1));
    let log = world.data().join("audit/audit.jsonl");
    assert_eq!(log.metadata().unwrap().len(), 64 << 10);
    let half = world.forge(["--json", "audit", "verify"]).succeeds().json();
    assert!(half["notes"][0].as_str().unwrap().contains("was not finished"), "{half}");
    let mut command = Command::new(program());
    command.args(["secret", "get", "a"]);
    let refused = full(&command);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && refused.stdout.is_empty() && told.contains("audit"), "{told}");
    // With room it goes on, and says what it found.
    get(&world, "a").succeeds().stdout_is("the value");
    let report = world.forge(["--json", "audit", "verify", "--all"]).succeeds().json();
    assert!(
        report["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains("torn-")),
        "{report}"
    );
    assert!(records(&world).iter().any(|record| record["event"] == "torn"));
}
