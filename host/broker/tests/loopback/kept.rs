//! Tokens that outlive an egress: used again while they are the same login's, and never otherwise.

use std::sync::{Arc, Mutex};

use forge_broker::{Egress, Options, Refusal, Tokens, Turn};
use forge_core::grant::Grant;
use forge_core::provider::Failure;
use zeroize::Zeroizing;

use crate::server::{Seen, Server, answer};
use crate::setup::{Known, get, options_of, with_credential};

const PARAMETERS: [(&str, &str); 3] =
    [("method", "approle"), ("role-id", "env:ROLE"), ("secret-id", "file:/run/secret")];

/// An entry under its binding.
type Bound = Option<(String, Vec<u8>)>;

/// One entry in memory, as the command line keeps it in a file; a test may read and change it.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Bound>>);

impl Shelf {
    fn entry(&self) -> Option<serde_json::Value> {
        self.0.lock().unwrap().as_ref().map(|(_, bytes)| serde_json::from_slice(bytes).unwrap())
    }

    fn change(&self, change: impl Fn(&mut serde_json::Value)) {
        let mut entry = self.entry().unwrap();
        change(&mut entry);
        self.0.lock().unwrap().as_mut().unwrap().1 = serde_json::to_vec(&entry).unwrap();
    }
}

impl Tokens for Shelf {
    fn load(&self, binding: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let held = self.0.lock().unwrap();
        Ok(held.as_ref().filter(|(known, _)| known == binding).map(|(_, bytes)| bytes.clone().into()))
    }

