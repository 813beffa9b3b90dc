//! Secrets of one use: whatever happens between the login and the call that wanted it, what they bought is kept.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use forge_broker::{Egress, Options, Refusal, Tokens, Turn, Verdict};
use forge_core::Kind;
use forge_core::grant::Grant;
use forge_core::manifest::LimitsAsk;
use forge_core::provider::Failure;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::server::{Reply, Seen, Server, answer};
use crate::setup::{Known, get, options_of, with_credential};

const WRAPPED: [(&str, &str); 3] =
    [("method", "approle"), ("role-id", "env:ROLE"), ("secret-id-wrapped", "file:/run/wrapped")];
const UNWRAPPED: [(&str, &str); 3] = [("method", "approle"), ("role-id", "env:ROLE"), ("secret-id", "env:SECRET")];

const TOKEN: &str = r#"{"auth":{"client_token":"s.token-of-one-use","lease_duration":3600}}"#;

/// One entry in memory, whether a process has its turn, and whether the keyring behind it is locked.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Option<Vec<u8>>>>, Arc<Mutex<bool>>, Arc<Mutex<bool>>);

impl Shelf {
    fn lock(&self, is_locked: bool) {
        *self.2.lock().unwrap() = is_locked;
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().as_ref().map(|bytes| String::from_utf8(bytes.clone()).unwrap()).unwrap_or_default()
    }
}

struct Ends(Arc<Mutex<bool>>);

impl Drop for Ends {
    fn drop(&mut self) {
        *self.0.lock().unwrap() = false;
    }
}

impl Tokens for Shelf {
    fn load(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let entry = self.0.lock().unwrap().clone().map(Zeroizing::new);
        if entry.is_some() { self.is_ready().map(|()| entry) } else { Ok(None) }
    }

    fn is_ready(&self) -> Result<(), Failure> {
        match *self.2.lock().unwrap() {
            true => Err(Failure::new(Kind::Unauthenticated, "the keyring is locked").with_hint("unlock it")),
            false => Ok(()),
        }
    }

    fn save(&self, _: &str, entry: &[u8]) {
        if !*self.2.lock().unwrap() {
            *self.0.lock().unwrap() = Some(entry.to_vec());
        }
    }

    fn turn(&self) -> Option<Turn> {
        let mut is_taken = self.1.lock().unwrap();
        if *is_taken {
            return None;
        }
        *is_taken = true;
        Some(Box::new(Ends(Arc::clone(&self.1))))
    }
}

/// What a server of one-use secrets does with its logins.
#[derive(Clone)]
enum Login {
    /// Answers when the test lets it, and only the first time.
    When(Arc<Semaphore>),
    /// Answers each time with the next of these statuses, and with 200 from then on.
    Statuses(Arc<Mutex<Vec<u16>>>),
}

impl Login {
    fn statuses(statuses: &[u16]) -> Self {
        Self::Statuses(Arc::new(Mutex::new(statuses.iter().rev().copied().collect())))
    }
}

/// A server that knows its token alone, and opens a wrapping token once.
async fn start(login: Login) -> Server {
    let unwrapped = Mutex::new(false);
    let logins = Mutex::new(0);
    Server::start(move |seen, _| respond(seen, &login, &unwrapped, &logins)).await
}

