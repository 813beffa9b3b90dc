//! What is sent again, and how often.

use forge_broker::Refusal;

use crate::server::{Reply, Server, answer};
use crate::setup::{get, open, post, with_token};

#[tokio::test]
async fn a_read_is_sent_a_few_times_and_the_last_answer_reaches_the_guest() {
    // Four times where it is asked too often, as the pauses of these tests say.
    for (status, attempts) in [(429, 4), (500, 3), (502, 3), (503, 3), (504, 3)] {
        let server = Server::start(move |_, count| answer(status, &[], &count.to_string())).await;
        let call = open(&with_token(&server.origin)).call();
        let response = call.send(get(&server.origin, "/v1/secret/x")).await.unwrap();
        let last = (attempts - 1).to_string();
        assert_eq!((response.status, response.body.as_slice()), (status, last.as_bytes()));
        assert_eq!((server.seen().len(), call.take_records()[0].attempts as usize), (attempts, attempts));
    }
}

#[tokio::test]
async fn a_read_that_succeeds_the_second_time_is_not_sent_a_third() {
    let server = Server::start(|_, count| if count == 0 { answer(503, &[], "") } else { answer(200, &[], "ok") }).await;
    let response = open(&with_token(&server.origin)).call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    assert_eq!((response.status, server.seen().len()), (200, 2));
}

#[tokio::test]
async fn a_write_that_is_not_idempotent_is_sent_once() {
    let server = Server::start(|_, _| answer(503, &[], "")).await;
    let response =
        open(&with_token(&server.origin)).call().send(post(&server.origin, "/v1/secret/x", "v")).await.unwrap();
    assert_eq!((response.status, server.seen().len()), (503, 1));
    let broken = Server::start(|_, _| Reply::Bytes(Vec::new())).await;
    let outcome = open(&with_token(&broken.origin)).call().send(post(&broken.origin, "/v1/secret/x", "v")).await;
    assert!(matches!(outcome, Err(Refusal::Unreachable(_))), "{outcome:?}");
    assert_eq!(broken.seen().len(), 1);
}

#[tokio::test]
async fn a_write_whose_route_is_idempotent_is_sent_again_with_its_body() {
    let server = Server::start(|_, count| if count == 0 { answer(503, &[], "") } else { answer(200, &[], "") }).await;
    let mut grant = with_token(&server.origin);
    grant.routes.iter_mut().for_each(|route| route.idempotent = true);
    open(&grant).call().send(post(&server.origin, "/v1/secret/x", "value")).await.unwrap();
    assert_eq!(server.seen().iter().map(|seen| seen.body.as_str()).collect::<Vec<_>>(), ["value", "value"]);
}

#[tokio::test]
async fn a_broken_connection_is_tried_again() {
    let server =
        Server::start(|_, count| if count < 2 { Reply::Bytes(Vec::new()) } else { answer(200, &[], "") }).await;
    let response = open(&with_token(&server.origin)).call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    assert_eq!((response.status, server.seen().len()), (200, 3));
}

#[tokio::test]
async fn retry_after_beyond_the_calls_time_is_left_to_the_guest() {
    let server = Server::start(|_, _| answer(429, &["retry-after: 3600"], "")).await;
    let response = open(&with_token(&server.origin)).call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    assert_eq!((response.status, server.seen().len()), (429, 1));
    assert!(response.headers.contains(&("retry-after".to_owned(), "3600".to_owned())));
}

#[tokio::test]
async fn a_server_that_is_down_is_unreachable_in_words_without_path_or_query() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let call = open(&with_token(&origin)).call();
    let Err(Refusal::Unreachable(text)) = call.send(get(&origin, "/v1/secret/hunter2?version=987654321")).await else {
        panic!("nothing listens there");
    };
    assert!(text.contains(&origin) && !text.contains("hunter2") && !text.contains("987654321"), "{text}");
    assert_eq!(call.take_records()[0].attempts, 3);
    assert_eq!(call.verdict().unwrap().kind, forge_core::Kind::Unavailable);
}
