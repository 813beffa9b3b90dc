//! The way of an operation: policy, cache, provider, audit, in this order, for everyone who asks.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::Kind;
use crate::audit::{self, Asked, Audit, Ended, Id};
use crate::cache::{Cache, Terms};
use crate::metrics::{Done, Metrics};
use crate::policy::{Action, Caller, Policy};
use crate::provider::{CallLog, Failure, SecretProvider};
use crate::secret::{Attributes, Entry, Page, PutOptions, Secret, SecretVersion, VersionPage, VersionState};

mod copies;
mod fallback;
mod manner;
mod many;
pub mod references;

pub use copies::{ago, offline};
pub use manner::{Manner, Mode};

use copies::{Due, Way, is_away};

/// A provider that is ready to be asked.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Its configured name.
    pub name: String,
    /// What answers.
    pub provider: Arc<dyn SecretProvider>,
    /// SHA-256 of the plugin, in hexadecimal.
    pub plugin_digest: String,
    /// [`crate::grant::Grant::digest`].
    pub grant_digest: String,
    /// On which terms copies of its secrets are kept.
    pub terms: Terms,
}

/// Finds providers by name: a second implementer stands in the tests, where no plugin runs.
#[async_trait]
pub trait Providers: Send + Sync {
    /// The provider of this name; `None` means the default one.
    async fn open(&self, name: Option<&str>) -> Result<Opened, Failure>;
}

/// Asks everything that has a say in an operation.
pub struct Resolver {
    providers: Box<dyn Providers>,
    caller: Caller,
    policy: Policy,
    cache: Cache,
    audit: Audit,
    manner: Manner,
    /// What is to be read anew in the background.
    due: Mutex<Vec<Due>>,
    metrics: Metrics,
    /// The grants whose backends refuse to be read many at a time: asked once, and not again for each batch.
    refusing: Mutex<HashSet<String>>,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// Which secret of which provider an operation is about.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The provider's name; `None` means the default one.
    pub provider: Option<&'a str>,
    /// The path, or the prefix of a listing.
    pub path: &'a str,
    /// The version.
    pub version: Option<&'a str>,
}

/// One operation on its way: what audit has to know at its end.
struct Operation<'a> {
    opened: &'a Opened,
    target: Target<'a>,
    id: Id,
    asked: Asked<'a>,
    metrics: &'a Metrics,
    begun: Instant,
    log: CallLog,
    /// Whether its beginning is on record.
    is_announced: bool,
    cached: bool,
    /// How old the copy is that answers past its time.
    stale: Option<Duration>,
    /// The keyed HMAC of the value that is handed out or was written.
    value: Option<String>,
}

impl Resolver {
    /// A resolver for one caller.
    pub fn new(providers: Box<dyn Providers>, caller: Caller, policy: Policy, cache: Cache, audit: Audit) -> Self {
        let (metrics, manner, due, refusing) =
            (Metrics::default(), Manner::default(), Mutex::default(), Mutex::default());
        Self { providers, caller, policy, cache, audit, metrics, manner, due, refusing }
    }

    /// The same, which goes about its reads in this manner.
    #[must_use]
    pub fn in_manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    /// The copies that it has.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// What was counted of all operations until now.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The provider that a name means.
    ///
    /// # Errors
    /// There is none, or its grant does not hold.
    pub async fn open(&self, name: Option<&str>) -> Result<Opened, Failure> {
        self.providers.open(name).await
    }

    /// The provider of an operation that is to come, if it can do that at all: asked before a value is read or typed, and
    /// where the operation is only rehearsed. That it can't is on record as the operation would be.
    ///
    /// # Errors
    /// As [`Resolver::open`], and [`Kind::Unsupported`].
    pub async fn prepare(&self, target: Target<'_>, action: Action) -> Result<Opened, Failure> {
        let opened = self.open(target.provider).await?;
        if !self.policy.decide(action, &opened.name, target.path).is_allowed {
            // It says why, and is on record as refused.
            self.decided(&opened, target, action, None)?;
        }
        if let Err(failure) = opened.provider.check_ability(action) {
            let operation = self.begin(&opened, target, action)?;
            self.end::<()>(operation, Err(failure))?;
        }
        Ok(opened)
    }

