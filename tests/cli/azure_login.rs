//! The logins of Entra ID: each way, each refusal, the tenant that a challenge tells, and challenges that are not answered.

use std::os::unix::fs::PermissionsExt as _;

use forge_tests::outcome::Outcome;
use forge_tests::servers::azure::{Azure, CLIENT, EXCHANGE, EXPIRED, ISSUER, OBJECT, SECRET, SUBJECT, TENANT};
use forge_tests::servers::hostile::Hostile;
use forge_tests::world::World;
use serde_json::{Value as Json, json};

use super::{add_azure, azure_world, get, set};

/// What was asked, as `METHOD /path token length`.
fn asked(azure: &Azure) -> Vec<String> {
    let one = |request: &Json| {
        let target = request["target"].as_str().unwrap().split('?').next().unwrap();
        let token = if request["token"] == true { "with" } else { "without" };
        format!("{} {target} {token}", request["method"].as_str().unwrap())
    };
    azure.received().iter().map(one).collect()
}

/// How many logins there were.
fn logins(azure: &Azure) -> usize {
    asked(azure).iter().filter(|one| one.contains("/oauth2/")).count()
}

fn expires(seconds: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + seconds
}

/// A world without a tenant.
fn without_tenant() -> World {
    World::new().with("AZURE_CLIENT_ID", CLIENT).with("AZURE_CLIENT_SECRET", SECRET)
}

/// What a test of the provider says whose credential has this more.
#[track_caller]
fn refused(world: &World, azure: &Azure, more: &str) -> Outcome {
    // What does not work now is added with a warning, as a server may be away.
    add_azure(world, azure, more, []).never_shows(SECRET);
    world.forge(["provider", "test", "kv"])
}

#[test]
fn the_first_request_of_an_unknown_tenant_has_neither_token_nor_value() {
    let azure = Azure::start();
    let world = without_tenant();
    // Each command begins anew, so that a write is the first that this one asks for.
    add_azure(&world, &azure, "", ["--no-token-cache"]).succeeds();
    let before = asked(&azure).len();
    set(&world, "store://kv/a", "canary of the first write").succeeds();
    let sent = asked(&azure).split_off(before);
    let login = format!("POST /{TENANT}/oauth2/v2.0/token without");
    assert_eq!(sent, ["GET /secrets without", &login, "PUT /secrets/a with"]);
    let bodies: Vec<Json> = azure.received().split_off(before);
    let holds = |request: &&Json| request["body"].as_str().unwrap().contains("canary of the first write");
    assert_eq!(bodies.iter().filter(holds).count(), 1);
    assert_eq!(bodies[0]["length"], 0);
}

#[test]
fn a_known_tenant_is_not_asked_for_and_a_token_serves_many_commands() {
    let azure = Azure::start();
    let world = azure_world();
    add_azure(&world, &azure, "", []).succeeds();
    set(&world, "store://kv/a", "x").succeeds();
    for _ in 0..3 {
        get(&world, "store://kv/a").succeeds().stdout_is("x");
    }
    assert_eq!(logins(&azure), 1, "{:?}", asked(&azure));
    assert!(!asked(&azure).iter().any(|one| one == "GET /secrets without"));
    // A token that counts no more is fetched once more, for what may be sent again.
    azure.forget_tokens();
    get(&world, "store://kv/a").succeeds().stdout_is("x");
    assert_eq!(logins(&azure), 2);
    world.keeps_nowhere(SECRET);
    // A write may not be, and is told; the next one has the new token.
    azure.forget_tokens();
    set(&world, "store://kv/a", "y").exits(5);
    set(&world, "store://kv/a", "y").succeeds();
}

#[test]
fn a_token_that_ends_in_the_middle_of_a_listing_is_fetched_anew() {
    let azure = Azure::start();
    let world = azure_world();
    add_azure(&world, &azure, "", []).succeeds();
    (0..6).for_each(|number| {
        set(&world, &format!("store://kv/n{number}"), "x").succeeds();
    });
    azure.set(&json!({ "page": 1, "forget_after": 3 }));
    world.forge(["secret", "list", "store://kv"]).succeeds().stdout_is("n0\nn1\nn2\nn3\nn4\nn5\n");
    assert_eq!(logins(&azure), 2);
}

