//! A token that a login gave, in memory: its age by two clocks, and what is known of it.

use std::sync::Arc;
use std::time::Duration;

use forge_core::masking::Forms;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::Used;
use super::wire::Lease;
use crate::credential::kept::Kept;
use crate::credential::lifetime::Lifetime;

/// How long a denial says nothing about a token that may not look itself up. One that was revoked is denied just so,
/// and logging in at each denial would spend a secret's uses; so a login is tried, but not more often than this.
const BELIEVED: Duration = Duration::from_secs(300);

/// A token, and what its server said about its life.
pub(super) struct Got {
    pub(super) token: SecretString,
    pub(super) forms: Arc<Forms>,
    pub(super) edition: u64,
    pub(super) lifetime: Lifetime,
    /// The life that the login promised; a renewal that gives much less says that the longest life is near.
    pub(super) promised: Option<Duration>,
    pub(super) is_renewable: bool,
    /// Its policies don't let it look itself up, so a denial can't be told from a revoked token.
    pub(super) is_blind: bool,
    /// The server counts its uses, so it is gone before its life is over and not worth keeping.
    pub(super) is_counted: bool,
}

impl Got {
    pub(super) fn new(lease: Lease, edition: u64) -> Self {
        Self {
            forms: Arc::new(Forms::of(lease.token.expose_secret().as_bytes())),
            token: lease.token,
            edition,
            lifetime: Lifetime::begins(lease.life),
            promised: lease.life,
            is_renewable: lease.is_renewable,
            is_blind: false,
            is_counted: lease.is_counted,
        }
    }

    /// A token of another process, if it still counts.
    pub(super) fn of(kept: Kept, edition: u64) -> Option<Self> {
        let (lifetime, token) = (Lifetime::of(&kept)?, kept.token?);
        Some(Self {
            forms: Arc::new(Forms::of(token.expose_secret().as_bytes())),
            token,
            edition,
            lifetime,
            promised: kept.promised.map(Duration::from_secs),
            is_renewable: kept.is_renewable,
            is_blind: kept.is_blind,
            is_counted: false,
        })
    }

    /// From now on it lives as long as this lease says.
    pub(super) fn lives(&mut self, lease: &Lease) {
        self.lifetime = Lifetime::begins(lease.life);
        self.is_renewable = lease.is_renewable;
    }

    pub(super) fn is_due(&self) -> bool {
        self.lifetime.is_due()
    }

    pub(super) fn is_over(&self) -> bool {
        self.lifetime.is_over()
    }

    pub(super) fn is(&self, token: &SecretString) -> bool {
        self.token.expose_secret() == token.expose_secret()
    }

    /// Whether a denial says nothing about it, because it can't be asked about and was alive a moment ago.
    pub(super) fn is_believed(&self) -> bool {
        let age = Timestamp::now().as_millisecond().saturating_sub(self.lifetime.since.as_millisecond());
        self.is_blind && !self.is_over() && u128::try_from(age).unwrap_or_default() < BELIEVED.as_millis()
    }

    pub(super) fn used(&self, is_fresh: bool) -> Used {
        Used { text: self.token.clone(), forms: Arc::clone(&self.forms), edition: self.edition, is_fresh }
    }
}
