//! Copies of secrets: whose they are, for how long they count, and where they lie.
//!
//! A copy is asked for after the policy, never before: a cached value is still a secret. What a backend denied or no longer
//! has is dropped, so that no copy outlives an answer of its backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::policy::Caller;
use crate::provider::Failure;
use crate::secret::Secret;

mod disk;
mod flight;
mod memory;
mod moment;
mod rules;
mod sealed;

pub use disk::{Disk, Entry};
pub(crate) use flight::{Boarding, Flight, Waiting};
pub use rules::{Rules, Terms, mark};

use flight::Flights;
use memory::Memory;

/// How many copies a process holds in memory unless the configuration says otherwise (the default of the specification).
pub const ENTRIES: u64 = 100;

/// Which provider a secret was read from: one that differs in any of these is another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its configured name.
    pub provider: String,
    /// [`crate::grant::Grant::digest`], which holds the settings, and the credential's source and identity.
    pub grant: String,
    /// SHA-256 of the plugin, in hexadecimal: another one may read other things under the same names.
    pub plugin: String,
    /// A digest of what it logs in with, as far as it lies in this machine's environment and files ([`mark`]): who has
    /// another credential under the same grant gets no copy of what this one may read. Empty where there is no copy that
    /// outlives a process, within which the credential stays what it is.
    pub credential: String,
}

impl std::hash::Hash for Identity {
    /// The grant's digest tells providers apart well enough to find an entry, and [`Eq`] looks at the rest.
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.grant.hash(state);
    }
}

/// Whose copy of what: whoever differs in any of these never gets it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// Who read it.
    pub caller: Caller,
    /// From where.
    pub identity: Arc<Identity>,
    /// The path within the provider.
    pub path: String,
    /// The version asked for.
    pub version: Option<String>,
}

/// A copy and its age.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    /// The secret; `None` is that there was no such secret or version.
    pub(crate) answer: Option<Secret>,
    /// How long ago the backend said so.
    pub(crate) age: Duration,
}

/// What the copies of this process were good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads that a copy answered, or the call of another read.
    pub hits: u64,
    /// Reads that a backend had to be asked for.
    pub misses: u64,
    /// Copies in memory.
    pub entries: u64,
    /// The age of the oldest of them.
    pub oldest: Option<Duration>,
}

