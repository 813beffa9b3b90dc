//! What leaves forge for AWS, recomputed by botocore from the bytes that a server got: another signer, in another language.

use std::io::Write as _;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_tests::servers::hostile::{Hostile, Received};
use forge_tests::servers::moto;
use forge_tests::world::{World, root};
use serde_json::{Value as Json, json};

use super::set;

const ID: &str = "AKIDEXAMPLEEXAMPLE";
const SECRET: &str = "a/key+of/nobody/0123456789/0123456789abc";
const SESSION: &str = "a/session+of/nobody/0123456789==";

/// A request as the verifier reads it.
fn sent(server: &Hostile, received: &Received) -> Json {
    json!({
        "method": received.method,
        "url": format!("{}{}", server.origin(), received.target),
        "headers": received.headers,
        "body": STANDARD.encode(&received.body),
        "id": ID,
        "secret": SECRET,
        "token": SESSION,
    })
}

/// What botocore says of each of these requests.
#[track_caller]
fn verdicts(requests: &[Json]) -> Vec<String> {
    let lines: String = requests.iter().map(|request| format!("{request}\n")).collect();
    let mut command = moto::python();
    command.arg(root().join("tests/servers/signatures.py")).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut verifier = command.spawn().unwrap();
    verifier.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = verifier.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A provider of this service, whose logins are asked for at the same server.
#[track_caller]
fn world(server: &Hostile, service: &str, region: &str) -> World {
    let world = World::new().with("AWS_ACCESS_KEY_ID", ID).with("AWS_SECRET_ACCESS_KEY", SECRET);
    let (world, address) = (world.with("AWS_SESSION_TOKEN", SESSION), server.origin());
    let add = world.command(["provider", "add", "aws", "--plugin", "aws", "--yes", "--credential-audience", &address]);
    let add = add.and(["--set", &format!("region={region}"), "--set", &format!("endpoint={address}")]);
    let add = add.and(["--set", &format!("service={service}")]);
    let credential = format!("aws-sigv4,region={region},service={service},login-endpoint={address}");
    add.and(["--credential", &credential]).run().succeeds();
    world
}

#[test]
fn whatever_leaves_for_aws_is_signed_as_another_signer_would_and_any_other_byte_is_noticed() {
    let mut requests = Vec::new();
    for (service, region) in [("secretsmanager", "eu-central-1"), ("ssm", "us-gov-west-1")] {
        let server = Hostile::start();
        // Each operation gets as far as its first request: an answer that is none.
        server.always("html");
        let world = world(&server, service, region);
        for command in [
            &["secret", "get", "store://aws/app/db"][..],
            &["secret", "get", "store://aws/app/db?version=3"],
            &["secret", "list", "store://aws"],
            &["secret", "list", "store://aws/app"],
            &["secret", "versions", "store://aws/app/db"],
            &["secret", "describe", "store://aws/app/db"],
            &["secret", "delete", "store://aws/app/db", "--yes"],
            &["provider", "test", "aws"],
        ] {
            let asked = server.received().len();
            let words: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
            world.words(&words).never_shows("<html>");
            assert!(server.received().len() > asked, "{command:?}");
        }
        for value in [&b"hunter2"[..], "caf\u{e9} \u{1f511} \"quoted\" \\ \n".as_bytes(), &[b'x'; 4_096]] {
            set(&world, "store://aws/app/db", value).exits(6);
        }
        let scope = format!("/{region}/{service}/aws4_request");
        let received = server.received();
        let of = |scope: &str| {
            let is_of = |request: &&Received| request.header("authorization").unwrap_or_default().contains(scope);
            received.iter().filter(is_of).count()
        };
        assert!(of(&scope) >= 8 && of("/sts/aws4_request") >= 1, "{received:?}");
        requests.extend(received.iter().map(|request| sent(&server, request)));
    }
    assert_eq!(verdicts(&requests), vec!["same"; requests.len()]);

    // The verifier notices each change of what a signature has to hold.
    let original = requests.iter().find(|request| has_header(request, "x-amz-target")).unwrap();
    let with_header = |name: &str, change: fn(&str) -> String| {
        let mut changed = original.clone();
        for header in changed["headers"].as_array_mut().unwrap() {
            if header[0] == name {
                header[1] = json!(change(header[1].as_str().unwrap()));
            }
        }
        changed
    };
    let with = |field: &str, value: Json| {
        let mut changed = original.clone();
        changed[field] = value;
        changed
    };
    let changed = [
        with_header("x-amz-target", |target| format!("{target}s")),
        with_header("host", |_| "127.0.0.1:1".to_owned()),
        with_header("content-type", |_| "text/plain".to_owned()),
        with_header("x-amz-date", |date| date.replace('Z', "").chars().rev().collect()),
        with_header("x-amz-security-token", |token| token.replace("nobody", "someone")),
        with_header("authorization", |signature| signature.replace("/eu-central-1/", "/eu-central-2/")),
        with("body", json!(STANDARD.encode(r#"{"SecretId":"other"}"#))),
        with("secret", json!(SECRET.replace("nobody", "nobodY"))),
        with("method", json!("PUT")),
    ];
    assert!(changed.iter().all(|changed| changed != original));
    let verdicts = verdicts(&changed);
    assert_eq!(verdicts.len(), changed.len());
    assert!(verdicts.iter().all(|verdict| verdict != "same"), "{verdicts:?}");
}

fn has_header(request: &Json, name: &str) -> bool {
    request["headers"].as_array().unwrap().iter().any(|header| header[0] == name)
}
