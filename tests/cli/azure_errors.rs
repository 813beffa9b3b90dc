//! Servers that don't do what the documentation of Key Vault says: a clear error with its exit code, and nothing taken for a
//! value.

use std::os::unix::fs::PermissionsExt as _;

use forge_tests::servers::hostile::Hostile;
use forge_tests::world::World;

use super::{get, set};

/// Nobody's token, as a login gave it.
const TOKEN: &str = "canary.token-of-the-bad.vault_0123456789";

/// A world with the provider `kv` at this address, whatever is there, whose token `az` tells.
#[track_caller]
fn world(server: &Hostile) -> World {
    let world = World::new();
    let folder = world.path("bin");
    std::fs::create_dir(&folder).unwrap();
    let answer = format!(r#"{{"accessToken":"{TOKEN}","expires_on":4102444800,"tokenType":"Bearer"}}"#);
    std::fs::write(folder.join("az"), format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
    std::fs::set_permissions(folder.join("az"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let world = world.with("PATH", &path);
    let origin = server.origin();
    let add = world.command(["provider", "add", "kv", "--plugin", "azure", "--yes", "--credential-audience", &origin]);
    let add = add.and(["--set", &format!("vault-url={origin}")]);
    add.and(["--credential", "azure-ad,method=cli,resource=https://vault.azure.net"]).run().succeeds();
    world
}

#[test]
fn each_answer_that_is_none_of_key_vault_has_its_exit_code() {
    let server = Hostile::start();
    let world = world(&server);
    for (behaviour, code) in [
        // An error without a code of the service is somebody else's, such as a proxy's: no missing secret.
        ("empty-404", 6),
        ("html", 6),
        ("truncated", 6),
        ("hang-up", 6),
        ("garbage", 6),
        ("header-bomb", 6),
        ("reflect", 11),
        ("reflect-header", 11),
        ("reflect-base64", 11),
        ("redirect", 6),
    ] {
        server.always(behaviour);
        let asked = server.received().len();
        let outcome = get(&world, "store://kv/app-db");
        outcome.exits(code).stdout_is("").stderr_has("error: can't read").never_shows(TOKEN);
        assert!(server.received().len() > asked, "{behaviour}");
        set(&world, "store://kv/app-db", "canary of a write").exits(code).never_shows("canary of a write");
        world.keeps_nowhere(TOKEN);
    }
}