/// The copies that one process has, in memory and by choice on disk.
#[derive(Debug)]
pub struct Cache {
    memory: Option<Memory>,
    disk: Option<Disk>,
    flights: Flights,
    /// How many times something was forgotten: a read that began before must not bring it back.
    forgotten: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Cache {
    /// Keeps nothing, and answers nothing.
    pub fn none() -> Self {
        Self::over(None)
    }

    /// Keeps at most `entries` copies in memory, each as long as its provider's [`Rules`] say. Values over 1 MiB are not kept.
    pub fn new(entries: u64) -> Self {
        Self::over((entries > 0).then(|| Memory::new(entries)))
    }

    fn over(memory: Option<Memory>) -> Self {
        Self {
            memory,
            disk: None,
            flights: Flights::default(),
            forgotten: AtomicU64::default(),
            hits: AtomicU64::default(),
            misses: AtomicU64::default(),
        }
    }

    /// The same, which has copies on disk where the rules say so.
    #[must_use]
    pub fn with_disk(self, disk: Disk) -> Self {
        Self { disk: Some(disk), ..self }
    }

    /// The disk, where copies under these rules lie on it.
    fn disk(&self, rules: &Rules) -> Option<&Disk> {
        self.disk.as_ref().filter(|_| rules.is_on_disk())
    }

    /// Whether anything is kept under these rules.
    pub(crate) fn keeps(&self, rules: &Rules) -> bool {
        self.memory.is_some() && rules.keeps()
    }

    /// A copy that is as good as a read.
    pub(crate) async fn fresh(&self, key: &CacheKey, rules: &Rules) -> Option<Copy> {
        let copy = self.find(key, rules).await?;
        rules.is_fresh(copy.age, copy.answer.is_none()).then_some(copy)
    }

    /// A copy that answers while its backend is unavailable; that there was nothing is no such answer.
    pub(crate) async fn stale(&self, key: &CacheKey, rules: &Rules) -> Option<(Secret, Duration)> {
        let copy = self.find(key, rules).await?;
        let is_within = copy.age < rules.kept(false);
        copy.answer.filter(|_| is_within).map(|secret| (secret, copy.age))
    }

    async fn find(&self, key: &CacheKey, rules: &Rules) -> Option<Copy> {
        let memory = self.memory.as_ref().filter(|_| rules.keeps())?;
        if let Some(copy) = memory.get(key).await {
            return Some(copy);
        }
        let copy = self.disk(rules)?.get(key)?;
        memory.put(key.clone(), rules, copy.answer.clone(), copy.age).await;
        Some(copy)
    }

    /// Makes the call for a secret, or waits for whoever makes it already.
    pub(crate) fn board(&self, key: &CacheKey) -> Boarding {
        self.flights.board(key)
    }

    /// What [`Cache::keep`] has to know of the time at which a read began.
    pub(crate) fn begun(&self) -> u64 {
        self.forgotten.load(Ordering::SeqCst)
    }

    /// Keeps what a backend answered to a read that began at `begun`.
    pub(crate) async fn keep(&self, key: &CacheKey, rules: &Rules, answer: &Option<Secret>, begun: u64) {
        let Some(memory) = self.memory.as_ref().filter(|_| rules.keeps()) else { return };
        memory.put(key.clone(), rules, answer.clone(), Duration::ZERO).await;
        match (self.disk(rules), answer) {
            (Some(disk), Some(secret)) => disk.put(key, secret),
            // That there is nothing is not kept on disk.
            (Some(disk), None) => disk.remove(key),
            // Whatever the rules are now, an older copy is none any more.
            (None, _) => self.drop_earlier(key),
        }
        // Looked at after it is there: a write that came in between has forgotten it, or is seen here.
        if self.begun() != begun {
            self.drop(key).await;
        }
    }

    /// Drops a copy of before this process, where a backend was asked under rules that keep none: what it says counts for
    /// that one, too, which other rules may make use of again.
    pub(crate) fn drop_earlier(&self, key: &CacheKey) {
        if let Some(disk) = &self.disk {
            disk.remove_earlier(key);
        }
    }

    fn remove_from_disk(&self, key: &CacheKey) {
        if let Some(disk) = &self.disk {
            disk.remove(key);
        }
    }

    /// Drops a copy whose backend denies it, or has it no longer.
    pub(crate) async fn drop(&self, key: &CacheKey) {
        if let Some(memory) = &self.memory {
            memory.remove(key).await;
        }
        self.remove_from_disk(key);
    }

    /// Forgets every version of a path for every caller, because it was written or deleted.
    pub(crate) async fn forget(&self, grant: &str, path: &str) {
        let is_gone = |key: &CacheKey| key.identity.grant == grant && key.path == path;
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.flights.forget(is_gone);
        if let Some(memory) = &self.memory {
            memory.forget(is_gone).await;
        }
        if let Some(disk) = &self.disk {
            disk.forget(grant, path);
        }
    }

    /// Forgets everything that is in memory.
    pub async fn clear(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.flights.forget(|_| true);
        if let Some(memory) = &self.memory {
            memory.forget(|_| true).await;
        }
    }

    /// Counts how a read was answered.
    pub(crate) fn count(&self, is_hit: bool) {
        let counter = if is_hit { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// What the copies of this process were good for.
    pub async fn counts(&self) -> Counts {
        let (entries, oldest) = match &self.memory {
            Some(memory) => memory.entries().await,
            None => (0, None),
        };
        let (hits, misses) = (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed));
        Counts { hits, misses, entries, oldest }
    }
}

/// Whether a failure is the backend's word that this caller may not have the secret, or that there is none: a copy of it is
/// worth nothing from then on.
pub(crate) fn is_answer(failure: &Failure) -> bool {
    use crate::Kind;
    matches!(
        failure.kind,
        Kind::NotFound
            | Kind::AccessDenied
            | Kind::Unauthenticated
            | Kind::WrongState
            | Kind::NotGranted
            | Kind::CredentialReflected
            | Kind::Integrity
    )
}

#[cfg(test)]
mod tests;
