//! How a resolver goes about its reads: what it takes from copies, what may stand in, and whom it tells.

use std::collections::HashMap;
use std::time::Duration;

use crate::notice::Notices;

/// What copies are used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Fresh ones answer; those that are not answer while a backend is unavailable, as long as its rules allow.
    #[default]
    Usual,
    /// None answers, and each is replaced by what the backend says.
    Refresh,
    /// No backend is asked that needs the network: only copies answer for it.
    Offline,
}

/// How a resolver goes about its reads.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// What copies are used for.
    pub mode: Mode,
    /// Providers that are asked for the same path, in turn, while the default provider's backend is unavailable.
    pub fallback: Vec<String>,
    /// How old a copy of one secret may be at most, by provider and path, where it is less than its provider's rules say.
    pub limits: HashMap<(String, String), Duration>,
    /// How long after its time a copy answers at once while [`super::Resolver::revalidate`] is to read it anew. Zero where
    /// the process ends with its answer.
    pub while_revalidated: Duration,
    /// Where warnings go: a stale copy, or another provider's answer.
    pub notices: Notices,
}
