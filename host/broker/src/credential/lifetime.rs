//! How long a token lives: by the clock on the wall, which other processes share, and by one that nobody sets.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::kept::Kept;

/// The life of a token that a server gave.
pub(super) struct Lifetime {
    /// When it began, by the clock on the wall.
    pub(super) since: Timestamp,
    /// `None` for a token without an end, or with one that nobody told.
    pub(super) life: Option<Duration>,
    /// When two thirds of it are over, and when all of it is.
    due: Option<Instant>,
    over: Option<Instant>,
}

impl Lifetime {
    /// One that begins now.
    pub(super) fn begins(life: Option<Duration>) -> Self {
        let now = Instant::now();
        Self {
            since: Timestamp::now(),
            life,
            due: life.and_then(|life| now.checked_add(life * 2 / 3)),
            over: life.and_then(|life| now.checked_add(life)),
        }
    }

    /// The rest of the life of a token that was kept; `None` if it counts no more.
    pub(super) fn of(kept: &Kept) -> Option<Self> {
        let (age, left) = kept.age(Timestamp::now())?;
        let now = Instant::now();
        let life = kept.life.map(Duration::from_secs);
        Some(Self {
            since: kept.since,
            life,
            due: life.and_then(|life| now.checked_add((life * 2 / 3).saturating_sub(age))),
            over: left.and_then(|left| now.checked_add(left)),
        })
    }

    /// Whether it is time for another token.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }

    /// Whether the token is worth nothing any more.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_some_and(|over| Instant::now() >= over)
    }
}
