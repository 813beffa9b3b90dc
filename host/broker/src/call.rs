//! One call of a plugin: the ladder in its order, the call's budget, and what the host remembers of it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use forge_core::provider::RequestRecord;
use forge_core::route::{Ability, Route};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::budget::{Budget, Spent};
use crate::client::{Answer, Failure, Limits, Outgoing};
use crate::credential::{Errand, Injection};
use crate::denial::{self, Denial};
use crate::request::{self, Parsed};
use crate::verdict::{Refusal, Stop, Verdict};
use crate::{Egress, Error, Request, Response, header, route};

/// The most requests of one [`Call::send_all`] that are looked at: as many as the largest budget has.
const MOST_AT_ONCE: usize = 64;

/// The most requests of a call that are recorded: the largest budget with its logins, and the refusals behind it.
const MOST_RECORDS: usize = 4 * MOST_AT_ONCE;

/// One call of a plugin, from its first request to its last. Its time runs from [`Egress::call`] on.
#[derive(Debug)]
pub struct Call {
    egress: Arc<Egress>,
    /// What the running operation is for: routes of other abilities are closed to it.
    abilities: &'static [Ability],
    budget: Budget,
    /// Shared with a login, which may outlive the call.
    records: Arc<Mutex<Vec<RequestRecord>>>,
    /// Whether the credential's server was asked what is wrong: once is enough for a call.
    has_doubted: AtomicBool,
    verdict: Mutex<Option<(u8, Verdict)>>,
}

impl Call {
    pub(crate) fn new(egress: Arc<Egress>, abilities: &'static [Ability]) -> Self {
        let budget = Budget::new(&egress.grant.limits);
        Self {
            egress,
            abilities,
            budget,
            records: Arc::default(),
            has_doubted: AtomicBool::new(false),
            verdict: Mutex::default(),
        }
    }

    /// Sends one request of the guest, if it is granted, and answers what the guest may see of the answer.
    ///
    /// # Errors
    /// The [`Refusal`] that the guest hears; [`Call::verdict`] keeps it for the host.
    pub async fn send(&self, request: Request) -> Result<Response, Refusal> {
        let started = Instant::now();
        let mut record = RequestRecord {
            method: "?".to_owned(),
            origin: String::new(),
            route: String::new(),
            status: None,
            bytes: 0,
            milliseconds: 0,
            attempts: 0,
            outcome: "ok",
            permission: None,
            is_open: false,
        };
        let outcome = self.climb(request, &mut record).await.map_err(|stop| {
            record.outcome = stop.token();
            record.is_open &= record.attempts > 0 && stop.leaves_open();
            self.note(stop)
        });
        record.is_open &= outcome.is_err();
        record.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        // A guest can ask for ever once its budget is spent; the first refusals say all that audit has to know.
        if records.len() < MOST_RECORDS {
            records.push(record);
        }
        outcome
    }

