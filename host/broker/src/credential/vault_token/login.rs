//! A token that a login gave: kept with its lease, renewed while that lasts, and got anew when it does not.

use std::sync::Arc;
use std::time::Duration;

use forge_core::masking::Forms;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Used;
use super::kept::Kept;
use super::method::Means;
use super::wire::{Lease, Server};
use crate::Error;
use crate::credential::Errand;
use crate::tokens::GrantTokens;

/// A login and the token it gave last.
pub(super) struct Login {
    /// Where the token is used, renewed and looked up.
    server: Server,
    /// Where the login goes; usually the same.
    endpoint: Server,
    means: Means,
    /// Where the token outlives this process.
    tokens: Option<GrantTokens>,
    /// Locked while a login or a renewal is under way, so that parallel requests wait for one login.
    last: Mutex<Option<Got>>,
}

/// A token, and what its server said about its life.
struct Got {
    token: SecretString,
    forms: Arc<Forms>,
    edition: u64,
    /// When its life began, by the clock on the wall, which other processes share.
    since: Timestamp,
    life: Option<Duration>,
    /// When two thirds of its life are over, and when all of it is.
    due: Option<Instant>,
    over: Option<Instant>,
    /// The life that the login promised; a renewal that gives much less says that the longest life is near.
    promised: Option<Duration>,
    is_renewable: bool,
    /// Its policies don't let it look itself up, so a denial can't be told from a revoked token.
    is_blind: bool,
    /// The server counts its uses, so it is gone before its life is over and not worth keeping.
    is_counted: bool,
}

impl Got {
    fn new(lease: Lease, edition: u64) -> Self {
        let mut got = Self {
            forms: Arc::new(Forms::of(lease.token.expose_secret().as_bytes())),
            token: lease.token.clone(),
            edition,
            since: Timestamp::now(),
            life: None,
            due: None,
            over: None,
            promised: lease.life,
            is_renewable: false,
            is_blind: false,
            is_counted: lease.is_counted,
        };
        got.lives(&lease);
        got
    }

    /// A token of another process, if it still counts.
    fn of(kept: Kept, edition: u64) -> Option<Self> {
        let (age, left) = kept.age(Timestamp::now())?;
        let (token, now) = (kept.token?, Instant::now());
        let life = kept.life.map(Duration::from_secs);
        Some(Self {
            forms: Arc::new(Forms::of(token.expose_secret().as_bytes())),
            token,
            edition,
            since: kept.since,
            life,
            due: life.and_then(|life| now.checked_add((life * 2 / 3).saturating_sub(age))),
            over: left.and_then(|left| now.checked_add(left)),
            promised: kept.promised.map(Duration::from_secs),
            is_renewable: kept.is_renewable,
            is_blind: false,
            is_counted: false,
        })
    }

    /// From now on it lives as long as this lease says.
    fn lives(&mut self, lease: &Lease) {
        let now = Instant::now();
        self.since = Timestamp::now();
        self.life = lease.life;
        self.due = lease.life.and_then(|life| now.checked_add(life * 2 / 3));
        self.over = lease.life.and_then(|life| now.checked_add(life));
        self.is_renewable = lease.is_renewable;
    }

    fn is_due(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }

    fn is_over(&self) -> bool {
        self.over.is_some_and(|over| Instant::now() >= over)
    }

    fn used(&self, is_fresh: bool) -> Used {
        Used { text: self.token.clone(), forms: Arc::clone(&self.forms), edition: self.edition, is_fresh }
    }
}

impl Login {
    pub(super) fn new(server: Server, endpoint: Server, means: Means, tokens: Option<GrantTokens>) -> Self {
        Self { server, endpoint, means, tokens, last: Mutex::const_new(None) }
    }

