//! The sealing key in a desktop's keyring: where it lands, that it is nowhere else, and what a keyring without it means.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Barrier;

use forge_tests::outcome::contains;
use forge_tests::servers::keyring::{Desktop, kernel_forgets, kernel_has, kernel_has_keyrings};
use forge_tests::terminal::Terminal;
use forge_tests::world::{World, files, program};

use super::{get, set};

fn world(desktop: &Desktop) -> World {
    World::new().with("DBUS_SESSION_BUS_ADDRESS", desktop.address())
}

fn key_file(world: &World) -> PathBuf {
    world.data().join("keys/sealing.key")
}

/// The id of the key that the file says is in the keyring.
#[track_caller]
fn id(world: &World) -> String {
    let marker: serde_json::Value = serde_json::from_slice(&std::fs::read(key_file(world)).unwrap()).unwrap();
    assert_eq!(marker["kept_in"], "secret-service");
    marker["key_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_new_key_is_in_the_keyring_and_nowhere_in_the_home() {
    let mut desktop = Desktop::start();
    let world = world(&desktop);
    set(&world, "a", "sealed with it").succeeds();
    let id = id(&world);
    let key = desktop.looks_up(&id);
    assert_eq!(key.len(), 32);
    for file in files(&world.home()) {
        assert!(!contains(&std::fs::read(&file).unwrap(), &key), "the key is in `{}`", file.display());
    }
    // Another process gets it, with the kernel's help and without.
    get(&world, "a").succeeds().stdout_is("sealed with it");
    kernel_forgets(&id);
    get(&world, "a").succeeds().stdout_is("sealed with it");
    world.forge(["doctor"]).succeeds().stdout_has("in the desktop's keyring");
    if kernel_has_keyrings() {
        assert_eq!(kernel_has(&id), Some(key));
        desktop.log_out();
        get(&world, "a").succeeds().stdout_is("sealed with it");
    }
    kernel_forgets(&id);
}

#[test]
fn a_locked_keyring_is_told_and_opens_again_after_a_login() {
    let mut desktop = Desktop::start();
    let world = world(&desktop);
    set(&world, "a", "x").succeeds();
    let id = id(&world);
    let marker = std::fs::read(key_file(&world)).unwrap();
    desktop.lock();
    kernel_forgets(&id);
    for outcome in [get(&world, "a"), set(&world, "b", "y"), world.forge(["--json", "secret", "get", "a"])] {
        outcome.exits(5).stdout_is("").stderr_has("the keyring is locked");
    }
    // On a terminal the keyring asks; here nobody can answer it.
    let (screen, code) = Terminal::start(&world, ["secret", "get", "a"]).ends();
    assert_eq!(code, 5, "{screen}");
    assert!(screen.contains("refused"), "{screen}");
    let (screen, code) = Terminal::start(&world, ["--non-interactive", "secret", "get", "a"]).ends();
    assert!(code == 5 && !screen.contains("refused"), "{screen}");
    assert_eq!(std::fs::read(key_file(&world)).unwrap(), marker);
    desktop.log_out();
    desktop.log_in();
    get(&world, "a").succeeds().stdout_is("x");
    get(&world, "b").exits(3);
    kernel_forgets(&id);
}

#[test]
fn a_lost_or_swapped_key_is_told_and_what_it_sealed_is_not_harmed() {
    let mut desktop = Desktop::start();
    let world = world(&desktop);
    set(&world, "a", "x").succeeds();
    let id = id(&world);
    let backup = std::fs::read(desktop.file()).unwrap();
    let store =
        || files(&world.data().join("store")).into_iter().map(|f| std::fs::read(f).unwrap()).collect::<Vec<_>>();
    let before = store();
    desktop.clear(&id);
    kernel_forgets(&id);
    get(&world, "a").exits(11).stdout_is("").stderr_has("the keyring has no such key").stderr_has(&id);
    set(&world, "b", "y").exits(11);
    world.forge(["doctor"]).exits(10).stdout_has("FAIL  sealing key");
    desktop.replace(&id, "another-key-of-exactly-32-bytes!");
    get(&world, "a").exits(11).stdout_is("").stderr_has("another key");
    assert_eq!(store(), before);
    assert_eq!(kernel_has(&id), None);
    desktop.log_out();
    std::fs::write(desktop.file(), backup).unwrap();
    desktop.log_in();
    get(&world, "a").succeeds().stdout_is("x");
    kernel_forgets(&id);
}

#[test]
fn first_commands_at_once_make_one_key() {
    let desktop = Desktop::start();
    let world = world(&desktop);
    let all = Barrier::new(4);
    std::thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let (world, all) = (&world, &all);
            scope.spawn(move || {
                all.wait();
                set(world, name, name).succeeds();
            });
        }
    });
    assert_eq!(desktop.count(), 1);
    let id = id(&world);
    kernel_forgets(&id);
    for name in ["a", "b", "c", "d"] {
        get(&world, name).succeeds().stdout_is(name);
    }
    kernel_forgets(&id);
}