fn respond(seen: &Seen, login: &Login, unwrapped: &Mutex<bool>, logins: &Mutex<usize>) -> Reply {
    match seen.target.as_str() {
        "/v1/sys/wrapping/lookup" if !*unwrapped.lock().unwrap() => {
            answer(200, &[], r#"{"data":{"creation_path":"auth/approle/role/app/secret-id"}}"#)
        }
        "/v1/sys/wrapping/unwrap" if !std::mem::replace(&mut *unwrapped.lock().unwrap(), true) => {
            answer(200, &[], r#"{"data":{"secret_id":"canary-secret-id-0123"}}"#)
        }
        "/v1/auth/approle/login" => {
            let mut logins = logins.lock().unwrap();
            *logins += 1;
            match login {
                Login::When(gate) if *logins == 1 => {
                    let head =
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", TOKEN.len());
                    Reply::When(Arc::clone(gate), format!("{head}{TOKEN}").into_bytes())
                }
                Login::When(_) => answer(400, &[], "invalid secret id"),
                Login::Statuses(statuses) => answer(statuses.lock().unwrap().pop().unwrap_or(200), &[], TOKEN),
            }
        }
        "/v1/secret/x" if seen.header("x-vault-token") == Some("s.token-of-one-use") => answer(200, &[], "value"),
        _ => answer(403, &[], "no"),
    }
}

fn count(server: &Server, end: &str) -> usize {
    server.seen().iter().filter(|seen| seen.target.ends_with(end)).count()
}

/// A process of its own: another egress over the same shelf.
fn process(grant: &Grant, shelf: &Shelf) -> (Arc<Egress>, Options) {
    let known = Known::of(&[
        ("env:ROLE", "role-0123456789"),
        ("env:SECRET", "secret-0123456789"),
        ("file:/run/wrapped", "s.wrapping-token"),
    ]);
    let options = Options { tokens: Some(Arc::new(shelf.clone())), ..options_of(known) };
    (Egress::open(grant, &options).unwrap(), options)
}

async fn read(grant: &Grant, shelf: &Shelf, origin: &str) -> Result<u16, Refusal> {
    let (egress, _) = process(grant, shelf);
    egress.call().send(get(origin, "/v1/secret/x")).await.map(|response| response.status)
}

#[tokio::test]
async fn a_login_that_outlives_the_call_it_was_made_for_is_finished_and_kept() {
    let gate = Arc::new(Semaphore::new(0));
    let server = start(Login::When(Arc::clone(&gate))).await;
    let (shelf, origin) = (Shelf::default(), server.origin.clone());
    let limits = LimitsAsk { wall_ms: Some(1_000), ..LimitsAsk::default() };
    let grant = Grant { limits, ..with_credential(&origin, "vault-token", &UNWRAPPED) };
    let (egress, options) = process(&grant, &shelf);
    let outcome = egress.call().send(get(&origin, "/v1/secret/x")).await;
    assert!(matches!(outcome, Err(Refusal::Timeout)), "{outcome:?}");
    // The call is over, and the server has not answered yet.
    assert_eq!((count(&server, "/login"), shelf.text().as_str()), (1, ""));
    drop(egress);
    gate.add_permits(1);
    options.logins.finished().await;
    assert!(shelf.text().contains("s.token-of-one-use"));
    // The secret is spent, so only what was kept can open this.
    assert_eq!(read(&grant, &shelf, &origin).await, Ok(200));
    assert_eq!(count(&server, "/login"), 1);
}

#[tokio::test]
async fn a_login_whose_call_was_dropped_is_finished_and_kept() {
    let gate = Arc::new(Semaphore::new(0));
    let server = start(Login::When(Arc::clone(&gate))).await;
    let (shelf, origin) = (Shelf::default(), server.origin.clone());
    let grant = with_credential(&origin, "vault-token", &UNWRAPPED);
    let (egress, options) = process(&grant, &shelf);
    let call = egress.call();
    let asked = async {
        while count(&server, "/login") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        outcome = call.send(get(&origin, "/v1/secret/x")) => panic!("{outcome:?}"),
        () = asked => {}
    }
    drop(call);
    gate.add_permits(1);
    options.logins.finished().await;
    assert_eq!(read(&grant, &shelf, &origin).await, Ok(200));
    assert_eq!(count(&server, "/login"), 1);
}

#[tokio::test]
async fn an_unwrapped_secret_is_kept_until_a_login_with_it_succeeded() {
    let server = start(Login::statuses(&[503, 502])).await;
    let (shelf, origin) = (Shelf::default(), server.origin.clone());
    let grant = with_credential(&origin, "vault-token", &WRAPPED);
    for _ in 0..2 {
        assert!(read(&grant, &shelf, &origin).await.is_err());
        assert!(shelf.text().contains("canary-secret-id-0123"));
    }
    assert_eq!(read(&grant, &shelf, &origin).await, Ok(200));
    assert_eq!((count(&server, "/unwrap"), count(&server, "/login")), (1, 3));
    assert!(!shelf.text().contains("canary-secret-id-0123"), "it has bought its token");
    assert_eq!(read(&grant, &shelf, &origin).await, Ok(200));
    assert_eq!(count(&server, "/login"), 3);
}

#[tokio::test]
async fn an_unwrapped_secret_that_its_server_rejects_is_kept_no_longer() {
    let server = start(Login::statuses(&[503, 400])).await;
    let (shelf, origin) = (Shelf::default(), server.origin.clone());
    let grant = with_credential(&origin, "vault-token", &WRAPPED);
    for is_kept in [true, false] {
        assert!(read(&grant, &shelf, &origin).await.is_err());
        assert_eq!(shelf.text().contains("canary-secret-id-0123"), is_kept);
    }
    // Forge has opened the wrapping token, and says so rather than to suspect somebody.
    let (egress, _) = process(&grant, &shelf);
    let call = egress.call();
    assert!(call.send(get(&origin, "/v1/secret/x")).await.is_err());
    assert!(call.verdict().unwrap().what.contains("opened by forge before"));
    assert_eq!(count(&server, "/login"), 2);
}

#[tokio::test]
async fn a_rejected_login_that_never_had_its_turn_erases_nothing() {
    let server = start(Login::statuses(&[503, 400])).await;
    let (shelf, origin) = (Shelf::default(), server.origin.clone());
    let limits = LimitsAsk { wall_ms: Some(60_000), ..LimitsAsk::default() };
    let grant = Grant { limits, ..with_credential(&origin, "vault-token", &WRAPPED) };
    assert!(read(&grant, &shelf, &origin).await.is_err());
    let before = shelf.text();
    assert!(before.contains("canary-secret-id-0123"));
    // Another process has its turn and was stopped; the test above shows what the same rejection does within a turn.
    *shelf.1.lock().unwrap() = true;
    let waiting = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(26)).await;
        tokio::time::resume();
    };
    let (outcome, ()) = tokio::join!(read(&grant, &shelf, &origin), waiting);
    assert!(outcome.is_err());
    assert_eq!(count(&server, "/login"), 2);
    assert!(shelf.text() == before, "what another process keeps was erased");
}

