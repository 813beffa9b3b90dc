//! Copies in the memory of one process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::future::Cache;
use moka::policy::EvictionPolicy;

use super::{CacheKey, Copy, Rules};
use crate::secret::Secret;
use crate::time;

/// The largest value that is kept, in bytes: the number of copies is bounded, so this bounds their memory.
pub(super) const LARGEST: usize = 1 << 20;

/// A copy, or that there is nothing to copy.
#[derive(Debug)]
struct Held {
    answer: Option<Secret>,
    /// How old the copy was when it came here.
    before: Duration,
    /// When it came, by a clock that nobody sets, and by the one on the wall: the first stands still while a machine sleeps.
    since: Instant,
    wall: u64,
    /// How long it can be of use from then on.
    kept: Duration,
}

impl Held {
    fn age(&self) -> Duration {
        let wall = Duration::from_millis(time::now().saturating_sub(self.wall));
        self.before.saturating_add(self.since.elapsed().max(wall))
    }
}

/// What decides when an entry is dropped.
#[derive(Debug)]
struct Kept;

impl moka::Expiry<CacheKey, Arc<Held>> for Kept {
    fn expire_after_create(&self, _: &CacheKey, held: &Arc<Held>, _: Instant) -> Option<Duration> {
        Some(held.kept)
    }

    fn expire_after_update(&self, _: &CacheKey, held: &Arc<Held>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(held.kept)
    }
}

/// A bounded number of copies; the one that was not used for longest makes room.
#[derive(Debug)]
pub(super) struct Memory {
    copies: Cache<CacheKey, Arc<Held>>,
}

impl Memory {
    pub(super) fn new(entries: u64) -> Self {
        let builder = Cache::builder().max_capacity(entries).eviction_policy(EvictionPolicy::lru());
        Self { copies: builder.expire_after(Kept).build() }
    }

    pub(super) async fn get(&self, key: &CacheKey) -> Option<Copy> {
        let held = self.copies.get(key).await?;
        Some(Copy { age: held.age(), answer: held.answer.clone() })
    }

    /// Keeps an answer that was given `before` now.
    pub(super) async fn put(&self, key: CacheKey, rules: &Rules, answer: Option<Secret>, before: Duration) {
        let kept = rules.kept(answer.is_none()).saturating_sub(before);
        if kept.is_zero() || answer.as_ref().is_some_and(|secret| secret.value.len() > LARGEST) {
            self.copies.invalidate(&key).await;
            return;
        }
        let held = Held { answer, before, since: Instant::now(), wall: time::now(), kept };
        self.copies.insert(key, Arc::new(held)).await;
    }

    pub(super) async fn remove(&self, key: &CacheKey) {
        self.copies.invalidate(key).await;
    }

    pub(super) async fn forget(&self, is_gone: impl Fn(&CacheKey) -> bool) {
        let gone: Vec<_> = self.copies.iter().map(|(key, _)| key).filter(|key| is_gone(key)).collect();
        for key in gone {
            self.copies.invalidate(key.as_ref()).await;
        }
        // What is forgotten is wiped now, and not when the library comes to it.
        self.copies.run_pending_tasks().await;
    }

    /// How many copies there are, and the age of the oldest.
    pub(super) async fn entries(&self) -> (u64, Option<Duration>) {
        self.copies.run_pending_tasks().await;
        (self.copies.entry_count(), self.copies.iter().map(|(_, held)| held.age()).max())
    }
}