#[test]
fn without_a_session_bus_or_with_a_locked_keyring_the_key_is_in_a_file() {
    let alone = World::new();
    set(&alone, "a", "x").succeeds();
    assert_eq!(std::fs::read(key_file(&alone)).unwrap().len(), 32);
    let desktop = Desktop::start();
    desktop.lock();
    let locked = world(&desktop);
    set(&locked, "a", "x").succeeds().stderr_has("locked");
    assert_eq!(std::fs::read(key_file(&locked)).unwrap().len(), 32);
    let gone = World::new().with("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus");
    set(&gone, "a", "x").succeeds();
    assert_eq!(std::fs::read(key_file(&gone)).unwrap().len(), 32);
}

#[test]
fn the_configuration_says_where_a_new_key_goes_and_moves_no_old_one() {
    let desktop = Desktop::start();
    let world = world(&desktop);
    let say = |place: &str| {
        std::fs::create_dir_all(world.config().parent().unwrap()).unwrap();
        std::fs::write(world.config(), format!("[store]\nkey = \"{place}\"\n")).unwrap();
    };
    say("file");
    set(&world, "a", "x").succeeds();
    assert_eq!(std::fs::read(key_file(&world)).unwrap().len(), 32);
    say("keyring");
    get(&world, "a").succeeds().stdout_is("x");
    assert_eq!(std::fs::read(key_file(&world)).unwrap().len(), 32);
    assert_eq!(desktop.count(), 0);
    // A key in a file costs nothing of a keyring: nobody is connected to, and the kernel is not asked.
    let trace = world.path("trace");
    let traced = format!(
        "strace -f -qq -e trace=connect,add_key,keyctl -o {} {} secret get a",
        trace.display(),
        program().display()
    );
    assert!(world.shell(&traced).output().unwrap().stdout == b"x");
    let calls = std::fs::read_to_string(trace).unwrap();
    assert!(!calls.contains("connect(") && !calls.contains("key"), "{calls}");
    // Who wants the keyring and has none gets no file instead.
    let alone = World::new();
    std::fs::create_dir_all(alone.config().parent().unwrap()).unwrap();
    std::fs::write(alone.config(), "[store]\nkey = \"keyring\"\n").unwrap();
    set(&alone, "a", "x").exits(6).stderr_has("no keyring can be asked");
    assert!(!key_file(&alone).exists());
}

