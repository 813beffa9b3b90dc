//! The real OpenBao: what forge writes curl reads and the other way round, in every way that people mount and log in.

use forge_tests::servers::free_port;
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::World;

use super::{add_vault, get, root_world, set};

#[test]
fn what_forge_writes_curl_reads_and_the_other_way_round() {
    let server = OpenBao::start();
    server.mount("one", 1);
    for (mount, is_second) in [("secret", true), ("one", false)] {
        let world = root_world();
        add_vault(&world, &server, ["--set", &format!("mount={mount}")]).succeeds();
        let data = |path: &str| if is_second { format!("{mount}/data/{path}") } else { format!("{mount}/{path}") };
        let read = |path: &str| {
            let answer = server.root("GET", &data(path), "").has_status(200).json();
            if is_second { answer["data"]["data"].clone() } else { answer["data"].clone() }
        };
        set(&world, "store://bao/text", "hunter2").succeeds();
        assert_eq!(read("text"), serde_json::json!({ "value": "hunter2" }));
        set(&world, "store://bao/bytes", b"\xff\xfe\x00").succeeds();
        assert_eq!(read("bytes"), serde_json::json!({ "value_base64": "//4A" }));
        set(&world, "store://bao/app/db", r#"{"user":"app","password":"hunter2"}"#).succeeds();
        assert_eq!(read("app/db"), serde_json::json!({ "user": "app", "password": "hunter2" }));
        let written = r#"{"user":"curl","port":5432}"#;
        let body = if is_second { format!(r#"{{"data":{written}}}"#) } else { written.to_owned() };
        server.root("POST", &data("by/curl"), &body);
        get(&world, "store://bao/by/curl#user").succeeds().stdout_is("curl");
        get(&world, "store://bao/by/curl#port").succeeds().stdout_is("5432");
        world.forge(["secret", "list", "store://bao"]).succeeds().stdout_is("app/db\nby/curl\nbytes\ntext\n");
        server.root("DELETE", &data("text"), "").has_status(204);
        get(&world, "store://bao/text").exits(3);
        world.keeps_nowhere(ROOT);
        world.keeps_nowhere("hunter2");
    }
}

#[test]
fn a_read_costs_one_request_and_a_read_of_a_new_process_no_login() {
    let server = OpenBao::start();
    let world = root_world();
    add_vault(&world, &server, []).succeeds();
    set(&world, "store://bao/a", "b").succeeds();
    let before = world.audit().len();
    get(&world, "store://bao/a").succeeds();
    let records = world.audit().split_off(before);
    let events: Vec<&str> = records.iter().map(|record| record["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["request", "operation"]);
    assert_eq!(records[0]["route"], "/v1/secret/data/**");
    assert_eq!(records[0]["attempts"], 1);
}

#[test]
fn a_mount_may_have_several_segments() {
    let server = OpenBao::start();
    server.mount("team/platform/kv", 2);
    server.mount("team/legacy", 1);
    for (mount, path) in [("team/platform/kv", "team/platform/kv/data/a"), ("team/legacy", "team/legacy/a")] {
        let world = root_world();
        add_vault(&world, &server, ["--set", &format!("mount={mount}")]).succeeds();
        set(&world, "store://bao/a", mount).succeeds();
        get(&world, "store://bao/a").succeeds().stdout_is(mount);
        server.root("GET", path, "").has_status(200);
    }
    let world = root_world();
    let missing = add_vault(&world, &server, ["--set", "mount=team/none"]);
    assert!(matches!(missing.code, Some(3 | 4)), "{missing:?}");
    get(&world, "store://bao/a").exits(3).stderr_has("no provider");
}

#[test]
fn a_namespace_is_a_world_of_its_own() {
    let server = OpenBao::start();
    server.root("POST", "sys/namespaces/team", "{}").has_status(200);
    server.root("POST", "team/sys/mounts/secret", r#"{"type":"kv","options":{"version":"2"}}"#).has_status(204);
    let outside = root_world();
    add_vault(&outside, &server, []).succeeds();
    let inside = root_world();
    add_vault(&inside, &server, ["--credential", "vault-token,token=env:TOKEN,namespace=team"]).succeeds();
    set(&outside, "store://bao/a", "outside").succeeds();
    get(&inside, "store://bao/a").exits(3);
    set(&inside, "store://bao/a", "inside").succeeds();
    get(&inside, "store://bao/a").stdout_is("inside");
    get(&outside, "store://bao/a").stdout_is("outside");
    let read = server.curl(ROOT, "GET", "secret/data/a").header("X-Vault-Namespace", "team").send();
    assert_eq!(read.json()["data"]["data"]["value"], "inside");
}

/// What a role of these tests may do.
const POLICY: &str = r#"
path "secret/data/app/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/*" { capabilities = ["read", "list"] }
"#;

#[test]
fn an_approle_logs_in_and_logs_in_again_when_its_token_has_expired() {
    let server = OpenBao::start();
    server.policy("app", POLICY);
    let (role, secret) = server.approle(&["app"], "2s");
    let world = World::new().with("ROLE", &role).with("SECRET", &secret);
    let credential = "vault-token,method=approle,role-id=env:ROLE,secret-id=env:SECRET";
    let added = add_vault(&world, &server, ["--credential", credential]);
    added.succeeds();
    set(&world, "store://bao/app/a", "first").succeeds();
    // Longer than a token of this role lives.
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    get(&world, "store://bao/app/a").succeeds().stdout_is("first");
    let file = world.file("secret-id", format!("{secret}\n"));
    world.forge(["provider", "remove", "bao", "--yes"]).succeeds();
    let credential = format!("vault-token,method=approle,role-id=env:ROLE,secret-id=file:{file}");
    add_vault(&world, &server, ["--credential", &credential]).succeeds();
    get(&world, "store://bao/app/a").succeeds().stdout_is("first");
    world.keeps_nowhere(&secret);
}

#[test]
fn a_login_that_is_refused_is_an_authentication_failure() {
    let server = OpenBao::start();
    server.policy("app", POLICY);
    let (role, secret) = server.approle(&["app"], "1h");
    let wrong = "00000000-1111-2222-3333-444444444444";
    let world = World::new().with("ROLE", &role).with("SECRET", wrong);
    let credential = "vault-token,method=approle,role-id=env:ROLE,secret-id=env:SECRET";
    add_vault(&world, &server, ["--set", "kv-version=2", "--credential", credential]).succeeds();
    let outcome = get(&world, "store://bao/app/a");
    outcome.exits(5).stderr_has("login").never_shows(wrong).never_shows(&role);
    let run = world.command(["secret", "get", "store://bao/app/a"]).variable("SECRET", &secret).run();
    run.exits(3);
    let run = world.command(["secret", "get", "store://bao/app/a"]).variable("SECRET", "").run();
    run.exits(5).stderr_has("env:SECRET");
}

#[test]
fn a_token_is_told_what_it_may_not_do() {
    let server = OpenBao::start();
    server.policy("app", POLICY);
    let token = server.token(&["app"]);
    let world = World::new().with("TOKEN", &token);
    add_vault(&world, &server, []).succeeds();
    set(&world, "store://bao/app/a", "x").succeeds();
    get(&world, "store://bao/app/a").succeeds().stdout_is("x");
    let denied = get(&world, "store://bao/other");
    denied.exits(4).stderr_has("403").stderr_has("hint").never_shows(&token);
    assert_eq!(
        world.forge(["--json", "secret", "get", "store://bao/other"]).error_json()["error"]["kind"],
        "access-denied"
    );
    world.forge(["secret", "delete", "store://bao/app/a", "--yes"]).exits(4);
    get(&world, "store://bao/app/a").succeeds().stdout_is("x");
    world.keeps_nowhere(&token);
}

#[test]
fn a_token_that_is_wrong_or_missing_is_an_authentication_failure() {
    let server = OpenBao::start();
    let world = World::new();
    add_vault(&world, &server, ["--set", "kv-version=2"]).succeeds();
    get(&world, "store://bao/a").exits(5).stderr_has("env:TOKEN");
    let wrong = "s.wrong-canary-token-value";
    let outcome = world.command(["secret", "get", "store://bao/a"]).variable("TOKEN", wrong).run();
    // The server answers 403 to a token that it does not know, as to one that may not.
    assert!(matches!(outcome.code, Some(4 | 5)), "{outcome:?}");
    outcome.never_shows(wrong);
    world.keeps_nowhere(wrong);
}

#[test]
fn tls_is_trusted_by_the_ca_that_was_given_and_by_no_other() {
    let server = OpenBao::start_with_tls();
    let world = root_world();
    let shown = add_vault(&world, &server, []);
    shown.succeeds();
    set(&world, "store://bao/a", "over TLS").succeeds();
    get(&world, "store://bao/a").succeeds().stdout_is("over TLS");
    assert_eq!(server.root("GET", "secret/data/a", "").json()["data"]["data"]["value"], "over TLS");
    // Without the CA, and with another one.
    let other = OpenBao::start_with_tls();
    for certificates in [None, Some(other.ca())] {
        let world = root_world();
        let mut add = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--set", "kv-version=2"]);
        add =
            add.and(["--set", &format!("address={}", server.address()), "--credential", "vault-token,token=env:TOKEN"]);
        if let Some(certificates) = certificates {
            add = add.and(["--tls-ca", certificates.to_str().unwrap()]);
        }
        add.run().succeeds();
        get(&world, "store://bao/a").exits(6).stderr_has("not trusted");
    }
    // Plain HTTP to the same port is another origin, and gets no secret out of it.
    let world = root_world();
    let plain = server.address().replace("https", "http");
    let add = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--set", "kv-version=2"]);
    add.and(["--set", &format!("address={plain}"), "--credential", "vault-token,token=env:TOKEN"]).run().succeeds();
    assert_ne!(get(&world, "store://bao/a").code, Some(0));
}

#[test]
fn a_server_that_is_sealed_or_down_is_unavailable_and_a_provider_can_be_added_meanwhile() {
    let mut server = OpenBao::start();
    let world = root_world();
    add_vault(&world, &server, []).succeeds();
    set(&world, "store://bao/a", "x").succeeds();
    world.forge(["provider", "test", "bao"]).succeeds();
    server.root("PUT", "sys/seal", "").has_status(204);
    get(&world, "store://bao/a").exits(6).stderr_has("503");
    world.forge(["provider", "test", "bao"]).exits(6);
    server.stop();
    get(&world, "store://bao/a").exits(6).stderr_has("can't be reached");
    let address = format!("address=http://127.0.0.1:{}", free_port());
    let add = world.command(["provider", "add", "later", "--plugin", "vault", "--yes", "--set", &address]);
    let unknown = add.and(["--credential", "vault-token,token=env:TOKEN"]).run();
    unknown.exits(6).stderr_has("kv-version");
    let add = world.command(["provider", "add", "later", "--plugin", "vault", "--yes", "--set", &address]);
    add.and(["--set", "kv-version=2", "--credential", "vault-token,token=env:TOKEN"])
        .run()
        .succeeds()
        .stderr_has("warning");
}

#[test]
fn a_credential_may_be_a_secret_of_the_embedded_store() {
    let server = OpenBao::start();
    let world = World::new();
    set(&world, "vault/token", ROOT).succeeds();
    add_vault(&world, &server, ["--credential", "vault-token,token=store://local/vault/token"]).succeeds();
    set(&world, "store://bao/a", "x").succeeds();
    get(&world, "store://bao/a").succeeds().stdout_is("x");
    // Sealed in the local store, and nowhere in the clear.
    world.keeps_nowhere(ROOT);
    let read =
        world.audit().iter().filter(|record| record["path"] == "vault/token" && record["operation"] == "get").count();
    assert!(read >= 2, "the reads of the credential are not audited");
}

#[test]
fn the_usual_places_of_a_token_are_tried_and_the_one_found_is_recorded() {
    let server = OpenBao::start();
    let world = World::new();
    let add = || {
        let run = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes"]);
        run.and(["--set", &format!("address={}", server.address())])
    };
    add().run().exits(5).stderr_has("VAULT_TOKEN").stderr_has(".vault-token");
    std::fs::write(world.home().join(".vault-token"), ROOT).unwrap();
    add().run().succeeds().stderr_has(".vault-token");
    set(&world, "store://bao/a", "x").succeeds();
    // A variable that appears later is not what was granted.
    let run = world.command(["secret", "get", "store://bao/a"]).variable("VAULT_TOKEN", "s.wrong").run();
    run.succeeds().stdout_is("x");
    world.forge(["provider", "remove", "bao", "--yes"]).succeeds();
    add().variable("VAULT_TOKEN", ROOT).run().succeeds().stderr_has("env:VAULT_TOKEN");
}

#[test]
fn an_installed_file_does_what_the_built_in_plugin_does() {
    let server = OpenBao::start();
    let world = root_world();
    let bytes = forge_tests::component::plugin("vault");
    let (file, digest) = (world.file("vault.wasm", &bytes), forge_tests::component::sha256(&bytes));
    world.forge(["plugin", "install", &file, "--as", "mine", "--yes", "--sha256", &digest]).succeeds();
    let add = world.command(["provider", "add", "bao", "--plugin", "mine", "--yes"]);
    let add =
        add.and(["--set", &format!("address={}", server.address()), "--credential", "vault-token,token=env:TOKEN"]);
    add.run().succeeds();
    set(&world, "store://bao/a", "x").succeeds();
    get(&world, "store://bao/a").succeeds().stdout_is("x");
}
