//! Reading many secrets: in batches where the provider has them, and several calls at once.

use std::collections::HashSet;
use std::sync::PoisonError;

use super::copies::{Answer, Copies, Way, is_away};
use super::fallback::{Turn, found, named};
use super::operation::{Operation, handed_out};
use super::{Opened, Resolver, Target};
use crate::Kind;
use crate::audit::{Ended, Ending};
use crate::cache::{Flight, Waiting};
use crate::parallel::{AT_ONCE, as_they_end};
use crate::policy::Action;
use crate::provider::{CallLog, Failure};

/// A read that is on its way, and the place of its answer.
struct Read<'a> {
    place: usize,
    operation: Operation<'a>,
    copies: Copies,
    /// Where others wait for its answer.
    flight: Option<Flight>,
}

/// A target, and the secret in whose place it is read.
pub(super) type Asked<'a> = (Target<'a>, Option<&'a str>);

/// A read that has ended, and is not on record yet.
struct Settled<'a> {
    read: Read<'a>,
    ended: Ended,
    answer: Answer,
}

/// How many reads that ended wait to be put on record together. None is answered before it is; where the process dies, their
/// beginnings are there alone.
const RECORDED_AT_ONCE: usize = 16;

/// What became of the reads of one batch.
struct Batched<'a> {
    answered: Vec<(usize, Answer)>,
    /// Those that have to be asked for by themselves.
    alone: Vec<Read<'a>>,
}

