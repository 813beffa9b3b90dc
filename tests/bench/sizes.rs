//! The embedded store with ten secrets in it, and with very many.

use std::process::Command;
use std::time::Duration;

use forge_core::grant::{DirectoryGrant, Grant};
use forge_core::manifest::DirectoryMode;
use forge_core::provider::{CallLog, SecretProvider as _};
use forge_core::secret::PutOptions;
use forge_sandbox::{Calls, Compiler, Directory, Doors, Sandbox, Seal};
use forge_tests::library::found;
use forge_tests::world::{World, program, root};

use super::processes::get;
use super::{ROUNDS, row, turn_by_turn};

/// How many secrets a store holds when it is measured.
const SIZES: [usize; 3] = [10, 1_000, 100_000];

/// The embedded store with ever more secrets in it: reading and writing one takes as long as before, or it does not.
pub(super) fn sizes() {
    println!("\nwhole processes over a local store, median of {ROUNDS}");
    let mut first: Option<Vec<Duration>> = None;
    for size in SIZES {
        // Filled in memory: what is measured is the program, and 100,000 flushes of a disk would take an hour.
        let world = World::within("/dev/shm");
        fill(&world, size);
        let mut set = Command::new(program());
        set.args(["secret", "set", "bench/0", "--from-file"]).arg(world.file("value", "a value of usual length"));
        set.env_clear().env("HOME", world.home());
        let mut commands = [("secret get", get(&world, "bench/0")), ("secret set", set)];
        let times = turn_by_turn(ROUNDS, &mut commands);
        for (at, (name, _)) in commands.iter().enumerate() {
            let base = first.as_ref().map(|first| ("with 10", first[at]));
            row(&format!("{name}, {size} secrets"), times[at], base);
        }
        first.get_or_insert(times);
    }
}

/// Writes secrets into the embedded store of a world, through the plugin and without a process for each.
pub(super) fn fill(world: &World, size: usize) {
    world.command(["secret", "set", "bench/0"]).input("a value of usual length").run().exits(0);
    let home = world.places();
    let path = home.local_store().display().to_string();
    let directory = DirectoryGrant { path: path.clone(), mode: DirectoryMode::ReadWrite, sealed: true, file: None };
    let grant = serde_json::json!({
        "schema_version": 1,
        "provider": "local",
        "plugin": { "builtin": "file" },
        "settings": { "path": path, "keep": "10" },
        "routes": [],
        "directories": [directory.clone()],
    });
    let grant: Grant = serde_json::from_value(grant).unwrap();
    let doors = Doors {
        directory: Some(Directory::new(&directory, Some(Seal::of(&home).unwrap()), "builtin:file".to_owned())),
        ..Doors::default()
    };
    let sandbox = Sandbox::start(&home, Compiler::new(program()), Calls::Many { at_once: 64 }).unwrap();
    let provider = sandbox.open(&found(&root().join("target/plugins/file.wasm")), &grant, doors).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for secret in 1..size {
            let path = format!("bench/{secret}");
            let (log, options) = (CallLog::default(), PutOptions::default());
            provider.put(&log, &path, b"a value of usual length", &options).await.unwrap();
        }
    });
}