#[test]
fn the_key_moves_when_a_person_says_so_and_opens_the_same_store() {
    let desktop = Desktop::start();
    let world = World::new();
    set(&world, "a", "x").succeeds();
    let key = std::fs::read(key_file(&world)).unwrap();
    world.forge(["doctor", "--move-key", "keyring"]).exits(6);
    let world = world.with("DBUS_SESSION_BUS_ADDRESS", desktop.address());
    world.forge(["doctor"]).succeeds().stdout_has("--move-key keyring");
    desktop.lock();
    world.forge(["doctor", "--move-key", "keyring"]).exits(5);
    assert_eq!(std::fs::read(key_file(&world)).unwrap(), key);
    let desktop = Desktop::start();
    let world = world.with("DBUS_SESSION_BUS_ADDRESS", desktop.address());
    world.forge(["doctor", "--move-key", "keyring"]).succeeds().stderr_has("in the desktop's keyring now");
    let id = id(&world);
    assert_eq!(desktop.looks_up(&id), key);
    kernel_forgets(&id);
    get(&world, "a").succeeds().stdout_is("x");
    world.forge(["doctor", "--move-key", "keyring"]).succeeds().stderr_has("there already");
    let moved = world.forge(["--json", "doctor", "--move-key", "file"]);
    assert_eq!(moved.succeeds().json()["moved"], true);
    assert_eq!(std::fs::read(key_file(&world)).unwrap(), key);
    assert_eq!((desktop.count(), kernel_has(&id)), (0, None));
    get(&world, "a").succeeds().stdout_is("x");
    World::new().forge(["doctor", "--move-key", "file"]).exits(3);
}

#[test]
fn a_bus_that_another_user_listens_on_is_told_nothing() {
    let own = World::new();
    std::fs::create_dir_all(own.config().parent().unwrap()).unwrap();
    std::fs::write(own.config(), "[store]\nkey = \"keyring\"\n").unwrap();
    let is_root = std::fs::metadata(own.config()).unwrap().uid() == 0;
    // The twin is a bus of this user without a keyring; only root can be somebody else as well.
    for (is_other, why) in [(false, "nobody on the session bus keeps secrets"), (true, "belongs to another user")] {
        if is_other && !is_root {
            continue;
        }
        let name = format!("unix:abstract=forge-test-{}-{is_other}", std::process::id());
        let mut bus = Command::new(if is_other { "setpriv" } else { "env" });
        if is_other {
            bus.args(["--reuid=65534", "--regid=65534", "--clear-groups", "dbus-daemon", "--session"]);
        } else {
            // Without folders of services, so that it starts no keyring.
            let rules = "<allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/>";
            let content =
                format!("<busconfig><listen>{name}</listen><policy context=\"default\">{rules}</policy></busconfig>");
            bus.args(["dbus-daemon", "--config-file", &own.file("bus.conf", content)]);
        }
        bus.args(["--nofork", "--nopidfile", "--print-address", &format!("--address={name}")]);
        let mut bus = bus.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let run = own.command(["secret", "set", "a"]).variable("DBUS_SESSION_BUS_ADDRESS", &name);
        let outcome = run.input("x").run();
        bus.kill().unwrap();
        bus.wait().unwrap();
        outcome.exits(6).stderr_has(why);
        assert!(!key_file(&own).exists());
    }
}

#[test]
fn the_first_operation_makes_the_key_that_its_record_needs_and_what_only_looks_makes_none() {
    let desktop = Desktop::start();
    let world = world(&desktop);
    world.forge(["provider", "list"]).succeeds();
    world.forge(["audit", "verify"]).succeeds().stdout_has("no records yet");
    world.forge(["audit", "tail"]).succeeds().stdout_is("");
    world.command(["audit", "hash"]).input("x").run().exits(3);
    assert!(!key_file(&world).exists() && !world.data().join("audit").exists());
    assert_eq!(desktop.count(), 0);
    get(&world, "a").exits(3);
    assert_eq!(desktop.count(), 1);
    set(&world, "a", "x").succeeds();
    let id = id(&world);
    get(&world, "a").succeeds().stdout_is("x");
    // A key that is gone is told by what it sealed, and a read makes no other one.
    std::fs::remove_file(key_file(&world)).unwrap();
    get(&world, "a").exits(11).stderr_has("is gone");
    set(&world, "b", "y").exits(11).stderr_has("is gone");
    assert!(!key_file(&world).exists());
    assert_eq!(desktop.count(), 1);
    kernel_forgets(&id);
}
