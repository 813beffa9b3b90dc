//! The servers behind the faults: how each is reached through a proxy, how it throttles, and what its own client finds.

use std::cell::Cell;
use std::rc::Rc;

use forge_tests::servers::azure::Azure;
use forge_tests::servers::faults::Faults;
use forge_tests::servers::google::{Google, PROJECT};
use forge_tests::servers::moto::{Moto, REGION};
use forge_tests::servers::openbao::OpenBao;
use forge_tests::world::{Run, World};
use serde_json::{Value as Json, json};

use super::super::{aws_world, azure_world, root_world};
use super::{Subject, WORDS};

/// The command that adds a provider of this name and plugin.
fn adding<'world>(world: &'world World, name: &str, plugin: &str) -> Run<'world> {
    world.command(["provider", "add", name, "--plugin", plugin, "--yes"])
}

/// OpenBao with a KV of version 2, over plain HTTP.
pub(super) fn openbao() -> Subject {
    let server = OpenBao::start();
    let world = root_world();
    let [proxy, late] = ["bao", "bao-late"].map(|name| {
        let proxy = Faults::before(server.address());
        let address = format!("address={}", proxy.origin());
        adding(&world, name, "vault")
            .and(["--set", &address, "--credential", "vault-token,token=env:TOKEN"])
            .run()
            .succeeds();
        proxy
    });
    Subject {
        world,
        provider: "bao",
        proxy,
        late,
        asks_first: false,
        // "HTTP API, HTTP status codes": a quota, which says nothing of what the request would have done.
        throttled: json!({ "code": "Quota", "status": 429, "fields": { "errors": [WORDS] } }),
        waits_when_throttled: false,
        may_be_sent_once: |record| record["method"] == "POST",
        // It keeps no list of requests; each that writes makes a version, and those are counted.
        arrived: None,
        stored: Box::new(move |names| {
            let of = |name: &String| {
                let about = server.root("GET", &format!("secret/metadata/{name}"), "");
                let about = if about.status == 404 { json!({}) } else { about.has_status(200).json() };
                let versions = about["data"]["versions"].as_object().into_iter().flatten();
                let value = |version: &str| {
                    let read =
                        server.root("GET", &format!("secret/data/{name}?version={version}"), "").has_status(200).json();
                    read["data"]["data"]["value"].clone()
                };
                let all: Vec<Json> = versions.map(|(version, _)| value(version)).collect();
                let current = about["data"]["current_version"].as_u64().map(|version| value(&version.to_string()));
                (name.clone(), json!({ "all": all, "current": current }))
            };
            Json::Object(names.iter().map(of).collect())
        }),
    }
}

/// AWS as moto plays it: Secrets Manager, with signatures.
pub(super) fn secrets_manager() -> Subject {
    aws(
        "secretsmanager",
        |_| false,
        r#"
sm = client("secretsmanager")
def versions(name):
    try:
        sm.describe_secret(SecretId=name)
    except sm.exceptions.ResourceNotFoundException:
        return dict(all=[], current=None)
    about = sm.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
    read = lambda version: sm.get_secret_value(SecretId=name, VersionId=version["VersionId"])["SecretString"]
    current = [read(version) for version in about if "AWSCURRENT" in version.get("VersionStages", [])]
    return dict(all=[read(version) for version in about], current=current[0])
"#,
    )
}

/// AWS as moto plays it: Parameter Store, whose writes have no token and are sent once.
pub(super) fn parameter_store() -> Subject {
    aws(
        "ssm",
        |record| record["route"].as_str().is_some_and(|route| route.contains("PutParameter")),
        r#"
ssm = client("ssm")
def versions(name):
    try:
        history = ssm.get_parameter_history(Name="/" + name, WithDecryption=True)["Parameters"]
    except ssm.exceptions.ParameterNotFound:
        return dict(all=[], current=None)
    current = ssm.get_parameter(Name="/" + name, WithDecryption=True)["Parameter"]["Value"]
    return dict(all=[version["Value"] for version in history], current=current)
"#,
    )
}

