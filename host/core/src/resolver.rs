//! The way of an operation: policy, cache, provider, audit, in this order, for everyone who asks.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::audit::Audit;
use crate::cache::{Cache, Identity, Terms};
use crate::metrics::Metrics;
use crate::policy::{Action, Caller, Policy};
use crate::provider::{Failure, SecretProvider};
use crate::secret::{Attributes, Entry, Page, PutOptions, Secret, SecretVersion, VersionPage, VersionState};

mod copies;
mod fallback;
mod manner;
mod many;
mod operation;
pub mod references;

pub use copies::{ago, offline};
pub use manner::{Manner, Mode};

use copies::{Due, Way, is_away};
use operation::Operation;

/// A provider that is ready to be asked. Clones share it.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What answers.
    pub provider: Arc<dyn SecretProvider>,
    /// Which one it is.
    pub identity: Arc<Identity>,
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
    /// As [`Resolver::open`], and [`crate::Kind::Unsupported`].
    pub async fn prepare(&self, target: Target<'_>, action: Action) -> Result<Opened, Failure> {
        let opened = self.open(target.provider).await?;
        if !self.policy.decide(action, &opened.identity.provider, target.path).is_allowed {
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
    /// Whatever stopped it, and [`crate::Kind::Internal`] when audit can't be written.
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
        self.cache.forget(&opened.identity.grant, target.path).await;
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
        self.cache.forget(&opened.identity.grant, target.path).await;
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
        self.cache.forget(&opened.identity.grant, target.path).await;
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
        self.cache.forget(&opened.identity.grant, target.path).await;
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
        self.cache.forget(&opened.identity.grant, target.path).await;
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
        self.cache.forget(&opened.identity.grant, target.path).await;
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
        self.cache.forget(&opened.identity.grant, target.path).await;
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
            page.entries.retain(|entry| self.policy.shows(&opened.identity.provider, &entry.path));
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
}

#[cfg(test)]
mod tests;
