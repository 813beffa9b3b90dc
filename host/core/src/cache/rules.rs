//! For how long copies count, and where they may lie.

use std::time::Duration;

use serde::Serialize;
use sha2::Digest as _;
use zeroize::Zeroizing;

use crate::sealing::hex;

/// For how long copies of one provider's secrets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// How long a copy is as good as a read. Zero keeps nothing.
    pub time_to_live: Duration,
    /// How long it is believed that there is no such secret or version.
    pub negative: Duration,
    /// For how long after `time_to_live` a copy answers while the backend is unavailable.
    pub max_stale: Duration,
    /// Whether copies are kept on disk as well, sealed.
    pub disk: bool,
}

impl Default for Rules {
    /// In memory for 300 seconds (the default of the specification's `SECRETS_CACHE_TTL_SECONDS`), for 10 where there is
    /// nothing; never older, and not on disk.
    fn default() -> Self {
        Self {
            time_to_live: Duration::from_secs(300),
            negative: Duration::from_secs(10),
            max_stale: Duration::ZERO,
            disk: false,
        }
    }
}

impl Rules {
    /// Nothing is kept.
    pub const OFF: Self =
        Self { time_to_live: Duration::ZERO, negative: Duration::ZERO, max_stale: Duration::ZERO, disk: false };

    /// The same, where no copy may be older than `most`, whatever is unavailable.
    #[must_use]
    pub fn limited(self, most: Duration) -> Self {
        let time_to_live = self.time_to_live.min(most);
        Self {
            time_to_live,
            negative: self.negative.min(most),
            max_stale: self.max_stale.min(most.saturating_sub(time_to_live)),
            disk: self.disk && !most.is_zero(),
        }
    }

    /// Whether anything is kept at all.
    pub fn keeps(&self) -> bool {
        !self.time_to_live.is_zero()
    }

    /// How long a copy is kept: until it can answer nothing any more.
    pub(super) fn kept(&self, is_negative: bool) -> Duration {
        if is_negative { self.negative } else { self.time_to_live.saturating_add(self.max_stale) }
    }

    /// Whether a copy of this age is as good as a read.
    pub(super) fn is_fresh(&self, age: Duration, is_negative: bool) -> bool {
        age < if is_negative { self.negative } else { self.time_to_live }
    }
}

/// On which terms copies of one provider's secrets are kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// For how long.
    pub rules: Rules,
    /// Whether its backend is reached over the network.
    pub is_remote: bool,
}

/// What [`super::Identity::credential`] is of these sources and what is found there.
pub fn mark<'s>(sources: impl Iterator<Item = (&'s str, Option<Zeroizing<Vec<u8>>>)>) -> String {
    let mut hash = sha2::Sha256::new_with_prefix(b"forge cache credential\0");
    for (source, found) in sources {
        hash.update((source.len() as u64).to_be_bytes());
        hash.update(source.as_bytes());
        // That there is nothing is another state than that there is an empty text.
        hash.update(found.as_ref().map_or(u64::MAX, |found| found.len() as u64).to_be_bytes());
        hash.update(found.as_ref().map_or(&[][..], |found| found.as_slice()));
    }
    hex(&hash.finalize())
}
