//! A client that logs in with its id and secret, against an authorisation server that keeps its own account of tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use forge_broker::{Egress, Error, GrantFault, Refusal};
use forge_core::Kind;
use forge_core::grant::Grant;

use crate::server::{Seen, Server, answer};
use crate::setup::{Known, get, options_of, with_credential};

/// `app id:secret/+&` as RFC 6749 has it: a form's encoding of each, and the base64 of both.
const HEADER: &str = "Basic YXBwK2lkOnNlY3JldCUyRiUyQiUyNi0wMTIzNDU2Nzg5";

/// A server of tokens and of what they open. The first `dead` tokens are not accepted; `secret-echo` repeats the form.
async fn server(dead: usize) -> (Server, Arc<AtomicUsize>) {
    let given = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&given);
    let respond = move |seen: &Seen, _: usize| match seen.target.as_str() {
        "/oauth/token?tenant=a" => {
            let in_header = seen.header("authorization") == Some(HEADER)
                && seen.body == "grant_type=client_credentials&scope=read+a%2Fb";
            let in_body = seen.header("authorization").is_none()
                && seen.body.ends_with("&client_id=app+id&client_secret=secret%2F%2B%26-0123456789");
            if !in_header && !in_body {
                return answer(401, &[], r#"{"error":"invalid_client","error_description":"canary"}"#);
            }
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let token = format!(r#"{{"access_token":"access-{number}","token_type":"Bearer","expires_in":3600}}"#);
            answer(200, &[], &token)
        }
        "/v1/secret/denied" => answer(403, &[], ""),
        "/v1/secret/echo" => answer(200, &[], "x secret/+&-0123456789 y"),
        "/v1/secret/header" => answer(200, &[], "x YXBwK2lkOnNlY3JldCUyRiUyQiUyNi0wMTIzNDU2Nzg5 y"),
        _ => {
            let number = seen.header("authorization").and_then(|value| value.strip_prefix("Bearer access-"));
            let is_alive = number.and_then(|number| number.parse().ok()).is_some_and(|number: usize| number > dead);
            answer(if is_alive { 200 } else { 401 }, &[], "value")
        }
    };
    (Server::start(respond).await, given)
}

fn grant(server: &Server, more: &[(&str, &str)]) -> Grant {
    let url = format!("{}/oauth/token?tenant=a", server.origin);
    let usual =
        [("client-id", "app id"), ("client-secret", "env:S"), ("token-url", url.as_str()), ("scope", "read a/b")];
    with_credential(&server.origin, "oauth2-client", &[&usual, more].concat())
}

fn egress(grant: &Grant) -> (Arc<Egress>, Known) {
    let known = Known::of(&[("env:S", "secret/+&-0123456789")]);
    (Egress::open(grant, &options_of(known.clone())).unwrap(), known)
}

async fn status(egress: &Arc<Egress>, server: &Server, name: &str) -> u16 {
    egress.call().send(get(&server.origin, &format!("/v1/secret/{name}"))).await.unwrap().status
}

#[tokio::test]
async fn a_clients_secret_travels_in_the_header_or_in_the_body_as_the_standard_writes_it() {
    for more in [&[][..], &[("secret-in", "header")], &[("secret-in", "body")]] {
        let (server, given) = server(0).await;
        let (egress, _) = egress(&grant(&server, more));
        for _ in 0..3 {
            assert_eq!(status(&egress, &server, "a").await, 200, "{more:?}");
        }
        assert_eq!(given.load(Ordering::SeqCst), 1);
        let identity = egress.identity().await.unwrap().unwrap();
        assert_eq!(identity, format!("app id (issuer: {})", server.origin));
    }
}

#[tokio::test]
async fn a_token_that_was_revoked_is_replaced_once_and_a_denial_replaces_none() {
    let (server, given) = server(1).await;
    let (egress, _) = egress(&grant(&server, &[]));
    egress.identity().await.unwrap();
    assert_eq!(status(&egress, &server, "a").await, 200);
    assert_eq!(status(&egress, &server, "denied").await, 403);
    assert_eq!(given.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_that_is_accepted_nowhere_is_told_as_that_and_not_asked_for_again_and_again() {
    let (server, given) = server(99).await;
    let (egress, _) = egress(&grant(&server, &[]));
    let call = egress.call();
    assert_eq!(call.send(get(&server.origin, "/v1/secret/a")).await.unwrap().status, 401);
    let verdict = call.verdict().unwrap();
    assert_eq!(verdict.kind, Kind::Unauthenticated);
    assert!(verdict.what.contains("does not accept the token"), "{verdict:?}");
    assert_eq!(given.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_secret_that_is_refused_is_told_with_its_place_and_looked_for_anew() {
    let (server, given) = server(0).await;
    let (egress, known) = egress(&grant(&server, &[]));
    known.put("env:S", "wrong-canary-0123");
    let error = egress.identity().await.unwrap_err();
    assert!(matches!(&error, Error::GrantRefused { fault: GrantFault::Client, place, .. } if place == "env:S"));
    assert!(!error.to_string().contains("canary"), "{error}");
    known.put("env:S", "secret/+&-0123456789");
    assert_eq!(status(&egress, &server, "a").await, 200);
    assert_eq!(given.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_repeats_what_bought_the_token_gives_the_plugin_nothing() {
    let (server, _) = server(0).await;
    let (egress, _) = egress(&grant(&server, &[]));
    for name in ["echo", "header"] {
        let outcome = egress.call().send(get(&server.origin, &format!("/v1/secret/{name}"))).await;
        assert!(matches!(outcome, Err(Refusal::CredentialReflected)), "{name}");
    }
}