#[test]
fn each_way_to_log_in_opens_the_vault() {
    let azure = Azure::start();
    azure.client(r#"client().set_secret("a", "found")"#);
    let claims = json!({ "iss": ISSUER, "sub": SUBJECT, "aud": EXCHANGE, "exp": expires(600) });
    for (way, world) in [
        (format!(",client-certificate=file:{}", azure.application_pem().display()), azure_world()),
        (
            format!(",method=certificate,client-certificate=file:{}", azure.application_pem().display()),
            without_tenant(),
        ),
        (
            ",method=certificate".to_owned(),
            azure_world().with("AZURE_CLIENT_CERTIFICATE_PATH", azure.application_pem().to_str().unwrap()),
        ),
        (",method=managed-identity".to_owned(), World::new()),
        (format!(",method=managed-identity,client-id={CLIENT}"), World::new()),
        (",method=workload-identity,federated-token-file=env:FEDERATED".to_owned(), azure_world()),
    ] {
        let world = world.with("FEDERATED", &azure.issuer.token(&claims));
        add_azure(&world, &azure, &way, []).succeeds();
        get(&world, "store://kv/a").succeeds().stdout_is("found");
        let info = world.forge(["--json", "provider", "info", "kv"]).succeeds().json().to_string();
        assert!(info.contains(OBJECT), "{way}: {info}");
    }
}

/// A world whose `az` does this.
fn with_command(world: World, script: &str) -> World {
    let folder = world.path("bin");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("az");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    world.with("PATH", &path)
}

#[test]
fn the_command_line_of_azure_runs_only_where_a_person_wrote_it() {
    let azure = Azure::start();
    azure.client(r#"client().set_secret("a", "found")"#);
    let form = format!(
        "grant_type=client_credentials&client_id={CLIENT}&client_secret={}&scope=https://vault.azure.net/.default",
        SECRET.replace('+', "%2B")
    );
    let token = azure.token(TENANT, &form).json()["access_token"].as_str().unwrap().to_owned();
    let answer = json!({ "accessToken": token, "expires_on": expires(600), "tokenType": "Bearer" });
    let script = format!("echo \"$@\" >> \"$HOME/ran\"; cat <<'END'\n{answer}\nEND");
    let world = with_command(World::new(), &script);
    let ran = || std::fs::read_to_string(world.home().join("ran")).unwrap_or_default();
    // Without a credential in the environment it is not fallen back to.
    add_azure(&world, &azure, "", []).exits(5).stderr_has("AZURE_CLIENT_ID");
    assert_eq!(ran(), "");
    add_azure(&world, &azure, &format!(",method=cli,tenant={TENANT}"), []).succeeds();
    get(&world, "store://kv/a").succeeds().stdout_is("found");
    let line = format!("account get-access-token -o json --scope https://vault.azure.net/.default --tenant {TENANT}");
    assert_eq!(ran().lines().next(), Some(line.as_str()));
    let failing = |script: &str, words: &str| {
        let world = with_command(World::new(), script);
        let refused = refused(&world, &azure, ",method=cli");
        refused.exits(5).stderr_has(words).never_shows("own words");
    };
    failing("echo own words >&2; exit 1", "`az login`");
    failing("echo own words", "no token");
    failing("exit 127", "`PATH`");
}

#[test]
fn each_refusal_is_told_by_what_is_wrong_and_where_it_came_from() {
    let azure = Azure::start();
    let told = |world: World, more: &str, words: &[&str]| {
        let refused = refused(&world, &azure, more);
        refused.exits(5).never_shows(SECRET).never_shows("AADSTS").never_shows("Trace ID");
        words.iter().for_each(|words| {
            refused.stderr_has(words);
        });
        world.keeps_nowhere(SECRET);
    };
    let secret = |text: &str| azure_world().with("AZURE_CLIENT_SECRET", text);
    told(secret("wrong~secret"), "", &["not one of this client's", "`env:AZURE_CLIENT_SECRET`", "hint"]);
    told(secret(EXPIRED), "", &["the secret has expired", "make a new secret"]);
    let tenant = azure_world().with("AZURE_TENANT_ID", "22222222-2222-3333-4444-555555555555");
    told(tenant, "", &["no such tenant", "`tenant`"]);
    let client = azure_world().with("AZURE_CLIENT_ID", "bbbbbbbb-0000-0000-0000-000000000001");
    told(client, "", &["no such client in the tenant", "`client-id`"]);
    told(azure_world().with("AZURE_CLIENT_ID", "hunter2"), "", &["`env:AZURE_CLIENT_ID` holds no application's id"]);
    let other = Azure::start();
    let pem = format!(",client-certificate=file:{}", other.application_pem().display());
    told(azure_world(), &pem, &["the certificate is not one of this client's"]);
    let empty = azure_world();
    let file = empty.file("empty.pem", "");
    told(empty, &format!(",client-certificate=file:{file}"), &["holds no certificate in PEM"]);
    for (name, value, words) in [
        ("exp", json!(expires(-600)), "the assertion's time is not now"),
        ("sub", json!("system:serviceaccount:evil:app"), "does not trust the issuer or the subject"),
    ] {
        let mut claims = json!({ "iss": ISSUER, "sub": SUBJECT, "aud": EXCHANGE, "exp": expires(600) });
        claims[name] = value;
        let world = azure_world().with("FEDERATED", &azure.issuer.token(&claims));
        told(world, ",method=workload-identity,federated-token-file=env:FEDERATED", &[words]);
    }
}

#[test]
fn a_challenge_that_points_elsewhere_gets_neither_a_token_nor_a_login() {
    let azure = Azure::start();
    let elsewhere = Hostile::start();
    let points = |set: Json, words: &str| {
        azure.set(&set);
        let refused = refused(&without_tenant(), &azure, "");
        refused.exits(8).stderr_has(words).never_shows(SECRET);
        assert_eq!(logins(&azure), 0);
        assert!(!asked(&azure).iter().any(|one| one.ends_with(" with")));
    };
    points(json!({ "challenge_resource": "https://management.azure.com" }), "would be theft");
    points(json!({ "challenge_resource": "https://vault.azure.net.evil.example" }), "would be theft");
    let login = format!("{}/{TENANT}", elsewhere.origin());
    let sound = "https://vault.azure.net";
    points(json!({ "challenge_resource": sound, "challenge_authority": login }), "not this cloud's own");
    elsewhere.was_never_asked();
    // With a sound one the same world logs in.
    azure.set(&json!({ "challenge_authority": format!("{}/{TENANT}", azure.origin()) }));
    add_azure(&without_tenant(), &azure, "", []).succeeds();
    // A vault that takes no token for vaults, and wants one for something else, is told as what it is.
    let world = azure_world();
    add_azure(&world, &azure, "", ["--no-token-cache"]).succeeds();
    azure.set(
        &json!({ "challenge_resource": "https://graph.microsoft.com", "resource": "https://graph.microsoft.com" }),
    );
    get(&world, "store://kv/a").exits(8).stdout_is("").stderr_has("would be theft");
    // So is one of another tenant.
    let other = format!("{}/22222222-2222-3333-4444-555555555555", azure.origin());
    azure.set(&json!({ "challenge_resource": sound, "challenge_authority": other }));
    get(&world, "store://kv/a").exits(8).stdout_is("").stderr_has("belongs to the tenant `22222222");
}

#[test]
fn what_the_environment_says_of_logins_is_no_persons_word() {
    let azure = Azure::start();
    let elsewhere = Hostile::start();
    let world = azure_world()
        .with("AZURE_AUTHORITY_HOST", &elsewhere.origin())
        .with("IDENTITY_HEADER", "canary-of-the-environment")
        .with("HTTPS_PROXY", &elsewhere.origin())
        .with("https_proxy", &elsewhere.origin());
    add_azure(&world, &azure, "", []).succeeds();
    set(&world, "store://kv/a", "x").succeeds();
    elsewhere.was_never_asked();
    // A machine's identity is asked for at the fixed address or where a person says, whatever the environment names.
    let world = World::new().with("IDENTITY_ENDPOINT", &format!("{}/msi/token", elsewhere.origin()));
    let world = world.with("IDENTITY_HEADER", "canary-of-the-environment");
    let run = world.command(["provider", "add", "kv", "--plugin", "azure", "--yes", "--tls-ca"]);
    let run = run.and([azure.ca().to_str().unwrap(), "--set", &format!("vault-url={}", azure.origin())]);
    let credential = "azure-ad,method=managed-identity,resource=https://vault.azure.net";
    run.and(["--credential", credential, "--credential-audience", azure.origin()]).run();
    let refused = world.forge(["provider", "test", "kv"]);
    refused.exits(2).stderr_has("`login-endpoint=ORIGIN`");
    elsewhere.was_never_asked();
}

#[test]
fn a_token_goes_to_no_vault_whose_cloud_nobody_knows() {
    let azure = Azure::start();
    let world = azure_world();
    let origin = azure.origin();
    let add = |more: &[&str]| {
        let ca = azure.ca();
        let words = ["provider", "add", "kv", "--plugin", "azure", "--yes", "--tls-ca", ca.to_str().unwrap()];
        let set = format!("vault-url={origin}");
        let words: Vec<String> =
            words.iter().chain(&["--set", &set]).chain(more).map(|word| (*word).to_owned()).collect();
        world.words(&words)
    };
    let credential = format!("azure-ad,login-endpoint={origin}");
    let refused = add(&["--credential", &format!("{credential},resource=https://vault.azure.net")]);
    refused.exits(8).stderr_has(&format!("--credential-audience {origin}"));
    add(&["--credential", &credential, "--credential-audience", origin]).exits(2).stderr_has("`resource=…`");
    let hsm = format!("{credential},resource=https://managedhsm.azure.net");
    add(&["--credential", &hsm, "--credential-audience", origin]).exits(2).stderr_has("`https://vault.azure.net`");
}