impl Resolver {
    /// Reads many secrets, of one provider or of several; the answers stand in the order of the targets.
    ///
    /// The current versions are read in batches where a provider has them; a secret that is refused in a batch is asked
    /// for by itself, so one that may not be read keeps no other from its reader. At most [`AT_ONCE`] calls run at once.
    /// Copies and stand-ins answer as they do for [`Resolver::read`].
    pub async fn read_many(&self, targets: &[Target<'_>]) -> Vec<Answer> {
        let asked: Vec<Asked<'_>> = targets.iter().map(|target| (*target, None)).collect();
        let mut answers = self.read_all(&asked).await;
        let is_open = |(target, answer): (&Target<'_>, &Answer)| {
            answer.as_ref().is_err_and(is_away) && self.is_stood_in_for(*target)
        };
        let mut open: Vec<usize> =
            targets.iter().zip(&answers).enumerate().filter(|(_, one)| is_open(*one)).map(|(place, _)| place).collect();
        for provider in &self.manner.fallback {
            let of = |place: &usize| Some((*place, *targets.get(*place)?));
            let wanted: Vec<(usize, Target<'_>, String)> =
                open.iter().filter_map(of).map(|(place, target)| (place, target, named(target))).collect();
            let provider = Some(provider.as_str());
            let stand_ins: Vec<Asked<'_>> =
                wanted.iter().map(|(_, target, name)| (Target { provider, ..*target }, Some(name.as_str()))).collect();
            open.clear();
            for ((place, _, name), (answer, (target, _))) in
                wanted.iter().zip(self.read_all(&stand_ins).await.into_iter().zip(&stand_ins))
            {
                let Some(slot) = answers.get_mut(*place) else { continue };
                let Err(first) = slot else { continue };
                *slot = match self.turned(first, name, &named(*target), answer.and_then(found)) {
                    Turn::Answered(secret) => Ok(Some(secret)),
                    Turn::Failed(failure, goes_on) => {
                        open.extend(goes_on.then_some(*place));
                        Err(failure)
                    }
                };
            }
        }
        answers
    }

    /// Reads each target from its own provider alone.
    pub(super) async fn read_all(&self, targets: &[Asked<'_>]) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = targets.iter().map(|_| None).collect();
        let mut put = |place: usize, answer: Answer| {
            if let Some(slot) = answers.get_mut(place) {
                *slot = Some(answer);
            }
        };
        let mut opened = Vec::with_capacity(targets.len());
        for (target, _) in targets {
            opened.push(self.opened(*target, Action::Get).await);
        }
        let (mut reads, mut answered, mut waiting) = (Vec::with_capacity(targets.len()), Vec::new(), Vec::new());
        for (place, ((target, in_place_of), opened)) in targets.iter().zip(&opened).enumerate() {
            let opened = match opened {
                Ok(opened) => opened,
                Err(failure) => {
                    put(place, Err(failure.clone()));
                    continue;
                }
            };
            let mut operation = match self.decided(opened, *target, Action::Get, *in_place_of) {
                Ok(operation) => operation,
                Err(failure) => {
                    put(place, Err(failure));
                    continue;
                }
            };
            let copies = self.copies(opened, *target);
            let way = self.way(&mut operation, &copies).await;
            let read = Read { place, operation, copies, flight: None };
            match way {
                Way::Answered(answer) => answered.push(self.ended(read, answer)),
                Way::Ask(flight) => reads.push(Read { flight, ..read }),
                Way::Wait(other) => waiting.push((read, other)),
            }
        }
        self.recorded(answered, false).into_iter().for_each(|(place, answer)| put(place, answer));
        let (mut batches, mut alone) = self.batches(reads);
        for batch in &mut batches {
            // What one call does has one name.
            if let Some(id) = batch.first().map(|read| read.operation.id) {
                batch.iter_mut().for_each(|read| read.operation.id = id);
            }
        }
        let all = batches.iter_mut().flatten().chain(&mut alone).map(|read| &mut read.operation);
        if let Err(error) = self.announce(all) {
            let failure = Failure::from(error);
            let places = batches.iter().flatten().chain(&alone).map(|read| read.place);
            places.for_each(|place| put(place, Err(failure.clone())));
            (batches, alone) = (Vec::new(), Vec::new());
        }
        let mut answered = Vec::new();
        as_they_end(AT_ONCE, batches.into_iter().map(|batch| self.read_batch(batch)), |batched| {
            answered.extend(batched.answered);
            alone.extend(batched.alone);
        })
        .await;
        let mut ended = Vec::new();
        as_they_end(AT_ONCE, alone.into_iter().map(|read| self.read_alone(read)), |one| {
            ended.push(one);
            if ended.len() == RECORDED_AT_ONCE {
                answered.extend(self.recorded(std::mem::take(&mut ended), true));
            }
        })
        .await;
        answered.extend(self.recorded(ended, true));
        // After all calls of this one: two that wait for each other's would wait for ever.
        as_they_end(AT_ONCE, waiting.into_iter().map(|(read, other)| self.wait(read, other)), |one| answered.push(one))
            .await;
        answered.into_iter().for_each(|(place, answer)| put(place, answer));
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(Failure::lost()))).collect()
    }

    /// Sorts reads into batches of one provider each, in which each path stands once, and those that go alone.
    fn batches<'a>(&self, reads: Vec<Read<'a>>) -> (Vec<Vec<Read<'a>>>, Vec<Read<'a>>) {
        let (mut batches, mut alone) = (Vec::<Vec<Read<'a>>>::new(), Vec::new());
        let mut known = HashSet::new();
        for read in reads {
            let (opened, target) = (read.operation.opened, read.operation.target);
            let most = if self.refuses(opened) { 1 } else { opened.provider.batch_max() };
            // A batch has current versions alone, and a backend may refuse one that names a secret twice.
            let fits = most > 1 && target.version.is_none() && known.insert((&opened.identity.grant, target.path));
            let is_of_it = |batch: &&mut Vec<Read<'a>>| {
                batch.len() < most
                    && batch.iter().all(|other| other.operation.opened.identity.grant == opened.identity.grant)
            };
            match batches.iter_mut().rev().find(is_of_it) {
                _ if !fits => alone.push(read),
                Some(batch) => batch.push(read),
                None => batches.push(vec![read]),
            }
        }
        // One secret is read as ever: its failure then has all that a single call knows of it.
        let (batches, single): (Vec<_>, Vec<_>) = batches.into_iter().partition(|batch| batch.len() > 1);
        alone.extend(single.into_iter().flatten());
        (batches, alone)
    }

    /// Whether this provider's backend has refused a whole batch.
    fn refuses(&self, opened: &Opened) -> bool {
        self.refusing.lock().unwrap_or_else(PoisonError::into_inner).contains(&opened.identity.grant)
    }