    /// The token: the last one while it lives, renewed at two thirds of its life, or one from a new login.
    pub(super) async fn current(&self, errand: &Errand<'_>) -> Result<Used, Error> {
        let mut last = self.last.lock().await;
        if last.is_none() {
            *last = self.kept(1, None).await?;
        }
        if let Some(got) = last.as_mut()
            && (!got.is_due() || self.is_renewed(got, errand).await)
        {
            return Ok(got.used(false));
        }
        let edition = last.as_ref().map_or(1, |got| got.edition.saturating_add(1));
        match self.log_in(edition, errand).await {
            Ok(new) => Ok(last.insert(new).used(true)),
            // A secret that could be used once is spent, but what it bought still lives.
            Err(error) => last.as_ref().filter(|got| !got.is_over()).map(|got| got.used(false)).ok_or(error),
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
        let edition = used.saturating_add(1);
        // Another process may have had the same trouble a moment ago.
        if let Some(got) = self.kept(edition, last.as_ref().map(|got| &got.token)).await? {
            return Ok(Some(last.insert(got).used(true)));
        }
        // What is kept stays until a login replaces it: a token that may not look itself up is refused here and still
        // opens other paths, and the secret behind it may be spent.
        // Kept before anything else can fail: the secret it cost may have had one use.
        let new = last.insert(self.log_in(edition, errand).await?);
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
        got.lives(&lease);
        if let Ok(prints) = self.means.prints().await {
            self.keep(Some(got), prints);
        }
        match (lease.life, got.promised) {
            (Some(life), Some(promised)) => life * 2 >= promised,
            _ => true,
        }
    }

    async fn log_in(&self, edition: u64, errand: &Errand<'_>) -> Result<Got, Error> {
        let request = self.request(errand).await?;
        let lease = match self.endpoint.log_in(&request.path, &request.body, errand).await {
            Err(Error::Rejected { status: 400 | 401 | 403, .. }) if self.means.is_newer(&request).await? => {
                let request = self.request(errand).await?;
                self.endpoint.log_in(&request.path, &request.body, errand).await?
            }
            outcome => outcome?,
        };
        let got = Got::new(lease, edition);
        // A source that can't be read a second time leaves no print, and its token is then not kept.
        if let Ok(prints) = self.means.prints().await {
            self.keep(Some(&got), prints);
        }
        Ok(got)
    }

    /// The request of a login. That a wrapping token was opened for it is remembered before anything else can fail.
    async fn request(&self, errand: &Errand<'_>) -> Result<super::method::Request, Error> {
        let own = || self.means.wrapped().and_then(super::wrapped::Wrapped::own);
        let before = own();
        let request = self.means.request(&self.endpoint, errand).await;
        if own() != before {
            self.keep(None, Vec::new());
        }
        request
    }

    /// The token that another process keeps, unless it is the refused one, it is another login's, or it counts no more.
    ///
    /// # Errors
    /// A source that is there and can't be read: whoever emptied it does not want its token used.
    async fn kept(&self, edition: u64, refused: Option<&SecretString>) -> Result<Option<Got>, Error> {
        let Some(kept) = self.tokens.as_ref().and_then(GrantTokens::load).and_then(|bytes| Kept::parse(&bytes)) else {
            return Ok(None);
        };
        if let Some(wrapped) = self.means.wrapped() {
            wrapped.is_own(kept.opened.clone());
        }
        if !kept.is_of(&self.means.prints().await?) {
            return Ok(None);
        }
        let is_refused = |got: &Got| refused.is_some_and(|token| token.expose_secret() == got.token.expose_secret());
        Ok(Got::of(kept, edition).filter(|got| !is_refused(got)))
    }

    fn keep(&self, got: Option<&Got>, prints: Vec<(&'static str, String)>) {
        let got = got.filter(|got| !got.is_counted);
        let opened = self.means.wrapped().and_then(super::wrapped::Wrapped::own);
        let Some(tokens) = self.tokens.as_ref().filter(|_| got.is_some() || opened.is_some()) else { return };
        let entry = Kept {
            token: got.map(|got| got.token.clone()),
            since: got.map_or_else(Timestamp::now, |got| got.since),
            life: got.and_then(|got| got.life).map(|life| life.as_secs()),
            promised: got.and_then(|got| got.promised).map(|life| life.as_secs()),
            is_renewable: got.is_some_and(|got| got.is_renewable),
            sources: prints.into_iter().map(|(name, print)| (name.to_owned(), print)).collect(),
            opened,
        };
        if let Some(entry) = entry.print() {
            tokens.save(&entry);
        }
    }
}
