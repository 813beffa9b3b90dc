//! The embedded store under `kill -9` and power loss: what was acknowledged is there, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use forge_tests::world::{World, files, program};

use super::{get, set};

/// How often it all begins, and by how many writers at once.
const ROUNDS: u64 = 5;
const WRITERS: usize = 2;

/// Versions that the store keeps.
const KEPT: usize = 10;

/// What each round leaves in every name.
const LAST: &str = "the last word";

/// Random enough for moments: a seed that a failure can be told with, and the next number.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most.max(1)
    }
}

/// What one writer knows: of each name the last value that was acknowledged, and those of writes that it killed since.
#[derive(Default)]
struct Known {
    acknowledged: usize,
    killed: usize,
    values: BTreeMap<String, (Option<String>, Vec<String>)>,
    /// Versions of the name that all writers share, with their values.
    shared: Vec<(u64, String)>,
}

/// Writes until enough is acknowledged, and kills about every third of its processes at any moment of their lives.
fn write(world: &World, writer: usize, writes: usize, seed: u64) -> Known {
    let mut dice = Dice(seed | 1);
    let mut known = Known::default();
    let mut longest = Duration::from_millis(50);
    for number in 0.. {
        if known.acknowledged >= writes / WRITERS {
            break;
        }
        let name = if number % 4 == 0 { "shared".to_owned() } else { format!("own/{writer}/{}", number % 5) };
        let value = format!("{writer}-{number}-{}", "x".repeat(usize::try_from(dice.below(20_000)).unwrap()));
        let run = world.command(["--json", "secret", "set", &name]);
        let started = Instant::now();
        let mut child = run.start();
        // Who is killed before it reads closes the pipe, and that is the point.
        child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap_or_default();
        if dice.below(3) == 0 {
            std::thread::sleep(longest.mul_f64(dice.below(1_000) as f64 / 1_000.0));
            child.kill().unwrap_or_default();
        }
        let output = child.wait_with_output().unwrap();
        let entry = known.values.entry(name.clone()).or_default();
        if output.status.success() {
            longest = longest.max(started.elapsed().min(Duration::from_secs(1)));
            known.acknowledged += 1;
            if name == "shared" {
                let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
                let id = shown["version"]["id"].as_str().unwrap().parse().unwrap();
                known.shared.push((id, value.clone()));
            }
            *entry = (Some(value), Vec::new());
        } else {
            assert_eq!(output.status.code(), None, "{}", String::from_utf8_lossy(&output.stderr));
            known.killed += 1;
            entry.1.push(value);
        }
    }
    known
}

/// What must be true of the store after a round, whoever died in it.
fn check(world: &World, known: &[Known], seed: u64) {
    for (name, (acknowledged, killed)) in
        known.iter().flat_map(|known| &known.values).filter(|(name, _)| *name != "shared")
    {
        let found = get(world, name);
        if acknowledged.is_none() && found.code == Some(3) {
            continue;
        }
        let value = found.succeeds().text();
        // A write that was killed may have come as far as its rename; it is then whole.
        // One whose writes of this round were all killed may still hold what the round before left.
        let is_known = acknowledged.as_ref().map_or(value == LAST, |known| *known == value) || killed.contains(&value);
        assert!(is_known, "seed {seed}: `{name}` holds {}", &value[..value.len().min(20)]);
    }
    let shared: Vec<&(u64, String)> = known.iter().flat_map(|known| &known.shared).collect();
    let ids: BTreeSet<u64> = shared.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), shared.len(), "seed {seed}: a version was acknowledged twice");
    let shown = world.forge(["--json", "secret", "versions", "shared"]).json();
    let kept: Vec<u64> = shown["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(kept[0] >= *ids.last().unwrap() && kept.len() <= KEPT, "seed {seed}: {kept:?}");
    for (id, value) in shared.iter().filter(|(id, _)| kept.contains(id)) {
        get(world, &format!("shared?version={id}")).succeeds().stdout_is(value);
    }
}

