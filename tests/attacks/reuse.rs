//! Guests that look for what other calls left in places that are used again, as a server's sandbox does.

use std::sync::Arc;

use forge_broker::{Egress, Error, Options, Source, Sources};
use forge_core::Kind;
use forge_core::grant::Grant;
use forge_core::provider::{CallLog, SecretProvider as _};
use forge_sandbox::{Calls, Compiler, Doors, Found, Provider, Sandbox, inspect};
use forge_tests::component::{attacker, pack};
use forge_tests::world::program;
use secrecy::SecretString;
use tokio::sync::Semaphore;

use super::memory::search;
use super::{Ask, CANARY, Stage};

/// Answers for a credential when it is told to.
struct Held(Semaphore);

#[async_trait::async_trait]
impl Sources for Held {
    async fn read(&self, _: &Source) -> Result<SecretString, Error> {
        drop(self.0.acquire().await);
        Ok(SecretString::from(CANARY))
    }
}

/// The attacker as a stage granted it, in a sandbox of its own.
struct Opened {
    sandbox: Sandbox,
    found: Found,
    grant: Grant,
    held: Arc<Held>,
}

impl Opened {
    fn new(stage: &Stage, ask: &Ask, calls: Calls) -> Self {
        let home = stage.world.places();
        let grant = serde_json::from_slice(&std::fs::read(home.grant_file("evil")).unwrap()).unwrap();
        let bytes = pack(&attacker(), &ask.manifest());
        let found = Found { component: inspect(&bytes).unwrap(), bytes: bytes.into(), is_builtin: false };
        let sandbox = Sandbox::start(&home, Compiler::new(program()), calls).unwrap();
        Self { sandbox, found, grant, held: Arc::new(Held(Semaphore::const_new(0))) }
    }

    fn provider(&self, grant: &Grant) -> Provider {
        let egress = Some(Egress::open(grant, &Options::new(Arc::clone(&self.held) as Arc<dyn Sources>)).unwrap());
        self.sandbox.open(&self.found, grant, Doors { egress, ..Doors::default() }).unwrap()
    }
}

async fn get(provider: &Provider, path: &str) -> String {
    let secret = provider.get(&CallLog::default(), path, None).await.unwrap().unwrap();
    String::from_utf8(secret.value.expose().to_vec()).unwrap()
}

/// A place that was given back goes to the next call of the same plugin, so one round would do; more show that it stays so.
const ROUNDS: usize = 20;

/// A provider that holds the canary, and another of the same plugin that does not, in one sandbox.
async fn both(calls: Calls) {
    let ask = Ask::new().target(CANARY).limit("cpu-ms = 30000").credential("none");
    let stage = Stage::new(&ask);
    let opened = Opened::new(&stage, &ask, calls);
    let mut other = opened.grant.clone();
    other.settings.insert("target".to_owned(), "nothing".to_owned());
    let (victim, thief) = (opened.provider(&opened.grant), opened.provider(&other));
    for _ in 0..ROUNDS {
        // Open: within one call there is what the call itself put there.
        assert!(get(&victim, &search()).await.starts_with("found"));
        assert_eq!(get(&thief, "keep-state/3").await, "3");
        // Closed: the next has none of it.
        assert!(get(&thief, &search()).await.starts_with("not found"));
        assert_eq!(get(&thief, "keep-state/1").await, "1");
    }
}

#[tokio::test]
async fn a_call_finds_nothing_of_the_calls_before_it_in_the_places_that_they_had() {
    both(Calls::Many { at_once: PLACES }).await;
}

#[tokio::test]
async fn a_call_finds_nothing_of_the_calls_before_it_in_memory_of_its_own() {
    both(Calls::Few).await;
}

/// Calls that a sandbox for many has places for here.
const PLACES: u32 = 20;

#[tokio::test]
async fn more_calls_at_once_than_there_are_places_for_are_refused_and_the_others_are_served() {
    let ask = Ask::new();
    let stage = Stage::new(&ask);
    let opened = Opened::new(&stage, &ask, Calls::Many { at_once: PLACES });
    let provider = opened.provider(&opened.grant);
    // Each keeps its place, as the host waits for the credential of its request.
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..PLACES + 3 {
        let provider = provider.clone();
        calls.spawn(async move { provider.get(&CallLog::default(), "harmless", None).await.map(drop) });
    }
    for _ in 0..3 {
        let refused = calls.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!(refused.kind, Kind::Unavailable, "{refused:?}");
        assert!(refused.what.contains("too many calls of plugins"), "{refused:?}");
    }
    opened.held.0.add_permits(1);
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
    provider.get(&CallLog::default(), "harmless", None).await.unwrap();
}