    /// Sends several requests, at most eight at a time; the answers stand in the order of the requests.
    ///
    /// Requests beyond what any call may make are answered with [`Refusal::Budget`] without being looked at.
    pub async fn send_all(&self, mut requests: Vec<Request>) -> Vec<Result<Response, Refusal>> {
        type Sending<'call> = Pin<Box<dyn Future<Output = Result<Response, Refusal>> + Send + 'call>>;
        // A list is cheap for a guest to make; what waits for each entry is not cheap for the host.
        let too_many = requests.split_off(requests.len().min(MOST_AT_ONCE)).len();
        // How many really go out at a time is decided by the provider's semaphore.
        let mut sending: Vec<Result<Result<Response, Refusal>, Sending<'_>>> =
            requests.into_iter().map(|request| Err(Box::pin(self.send(request)) as Sending<'_>)).collect();
        std::future::poll_fn(|context| {
            let mut is_done = true;
            for slot in &mut sending {
                let Err(future) = slot else { continue };
                match future.as_mut().poll(context) {
                    Poll::Ready(outcome) => *slot = Ok(outcome),
                    Poll::Pending => is_done = false,
                }
            }
            if is_done { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let mut outcomes: Vec<_> = sending.into_iter().map(|slot| slot.unwrap_or(Err(Refusal::Budget))).collect();
        outcomes.extend((0..too_many).map(|_| Err(self.note(Stop::from(Spent::Requests)))));
        outcomes
    }

    /// The worst that the broker refused in this call, for the error's text and the exit code; `None` if it refused nothing.
    pub fn verdict(&self) -> Option<Verdict> {
        let verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        verdict.as_ref().map(|(_, verdict)| verdict.clone())
    }

    /// All requests so far, logins included, in the order in which they ended; none are left afterwards.
    pub fn take_records(&self) -> Vec<RequestRecord> {
        std::mem::take(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The ladder, in its order; the budget (8) and the retries (9) stand around the wire.
    async fn climb(&self, request: Request, record: &mut RequestRecord) -> Result<Response, Stop> {
        self.budget.request()?;
        let Egress { grant, kind, parameters, .. } = &*self.egress;
        // 1. Parse once.
        let mut parsed = request::parse(request, grant).map_err(Stop::Denied)?;
        record.method = parsed.method.to_string();
        record.origin = denial::origin(&parsed, grant);
        self.budget.send(parsed.size())?;
        // 2 and 3. Match a route; allow, don't strip.
        let is_own = |name: &str| header::is_own(name) || (kind.is_own_header)(parameters, name);
        let forbidden = |literals| (kind.forbidden)(&parsed, literals);
        let forbid = |rule| Stop::Denied(Denial::ForbiddenRoute { kind: kind.name, rule });
        let route = match route::find(grant, self.abilities, &parsed, is_own, kind.colon_is_action) {
            Ok(route) => route,
            // What no grant can give is refused in these words, rather than with a hint how to grant it.
            Err(Denial::NoRoute { .. }) if let Some(rule) = forbidden(0) => return Err(forbid(rule)),
            Err(denial) => return Err(Stop::Denied(denial)),
        };
        record.route = route.path.to_string();
        record.permission.clone_from(&route.permission);
        record.is_open = route.ability != Ability::Read;
        if let Some(rule) = forbidden(route::literals(&route.path)) {
            return Err(forbid(rule));
        }
        parsed.settle_body(route);
        let _permit = tokio::time::timeout_at(self.budget.deadline, self.egress.in_flight.acquire())
            .await
            .map_err(|_| Stop::Failed(parsed.origin.clone(), Failure::Timeout))?;
        // 4 to 6. The transport resolves and pins; the credential is added last; the request is sent.
        let (answer, injected, doubt) = self.send_as_the_user(&parsed, route, record).await?;
        record.status = Some(answer.status);
        record.bytes = answer.body.len() as u64;
        // 7. Capped while it arrived; now the search. The status' own words were never kept. A secret of less than
        // 8 bytes is not searched for: it would be found everywhere by chance.
        let is_echo = |bytes: &[u8]| injected.secrets.iter().any(|forms| forms.found_in(bytes));
        if is_echo(&answer.body) || answer.headers.values().any(|value| is_echo(value.as_bytes())) {
            // A server that says why it refuses a signature shows what it signed itself, session's token and all.
            return Err(doubt.map_or(Stop::Reflected(parsed.origin), Stop::Credential));
        }
        if let Some(error) = doubt {
            self.note(Stop::Credential(error));
        }
        Ok(Response { status: answer.status, headers: header::passed_on(&answer.headers), body: answer.body })
    }

    /// Sends with the credential; where the server does not accept it, it may be renewed once. What is wrong with the
    /// credential itself comes beside the answer, if its server says so.
    async fn send_as_the_user(
        &self,
        parsed: &Parsed,
        route: &Route,
        record: &mut RequestRecord,
    ) -> Result<(Answer, Injection, Option<Error>), Stop> {
        let errand = Errand { deadline: self.budget.deadline, records: Some(&self.records) };
        let late = |_| Stop::Failed(parsed.origin.clone(), Failure::Timeout);
        let credential = &self.egress.credential;
        let injecting = credential.inject(parsed, &errand);
        let injected =
            tokio::time::timeout_at(self.budget.deadline, injecting).await.map_err(late)?.map_err(Stop::Credential)?;
        let answer = self.send_again_and_again(parsed, route, &injected, record).await?;
        if !credential.is_refusal(&answer) {
            return Ok((answer, injected, None));
        }
        let renewing = credential.renew(parsed, &injected, answer.status, &errand);
        let renewed =
            tokio::time::timeout_at(self.budget.deadline, renewing).await.map_err(late)?.map_err(Stop::Credential)?;
        match renewed {
            Some(mut renewed) if route.idempotent => {
                let answer = self.send_again_and_again(parsed, route, &renewed, record).await?;
                // A server may echo what it got a moment ago.
                renewed.secrets.extend(injected.secrets);
                Ok((answer, renewed, None))
            }
            Some(_) => Ok((answer, injected, None)),
            // The guest gets the answer all the same: what it makes of it counts, unless it is a failure.
            None if self.has_doubted.swap(true, Ordering::Relaxed) => Ok((answer, injected, None)),
            None => {
                let doubting = credential.doubt(&injected, &parsed.origin, &answer, &errand);
                let doubt = tokio::time::timeout_at(self.budget.deadline, doubting).await.ok().flatten();
                Ok((answer, injected, doubt))
            }
        }
    }

    async fn send_again_and_again(
        &self,
        parsed: &Parsed,
        route: &Route,
        injected: &Injection,
        record: &mut RequestRecord,
    ) -> Result<Answer, Stop> {
        let limits =
            Limits { deadline: self.budget.deadline, body_max: route.response_max, budget: Some(&self.budget) };
        let mut attempts = 0;
        loop {
            attempts += 1;
            record.attempts += 1;
            let outgoing = Outgoing {
                method: &parsed.method,
                url: &parsed.url,
                origin: &parsed.origin,
                headers: headers(parsed, injected)?,
                body: &parsed.body,
            };
            let outcome = self.egress.transport.exchange(outgoing, &limits).await;
            let is_throttled = outcome.as_ref().is_ok_and(|answer| self.egress.credential.is_throttled(answer));
            match self.egress.retries.pause(attempts, &outcome, is_throttled, limits.deadline) {
                // A request that was too many was not looked at, so it may be sent again whatever it would have done.
                Some(pause) if route.idempotent || is_throttled => tokio::time::sleep(pause).await,
                _ => return outcome.map_err(|failure| Stop::Failed(parsed.origin.clone(), failure)),
            }
        }
    }

    /// Remembers what stopped a request and answers what the guest hears of it.
    fn note(&self, stop: Stop) -> Refusal {
        if matches!(stop, Stop::Denied(_)) {
            self.budget.denied();
        }
        let (rank, verdict, refusal) = stop.judged(&self.egress.grant);
        let mut worst = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        if worst.as_ref().is_none_or(|(known, _)| rank < *known) {
            *worst = Some((rank, verdict));
        }
        refusal
    }
}

/// The guest's headers and the credential's, which no guest header can stand beside.
fn headers(parsed: &Parsed, injected: &Injection) -> Result<HeaderMap, Stop> {
    let mut headers = HeaderMap::new();
    for (name, value) in &parsed.headers {
        let malformed = || Stop::Denied(Denial::HeaderValue { name: name.clone(), route: String::new() });
        let value = HeaderValue::from_str(value).map_err(|_| malformed())?;
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| malformed())?, value);
    }
    for (name, value) in &injected.headers {
        headers.insert(name.clone(), value.clone());
    }
    Ok(headers)
}
