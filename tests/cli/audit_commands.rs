//! `forge audit`: what `verify` finds and places, what `tail` shows, and what a head that was kept elsewhere is for.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;

use forge_tests::world::World;

use super::{get, set};

/// A world with a log of two writes and two reads, and the log's lines.
fn written() -> (World, Vec<String>) {
    let world = World::new();
    for name in ["a", "b"] {
        set(&world, name, "x").succeeds();
        get(&world, name).succeeds();
    }
    let text = std::fs::read_to_string(world.data().join("audit/audit.jsonl")).unwrap();
    (world, text.lines().map(str::to_owned).collect())
}

fn rewrite(world: &World, lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(world.data().join("audit/audit.jsonl"), text).unwrap();
}

#[test]
fn what_was_done_to_the_log_is_told_with_file_line_and_record() {
    let (world, lines) = written();
    world.forge(["audit", "verify"]).succeeds().stdout_has("9 records in 1 file, 1 to 9, in one unbroken chain");
    let edited = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        rewrite(&world, &lines);
        let told = world.forge(["audit", "verify"]);
        told.exits(11).stderr_has("audit/audit.jsonl`, line ");
        let json = world.forge(["--json", "audit", "verify"]);
        assert_eq!(json.exits(11).json()["ok"], false);
        // No head is given out for a log that is broken.
        world.forge(["audit", "head"]).exits(11).stdout_is("");
        told
    };
    let changed =
        |lines: &mut Vec<String>| lines[4] = lines[4].replace("\"ok\"", "\"no\"").replace("local/a", "local/c");
    edited(&changed).stderr_has("line 5, record 5: the record was changed");
    edited(&|lines| drop(lines.remove(4))).stderr_has("line 5, record 5: records up to 5 were removed");
    edited(&|lines| lines.swap(4, 5)).stderr_has("line 5, record 5: records were swapped");
    edited(&|lines| lines.push(lines[4].clone())).stderr_has("line 10, record 10: a line was put in, or appended");
    edited(&|lines| lines.truncate(7)).stderr_has("line 8, record 8: the log was cut: it ends with record 7");
    rewrite(&world, &lines);
    world.forge(["audit", "verify"]).succeeds();
    // The head is sealed in a file of its own, which only this user reads.
    let head = world.data().join("audit/head");
    assert_eq!(head.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::remove_file(head).unwrap();
    world.forge(["audit", "verify"]).exits(11).stderr_has("audit/head`: the head is gone");
}

#[test]
fn a_head_that_was_kept_elsewhere_shows_a_state_that_was_put_back() {
    let (world, _) = written();
    let folder = world.data().join("audit");
    let old: Vec<Vec<u8>> =
        ["head", "audit.jsonl"].iter().map(|name| std::fs::read(folder.join(name)).unwrap()).collect();
    let first = world.forge(["audit", "head"]).succeeds().text();
    get(&world, "a").succeeds();
    let later = world.forge(["audit", "head"]).succeeds().text();
    assert!(later.starts_with("11:"), "{later}");
    world.forge(["audit", "verify", "--head", first.trim_end()]).succeeds();
    std::fs::write(folder.join("head"), &old[0]).unwrap();
    std::fs::write(folder.join("audit.jsonl"), &old[1]).unwrap();
    // Both are genuine, so the log alone does not tell.
    world.forge(["audit", "verify"]).succeeds();
    world.forge(["audit", "verify", "--head", later.trim_end()]).exits(11).stderr_has("ends with record 9");
    get(&world, "b").succeeds();
    world.forge(["audit", "verify", "--head", later.trim_end()]).exits(11).stderr_has("both have a record 11");
    world.forge(["audit", "verify", "--head", "11:hunter2"]).exits(2).never_shows("panicked");
}

#[test]
fn tail_shows_the_last_records_by_what_is_asked_for() {
    let (world, _) = written();
    get(&world, "missing").exits(3);
    get(&world, "store://nobody/x").exits(3);
    let lines = |arguments: &[&str]| {
        let words: Vec<String> = ["audit", "tail"].iter().chain(arguments).map(|word| (*word).to_owned()).collect();
        world.words(&words).succeeds().text().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&["--operation", "set"]).len(), 2);
    assert_eq!(lines(&["--provider", "nobody"]).len(), 1);
    assert_eq!(lines(&["--outcome", "not-found"]).len(), 1);
    assert_eq!(lines(&["--everything"]).len(), 13);
    let last = lines(&["-n", "2"]);
    assert!(last.len() == 2 && last[0].contains("get store://local/missing  ok"), "{last:?}");
    let json = lines(&["-n", "1", "--json"]);
    let record: serde_json::Value = serde_json::from_str(&json[0]).unwrap();
    assert_eq!(record["outcome"], "not-found");
    // What somebody wrote into the log does not drive the terminal.
    let file = world.data().join("audit/audit.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + "{\"event\":\"operation\",\"operation\":\"\\u001b[2J\"}\n\u{1b}[2J\n").unwrap();
    assert!(lines(&[]).iter().all(|line| !line.contains('\u{1b}')));
}

#[test]
fn tail_follows_what_comes_until_nobody_reads_any_more() {
    let (world, _) = written();
    let mut child = world.command(["audit", "tail", "-n", "1", "--follow"]).start();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("get store://local/b"));
    get(&world, "later").exits(3);
    assert!(lines.next().unwrap().unwrap().contains("get store://local/later"));
    drop(lines);
    get(&world, "a").succeeds();
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_settings_of_the_log_are_a_persons_and_no_projects() {
    let (world, _) = written();
    std::fs::write(world.path("work/forge.toml"), "[audit]\non-failure = \"warn\"\n").unwrap();
    world.forge(["allow", "--yes"]).exits(2).stderr_has("audit");
    std::fs::remove_file(world.path("work/forge.toml")).unwrap();
    std::fs::create_dir_all(world.config().parent().unwrap()).unwrap();
    for (wrong, said) in [
        ("on-failure = \"ignore\"", "`audit.on-failure` must be `refuse` or `warn`"),
        ("rotate-at = \"1 GB\"", "`audit.rotate-at` must be a size"),
        ("sync = 1", "`audit.sync` must be `true` or `false`"),
        ("path = \"/dev/null\"", "audit.path"),
    ] {
        std::fs::write(world.config(), format!("[audit]\n{wrong}\n")).unwrap();
        get(&world, "a").exits(2).stdout_is("").stderr_has(said);
    }
    std::fs::write(world.config(), "[audit]\nsync = true\nrotate-at = \"1 MiB\"\n").unwrap();
    get(&world, "a").succeeds();
    world.forge(["audit", "verify"]).succeeds();
}
