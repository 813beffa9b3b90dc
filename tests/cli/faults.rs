//! Faults between forge and each real server, by a proxy that is not ours: what is acknowledged is there, every failure is
//! named, and nothing is sent again that may not be. What a server holds is asked of it by its own client, past the proxy.

mod bytes;
mod servers;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use forge_tests::outcome::Outcome;
use forge_tests::servers::faults::Faults;
use forge_tests::world::World;
use serde_json::{Value as Json, json};

use super::{get, set};

/// What stands in each value, and in no output but that of a read.
const CANARY: &str = "canary+of+a+value";
/// What stands in each error that the proxy makes up: words of a server, which nobody is shown.
const WORDS: &str = "canary of the server's own words";
/// What a failed write says that may have arrived.
const LEFT_OPEN: &str = "it may have been done all the same";
/// Longer than any call may take, in ms: 20 s, and some for a machine that is busy.
const TOO_LATE: u32 = 24_000;
/// How long the proxy may take to pass on what it held back.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks a backend's own client what it holds under names.
type Stored = dyn Fn(&[String]) -> Json;

/// A server, with a proxy before it.
struct Subject {
    world: World,
    /// The provider whose requests go through `proxy`; the one with `-late` behind its name goes through `late`.
    provider: &'static str,
    proxy: Faults,
    late: Faults,
    /// Whether a write asks for something before it writes.
    asks_first: bool,
    /// How the backend says that it is asked too often, as an error of the proxy.
    throttled: Json,
    /// Whether a write is sent again that was not looked at because there were too many.
    waits_when_throttled: bool,
    /// Whether this record of a request is one of a write that would be done twice where it is sent twice.
    may_be_sent_once: fn(&Json) -> bool,
    /// How many requests the server got so far.
    arrived: Option<Box<dyn Fn() -> u64>>,
    /// The values under these names, of all their versions and of the current one, by the backend's own client.
    stored: Box<Stored>,
}

/// One kind of fault.
struct Fault {
    name: &'static str,
    /// What it does, as the proxy is told.
    rule: Json,
    /// What an error says of it, one or the other.
    says: &'static [&'static str],
}

/// A value that stands nowhere else, long enough that most of an answer with it is the value.
fn value(name: &str, number: u32) -> String {
    format!("{name} {number} {}", format!("{CANARY} {number} ").repeat(60))
}

fn kinds(throttled: &Json) -> Vec<Fault> {
    let fault = |name, rule, says| Fault { name, rule, says };
    let broken = &["broke off: "];
    let malformed = &["answered what its protocol does not have"];
    vec![
        fault("throttled", json!({ "error": throttled }), &["asks to slow down"]),
        fault(
            "failing",
            json!({ "error": { "code": "InternalServerError", "status": 500, "message": WORDS } }),
            &["answered 500"],
        ),
        fault("slow", json!({ "latency": 100 }), &[]),
        // The server never hears of it.
        fault("reset", json!({ "reset": true }), broken),
        // The server has done it, and the connection ends in the middle of the answer.
        fault("cut", json!({ "response": { "abort_frac": 0.5 } }), broken),
        // The same, and to the HTTP of it the answer is whole.
        fault("short", json!({ "response": { "truncate_frac": 0.5 } }), malformed),
        // One byte of the answer is another one, and no ASCII, so that what it stands in is no text any more. A plugin notices
        // that in all that it looks at. A change that leaves good text would be noticed by TLS and by Google's checksum alone;
        // this proxy makes none.
        fault("corrupt", json!({ "response": { "corrupt_bytes": 1 } }), malformed),
    ]
}

impl Subject {
    fn reference(&self, name: &str) -> String {
        format!("store://{}/{name}", self.provider)
    }

    /// The records of requests that went out through the proxy so far.
    fn records(&self) -> Vec<Json> {
        let mut records = self.world.audit();
        records.retain(|record| record["event"] == "request" && record["origin"] == self.proxy.origin());
        records
    }

