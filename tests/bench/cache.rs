//! A read that a copy answers, in one process: the whole way, and what of it is the audit log.

use std::hint::black_box;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use forge_core::audit::{Audit, OnFailure, Settings, Who};
use forge_core::cache::{Cache, Terms};
use forge_core::home;
use forge_core::policy::{Caller, Policy};
use forge_core::provider::Failure;
use forge_core::resolver::{Opened, Providers, Resolver, Target};
use forge_tests::world::World;

use super::{median, row};

/// How many reads one time is the mean of: a clock does not tell a single one.
const AT_A_TIME: u32 = 1_000;

/// The one provider.
struct One(Opened);

#[async_trait]
impl Providers for One {
    async fn open(&self, _: Option<&str>) -> Result<Opened, Failure> {
        Ok(self.0.clone())
    }
}

/// The median of means of a read that a copy answers: opened provider, policy, copy, and audit where it can be written.
async fn read(world: &World, opened: &Opened, settings: Settings) -> Duration {
    let who = Who { user: "bench (0)".to_owned(), program: "forge bench".to_owned(), ..Who::default() };
    let audit = Audit::new(&world.places(), settings, who);
    let caller = Caller { user: "bench (0)".into() };
    let resolver = Resolver::new(Box::new(One(opened.clone())), caller, Policy::default(), Cache::new(100), audit);
    let target = Target { provider: None, path: "bench", version: None };
    assert!(resolver.read(target).await.unwrap().is_some());
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        for _ in 0..AT_A_TIME {
            black_box(resolver.read(target).await.unwrap());
        }
        times.push(begun.elapsed() / AT_A_TIME);
    }
    assert_eq!(resolver.cache().counts().await.misses, 1);
    median(times)
}

/// Cached reads with the log, and with a log whose key is away and whose settings say to go on, so that nothing is written.
pub(super) async fn cache(opened: Opened) {
    println!("\na cached read, in process, mean of {AT_A_TIME}");
    let world = World::new();
    let opened = Opened { terms: Terms::default(), ..opened };
    let with = read(&world, &opened, Settings::default()).await;
    let away = World::new();
    let marker = b"{\"schema_version\":1,\"kept_in\":\"secret-service\",\"key_id\":\"0123456789abcdef\"}";
    home::write(&away.places().sealing_key_file(), marker).unwrap();
    let settings = Settings { on_failure: OnFailure::Warn, ..Settings::default() };
    let without = read(&away, &opened, settings).await;
    row("policy and copy, nothing recorded (goal: 2 µs)", without, None);
    row("policy, copy and audit records", with, Some(("without", without)));
}
