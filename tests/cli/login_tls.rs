//! A client certificate per provider: a server that wants one, a login by it, and each way in which one is wrong.

use forge_tests::outcome::Outcome;
use forge_tests::servers::identity::{Authority, Identity};
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::World;
use serde_json::json;

use super::{get, set};

/// `provider add` at the listener that wants certificates.
fn add(world: &World, server: &OpenBao, authority: &Authority, more: &[&str]) -> Outcome {
    let run = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--tls-ca"]);
    let mut run = run.and([authority.certificate().to_str().unwrap(), "--set"]);
    run = run.and([&format!("address={}", server.strict())]);
    for argument in more {
        run = run.and([argument]);
    }
    run.run()
}

const TOKEN: [&str; 2] = ["--credential", "vault-token,token=env:TOKEN"];

/// The arguments that give an identity.
fn given(identity: &Identity) -> [String; 4] {
    let key = format!("file:{}", identity.key.display());
    ["--tls-cert".to_owned(), identity.certificate.display().to_string(), "--tls-key".to_owned(), key]
}

fn with<'a>(identity: &'a [String; 4], more: &[&'a str]) -> Vec<&'a str> {
    identity.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

#[test]
fn a_server_that_wants_a_certificate_gets_it_with_every_request() {
    let world = World::new().with("TOKEN", ROOT);
    let authority = Authority::new(&world.path("authority"));
    let server = OpenBao::start_strict(&authority);
    let client = authority.sign("client", false, 4096);
    let arguments = given(&client);
    let added = add(&world, &server, &authority, &with(&arguments, &TOKEN));
    added.succeeds().stderr_has("certificate").stderr_has("4096-12-31").stderr_has(client.key.to_str().unwrap());
    set(&world, "store://bao/a", "x").succeeds();
    get(&world, "store://bao/a").succeeds().stdout_is("x");
    let info = world.forge(["--json", "provider", "info", "bao"]).json();
    assert_eq!(info["tls_certificate"]["expires_at"], "4096-12-31T00:00:00Z");
    // Neither the key nor a copy of it lies in forge's own files.
    let key = std::fs::read_to_string(&client.key).unwrap();
    world.keeps_nowhere(key.lines().nth(1).unwrap());
    // The key is read from its source each time, so it is the source that counts.
    std::fs::rename(&client.key, world.path("moved")).unwrap();
    get(&world, "store://bao/a").exits(5).stderr_has("no credential found at").stderr_has(client.key.to_str().unwrap());
    // Without a certificate the same server does not listen, and says so.
    world.forge(["provider", "remove", "bao", "--yes"]).succeeds();
    add(&world, &server, &authority, &[&["--set", "kv-version=2"][..], &TOKEN].concat()).succeeds();
    get(&world, "store://bao/a").exits(6).stderr_has(server.strict());
}

#[test]
fn a_key_may_be_a_variable_or_a_secret_of_the_embedded_store() {
    let world = World::new().with("TOKEN", ROOT);
    let authority = Authority::new(&world.path("authority"));
    let server = OpenBao::start_strict(&authority);
    let client = authority.sign("client", false, 4096);
    let key = std::fs::read_to_string(&client.key).unwrap();
    let certificate = client.certificate.to_str().unwrap();
    set(&world, "tls/key", key.as_str()).succeeds();
    let sealed = ["--tls-cert", certificate, "--tls-key", "store://local/tls/key"];
    add(&world, &server, &authority, &[&sealed[..], &TOKEN].concat()).succeeds();
    set(&world, "store://bao/a", "x").succeeds();
    get(&world, "store://bao/a").succeeds().stdout_is("x");
    world.keeps_nowhere(key.lines().nth(1).unwrap());
}

#[test]
fn a_certificate_logs_in() {
    let world = World::new();
    let authority = Authority::new(&world.path("authority"));
    let server = OpenBao::start_strict(&authority);
    server.policy("app", r#"path "secret/data/*" { capabilities = ["create", "read", "update"] }"#);
    server.auth("cert");
    let trusted = std::fs::read_to_string(authority.certificate()).unwrap();
    let role = json!({ "certificate": trusted, "allowed_common_names": ["client"], "token_policies": ["app"] });
    let answer = server.root("POST", "auth/cert/certs/web", &role.to_string());
    assert!(matches!(answer.status, 200 | 204), "{answer:?}");
    let login = ["--credential", "vault-token,method=cert,role=web"];
    let client = given(&authority.sign("client", false, 4096));
    add(&world, &server, &authority, &with(&client, &login)).succeeds();
    set(&world, "store://bao/a", "x").succeeds();
    get(&world, "store://bao/a").succeeds().stdout_is("x");
    world.forge(["provider", "test", "bao"]).succeeds().stdout_has("app");
    world.forge(["provider", "remove", "bao", "--yes"]).succeeds();
    // Another certificate of the same authority gets a connection and no token; none at all is refused by forge.
    let other = given(&authority.sign("other", false, 4096));
    add(&world, &server, &authority, &with(&other, &login)).exits(5).stderr_has("login");
    add(&world, &server, &authority, &login).exits(2).stderr_has("--tls-cert");
}

#[test]
fn each_way_in_which_a_certificate_is_wrong_has_its_name() {
    let world = World::new().with("TOKEN", ROOT);
    let authority = Authority::new(&world.path("authority"));
    let server = OpenBao::start_strict(&authority);
    let client = authority.sign("client", false, 4096);
    let other = authority.sign("other", false, 4096);
    let encrypted =
        world.file("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIC\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let certificate = client.certificate.to_str().unwrap().to_owned();
    let both =
        world.file("both", [std::fs::read(&client.certificate).unwrap(), std::fs::read(&client.key).unwrap()].concat());
    let key = |path: &std::path::Path| format!("file:{}", path.display());
    let no_pem = world.file("no-pem", "hunter2");
    let expired = authority.sign("client", false, 2001);
    for (certificate, key, code, sentence) in [
        (certificate.clone(), key(&other.key), 2, "does not belong to the client certificate"),
        (certificate.clone(), format!("file:{encrypted}"), 2, "is encrypted"),
        (certificate.clone(), key(&client.certificate), 2, "is no private key"),
        (certificate.clone(), "env:NONE".to_owned(), 5, "no credential found at `env:NONE`"),
        (certificate.clone(), "hunter2".to_owned(), 2, "a credential comes from"),
        (both.clone(), key(&client.key), 2, "holds a private key"),
        (no_pem, key(&client.key), 2, "no PEM with a certificate"),
        (expired.certificate.to_str().unwrap().to_owned(), key(&expired.key), 5, "expired at 2001-12-31"),
    ] {
        let arguments = ["--tls-cert".to_owned(), certificate, "--tls-key".to_owned(), key];
        let outcome = add(&world, &server, &authority, &with(&arguments, &TOKEN));
        outcome.exits(code).stderr_has(sentence).never_shows("hunter2");
        assert!(!world.data().join("grants/bao.json").exists(), "{sentence}");
    }
    // Nor does the key of an authority get into a grant.
    let run = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--tls-ca", &both]);
    let run = run.and(["--set", &format!("address={}", server.strict())]).and(TOKEN).run();
    run.exits(2).stderr_has("holds a private key");
    // The right one is taken, so each of the others was refused for its own fault.
    add(&world, &server, &authority, &with(&given(&client), &TOKEN)).succeeds();
}