    /// Reads one batch. What it answers is recorded under one id, with the requests that it took.
    async fn read_batch<'a>(&self, batch: Vec<Read<'a>>) -> Batched<'a> {
        let Some(opened) = batch.first().map(|read| read.operation.opened) else {
            return Batched { answered: Vec::new(), alone: Vec::new() };
        };
        // Another batch may have found out meanwhile.
        if self.refuses(opened) {
            return Batched { answered: Vec::new(), alone: batch };
        }
        let log = CallLog::default();
        let paths: Vec<&str> = batch.iter().map(|read| read.operation.target.path).collect();
        let asked = match self.refused_offline(opened) {
            Some(failure) => Err(failure),
            None => opened.provider.get_many(&log, &paths).await,
        };
        let (answers, is_answered): (Vec<Answer>, _) = match asked {
            Ok(answers) => (answers, true),
            Err(failure) => (batch.iter().map(|_| Err(failure.clone())).collect(), false),
        };
        if answers.iter().all(|answer| answer.as_ref().is_err_and(is_denial)) {
            let mut refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
            refusing.insert(opened.identity.grant.clone());
        }
        let (mut ended, mut alone) = (Vec::with_capacity(batch.len()), Vec::new());
        for (read, answer) in batch.into_iter().zip(answers) {
            match answer {
                Err(failure) if may_fare_better(failure.kind, is_answered) => alone.push(read),
                answer => ended.push((read, answer)),
            }
        }
        // Each request is on record with an operation.
        if let Some(read) = ended.first().map(|(read, _)| read).or(alone.first()) {
            log.take().into_iter().for_each(|request| read.operation.log.push(request));
        }
        if ended.is_empty() {
            return Batched { answered: Vec::new(), alone };
        }
        let mut settled = Vec::with_capacity(ended.len());
        for (read, answer) in ended {
            settled.push(self.settle(read, answer).await);
        }
        Batched { answered: self.recorded(settled, true), alone }
    }

    /// Reads one secret by itself. That it ended is not on record yet.
    async fn read_alone<'a>(&self, read: Read<'a>) -> Settled<'a> {
        let answer = self.asked(&read.operation).await;
        self.settle(read, answer).await
    }

    /// A read whose backend has said `answer`.
    async fn settle<'a>(&self, mut read: Read<'a>, answer: Answer) -> Settled<'a> {
        let flight = read.flight.take();
        let answer = self.landed(&mut read.operation, &read.copies, flight, answer).await;
        self.ended(read, answer)
    }

    fn ended<'a>(&self, mut read: Read<'a>, answer: Answer) -> Settled<'a> {
        self.mark(&mut read.operation, &answer);
        Settled { ended: read.operation.ended(answer.as_ref().err()), read, answer }
    }

    /// Puts reads on record, and hands their answers out.
    fn recorded(&self, settled: Vec<Settled<'_>>, is_begun: bool) -> Vec<(usize, Answer)> {
        let endings: Vec<Ending<'_>> =
            settled.iter().map(|Settled { read, ended, .. }| read.operation.ending(ended)).collect();
        let written = self.audit.end(&endings, is_begun);
        drop(endings);
        settled.into_iter().map(|one| (one.read.place, handed_out(&written, one.answer))).collect()
    }

    /// Waits for the call of another read; where that one gave up, makes its own.
    async fn wait(&self, read: Read<'_>, waiting: Waiting) -> (usize, Answer) {
        let Read { place, mut operation, copies, .. } = read;
        let answer = match self.waited(&mut operation, &copies, waiting).await {
            Some(answer) => answer,
            None => match self.announce([&mut operation]) {
                Ok(()) => {
                    let answer = self.asked(&operation).await;
                    self.settled(&mut operation, &copies, answer).await
                }
                Err(error) => Err(error.into()),
            },
        };
        self.mark(&mut operation, &answer);
        (place, self.end(operation, answer))
    }
}

/// Whether the backend denied the batch itself: where its answer was one of success, it denied each secret, and the next
/// batch may have others.
fn is_denial(failure: &Failure) -> bool {
    failure.kind == Kind::AccessDenied && failure.status.is_none_or(|status| status >= 400)
}

/// Whether a secret that failed in a batch may be read by itself: so it is, unless the backend is away, or the plugin broke.
/// A backend that answered the batch is there, whatever it says of one entry: a single read is repeated where that helps.
fn may_fare_better(kind: Kind, is_answered: bool) -> bool {
    if matches!(kind, Kind::RateLimited | Kind::Unavailable | Kind::Timeout) {
        return is_answered;
    }
    !matches!(
        kind,
        Kind::Unauthenticated | Kind::PluginFault | Kind::CredentialReflected | Kind::Integrity | Kind::Internal
    )
}
