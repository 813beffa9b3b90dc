//! Keys that somebody gives for a while: whom the broker asks for them, in which words, and what it makes of a refusal.

use std::sync::Arc;

use async_trait::async_trait;
use forge_broker::{Egress, Error, Options, Source, Sources};
use forge_core::Kind;
use forge_core::grant::Grant;
use secrecy::SecretString;

use crate::server::{Reply, Seen, Server, answer};
use crate::setup::{Known, options_of};
use crate::signatures::{grant_of, read};

const ID: &str = "AKIDEXAMPLEEXAMPLE";
const SECRET: &str = "canary/Secret+Access+Key/0123456789";
const ROLE: &str = "arn:aws:iam::111122223333:role/reader";
const DEVICE: &str = "arn:aws:iam::111122223333:mfa/me";
const SESSION: &str = r#"{"Code":"Success","Version":1,"AccessKeyId":"ASIASESSIONSESSION","SecretAccessKey":"canary/of/the/session","Token":"canary/token","Expiration":"2099-01-02T03:04:05Z"}"#;

fn key() -> Known {
    Known::of(&[("env:I", ID), ("env:S", SECRET)])
}

fn given(id: &str) -> Reply {
    let part = |name: &str, text: &str| format!("<{name}>{text}</{name}>");
    let key = part("AccessKeyId", id) + &part("SecretAccessKey", "canary/of/the/session");
    let rest = part("SessionToken", "canary/token") + &part("Expiration", "2099-01-02T03:04:05Z");
    answer(200, &[], &format!("<R><Credentials>{key}{rest}</Credentials><Arn>{ROLE}</Arn></R>"))
}

