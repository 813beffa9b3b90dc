//! Why a server was not reached: each cause by its name, with what to do.

use forge_broker::{Egress, Verdict};
use forge_core::Kind;
use forge_core::grant::NetworkClass;

use crate::server::{Reply, Server};
use crate::setup::{get, open, options, with_token};

async fn verdict(origin: &str) -> Verdict {
    let call = open(&with_token(origin)).call();
    assert!(call.send(get(origin, "/v1/secret/x")).await.is_err());
    call.verdict().unwrap()
}

/// Whether a verdict names the origin, this cause, and this piece of advice.
fn says(verdict: &Verdict, origin: &str, cause: &str, advice: &str) -> bool {
    let hint = verdict.hint.as_deref().unwrap_or_default();
    verdict.kind == Kind::Unavailable
        && verdict.what.contains(origin)
        && verdict.what.contains(cause)
        && hint.contains(advice)
}

#[tokio::test]
async fn a_port_at_which_nobody_listens_is_named_with_the_address() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let origin = format!("http://127.0.0.1:{port}");
    let verdict = verdict(&origin).await;
    assert!(says(&verdict, &origin, "the connection was refused", &origin), "{verdict:?}");
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_named() {
    // RFC 6761: no name below `invalid` exists.
    let origin = "http://vault.invalid";
    let mut grant = with_token(origin);
    grant.networks.insert(origin.to_owned(), NetworkClass::Public);
    let call = Egress::open(&grant, &options()).unwrap().call();
    assert!(call.send(get(origin, "/v1/secret/x")).await.is_err());
    let verdict = call.verdict().unwrap();
    assert!(says(&verdict, origin, "its name was not found", "spelt right"), "{verdict:?}");
    let error = forge_broker::network_class(origin, None).await.unwrap_err();
    assert!(error.to_string().contains("its name was not found"), "{error}");
    assert!(error.hint().unwrap().contains("spelt right"));
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_named() {
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("https://127.0.0.1:{}", plain.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in plain.incoming() {
            let _ = std::io::Write::write_all(&mut stream.unwrap(), b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let verdict = verdict(&origin).await;
    assert!(says(&verdict, &origin, "it does not speak TLS", "`http://`"), "{verdict:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_a_timeout_with_advice() {
    let server = Server::start(|_, _| Reply::Silence).await;
    let mut grant = with_token(&server.origin);
    grant.limits.wall_ms = Some(300);
    let call = Egress::open(&grant, &options()).unwrap().call();
    assert!(call.send(get(&server.origin, "/v1/secret/x")).await.is_err());
    let verdict = call.verdict().unwrap();
    assert_eq!(verdict.kind, Kind::Timeout);
    assert!(verdict.what.contains(&server.origin) && verdict.hint.unwrap().contains("firewall"));
}
