//! One call for one secret at a time: whoever asks for the same meanwhile waits for its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::lock::{Mutex as Slot, OwnedMutexGuard};

use super::CacheKey;
use crate::provider::Failure;
use crate::secret::Secret;

/// What a read answered, for all who wait for it.
type Answer = Result<Option<Secret>, Failure>;

/// Where an answer will be. Whoever makes the call holds the lock until then.
type Seat = Arc<Slot<Option<Answer>>>;

/// The calls that are under way.
#[derive(Debug, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<CacheKey, Seat>>>);

/// What somebody who asks for a secret has to do.
#[derive(Debug)]
pub(crate) enum Boarding {
    /// Make the call, and [`Flight::land`] with its answer.
    Lead(Flight),
    /// Wait for somebody else's.
    Follow(Waiting),
}

/// A call that others may wait for. Where it is dropped without an answer, the first of them makes its own.
#[derive(Debug)]
pub(crate) struct Flight {
    key: CacheKey,
    seat: Seat,
    guard: OwnedMutexGuard<Option<Answer>>,
    flights: Arc<Mutex<HashMap<CacheKey, Seat>>>,
}

/// A call of somebody else's.
#[derive(Debug)]
pub(crate) struct Waiting(Seat);

impl Flights {
    pub(super) fn board(&self, key: &CacheKey) -> Boarding {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = flights.get(key) {
            return Boarding::Follow(Waiting(Arc::clone(seat)));
        }
        let seat = Seat::default();
        match seat.try_lock_owned() {
            Some(guard) => {
                flights.insert(key.clone(), Arc::clone(&seat));
                Boarding::Lead(Flight { key: key.clone(), seat, guard, flights: Arc::clone(&self.0) })
            }
            // A new lock is free; this is what would be right were it not.
            None => Boarding::Follow(Waiting(seat)),
        }
    }

    /// Nobody joins these calls any more: what they read may be what was there before a write.
    pub(super) fn forget(&self, is_gone: impl Fn(&CacheKey) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| !is_gone(key));
    }
}

impl Flight {
    /// Hands the answer to all who wait. A failure is theirs as well, and nobody's who comes later.
    pub(crate) fn land(mut self, answer: &Answer) {
        *self.guard = Some(answer.clone());
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if flights.get(&self.key).is_some_and(|seat| Arc::ptr_eq(seat, &self.seat)) {
            flights.remove(&self.key);
        }
    }
}

impl Waiting {
    /// The answer; `None` where whoever made the call gave up.
    pub(crate) async fn answer(self) -> Option<Answer> {
        self.0.lock().await.clone()
    }
}
