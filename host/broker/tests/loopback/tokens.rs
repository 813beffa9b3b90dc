//! Tokens that are given: replaced in their source, refused, or malformed; and whom they speak for.

use forge_broker::{Egress, Error, Refusal};
use forge_core::Kind;

use crate::server::{Seen, Server, answer};
use crate::setup::{Known, TOKEN, get, open, options_of, post, with_credential, with_token};

const NEW: &str = "s.new-token-0123456789";

/// How many requests for secrets came; a token's lookup of itself is none.
fn asked(server: &Server) -> usize {
    server.seen().iter().filter(|seen| seen.target.starts_with("/v1/secret/")).count()
}

fn accepts(token: &'static str) -> impl Fn(&Seen, usize) -> crate::server::Reply + Send + Sync {
    move |seen, _| {
        if seen.header("x-vault-token") == Some(token) { answer(200, &[], "ok") } else { answer(403, &[], "no") }
    }
}

#[tokio::test]
async fn a_token_that_its_file_replaced_is_read_again_after_a_denial() {
    let server = Server::start(accepts(NEW)).await;
    let known = Known::of(&[("file:/run/token", "s.old-token-0123456789\n")]);
    let grant = with_credential(&server.origin, "vault-token", &[("token", "file:/run/token")]);
    let egress = Egress::open(&grant, &options_of(known.clone())).unwrap();
    let first = egress.call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    assert_eq!((first.status, asked(&server)), (403, 1), "a token read for this very request is not read again");
    known.put("file:/run/token", &format!("{NEW}\n"));
    let second = egress.call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    assert_eq!((second.status, asked(&server)), (200, 3));
}

#[tokio::test]
async fn a_denial_with_an_unchanged_token_reaches_the_guest_and_is_sent_once() {
    let server = Server::start(accepts(NEW)).await;
    let egress = open(&with_token(&server.origin));
    for count in 1..=2 {
        let response = egress.call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
        assert_eq!((response.status, asked(&server)), (403, count));
    }
}

#[tokio::test]
async fn a_write_that_is_not_idempotent_is_not_replayed_with_a_new_token() {
    let server = Server::start(accepts(NEW)).await;
    let known = Known::of(&[("env:T", TOKEN)]);
    let egress = Egress::open(&with_token(&server.origin), &options_of(known.clone())).unwrap();
    egress.call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    known.put("env:T", NEW);
    let refused = egress.call().send(post(&server.origin, "/v1/secret/x", "v")).await.unwrap();
    assert_eq!((refused.status, asked(&server)), (403, 2));
    let next = egress.call().send(post(&server.origin, "/v1/secret/x", "v")).await.unwrap();
    assert_eq!(next.status, 200, "the next request has the new token");
}

#[tokio::test]
async fn a_token_that_can_not_stand_in_a_header_is_refused_by_its_source() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    for token in ["", "hunter2\r\nx-admin: 1", "hunter2\0", "hunter2 \n"] {
        let egress = Egress::open(&with_token(&server.origin), &options_of(Known::of(&[("env:T", token)]))).unwrap();
        let call = egress.call();
        let outcome = call.send(get(&server.origin, "/v1/secret/x")).await;
        assert!(matches!(outcome, Err(Refusal::Credential(_))), "{token:?}: {outcome:?}");
        let text = call.verdict().unwrap().what;
        assert!(text.contains("env:T") && !text.contains("hunter2"), "{text}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn an_identity_is_words_from_the_lookup_and_not_the_token() {
    let server = Server::start(|seen, _| {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/v1/auth/token/lookup-self"));
        let body = format!(
            r#"{{"data":{{"id":"{TOKEN}","display_name":"approle\u001b[2J","entity_id":"e-1","policies":["default","app"],"identity_policies":null,"namespace_path":"team/"}}}}"#
        );
        answer(200, &[], &body)
    })
    .await;
    let identity = open(&with_token(&server.origin)).identity().await.unwrap().unwrap();
    assert!(identity.starts_with("approle"), "{identity}");
    assert!(identity.contains("(policies: default, app; entity: e-1; namespace: team)"), "{identity}");
    assert!(!identity.contains(TOKEN) && !identity.contains('\u{1b}'), "{identity}");
}

#[tokio::test]
async fn an_identity_that_can_not_be_learnt_says_why() {
    for (status, body, kind) in [
        (403, "{}", Kind::Unauthenticated),
        (503, "{}", Kind::Unavailable),
        (200, "<html>login</html>", Kind::Upstream),
        (302, "", Kind::Upstream),
    ] {
        let server = Server::start(move |_, _| answer(status, &[], body)).await;
        let error = open(&with_token(&server.origin)).identity().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.to_string().contains("html"), "{error}");
    }
    let grant = with_credential("http://127.0.0.1:1", "vault-token", &[("token", "env:UNSET")]);
    assert!(matches!(open(&grant).identity().await, Err(Error::SourceAbsent { .. })));
}

/// A server that knows the token or does not, and denies every secret; `is_blind` keeps a token from its lookup.
async fn denying(knows: bool, is_blind: bool) -> Server {
    Server::start(move |seen, _| match seen.target.as_str() {
        "/v1/auth/token/lookup-self" if knows && !is_blind => answer(200, &[], r#"{"data":{"display_name":"a"}}"#),
        _ => answer(403, &[], r#"{"errors":["permission denied"]}"#),
    })
    .await
}

#[tokio::test]
async fn a_denial_says_whether_the_token_or_the_permission_is_missing() {
    for (knows, is_blind, expected) in [(true, false, None), (false, false, Some(5)), (true, true, Some(5))] {
        let server = denying(knows, is_blind).await;
        let call = open(&with_token(&server.origin)).call();
        // The guest gets the answer in each case: only what the host says of a failure differs.
        for _ in 0..3 {
            assert_eq!(call.send(get(&server.origin, "/v1/secret/x")).await.unwrap().status, 403);
        }
        let verdict = call.verdict();
        assert_eq!(verdict.as_ref().map(|verdict| verdict.kind.exit_code()), expected, "{verdict:?}");
        if let Some(verdict) = verdict {
            assert!(verdict.what.contains("env:T") && verdict.what.contains(&server.origin), "{verdict:?}");
            assert!(verdict.hint.unwrap().contains("env:T") && !verdict.what.contains(TOKEN));
        }
        let lookups = server.seen().iter().filter(|seen| seen.target.ends_with("lookup-self")).count();
        assert_eq!(lookups, 1, "a call asks once");
    }
}

#[tokio::test]
async fn a_success_costs_no_lookup() {
    let server = Server::start(accepts(TOKEN)).await;
    let call = open(&with_token(&server.origin)).call();
    call.send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    assert_eq!((server.seen().len(), call.verdict()), (1, None));
}
