//! The rate limit of one provider: a bucket of requests that fills at its rate, over all calls and logins of the process.

use std::sync::{Mutex, PoisonError};

use forge_core::rate::Rate;
use tokio::time::Instant;

use crate::budget::Spent;

/// What is left of a rate. Only when the bucket would be full is kept, and all else follows from it.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    full_at: Mutex<Option<Instant>>,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, full_at: Mutex::default() }
    }

    /// Waits for the next request's turn; each has its turn from the moment that it asks, in the order of asking.
    ///
    /// # Errors
    /// Its turn comes after the deadline. It then takes none, and knows that at once.
    pub(crate) async fn take(&self, deadline: Instant) -> Result<(), Spent> {
        let turn = self.turn(deadline)?;
        tokio::time::sleep_until(turn).await;
        Ok(())
    }

    fn turn(&self, deadline: Instant) -> Result<Instant, Spent> {
        let now = Instant::now();
        let interval = self.rate.interval();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full = full_at.map_or(now, |full| full.max(now));
        // A bucket that is full in less time than all but one take has one left.
        let turn = full.checked_sub(interval * (self.rate.burst() - 1)).map_or(now, |turn| turn.max(now));
        if turn > deadline {
            return Err(Spent::Rate(self.rate));
        }
        *full_at = Some(full + interval);
        Ok(turn)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bucket(rate: &str) -> Bucket {
        Bucket::new(rate.parse().unwrap())
    }

    /// When each of so many requests goes out, in milliseconds from now.
    async fn turns(bucket: &Bucket, count: usize, within: Duration) -> Vec<u128> {
        let begun = Instant::now();
        let mut turns = Vec::new();
        for _ in 0..count {
            bucket.take(begun + within).await.unwrap();
            turns.push(begun.elapsed().as_millis());
        }
        turns
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_as_the_rate_says_go_at_once_and_the_others_as_it_fills() {
        let bucket = bucket("4/s");
        let long = Duration::from_secs(60);
        assert_eq!(turns(&bucket, 8, long).await, [0, 0, 0, 0, 250, 500, 750, 1_000]);
        // A rest fills it, and no further than it was.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(turns(&bucket, 3, long).await, [0, 0, 250]);
        tokio::time::sleep(long).await;
        assert_eq!(turns(&bucket, 5, long).await, [0, 0, 0, 0, 250]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_beyond_the_deadline_is_told_at_once_and_takes_no_turn() {
        let bucket = bucket("1/m");
        let begun = Instant::now();
        let deadline = begun + Duration::from_secs(20);
        bucket.take(deadline).await.unwrap();
        for _ in 0..100 {
            assert!(matches!(bucket.take(deadline).await, Err(Spent::Rate(_))));
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        bucket.take(begun + Duration::from_secs(60)).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_at_the_same_moment_share_one_bucket() {
        let bucket = std::sync::Arc::new(bucket("2/s"));
        let begun = Instant::now();
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let bucket = std::sync::Arc::clone(&bucket);
            asking.spawn(async move {
                bucket.take(begun + Duration::from_secs(60)).await.unwrap();
                begun.elapsed().as_millis()
            });
        }
        let mut turns = asking.join_all().await;
        turns.sort_unstable();
        assert_eq!(turns, [0, 0, 500, 1_000, 1_500, 2_000]);
    }
}
