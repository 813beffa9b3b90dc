//! Tokens of logins between commands: kept sealed, for the same login alone, and never longer than they live.

use std::os::unix::fs::PermissionsExt as _;

use forge_tests::servers::openbao::OpenBao;
use forge_tests::world::World;

use super::{add_vault, get, set};

const POLICY: &str = r#"path "secret/data/*" { capabilities = ["create", "read", "update"] }"#;
const CREDENTIAL: &str = "vault-token,method=approle,role-id=env:ROLE,secret-id=env:SECRET";

/// A server with a role, and a world that knows its id and a secret id.
fn role(lifetime: &str) -> (OpenBao, World, String) {
    let server = OpenBao::start();
    server.policy("app", POLICY);
    server.root("POST", "secret/data/a", r#"{"data":{"value":"x"}}"#).has_status(200);
    let (role, secret) = server.approle(&["app"], lifetime);
    let world = World::new().with("ROLE", &role);
    (server, world, secret)
}

/// How many logins the audit log has. What `provider add` does is not audited.
fn logins(world: &World) -> usize {
    world.audit().iter().filter(|record| record["route"] == "/v1/auth/approle/login").count()
}

/// The one file in which a token is kept.
#[track_caller]
fn kept(world: &World) -> std::path::PathBuf {
    let names = files(world);
    let [name] = names.as_slice() else { panic!("not one file: {names:?}") };
    let mark = name.strip_prefix("bao.").and_then(|name| name.strip_suffix(".sealed")).unwrap();
    assert!(mark.len() == 16 && mark.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    world.data().join("tokens").join(name)
}

#[test]
fn a_secret_id_of_one_use_lasts_as_long_as_its_token() {
    let (server, world, _) = role("1h");
    let add = || {
        let run = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--credential", CREDENTIAL]);
        run.and(["--set", &format!("address={}", server.address())]).variable("SECRET", &server.secret_id(1))
    };
    add().run().succeeds();
    assert_eq!(kept(&world).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // The variable is gone, as one of a pipeline's step is.
    for _ in 0..3 {
        get(&world, "store://bao/a").succeeds().stdout_is("x");
    }
    set(&world, "store://bao/a", "y").succeeds();
    world.forge(["provider", "test", "bao"]).succeeds();
    assert_eq!(logins(&world), 0);
    // Without what is kept each command needs a secret of its own, so it is the kept token that spares it.
    world.forge(["--no-token-cache", "secret", "get", "store://bao/a"]).exits(5).stderr_has("env:SECRET");
    world.forge(["provider", "remove", "bao", "--yes"]).succeeds();
    assert!(files(&world).is_empty());
    add().and(["--no-token-cache"]).run().succeeds().stderr_has("none is kept");
    assert!(files(&world).is_empty());
    get(&world, "store://bao/a").exits(5);
}

#[test]
fn a_mistake_in_a_setting_does_not_cost_another_secret_id() {
    let (server, world, _) = role("1h");
    let add = |mount: &str, secret: &str| {
        let run = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--credential", CREDENTIAL]);
        let run = run.and(["--set", &format!("address={}", server.address()), "--set", &format!("mount={mount}")]);
        run.variable("SECRET", secret).run()
    };
    let secret = server.secret_id(1);
    let mistyped = add("sceret", &secret);
    assert!(matches!(mistyped.code, Some(3 | 4)), "{mistyped:?}");
    add("secret", &secret).succeeds();
    get(&world, "store://bao/a").succeeds().stdout_is("x");
}

#[test]
fn what_is_kept_is_no_token_that_anybody_could_read() {
    let (server, world, secret) = role("1h");
    let world = world.with("SECRET", &secret);
    add_vault(&world, &server, ["--credential", CREDENTIAL]).succeeds();
    get(&world, "store://bao/a").succeeds();
    let accessors = server.root("LIST", "auth/token/accessors", "").json();
    assert_eq!(accessors["data"]["keys"].as_array().unwrap().len(), 2, "more than one login was made");
    // OpenBao's service tokens begin like this.
    world.keeps_nowhere("\"s.");
    world.keeps_nowhere(&secret);
    // A bit that was changed, another provider's file, and half a file: each costs a login and no more.
    let bytes = std::fs::read(kept(&world)).unwrap();
    for (at, change) in [bytes.len() - 1, 20].into_iter().enumerate() {
        let mut edited = bytes.clone();
        edited[change] ^= 1;
        std::fs::write(kept(&world), &edited).unwrap();
        get(&world, "store://bao/a").succeeds();
        assert_eq!(logins(&world), at + 1);
    }
    std::fs::write(kept(&world), &bytes[..bytes.len() / 2]).unwrap();
    get(&world, "store://bao/a").succeeds();
    assert_eq!(logins(&world), 3);
}

#[test]
fn a_token_that_was_revoked_is_dropped_and_the_read_made_again() {
    let (server, world, secret) = role("1h");
    let world = world.with("SECRET", &secret);
    add_vault(&world, &server, ["--credential", CREDENTIAL]).succeeds();
    server.root("POST", "sys/leases/revoke-prefix/auth/approle", "{}").has_status(204);
    get(&world, "store://bao/a").succeeds().stdout_is("x");
    assert_eq!(logins(&world), 1);
    get(&world, "store://bao/a").succeeds();
    assert_eq!(logins(&world), 1);
}

#[test]
fn a_token_that_is_over_is_got_anew_and_one_that_is_due_is_renewed() {
    let (server, world, secret) = role("4s");
    let world = world.with("SECRET", &secret);
    add_vault(&world, &server, ["--credential", CREDENTIAL]).succeeds();
    std::thread::sleep(std::time::Duration::from_millis(4_500));
    get(&world, "store://bao/a").succeeds();
    assert_eq!(logins(&world), 1);
    // Two thirds of it are over; whoever is late on a busy machine logs in, which is as good.
    std::thread::sleep(std::time::Duration::from_millis(2_900));
    get(&world, "store://bao/a").succeeds();
    let renewals = world.audit().iter().filter(|record| record["route"] == "/v1/auth/token/renew-self").count();
    assert!(renewals + logins(&world) >= 2, "{renewals} renewals");
}

#[test]
fn another_role_at_the_same_source_does_not_get_the_token_of_the_first() {
    let (server, world, secret) = role("1h");
    let world = world.with("SECRET", &secret);
    add_vault(&world, &server, ["--credential", CREDENTIAL]).succeeds();
    let other = world.command(["secret", "get", "store://bao/a"]).variable("ROLE", "another-role").run();
    other.exits(5).stderr_has("login");
    get(&world, "store://bao/a").succeeds();
}

#[test]
fn many_commands_at_once_share_what_is_kept() {
    let (server, world, secret) = role("1h");
    let world = world.with("SECRET", &secret);
    add_vault(&world, &server, ["--credential", CREDENTIAL]).succeeds();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    get(&world, "store://bao/a").succeeds().stdout_is("x");
                }
            });
        }
    });
    assert_eq!(logins(&world), 0);
    // A temporary file would be a second one.
    kept(&world);
}

