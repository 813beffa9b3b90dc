//! `make bench`: medians and ratios of one run, measured on the real program, a real server and the real plugins.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a bench prints, and fails by panicking"
)]

mod audit;
mod cache;
mod clouds;
mod many;
mod masking;
mod policy;
mod processes;
mod references;
mod run;
mod sandbox;
mod sizes;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use forge_core::grant::Grant;
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::{World, program, root};

/// How often each thing is done; the median of so many moves by a few per cent between runs.
const PROCESSES: usize = 200;
const ROUNDS: usize = 50;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Runs each of several commands `rounds` times, turn by turn, so that what disturbs one disturbs all.
fn turn_by_turn(rounds: usize, commands: &mut [(&str, Command)]) -> Vec<Duration> {
    let mut times = vec![Vec::new(); commands.len()];
    for round in 0..rounds + 5 {
        for (at, (name, command)) in commands.iter_mut().enumerate() {
            let begun = Instant::now();
            let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            let took = begun.elapsed();
            assert!(status.success(), "`{name}` failed");
            // The first rounds warm the caches.
            if round >= 5 {
                times[at].push(took);
            }
        }
    }
    times.into_iter().map(median).collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// In milliseconds, or in microseconds where those would be a small part of one.
fn shown(time: Duration) -> String {
    let milliseconds = milliseconds(time);
    if milliseconds < 0.1 { format!("{:9.3} us", milliseconds * 1e3) } else { format!("{milliseconds:9.3} ms") }
}

fn row(name: &str, time: Duration, against: Option<(&str, Duration)>) {
    let ratio = against
        .map_or(String::new(), |(other, base)| format!("{:6.2} x {other}", time.as_secs_f64() / base.as_secs_f64()));
    println!("  {name:<44} {}  {ratio}", shown(time));
}

fn main() {
    let server = OpenBao::start();
    let world = World::new();
    world.command(["secret", "set", "bench"]).input("a value of usual length").run().exits(0);
    let address = format!("address={}", server.address());
    let add = ["provider", "add", "bao", "--plugin", "vault", "--set", &address, "--yes"];
    world.command(add).variable("VAULT_TOKEN", ROOT).run().exits(0);
    let set = world.command(["secret", "set", "store://bao/bench"]).variable("VAULT_TOKEN", ROOT);
    set.input("a value of usual length").run().exits(0);
    processes::processes(&world, &server);
    let home = world.places();
    let grant = std::fs::read(home.grant_file("bao")).unwrap();
    let grant: Grant = serde_json::from_slice(&grant).unwrap();
    let plugins = root().join("target/plugins");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(sandbox::calls(&home, &grant, &plugins, server.address()));
    let library = world.with("VAULT_TOKEN", ROOT);
    runtime.block_on(cache::cache(forge_tests::library::opened(&library, "bao", "vault")));
    audit::audit();
    policy::policy();
    clouds::aws();
    many::many();
    masking::masking();
    sandbox::installs(&plugins.join("vault.wasm"));
    references::references();
    run::run();
    sizes::sizes();
    let size = std::fs::metadata(program()).unwrap().len();
    println!("\n  {:<44} {:9.1} MiB", "the program with its plugins", size as f64 / f64::from(1 << 20));
}
