//! The seam through which tokens that logins gave outlive a process.

use std::sync::Arc;
use std::time::Duration;

use forge_core::grant::Grant;
use forge_core::provider::Failure;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::Error;

/// How long a login waits for the one of another process: longer than a login takes, and no reason to hang behind a
/// process that was stopped.
pub(crate) const WAIT: Duration = Duration::from_secs(25);

/// A process' turn to log in for a provider; dropping it, or dying, ends it.
pub type Turn = Box<dyn Send>;

/// Keeps an entry for each credential of a provider between processes. The command line implements it: it alone knows
/// files and seals.
///
/// The broker decides what an entry says and how long it counts. Several processes may load and save at once: the last
/// one to save wins, and nobody may ever load half an entry.
pub trait Tokens: Send + Sync {
    /// The entry that was saved last under this very `binding`, a digest of the grant's credential; `None` if there is
    /// none, or one that will never open.
    ///
    /// # Errors
    /// There is one, and it can't be opened now: what it holds may be all that a secret of one use bought.
    fn load(&self, binding: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure>;

    /// Whether an entry could be saved now, asked before something is spent that can't be had again.
    ///
    /// # Errors
    /// What stands in the way, such as a keyring that is locked.
    fn is_ready(&self) -> Result<(), Failure>;

    /// Saves an entry in place of any other under this binding. One that can't be saved is lost, and costs the next process a login.
    fn save(&self, binding: &str, entry: &[u8]);

    /// The turn to log in for this provider and to save what that gives; `None` while another process has it. Where
    /// turns can't be kept at all, everybody gets one: a login too many is better than none.
    fn turn(&self) -> Option<Turn>;
}

/// What the tokens of a grant are bound to, in hexadecimal digits: who logs in, how, where to, and whom that trusts. Routes
/// and settings don't count, because they don't change whose token it is, and `provider add` completes them after its
/// first login.
pub fn binding(grant: &Grant) -> String {
    let mut bound = grant.clone();
    bound.settings.clear();
    bound.routes.clear();
    bound.directories.clear();
    bound.environment.clear();
    bound.read_only = false;
    bound.limits = forge_core::manifest::LimitsAsk::default();
    // What follows from the identity is learnt with the first token.
    bound.derived = forge_core::grant::Derived::default();
    if let Some(credential) = &mut bound.credential {
        credential.identity = None;
    }
    bound.digest()
}

/// The entry of one grant.
#[derive(Clone)]
pub(crate) struct GrantTokens {
    tokens: Arc<dyn Tokens>,
    binding: String,
}

impl GrantTokens {
    /// The entry of `grant`.
    pub(crate) fn new(tokens: Arc<dyn Tokens>, grant: &Grant) -> Self {
        Self { tokens, binding: binding(grant) }
    }

    /// Waits for the turn to log in; `None` if another process does not end its own, and no login waits for ever.
    pub(crate) async fn turn(&self) -> Option<Turn> {
        let begun = Instant::now();
        loop {
            match self.tokens.turn() {
                None if begun.elapsed() < WAIT => tokio::time::sleep(Duration::from_millis(5)).await,
                turn => return turn,
            }
        }
    }

    /// What is kept.
    ///
    /// # Errors
    /// As [`Tokens::load`].
    pub(crate) fn load(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.tokens.load(&self.binding).map_err(Error::Kept)
    }

    /// Whether something could be kept now.
    ///
    /// # Errors
    /// As [`Tokens::is_ready`].
    pub(crate) fn is_ready(&self) -> Result<(), Error> {
        self.tokens.is_ready().map_err(Error::Kept)
    }

    pub(crate) fn save(&self, entry: &[u8]) {
        self.tokens.save(&self.binding, entry);
    }
}
