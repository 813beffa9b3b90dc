//! The audit log by itself, in one process: a pair of records with and without waiting for the disk, and verifying.

use std::hint::black_box;
use std::time::{Duration, Instant};

use forge_core::audit::{Asked, Audit, Ended, Ending, Expected, Settings, Who};
use forge_tests::world::World;

use super::{median, row};

/// The median of so many pairs.
fn pairs(sync: bool, count: u64) -> (Audit, World, Duration) {
    let world = World::new();
    let who = Who { user: "bench (0)".to_owned(), program: "forge bench".to_owned(), ..Who::default() };
    let audit = Audit::new(&world.places(), Settings { sync, ..Settings::default() }, who);
    let plugin = "0".repeat(64);
    let pair = |number: u64| {
        let path = format!("app/{number}");
        let begun = Instant::now();
        let mut asked = Asked::new("bench (0)", "get", "local", &path, None);
        asked.plugin = &plugin;
        let id = audit.id().unwrap();
        audit.begin([(&id, &asked)]).unwrap();
        let ended = Ended {
            cached: false,
            outcome: "ok",
            value_hmac: audit.value(b"a value of usual length"),
            milliseconds: 1,
            ..Ended::default()
        };
        audit.end(&[Ending { id, asked: &asked, ended: &ended, requests: Vec::new() }], true).unwrap();
        begun.elapsed()
    };
    let times: Vec<Duration> = (0..count).map(pair).skip(10).collect();
    let time = median(times);
    (audit, world, time)
}

pub(super) fn audit() {
    println!("\naudit, in process");
    let (audit, _world, without) = pairs(false, 10_000);
    row("a pair of records, without fsync", without, None);
    let (_, _synced, with) = pairs(true, 200);
    row("a pair of records, each on the disk", with, Some(("without", without)));
    let begun = Instant::now();
    let report = black_box(audit.verify(Expected::default()).unwrap());
    assert!(report.fault.is_none());
    row(&format!("verifying {} records", report.records), begun.elapsed(), None);
}