    fn is_ready(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn save(&self, binding: &str, entry: &[u8]) {
        *self.0.lock().unwrap() = Some((binding.to_owned(), entry.to_vec()));
    }

    fn turn(&self) -> Option<Turn> {
        Some(Box::new(()))
    }
}

/// A server whose tokens are numbered by its logins; `refused` are dead, or name what the server refuses to all:
/// `login` or `lookup`.
struct Vault {
    server: Server,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Vault {
    async fn start(auth: &'static str) -> Self {
        let refused: Arc<Mutex<Vec<String>>> = Arc::default();
        let (dead, logins) = (Arc::clone(&refused), Mutex::new(0));
        let server = Server::start(move |seen, _| respond(seen, auth, &dead.lock().unwrap(), &logins)).await;
        Self { server, refused }
    }

    fn logins(&self) -> usize {
        self.server.seen().iter().filter(|seen| seen.target.ends_with("/login")).count()
    }

    fn grant(&self) -> Grant {
        with_credential(&self.server.origin, "vault-token", &PARAMETERS)
    }
}

fn respond(seen: &Seen, auth: &str, refused: &[String], logins: &Mutex<usize>) -> crate::server::Reply {
    let token = seen.header("x-vault-token").unwrap_or_default();
    let refuses = |what: &str| refused.iter().any(|refused| refused == what);
    match seen.target.as_str() {
        "/v1/auth/approle/login" if refuses("login") => answer(400, &[], "invalid secret id"),
        "/v1/auth/token/lookup-self" if refuses("lookup") => answer(403, &[], "policy"),
        "/v1/auth/approle/login" => {
            let mut logins = logins.lock().unwrap();
            *logins += 1;
            answer(200, &[], &format!(r#"{{"auth":{{"client_token":"s.kept-token-{logins}",{auth}}}}}"#))
        }
        _ if !token.starts_with("s.kept-token-") || refused.iter().any(|dead| dead == token) => answer(403, &[], "no"),
        "/v1/auth/token/lookup-self" => answer(200, &[], r#"{"data":{}}"#),
        "/v1/secret/denied" => answer(403, &[], "policy"),
        _ => answer(200, &[], "value"),
    }
}

const HOUR: &str = r#""lease_duration":3600,"renewable":true"#;

fn known() -> Known {
    Known::of(&[("env:ROLE", "role-0123456789"), ("file:/run/secret", "secret-0123456789")])
}

/// A process of its own: another egress over the same shelf.
async fn process(grant: &Grant, known: &Known, shelf: &Shelf, origin: &str, name: &str) -> Result<u16, Refusal> {
    let options = Options { tokens: Some(Arc::new(shelf.clone())), ..options_of(known.clone()) };
    let egress = Egress::open(grant, &options).unwrap();
    egress.call().send(get(origin, &format!("/v1/secret/{name}"))).await.map(|response| response.status)
}

#[tokio::test]
async fn one_login_serves_many_processes() {
    let vault = Vault::start(HOUR).await;
    let (shelf, origin) = (Shelf::default(), vault.server.origin.clone());
    for _ in 0..3 {
        assert_eq!(process(&vault.grant(), &known(), &shelf, &origin, "x").await, Ok(200));
    }
    assert_eq!(vault.logins(), 1);
    // The same without a shelf logs in each time, so it is the shelf that saves them.
    let egress = Egress::open(&vault.grant(), &options_of(known())).unwrap();
    egress.call().send(get(&origin, "/v1/secret/x")).await.unwrap();
    assert_eq!(vault.logins(), 2);
}

#[tokio::test]
async fn a_grant_that_says_so_keeps_nothing() {
    let vault = Vault::start(HOUR).await;
    let shelf = Shelf::default();
    let grant = Grant { no_token_cache: true, ..vault.grant() };
    for _ in 0..2 {
        process(&grant, &known(), &shelf, &vault.server.origin, "x").await.unwrap();
    }
    assert_eq!((vault.logins(), shelf.entry()), (2, None));
}

#[tokio::test]
async fn a_token_of_another_credential_audience_or_server_is_never_used() {
    let vault = Vault::start(HOUR).await;
    let origin = vault.server.origin.clone();
    let changed: [fn(&mut Grant); 5] = [
        |grant| grant.provider = "other".to_owned(),
        |grant| grant.tls_ca = Some("other".to_owned()),
        |grant| grant.credential.as_mut().unwrap().audience.push("http://127.0.0.1:9".to_owned()),
        |grant| {
            let parameters = &mut grant.credential.as_mut().unwrap().parameters;
            parameters.insert("namespace".to_owned(), "team".to_owned());
        },
        |grant| {
            let parameters = &mut grant.credential.as_mut().unwrap().parameters;
            parameters.insert("role-id".to_owned(), "file:/run/secret".to_owned());
        },
    ];
    for (at, change) in changed.into_iter().enumerate() {
        let shelf = Shelf::default();
        process(&vault.grant(), &known(), &shelf, &origin, "x").await.unwrap();
        let mut grant = vault.grant();
        change(&mut grant);
        process(&grant, &known(), &shelf, &origin, "x").await.unwrap();
        assert_eq!(vault.logins(), 2 * (at + 1), "change {at}");
    }
    // What `provider add` completes after its first login changes nothing about whose token it is.
    let shelf = Shelf::default();
    process(&vault.grant(), &known(), &shelf, &origin, "x").await.unwrap();
    let mut grant = vault.grant();
    grant.settings.insert("kv-version".to_owned(), "2".to_owned());
    grant.credential.as_mut().unwrap().identity = Some("approle".to_owned());
    process(&grant, &known(), &shelf, &origin, "x").await.unwrap();
    assert_eq!(vault.logins(), 11);
}

#[tokio::test]
async fn a_source_that_holds_something_else_logs_in_and_one_that_is_gone_does_not() {
    let vault = Vault::start(HOUR).await;
    let (shelf, origin, grant) = (Shelf::default(), vault.server.origin.clone(), vault.grant());
    process(&grant, &known(), &shelf, &origin, "x").await.unwrap();
    // A secret of one use was removed once it was used.
    let gone = Known::of(&[("env:ROLE", "role-0123456789")]);
    assert_eq!(process(&grant, &gone, &shelf, &origin, "x").await, Ok(200));
    assert_eq!(vault.logins(), 1);
    let other = known();
    other.put("env:ROLE", "another-role");
    process(&grant, &other, &shelf, &origin, "x").await.unwrap();
    assert_eq!(vault.logins(), 2);
    // One that was emptied on purpose is an error, not a reason to go on as before.
    other.put("env:ROLE", "");
    assert!(matches!(process(&grant, &other, &shelf, &origin, "x").await, Err(Refusal::Credential(_))));
}

#[tokio::test]
async fn a_token_that_is_over_or_comes_from_the_future_is_not_used() {
    let vault = Vault::start(HOUR).await;
    let (shelf, origin, grant) = (Shelf::default(), vault.server.origin.clone(), vault.grant());
    for (at, shift) in [-3_595_000, 3_600_000].into_iter().enumerate() {
        process(&grant, &known(), &shelf, &origin, "x").await.unwrap();
        shelf.change(|entry| entry["since"] = (entry["since"].as_i64().unwrap() + shift).into());
        process(&grant, &known(), &shelf, &origin, "x").await.unwrap();
        assert_eq!(vault.logins(), at + 2, "{shift}");
    }
    // One that is old enough to be renewed and can't be is replaced.
    shelf.change(|entry| {
        entry["since"] = (entry["since"].as_i64().unwrap() - 2_500_000).into();
        entry["is_renewable"] = false.into();
    });
    process(&grant, &known(), &shelf, &origin, "x").await.unwrap();
    assert_eq!(vault.logins(), 4);
}

#[tokio::test]
async fn a_kept_token_that_was_revoked_is_dropped_and_got_anew_once() {
    let vault = Vault::start(HOUR).await;
    let (shelf, origin, grant) = (Shelf::default(), vault.server.origin.clone(), vault.grant());
    process(&grant, &known(), &shelf, &origin, "x").await.unwrap();
    vault.refused.lock().unwrap().push("s.kept-token-1".to_owned());
    assert_eq!(process(&grant, &known(), &shelf, &origin, "x").await, Ok(200));
    assert_eq!((vault.logins(), shelf.entry().unwrap()["token"].as_str()), (2, Some("s.kept-token-2")));
    // A denial by policy costs no login and drops nothing.
    assert_eq!(process(&grant, &known(), &shelf, &origin, "denied").await, Ok(403));
    assert_eq!((vault.logins(), shelf.entry().unwrap()["token"].as_str()), (2, Some("s.kept-token-2")));
}

#[tokio::test]
async fn a_denial_does_not_cost_a_token_that_can_not_be_bought_again() {
    let vault = Vault::start(HOUR).await;
    let (shelf, origin) = (Shelf::default(), vault.server.origin.clone());
    assert_eq!(process(&vault.grant(), &known(), &shelf, &origin, "x").await, Ok(200));
    // Its policies keep it from looking itself up, and the secret id behind it is spent.
    vault.refused.lock().unwrap().extend(["lookup".to_owned(), "login".to_owned()]);
    assert_ne!(process(&vault.grant(), &known(), &shelf, &origin, "denied").await, Ok(200));
    assert_eq!(process(&vault.grant(), &known(), &shelf, &origin, "x").await, Ok(200));
}

#[tokio::test]
async fn a_token_that_another_process_has_got_meanwhile_is_used() {
    let vault = Vault::start(HOUR).await;
    let (shelf, origin, grant) = (Shelf::default(), vault.server.origin.clone(), vault.grant());
    let options = Options { tokens: Some(Arc::new(shelf.clone())), ..options_of(known()) };
    let egress = Egress::open(&grant, &options).unwrap();
    egress.call().send(get(&origin, "/v1/secret/x")).await.unwrap();
    vault.refused.lock().unwrap().push("s.kept-token-1".to_owned());
    process(&grant, &known(), &shelf, &origin, "x").await.unwrap();
    assert_eq!(egress.call().send(get(&origin, "/v1/secret/x")).await.unwrap().status, 200);
    assert_eq!(vault.logins(), 2);
}

#[tokio::test]
async fn a_token_whose_uses_are_counted_is_not_kept() {
    let vault = Vault::start(r#""lease_duration":3600,"num_uses":2"#).await;
    let shelf = Shelf::default();
    process(&vault.grant(), &known(), &shelf, &vault.server.origin, "x").await.unwrap();
    assert_eq!(shelf.entry(), None);
}

#[tokio::test]
async fn a_token_that_may_not_look_itself_up_costs_no_login_at_each_denial() {
    let vault = Vault::start(HOUR).await;
    let (shelf, origin, grant) = (Shelf::default(), vault.server.origin.clone(), vault.grant());
    vault.refused.lock().unwrap().push("lookup".to_owned());
    assert_eq!(process(&grant, &known(), &shelf, &origin, "x").await, Ok(200));
    // The first denial of a kept token costs a login, which tells that a good token can't look itself up either.
    for _ in 0..3 {
        assert_eq!(process(&grant, &known(), &shelf, &origin, "denied").await, Ok(403));
        assert_eq!(vault.logins(), 2);
    }
    // A token that was revoked meanwhile looks the same, so after a while one more login is worth its price.
    shelf.change(|entry| entry["since"] = (entry["since"].as_i64().unwrap() - 301_000).into());
    for _ in 0..2 {
        assert_eq!(process(&grant, &known(), &shelf, &origin, "denied").await, Ok(403));
        assert_eq!(vault.logins(), 3);
    }
}
