//! Budgets and verdicts of a call.

use forge_broker::{Egress, Error, Refusal};
use forge_core::Kind;
use forge_core::manifest::LimitsAsk;

use crate::server::{Server, answer};
use crate::setup::{TOKEN, get, grant, open, options, post, with_credential, with_token};

#[tokio::test]
async fn a_flood_of_requests_ends_at_the_budget_and_the_next_call_has_its_own() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let egress = open(&with_token(&server.origin));
    let call = egress.call();
    let outcomes = call.send_all((0..1000).map(|n| get(&server.origin, &format!("/v1/secret/{n}"))).collect()).await;
    assert_eq!(outcomes.len(), 1000);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 16);
    assert_eq!(outcomes.last().unwrap().as_ref().unwrap_err(), &Refusal::Budget);
    assert_eq!((server.seen().len(), call.verdict().unwrap().kind), (16, Kind::PluginFault));
    egress.call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
}

#[tokio::test]
async fn after_eight_denials_even_a_granted_request_is_refused() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let mut grant = with_token(&server.origin);
    grant.limits = LimitsAsk { requests: Some(64), ..LimitsAsk::default() };
    let call = open(&grant).call();
    for _ in 0..8 {
        assert!(matches!(call.send(get(&server.origin, "/v1/other")).await, Err(Refusal::Denied(_))));
    }
    assert_eq!(call.send(get(&server.origin, "/v1/secret/x")).await.unwrap_err(), Refusal::Budget);
    assert!(server.seen().is_empty());
    assert_eq!(call.verdict().unwrap().kind, Kind::NotGranted, "the denials are worse than the budget they used up");
}

#[tokio::test]
async fn a_call_sends_no_more_than_its_bytes() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let call = open(&with_token(&server.origin)).call();
    let body = "x".repeat(15 << 20);
    call.send(post(&server.origin, "/v1/secret/x", &body)).await.unwrap();
    assert_eq!(call.send(post(&server.origin, "/v1/secret/x", &body)).await.unwrap_err(), Refusal::Budget);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_call_receives_no_more_than_its_bytes() {
    let server = Server::start(|_, _| answer(200, &[], &"x".repeat(12 << 20))).await;
    let mut grant = with_token(&server.origin);
    grant.routes.iter_mut().for_each(|route| route.response_max = 16 << 20);
    // The search of 24 MiB takes its time on a busy machine, and the clock is not what is tested here.
    grant.limits.wall_ms = Some(60_000);
    let call = open(&grant).call();
    for _ in 0..2 {
        call.send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    }
    assert_eq!(call.send(get(&server.origin, "/v1/secret/x")).await.unwrap_err(), Refusal::Budget);
}

#[tokio::test]
async fn the_verdict_is_the_worst_of_what_was_refused() {
    let server = Server::start(|_, _| answer(200, &[], TOKEN)).await;
    let call = open(&with_token(&server.origin)).call();
    assert_eq!(call.verdict(), None);
    call.send(get(&server.origin, "/v1/other")).await.unwrap_err();
    let verdict = call.verdict().unwrap();
    assert_eq!(verdict.kind, Kind::NotGranted);
    assert!(verdict.hint.unwrap().contains("[[route]]"));
    call.send(get(&server.origin, "/v1/secret/x")).await.unwrap_err();
    assert_eq!(call.verdict().unwrap().kind, Kind::CredentialReflected);
    call.send(get(&server.origin, "/v1/other")).await.unwrap_err();
    assert_eq!(call.verdict().unwrap().kind, Kind::CredentialReflected);
}

#[tokio::test]
async fn what_no_grant_can_give_is_refused_without_a_hint_how_to_get_it() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let call = open(&with_token(&server.origin)).call();
    for path in ["/v1/auth/token/lookup-self", "/v1/sys/mounts", "/v1/identity/oidc/token/x"] {
        let Err(Refusal::Denied(text)) = call.send(get(&server.origin, path)).await else { panic!("{path} went out") };
        assert!(text.contains("vault-token"), "{text}");
    }
    assert_eq!(call.verdict().unwrap().hint, None);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_namespace_given_as_a_mount_does_not_open_vaults_own_mounts() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let call = open(&with_token(&server.origin)).call();
    for path in ["/v1/secret/sys/policies/acl/root", "/v1/secret/auth/token/create"] {
        let outcome = call.send(post(&server.origin, path, "{}")).await;
        assert!(matches!(outcome, Err(Refusal::Denied(_))), "{path}: {outcome:?}");
    }
    call.send(get(&server.origin, "/v1/secret/app/sys")).await.unwrap();
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_guest_can_not_send_the_header_in_which_the_credential_travels() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let grant = with_credential(&server.origin, "header", &[("name", "x-team-key"), ("value", "env:T")]);
    let mut request = get(&server.origin, "/v1/secret/x");
    request.headers.push(("X-Team-Key".to_owned(), "the plugin's own".to_owned()));
    let Err(Refusal::Denied(text)) = open(&grant).call().send(request).await else { panic!("it was sent") };
    assert_eq!(text, "the header `x-team-key` is the host's own, and no plugin sends it");
    assert!(server.seen().is_empty());
}

#[test]
fn a_grant_that_breaks_a_rule_is_not_opened() {
    let mut grant = with_token("http://127.0.0.1:1");
    grant.credential.iter_mut().for_each(|credential| credential.audience.clear());
    assert!(matches!(Egress::open(&grant, &options()), Err(Error::Audience { .. })));
}

#[tokio::test]
async fn a_missing_credential_is_named_by_its_source_and_nothing_is_sent() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let call = open(&with_credential(&server.origin, "vault-token", &[("token", "env:UNSET")])).call();
    let Err(Refusal::Credential(text)) = call.send(get(&server.origin, "/v1/secret/x")).await else {
        panic!("it was sent")
    };
    assert!(!text.contains("env:UNSET"), "where the host looks is nothing for a guest: {text}");
    let verdict = call.verdict().unwrap();
    assert!(verdict.what.contains("env:UNSET"), "{}", verdict.what);
    assert_eq!((verdict.kind, verdict.hint.is_some()), (Kind::Unauthenticated, true));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn without_a_credential_requests_go_out_as_they_are() {
    let server = Server::start(|_, _| answer(200, &[], TOKEN)).await;
    let egress = open(&grant(&server.origin));
    egress.call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    assert_eq!(server.seen()[0].header("x-vault-token"), None);
    assert_eq!(egress.identity().await.unwrap(), None);
}