fn aws(service: &'static str, may_be_sent_once: fn(&Json) -> bool, script: &'static str) -> Subject {
    let moto = Rc::new(Moto::start(&["secretsmanager:*", "ssm:*", "kms:*", "sts:*"]));
    let world = aws_world(&moto);
    let [proxy, late] = ["aws", "aws-late"].map(|name| {
        let proxy = Faults::before_aws(moto.origin(), &moto.access_key_id, &moto.secret_access_key);
        let run = adding(&world, name, "aws").and(["--set", &format!("region={REGION}")]);
        let run = run.and(["--set", &format!("service={service}"), "--set", &format!("endpoint={}", proxy.origin())]);
        let credential = format!("aws-sigv4,region={REGION},service={service},login-endpoint={}", moto.origin());
        run.and(["--credential", &credential, "--credential-audience", proxy.origin()]).run().succeeds();
        proxy
    });
    let seen = Rc::clone(&moto);
    Subject {
        world,
        provider: "aws",
        proxy,
        late,
        asks_first: service == "ssm",
        // "AWS Secrets Manager API Reference, Common Errors": the service does not look at what is too much.
        throttled: json!({ "code": "ThrottlingException", "message": WORDS }),
        waits_when_throttled: true,
        may_be_sent_once,
        arrived: Some(Box::new(move || seen.log().matches("POST / ").count() as u64)),
        stored: Box::new(move |names| {
            let names = serde_json::to_string(names).unwrap();
            moto.boto3(&format!("{script}\nanswer({{name: versions(name) for name in {names}}})"))
        }),
    }
}

/// The tests' Key Vault, which has TLS behind the proxy.
pub(super) fn key_vault() -> Subject {
    let azure = Rc::new(Azure::start());
    let world = azure_world();
    let [proxy, late] = ["kv", "kv-late"].map(|name| {
        let proxy = Faults::before_tls(azure.origin(), &azure.ca());
        let run = adding(&world, name, "azure").and(["--set", &format!("vault-url={}", proxy.origin())]);
        let run = run.and(["--tls-ca", azure.ca().to_str().unwrap()]);
        let credential = format!("azure-ad,resource=https://vault.azure.net,login-endpoint={}", azure.origin());
        run.and(["--credential", &credential, "--credential-audience", proxy.origin()]).run().succeeds();
        proxy
    });
    let seen = Rc::clone(&azure);
    let is_secret = |request: &Json| request["target"].as_str().is_some_and(|target| target.starts_with("/secrets"));
    Subject {
        world,
        provider: "kv",
        proxy,
        late,
        asks_first: false,
        // "Azure Key Vault throttling guidance": the service does not look at what is too much.
        throttled: json!({ "code": "Throttled", "status": 429, "fields": { "error": { "code": "Throttled", "message": WORDS } } }),
        waits_when_throttled: true,
        may_be_sent_once: |record| record["method"] == "PUT",
        arrived: Some(Box::new(move || seen.received().iter().filter(|request| is_secret(request)).count() as u64)),
        stored: Box::new(move |names| {
            let names = serde_json::to_string(names).unwrap();
            azure.client(&format!(
                r#"
vault = client()
def versions(name):
    try:
        current = vault.get_secret(name).value
    except ResourceNotFoundError:
        return dict(all=[], current=None)
    found = vault.list_properties_of_secret_versions(name)
    return dict(all=[vault.get_secret(name, version.version).value for version in found], current=current)
answer({{name: versions(name) for name in {names}}})
"#
            ))
        }),
    }
}

/// Google's Secret Manager as drongo plays it behind the tests' front.
pub(super) fn google() -> Subject {
    let google = Rc::new(Google::start());
    let world = World::new();
    let [proxy, late] = ["gcp", "gcp-late"].map(|name| {
        let proxy = Faults::before(google.origin());
        let run = adding(&world, name, "gcp").and(["--set", &format!("project={PROJECT}")]);
        let run = run.and(["--set", &format!("endpoint={}", proxy.origin()), "--credential", &google.credential()]);
        run.and(["--credential-audience", proxy.origin()]).run().succeeds();
        proxy
    });
    let (seen, so_far) = (Rc::clone(&google), Cell::new(0));
    let throttled = json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED", "message": WORDS } });
    Subject {
        world,
        provider: "gcp",
        proxy,
        late,
        asks_first: false,
        // "Secret Manager, Quotas and limits": what is over a quota is not looked at.
        throttled: json!({ "code": "Quota", "status": 429, "fields": throttled }),
        waits_when_throttled: true,
        may_be_sent_once: |record| record["method"] == "POST",
        // The front forgets what it told.
        arrived: Some(Box::new(move || {
            so_far.set(so_far.get() + seen.requests().len() as u64);
            so_far.get()
        })),
        stored: Box::new(move |names| {
            let names = serde_json::to_string(names).unwrap();
            google.client(&format!(
                r#"
from google.api_core.exceptions import NotFound
def read(name):
    return client.access_secret_version(name=name).payload.data.decode()
def versions(name):
    parent = f"{{project}}/secrets/{{name}}"
    try:
        found = [version.name for version in client.list_secret_versions(parent=parent)]
    except NotFound:
        found = []
    current = read(parent + "/versions/latest") if found else None
    return dict(all=[read(version) for version in found], current=current)
answer({{name: versions(name) for name in {names}}})
"#
            ))
        }),
    }
}
