//! Every way to log in to the real OpenBao, and what is said of each that fails.

use forge_tests::servers::identity::{Authority, Signer, service_account_token, token_review};
use forge_tests::servers::openbao::OpenBao;
use forge_tests::world::World;
use serde_json::json;

use super::{add_vault, get, set};

/// What whoever logs in may do.
const POLICY: &str = r#"path "secret/data/*" { capabilities = ["create", "read", "update"] }"#;

fn server() -> OpenBao {
    let server = OpenBao::start();
    server.policy("app", POLICY);
    server
}

/// Adds the provider with this credential and reads and writes through it.
#[track_caller]
fn works(world: &World, server: &OpenBao, credential: &str) {
    let added = add_vault(world, server, ["--credential", credential]);
    added.succeeds();
    set(world, "store://bao/a", "through a login").succeeds();
    get(world, "store://bao/a").succeeds().stdout_is("through a login");
    world.forge(["provider", "test", "bao"]).succeeds().stdout_has("app");
}

/// Adds the provider with a credential that the server refuses: known at once where its version is not given.
#[track_caller]
fn fails(world: &World, server: &OpenBao, credential: &str, secret: &str) {
    world.forge(["provider", "remove", "bao", "--yes"]).succeeds();
    let added = add_vault(world, server, ["--credential", credential]);
    added.exits(5).stderr_has("login").stderr_has(server.address()).never_shows(secret);
}

#[test]
fn a_user_logs_in_with_a_name_and_a_password() {
    let server = server();
    server.auth("userpass");
    let user = json!({ "password": "userpass-canary-71", "token_policies": ["app"] }).to_string();
    server.root("POST", "auth/userpass/users/ann.smith", &user).has_status(204);
    let world = World::new().with("PASSWORD", "userpass-canary-71").with("WRONG", "wrong-canary-72");
    works(&world, &server, "vault-token,method=userpass,username=ann.smith,password=env:PASSWORD");
    world.keeps_nowhere("userpass-canary-71");
    fails(&world, &server, "vault-token,method=userpass,username=ann.smith,password=env:WRONG", "wrong-canary-72");
}

#[test]
fn a_server_of_its_own_for_the_login_is_named_where_a_credential_goes() {
    let world = World::new().with("ROLE", "role-0123456789");
    let shown = |credential: &str| {
        let add =
            world.command(["provider", "add", "bao", "--plugin", "vault", "--dry-run", "--credential", credential]);
        add.and(["--set", "address=http://127.0.0.1:1"]).run()
    };
    let login = "vault-token,method=approle,role-id=env:ROLE";
    shown(login).succeeds().stderr_has("sent to http://127.0.0.1:1 and nowhere else");
    let elsewhere = shown(&format!("{login},login-endpoint=http://127.0.0.1:2"));
    elsewhere.succeeds().stderr_has("sent to http://127.0.0.1:1, to log in to http://127.0.0.1:2, and nowhere else");
}

#[test]
fn a_signed_token_logs_in() {
    let server = server();
    server.auth("jwt");
    let signer = Signer::new();
    let configuration = json!({ "jwt_validation_pubkeys": [signer.public_key()], "jwt_supported_algs": ["EdDSA"] });
    server.root("POST", "auth/jwt/config", &configuration.to_string()).has_status(204);
    let role = json!({
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["forge"], "token_policies": ["app"],
    });
    server.root("POST", "auth/jwt/role/ci", &role.to_string()).has_status(204);
    let claims = json!({ "sub": "pipeline", "aud": "forge", "exp": 4_102_444_800_u64, "iat": 1_600_000_000 });
    let token = signer.token(&claims);
    let world = World::new().with("OTHER", &Signer::new().token(&claims));
    let file = world.file("token", format!("{token}\n"));
    works(&world, &server, &format!("vault-token,method=jwt,role=ci,jwt=file:{file}"));
    world.keeps_nowhere(&token);
    // Signed by somebody else.
    fails(&world, &server, "vault-token,method=jwt,role=ci,jwt=env:OTHER", "eyJ");
}

#[test]
fn a_service_account_logs_in() {
    let server = server();
    server.auth("kubernetes");
    let token = service_account_token();
    let world = World::new();
    // The stand-in speaks no TLS, but the method wants an authority all the same.
    let authority = std::fs::read_to_string(Authority::new(&world.path("authority")).certificate()).unwrap();
    let configuration = json!({
        "kubernetes_host": token_review(&token), "kubernetes_ca_cert": authority,
        "disable_local_ca_jwt": true, "token_reviewer_jwt": token,
    });
    server.root("POST", "auth/kubernetes/config", &configuration.to_string()).has_status(204);
    let role = json!({
        "bound_service_account_names": ["app"], "bound_service_account_namespaces": ["team"],
        "token_policies": ["app"],
    });
    let answer = server.root("POST", "auth/kubernetes/role/web", &role.to_string());
    assert!(matches!(answer.status, 200 | 204), "{answer:?}");
    let file = world.file("token", &token);
    works(&world, &server, &format!("vault-token,method=kubernetes,role=web,jwt=file:{file}"));
    world.keeps_nowhere(&token);
    // Another role than the account may have.
    fails(&world, &server, &format!("vault-token,method=kubernetes,role=other,jwt=file:{file}"), &token);
}

