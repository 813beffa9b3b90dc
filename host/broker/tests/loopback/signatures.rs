//! Signed requests on the wire: what a server gets, what it may not send back, and how it is told why it refuses.

use std::collections::BTreeMap;

use forge_broker::{Egress, Refusal, Request};
use forge_core::Kind;
use forge_core::grant::Grant;
use forge_core::route::body::BodyRule;

use crate::server::{Reply, Server, answer};
use crate::setup::{Known, options_of, post, with_credential};

const SECRET: &str = "canary/Secret+Access+Key/0123456789";
const SESSION: &str = "canary/Session+Token/0123456789==";
const PARAMETERS: [(&str, &str); 5] = [
    ("access-key-id", "env:I"),
    ("secret-access-key", "env:S"),
    ("session-token", "env:T"),
    ("region", "eu-central-1"),
    ("service", "secretsmanager"),
];

fn known() -> Known {
    Known::of(&[("env:I", "AKIDEXAMPLEEXAMPLE"), ("env:S", SECRET), ("env:T", SESSION)])
}

/// A grant for one action on secrets whose names begin with `app/`.
fn grant(origin: &str) -> Grant {
    grant_of(origin, &PARAMETERS)
}

/// The same with these parameters of the credential.
pub(crate) fn grant_of(origin: &str, parameters: &[(&str, &str)]) -> Grant {
    let mut grant = with_credential(origin, "aws-sigv4", parameters);
    let body: BodyRule = serde_json::from_str(r#"{"SecretId":{"name":["app/**"],"required":true}}"#).unwrap();
    for route in &mut grant.routes {
        route.path = "/".parse().unwrap();
        route.methods = vec!["POST".to_owned()];
        route.query = BTreeMap::new();
        route.headers = BTreeMap::from([("x-amz-target".to_owned(), vec!["secretsmanager.GetSecretValue".to_owned()])]);
        route.body = Some(body.clone());
        route.idempotent = true;
    }
    grant.routes.truncate(1);
    grant
}

pub(crate) fn read(origin: &str) -> Request {
    let headers = [
        ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
        ("x-amz-target".to_owned(), "secretsmanager.GetSecretValue".to_owned()),
    ];
    Request { headers: headers.to_vec(), ..post(origin, "/", r#" { "SecretId" : "app/db" } "#) }
}

fn refused(code: &str, more: &[&str]) -> Reply {
    answer(400, more, &format!(r#"{{"__type":"{code}","message":"no"}}"#))
}

#[tokio::test]
async fn the_final_bytes_are_signed_with_the_session_and_the_scope_that_was_typed() {
    let server = Server::start(|_, _| answer(200, &[], "ok")).await;
    let egress = Egress::open(&grant(&server.origin), &options_of(known())).unwrap();
    assert_eq!(egress.call().send(read(&server.origin)).await.unwrap().status, 200);
    let seen = server.seen().remove(0);
    let signature = seen.header("authorization").unwrap();
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLEEXAMPLE/"), "{signature}");
    assert!(signature.contains("/eu-central-1/secretsmanager/aws4_request, "), "{signature}");
    let signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, ";
    assert!(signature.contains(signed), "{signature}");
    assert_eq!(seen.header("x-amz-security-token"), Some(SESSION));
    assert_eq!(seen.body, r#"{"SecretId":"app/db"}"#, "the host's own writing of what it checked is what was signed");
}

#[tokio::test]
async fn a_guest_brings_no_signature_of_its_own_and_no_other_action() {
    let server = Server::start(|_, _| answer(200, &[], "ok")).await;
    let egress = Egress::open(&grant(&server.origin), &options_of(known())).unwrap();
    for (name, value) in [
        ("authorization", "AWS4-HMAC-SHA256 Credential=x"),
        ("x-amz-security-token", "x"),
        ("x-amz-date", "20260101T000000Z"),
        ("x-amz-target", "secretsmanager.DeleteSecret"),
    ] {
        let mut request = read(&server.origin);
        request.headers.retain(|(known, _)| known != name);
        request.headers.push((name.to_owned(), value.to_owned()));
        assert!(matches!(egress.call().send(request).await, Err(Refusal::Denied(_))), "{name}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_refused_signature_is_told_as_what_it_is() {
    for (code, date, words) in [
        ("InvalidSignatureException", None, "the signature is not the one"),
        ("UnrecognizedClientException", None, "knows no active key"),
        ("ExpiredTokenException", None, "its session has expired"),
        ("InvalidSignatureException", Some("date: Thu, 01 Jan 2015 00:00:00 GMT"), "s ahead of the server's"),
        ("InvalidSignatureException", Some("date: Fri, 01 Jan 2100 00:00:00 GMT"), "s behind the server's"),
    ] {
        let server = Server::start(move |_, _| refused(code, date.as_slice())).await;
        let egress = Egress::open(&grant(&server.origin), &options_of(known())).unwrap();
        let call = egress.call();
        assert_eq!(call.send(read(&server.origin)).await.unwrap().status, 400);
        let verdict = call.verdict().unwrap();
        assert_eq!(verdict.kind, Kind::Unauthenticated);
        assert!(verdict.what.contains(words), "{}", verdict.what);
        assert!(verdict.hint.is_some());
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_request_that_came_too_often_is_sent_again_and_finishes() {
    // It was not looked at, so a write that is no idempotent one is sent again as well.
    for is_idempotent in [true, false] {
        let server = Server::start(|_, number| match number {
            0 | 1 => refused("ThrottlingException", &[]),
            _ => answer(200, &[], "ok"),
        })
        .await;
        let mut grant = grant(&server.origin);
        grant.routes.iter_mut().for_each(|route| route.idempotent = is_idempotent);
        let call = Egress::open(&grant, &options_of(known())).unwrap().call();
        assert_eq!(call.send(read(&server.origin)).await.unwrap().status, 200);
        assert_eq!((server.seen().len(), call.verdict()), (3, None));
    }
}

#[tokio::test]
async fn a_server_that_is_asked_too_often_for_good_is_left_alone_after_a_while() {
    let server = Server::start(|_, _| refused("ThrottlingException", &[])).await;
    let call = Egress::open(&grant(&server.origin), &options_of(known())).unwrap().call();
    assert_eq!(call.send(read(&server.origin)).await.unwrap().status, 400);
    assert_eq!(server.seen().len(), 4, "as often as the test's pauses say");
}

#[tokio::test]
async fn a_request_that_is_merely_denied_says_nothing_about_the_key() {
    let server = Server::start(|_, _| refused("AccessDeniedException", &[])).await;
    let egress = Egress::open(&grant(&server.origin), &options_of(known())).unwrap();
    let call = egress.call();
    assert_eq!(call.send(read(&server.origin)).await.unwrap().status, 400);
    assert_eq!(call.verdict(), None);
}

#[tokio::test]
async fn a_key_that_its_sources_replaced_is_read_again_after_a_refusal() {
    let is_new = |authorization: &str| authorization.contains("Credential=AKIDNEWNEWNEWNEW1/");
    let server = Server::start(move |seen, _| match seen.header("authorization").is_some_and(is_new) {
        true => answer(200, &[], "ok"),
        false => refused("ExpiredTokenException", &[]),
    })
    .await;
    let known = known();
    let egress = Egress::open(&grant(&server.origin), &options_of(known.clone())).unwrap();
    assert_eq!(egress.call().send(read(&server.origin)).await.unwrap().status, 400);
    known.put("env:I", "AKIDNEWNEWNEWNEW1");
    let call = egress.call();
    assert_eq!(call.send(read(&server.origin)).await.unwrap().status, 200);
    assert_eq!(call.verdict(), None);
}

#[tokio::test]
async fn a_secret_that_a_provoked_mismatch_sends_back_is_withheld() {
    for (secret, code, is_key) in [
        (SECRET, "InvalidSignatureException", true),
        (SESSION, "InvalidSignatureException", true),
        (SECRET, "ResourceNotFoundException", false),
        (SESSION, "ResourceNotFoundException", false),
    ] {
        let server = Server::start(move |_, _| {
            let canonical = format!("the canonical string should have been x-amz-security-token:{secret}");
            answer(400, &[], &format!(r#"{{"__type":"{code}","message":"{canonical}"}}"#))
        })
        .await;
        let egress = Egress::open(&grant(&server.origin), &options_of(known())).unwrap();
        let call = egress.call();
        let refusal = call.send(read(&server.origin)).await.unwrap_err();
        assert_eq!(matches!(refusal, Refusal::CredentialReflected), !is_key, "{refusal:?}");
        let told = call.verdict().unwrap().what;
        assert_eq!(told.contains("the signature is not the one"), is_key, "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
}

#[tokio::test]
async fn nothing_but_the_requests_of_json_services_is_signed() {
    for change in [
        |grant: &mut Grant| grant.routes[0].path = "/2015-03-31/**".parse().unwrap(),
        |grant: &mut Grant| grant.routes[0].methods = vec!["GET".to_owned()],
        |grant: &mut Grant| {
            let rule = serde_json::from_str(r#""any""#).unwrap();
            grant.routes[0].query.insert("Action".to_owned(), rule);
        },
    ] {
        let mut grant = grant("https://x.example");
        assert!(Egress::open(&grant, &options_of(known())).is_ok());
        change(&mut grant);
        assert!(Egress::open(&grant, &options_of(known())).is_err());
    }
}

#[tokio::test]
async fn a_secret_where_the_id_belongs_is_never_sent() {
    let server = Server::start(|_, _| answer(200, &[], "ok")).await;
    let known = known();
    known.put("env:I", SECRET);
    let egress = Egress::open(&grant(&server.origin), &options_of(known)).unwrap();
    let call = egress.call();
    assert!(matches!(call.send(read(&server.origin)).await, Err(Refusal::Credential(_))));
    assert!(!call.verdict().unwrap().what.contains("canary"));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn the_identity_is_asked_of_the_endpoint_that_was_typed_in_its_own_scope() {
    let identity = "<R><Arn>arn:aws:iam::111122223333:user/dev</Arn><Account>111122223333</Account></R>";
    let server = Server::start(move |_, _| answer(200, &[], identity)).await;
    let mut grant = grant(&server.origin);
    let told = Egress::open(&grant, &options_of(known())).unwrap().identity().await.unwrap();
    assert_eq!(told, None, "nobody said where to ask");
    let parameters = &mut grant.credential.as_mut().unwrap().parameters;
    parameters.insert("login-endpoint".to_owned(), server.origin.clone());
    let told = Egress::open(&grant, &options_of(known())).unwrap().identity().await.unwrap();
    assert_eq!(told.as_deref(), Some("arn:aws:iam::111122223333:user/dev (account: 111122223333)"));
    let seen = server.seen().remove(0);
    assert!(seen.header("authorization").unwrap().contains("/eu-central-1/sts/aws4_request"));
    assert_eq!(seen.body, "Action=GetCallerIdentity&Version=2011-06-15");
}

#[tokio::test]
async fn a_route_that_names_no_action_or_one_that_gives_rights_is_never_opened() {
    for targets in [vec![], vec!["secretsmanager.PutResourcePolicy"], vec!["TrentService.CreateGrant"]] {
        let mut grant = grant("https://x.example");
        let targets: Vec<String> = targets.into_iter().map(str::to_owned).collect();
        for route in &mut grant.routes {
            route.headers = if targets.is_empty() {
                BTreeMap::from([("accept".to_owned(), vec!["a".to_owned()])])
            } else {
                BTreeMap::from([("x-amz-target".to_owned(), targets.clone())])
            };
        }
        assert!(Egress::open(&grant, &options_of(known())).is_err(), "{targets:?}");
    }
    assert!(Egress::open(&grant("https://x.example"), &options_of(known())).is_ok());
}

#[tokio::test]
async fn without_a_persons_word_a_key_goes_to_the_names_of_aws_itself_and_to_no_others() {
    for (origin, is_own) in [
        ("https://secretsmanager.eu-central-1.amazonaws.com", true),
        ("https://secretsmanager.eu-central-1.amazonaws.com.evil.example", false),
        ("https://evil.execute-api.eu-central-1.amazonaws.com", false),
        ("https://x.example", false),
    ] {
        let mut grant = grant(origin);
        grant.credential.as_mut().unwrap().audience.clear();
        assert_eq!(Egress::open(&grant, &options_of(known())).is_ok(), is_own, "{origin}");
        grant.credential.as_mut().unwrap().audience.push(origin.to_owned());
        assert!(Egress::open(&grant, &options_of(known())).is_ok(), "{origin}");
    }
    // Another region or service than the name's is no signature that anybody wants.
    let grant = grant("https://ssm.eu-central-1.amazonaws.com");
    assert!(Egress::open(&grant, &options_of(known())).is_err());
}
