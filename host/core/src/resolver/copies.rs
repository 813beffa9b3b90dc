//! What the cache has to do with a read: a fresh copy before it, the call of another read during it, a stale copy after it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::operation::Operation;
use super::{Mode, Opened, Resolver, Target};
use crate::Kind;
use crate::cache::{Boarding, CacheKey, Copy, Flight, Rules, Waiting, is_answer};
use crate::provider::Failure;
use crate::secret::Secret;

/// What a read of one secret answers.
pub(super) type Answer = Result<Option<Secret>, Failure>;

/// The most secrets that wait to be read anew: whoever names ever new ones must not fill the memory.
const MOST_DUE: usize = 1_000;

/// A secret whose copy is to be replaced in the background.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    provider: String,
    path: String,
    version: Option<String>,
}

/// What the cache can do for one read.
pub(super) struct Copies {
    key: CacheKey,
    rules: Rules,
    is_kept: bool,
    /// The state of the cache when the read began.
    begun: u64,
}

/// How a read goes on that no fresh copy answered.
pub(super) enum Way {
    /// It is answered already.
    Answered(Answer),
    /// The provider is to be asked, for all who wait for it.
    Ask(Option<Flight>),
    /// Another read asks it.
    Wait(Waiting),
}

impl Resolver {
    /// What the cache can do for a read.
    pub(super) fn copies(&self, opened: &Opened, target: Target<'_>) -> Copies {
        let limit = self.limit(opened, target);
        let rules = limit.map_or(opened.terms.rules, |limit| opened.terms.rules.limited(limit));
        let key = CacheKey {
            caller: self.caller.clone(),
            identity: Arc::clone(&opened.identity),
            path: target.path.to_owned(),
            version: target.version.map(str::to_owned),
        };
        // What needs no network is where the user has it anyway.
        let rules = Rules { disk: rules.disk && opened.terms.is_remote, ..rules };
        Copies { is_kept: self.cache.keeps(&rules), key, rules, begun: self.cache.begun() }
    }

    fn limit(&self, opened: &Opened, target: Target<'_>) -> Option<Duration> {
        if self.manner.limits.is_empty() {
            return None;
        }
        self.manner.limits.get(&(opened.identity.provider.clone(), target.path.to_owned())).copied()
    }

    /// A copy that answers before anybody is asked, or whom to ask.
    pub(super) async fn way(&self, operation: &mut Operation<'_>, copies: &Copies) -> Way {
        if !copies.is_kept {
            return Way::Ask(None);
        }
        if let Some(answer) = self.copy(operation, copies).await {
            return Way::Answered(answer);
        }
        if self.manner.mode == Mode::Refresh {
            return Way::Ask(None);
        }
        match self.cache.board(&copies.key) {
            Boarding::Follow(waiting) => Way::Wait(waiting),
            // The call of another read may have ended since the copy was looked for.
            Boarding::Lead(flight) => match self.copy(operation, copies).await {
                Some(answer) => {
                    flight.land(&answer);
                    Way::Answered(answer)
                }
                None => Way::Ask(Some(flight)),
            },
        }
    }

    async fn copy(&self, operation: &mut Operation<'_>, copies: &Copies) -> Option<Answer> {
        if self.manner.mode == Mode::Refresh {
            return None;
        }
        let rules = &copies.rules;
        let found = match self.cache.fresh(&copies.key, rules).await {
            Some(copy) => Some(copy),
            None => self.revalidated(operation, copies).await,
        };
        let copy = found?;
        operation.cached = true;
        self.cache.count(true);
        Some(Ok(copy.answer))
    }

    /// A copy that is past its time and answers all the same, because it will be read anew as soon as somebody has time.
    async fn revalidated(&self, operation: &mut Operation<'_>, copies: &Copies) -> Option<Copy> {
        let (secret, age) = match self.manner.while_revalidated {
            Duration::ZERO => return None,
            within => self.cache.stale(&copies.key, &Rules { max_stale: within, ..copies.rules }).await?,
        };
        operation.stale = Some(age);
        let CacheKey { identity, path, version, .. } = copies.key.clone();
        let due = Due { provider: identity.provider.clone(), path, version };
        let mut waiting = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_DUE && !waiting.contains(&due) {
            waiting.push(due);
        }
        Some(Copy { answer: Some(secret), age })
    }

