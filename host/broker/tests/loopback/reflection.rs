//! A server that sends the credential back, in every dress.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use forge_broker::Refusal;
use forge_core::Kind;

use crate::server::{Server, answer};
use crate::setup::{Known, TOKEN, get, open, options_of, with_token};

async fn is_withheld(headers: Vec<String>, body: String) -> bool {
    let server = Server::start(move |_, _| {
        let lines: Vec<&str> = headers.iter().map(String::as_str).collect();
        answer(200, &lines, &body)
    })
    .await;
    let call = open(&with_token(&server.origin)).call();
    match call.send(get(&server.origin, "/v1/secret/x")).await {
        Err(Refusal::CredentialReflected) => {
            let verdict = call.verdict().unwrap();
            assert_eq!(verdict.kind, Kind::CredentialReflected);
            assert!(!format!("{verdict:?}").contains(TOKEN));
            assert_eq!(call.take_records()[0].outcome, "credential-reflected");
            true
        }
        Ok(_) => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_credential_in_a_body_is_withheld_however_it_is_encoded() {
    let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
    let forms = [
        TOKEN.to_owned(),
        STANDARD.encode(TOKEN),
        STANDARD_NO_PAD.encode(format!("x{TOKEN}")),
        URL_SAFE.encode(format!("xy{TOKEN}")),
        "s.canary%2FToken%2B0123456789".to_owned(),
        "s.canary\\/Token+0123456789".to_owned(),
        hex.to_uppercase(),
        hex,
    ];
    for form in forms {
        assert!(is_withheld(Vec::new(), format!("<html>you sent {form}, thanks</html>")).await, "{form}");
    }
}

#[tokio::test]
async fn a_credential_in_any_header_is_withheld() {
    for line in [format!("etag: \"{TOKEN}\""), format!("x-echo: {TOKEN}"), format!("location: /?t={TOKEN}")] {
        assert!(is_withheld(vec![line.clone()], String::new()).await, "{line}");
    }
}

#[tokio::test]
async fn an_answer_without_the_credential_is_not_withheld() {
    assert!(!is_withheld(vec!["etag: \"s.canary\"".to_owned()], "s.canary/Token+012345678".to_owned()).await);
}

#[tokio::test]
async fn a_credential_that_was_replaced_a_moment_ago_is_withheld_too() {
    let server = Server::start(|_, count| match count {
        0 => answer(200, &[], "first"),
        1 => answer(403, &[], "expired"),
        _ => answer(200, &[], TOKEN),
    })
    .await;
    let known = Known::of(&[("env:T", TOKEN)]);
    let egress = forge_broker::Egress::open(&with_token(&server.origin), &options_of(known.clone())).unwrap();
    egress.call().send(get(&server.origin, "/v1/secret/x")).await.unwrap();
    known.put("env:T", "s.another-token-0123456789");
    let outcome = egress.call().send(get(&server.origin, "/v1/secret/x")).await;
    assert_eq!(outcome.unwrap_err(), Refusal::CredentialReflected);
    assert_eq!(server.seen()[2].header("x-vault-token"), Some("s.another-token-0123456789"));
}
