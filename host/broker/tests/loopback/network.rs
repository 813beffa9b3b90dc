//! Names and addresses: where a connection may go.

use std::sync::Arc;

use forge_broker::{Egress, Refusal, network_class};
use forge_core::Kind;
use forge_core::grant::{Grant, NetworkClass};

use crate::server::{Server, answer};
use crate::setup::{Scripted, get, grant, open, options, with_token};

fn named(server: &Server, class: NetworkClass) -> (String, Grant) {
    let origin = format!("http://vault.example:{}", server.port);
    let grant = Grant { networks: [(origin.clone(), class)].into(), ..with_token(&origin) };
    (origin, grant)
}

fn open_with(grant: &Grant, dns: Arc<Scripted>) -> Arc<Egress> {
    let mut options = options();
    options.dns = Some(dns);
    Egress::open(grant, &options).unwrap()
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused_unless_it_was_granted_as_such() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    for (class, is_open) in
        [(NetworkClass::Loopback, true), (NetworkClass::Public, false), (NetworkClass::Private, false)]
    {
        let (origin, grant) = named(&server, class);
        let call = open_with(&grant, Scripted::new(&[&["127.0.0.1"]])).call();
        let outcome = call.send(get(&origin, "/v1/secret/x")).await;
        assert_eq!(outcome.is_ok(), is_open, "{class}: {outcome:?}");
        if !is_open {
            assert!(matches!(outcome, Err(Refusal::Denied(_))), "{outcome:?}");
            assert_eq!(call.verdict().unwrap().kind, Kind::NotGranted);
            assert_eq!((call.take_records()[0].outcome, server.seen().len()), ("denied", 1));
        }
    }
}

#[tokio::test]
async fn a_name_that_was_public_when_it_was_looked_at_and_is_loopback_now_is_refused() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let (origin, grant) = named(&server, NetworkClass::Public);
    let dns = Scripted::new(&[&["93.184.216.34"], &["127.0.0.1"]]);
    let resolve: Arc<dyn forge_broker::Resolve> = dns.clone();
    assert_eq!(network_class(&origin, Some(&resolve)).await.unwrap().0, NetworkClass::Public);
    let outcome = open_with(&grant, dns).call().send(get(&origin, "/v1/secret/x")).await;
    assert!(matches!(outcome, Err(Refusal::Denied(_))), "{outcome:?}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_name_that_answers_a_metadata_server_is_refused_whatever_its_class() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    for address in
        ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "100.100.100.200", "0.0.0.0", "::ffff:127.0.0.1"]
    {
        for class in [NetworkClass::Public, NetworkClass::Private, NetworkClass::Loopback] {
            let (origin, grant) = named(&server, class);
            let answer = [address];
            let outcome = open_with(&grant, Scripted::new(&[&answer])).call().send(get(&origin, "/v1/secret/x")).await;
            assert!(matches!(outcome, Err(Refusal::Denied(_))), "{address} as {class}: {outcome:?}");
        }
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn an_origin_that_is_an_address_is_held_to_its_class_too() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    for class in [NetworkClass::Public, NetworkClass::Private] {
        let grant = Grant { networks: [(server.origin.clone(), class)].into(), ..with_token(&server.origin) };
        let outcome = open(&grant).call().send(get(&server.origin, "/v1/secret/x")).await;
        assert!(matches!(outcome, Err(Refusal::Denied(_))), "{outcome:?}");
    }
    let unrecorded = Grant { networks: Default::default(), ..with_token(&server.origin) };
    let outcome = open(&unrecorded).call().send(get(&server.origin, "/v1/secret/x")).await;
    assert!(matches!(outcome, Err(Refusal::Denied(_))), "{outcome:?}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_denied_request_of_every_step_sends_nothing() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let egress = open(&with_token(&server.origin));
    for path in
        ["/v1/secret/../auth", "/v1/secret//x", "/v1/secret/%2e%2e/x", "/v1/secret/x?list=true", "/v1/secretx/y", "/"]
    {
        let outcome = egress.call().send(get(&server.origin, path)).await;
        assert!(matches!(outcome, Err(Refusal::Denied(_))), "{path}: {outcome:?}");
    }
    for name in
        ["X-Vault-Token", "X-Vault-Namespace", "X-Vault-Wrap-TTL", "Authorization", "X-HTTP-Method-Override", "Host"]
    {
        let mut request = get(&server.origin, "/v1/secret/x");
        request.headers.push((name.to_owned(), "1h".to_owned()));
        let outcome = egress.call().send(request).await;
        assert!(matches!(outcome, Err(Refusal::Denied(_))), "{name}: {outcome:?}");
    }
    assert!(server.seen().is_empty());
}

/// The environment is the process' own, so this test runs itself again in a child that has proxies in its environment.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test has to know whether it is the child")]
fn proxies_in_the_environment_are_ignored() {
    const INSIDE: &str = "FORGE_TEST_INSIDE_PROXY";
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if std::env::var_os(INSIDE).is_some() {
        runtime().block_on(async {
            let server = Server::start(|_, _| answer(200, &[], "direct")).await;
            let response = open(&grant(&server.origin)).call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
            assert_eq!(response.body.as_slice(), b"direct");
        });
        return;
    }
    runtime().block_on(async {
        let proxy = Server::start(|_, _| answer(200, &[], "through the proxy")).await;
        let address = proxy.origin.clone();
        let child = tokio::task::spawn_blocking(move || {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child
                .args(["--exact", "network::proxies_in_the_environment_are_ignored"])
                .env(INSIDE, "1")
                .env_remove("NO_PROXY");
            for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
                child.env(name, &address);
            }
            child.output().unwrap()
        });
        let output = child.await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        assert!(proxy.seen().is_empty());
    });
}