/// What lies in the store beside heads and the values that they name.
fn strangers(world: &World) -> Vec<String> {
    let store = world.data().join("store");
    let mut strangers = Vec::new();
    let mut values: BTreeMap<String, usize> = BTreeMap::new();
    for file in files(&store) {
        let name = file.strip_prefix(&store).unwrap().to_str().unwrap().to_owned();
        if let Some((folder, _)) = name.strip_prefix(".versions/").and_then(|name| name.rsplit_once('/')) {
            *values.entry(folder.to_owned()).or_default() += 1;
        } else if !name.ends_with(".secret") && !matches!(name.as_str(), ".forge-store" | ".forge-lock") {
            strangers.push(name);
        }
    }
    strangers.extend(values.into_iter().filter(|(_, count)| *count > KEPT).map(|(folder, _)| folder));
    strangers
}

#[test]
fn a_thousand_acknowledged_writes_of_two_processes_outlive_kill_9_at_any_moment() {
    // In each of the rounds, among those of writers that are killed.
    let writes = 200;
    let world = World::new();
    set(&world, "first", "x").succeeds();
    let mut killed = 0;
    for round in 0..ROUNDS {
        let seed = u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()) + round;
        let known: Vec<Known> = std::thread::scope(|scope| {
            let world = &world;
            let start = |writer: usize| scope.spawn(move || write(world, writer, writes, seed * 2 + writer as u64));
            let writers: Vec<_> = (0..WRITERS).map(start).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        assert!(known.iter().map(|known| known.acknowledged).sum::<usize>() >= writes);
        killed += known.iter().map(|known| known.killed).sum::<usize>();
        check(&world, &known, seed);
        // One more write of each name finds what the dead ones left.
        for name in known.iter().flat_map(|known| known.values.keys()) {
            set(&world, name, LAST).succeeds();
        }
        assert_eq!(strangers(&world), [""; 0], "seed {seed}");
        world.forge(["secret", "purge", "shared", "--yes"]).succeeds();
    }
    assert!(killed > writes / 2, "only {killed} writers were killed");
}

#[test]
fn what_a_dead_writer_left_is_in_nobodys_way_and_goes_with_the_next_write() {
    let world = World::new();
    set(&world, "a", "one").succeeds();
    let store = world.data().join("store");
    std::fs::write(store.join(".forge-new"), "half a val").unwrap();
    // The lock is the system's and not the file's, so a file that is there locks nobody out.
    std::fs::write(store.join(".forge-lock"), "12345").unwrap();
    get(&world, "a").succeeds().stdout_is("one");
    assert_eq!(world.forge(["secret", "list"]).text(), "a\n");
    set(&world, "a", "two").succeeds();
    assert!(!store.join(".forge-new").exists());
}

/// The calls of a write that put something on the disk, in order, by the paths that strace shows.
fn traced(world: &World, name: &str, value: &str) -> Vec<String> {
    traced_below(world, "STORE", &world.data().join("store"), &["secret", "set", name], value)
}

/// The calls of a command, with `shown` in the place of `folder`, outside of which nothing counts.
fn traced_below(world: &World, shown: &str, folder: &Path, arguments: &[&str], value: &str) -> Vec<String> {
    let trace = world.path("trace");
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-y",
        "-s",
        "200",
        "-e",
        "trace=fsync,rename,renameat,renameat2,link,linkat,unlinkat,mkdir,mkdirat,write",
        "-o",
    ]);
    command.arg(&trace).arg(program()).arg("--json").args(arguments).env("HOME", world.home());
    command.env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME").env_remove("XDG_CACHE_HOME");
    command.env_remove("DBUS_SESSION_BUS_ADDRESS").env_remove("XDG_RUNTIME_DIR");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = folder.to_str().unwrap();
    let text = std::fs::read_to_string(trace).unwrap();
    let done = text.lines().filter(|line| line.ends_with(" = 0") || line.contains("write(1<"));
    let of_folder = |line: &&str| line.contains(folder) || line.contains("write(1<");
    done.filter(of_folder).map(|line| line.replace(folder, shown)).map(|line| shortened(&line)).collect()
}

