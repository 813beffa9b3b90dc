//! AppRole against a server that keeps its own account of tokens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use forge_broker::{Egress, Refusal};
use forge_core::Kind;
use forge_core::grant::Grant;

use crate::server::{Reply, Seen, Server, answer};
use crate::setup::{Known, get, options_of, with_credential};

const PARAMETERS: [(&str, &str); 3] =
    [("method", "approle"), ("role-id", "env:ROLE"), ("secret-id", "file:/run/secret")];

/// What the server does beyond the ordinary.
#[derive(Clone, Copy, Default)]
struct Rules {
    /// `lease_duration` of a login, in seconds.
    life: u64,
    /// `lease_duration` of a renewal; 0 refuses it.
    renewed: u64,
    /// How many logins one secret id is good for; 0 for any number.
    logins: usize,
    /// Whether the role's policies keep a token from looking itself up.
    is_blind: bool,
}

/// Tokens by name, and whether each is still alive.
type Tokens = Arc<Mutex<BTreeMap<String, bool>>>;

async fn vault(rules: Rules) -> (Server, Tokens) {
    let tokens = Tokens::default();
    let held = Arc::clone(&tokens);
    let server = Server::start(move |seen, _| respond(seen, rules, &mut held.lock().unwrap())).await;
    (server, tokens)
}

