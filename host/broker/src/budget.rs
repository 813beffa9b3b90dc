//! The budget of one call of a plugin: requests, bytes, time, denials.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use forge_core::manifest::LimitsAsk;
use forge_core::rate::Rate;
use tokio::time::Instant;

/// Bytes that one call may send, headers included.
const BYTES_OUT: u64 = 20 << 20;
/// Bytes of bodies that one call may receive, repeated answers included.
const BYTES_IN: u64 = 32 << 20;
/// Denials after which a call is not listened to any more: it is broken, or it is probing.
const DENIALS: u32 = 8;
/// Requests per call, unless the grant has more; and the most that a grant can have.
const REQUESTS: (u32, u32) = (16, 64);
/// Milliseconds per call, unless the grant has more; and the most that a grant can have.
const WALL: (u32, u32) = (20_000, 60_000);

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Spent {
    #[error("more requests than one call may make")]
    Requests,
    #[error("more bytes sent than one call may send (20 MiB)")]
    BytesOut,
    #[error("more bytes received than one call may receive (32 MiB)")]
    BytesIn,
    #[error("too many denied requests in one call")]
    Denials,
    #[error("the next turn that the rate limit of {0} leaves comes after the end of the call")]
    Rate(Rate),
}

/// What is left of one call's budget. Requests that go out in parallel share it.
#[derive(Debug)]
pub(crate) struct Budget {
    requests_left: AtomicU32,
    bytes_out: AtomicU64,
    bytes_in: AtomicU64,
    denials: AtomicU32,
    /// When the call's time is over.
    pub(crate) deadline: Instant,
}

impl Budget {
    /// A whole budget, whose time begins now.
    pub(crate) fn new(limits: &LimitsAsk) -> Self {
        let wall = limits.wall_ms.unwrap_or(WALL.0).min(WALL.1);
        Self {
            requests_left: AtomicU32::new(limits.requests.unwrap_or(REQUESTS.0).min(REQUESTS.1)),
            bytes_out: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            denials: AtomicU32::new(0),
            deadline: Instant::now() + Duration::from_millis(u64::from(wall)),
        }
    }

    /// Takes one request out of the budget.
    pub(crate) fn request(&self) -> Result<(), Spent> {
        if self.denials.load(Ordering::Relaxed) >= DENIALS {
            return Err(Spent::Denials);
        }
        self.requests_left
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .map(|_| ())
            .map_err(|_| Spent::Requests)
    }

    /// Counts bytes that are about to be sent.
    pub(crate) fn send(&self, bytes: u64) -> Result<(), Spent> {
        let before = self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > BYTES_OUT { Err(Spent::BytesOut) } else { Ok(()) }
    }

    /// Counts bytes that were received.
    pub(crate) fn receive(&self, bytes: u64) -> Result<(), Spent> {
        let before = self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > BYTES_IN { Err(Spent::BytesIn) } else { Ok(()) }
    }

    /// Counts a denial.
    pub(crate) fn denied(&self) {
        self.denials.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_has_sixteen_requests_unless_its_grant_says_otherwise_and_never_more_than_sixty_four() {
        for (asked, had) in [(None, 16), (Some(3), 3), (Some(64), 64), (Some(10_000), 64)] {
            let budget = Budget::new(&LimitsAsk { requests: asked, ..LimitsAsk::default() });
            assert!((0..had).all(|_| budget.request().is_ok()), "{asked:?}");
            assert_eq!(budget.request(), Err(Spent::Requests), "{asked:?}");
        }
    }

    #[tokio::test]
    async fn the_time_of_a_call_is_capped_whatever_the_grant_says() {
        let limits = LimitsAsk { wall_ms: Some(u32::MAX), ..LimitsAsk::default() };
        assert!(Budget::new(&limits).deadline <= Instant::now() + Duration::from_secs(60));
    }

    #[tokio::test]
    async fn bytes_are_counted_over_all_requests_of_a_call() {
        let budget = Budget::new(&LimitsAsk::default());
        assert_eq!(budget.send(BYTES_OUT), Ok(()));
        assert_eq!(budget.send(1), Err(Spent::BytesOut));
        assert_eq!(budget.receive(BYTES_IN), Ok(()));
        assert_eq!(budget.receive(1), Err(Spent::BytesIn));
    }

    #[tokio::test]
    async fn after_eight_denials_a_call_is_not_listened_to() {
        let budget = Budget::new(&LimitsAsk::default());
        (0..DENIALS).for_each(|_| budget.denied());
        assert_eq!(budget.request(), Err(Spent::Denials));
    }
}