/// `fsync STORE/.forge-new`, `rename .forge-new TO`, or `acknowledge`.
fn shortened(line: &str) -> String {
    let quoted: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
    let place = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(place, _)| place);
    match line {
        _ if line.contains("write(1<") => "acknowledge".to_owned(),
        _ if line.contains(" fsync(") => format!("fsync {place}"),
        _ if line.contains(" rename") => format!("rename {}", quoted.join(" ")),
        _ if line.contains(" link") => format!("link {}", quoted.join(" ")),
        _ if line.contains(" mkdir") => format!("make {}", quoted.join(" ")),
        _ => format!("remove {}", quoted.join(" ")),
    }
}

#[test]
fn a_write_is_on_the_disk_in_the_order_that_a_power_loss_needs_before_it_is_acknowledged() {
    let world = World::new();
    set(&world, "app/other", "x").succeeds();
    for value in ["one", "two"] {
        let calls = traced(&world, "app/db", value);
        let at = |wanted: &dyn Fn(&str) -> bool, from: usize| {
            let found = calls.iter().skip(from).position(|call| wanted(call));
            from + found.unwrap_or_else(|| panic!("missing after call {from} of {calls:#?}"))
        };
        let is_value_folder = |call: &str| call.starts_with("fsync STORE/.versions/") && !call.contains(".forge-new");
        let written = at(&|call| call == "fsync STORE/.forge-new", 0);
        let renamed = at(&|call| call.starts_with("rename .forge-new") && !call.contains(".secret"), written);
        let folder = at(&is_value_folder, renamed);
        let head_written = at(&|call| call == "fsync STORE/.forge-new", folder);
        let head_renamed =
            at(&|call| call.starts_with("rename .forge-new") && call.contains("db.secret"), head_written);
        let head_folder = at(&|call| call == "fsync STORE/app", head_renamed);
        let acknowledged = at(&|call| call == "acknowledge", head_folder);
        let synced_last = calls.iter().rposition(|call| call.starts_with("fsync"));
        assert!(synced_last < Some(acknowledged), "{calls:#?}");
        let heads = calls.iter().filter(|call| call.starts_with("rename") && call.contains("db.secret"));
        assert_eq!(heads.count(), 1, "the head was written before its value: {calls:#?}");
        // A folder that was made is itself on the disk before anything in it counts.
        for made in calls.iter().enumerate().filter(|(_, call)| call.starts_with("make")) {
            assert!(made.0 < head_written && calls[made.0 + 1].starts_with("fsync"), "{calls:#?}");
        }
    }
}

#[test]
fn the_sealing_key_is_on_the_disk_before_anything_that_it_sealed() {
    let world = World::new();
    let calls = traced_below(&world, "HOME", &world.home(), &["secret", "set", "a"], "x");
    let at = |wanted: &dyn Fn(&str) -> bool, from: usize| {
        let found = calls.iter().skip(from).position(|call| wanted(call));
        from + found.unwrap_or_else(|| panic!("missing after call {from} of {calls:#?}"))
    };
    let data = world.data();
    let data = format!("HOME/{}", data.strip_prefix(world.home()).unwrap().to_str().unwrap());
    let made = at(&|call| call == format!("make {data}/keys"), 0);
    let made = at(&|call| call == format!("fsync {data}"), made);
    let linked = at(&|call| call.starts_with("link ") && call.ends_with("/keys/sealing.key"), made);
    let folder = at(&|call| call == format!("fsync {data}/keys"), linked);
    let first = calls.iter().position(|call| call.contains(".forge-store") || call.contains(".secret"));
    assert!(Some(folder) < first, "{calls:#?}");
    // Of each folder above it, too, the name is on the disk.
    for (number, call) in calls.iter().enumerate().take(linked) {
        let Some(path) = call.strip_prefix("make ").filter(|path| data.starts_with(*path)) else { continue };
        let above = path.rsplit_once('/').unwrap().0;
        assert!(at(&|call| call == format!("fsync {above}"), number) < linked, "{path}: {calls:#?}");
    }
}