#[test]
fn a_service_accounts_token_is_looked_for_where_a_pod_has_it() {
    let world = World::new();
    let add = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes"]);
    let add =
        add.and(["--set", "address=http://127.0.0.1:9", "--credential", "vault-token,method=kubernetes,role=web"]);
    add.run().exits(5).stderr_has("/var/run/secrets/kubernetes.io/serviceaccount/token");
}

#[test]
fn a_wrapped_secret_id_is_opened_once_by_forge_itself() {
    let server = server();
    let (role, _) = server.approle(&["app"], "1h");
    let world = World::new().with("ROLE", &role);
    let token = server.wrapped_secret_id(1);
    let file = world.file("wrapped", format!("{token}\n"));
    let credential = format!("vault-token,method=approle,role-id=env:ROLE,secret-id-wrapped=file:{file}");
    // The secret id has one use and its wrapping token one opening; reads and writes of many commands go through it.
    works(&world, &server, &credential);
    world.keeps_nowhere(&token);
}

#[test]
fn a_wrapping_token_that_somebody_opened_first_is_an_alarm() {
    let server = server();
    let (role, _) = server.approle(&["app"], "1h");
    let world = World::new().with("ROLE", &role);
    let token = server.wrapped_secret_id(0);
    let stolen = server.curl(&token, "POST", "sys/wrapping/unwrap").send();
    let secret = stolen.has_status(200).json()["data"]["secret_id"].as_str().unwrap().to_owned();
    let file = world.file("wrapped", &token);
    let credential = format!("vault-token,method=approle,role-id=env:ROLE,secret-id-wrapped=file:{file}");
    let add = || add_vault(&world, &server, ["--credential", &credential]);
    add().exits(5).stderr_has("opened before").stderr_has("somebody else may have opened it").never_shows(&token);
    // Whoever opened it wraps what they like again, so that it looks as if nothing had happened.
    let wrapped = server.curl(forge_tests::servers::openbao::ROOT, "POST", "sys/wrapping/wrap");
    let wrapped = wrapped.header("X-Vault-Wrap-TTL", "60").json(&json!({ "secret_id": secret }).to_string()).send();
    let again = wrapped.has_status(200).json()["wrap_info"]["token"].as_str().unwrap().to_owned();
    std::fs::write(&file, &again).unwrap();
    add().exits(5).stderr_has("does not wrap what its auth method makes").never_shows(&again);
    // What was found inside would have logged in, so it is the check of the path that stops it.
    let opened = server.curl(&again, "POST", "sys/wrapping/unwrap").send();
    assert_eq!(opened.has_status(200).json()["data"]["secret_id"], secret);
    std::fs::write(&file, server.wrapped_secret_id(0)).unwrap();
    add().succeeds();
}

#[test]
fn a_wrapping_token_that_forge_opened_itself_is_no_alarm() {
    let server = server();
    let (role, _) = server.approle(&["app"], "1h");
    let world = World::new().with("ROLE", &role);
    let file = world.file("wrapped", server.wrapped_secret_id(1));
    let credential = format!("vault-token,method=approle,role-id=env:ROLE,secret-id-wrapped=file:{file}");
    add_vault(&world, &server, ["--credential", &credential]).succeeds();
    // Every token of the role is revoked, and the wrapping token is still the one that was used.
    server.root("POST", "sys/leases/revoke-prefix/auth/approle", "{}").has_status(204);
    let outcome = get(&world, "store://bao/a");
    outcome.exits(5).stderr_has("opened by forge before").stderr_has("put a new wrapping token");
    assert!(!outcome.stderr.contains("somebody else"), "{outcome:?}");
    std::fs::write(&file, server.wrapped_secret_id(1)).unwrap();
    get(&world, "store://bao/a").exits(3);
}

#[test]
fn a_token_that_is_not_accepted_and_a_permission_that_is_missing_are_told_apart() {
    let server = server();
    let token = server.token(&["app"]);
    let world = World::new().with("TOKEN", &token);
    add_vault(&world, &server, []).succeeds();
    set(&world, "store://bao/a", "x").succeeds();
    let denied = world.forge(["secret", "delete", "store://bao/a", "--yes"]);
    denied.exits(4).stderr_has("policy");
    server.root("POST", "auth/token/revoke", &json!({ "token": token }).to_string()).has_status(204);
    let expired = get(&world, "store://bao/a");
    expired.exits(5).stderr_has("does not accept").stderr_has("env:TOKEN").stderr_has("hint").never_shows(&token);
    assert_eq!(
        world.forge(["--json", "secret", "get", "store://bao/a"]).error_json()["error"]["kind"],
        "unauthenticated"
    );
    set(&world, "store://bao/a", "y").exits(5).stderr_has("does not accept");
}

#[test]
fn a_network_that_fails_is_told_by_host_cause_and_what_to_do() {
    let mut server = server();
    let world = World::new().with("TOKEN", "s.any");
    add_vault(&world, &server, ["--set", "kv-version=2"]).succeeds();
    server.stop();
    get(&world, "store://bao/a").exits(6).stderr_has(server.address()).stderr_has("refused").stderr_has("hint");
    let add = world.command(["provider", "add", "far", "--plugin", "vault", "--yes", "--set", "kv-version=2"]);
    let add = add.and(["--set", "address=https://vault.invalid", "--credential", "vault-token,token=env:TOKEN"]).run();
    add.exits(6).stderr_has("vault.invalid").stderr_has("its name was not found").stderr_has("hint");
}
