//! What a guest gets of an answer, and what goes out for it.

use std::sync::Arc;
use std::time::Duration;

use forge_broker::Refusal;
use tokio::sync::Semaphore;

use crate::server::{Reply, Server, answer};
use crate::setup::{TOKEN, get, open, post, with_credential, with_token};

#[tokio::test]
async fn the_credential_is_added_and_nothing_else_tells_who_asks() {
    let server = Server::start(|_, _| answer(200, &["content-type: application/json"], "{}")).await;
    let call = open(&with_token(&server.origin)).call();
    let mut request = get(&server.origin, "/v1/secret/caf%C3%A9?version=3");
    request.headers.push(("Accept".to_owned(), "application/json".to_owned()));
    let response = call.send(request).await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (200, b"{}".as_slice()));
    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/v1/secret/caf%C3%A9?version=3"));
    assert_eq!(seen.header("x-vault-token"), Some(TOKEN));
    assert_eq!(seen.header("accept"), Some("application/json"));
    let names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["cookie", "referer", "authorization", "accept-encoding", "proxy-authorization", "x-vault-namespace"] {
        assert!(!names.contains(&name), "{name} was sent");
    }
}

#[tokio::test]
async fn a_namespace_travels_as_its_header() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let grant = with_credential(&server.origin, "vault-token", &[("token", "env:T"), ("namespace", "team/a")]);
    open(&grant).call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    assert_eq!(server.seen()[0].header("x-vault-namespace"), Some("team/a"));
}

#[tokio::test]
async fn a_header_credential_travels_with_its_prefix() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let parameters = [("name", "authorization"), ("prefix", "Token "), ("value", "env:T")];
    open(&with_credential(&server.origin, "header", &parameters))
        .call()
        .send(get(&server.origin, "/v1/secret/x"))
        .await
        .unwrap();
    assert_eq!(server.seen()[0].header("authorization"), Some(format!("Token {TOKEN}").as_str()));
}

#[tokio::test]
async fn a_redirect_goes_to_the_guest_and_is_not_followed() {
    let elsewhere = Server::start(|_, _| answer(200, &[], "got you")).await;
    let target = format!("location: {}/steal", elsewhere.origin);
    let server = Server::start(move |_, _| answer(307, &[&target], "")).await;
    let call = open(&with_token(&server.origin)).call();
    let response = call.send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    let location = response.headers.iter().find(|(name, _)| name == "location").unwrap();
    assert_eq!((response.status, location.1.as_str()), (307, format!("{}/steal", elsewhere.origin).as_str()));
    let next = call.send(get(&elsewhere.origin, "/steal")).await;
    assert!(matches!(next, Err(Refusal::Denied(_))), "{next:?}");
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_body_that_a_guest_writes_arrives_whole() {
    let server = Server::start(|_, _| answer(204, &[], "")).await;
    let body = "x".repeat(100_000);
    let response =
        open(&with_token(&server.origin)).call().send(post(&server.origin, "/v1/secret/x", &body)).await.unwrap();
    assert_eq!(response.status, 204);
    assert_eq!(server.seen()[0].body, body);
}

#[tokio::test]
async fn cookies_and_unknown_headers_do_not_reach_the_guest() {
    let server =
        Server::start(|_, _| answer(200, &["set-cookie: a=b", "x-unknown: 1", "etag: \"7\"", "retry-after: 3"], ""))
            .await;
    let response = open(&with_token(&server.origin)).call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    let mut names: Vec<&str> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["etag", "retry-after"]);
}

#[tokio::test]
async fn statuses_reach_the_guest_as_they_are() {
    for status in [201, 400, 404, 409, 418] {
        let server = Server::start(move |_, _| answer(status, &[], "{\"errors\":[]}")).await;
        let call = open(&with_token(&server.origin)).call();
        assert_eq!(call.send(get(&server.origin, "/v1/secret/x")).await.unwrap().status, status);
        assert_eq!(call.verdict(), None);
    }
}

#[tokio::test]
async fn a_record_holds_the_route_and_neither_path_nor_query() {
    let server = Server::start(|_, _| answer(200, &[], "0123456789")).await;
    let call = open(&with_token(&server.origin)).call();
    call.send(get(&server.origin, "/v1/secret/hunter2?version=987654321")).await.unwrap();
    call.send(get(&server.origin, "/v1/other/hunter2")).await.unwrap_err();
    let records = call.take_records();
    let [sent, denied] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(
        (sent.route.as_str(), sent.status, sent.bytes, sent.attempts, sent.outcome),
        ("/v1/secret/**", Some(200), 10, 1, "ok")
    );
    assert_eq!((denied.route.as_str(), denied.status, denied.attempts, denied.outcome), ("", None, 0, "denied"));
    assert!(!format!("{records:?}").contains("hunter2") && !format!("{records:?}").contains("987654321"));
    assert!(call.take_records().is_empty());
}

#[tokio::test]
async fn requests_in_parallel_are_answered_in_order_and_at_most_eight_at_a_time() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let server = Server::start(move |seen, _| {
        let name = seen.target.rsplit('/').next().unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{name}", name.len());
        Reply::When(Arc::clone(&held), head.into_bytes())
    })
    .await;
    let call = open(&with_token(&server.origin)).call();
    let requests = (0..16).map(|n| get(&server.origin, &format!("/v1/secret/{n}"))).collect();
    let sending = tokio::spawn(async move { call.send_all(requests).await });
    while server.seen().len() < 8 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // No answer has been given yet, so a ninth request could only come beside the eight.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.seen().len(), 8);
    gate.add_permits(16);
    for (n, outcome) in sending.await.unwrap().into_iter().enumerate() {
        assert_eq!(outcome.unwrap().body.as_slice(), n.to_string().as_bytes());
    }
    assert_eq!(server.seen().len(), 16);
}