/// The files beside the tokens, but for locks.
fn files(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.data().join("tokens")).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "bao.lock").collect()
}

#[test]
fn many_commands_that_log_in_for_the_first_time_wait_for_one_login() {
    let (server, world, _) = role("1h");
    let add = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--credential", CREDENTIAL]);
    let add = add.and(["--set", &format!("address={}", server.address())]);
    add.variable("SECRET", &server.secret_id(1)).run().succeeds();
    for _ in 0..3 {
        std::fs::remove_file(kept(&world)).unwrap();
        let secret = server.secret_id(1);
        let before = logins(&world);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let get = world.command(["secret", "get", "store://bao/a"]).variable("SECRET", &secret);
                    get.run().succeeds().stdout_is("x");
                });
            }
        });
        assert_eq!((logins(&world) - before, files(&world).len()), (1, 1));
    }
}

#[test]
fn a_wrapped_secret_id_is_not_opened_by_a_provider_that_keeps_no_token() {
    let (server, world, _) = role("1h");
    let file = world.file("wrapped", server.wrapped_secret_id(1));
    let credential = format!("vault-token,method=approle,role-id=env:ROLE,secret-id-wrapped=file:{file}");
    let add = || {
        let run = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--credential", &credential]);
        run.and(["--set", &format!("address={}", server.address())])
    };
    add().and(["--no-token-cache"]).run().exits(2).stderr_has("leave out `--no-token-cache`");
    // It was not opened, so it still opens for a provider that keeps what it buys.
    add().run().succeeds();
    get(&world, "store://bao/a").succeeds().stdout_is("x");
    // One command that keeps nothing would open the next one for nothing, and give an alarm for this one.
    world
        .forge(["--no-token-cache", "secret", "get", "store://bao/a"])
        .exits(2)
        .stderr_has("leave out `--no-token-cache`");
    get(&world, "store://bao/a").succeeds().stdout_is("x");
}