    /// The answer of another read; `None` where that one gave up, and this one has to ask by itself.
    pub(super) async fn waited(
        &self,
        operation: &mut Operation<'_>,
        copies: &Copies,
        waiting: Waiting,
    ) -> Option<Answer> {
        let answer = waiting.answer().await?;
        if answer.is_err() {
            return Some(self.settled(operation, copies, answer).await);
        }
        operation.cached = true;
        self.cache.count(true);
        Some(answer)
    }

    /// The same as [`Resolver::settled`], for those who wait for the backend's answer as well.
    pub(super) async fn landed(
        &self,
        operation: &mut Operation<'_>,
        copies: &Copies,
        flight: Option<Flight>,
        answer: Answer,
    ) -> Answer {
        let Some(flight) = flight else { return self.settled(operation, copies, answer).await };
        let said = answer.clone();
        // The copy is there before the call is over, so nobody who comes in between makes another one.
        let answer = self.settled(operation, copies, answer).await;
        flight.land(&said);
        answer
    }

    /// What a read answers where its backend has said `answer`: that, or a stale copy where it said nothing.
    pub(super) async fn settled(&self, operation: &mut Operation<'_>, copies: &Copies, answer: Answer) -> Answer {
        if !copies.is_kept {
            if answer.as_ref().err().is_none_or(is_answer) {
                self.cache.drop_earlier(&copies.key);
            }
            return answer;
        }
        self.cache.count(false);
        let failure = match answer {
            Ok(secret) => {
                let max_stale = copies.rules.max_stale.max(self.manner.while_revalidated);
                let rules = Rules { max_stale, ..copies.rules };
                self.cache.keep(&copies.key, &rules, &secret, copies.begun).await;
                return Ok(secret);
            }
            Err(failure) => failure,
        };
        if is_answer(&failure) {
            self.cache.drop(&copies.key).await;
        }
        if !is_away(&failure) || self.manner.mode == Mode::Refresh {
            return Err(failure);
        }
        let Some((secret, age)) = self.cache.stale(&copies.key, &copies.rules).await else { return Err(failure) };
        operation.cached = true;
        operation.stale = Some(age);
        let (secret_name, age) = (operation.asked.reference, ago(age));
        self.manner.notices.warn(format!("`{secret_name}` is a copy of {age} ago: {}", failure.what));
        Ok(Some(secret))
    }

    /// Reads anew what was answered by copies that are past their time (see [`super::Manner::while_revalidated`]); answers
    /// how many secrets that were. For a process that stays: it calls this whenever it has time.
    pub async fn revalidate(&self) -> usize {
        let due = std::mem::take(&mut *self.due.lock().unwrap_or_else(PoisonError::into_inner));
        for Due { provider, path, version } in &due {
            let target = Target { provider: Some(provider), path, version: version.as_deref() };
            // A failure is on record, and the copy answers as long as its rules say.
            self.read_anew(target).await.map(drop).unwrap_or_default();
        }
        due.len()
    }

    /// Fills the cache with secrets that will be asked for: a read of each that there is no fresh copy of, of which only
    /// failures are told.
    pub async fn warm(&self, targets: &[Target<'_>]) -> Vec<Result<(), Failure>> {
        self.read_many(targets).await.into_iter().map(|answer| answer.map(drop)).collect()
    }

    /// What is told of an operation that would need the network, where there is to be none.
    pub(super) fn refused_offline(&self, opened: &Opened) -> Option<Failure> {
        let is_refused = self.manner.mode == Mode::Offline && opened.terms.is_remote;
        is_refused.then(|| offline(&opened.identity.provider))
    }
}

/// Why a provider that needs the network is not asked in [`Mode::Offline`].
pub fn offline(provider: &str) -> Failure {
    Failure::new(Kind::Unavailable, format!("`{provider}` needs the network, and `--offline` was asked for"))
}

/// Whether a backend could not be asked, so that something else may answer for it.
pub(super) fn is_away(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::Unavailable | Kind::Timeout)
}

/// An age for people.
pub fn ago(age: Duration) -> String {
    let seconds = age.as_secs();
    let told = |number: u64, unit: &str| format!("{number} {unit}{}", if number == 1 { "" } else { "s" });
    match seconds {
        0..120 => told(seconds, "second"),
        120..7_200 => told(seconds / 60, "minute"),
        7_200..172_800 => told(seconds / 3_600, "hour"),
        _ => told(seconds / 86_400, "day"),
    }
}