    /// Reads a secret; `None` when there is no such secret or version.
    ///
    /// In this order: a fresh copy, the backend, a stale copy while the backend is unavailable and the rules allow it, and
    /// the stand-ins of [`Manner::fallback`].
    ///
    /// # Errors
    /// Whatever stopped it, and [`Kind::Internal`] when audit can't be written.
    pub async fn read(&self, target: Target<'_>) -> Result<Option<Secret>, Failure> {
        match self.read_one(target, None).await {
            Err(failure) if is_away(&failure) && self.is_stood_in_for(target) => {
                self.read_elsewhere(target, failure).await
            }
            answer => answer,
        }
    }

    /// Reads a secret from its own provider alone, in the place of another secret where one is named.
    async fn read_one(&self, target: Target<'_>, in_place_of: Option<&str>) -> Result<Option<Secret>, Failure> {
        let opened = self.opened(target, Action::Get).await?;
        let mut operation = self.decided(&opened, target, Action::Get, in_place_of)?;
        let copies = self.copies(&opened, target);
        loop {
            let answer = match self.way(&mut operation, &copies).await {
                Way::Answered(answer) => answer,
                Way::Wait(waiting) => match self.waited(&mut operation, &copies, waiting).await {
                    Some(answer) => answer,
                    None => continue,
                },
                Way::Ask(flight) => {
                    self.announce([&mut operation])?;
                    let answer = self.asked(&operation).await;
                    self.landed(&mut operation, &copies, flight, answer).await
                }
            };
            self.mark(&mut operation, &answer);
            return self.end(operation, answer);
        }
    }

    /// Reads a secret past its copy, which is replaced.
    async fn read_anew(&self, target: Target<'_>) -> Result<Option<Secret>, Failure> {
        let opened = self.opened(target, Action::Get).await?;
        let mut operation = self.decided(&opened, target, Action::Get, None)?;
        let copies = self.copies(&opened, target);
        self.announce([&mut operation])?;
        let answer = self.asked(&operation).await;
        let answer = self.settled(&mut operation, &copies, answer).await;
        self.mark(&mut operation, &answer);
        self.end(operation, answer)
    }

    /// What the provider says to a read.
    async fn asked(&self, operation: &Operation<'_>) -> Result<Option<Secret>, Failure> {
        let Operation { opened, target, log, .. } = operation;
        match self.refused_offline(opened) {
            Some(failure) => Err(failure),
            None => opened.provider.get(log, target.path, target.version).await,
        }
    }

    /// Writes a secret; answers its new version.
    ///
    /// # Errors
    /// As [`Resolver::read`].
    pub async fn write(
        &self,
        target: Target<'_>,
        value: &[u8],
        options: &PutOptions,
    ) -> Result<SecretVersion, Failure> {
        let opened = self.opened(target, Action::Set).await?;
        let mut operation = self.begin(&opened, target, Action::Set)?;
        let answer = opened.provider.put(&operation.log, target.path, value, options).await;
        operation.value = answer.as_ref().ok().and_then(|_| self.audit.value(value));
        // Forgotten even after a failure: the write may have arrived.
        self.cache.forget(&opened.grant_digest, target.path).await;
        self.end(operation, answer)
    }

    /// Deletes a secret; answers whether there was one.
    ///
    /// # Errors
    /// As [`Resolver::read`].
    pub async fn delete(&self, target: Target<'_>) -> Result<bool, Failure> {
        let opened = self.opened(target, Action::Delete).await?;
        let operation = self.begin(&opened, target, Action::Delete)?;
        let answer = opened.provider.delete(&operation.log, target.path).await;
        self.cache.forget(&opened.grant_digest, target.path).await;
        self.end(operation, answer)
    }

    /// Takes the last deletion back.
    ///
    /// # Errors
    /// As [`Resolver::read`].
    pub async fn recover(&self, target: Target<'_>) -> Result<(), Failure> {
        let opened = self.opened(target, Action::Recover).await?;
        let operation = self.begin(&opened, target, Action::Recover)?;
        let answer = opened.provider.recover(&operation.log, target.path).await;
        self.cache.forget(&opened.grant_digest, target.path).await;
        self.end(operation, answer)
    }

    /// Removes a secret and all its versions for good; answers whether there was anything.
    ///
    /// # Errors
    /// As [`Resolver::read`].
    pub async fn purge(&self, target: Target<'_>) -> Result<bool, Failure> {
        let opened = self.opened(target, Action::Purge).await?;
        let operation = self.begin(&opened, target, Action::Purge)?;
        let answer = opened.provider.purge(&operation.log, target.path).await;
        self.cache.forget(&opened.grant_digest, target.path).await;
        self.end(operation, answer)
    }

