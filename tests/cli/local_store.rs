//! The embedded store: sealed, private, and told apart from one that somebody changed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use forge_tests::world::{World, files, program};

use super::{get, set};

/// A value that is looked for in every file.
const VALUE: &str = "canary-value-of-the-local-store";

/// The files of the store that are sealed: heads and values.
fn sealed(world: &World) -> Vec<PathBuf> {
    let mut sealed = files(&world.data().join("store"));
    sealed.retain(|file| !file.file_name().unwrap().to_str().unwrap().starts_with(".forge-"));
    sealed.sort();
    sealed
}

/// The heads of the secrets.
fn heads(world: &World) -> Vec<PathBuf> {
    let mut heads = sealed(world);
    heads.retain(|file| file.extension().is_some_and(|ending| ending == "secret"));
    heads
}

fn flip_last_bit(file: &PathBuf) {
    let mut bytes = std::fs::read(file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_version_that_is_missing_is_told_apart_from_a_secret_that_is() {
    let world = World::new();
    set(&world, "a", "x").succeeds();
    let rolled = |reference: &str| world.forge(["secret", "rollback", reference, "--to", "9"]);
    for outcome in [get(&world, "a?version=9"), rolled("a")] {
        outcome.exits(3).stderr_has("there is no such version").stderr_has("`forge secret versions a`");
    }
    for outcome in [get(&world, "b?version=9"), rolled("b")] {
        outcome.exits(3).stderr_has("there is no such secret").stderr_has("`forge secret list`");
    }
}

#[test]
fn a_value_lies_nowhere_in_the_clear_and_nothing_is_open_to_others() {
    let world = World::new();
    set(&world, "app/db", VALUE).succeeds().never_shows(VALUE);
    get(&world, "app/db").succeeds().stdout_is(VALUE);
    world.keeps_nowhere(VALUE);
    assert_eq!(sealed(&world).len(), 2, "a head and a value");
    for file in files(&world.home()) {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", file.display());
        let folder = file.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(folder & 0o077, 0, "the folder of {} has mode {folder:o}", file.display());
    }
}

#[test]
fn a_file_of_the_store_that_was_edited_is_refused() {
    let world = World::new();
    set(&world, "a", VALUE).succeeds();
    set(&world, "b", "another value").succeeds();
    let [head, _] = heads(&world).try_into().unwrap();
    let values = || sealed(&world).into_iter().filter(|file| !heads(&world).contains(file));
    // The value whose change makes `a` unreadable is that of `a`.
    let is_of_a = |value: &PathBuf| {
        let whole = std::fs::read(value).unwrap();
        flip_last_bit(value);
        let breaks = get(&world, "a").code == Some(11);
        std::fs::write(value, whole).unwrap();
        breaks
    };
    let value = values().find(is_of_a).unwrap();
    for first in [head, value] {
        edits_are_refused(&world, &first);
    }
}

#[track_caller]
fn edits_are_refused(world: &World, first: &PathBuf) {
    let whole = std::fs::read(first).unwrap();
    for change in [
        |bytes: &[u8]| bytes[..bytes.len() - 1].to_vec(),
        |bytes: &[u8]| [bytes, b"x"].concat(),
        |_: &[u8]| Vec::new(),
        |_: &[u8]| b"plain text put there by hand".to_vec(),
        |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes[0] ^= 0x80;
            bytes
        },
    ] {
        std::fs::write(first, change(&whole)).unwrap();
        get(world, "a").exits(11).stdout_is("").stderr_has("store");
    }
    std::fs::write(first, &whole).unwrap();
    flip_last_bit(first);
    get(world, "a").exits(11).stdout_is("");
    get(world, "b").succeeds().stdout_is("another value");
    std::fs::write(first, &whole).unwrap();
    get(world, "a").succeeds().stdout_is(VALUE);
}

#[test]
fn a_file_of_the_store_that_was_moved_is_refused() {
    let world = World::new();
    set(&world, "low", "the value of low").succeeds();
    set(&world, "high", "the value of high").succeeds();
    let [high, low] = heads(&world).try_into().unwrap();
    let whole = std::fs::read(&high).unwrap();
    std::fs::copy(&low, &high).unwrap();
    get(&world, "high").exits(11).stdout_is("");
    std::fs::write(&high, whole).unwrap();
    // A value of one secret in the place of the other's.
    let mut values = sealed(&world);
    values.retain(|file| !heads(&world).contains(file));
    let [one, other] = values.try_into().unwrap();
    let whole = std::fs::read(&other).unwrap();
    std::fs::copy(&one, &other).unwrap();
    let codes = [get(&world, "low").code, get(&world, "high").code];
    assert!(codes == [Some(0), Some(11)] || codes == [Some(11), Some(0)], "{codes:?}");
    std::fs::write(&other, whole).unwrap();
    get(&world, "high").succeeds();
    // A store of another machine has another id, though its files have the same names.
    let other = World::new();
    set(&other, "low", "another machine's low").succeeds();
    let [theirs] = heads(&other).try_into().unwrap();
    std::fs::copy(&theirs, &low).unwrap();
    get(&world, "low").exits(11).stdout_is("");
    // Two stores mixed: the id of the other one makes every file of this one a stranger.
    let id = world.data().join("store/.forge-store");
    let key = world.data().join("keys/sealing.key");
    std::fs::copy(other.data().join("keys/sealing.key"), key).unwrap();
    std::fs::copy(other.data().join("store/.forge-store"), id).unwrap();
    get(&world, "high").exits(11).stdout_is("");
}

#[test]
fn a_store_does_not_open_with_another_key_and_is_not_written_with_it() {
    let world = World::new();
    set(&world, "a", VALUE).succeeds();
    let key = world.data().join("keys/sealing.key");
    let ours = std::fs::read(&key).unwrap();
    let other = World::new();
    set(&other, "a", "x").succeeds();
    std::fs::copy(other.data().join("keys/sealing.key"), &key).unwrap();
    get(&world, "a").exits(11).stdout_is("").stderr_has("key");
    set(&world, "b", "new").exits(11);
    std::fs::write(&key, b"too short").unwrap();
    assert_ne!(get(&world, "a").code, Some(0));
    // A key that is gone is not made anew over a store that needs the old one.
    std::fs::remove_file(&key).unwrap();
    get(&world, "a").exits(11).stdout_is("");
    std::fs::write(&key, &ours).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    get(&world, "a").succeeds().stdout_is(VALUE);
}

#[test]
fn a_store_that_is_no_directory_is_told_and_nothing_is_lost() {
    let world = World::new();
    set(&world, "a", VALUE).succeeds();
    let (store, aside) = (world.data().join("store"), world.data().join("aside"));
    std::fs::rename(&store, &aside).unwrap();
    std::fs::write(&store, "in the way").unwrap();
    for outcome in [get(&world, "a"), set(&world, "a", "x"), world.forge(["secret", "list"])] {
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        outcome.stderr_has("store");
    }
    std::fs::remove_file(&store).unwrap();
    // A directory with files and without the store's id is somebody else's.
    std::fs::create_dir(&store).unwrap();
    std::fs::write(store.join("letter.txt"), "dear diary").unwrap();
    get(&world, "a").exits(11);
    set(&world, "a", "x").exits(11);
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::rename(&aside, &store).unwrap();
    get(&world, "a").succeeds().stdout_is(VALUE);
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    let world = World::new();
    set(&world, "large", vec![b'x'; 1 << 20]).succeeds();
    let script = format!("set -o pipefail; '{}' secret get large | head -c 1", program().display());
    let mut command = Command::new("bash");
    command.args(["-c", &script]).env("HOME", world.home()).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
    let output = command.output().unwrap();
    assert_eq!(output.stdout, b"x");
    assert!(output.status.success(), "{:?}", output.status);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn two_that_write_at_once_both_write_a_whole_value() {
    let world = World::new();
    set(&world, "first", "x").succeeds();
    let values: Vec<String> = (0..8).map(|writer| writer.to_string().repeat(50_000)).collect();
    std::thread::scope(|scope| {
        for value in &values {
            scope.spawn(|| {
                set(&world, "contended", value.as_str()).succeeds();
            });
        }
    });
    let kept = get(&world, "contended").succeeds().text();
    assert!(values.contains(&kept), "the value is a mixture");
    let shown = world.forge(["--json", "secret", "get", "contended"]).json();
    assert_eq!(shown["version"]["id"], "8", "a write was lost");
}

#[test]
fn only_one_of_many_that_expect_the_same_version_writes() {
    let world = World::new();
    set(&world, "compared", "x").succeeds();
    let codes: Vec<Option<i32>> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let run = world.command(["secret", "set", "compared", "--expected-version", "1"]);
                    run.input("mine").run().code
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == Some(9)).count(), 5, "{codes:?}");
}