    /// Expects a failure of this fault's kind that says who failed and how, and shows nothing of what it was about.
    #[track_caller]
    fn is_named(&self, outcome: &Outcome, fault: &Fault, what: &str) {
        outcome.exits(6).stdout_is("").stderr_has(what).stderr_has(self.proxy.origin());
        assert!(fault.says.iter().any(|says| outcome.stderr.contains(says)), "{}: {outcome:?}", fault.name);
        outcome.never_shows(CANARY).never_shows(WORDS);
    }
}

/// What was tried on one name: each value in its turn, and whether forge said that it was written.
type Tried = BTreeMap<String, Vec<(String, bool)>>;

fn prove(subject: &Subject) {
    set(&subject.world, &subject.reference("steady"), value("steady", 0)).succeeds();
    set(&subject.world, &subject.reference("late"), value("late", 0)).succeeds();
    let mut tried = std::thread::scope(|scope| {
        let world = &subject.world;
        let late = format!("store://{}-late", subject.provider);
        subject.late.set(1, 0, &json!({ "latency": TOO_LATE }));
        let before = subject.late.passed();
        let writing = scope.spawn({
            let late = late.clone();
            move || set(world, &format!("{late}/late"), value("late", 1))
        });
        let reading = scope.spawn(move || get(world, &format!("{late}/steady")));
        let tried = faults(subject);
        let (written, read) = (writing.join().unwrap(), reading.join().unwrap());
        // Who only asked has changed nothing.
        assert_eq!(written.stderr.contains(LEFT_OPEN), !subject.asks_first, "{written:?}");
        for (outcome, what) in [(&written, "can't write"), (read.never_shows(LEFT_OPEN), "can't read")] {
            outcome.exits(6).stdout_is("").stderr_has(what).stderr_has(subject.late.origin());
            outcome.stderr_has("did not answer in the time that one call has").never_shows(CANARY);
        }
        // What nobody waits for any more goes on to the server all the same. It was sent once.
        let started = Instant::now();
        while subject.late.passed().forwarded < before.forwarded + 2 {
            assert!(started.elapsed() < PATIENCE, "{:?}: {}", subject.late.passed(), subject.late.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(subject.late.passed().seen, before.seen + 2);
        tried
    });
    tried.insert("late".to_owned(), vec![(value("late", 0), true), (value("late", 1), false)]);
    tried.insert("steady".to_owned(), vec![(value("steady", 0), true)]);
    let stored = is_stored(subject, &tried);
    // A write that nobody waited for any more was done after all, but for one that had only asked: were it sent again, it would
    // be done twice.
    assert_eq!(stored["late"]["current"], value("late", u32::from(!subject.asks_first)));
    subject.world.keeps_nowhere(CANARY);
    subject.world.keeps_nowhere(WORDS);
}

/// Writes and reads through each kind of fault.
fn faults(subject: &Subject) -> Tried {
    let mut tried = Tried::new();
    for fault in kinds(&subject.throttled) {
        let (before, recorded) = (subject.proxy.passed(), subject.records().len());
        let arrived = || subject.arrived.as_ref().map(|arrived| arrived());
        let earlier = arrived();
        // Three in a row are as many as a request has attempts. Where each write asks first, it is not always the question
        // that is met.
        let (broken, whole) = if subject.asks_first { (2, 3) } else { (3, 2) };
        subject.proxy.set(broken, whole, &fault.rule);
        let mut failures = 0;
        for number in 0..6 {
            let name = format!("{}-{}", fault.name, number % 2);
            let written = set(&subject.world, &subject.reference(&name), value(&name, number));
            if written.code != Some(0) {
                failures += 1;
                subject.is_named(&written, &fault, "can't write");
                // It was done, and the answer was lost; what a server refused in so many words was not.
                let (lost, said) = (fault.name == "cut", matches!(fault.name, "throttled" | "failing"));
                assert!(!lost || subject.asks_first || written.stderr.contains(LEFT_OPEN), "{written:?}");
                assert!(!said || !written.stderr.contains(LEFT_OPEN), "{written:?}");
            }
            tried.entry(name.clone()).or_default().push((value(&name, number), written.code == Some(0)));
        }
        for _ in 0..3 {
            let read = get(&subject.world, &subject.reference("steady"));
            if read.code == Some(0) {
                read.stdout_is(value("steady", 0));
            } else {
                failures += 1;
                subject.is_named(&read, &fault, "can't read");
            }
        }
        subject.proxy.clear();
        let after = subject.proxy.passed();
        let context = format!("{} {}: {before:?} {after:?}", subject.provider, fault.name);
        assert!(after.faulted > before.faulted + 2, "{context}");
        // What is slow is only slow, and who asks to be left alone for a while is. Where a byte changes is left to chance, and
        // it may be where nobody looks.
        let is_borne = fault.name == "slow" || (fault.name == "throttled" && subject.waits_when_throttled);
        assert!(fault.name == "corrupt" || (failures == 0) == is_borne, "{failures} failures, {context}");
        let records = subject.records().split_off(recorded);
        // All that went out is on record, and the server got what the proxy let through and nothing besides.
        let sent: u64 = records.iter().map(|record| record["attempts"].as_u64().unwrap()).sum();
        assert_eq!(sent, after.seen - before.seen, "{context}");
        if let (Some(earlier), Some(now)) = (earlier, arrived()) {
            assert_eq!(now - earlier, after.forwarded - before.forwarded, "{context}");
        }
        let once: Vec<&Json> = records.iter().filter(|record| (subject.may_be_sent_once)(record)).collect();
        assert!(is_borne || once.iter().all(|record| record["attempts"] == 1), "{context}: {once:?}");
        // Reads are sent again, so the counting above counts something.
        let is_repeated = records.iter().any(|record| record["attempts"].as_u64() > Some(1));
        let is_answer = matches!(fault.name, "slow" | "short" | "corrupt");
        assert_eq!(is_repeated, !is_answer, "{context}");
    }
    tried
}

/// Expects that the server holds each value at most once, each that was acknowledged, the last of them as the current one, and
/// nothing besides.
fn is_stored(subject: &Subject, tried: &Tried) -> Json {
    let names: Vec<String> = tried.keys().cloned().collect();
    let stored = (subject.stored)(&names);
    let mut unacknowledged = 0;
    for (name, tried) in tried {
        let context = format!("{} {name}: {tried:?} {}", subject.provider, stored[name]);
        let found: Vec<&str> =
            stored[name]["all"].as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
        let written: Vec<&(String, bool)> = tried.iter().filter(|(value, _)| found.contains(&value.as_str())).collect();
        assert_eq!(found.len(), written.len(), "a value twice, or nobody's: {context}");
        assert!(
            tried.iter().all(|tried| !tried.1 || written.contains(&tried)),
            "acknowledged and not there: {context}"
        );
        let last = written.last().map(|(value, _)| value.as_str());
        assert_eq!(stored[name]["current"].as_str(), last, "not the last one: {context}");
        unacknowledged += written.iter().filter(|(_, acknowledged)| !acknowledged).count();
    }
    // Of answers that were lost some belonged to writes that were done: these are the ones that a second try would double.
    assert!(unacknowledged > 2, "{unacknowledged}: {tried:?}");
    stored
}

#[test]
fn whatever_breaks_on_the_way_each_acknowledged_write_is_there_and_none_is_there_twice() {
    type Start = fn() -> Subject;
    let servers: [(&str, Start); 5] = [
        ("openbao", servers::openbao),
        ("secrets manager", servers::secrets_manager),
        ("parameter store", servers::parameter_store),
        ("key vault", servers::key_vault),
        ("google", servers::google),
    ];
    // Side by side, since most of the time is spent waiting; each thread is told by its name in what it says.
    std::thread::scope(|scope| {
        let threads = servers.map(|(name, start)| {
            let thread = std::thread::Builder::new().name(name.to_owned());
            (name, thread.spawn_scoped(scope, move || prove(&start())).unwrap())
        });
        let failed = threads.into_iter().filter_map(|(name, thread)| thread.join().is_err().then_some(name));
        assert_eq!(failed.collect::<Vec<_>>(), [""; 0]);
    });
}
