//! A token that a login gave: kept with its lease, renewed while that lasts, and got anew when it does not.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::Used;
use super::got::Got;
use super::method::{Means, Request};
use super::wire::{Lease, Server};
use super::wrapped::Wrapped;
use crate::credential::Errand;
use crate::credential::kept::Kept;
use crate::logins::LONGEST;
use crate::tokens::{GrantTokens, Turn};
use crate::{Error, Logins};

/// A login and the token it gave last.
pub(super) struct Login {
    way: Arc<Way>,
    /// Locked while a login or a renewal is under way, so that parallel requests wait for one login.
    last: Arc<Mutex<Option<Got>>>,
    /// Where this process counts its logins.
    logins: Logins,
}

/// How a login is done; shared with the task that does it.
struct Way {
    /// Where the token is used, renewed and looked up.
    server: Server,
    /// Where the login goes; usually the same.
    endpoint: Server,
    means: Means,
    /// Where the token outlives this process.
    tokens: Option<GrantTokens>,
}

impl Login {
    pub(super) fn new(
        server: Server,
        endpoint: Server,
        means: Means,
        tokens: Option<GrantTokens>,
        logins: Logins,
    ) -> Self {
        Self { way: Arc::new(Way { server, endpoint, means, tokens }), last: Arc::default(), logins }
    }

    /// The token: the last one while it lives, renewed at two thirds of its life, or one from a new login.
    pub(super) async fn current(&self, errand: &Errand<'_>) -> Result<Used, Error> {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if last.is_none() {
            *last = self.way.kept(1, None).await?;
        }
        if let Some(got) = last.as_ref().filter(|got| !got.is_due()) {
            return Ok(got.used(false));
        }
        let edition = last.as_ref().map_or(1, |got| got.edition.saturating_add(1));
        let turn = self.turn().await;
        // Whoever had the turn before has left what it got.
        let kept = match self.way.kept(edition, None).await {
            // What this process has still lives, whether the file of it opens now or not.
            Err(Error::Kept(_)) if last.as_ref().is_some_and(|got| !got.is_over()) => None,
            kept => kept?,
        };
        if let Some(mut got) = kept.filter(|got| !got.is_due()) {
            if let Some(known) = last.as_ref().filter(|known| known.is(&got.token)) {
                got.edition = known.edition;
            }
            return Ok(last.insert(got).used(false));
        }
        self.finish(errand, last, turn, edition, false).await
    }

    /// After the edition `used` was refused: a newer token, unless this one is alive and its policies simply say no.
    pub(super) async fn newer_than(&self, used: u64, errand: &Errand<'_>) -> Result<Option<Used>, Error> {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some(got) = last.as_ref().filter(|got| got.edition != used) {
            return Ok(Some(got.used(true)));
        }
        // Logging in at each denial would spend the uses of a secret id and tell nothing new.
        if let Some(got) = last.as_ref()
            && (got.is_believed() || !self.way.is_refused(&got.token, errand).await?)
        {
            return Ok(None);
        }
        let edition = used.saturating_add(1);
        let refused = last.as_ref().map(|got| got.token.clone());
        let turn = self.turn().await;
        // Another process may have had the same trouble a moment ago.
        if let Some(got) = self.way.kept(edition, refused.as_ref()).await? {
            return Ok(Some(last.insert(got).used(true)));
        }
        self.finish(errand, last, turn, edition, true).await.map(Some)
    }

    /// Waits, on the caller's time, until no other process logs in for this provider.
    async fn turn(&self) -> Option<Turn> {
        match &self.way.tokens {
            Some(tokens) => tokens.turn().await,
            None => None,
        }
    }

    /// Logs in on a time of its own: the caller may leave, and what the login gives is kept all the same.
    async fn finish(
        &self,
        errand: &Errand<'_>,
        mut last: OwnedMutexGuard<Option<Got>>,
        turn: Option<Turn>,
        edition: u64,
        is_refused: bool,
    ) -> Result<Used, Error> {
        let (way, records) = (Arc::clone(&self.way), errand.records.cloned());
        let has_turn = turn.is_some();
        let login = async move {
            let own = Errand { deadline: Instant::now() + LONGEST, records: records.as_ref() };
            let outcome = match is_refused {
                true => way.log_in_anew(&mut last, edition, &own, has_turn).await,
                false => way.renew_or_log_in(&mut last, edition, &own, has_turn).await,
            };
            drop((last, turn));
            outcome
        };
        self.logins.finish(&self.way.endpoint.origin, login).await
    }
}

impl Way {
    /// Another token than the one that is due, or the same with a new life.
    async fn renew_or_log_in(
        &self,
        last: &mut Option<Got>,
        edition: u64,
        errand: &Errand<'_>,
        has_turn: bool,
    ) -> Result<Used, Error> {
        if let Some(got) = last.as_mut()
            && self.is_renewed(got, errand).await
        {
            return Ok(got.used(false));
        }
        match self.log_in(edition, errand, has_turn).await {
            Ok(new) => Ok(last.insert(new).used(true)),
            // A secret that could be used once is spent, but what it bought still lives.
            Err(error) => last.as_ref().filter(|got| !got.is_over()).map(|got| got.used(false)).ok_or(error),
        }
    }