    /// One page of a secret's versions, newest first.
    ///
    /// # Errors
    /// As [`Resolver::read`].
    pub async fn versions(&self, target: Target<'_>, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Failure> {
        let opened = self.opened(target, Action::Versions).await?;
        let operation = self.begin(&opened, target, Action::Versions)?;
        let answer = opened.provider.versions(&operation.log, target.path, cursor, limit).await;
        self.end(operation, answer)
    }

    /// Makes the version of `target` current; answers the version that is current now.
    ///
    /// # Errors
    /// As [`Resolver::read`].
    pub async fn rollback(&self, target: Target<'_>) -> Result<SecretVersion, Failure> {
        let opened = self.opened(target, Action::Rollback).await?;
        let operation = self.begin(&opened, target, Action::Rollback)?;
        let answer = opened.provider.restore(&operation.log, target.path, target.version.unwrap_or_default()).await;
        self.cache.forget(&opened.grant_digest, target.path).await;
        self.end(operation, answer)
    }

    /// Has the backend rotate a secret by its own means; answers the new version where it tells it at once.
    ///
    /// # Errors
    /// As [`Resolver::read`].
    pub async fn rotate(&self, target: Target<'_>) -> Result<Option<SecretVersion>, Failure> {
        let opened = self.opened(target, Action::Rotate).await?;
        let operation = self.begin(&opened, target, Action::Rotate)?;
        let answer = opened.provider.rotate(&operation.log, target.path).await;
        self.cache.forget(&opened.grant_digest, target.path).await;
        self.end(operation, answer)
    }

    /// Sets the state of the version of `target`.
    ///
    /// # Errors
    /// As [`Resolver::read`].
    pub async fn set_state(&self, target: Target<'_>, state: VersionState) -> Result<(), Failure> {
        let opened = self.opened(target, Action::SetState).await?;
        let operation = self.begin(&opened, target, Action::SetState)?;
        let version = target.version.unwrap_or_default();
        let answer = opened.provider.set_state(&operation.log, target.path, version, state).await;
        self.cache.forget(&opened.grant_digest, target.path).await;
        self.end(operation, answer)
    }

    /// What is known of a secret, without its value.
    ///
    /// # Errors
    /// As [`Resolver::read`].
    pub async fn describe(&self, target: Target<'_>) -> Result<Option<Entry>, Failure> {
        let opened = self.opened(target, Action::Describe).await?;
        let operation = self.begin(&opened, target, Action::Describe)?;
        let answer = opened.provider.describe(&operation.log, target.path).await;
        self.end(operation, answer)
    }

    /// One page of the secrets at and below `target.path`; an empty path means all.
    ///
    /// # Errors
    /// As [`Resolver::read`].
    pub async fn list(&self, target: Target<'_>, cursor: Option<&str>, limit: u32) -> Result<Page, Failure> {
        let opened = self.opened(target, Action::List).await?;
        let operation = self.begin(&opened, target, Action::List)?;
        let prefix = Some(target.path).filter(|path| !path.is_empty());
        let mut answer = opened.provider.list(&operation.log, prefix, cursor, limit).await;
        if let Ok(page) = &mut answer
            && self.policy.is_configured()
        {
            // Below a prefix that may be listed there can be names that may not be known.
            page.entries.retain(|entry| self.policy.shows(&opened.name, &entry.path));
        }
        self.end(operation, answer)
    }

    /// Proves that a provider works; answers what it discovered.
    ///
    /// # Errors
    /// As [`Resolver::read`].
    pub async fn check(&self, name: Option<&str>) -> Result<Attributes, Failure> {
        let target = Target { provider: name, path: "", version: None };
        let opened = self.opened(target, Action::Check).await?;
        let operation = self.begin(&opened, target, Action::Check)?;
        let answer = opened.provider.check(&operation.log).await;
        self.end(operation, answer)
    }

    /// Opens the provider of an operation; that it can't be opened is on record as well.
    async fn opened(&self, target: Target<'_>, action: Action) -> Result<Opened, Failure> {
        let begun = Instant::now();
        let failure = match self.open(target.provider).await {
            Ok(opened) => return Ok(opened),
            Err(failure) => failure,
        };
        let (operation, outcome) = (action.token(), failure.kind.token());
        self.metrics.operation(Done { operation, outcome, cached: false, took: begun.elapsed() });
        let provider = target.provider.unwrap_or_default();
        let mut asked = Asked::new(&self.caller.user, action.token(), provider, target.path, target.version);
        asked.rule = "not-opened".into();
        let ended = Ended { outcome: failure.kind.token(), milliseconds: milliseconds(begun), ..Ended::default() };
        // Nothing is handed out, so the failure itself says more than that it could not be recorded.
        let written = self.audit.id().and_then(|id| self.audit.end(&[(&id, &asked, ended)], &[], false));
        written.unwrap_or_default();
        Err(failure)
    }