fn respond(seen: &Seen, rules: Rules, tokens: &mut BTreeMap<String, bool>) -> Reply {
    let lease = |token: &str, life: u64| {
        answer(
            200,
            &[],
            &format!(r#"{{"auth":{{"client_token":"{token}","lease_duration":{life},"renewable":true}}}}"#),
        )
    };
    let token = seen.header("x-vault-token").unwrap_or_default().to_owned();
    let is_alive = tokens.get(&token) == Some(&true);
    match seen.target.as_str() {
        "/v1/auth/approle/login" => {
            let is_spent = rules.logins > 0 && tokens.len() >= rules.logins;
            if seen.body != r#"{"role_id":"role-0123456789","secret_id":"secret-0123456789"}"# || is_spent {
                return answer(400, &[], r#"{"errors":["invalid role or secret ID"]}"#);
            }
            let token = format!("s.login-token-{}", tokens.len());
            tokens.insert(token.clone(), true);
            lease(&token, rules.life)
        }
        "/v1/auth/token/renew-self" if is_alive && rules.renewed > 0 => lease(&token, rules.renewed),
        "/v1/auth/token/lookup-self" if is_alive && !rules.is_blind => {
            answer(200, &[], r#"{"data":{"display_name":"approle"}}"#)
        }
        "/v1/secret/denied" => answer(403, &[], "policy"),
        target if target.starts_with("/v1/secret/") && is_alive => answer(200, &[], "value"),
        _ => answer(403, &[], "permission denied"),
    }
}

fn egress(grant: &Grant) -> Arc<Egress> {
    let known = Known::of(&[("env:ROLE", "role-0123456789"), ("file:/run/secret", "secret-0123456789\n")]);
    Egress::open(grant, &options_of(known)).unwrap()
}

fn targets(server: &Server) -> Vec<String> {
    server.seen().iter().map(|seen| seen.target.trim_start_matches("/v1/").to_owned()).collect()
}

async fn read(egress: &Arc<Egress>, server: &Server, name: &str) -> u16 {
    egress.call().send(get(&server.origin, &format!("/v1/secret/{name}"))).await.unwrap().status
}

/// Sets the clock forward, so that a lease ages without the test waiting for it.
async fn wait(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn one_login_serves_many_requests_in_parallel_and_in_turn() {
    let (server, _) = vault(Rules { life: 3600, ..Rules::default() }).await;
    let egress = egress(&with_credential(&server.origin, "vault-token", &PARAMETERS));
    let call = egress.call();
    let outcomes = call.send_all((0..8).map(|n| get(&server.origin, &format!("/v1/secret/{n}"))).collect()).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_ok_and(|response| response.status == 200)));
    assert_eq!(read(&egress, &server, "x").await, 200);
    assert_eq!(targets(&server).iter().filter(|target| *target == "auth/approle/login").count(), 1);
    let records = call.take_records();
    assert!(records.iter().any(|record| record.route == "/v1/auth/approle/login" && record.status == Some(200)));
    assert!(!format!("{records:?}").contains("secret-0123456789"));
}

#[tokio::test]
async fn a_token_is_renewed_at_two_thirds_of_its_life() {
    let (server, _) = vault(Rules { life: 60, renewed: 3600, ..Rules::default() }).await;
    let egress = egress(&with_credential(&server.origin, "vault-token", &PARAMETERS));
    read(&egress, &server, "x").await;
    wait(41).await;
    assert_eq!(read(&egress, &server, "x").await, 200);
    assert_eq!(read(&egress, &server, "x").await, 200);
    assert_eq!(targets(&server), ["auth/approle/login", "secret/x", "auth/token/renew-self", "secret/x", "secret/x"]);
}

#[tokio::test]
async fn a_token_that_is_not_renewed_is_got_anew() {
    let (server, _) = vault(Rules { life: 60, ..Rules::default() }).await;
    let egress = egress(&with_credential(&server.origin, "vault-token", &PARAMETERS));
    read(&egress, &server, "x").await;
    wait(61).await;
    assert_eq!(read(&egress, &server, "x").await, 200);
    assert_eq!(targets(&server), ["auth/approle/login", "secret/x", "auth/approle/login", "secret/x"]);
    assert_eq!(server.seen()[3].header("x-vault-token"), Some("s.login-token-1"));
}

#[tokio::test]
async fn a_renewal_that_adds_little_means_that_the_longest_life_is_reached() {
    let (server, _) = vault(Rules { life: 60, renewed: 20, ..Rules::default() }).await;
    let egress = egress(&with_credential(&server.origin, "vault-token", &PARAMETERS));
    read(&egress, &server, "x").await;
    wait(41).await;
    assert_eq!(read(&egress, &server, "x").await, 200);
    assert_eq!(
        targets(&server),
        ["auth/approle/login", "secret/x", "auth/token/renew-self", "auth/approle/login", "secret/x"]
    );
}

#[tokio::test]
async fn a_token_that_was_revoked_is_got_anew_and_the_read_replayed_once() {
    let (server, tokens) = vault(Rules { life: 3600, ..Rules::default() }).await;
    let egress = egress(&with_credential(&server.origin, "vault-token", &PARAMETERS));
    read(&egress, &server, "x").await;
    tokens.lock().unwrap().values_mut().for_each(|is_alive| *is_alive = false);
    assert_eq!(read(&egress, &server, "x").await, 200);
    let seen = targets(&server);
    assert_eq!(seen.iter().filter(|target| *target == "secret/x").count(), 3);
    assert_eq!(seen.iter().filter(|target| *target == "auth/approle/login").count(), 2);
    assert_eq!(seen.last().map(String::as_str), Some("secret/x"));
}

#[tokio::test]
async fn a_denial_by_policy_costs_no_login() {
    let (server, _) = vault(Rules { life: 3600, ..Rules::default() }).await;
    let egress = egress(&with_credential(&server.origin, "vault-token", &PARAMETERS));
    assert_eq!(read(&egress, &server, "denied").await, 403);
    assert_eq!(read(&egress, &server, "denied").await, 403);
    assert_eq!(targets(&server), ["auth/approle/login", "secret/denied", "secret/denied", "auth/token/lookup-self"]);
}

#[tokio::test]
async fn a_token_that_may_not_look_itself_up_costs_one_login_and_not_one_per_denial() {
    let (server, _) = vault(Rules { life: 3600, is_blind: true, ..Rules::default() }).await;
    let egress = egress(&with_credential(&server.origin, "vault-token", &PARAMETERS));
    for _ in 0..5 {
        assert_eq!(read(&egress, &server, "denied").await, 403);
    }
    assert_eq!(targets(&server).iter().filter(|target| *target == "auth/approle/login").count(), 2);
}

#[tokio::test]
async fn a_refused_login_is_a_credential_error_that_holds_neither_id_nor_answer() {
    let (server, _) = vault(Rules { life: 60, logins: 1, ..Rules::default() }).await;
    let egress = egress(&with_credential(&server.origin, "vault-token", &PARAMETERS));
    read(&egress, &server, "x").await;
    wait(61).await;
    let call = egress.call();
    let outcome = call.send(get(&server.origin, "/v1/secret/x")).await;
    assert!(matches!(outcome, Err(Refusal::Credential(_))), "{outcome:?}");
    let text = call.verdict().unwrap().what;
    assert!(text.contains("400") && text.contains("login") && text.contains(&server.origin), "{text}");
    for hidden in ["role-0123456789", "secret-0123456789", "invalid role"] {
        assert!(!text.contains(hidden), "{text}");
    }
    assert_eq!(call.verdict().unwrap().kind, Kind::Unauthenticated);
}

#[tokio::test]
async fn a_secret_id_that_its_file_replaced_is_read_again_after_a_refused_login() {
    let (server, _) = vault(Rules { life: 3600, ..Rules::default() }).await;
    let known = Known::of(&[("env:ROLE", "role-0123456789"), ("file:/run/secret", "an-old-secret")]);
    let grant = with_credential(&server.origin, "vault-token", &PARAMETERS);
    let egress = Egress::open(&grant, &options_of(known.clone())).unwrap();
    let refused = egress.call().send(get(&server.origin, "/v1/secret/x")).await;
    assert!(matches!(refused, Err(Refusal::Credential(_))), "{refused:?}");
    assert_eq!(server.seen().len(), 1, "the same secret id is not tried twice");
    known.put("file:/run/secret", "secret-0123456789");
    assert_eq!(read(&egress, &server, "x").await, 200);
}

#[tokio::test]
async fn a_login_is_made_in_the_credentials_namespace() {
    let (server, _) = vault(Rules { life: 3600, ..Rules::default() }).await;
    let mut parameters = PARAMETERS.to_vec();
    parameters.push(("namespace", "team/a"));
    let egress = egress(&with_credential(&server.origin, "vault-token", &parameters));
    assert_eq!(read(&egress, &server, "x").await, 200);
    assert!(server.seen().iter().all(|seen| seen.header("x-vault-namespace") == Some("team/a")));
}

#[tokio::test]
async fn a_spent_secret_id_does_not_end_a_token_that_still_lives() {
    let (server, _) = vault(Rules { life: 60, logins: 1, ..Rules::default() }).await;
    let egress = egress(&with_credential(&server.origin, "vault-token", &PARAMETERS));
    read(&egress, &server, "x").await;
    wait(41).await;
    assert_eq!(read(&egress, &server, "x").await, 200);
}

#[tokio::test]
async fn a_login_elsewhere_goes_there_and_its_token_does_not() {
    let (endpoint, _) = vault(Rules { life: 3600, ..Rules::default() }).await;
    let server = Server::start(|_, _| answer(200, &[], "value")).await;
    let mut parameters = PARAMETERS.to_vec();
    parameters.push(("login-endpoint", &endpoint.origin));
    let mut grant = with_credential(&server.origin, "vault-token", &parameters);
    let elsewhere = egress(&grant).call().send(get(&server.origin, "/v1/secret/x")).await;
    assert!(matches!(elsewhere, Err(Refusal::Credential(_))), "its network was not recorded: {elsewhere:?}");
    grant.networks.insert(endpoint.origin.clone(), forge_core::grant::NetworkClass::Loopback);
    assert_eq!(read(&egress(&grant), &server, "x").await, 200);
    assert_eq!(targets(&endpoint), ["auth/approle/login"]);
    assert_eq!(server.seen()[0].header("x-vault-token"), Some("s.login-token-0"));
}

#[tokio::test]
async fn a_token_from_a_login_is_searched_for_in_answers() {
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/v1/auth/approle/login" => {
            answer(200, &[], r#"{"auth":{"client_token":"s.login-token","lease_duration":60}}"#)
        }
        _ => answer(200, &[], &format!("you are {}", seen.header("x-vault-token").unwrap())),
    })
    .await;
    let egress = egress(&with_credential(&server.origin, "vault-token", &PARAMETERS));
    let outcome = egress.call().send(get(&server.origin, "/v1/secret/x")).await;
    assert_eq!(outcome.unwrap_err(), Refusal::CredentialReflected);
}
