//! `basic` and `bearer` on the wire: what a server gets, what it may not send back, and a secret that was replaced.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_broker::{Egress, Refusal};
use forge_core::Kind;

use crate::server::{Server, answer};
use crate::setup::{Known, get, options_of, with_credential};

const NAMED: [(&str, &str); 2] = [("username", "svc"), ("password", "env:P")];
const PASSWORD: &str = "canary/Password+0123";

/// What a server that sends back `form` brings about.
async fn reflected(kind: &str, parameters: &[(&str, &str)], known: &Known, form: String) -> bool {
    let server = Server::start(move |_, _| answer(200, &[], &format!("<b>{form}</b>"))).await;
    let egress = Egress::open(&with_credential(&server.origin, kind, parameters), &options_of(known.clone())).unwrap();
    let call = egress.call();
    match call.send(get(&server.origin, "/v1/secret/x")).await {
        Err(Refusal::CredentialReflected) => true,
        Ok(_) => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_kind_travels_in_its_own_form() {
    let server = Server::start(|_, _| answer(200, &[], "ok")).await;
    let known = Known::of(&[("env:P", PASSWORD), ("env:U", "svc"), ("file:/run/t", "a-bearer-token\n")]);
    let pair = format!("Basic {}", STANDARD.encode(format!("svc:{PASSWORD}")));
    for (kind, parameters, expected) in [
        ("basic", &NAMED[..], pair.as_str()),
        ("basic", &[("username", "env:U"), ("password", "env:P")], pair.as_str()),
        ("bearer", &[("token", "file:/run/t")], "Bearer a-bearer-token"),
    ] {
        let grant = with_credential(&server.origin, kind, parameters);
        let egress = Egress::open(&grant, &options_of(known.clone())).unwrap();
        assert_eq!(egress.call().send(get(&server.origin, "/v1/secret/x")).await.unwrap().status, 200);
        assert_eq!(server.seen().last().unwrap().header("authorization"), Some(expected));
    }
}

#[tokio::test]
async fn a_pair_is_withheld_in_its_base64_whatever_is_made_of_that() {
    let known = Known::of(&[("env:P", PASSWORD)]);
    let encoded = STANDARD.encode(format!("svc:{PASSWORD}"));
    for form in [
        PASSWORD.to_owned(),
        format!("Authorization: Basic {encoded}"),
        STANDARD.encode(&encoded),
        encoded.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F"),
    ] {
        assert!(reflected("basic", &NAMED, &known, form.clone()).await, "{form}");
    }
    assert!(!reflected("basic", &NAMED, &known, "Basic realm=svc".to_owned()).await);
}

#[tokio::test]
async fn a_short_password_is_found_as_a_part_of_its_pair() {
    let known = Known::of(&[("env:P", "pass")]);
    assert!(reflected("basic", &NAMED, &known, STANDARD.encode("svc:pass")).await);
    assert!(reflected("basic", &NAMED, &known, "svc:pass".to_owned()).await);
}

#[tokio::test]
async fn a_name_that_comes_from_a_source_is_withheld_and_one_that_was_typed_is_not() {
    let known = Known::of(&[("env:U", "name-canary-0123"), ("env:P", PASSWORD)]);
    let from_source = [("username", "env:U"), ("password", "env:P")];
    assert!(reflected("basic", &from_source, &known, r#"{"user":"name-canary-0123"}"#.to_owned()).await);
    let typed = [("username", "name-canary-0123"), ("password", "env:P")];
    assert!(!reflected("basic", &typed, &known, r#"{"user":"name-canary-0123"}"#.to_owned()).await);
}

#[tokio::test]
async fn a_bearer_token_is_withheld() {
    let known = Known::of(&[("env:B", "bearer-canary-0123")]);
    assert!(reflected("bearer", &[("token", "env:B")], &known, STANDARD.encode("bearer-canary-0123")).await);
    assert!(!reflected("bearer", &[("token", "env:B")], &known, "bearer".to_owned()).await);
}

#[tokio::test]
async fn a_password_that_its_source_replaced_is_read_again_after_a_401() {
    let new = format!("Basic {}", STANDARD.encode("svc:new-password"));
    let server = Server::start(move |seen, _| {
        if seen.header("authorization") == Some(&new) { answer(200, &[], "ok") } else { answer(401, &[], "no") }
    })
    .await;
    let known = Known::of(&[("env:P", "old-password")]);
    let grant = with_credential(&server.origin, "basic", &NAMED);
    let egress = Egress::open(&grant, &options_of(known.clone())).unwrap();
    assert_eq!(egress.call().send(get(&server.origin, "/v1/secret/x")).await.unwrap().status, 401);
    known.put("env:P", "new-password");
    assert_eq!(egress.call().send(get(&server.origin, "/v1/secret/x")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_name_with_a_colon_at_its_source_is_refused() {
    let server = Server::start(|_, _| answer(200, &[], "ok")).await;
    let known = Known::of(&[("env:U", "svc:admin"), ("env:P", PASSWORD)]);
    let grant = with_credential(&server.origin, "basic", &[("username", "env:U"), ("password", "env:P")]);
    let call = Egress::open(&grant, &options_of(known)).unwrap().call();
    assert!(matches!(call.send(get(&server.origin, "/v1/secret/x")).await, Err(Refusal::Credential(_))));
    assert_eq!(call.verdict().unwrap().kind, Kind::InvalidRequest);
    assert!(server.seen().is_empty());
}