#[tokio::test]
async fn two_processes_that_log_in_for_the_first_time_share_one_login() {
    let gate = Arc::new(Semaphore::new(0));
    let server = start(Login::When(Arc::clone(&gate))).await;
    let (shelf, origin) = (Shelf::default(), server.origin.clone());
    let grant = with_credential(&origin, "vault-token", &UNWRAPPED);
    let others = async {
        while count(&server, "/login") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        gate.add_permits(1);
    };
    let (one, other, ()) = tokio::join!(read(&grant, &shelf, &origin), read(&grant, &shelf, &origin), others);
    assert_eq!((one, other, count(&server, "/login")), (Ok(200), Ok(200), 1));
}

/// What a process is told when the keyring is locked.
async fn told(grant: &Grant, shelf: &Shelf, origin: &str) -> Verdict {
    let (egress, _) = process(grant, shelf);
    let call = egress.call();
    assert!(call.send(get(origin, "/v1/secret/x")).await.is_err());
    call.verdict().unwrap()
}

#[tokio::test]
async fn a_wrapped_secret_is_not_opened_while_nothing_could_keep_what_it_holds() {
    let server = start(Login::statuses(&[])).await;
    let (shelf, origin) = (Shelf::default(), server.origin.clone());
    let grant = with_credential(&origin, "vault-token", &WRAPPED);
    shelf.lock(true);
    let failure = told(&grant, &shelf, &origin).await;
    assert_eq!((failure.kind, failure.what.as_str()), (Kind::Unauthenticated, "the keyring is locked"));
    assert_eq!(failure.hint.as_deref(), Some("unlock it"));
    assert_eq!(count(&server, ""), 0, "something was asked of the server");
    shelf.lock(false);
    assert_eq!(read(&grant, &shelf, &origin).await, Ok(200));
    assert_eq!((count(&server, "/unwrap"), count(&server, "/login")), (1, 1));
}

#[tokio::test]
async fn a_kept_token_that_can_not_be_opened_now_raises_no_alarm_and_is_used_later() {
    let server = start(Login::statuses(&[])).await;
    let (shelf, origin) = (Shelf::default(), server.origin.clone());
    let grant = with_credential(&origin, "vault-token", &WRAPPED);
    assert_eq!(read(&grant, &shelf, &origin).await, Ok(200));
    let asked = count(&server, "");
    shelf.lock(true);
    assert_eq!(told(&grant, &shelf, &origin).await.what, "the keyring is locked");
    assert_eq!(count(&server, ""), asked);
    shelf.lock(false);
    assert_eq!(read(&grant, &shelf, &origin).await, Ok(200));
    assert_eq!((count(&server, "/unwrap"), count(&server, "/login")), (1, 1));
}

#[tokio::test]
async fn a_login_that_can_be_done_again_is_done_while_the_keyring_is_locked() {
    let server = start(Login::statuses(&[])).await;
    let (shelf, origin) = (Shelf::default(), server.origin.clone());
    let grant = with_credential(&origin, "vault-token", &UNWRAPPED);
    assert_eq!(read(&grant, &shelf, &origin).await, Ok(200));
    shelf.lock(true);
    assert_eq!(read(&grant, &shelf, &origin).await, Ok(200));
    assert_eq!(count(&server, "/login"), 2);
}
