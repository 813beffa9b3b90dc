//! What stands in for a backend that is down, and never for one that has answered.

use forge_tests::servers::openbao::OpenBao;
use forge_tests::world::World;

use super::{add_vault, get, root_world, set};

/// A world whose default provider is `bao`, for which `local` stands in.
fn falling_back(server: &OpenBao) -> World {
    let world = root_world();
    add_vault(&world, server, []).exits(0);
    let config = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), format!("default = \"bao\"\nfallback = [\"local\"]\n{config}")).unwrap();
    world
}

#[test]
fn another_provider_answers_for_one_that_is_down_and_that_is_told_and_on_record() {
    let mut server = OpenBao::start();
    let world = falling_back(&server);
    set(&world, "app/db", "of bao").exits(0);
    set(&world, "store://local/app/db", "of local").exits(0);
    get(&world, "app/db").exits(0).stdout_is("of bao").stderr_is("");
    server.stop();
    get(&world, "app/db")
        .exits(0)
        .stdout_is("of local")
        .stderr_has("`store://local/app/db` answers in place of `app/db`");
    let record = world.audit().pop().unwrap();
    assert_eq!((&record["provider"], &record["fallback_for"]), (&"local".into(), &"app/db".into()));
    world.forge(["audit", "tail", "-n", "1"]).exits(0).stdout_has("  in place of app/db\n");
    let file = world.file("app.yaml", "password: ${secret:app/db}\n");
    let filled = world.forge(["inject", "-i", &file]);
    filled.exits(0).stdout_is("password: 'of local'\n").stderr_has("answers in place of");
    // Who names a provider means that one.
    get(&world, "store://bao/app/db").exits(6);
    world.forge(["-p", "bao", "secret", "get", "app/db"]).exits(6);
    let both = get(&world, "app/missing");
    both.exits(6).stderr_has("in its place `store://local/app/missing`: there is no such secret or version");
}

#[test]
fn a_denied_or_missing_secret_is_never_answered_by_another_provider() {
    let server = OpenBao::start();
    let world = falling_back(&server);
    for name in ["store://bao/app/denied", "store://local/app/denied", "store://local/app/missing"] {
        set(&world, name, "hunter2").exits(0);
    }
    let token = server.token(&["default"]);
    let denied = world.command(["secret", "get", "app/denied"]).variable("TOKEN", &token).run();
    denied.exits(4).stdout_is("");
    world.command(["secret", "get", "app/denied"]).variable("TOKEN", "nobody's").run().exits(5).stdout_is("");
    get(&world, "app/missing").exits(3).stdout_is("");
    assert!(world.audit().iter().all(|record| record["fallback_for"].is_null()));
}

#[test]
fn a_variable_answers_where_that_was_chosen_and_only_then() {
    let mut server = OpenBao::start();
    let world = root_world().with("APP_KEY", "of the environment");
    add_vault(&world, &server, []).exits(0);
    world.forge(["provider", "add", "ci", "--plugin", "env", "--set", "names=APP_*", "--yes"]).exits(0);
    set(&world, "store://bao/APP_KEY", "of the vault").exits(0);
    let config = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), format!("default = \"bao\"\n{config}")).unwrap();
    server.stop();
    get(&world, "APP_KEY").exits(6).stdout_is("");
    let environments = "[environments.here]\nfallback = [\"ci\"]\n[environments.there]\ndefault = \"local\"\n";
    std::fs::write(world.config(), format!("default = \"bao\"\n{config}\n{environments}")).unwrap();
    get(&world, "APP_KEY").exits(6).stdout_is("");
    let read = world.forge(["-e", "here", "secret", "get", "APP_KEY"]);
    read.exits(0).stdout_is("of the environment").stderr_has("`store://ci/APP_KEY` answers in place of `APP_KEY`");
    world.forge(["-e", "there", "secret", "get", "APP_KEY"]).exits(3);
}

#[test]
fn a_stand_in_that_is_no_provider_is_told_before_it_is_needed() {
    let world = World::new();
    std::fs::create_dir_all(world.config().parent().unwrap()).unwrap();
    std::fs::write(world.config(), "fallback = [\"nowhere\"]\n").unwrap();
    get(&world, "app/db").exits(2).stderr_has("`fallback` names the provider `nowhere`, which is not configured");
    get(&world, "store://local/app/db").exits(3);
}
