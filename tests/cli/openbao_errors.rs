//! The four errors that everyone meets, from the real OpenBao: what it says, who said so, and what to do.

use forge_tests::outcome::Outcome;
use forge_tests::servers::free_port;
use forge_tests::servers::openbao::OpenBao;
use forge_tests::world::World;

use super::{add_vault, get, root_world, set};

const DB: &str = "store://bao/app/db";

/// The hint, which stands behind the error.
fn hint(outcome: &Outcome) -> &str {
    outcome.stderr.split_once("hint: ").map(|(_, hint)| hint).unwrap_or_default()
}

/// A server with a secret, and its administrator's world.
fn server() -> (OpenBao, World) {
    let server = OpenBao::start();
    let world = root_world();
    add_vault(&world, &server, []).succeeds();
    set(&world, DB, "hunter2").succeeds();
    (server, world)
}

/// Every command that reaches the server, on a secret.
fn commands(world: &World, reference: &str) -> Vec<Outcome> {
    vec![
        get(world, reference),
        set(world, reference, "x"),
        world.forge(["secret", "list", "store://bao/app"]),
        world.forge(["secret", "describe", reference]),
        world.forge(["secret", "versions", reference]),
        world.forge(["secret", "rollback", reference, "--to", "1"]),
        world.forge(["secret", "enable", &format!("{reference}?version=1")]),
        world.forge(["secret", "delete", reference, "--yes"]),
        world.forge(["secret", "recover", reference]),
        world.forge(["secret", "purge", reference, "--yes"]),
    ]
}

#[test]
fn a_token_that_is_missing_is_told_by_where_it_was_looked_for() {
    let (server, _) = server();
    let world = World::new();
    add_vault(&world, &server, ["--set", "kv-version=2"]).succeeds();
    for outcome in commands(&world, DB) {
        outcome.exits(5).stderr_has("env:TOKEN");
        assert_ne!(hint(&outcome), "", "{outcome:?}");
    }
}

#[test]
fn a_missing_secret_is_told_by_its_name_and_by_every_command() {
    let (_server, world) = server();
    let missing = "store://bao/app/none";
    for outcome in commands(&world, missing) {
        // Writing makes it, and a listing of a folder is about other names.
        if outcome.code == Some(0) {
            world.forge(["secret", "purge", missing, "--yes"]);
            continue;
        }
        outcome.exits(3).stderr_has(missing).stderr_has("no such secret").stdout_is("");
    }
    get(&world, &format!("{DB}?version=9")).exits(3).stderr_has("version");
    get(&world, &format!("{DB}#nothing")).exits(3).stderr_has("nothing");
    assert_eq!(world.forge(["--json", "secret", "get", missing]).error_json()["error"]["kind"], "not-found");
}

#[test]
fn a_missing_permission_is_told_by_the_path_that_a_policy_has_to_name() {
    let (server, _) = server();
    server.policy("elsewhere", r#"path "secret/data/elsewhere" { capabilities = ["read"] }"#);
    let token = server.token(&["elsewhere"]);
    let world = World::new().with("TOKEN", &token);
    add_vault(&world, &server, []).succeeds();
    let outcomes = commands(&world, DB);
    // What each command asks for first, as a policy names it.
    let paths = ["data/app/db", "data/app/db", "metadata/app", "metadata/app/db", "metadata/app/db", "data/app/db"];
    let paths = paths.into_iter().chain(std::iter::repeat("metadata/app/db"));
    let rights = ["read", "create, update", "list"].into_iter().chain(std::iter::repeat("read"));
    for ((outcome, path), right) in outcomes.iter().zip(paths).zip(rights) {
        outcome.exits(4).stdout_is("").stderr_has("403").stderr_has(server.address()).never_shows(&token);
        assert!(hint(outcome).contains(&format!("secret/{path}`")), "{path}: {outcome:?}");
        assert!(hint(outcome).contains("README.md"), "{outcome:?}");
        let on = if right == "list" { "app" } else { "app/db" };
        assert!(hint(outcome).starts_with(&format!("`{right}` on `{on}` was refused: ")), "{outcome:?}");
    }
    let json = world.forge(["--json", "secret", "get", DB]).error_json();
    assert_eq!(json["error"]["kind"], "access-denied");
    assert_eq!(json["error"]["status"], 403);
}

#[test]
fn a_server_that_is_not_there_is_told_by_its_address() {
    let world = World::new().with("TOKEN", "s.canary-of-the-network-test");
    let address = format!("http://127.0.0.1:{}", free_port());
    let add = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--set", "kv-version=2"]);
    let add = add.and(["--set", &format!("address={address}"), "--credential", "vault-token,token=env:TOKEN"]);
    add.run().succeeds();
    for outcome in commands(&world, DB) {
        outcome.exits(6).stdout_is("").stderr_has(&address).stderr_has("can't be reached");
        outcome.never_shows("s.canary-of-the-network-test");
        assert_ne!(hint(&outcome), "", "{outcome:?}");
    }
    assert_eq!(world.forge(["--json", "secret", "get", DB]).error_json()["error"]["kind"], "unavailable");
}

#[test]
fn a_sealed_server_is_told_to_be_unsealed() {
    let (server, world) = server();
    server.root("PUT", "sys/seal", "").has_status(204);
    let outcome = get(&world, DB);
    outcome.exits(6).stderr_has("503").stderr_has(server.address());
    assert!(hint(&outcome).contains("unsealed"), "{outcome:?}");
}

#[test]
fn a_value_that_is_refused_by_name_says_what_a_mount_can_not_keep() {
    let (_server, world) = server();
    let with = |more: [&str; 2]| world.command(["-v", "secret", "set", DB]).and(more).input("x").run();
    for (more, name) in [(["--content-type", "text/plain"], "`content-type`"), (["--expires", "90d"], "`expires-at`")] {
        with(more).exits(2).stderr_has(name).stderr_has("no such operation");
    }
    get(&world, DB).succeeds().stdout_is("hunter2");
}