    /// Another token than the one that was refused.
    async fn log_in_anew(
        &self,
        last: &mut Option<Got>,
        edition: u64,
        errand: &Errand<'_>,
        has_turn: bool,
    ) -> Result<Used, Error> {
        // What is kept stays until a login replaces it: a token that may not look itself up is refused here and still
        // opens other paths, and the secret behind it may be spent.
        // Kept before anything else can fail: the secret it cost may have had one use.
        let new = last.insert(self.log_in(edition, errand, has_turn).await?);
        new.is_blind = self.is_refused(&new.token, errand).await.unwrap_or(true);
        if new.is_blind {
            self.keep_token(new).await;
        }
        Ok(new.used(true))
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
        self.keep_token(got).await;
        match (lease.life, got.promised) {
            (Some(life), Some(promised)) => life * 2 >= promised,
            _ => true,
        }
    }

    async fn log_in(&self, edition: u64, errand: &Errand<'_>, has_turn: bool) -> Result<Got, Error> {
        let request = self.request(errand).await?;
        let lease = match self.log_in_with(&request, errand, has_turn).await {
            Err(Error::Rejected { status: 400 | 401 | 403, .. }) if self.means.is_newer(&request).await? => {
                let request = self.request(errand).await?;
                self.log_in_with(&request, errand, has_turn).await?
            }
            outcome => outcome?,
        };
        let got = Got::new(lease, edition);
        self.keep_token(&got).await;
        Ok(got)
    }

    /// The request of a login. What a wrapping token held that was opened for it is kept before anything else can fail.
    async fn request(&self, errand: &Errand<'_>) -> Result<Request, Error> {
        let own = || self.means.wrapped().and_then(|wrapped| wrapped.own().0);
        let before = own();
        let request = self.means.request(&self.endpoint, self.tokens.as_ref(), errand).await;
        if own() != before {
            self.keep(None, Vec::new());
        }
        request
    }

    /// Logs in. A secret that came wrapped is kept no longer once its server has taken or rejected it. Without a turn the
    /// rejection may say that another process was first, and what is kept may be the token that it bought.
    async fn log_in_with(&self, request: &Request, errand: &Errand<'_>, has_turn: bool) -> Result<Lease, Error> {
        let outcome = self.endpoint.log_in(&request.path, &request.body, errand).await;
        if let (Ok(_) | Err(Error::Rejected { .. }), Some(wrapped)) = (&outcome, self.means.wrapped())
            && wrapped.was_tried()
            && outcome.is_err()
            && has_turn
        {
            self.keep(None, Vec::new());
        }
        outcome
    }

    /// The token that another process keeps, unless it is the refused one, it is another login's, or it counts no more.
    ///
    /// # Errors
    /// A source that is there and can't be read: whoever emptied it does not want its token used. And, of a login with
    /// a wrapped secret, a token that is there and can't be opened now: another login would find its secret spent.
    async fn kept(&self, edition: u64, refused: Option<&SecretString>) -> Result<Option<Got>, Error> {
        let loaded = match self.tokens.as_ref().map_or(Ok(None), GrantTokens::load) {
            // Another login replaces it.
            Err(_) if self.means.wrapped().is_none() => None,
            loaded => loaded?,
        };
        let Some(kept) = loaded.and_then(|bytes| Kept::parse(&bytes)) else { return Ok(None) };
        if let (Some(wrapped), Some(print)) = (self.means.wrapped(), &kept.opened) {
            wrapped.was_opened(print, kept.unwrapped.clone());
        }
        if !kept.is_of(&self.means.prints().await?) {
            return Ok(None);
        }
        Ok(Got::of(kept, edition).filter(|got| !refused.is_some_and(|token| got.is(token))))
    }

    /// Keeps a token. A source that can't be read a second time leaves no print, and its token is then not kept.
    async fn keep_token(&self, got: &Got) {
        if let Ok(prints) = self.means.prints().await {
            self.keep(Some(got), prints);
        }
    }

    fn keep(&self, got: Option<&Got>, prints: Vec<(&'static str, String)>) {
        let got = got.filter(|got| !got.is_counted);
        let (opened, unwrapped) = self.means.wrapped().map(Wrapped::own).unwrap_or_default();
        let Some(tokens) = self.tokens.as_ref().filter(|_| got.is_some() || opened.is_some()) else { return };
        let entry = Kept {
            token: got.map(|got| got.token.clone()),
            since: got.map_or_else(Timestamp::now, |got| got.lifetime.since),
            life: got.and_then(|got| got.lifetime.life).map(|life| life.as_secs()),
            promised: got.and_then(|got| got.promised).map(|life| life.as_secs()),
            is_renewable: got.is_some_and(|got| got.is_renewable),
            sources: prints.into_iter().map(|(name, print)| (name.to_owned(), print)).collect(),
            is_blind: got.is_some_and(|got| got.is_blind),
            opened,
            unwrapped,
        };
        if let Some(entry) = entry.print() {
            tokens.save(&entry);
        }
    }
}
