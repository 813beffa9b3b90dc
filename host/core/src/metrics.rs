//! How much was asked for, how long it took and how it ended: counted by the resolver as it goes, or from the audit log.
//!
//! Either way it is this one thing that counts, in bounded memory, and one [`Snapshot`] that is shown.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

mod histogram;
mod log;

pub use log::{LONGEST_TAIL, Log, MOST_OPERATIONS, of_log};

use histogram::Histogram;

/// The most names of one sort that are counted apart; what comes later is counted as [`OTHERS`].
const MOST_NAMES: usize = 256;

/// What names are counted as that come when there are as many as are counted apart.
const OTHERS: &str = "others";

/// One operation that has come to its end.
#[derive(Clone, Copy, Debug)]
pub struct Done<'a> {
    /// Its token, such as `get`.
    pub operation: &'a str,
    /// `ok`, or the token of the failure's kind.
    pub outcome: &'a str,
    /// Whether the cache answered.
    pub cached: bool,
    /// How long it took.
    pub took: Duration,
}

/// Counts operations and requests. It is shared by whoever counts and whoever looks.
#[derive(Debug, Default)]
pub struct Metrics {
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    operations: BTreeMap<String, Histogram>,
    failures: BTreeMap<String, u64>,
    requests: BTreeMap<String, u64>,
    hits: u64,
    misses: u64,
}

impl Metrics {
    /// Counts an operation.
    pub fn operation(&self, done: Done<'_>) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut counted.operations, done.operation, |times: &mut Histogram| times.add(micros(done.took)));
        if done.outcome != "ok" {
            count(&mut counted.failures, done.outcome, |failures| *failures += 1);
        }
        // A read that was refused or could not begin never came as far as the cache.
        let is_read = done.operation == "get" && !matches!(done.outcome, "access-denied" | "not-granted");
        match (is_read, done.cached) {
            (true, true) => counted.hits += 1,
            (true, false) => counted.misses += 1,
            (false, _) => {}
        }
    }

    /// Counts requests that went out for a provider.
    pub fn requests(&self, provider: &str, number: usize) {
        if number > 0 {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            count(&mut counted.requests, provider, |requests| *requests += number as u64);
        }
    }

    /// What was counted until now.
    pub fn snapshot(&self) -> Snapshot {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Histogram::default();
        counted.operations.values().for_each(|histogram| all.merge(histogram));
        let of = |(name, histogram): (&String, &Histogram)| (name.clone(), Latency::of(histogram));
        let looked = counted.hits + counted.misses;
        Snapshot {
            operations: all.count(),
            latency: Latency::of(&all),
            by_operation: counted.operations.iter().map(of).collect(),
            failures: counted.failures.clone(),
            cache_hits: counted.hits,
            cache_misses: counted.misses,
            cache_hit_rate: (looked > 0).then(|| ratio(counted.hits, looked)),
            requests: counted.requests.clone(),
        }
    }
}

/// Counts something under a name, as long as there are not too many names.
fn count<T: Default>(names: &mut BTreeMap<String, T>, name: &str, add: impl FnOnce(&mut T)) {
    if let Some(there) = names.get_mut(name) {
        return add(there);
    }
    let name = if names.len() < MOST_NAMES { name } else { OTHERS };
    add(names.entry(name.to_owned()).or_default());
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// A part of a whole, with four digits behind the point.
fn ratio(part: u64, whole: u64) -> f64 {
    let ten_thousandths = u128::from(part) * 10_000 / u128::from(whole.max(1));
    f64::from(u32::try_from(ten_thousandths).unwrap_or(u32::MAX)) / 10_000.0
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Snapshot {
    /// How many operations came to their end.
    pub operations: u64,
    /// How long they took.
    pub latency: Latency,
    /// How many of each there were and how long they took, by their tokens.
    pub by_operation: BTreeMap<String, Latency>,
    /// How many failed, by the token of the failure's kind.
    pub failures: BTreeMap<String, u64>,
    /// Reads that the cache answered.
    pub cache_hits: u64,
    /// Reads that it did not.
    pub cache_misses: u64,
    /// The part of the reads that the cache answered, from 0 to 1; nothing where there were none.
    pub cache_hit_rate: Option<f64>,
    /// How many requests went out, by the provider's name.
    pub requests: BTreeMap<String, u64>,
}

/// How long operations took: in milliseconds, each within 4 % of what it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// How many there were.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: f64,
    /// 95 of 100 took no longer.
    pub p95: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Latency {
    fn of(histogram: &Histogram) -> Self {
        let at = |hundredths| milliseconds(histogram.at(hundredths));
        Self { count: histogram.count(), p50: at(50), p95: at(95), p99: at(99), max: milliseconds(histogram.max()) }
    }
}

/// Microseconds as milliseconds, to the microsecond as far as they are shown in one.
fn milliseconds(micros: u64) -> f64 {
    // What took longer than an hour is told as that much.
    f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1_000.0
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "what is compared was made in the same way")]
mod tests {
    use super::*;

    fn done(operation: &'static str, outcome: &'static str, cached: bool, milliseconds: u64) -> Done<'static> {
        Done { operation, outcome, cached, took: Duration::from_millis(milliseconds) }
    }

    #[test]
    fn operations_failures_hits_and_requests_are_counted_apart() {
        let metrics = Metrics::default();
        assert_eq!(metrics.snapshot(), Snapshot::default());
        for _ in 0..3 {
            metrics.operation(done("get", "ok", true, 0));
        }
        metrics.operation(done("get", "unavailable", false, 20));
        // The policy refused it before the cache was asked.
        metrics.operation(done("get", "access-denied", false, 0));
        metrics.operation(done("set", "ok", false, 10));
        metrics.requests("prod", 2);
        metrics.requests("prod", 1);
        metrics.requests("local", 0);
        let snapshot = metrics.snapshot();
        assert_eq!(snapshot.operations, 6);
        assert_eq!((snapshot.cache_hits, snapshot.cache_misses, snapshot.cache_hit_rate), (3, 1, Some(0.75)));
        let failures = [("access-denied".to_owned(), 1), ("unavailable".to_owned(), 1)];
        assert_eq!(snapshot.failures, BTreeMap::from(failures));
        assert_eq!(snapshot.requests, BTreeMap::from([("prod".to_owned(), 3)]));
        assert_eq!(snapshot.by_operation.get("set").map(|set| (set.count, set.max)), Some((1, 10.0)));
        assert_eq!(snapshot.latency.max, 20.0);
    }

    #[test]
    fn names_without_end_take_memory_with_an_end() {
        let metrics = Metrics::default();
        for number in 0..10_000 {
            metrics.requests(&format!("provider-{number}"), 1);
        }
        let requests = metrics.snapshot().requests;
        assert_eq!(requests.len(), MOST_NAMES + 1);
        assert_eq!(requests.get(OTHERS), Some(&(10_000 - MOST_NAMES as u64)));
    }
}
