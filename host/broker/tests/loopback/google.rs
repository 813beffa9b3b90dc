//! Google's logins against stand-ins that keep their own account of tokens.

use std::sync::Arc;

use forge_broker::{Egress, Error};
use forge_core::grant::{Grant, NetworkClass};

use crate::server::{Reply, Seen, Server, answer};
use crate::setup::{Known, Scripted, get, options_of, with_credential};

const USER: &str = r#"{"type":"authorized_user","client_id":"id","client_secret":"client-secret-canary","refresh_token":"refresh-canary-0123","quota_project_id":"quota-project"}"#;
const WORKLOAD: &str = r#"{"type":"external_account","audience":"//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/ci","subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"https://sts.googleapis.com/v1/token","service_account_impersonation_url":"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/app@my-project.iam.gserviceaccount.com:generateAccessToken","credential_source":SOURCE}"#;

fn workload(source: &str) -> String {
    WORKLOAD.replace("SOURCE", source)
}

/// Token endpoint, exchange, impersonation, metadata server and Secret Manager behind one port.
fn respond(seen: &Seen) -> Reply {
    let token = |text: &str| {
        answer(200, &[], &format!(r#"{{"access_token":"{text}","token_type":"Bearer","expires_in":3599}}"#))
    };
    let is_metadata = seen.header("metadata-flavor") == Some("Google");
    let flavor = &["metadata-flavor: Google"];
    match seen.target.as_str() {
        "/token"
            if seen.body
                == "grant_type=refresh_token&client_id=id&client_secret=client-secret-canary&refresh_token=refresh-canary-0123" =>
        {
            token("ya29.user-token")
        }
        "/token" => answer(400, &[], r#"{"error":"invalid_grant","error_description":"canary"}"#),
        "/tokeninfo" if seen.body == "access_token=ya29.user-token" => {
            answer(200, &[], r#"{"azp":"id","email":"ann@example.com","scope":"x"}"#)
        }
        "/v1/token"
            if seen.body.ends_with("&subject_token=ey.subject.canary") && seen.body.contains("token-exchange") =>
        {
            token("federated-token")
        }
        "/v1/projects/-/serviceAccounts/app@my-project.iam.gserviceaccount.com:generateAccessToken"
            if seen.header("authorization") == Some("Bearer federated-token") =>
        {
            answer(200, &[], r#"{"accessToken":"ya29.account-token","expireTime":"2100-01-01T00:00:00Z"}"#)
        }
        "/subject" if seen.header("x-workload") == Some("me") => answer(200, &[], r#"{"value":"ey.subject.canary"}"#),
        "/computeMetadata/v1/instance/service-accounts/default/token" if is_metadata => {
            answer(200, flavor, r#"{"access_token":"ya29.machine-token","token_type":"Bearer","expires_in":3000}"#)
        }
        "/computeMetadata/v1/instance/service-accounts/default/email" if is_metadata => {
            answer(200, flavor, "vm@my-project.iam.gserviceaccount.com\n")
        }
        "/computeMetadata/v1/project/project-id" if is_metadata => answer(200, flavor, "my-project"),
        _ => {
            let known = ["ya29.user-token", "ya29.account-token", "ya29.machine-token"];
            let token = seen.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
            answer(if token.is_some_and(|token| known.contains(&token)) { 200 } else { 401 }, &[], "value")
        }
    }
}

async fn server() -> Server {
    Server::start(|seen, _| respond(seen)).await
}

fn grant(server: &Server, parameters: &[(&str, &str)]) -> Grant {
    with_credential(&server.origin, "google", parameters)
}

fn egress(grant: &Grant, pairs: &[(&str, &str)]) -> Arc<Egress> {
    Egress::open(grant, &options_of(Known::of(pairs))).unwrap()
}

async fn works(egress: &Arc<Egress>, server: &Server, identity: &str) {
    assert_eq!(egress.identity().await.unwrap().unwrap(), identity);
    assert_eq!(egress.call().send(get(&server.origin, "/v1/secret/a")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_persons_refresh_token_logs_in_and_the_quota_project_of_the_file_is_charged() {
    let server = server().await;
    let grant = grant(&server, &[("credentials", "file:/adc"), ("login-endpoint", &server.origin)]);
    works(&egress(&grant, &[("file:/adc", USER)]), &server, "ann@example.com").await;
    assert_eq!(server.seen().last().unwrap().header("x-goog-user-project"), Some("quota-project"));
    let revoked = egress(&grant, &[("file:/adc", &USER.replace("refresh-canary", "revoked-canary"))]);
    let error = revoked.identity().await.unwrap_err();
    assert!(matches!(&error, Error::GrantRefused { place, .. } if place == "file:/adc"), "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
}

#[tokio::test]
async fn a_workloads_token_is_exchanged_and_acts_in_the_name_of_its_account() {
    let server = server().await;
    let grant = grant(&server, &[("credentials", "file:/adc"), ("login-endpoint", &server.origin)]);
    let identity = "app@my-project.iam.gserviceaccount.com (for //iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/ci)";
    let file = workload(r#"{"file":"/run/token"}"#);
    works(&egress(&grant, &[("file:/adc", &file), ("file:/run/token", "ey.subject.canary\n")]), &server, identity)
        .await;
    let json = workload(r#"{"file":"/run/token","format":{"type":"json","subject_token_field_name":"t"}}"#);
    let pairs = [("file:/adc", json.as_str()), ("file:/run/token", r#"{"t":"ey.subject.canary"}"#)];
    works(&egress(&grant, &pairs), &server, identity).await;
}

#[tokio::test]
async fn a_workloads_token_comes_from_a_url_only_where_a_person_typed_its_origin() {
    let server = server().await;
    let source = format!(
        r#"{{"url":"{}/subject","headers":{{"x-workload":"me"}},"format":{{"type":"json","subject_token_field_name":"value"}}}}"#,
        server.origin
    );
    let file = workload(&source);
    let login = ("login-endpoint", server.origin.as_str());
    let untyped = egress(&grant(&server, &[("credentials", "file:/adc"), login]), &[("file:/adc", &file)]);
    let error = untyped.identity().await.unwrap_err();
    assert!(error.to_string().contains("subject-endpoint"), "{error}");
    assert!(server.seen().is_empty(), "nothing goes to a URL that only a file names");
    let typed = [("credentials", "file:/adc"), login, ("subject-endpoint", server.origin.as_str())];
    let egress = egress(&grant(&server, &typed), &[("file:/adc", &file)]);
    assert!(egress.identity().await.unwrap().unwrap().starts_with("app@"));
}

#[tokio::test]
async fn a_machine_logs_in_at_its_metadata_server() {
    let server = server().await;
    let grant = grant(&server, &[("method", "metadata"), ("metadata-endpoint", &server.origin)]);
    works(&egress(&grant, &[]), &server, "vm@my-project.iam.gserviceaccount.com (project: my-project)").await;
}

#[tokio::test]
async fn what_answers_for_a_metadata_server_without_being_one_gives_no_token() {
    let portal = Server::start(|_, _| {
        answer(200, &[], r#"{"access_token":"portal-token","token_type":"Bearer","expires_in":3000}"#)
    })
    .await;
    let grant = grant(&portal, &[("method", "metadata"), ("metadata-endpoint", &portal.origin)]);
    let error = egress(&grant, &[]).identity().await.unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn the_name_of_the_metadata_server_leads_to_no_other_machine() {
    let server = server().await;
    let mut grant = grant(&server, &[("method", "metadata")]);
    // Were its class looked at, as an origin of a grant, each of these would be let through.
    grant.networks.insert("http://metadata.google.internal".to_owned(), NetworkClass::Loopback);
    for address in ["127.0.0.1", "10.0.0.1", "8.8.8.8", "169.254.1.1"] {
        let mut options = options_of(Known::of(&[]));
        options.dns = Some(Scripted::new(&[&[address]]));
        let error = Egress::open(&grant, &options).unwrap().identity().await.unwrap_err();
        assert!(error.to_string().contains("leads to no metadata server"), "{address}: {error}");
    }
}

#[tokio::test]
async fn a_service_accounts_key_is_asked_for_as_one() {
    let server = server().await;
    let grant = grant(&server, &[("service-account", "file:/key"), ("login-endpoint", &server.origin)]);
    let error = egress(&grant, &[("file:/key", USER)]).identity().await.unwrap_err();
    assert!(error.to_string().contains("is no service account's key"), "{error}");
}

/// A service account's file with a key of this test's own.
fn key_file() -> String {
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-quiet"]);
    let output = openssl.output().unwrap();
    let key = String::from_utf8(output.stdout).unwrap().replace('\n', "\\n");
    format!(
        r#"{{"type":"service_account","private_key_id":"1","private_key":"{key}","client_email":"a@p.iam.gserviceaccount.com"}}"#
    )
}

#[tokio::test]
async fn an_assertion_that_is_refused_while_the_clocks_are_apart_is_told_by_the_clock() {
    let file = key_file();
    for (date, is_told) in [("Sun, 06 Nov 1994 08:49:37 GMT", true), ("no date", false)] {
        let date = format!("date: {date}");
        let server = Server::start(move |_, _| answer(400, &[&date], r#"{"error":"invalid_grant"}"#)).await;
        let of = |parameter: &str| {
            let endpoint = ("login-endpoint", server.origin.as_str());
            grant(&server, &[(parameter, "file:/key"), endpoint])
        };
        let error = egress(&of("service-account"), &[("file:/key", &file)]).identity().await.unwrap_err();
        assert_eq!(matches!(error, Error::ClockSkew { seconds, .. } if seconds > 0), is_told, "{error}");
        // What a person's login sends has no time in it.
        let error = egress(&of("credentials"), &[("file:/key", USER)]).identity().await.unwrap_err();
        assert!(matches!(error, Error::GrantRefused { .. }), "{error}");
    }
}
