//! Answers that never end, are too long, come too slowly or break off.

use std::time::Duration;

use forge_broker::{Refusal, Request};
use forge_core::Kind;
use forge_core::grant::Grant;
use forge_core::manifest::LimitsAsk;

use crate::server::{Reply, Server, answer};
use crate::setup::{get, open, with_token};

async fn outcome(
    reply: impl Fn() -> Reply + Send + Sync + 'static,
    change: impl Fn(&mut Grant),
) -> (Refusal, Kind, usize) {
    let server = Server::start(move |_, _| reply()).await;
    let mut grant = with_token(&server.origin);
    change(&mut grant);
    let call = open(&grant).call();
    let refusal = call.send(get(&server.origin, "/v1/secret/x")).await.unwrap_err();
    (refusal, call.verdict().unwrap().kind, server.seen().len())
}

fn wall(milliseconds: u32) -> impl Fn(&mut Grant) {
    move |grant| grant.limits = LimitsAsk { wall_ms: Some(milliseconds), ..LimitsAsk::default() }
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off_at_the_routes_limit() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000)).into_bytes();
    let (refusal, kind, sent) = outcome(move || Reply::Endless(head.clone(), piece.clone()), |_| ()).await;
    assert_eq!((refusal, kind, sent), (Refusal::TooLarge, Kind::TooLarge, 1));
}

#[tokio::test]
async fn a_body_of_ten_gigabytes_is_refused_by_its_announcement() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n".to_vec();
    let (refusal, _, sent) = outcome(move || Reply::Bytes(head.clone()), |_| ()).await;
    assert_eq!((refusal, sent), (Refusal::TooLarge, 1));
}

#[tokio::test]
async fn a_body_is_allowed_up_to_its_routes_limit_and_not_a_byte_more() {
    let server =
        Server::start(|seen, _| answer(200, &[], &"x".repeat(if seen.target.ends_with("more") { 101 } else { 100 })))
            .await;
    let mut grant = with_token(&server.origin);
    grant.routes.iter_mut().for_each(|route| route.response_max = 100);
    let call = open(&grant).call();
    assert_eq!(call.send(get(&server.origin, "/v1/secret/just")).await.unwrap().body.len(), 100);
    assert_eq!(call.send(get(&server.origin, "/v1/secret/more")).await.unwrap_err(), Refusal::TooLarge);
}

#[tokio::test]
async fn a_server_that_drips_gains_no_time_by_it() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".to_vec();
    let (refusal, kind, _) = outcome(move || Reply::Drip(head.clone(), Duration::from_millis(10)), wall(300)).await;
    assert_eq!((refusal, kind), (Refusal::Timeout, Kind::Timeout));
}

#[tokio::test]
async fn headers_that_drip_gain_no_time_either() {
    let head = b"HTTP/1.1 200 OK\r\nx-slow: ".to_vec();
    let (refusal, ..) = outcome(move || Reply::Drip(head.clone(), Duration::from_millis(10)), wall(300)).await;
    assert_eq!(refusal, Refusal::Timeout);
}

#[tokio::test]
async fn a_server_that_says_nothing_ends_with_the_calls_time() {
    let (refusal, ..) = outcome(|| Reply::Silence, wall(300)).await;
    assert_eq!(refusal, Refusal::Timeout);
}

#[tokio::test]
async fn a_truncated_body_is_no_answer() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\nhalf".to_vec();
    let (refusal, kind, sent) = outcome(move || Reply::Bytes(head.clone()), |_| ()).await;
    assert!(matches!(refusal, Refusal::Unreachable(_)), "{refusal:?}");
    assert_eq!((kind, sent), (Kind::Unavailable, 3), "a read is asked for again");
}

#[tokio::test]
async fn what_is_not_http_is_no_answer() {
    for bytes in [
        "",
        "SSH-2.0-x\r\n",
        "HTTP/1.1 999999 X\r\n\r\n",
        "HTTP/0.9 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "\0\0\0\0",
    ] {
        let (refusal, ..) = outcome(move || Reply::Bytes(bytes.as_bytes().to_vec()), |_| ()).await;
        assert!(matches!(refusal, Refusal::Unreachable(_)), "{bytes:?}: {refusal:?}");
    }
}

#[tokio::test]
async fn an_answer_of_many_or_huge_headers_is_refused() {
    let many: String = (0..101).map(|n| format!("x-{n}: 1\r\n")).collect();
    let huge: String = (0..20).map(|n| format!("x-{n}: {}\r\n", "y".repeat(4000))).collect();
    for lines in [many, huge] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{lines}content-length: 0\r\n\r\n").into_bytes();
        let (refusal, ..) = outcome(move || Reply::Bytes(bytes.clone()), |_| ()).await;
        assert!(matches!(refusal, Refusal::Unreachable(_)), "{refusal:?}");
    }
    let endless = b"HTTP/1.1 200 OK\r\nx-endless: ".to_vec();
    let (refusal, ..) = outcome(move || Reply::Endless(endless.clone(), vec![b'y'; 65536]), |_| ()).await;
    assert!(matches!(refusal, Refusal::Unreachable(_)), "{refusal:?}");
}

#[tokio::test]
async fn an_encoding_that_was_not_offered_is_refused_and_not_unfolded() {
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 4, 0, 0x43, 0xbe, 0xb7, 0xe8, 1, 0, 0, 0];
    for line in ["content-encoding: gzip", "content-encoding: br", "content-encoding: identity, gzip"] {
        let mut bytes = format!("HTTP/1.1 200 OK\r\n{line}\r\ncontent-length: {}\r\n\r\n", gzip.len()).into_bytes();
        bytes.extend_from_slice(&gzip);
        let (refusal, _, sent) = outcome(move || Reply::Bytes(bytes.clone()), |_| ()).await;
        assert!(matches!(refusal, Refusal::Unreachable(_)), "{refusal:?}");
        assert_eq!(sent, 1);
    }
}

#[tokio::test]
async fn a_body_of_compressed_bytes_without_a_label_is_passed_on_as_it_is() {
    let server = Server::start(|_, _| {
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\n\x1f\x8b\x08\x00".to_vec())
    })
    .await;
    let response = open(&with_token(&server.origin)).call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    assert_eq!(response.body.as_slice(), b"\x1f\x8b\x08\x00");
}

#[tokio::test]
async fn an_answer_to_head_may_announce_a_body_that_it_does_not_have() {
    let server = Server::start(|_, _| {
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\nconnection: close\r\n\r\n".to_vec())
    })
    .await;
    let mut grant = with_token(&server.origin);
    grant.routes.iter_mut().for_each(|route| route.methods.push("HEAD".to_owned()));
    let request = Request { method: "HEAD".to_owned(), ..get(&server.origin, "/v1/secret/x") };
    assert_eq!(open(&grant).call().send(request).await.unwrap().status, 200);
}
