//! A bearer token that is fetched: once for many calls that wait, early enough, and once more where a server refuses it.
//!
//! Whatever buys a token (a client's secret, a signed assertion, a metadata server) is an [`Issuer`] of its kind; when to ask
//! it, who waits for it, and what is kept between processes stands here once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use forge_core::Kind;
use forge_core::masking::Forms;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::held::Held;
use super::kept::{self, Kept};
use super::lifetime::Lifetime;
use super::value::sensitive;
use super::{Errand, Injection};
use crate::client::Answer;
use crate::logins::LONGEST;
use crate::tokens::{GrantTokens, Turn};
use crate::{Error, Logins};

/// How long a call waits for a newer token while the one that is there still lives.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a token that still lives is used after a newer one could not be had, before that is tried again.
const PAUSE: Duration = Duration::from_secs(30);

/// A token as it was fetched.
pub(super) struct Token {
    pub(super) text: SecretString,
    /// `None` where nobody told.
    pub(super) life: Option<Duration>,
}

/// What buys tokens, as this process knows it.
#[derive(Default)]
pub(super) struct Means {
    /// Hashes by name, by which a token is known again that the same secrets bought.
    pub(super) prints: Vec<(&'static str, String)>,
    /// What answers are searched for.
    pub(super) forms: Vec<Arc<Forms>>,
}

impl Means {
    /// Adds what stands at a source, read now if it never was; nothing of one that is gone, since what it bought may live,
    /// and nothing of another provider's secret, which costs requests to read, unless it was `read` already.
    ///
    /// # Errors
    /// A source that is there and can't be read: whoever emptied it does not want its tokens used.
    pub(super) async fn add(&mut self, name: &'static str, held: &Held) -> Result<(), Error> {
        if held.is_reference() && !held.is_read().await {
            return Ok(());
        }
        match held.read().await {
            Ok((reading, _)) => {
                // A print of what costs requests would keep its token from being used again before it was read.
                if !held.is_reference() {
                    self.prints.push((name, kept::print(&reading.text)));
                }
                self.forms.push(Arc::clone(&reading.forms));
                Ok(())
            }
            Err(Error::SourceAbsent { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// How a kind of credential gets its tokens.
#[async_trait]
pub(super) trait Issuer: Send + Sync {
    /// The origin that gives them, for the texts of errors.
    fn origin(&self) -> &str;

    /// The secrets that buy them; their sources are read if they never were.
    async fn means(&self) -> Result<Means, Error>;

    /// Fetches one. Nobody else in this process does at the same time.
    async fn fetch(&self, errand: &Errand<'_>) -> Result<Token, Error>;

    /// After a fetch that was refused: whether a source holds something else by now.
    async fn is_newer(&self) -> Result<bool, Error>;
}

/// A token in use.
pub(super) struct Edition {
    pub(super) text: SecretString,
    /// Of the token, and of what bought it.
    pub(super) forms: Vec<Arc<Forms>>,
    /// Counted from 1.
    pub(super) number: u64,
    lifetime: Lifetime,
}

/// The token of one credential.
pub(super) struct Fetched {
    way: Arc<Way>,
    /// Locked while a token is fetched.
    flight: Arc<tokio::sync::Mutex<()>>,
    logins: Logins,
}

/// How tokens are got and where the last one is; shared with the task that fetches.
struct Way {
    kind: &'static str,
    issuer: Arc<dyn Issuer>,
    /// Where a token outlives this process.
    tokens: Option<GrantTokens>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: Option<Arc<Edition>>,
    /// When a newer token was last asked for while this one lived.
    tried: Option<Instant>,
    /// How many fetches failed, and why the last one did.
    failures: u64,
    failure: Option<Error>,
}

impl Fetched {
    pub(super) fn new(
        kind: &'static str,
        issuer: Arc<dyn Issuer>,
        tokens: Option<GrantTokens>,
        logins: Logins,
    ) -> Self {
        let way = Way { kind, issuer, tokens, state: Mutex::default() };
        Self { way: Arc::new(way), flight: Arc::default(), logins }
    }

    /// The token in `Authorization: Bearer` (RFC 6750, section 2.1): the last one while it lives, or one that is fetched now.
    pub(super) async fn inject(&self, errand: &Errand<'_>) -> Result<Injection, Error> {
        let (edition, is_fresh) = self.current(errand).await?;
        self.injection(&edition, is_fresh)
    }

    /// After an answer of this status: the token that another call got meanwhile, or one that is fetched now. A 403 denies
    /// the request to whoever the token speaks for, and another one would speak for the same.
    pub(super) async fn renew(
        &self,
        used: &Injection,
        status: u16,
        errand: &Errand<'_>,
    ) -> Result<Option<Injection>, Error> {
        if used.is_fresh || status != 401 {
            return Ok(None);
        }
        self.injection(&*self.newer_than(used.edition, errand).await?, true).map(Some)
    }

    /// After the edition of this number was refused: the one that another call got meanwhile, or one that is fetched now.
    pub(super) async fn newer_than(&self, used: u64, errand: &Errand<'_>) -> Result<Arc<Edition>, Error> {
        let failures = self.way.state().failures;
        let flight = Arc::clone(&self.flight).lock_owned().await;
        let last = self.way.last();
        if let Some(newer) = last.as_ref().filter(|last| last.number != used) {
            return Ok(Arc::clone(newer));
        }
        self.way.failed_since(failures)?;
        Ok(self.fly(flight, last.map(|last| last.text.clone()), errand).await?.0)
    }

    /// That `origin` does not accept even a token that has just been given.
    pub(super) fn doubt(&self, origin: &str, answer: &Answer) -> Option<Error> {
        (answer.status == 401).then(|| Error::TokenRefused {
            kind: self.way.kind,
            origin: origin.to_owned(),
            issuer: self.way.issuer.origin().to_owned(),
            status: answer.status,
        })
    }

    /// The token, for a question of the kind's own.
    pub(super) async fn text(&self, errand: &Errand<'_>) -> Result<SecretString, Error> {
        Ok(self.current(errand).await?.0.text.clone())
    }

    fn injection(&self, edition: &Edition, is_fresh: bool) -> Result<Injection, Error> {
        let value = sensitive("Bearer ", edition.text.expose_secret())
            .ok_or_else(|| Error::Parameter { kind: self.way.kind, rule: "can't stand in a header".to_owned() })?;
        let headers = vec![(AUTHORIZATION, value)];
        Ok(Injection { headers, secrets: edition.forms.clone(), edition: edition.number, is_fresh })
    }

    /// The token, and whether it was fetched just now.
    pub(super) async fn current(&self, errand: &Errand<'_>) -> Result<(Arc<Edition>, bool), Error> {
        match self.way.last() {
            Some(last) if !last.lifetime.is_due() => return Ok((last, false)),
            Some(last) if !last.lifetime.is_over() => return Ok(self.early(last, errand).await),
            _ => {}
        }
        let failures = self.way.state().failures;
        let flight = Arc::clone(&self.flight).lock_owned().await;
        // Whoever flew before has left what it got.
        if let Some(last) = self.way.last().filter(|last| !last.lifetime.is_over()) {
            return Ok((last, true));
        }
        self.way.failed_since(failures)?;
        match self.way.kept(None).await? {
            Some(kept) if !kept.lifetime.is_due() => Ok((self.way.put(kept), false)),
            Some(kept) => {
                drop(flight);
                let last = self.way.put(kept);
                Ok(self.early(last, errand).await)
            }
            None => self.fly(flight, None, errand).await,
        }
    }

    /// A newer token than one that is due, if there is one in time; a server that gives none now must not stop calls while
    /// this one lives, nor be asked by each of them.
    async fn early(&self, last: Arc<Edition>, errand: &Errand<'_>) -> (Arc<Edition>, bool) {
        // Somebody else is under way, or has just been.
        let Ok(flight) = Arc::clone(&self.flight).try_lock_owned() else { return (last, false) };
        if !self.way.begins() {
            return (self.way.last().unwrap_or(last), false);
        }
        match tokio::time::timeout(PATIENCE, self.fly(flight, None, errand)).await {
            Ok(Ok(newer)) => newer,
            _ => (last, false),
        }
    }

    /// Fetches on a time of its own, unless another process has just done so.
    async fn fly(
        &self,
        flight: OwnedMutexGuard<()>,
        refused: Option<SecretString>,
        errand: &Errand<'_>,
    ) -> Result<(Arc<Edition>, bool), Error> {
        let turn = self.turn().await;
        if let Some(kept) = self.way.kept(refused.as_ref()).await?.filter(|kept| !kept.lifetime.is_due()) {
            return Ok((self.way.put(kept), true));
        }
        let (way, records) = (Arc::clone(&self.way), errand.records.cloned());
        let fetching = async move {
            // Dropped the other way round: whoever gets the lock next finds what came of this fetch.
            let _alone = (flight, turn);
            let mut flying = Flying::new(&way);
            let own = Errand { deadline: Instant::now() + LONGEST, records: records.as_ref() };
            let outcome = way.fetch(&own).await;
            flying.failure = outcome.as_ref().err().cloned();
            outcome
        };
        Ok((self.logins.finish(self.way.issuer.origin(), fetching).await?, true))
    }

    /// Waits, on the caller's time, until no other process fetches for this provider.
    async fn turn(&self) -> Option<Turn> {
        match &self.way.tokens {
            Some(tokens) => tokens.turn().await,
            None => None,
        }
    }
}

/// A fetch that is under way. Its end leaves a failure to those who wait for it, since each of many would else fetch, and
/// fail, in turn; one that is stopped took too long.
struct Flying<'a> {
    way: &'a Way,
    failure: Option<Error>,
}

impl<'a> Flying<'a> {
    fn new(way: &'a Way) -> Self {
        Self { way, failure: Some(Error::Timeout { origin: way.issuer.origin().to_owned() }) }
    }
}

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        if let Some(failure) = self.failure.take() {
            let mut state = self.way.state();
            state.failures = state.failures.saturating_add(1);
            state.failure = Some(failure);
        }
    }
}

impl Way {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> Option<Arc<Edition>> {
        self.state().last.clone()
    }

    /// Puts a token in the place of the last one.
    fn put(&self, mut edition: Edition) -> Arc<Edition> {
        let mut state = self.state();
        edition.number = state.last.as_ref().map_or(1, |last| last.number.saturating_add(1));
        let edition = Arc::new(edition);
        state.last = Some(Arc::clone(&edition));
        edition
    }

    /// What a fetch ended with that failed since the caller knew of this many.
    fn failed_since(&self, failures: u64) -> Result<(), Error> {
        let state = self.state();
        match &state.failure {
            Some(error) if state.failures != failures => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Whether a newer token may be asked for early; from now on it is being.
    fn begins(&self) -> bool {
        let mut state = self.state();
        let is_due = state.last.as_ref().is_none_or(|last| last.lifetime.is_due());
        let begins = is_due && state.tried.is_none_or(|tried| tried.elapsed() >= PAUSE);
        if begins {
            state.tried = Some(Instant::now());
        }
        begins
    }

    async fn fetch(&self, errand: &Errand<'_>) -> Result<Arc<Edition>, Error> {
        let mut before = self.issuer.means().await?;
        let token = match self.issuer.fetch(errand).await {
            // A secret that a deployment replaced lies in the same place, so one more look is worth a try.
            Err(error) if error.kind() == Kind::Unauthenticated && self.issuer.is_newer().await? => {
                before = self.issuer.means().await?;
                self.issuer.fetch(errand).await?
            }
            outcome => outcome?,
        };
        let means = self.issuer.means().await?;
        // A secret that was replaced meanwhile did perhaps not buy this token, which must not be kept as what it bought; an
        // answer may echo either.
        let is_known = before.prints == means.prints;
        let forms = means.forms.into_iter().chain(before.forms).collect();
        let edition = Edition::new(token.text, Lifetime::begins(token.life), forms);
        if is_known {
            self.keep(&edition, means.prints);
        }
        self.state().tried = None;
        Ok(self.put(edition))
    }

    /// The token that another process keeps, unless it is the refused one, other secrets bought it, or it counts no more.
    async fn kept(&self, refused: Option<&SecretString>) -> Result<Option<Edition>, Error> {
        // One that can't be opened now costs no more than another fetch.
        let loaded = self.tokens.as_ref().and_then(|tokens| tokens.load().ok().flatten());
        let Some(kept) = loaded.and_then(|bytes| Kept::parse(&bytes)) else { return Ok(None) };
        let means = self.issuer.means().await?;
        if !kept.is_of(&means.prints) {
            return Ok(None);
        }
        let is_refused = |text: &SecretString| refused.is_some_and(|it| it.expose_secret() == text.expose_secret());
        let (Some(lifetime), Some(text)) = (Lifetime::of(&kept), kept.token.filter(|text| !is_refused(text))) else {
            return Ok(None);
        };
        Ok(Some(Edition::new(text, lifetime, means.forms)))
    }

    fn keep(&self, edition: &Edition, prints: Vec<(&'static str, String)>) {
        let Some(tokens) = &self.tokens else { return };
        let life = edition.lifetime.life.map(|life| life.as_secs());
        if let Some(entry) = Kept::fetched(edition.text.clone(), edition.lifetime.since, life, prints).print() {
            tokens.save(&entry);
        }
    }
}

impl Edition {
    fn new(text: SecretString, lifetime: Lifetime, mut forms: Vec<Arc<Forms>>) -> Self {
        forms.push(Arc::new(Forms::of(text.expose_secret().as_bytes())));
        Self { text, forms, number: 0, lifetime }
    }
}

#[cfg(test)]
mod tests;
