//! One operation from the policy's word to the record of its end.

use std::time::{Duration, Instant};

use super::{Opened, Resolver, Target};
use crate::Kind;
use crate::audit::{self, Asked, Ended, Ending, Id};
use crate::metrics::{Done, Metrics};
use crate::policy::Action;
use crate::provider::{CallLog, Failure};
use crate::secret::Secret;

/// One operation on its way: what audit has to know at its end.
pub(super) struct Operation<'a> {
    pub(super) opened: &'a Opened,
    pub(super) target: Target<'a>,
    pub(super) id: Id,
    pub(super) asked: Asked<'a>,
    pub(super) metrics: &'a Metrics,
    pub(super) begun: Instant,
    pub(super) log: CallLog,
    /// Whether its beginning is on record.
    pub(super) is_announced: bool,
    pub(super) cached: bool,
    /// How old the copy is that answers past its time.
    pub(super) stale: Option<Duration>,
    /// The keyed HMAC of the value that is handed out or was written.
    pub(super) value: Option<String>,
}

impl Resolver {
    /// Opens the provider of an operation; that it can't be opened is on record as well.
    pub(super) async fn opened(&self, target: Target<'_>, action: Action) -> Result<Opened, Failure> {
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
        let ending = |id| Ending { id, asked: &asked, ended: &ended, requests: Vec::new() };
        let written = self.audit.id().and_then(|id| self.audit.end(&[ending(id)], false));
        written.unwrap_or_default();
        Err(failure)
    }

    /// An operation that the policy allows; one that it does not is on record as refused.
    pub(super) fn decided<'a>(
        &'a self,
        opened: &'a Opened,
        target: Target<'a>,
        action: Action,
        in_place_of: Option<&'a str>,
    ) -> Result<Operation<'a>, Failure> {
        self.policy.announce(&self.audit)?;
        let decision = self.policy.decide(action, &opened.identity.provider, target.path);
        let mut asked =
            Asked::new(&self.caller.user, action.token(), &opened.identity.provider, target.path, target.version);
        asked.plugin = &opened.identity.plugin;
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
    pub(super) fn begin<'a>(
        &'a self,
        opened: &'a Opened,
        target: Target<'a>,
        action: Action,
    ) -> Result<Operation<'a>, Failure> {
        let mut operation = self.decided(opened, target, action, None)?;
        if let Some(failure) = self.refused_offline(opened) {
            return self.end(operation, Err(failure));
        }
        self.announce([&mut operation])?;
        Ok(operation)
    }

    /// Records that operations begin; nothing of them is done before.
    pub(super) fn announce<'o, 'a: 'o>(
        &self,
        operations: impl IntoIterator<Item = &'o mut Operation<'a>>,
    ) -> Result<(), audit::Error> {
        let mut operations: Vec<_> = operations.into_iter().collect();
        self.audit.begin(operations.iter().map(|operation| (&operation.id, &operation.asked)))?;
        operations.iter_mut().for_each(|operation| operation.is_announced = true);
        Ok(())
    }

    /// Notes which value an operation hands out, for whoever looks for one in the log.
    pub(super) fn mark(&self, operation: &mut Operation<'_>, answer: &Result<Option<Secret>, Failure>) {
        operation.value = match answer {
            Ok(Some(secret)) => self.audit.value(secret.value.expose()),
            _ => None,
        };
    }

    /// Writes the audit record; a value is handed out only once that is done.
    pub(super) fn end<T>(&self, operation: Operation<'_>, answer: Result<T, Failure>) -> Result<T, Failure> {
        let ended = operation.ended(answer.as_ref().err());
        let written = self.audit.end(&[operation.ending(&ended)], operation.is_announced);
        handed_out(&written, answer)
    }
}

impl Operation<'_> {
    /// Ends it: it is counted, and answered is what audit records of its end.
    pub(super) fn ended(&self, failure: Option<&Failure>) -> Ended {
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

    /// What audit records of one that has ended, with the requests that it made, which are counted.
    pub(super) fn ending<'e>(&'e self, ended: &'e Ended) -> Ending<'e> {
        let requests = self.log.take();
        self.metrics.requests(&self.opened.identity.provider, requests.len());
        Ending { id: self.id, asked: &self.asked, ended, requests }
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// An answer, if it was recorded.
pub(super) fn handed_out<T>(written: &Result<(), audit::Error>, answer: Result<T, Failure>) -> Result<T, Failure> {
    match (written, answer) {
        (Ok(()), answer) => answer,
        // The operation's own failure says more than that it could not be recorded.
        (Err(_), Err(failure)) => Err(failure),
        (Err(error), Ok(_)) => Err(Failure { hint: error.hint(), ..Failure::new(error.kind(), error.to_string()) }),
    }
}