fn denied(code: &str) -> Reply {
    answer(403, &[], &format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"))
}

/// Plays all that a login of AWS asks, and the service that the key is for.
fn plays(seen: &Seen) -> Reply {
    match (seen.method.as_str(), seen.target.as_str()) {
        ("POST", "/") if seen.header("x-amz-target").is_some() => answer(200, &[], "ok"),
        ("POST", "/") if seen.body.contains("Action=GetCallerIdentity") => {
            answer(200, &[], &format!("<R><Arn>{ROLE}</Arn><Account>111122223333</Account></R>"))
        }
        ("POST", "/") if seen.body.contains("TokenCode=000000") => denied("AccessDenied"),
        ("POST", "/") => given("ASIASESSIONSESSION"),
        ("PUT", "/latest/api/token") => answer(200, &[], "canary-imds"),
        ("GET", "/latest/meta-data/iam/security-credentials/") => answer(200, &[], "app-role"),
        ("GET", "/latest/meta-data/iam/security-credentials/app-role" | "/v2/credentials/x?a=b") => {
            answer(200, &[], SESSION)
        }
        ("GET", target) if target.starts_with("/federation/credentials?") => answer(
            200,
            &[],
            r#"{"roleCredentials":{"accessKeyId":"ASIASESSIONSESSION","secretAccessKey":"canary/of/the/session","sessionToken":"canary/token","expiration":4070995445000}}"#,
        ),
        _ => answer(404, &[], ""),
    }
}

/// A grant whose logins go to the same server, with these parameters.
fn grant(origin: &str, parameters: &[(&str, &str)]) -> Grant {
    let more = [("region", "eu-central-1"), ("service", "secretsmanager"), ("login-endpoint", origin)];
    grant_of(origin, &[parameters, &more].concat())
}

/// What the service got at last, after a read.
async fn served(server: &Server, grant: &Grant, options: &Options) -> Seen {
    let response = Egress::open(grant, options).unwrap().call().send(read(&server.origin)).await.unwrap();
    assert_eq!(response.status, 200);
    server.seen().pop().unwrap()
}

#[track_caller]
fn is_signed_with_the_session(seen: &Seen) {
    assert!(seen.header("authorization").unwrap().contains("Credential=ASIASESSIONSESSION/"));
    assert_eq!(seen.header("x-amz-security-token"), Some("canary/token"));
}

#[tokio::test]
async fn a_role_is_assumed_once_with_what_its_trust_policy_asks_for() {
    let server = Server::start(|seen, _| plays(seen)).await;
    let parameters = [
        ("access-key-id", "env:I"),
        ("secret-access-key", "env:S"),
        ("role", ROLE),
        ("external-id", "x/1"),
        ("session-name", "ci"),
    ];
    let egress = Egress::open(&grant(&server.origin, &parameters), &options_of(key())).unwrap();
    let (one, other) = (egress.call(), egress.call());
    let both = tokio::join!(one.send(read(&server.origin)), other.send(read(&server.origin)));
    assert!(both.0.is_ok() && both.1.is_ok());
    let seen = server.seen();
    assert_eq!(seen.len(), 3, "one login for two reads");
    assert_eq!(
        seen[0].body,
        "Version=2011-06-15&Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Freader&RoleSessionName=ci&ExternalId=x%2F1"
    );
    let signature = seen[0].header("authorization").unwrap();
    assert!(signature.contains(&format!("Credential={ID}/")) && signature.contains("/eu-central-1/sts/aws4_request"));
    is_signed_with_the_session(&seen[1]);
    is_signed_with_the_session(&seen[2]);
}

#[tokio::test]
async fn a_machine_a_container_and_a_foreign_token_give_keys_in_their_own_ways() {
    let server = Server::start(|seen, _| plays(seen)).await;
    let origin = server.origin.clone();
    let at = ("metadata-endpoint", origin.as_str());
    let machine = grant(&origin, &[("method", "instance"), at]);
    is_signed_with_the_session(&served(&server, &machine, &options_of(Known::default())).await);
    let seen = server.seen();
    assert_eq!(seen[0].header("x-aws-ec2-metadata-token-ttl-seconds"), Some("300"));
    assert!(seen[1..3].iter().all(|seen| seen.header("x-aws-ec2-metadata-token") == Some("canary-imds")));

    let uri = format!("{origin}/v2/credentials/x?a=b");
    let known = Known::of(&[("env:U", &uri), ("env:T", "canary-task")]);
    let container = [("method", "container"), ("container-uri", "env:U"), ("container-token", "env:T"), at];
    is_signed_with_the_session(&served(&server, &grant(&origin, &container), &options_of(known)).await);
    assert_eq!(server.seen()[4].header("authorization"), Some("canary-task"));

    let known = Known::of(&[("file:/t", "canary.web.token\n")]);
    let web = [("method", "web-identity"), ("web-identity-token", "file:/t"), ("role", ROLE)];
    is_signed_with_the_session(&served(&server, &grant(&origin, &web), &options_of(known)).await);
    let login = &server.seen()[6];
    assert!(login.body.contains("Action=AssumeRoleWithWebIdentity") && login.header("authorization").is_none());
    assert!(login.body.ends_with("&WebIdentityToken=canary.web.token"));
}

#[tokio::test]
async fn a_variable_does_not_choose_to_whom_a_containers_token_goes() {
    let server = Server::start(|seen, _| plays(seen)).await;
    for uri in [format!("{}/v2/credentials/x?a=b", server.origin), "https://evil.example/x".to_owned()] {
        let known = Known::of(&[("env:U", &uri), ("env:T", "canary-task")]);
        let container = [("method", "container"), ("container-uri", "env:U"), ("container-token", "env:T")];
        let egress = Egress::open(&grant(&server.origin, &container), &options_of(known)).unwrap();
        let call = egress.call();
        call.send(read(&server.origin)).await.unwrap_err();
        let verdict = call.verdict().unwrap();
        assert!(verdict.what.contains("not AWS' own") && !verdict.what.contains("canary"), "{}", verdict.what);
    }
    assert!(server.seen().is_empty());
}

/// Sources with a person who knows a code, or a program that prints a key.
struct With(Known, &'static str);

#[async_trait]
impl Sources for With {
    async fn read(&self, source: &Source) -> Result<SecretString, Error> {
        self.0.read(source).await
    }

    async fn output(&self, words: &[String]) -> Result<SecretString, Error> {
        assert_eq!(words, ["/opt/key giver", "--json"]);
        Ok(SecretString::from(SESSION.replace("\"Token\"", "\"SessionToken\"")))
    }

    async fn code(&self, device: &str) -> Result<SecretString, Error> {
        assert_eq!(device, DEVICE);
        Ok(SecretString::from(self.1))
    }
}

fn options_with(known: Known, code: &'static str) -> Options {
    Options { sources: Arc::new(With(known, code)), ..options_of(Known::default()) }
}

#[tokio::test]
async fn the_code_of_a_device_is_asked_of_a_person_and_never_in_the_middle_of_a_call() {
    let server = Server::start(|seen, _| plays(seen)).await;
    let parameters =
        [("access-key-id", "env:I"), ("secret-access-key", "env:S"), ("role", ROLE), ("mfa-serial", DEVICE)];
    let grant = grant(&server.origin, &parameters);
    let egress = Egress::open(&grant, &options_with(key(), "123456")).unwrap();
    let call = egress.call();
    call.send(read(&server.origin)).await.unwrap_err();
    let verdict = call.verdict().unwrap();
    assert_eq!(verdict.kind, Kind::Unauthenticated);
    assert!(verdict.what.contains(DEVICE) && verdict.hint.unwrap().contains("forge provider test"));
    assert!(server.seen().is_empty());
    egress.attend().await.unwrap();
    assert!(egress.identity().await.unwrap().unwrap().starts_with(ROLE));
    assert!(server.seen()[0].body.ends_with("&TokenCode=123456"));
    // The session that it bought serves from now on.
    assert_eq!(egress.call().send(read(&server.origin)).await.unwrap().status, 200);
    let wrong = Egress::open(&grant, &options_with(key(), "000000")).unwrap().attend().await.unwrap_err();
    assert!(matches!(&wrong, Error::RoleDenied { role, .. } if role == ROLE), "{wrong}");
    assert_eq!(wrong.kind(), Kind::AccessDenied);
}

#[tokio::test]
async fn a_profile_leads_to_its_key_over_the_roles_and_the_programs_that_it_names() {
    let server = Server::start(|seen, _| plays(seen)).await;
    let profile = |text: &str| Known::of(&[("file:/a/config", text)]);
    let parameters = [("profile", "dev"), ("config-file", "file:/a/config")];
    let roles = profile(&format!(
        "[profile dev]\nrole_arn = {ROLE}\nsource_profile = hop\n[profile hop]\nrole_arn = {}\nsource_profile = key\n\
         [profile key]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n",
        ROLE.replace("reader", "hop")
    ));
    is_signed_with_the_session(&served(&server, &grant(&server.origin, &parameters), &options_of(roles)).await);
    let seen = server.seen();
    assert!(seen[0].body.contains("role%2Fhop") && seen[1].body.contains("role%2Freader"));
    assert!(seen[1].header("authorization").unwrap().contains("Credential=ASIASESSIONSESSION/"));

    let process = || profile("[profile dev]\ncredential_process = \"/opt/key giver\" --json\n");
    let egress = Egress::open(&grant(&server.origin, &parameters), &options_with(process(), "")).unwrap();
    let call = egress.call();
    call.send(read(&server.origin)).await.unwrap_err();
    assert!(call.verdict().unwrap().what.contains("`credential-process=allow`"));
    let allowed = [&parameters[..], &[("credential-process", "allow")]].concat();
    let seen = served(&server, &grant(&server.origin, &allowed), &options_with(process(), "")).await;
    is_signed_with_the_session(&seen);
}

#[tokio::test]
async fn a_login_of_the_aws_cli_is_used_while_it_counts_and_never_spent() {
    let server = Server::start(|seen, _| plays(seen)).await;
    let config = "[profile dev]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = reader\n\
                  [sso-session corp]\nsso_region = eu-central-1\nsso_start_url = https://corp.example/start\n";
    let parameters = [("profile", "dev"), ("config-file", "file:/a/config")];
    // SHA-1 of `corp`, by `printf corp | sha1sum`.
    let file = "file:/a/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
    let until = |time: &str| {
        let login = format!(r#"{{"accessToken":"canary-login","expiresAt":"{time}","refreshToken":"canary-r"}}"#);
        Known::of(&[("file:/a/config", config), (file, &login)])
    };
    let grant = grant(&server.origin, &parameters);
    is_signed_with_the_session(&served(&server, &grant, &options_of(until("2099-01-01T00:00:00Z"))).await);
    let asked = server.seen().remove(0);
    assert_eq!(asked.target, "/federation/credentials?role_name=reader&account_id=111122223333");
    assert_eq!(asked.header("x-amz-sso_bearer_token"), Some("canary-login"));

    for known in [until("2020-01-01T00:00:00UTC"), Known::of(&[("file:/a/config", config)])] {
        let call = Egress::open(&grant, &options_of(known)).unwrap().call();
        call.send(read(&server.origin)).await.unwrap_err();
        assert!(call.verdict().unwrap().hint.unwrap().contains("aws sso login"));
    }
    assert_eq!(server.seen().len(), 2, "what refreshes the CLI's login may replace it, and its file is the CLI's");
}

#[tokio::test]
async fn the_path_of_a_tasks_endpoint_is_no_part_of_the_audit() {
    let server = Server::start(|seen, _| plays(seen)).await;
    let uri = format!("{}/v2/credentials/x?a=b", server.origin);
    let container = [("method", "container"), ("container-uri", "env:U"), ("metadata-endpoint", &server.origin)];
    let known = Known::of(&[("env:U", &uri)]);
    let call = Egress::open(&grant(&server.origin, &container), &options_of(known)).unwrap().call();
    call.send(read(&server.origin)).await.unwrap();
    let routes: Vec<String> = call.take_records().into_iter().map(|record| record.route).collect();
    assert_eq!(routes, ["/**", "/"]);
}

#[tokio::test]
async fn whoever_gives_no_key_is_told_apart_by_what_to_do() {
    for (parameters, reply, kind, words) in [
        (&[("method", "instance")][..], answer(404, &[], ""), Kind::Unauthenticated, "has no role"),
        (&[("method", "instance")], answer(200, &[], "../../x"), Kind::Upstream, "something else"),
        (&[("method", "instance")], answer(503, &[], ""), Kind::Unavailable, "503"),
        (
            &[("method", "container"), ("container-uri", "env:U")],
            answer(200, &[], "<html>"),
            Kind::Upstream,
            "protocol",
        ),
        (
            &[("access-key-id", "env:I"), ("secret-access-key", "env:S"), ("role", ROLE)],
            denied("AccessDenied"),
            Kind::AccessDenied,
            "not assume the role",
        ),
        (
            &[("access-key-id", "env:I"), ("secret-access-key", "env:S"), ("role", ROLE)],
            denied("ExpiredToken"),
            Kind::Unauthenticated,
            "session has expired",
        ),
        (
            &[("access-key-id", "env:I"), ("secret-access-key", "env:S"), ("role", ROLE)],
            answer(200, &[], "<R/>"),
            Kind::Upstream,
            "something else",
        ),
    ] {
        let server = Server::start(move |_, _| reply.clone()).await;
        let known = key();
        known.put("env:U", "/v2/credentials/x");
        let mut all = parameters.to_vec();
        all.push(("metadata-endpoint", &server.origin));
        let call = Egress::open(&grant(&server.origin, &all), &options_of(known)).unwrap().call();
        call.send(read(&server.origin)).await.unwrap_err();
        let verdict = call.verdict().unwrap();
        assert_eq!(verdict.kind, kind, "{}", verdict.what);
        assert!(verdict.what.contains(words) && !verdict.what.contains("canary"), "{}", verdict.what);
    }
}