    /// An operation that the policy allows; one that it does not is on record as refused.
    fn decided<'a>(
        &'a self,
        opened: &'a Opened,
        target: Target<'a>,
        action: Action,
        in_place_of: Option<&'a str>,
    ) -> Result<Operation<'a>, Failure> {
        self.policy.announce(&self.audit)?;
        let decision = self.policy.decide(action, &opened.name, target.path);
        let mut asked = Asked::new(&self.caller.user, action.token(), &opened.name, target.path, target.version);
        asked.plugin = &opened.plugin_digest;
        asked.rule = decision.rule.clone();
        asked.allowed = decision.is_allowed;
        asked.fallback_for = in_place_of.map(Into::into);
        let operation = Operation {
            opened,
            target,
            id: self.audit.id()?,
            asked,
            metrics: &self.metrics,
            begun: Instant::now(),
            log: CallLog::default(),
            is_announced: false,
            cached: false,
            stale: None,
            value: None,
        };
        if decision.is_allowed {
            return Ok(operation);
        }
        let failure = Failure::new(Kind::AccessDenied, decision.why()).with_hint(decision.hint());
        self.end::<Operation<'a>>(operation, Err(failure))
    }

    /// An operation that the policy allows and whose beginning is on record.
    fn begin<'a>(&'a self, opened: &'a Opened, target: Target<'a>, action: Action) -> Result<Operation<'a>, Failure> {
        let mut operation = self.decided(opened, target, action, None)?;
        if let Some(failure) = self.refused_offline(opened) {
            return self.end(operation, Err(failure));
        }
        self.announce([&mut operation])?;
        Ok(operation)
    }

    /// Records that operations begin; nothing of them is done before.
    fn announce<'o, 'a: 'o>(
        &self,
        operations: impl IntoIterator<Item = &'o mut Operation<'a>>,
    ) -> Result<(), audit::Error> {
        let mut operations: Vec<_> = operations.into_iter().collect();
        self.audit.begin(operations.iter().map(|operation| (&operation.id, &operation.asked)))?;
        operations.iter_mut().for_each(|operation| operation.is_announced = true);
        Ok(())
    }

    /// Notes which value an operation hands out, for whoever looks for one in the log.
    fn mark(&self, operation: &mut Operation<'_>, answer: &Result<Option<Secret>, Failure>) {
        operation.value = match answer {
            Ok(Some(secret)) => self.audit.value(secret.value.expose()),
            _ => None,
        };
    }

    /// Writes the audit record; a value is handed out only once that is done.
    fn end<T>(&self, operation: Operation<'_>, answer: Result<T, Failure>) -> Result<T, Failure> {
        let ended = operation.ended(answer.as_ref().err());
        let records = [(&operation.id, &operation.asked, ended)];
        let requests = operation.log.take();
        self.metrics.requests(&operation.opened.name, requests.len());
        let written = self.audit.end(&records, &requests, operation.is_announced);
        handed_out(&written, answer)
    }
}

impl Operation<'_> {
    /// Ends it: it is counted, and answered is what audit records.
    fn ended(&self, failure: Option<&Failure>) -> Ended {
        let (operation, outcome) = (self.asked.operation, failure.map_or("ok", |failure| failure.kind.token()));
        self.metrics.operation(Done { operation, outcome, cached: self.cached, took: self.begun.elapsed() });
        Ended {
            cached: self.cached,
            stale_seconds: self.stale.map(|age| age.as_secs()),
            outcome,
            value_hmac: self.value.clone(),
            milliseconds: milliseconds(self.begun),
        }
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// An answer, if it was recorded.
fn handed_out<T>(written: &Result<(), audit::Error>, answer: Result<T, Failure>) -> Result<T, Failure> {
    match (written, answer) {
        (Ok(()), answer) => answer,
        // The operation's own failure says more than that it could not be recorded.
        (Err(_), Err(failure)) => Err(failure),
        (Err(error), Ok(_)) => Err(Failure { hint: error.hint(), ..Failure::new(error.kind(), error.to_string()) }),
    }
}

#[cfg(test)]
mod tests;
