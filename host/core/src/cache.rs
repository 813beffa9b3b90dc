//! Fresh copies of secrets, in memory only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::policy::Caller;
use crate::secret::Secret;

/// Whose copy of what: another caller, grant or version never gets this one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// Who read it.
    pub caller: Caller,
    /// [`crate::grant::Grant::digest`], which holds plugin, settings and credential.
    pub grant: String,
    /// The path within the provider.
    pub path: String,
    /// The version asked for.
    pub version: Option<String>,
}

/// A bounded map of copies that grow old.
#[derive(Debug)]
pub struct Cache {
    time_to_live: Duration,
    most: usize,
    copies: Mutex<HashMap<CacheKey, (Instant, Secret)>>,
}

impl Cache {
    /// A cache of at most `most` secrets, each for `time_to_live`.
    pub fn new(time_to_live: Duration, most: usize) -> Self {
        Self { time_to_live, most, copies: Mutex::default() }
    }

    /// A copy that is still fresh at `now`.
    pub fn get(&self, key: &CacheKey, now: Instant) -> Option<Secret> {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let (stored, secret) = copies.get(key)?;
        if now.duration_since(*stored) < self.time_to_live {
            return Some(secret.clone());
        }
        copies.remove(key);
        None
    }

    /// Keeps a copy; the oldest makes room where there is none.
    pub fn put(&self, key: CacheKey, secret: Secret, now: Instant) {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        if copies.len() >= self.most && !copies.contains_key(&key) {
            let oldest = copies.iter().min_by_key(|(_, (stored, _))| *stored).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                copies.remove(&oldest);
            }
        }
        copies.insert(key, (now, secret));
    }

    /// Forgets every version of a path, because it was written or deleted.
    pub fn forget(&self, grant: &str, path: &str) {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.retain(|key, _| key.grant != grant || key.path != path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user: &str, path: &str) -> CacheKey {
        CacheKey {
            caller: Caller { user: user.to_owned() },
            grant: "g".to_owned(),
            path: path.to_owned(),
            version: None,
        }
    }

    #[test]
    fn a_copy_grows_old_and_belongs_to_its_caller() {
        let cache = Cache::new(Duration::from_secs(10), 2);
        let now = Instant::now();
        cache.put(key("a", "x"), Secret::default(), now);
        assert!(cache.get(&key("a", "x"), now + Duration::from_secs(9)).is_some());
        assert!(cache.get(&key("b", "x"), now).is_none());
        assert!(cache.get(&key("a", "x"), now + Duration::from_secs(10)).is_none());
        assert!(cache.get(&key("a", "x"), now).is_none(), "an old copy is gone, not hidden");
    }

    #[test]
    fn the_oldest_makes_room_and_a_write_forgets() {
        let cache = Cache::new(Duration::from_secs(10), 2);
        let now = Instant::now();
        for (age, path) in ["x", "y", "z"].into_iter().enumerate() {
            cache.put(key("a", path), Secret::default(), now + Duration::from_secs(age as u64));
        }
        assert!(cache.get(&key("a", "x"), now).is_none());
        assert!(cache.get(&key("a", "z"), now + Duration::from_secs(2)).is_some());
        cache.forget("g", "z");
        assert!(cache.get(&key("a", "z"), now + Duration::from_secs(2)).is_none());
    }
}
