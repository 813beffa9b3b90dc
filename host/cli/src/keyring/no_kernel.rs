//! The twin of `kernel` for systems without such a keyring: nothing is found and nothing kept.

use forge_core::sealing::SealingKey;

/// How long a key is kept, in seconds.
pub(super) const KEPT: usize = 0;

/// Nothing is kept.
pub(super) fn find(_id: &str) -> Option<SealingKey> {
    None
}

/// Keeps nothing.
pub(super) fn keep(_key: &SealingKey) {}

/// Nothing has to be forgotten.
pub(super) fn forget(_id: &str) {}
