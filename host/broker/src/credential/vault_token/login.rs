//! A token that a login gave: kept with its lease, renewed while that lasts, and got anew when it does not.

use std::sync::Arc;
use std::time::Duration;

use forge_core::masking::Forms;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Used;
use super::wire::{Lease, Server};
use crate::Error;
use crate::credential::Errand;
use crate::credential::held::Held;

/// An AppRole login and the token it gave last.
pub(super) struct Login {
    /// Where the token is used, renewed and looked up.
    server: Server,
    /// Where the login goes; usually the same.
    endpoint: Server,
    mount: String,
    role_id: Held,
    secret_id: Option<Held>,
    /// Locked while a login or a renewal is under way, so that parallel requests wait for one login.
    last: Mutex<Option<Got>>,
}

/// A token, and what its server said about its life.
struct Got {
    token: SecretString,
    forms: Arc<Forms>,
    edition: u64,
    since: Instant,
    life: Option<Duration>,
    /// The life that the login promised; a renewal that gives much less says that the longest life is near.
    promised: Option<Duration>,
    is_renewable: bool,
    /// Its policies don't let it look itself up, so a denial can't be told from a revoked token.
    is_blind: bool,
}

impl Got {
    fn new(lease: Lease, edition: u64) -> Self {
        Self {
            forms: Arc::new(Forms::of(lease.token.expose_secret().as_bytes())),
            token: lease.token,
            edition,
            since: Instant::now(),
            life: lease.life,
            promised: lease.life,
            is_renewable: lease.is_renewable,
            is_blind: false,
        }
    }

    /// Two thirds of its life are over.
    fn is_due(&self) -> bool {
        self.life.is_some_and(|life| self.since.elapsed() * 3 >= life * 2)
    }

    fn is_over(&self) -> bool {
        self.life.is_some_and(|life| self.since.elapsed() >= life)
    }

    fn used(&self, is_fresh: bool) -> Used {
        Used { text: self.token.clone(), forms: Arc::clone(&self.forms), edition: self.edition, is_fresh }
    }
}

impl Login {
    pub(super) fn new(server: Server, endpoint: Server, mount: String, role_id: Held, secret_id: Option<Held>) -> Self {
        Self { server, endpoint, mount, role_id, secret_id, last: Mutex::const_new(None) }
    }

    /// The token: the last one while it lives, renewed at two thirds of its life, or one from a new login.
    pub(super) async fn current(&self, errand: &Errand<'_>) -> Result<Used, Error> {
        let mut last = self.last.lock().await;
        let Some(got) = last.as_mut() else {
            return Ok(last.insert(self.log_in(1, errand).await?).used(true));
        };
        if !got.is_due() || self.is_renewed(got, errand).await {
            return Ok(got.used(false));
        }
        match self.log_in(got.edition.saturating_add(1), errand).await {
            Ok(new) => Ok(last.insert(new).used(true)),
            // A secret that could be used once is spent, but what it bought still lives.
            Err(_) if !got.is_over() => Ok(got.used(false)),
            Err(error) => Err(error),
        }
    }

    /// After the edition `used` was refused: a newer token, unless this one is alive and its policies simply say no.
    pub(super) async fn newer_than(&self, used: u64, errand: &Errand<'_>) -> Result<Option<Used>, Error> {
        let mut last = self.last.lock().await;
        if let Some(got) = last.as_ref().filter(|got| got.edition != used) {
            return Ok(Some(got.used(true)));
        }
        // Logging in at each denial would spend the uses of a secret id and tell nothing new.
        if let Some(got) = last.as_ref() {
            if got.is_blind && !got.is_over() {
                return Ok(None);
            }
            if !self.is_refused(&got.token, errand).await? {
                return Ok(None);
            }
        }
        // Kept before anything else can fail: the secret it cost may have had one use.
        let new = last.insert(self.log_in(used.saturating_add(1), errand).await?);
        new.is_blind = self.is_refused(&new.token, errand).await.unwrap_or(true);
        Ok(Some(new.used(true)))
    }

    /// Whether the server refuses a token its own lookup.
    async fn is_refused(&self, token: &SecretString, errand: &Errand<'_>) -> Result<bool, Error> {
        match self.server.look_up(token, errand).await {
            Ok(_) => Ok(false),
            Err(Error::Rejected { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Renews in place. A renewal that is refused, or that adds little, is none: the longest life is reached.
    async fn is_renewed(&self, got: &mut Got, errand: &Errand<'_>) -> bool {
        if !got.is_renewable || got.is_over() {
            return false;
        }
        let Ok(lease) = self.server.renew(&got.token, errand).await else { return false };
        got.since = Instant::now();
        got.life = lease.life;
        got.is_renewable = lease.is_renewable;
        match (lease.life, got.promised) {
            (Some(life), Some(promised)) => life * 2 >= promised,
            _ => true,
        }
    }

    async fn log_in(&self, edition: u64, errand: &Errand<'_>) -> Result<Got, Error> {
        let (role_id, _) = self.role_id.read().await?;
        let secret_id = match &self.secret_id {
            Some(held) => Some(held.read().await?.0),
            None => None,
        };
        let text = secret_id.as_ref().map(|reading| &reading.text);
        let lease = match self.endpoint.log_in(&self.mount, &role_id.text, text, errand).await {
            // A secret id that a deployment replaced lies in the same file, so one more look is worth a try.
            Err(Error::Rejected { status: 400 | 401 | 403, .. })
                if let Some((held, used)) = self.secret_id.as_ref().zip(secret_id.as_ref())
                    && let Some(newer) = held.newer_than(used.edition).await? =>
            {
                self.endpoint.log_in(&self.mount, &role_id.text, Some(&newer.text), errand).await?
            }
            outcome => outcome?,
        };
        Ok(Got::new(lease, edition))
    }
}
