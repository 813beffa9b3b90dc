//! Grants that are tried, replaced or only half written: what is left on the disk, and what still works.

use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::terminal::Terminal;
use forge_tests::world::{World, files};

use super::{get, set};

/// A project with the provider `bao` at this server.
fn project(server: &OpenBao) -> String {
    format!("[providers.bao]\nplugin = \"vault\"\nsettings = {{ address = \"{}\" }}\n", server.address())
}

/// How many credentials lie sealed in this world.
fn sealed(world: &World) -> usize {
    files(&world.data().join("credentials")).len()
}

/// How many tokens are kept in this world.
fn tokens(world: &World) -> usize {
    let files = files(&world.data().join("tokens"));
    files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "sealed")).count()
}

#[test]
fn a_trial_that_comes_to_nothing_costs_no_token_of_the_grant_that_counts() {
    let server = OpenBao::start();
    server.policy("app", r#"path "secret/data/*" { capabilities = ["read"] }"#);
    server.root("POST", "secret/data/a", r#"{"data":{"value":"x"}}"#).has_status(200);
    let (role, _) = server.approle(&["app"], "1h");
    let world = World::new().with("ROLE", &role).with("TOKEN", ROOT);
    let before = project(&server);
    let write = |text: &str| std::fs::write(world.path("work/forge.toml"), text).unwrap();
    let allow = |source: &str| {
        let credential = format!("bao=vault-token,method=approle,role-id=env:ROLE,secret-id=env:{source}");
        world.command(["allow", "--yes", "--credential", &credential]).variable(source, &server.secret_id(1))
    };
    write(&before);
    allow("FIRST").run().succeeds();
    get(&world, "store://bao/a").succeeds().stdout_is("x");
    // The new login of `bao` succeeds, and then another provider fails, so that nothing of it is recorded.
    let other = "[providers.other]\nplugin = \"vault\"\nsettings = { address = \"http://127.0.0.1:1\" }\n";
    write(&format!("{before}{other}"));
    allow("OTHER").and(["--credential", "other=vault-token,token=env:TOKEN"]).run().exits(6);
    write(&before);
    // The first secret id is spent, so nothing but its token reads this.
    get(&world, "store://bao/a").succeeds().stdout_is("x");
    assert_eq!(tokens(&world), 2);
    // What was tried is used once it is allowed, and what it replaces is gone.
    allow("OTHER").run().succeeds();
    get(&world, "store://bao/a").succeeds().stdout_is("x");
    assert_eq!(tokens(&world), 1);
    world.forge(["allow", "--revoke"]).succeeds();
    assert_eq!(tokens(&world), 0);
}

#[test]
fn a_typed_credential_that_is_replaced_is_gone_from_the_disk() {
    let server = OpenBao::start();
    let world = World::new();
    std::fs::write(world.path("work/forge.toml"), project(&server)).unwrap();
    let asked = |token: &str| {
        let mut terminal = Terminal::start(&world, ["allow", "--credential", "bao=vault-token,token=prompt"]);
        terminal.sees("token for `bao`: ");
        terminal.types(token);
        terminal.sees("[y/N] ");
        terminal.types("y");
        terminal.ends()
    };
    server.policy("app", r#"path "secret/*" { capabilities = ["create", "read", "update"] }"#);
    assert_eq!(asked(&server.token(&["app"])).1, 0);
    assert_eq!(sealed(&world), 1);
    let (screen, code) = asked(ROOT);
    assert_eq!((code, sealed(&world)), (0, 1), "{screen}");
    set(&world, "store://bao/a", "x").succeeds();
    // A grant that can't be written leaves nothing of what was typed for it.
    let grant = files(&world.data().join("grants")).pop().unwrap();
    std::fs::remove_file(&grant).unwrap();
    std::fs::create_dir(&grant).unwrap();
    let before = sealed(&world);
    let (screen, code) = asked(ROOT);
    assert!(code != 0 && screen.contains("can't write"), "{screen}");
    assert_eq!(sealed(&world), before);
}

#[test]
fn a_provider_whose_configuration_can_not_be_written_may_be_added_again() {
    let server = OpenBao::start();
    server.policy("app", r#"path "secret/*" { capabilities = ["create", "read", "update"] }"#);
    let (role, _) = server.approle(&["app"], "1h");
    let world = World::new().with("ROLE", &role).with("SECRET", &server.secret_id(1));
    let address = format!("address={}", server.address());
    let credential = "vault-token,method=approle,role-id=prompt,secret-id=env:SECRET";
    let arguments = ["provider", "add", "bao", "--plugin", "vault", "--set", &address, "--credential", credential];
    let added = |spoilt: bool| {
        let mut terminal = Terminal::start(&world, arguments);
        terminal.sees("role-id for `bao`: ");
        terminal.types(&role);
        terminal.sees("[y/N] ");
        if spoilt {
            std::fs::create_dir_all(world.config().parent().unwrap()).unwrap();
            std::fs::write(world.config(), "[half").unwrap();
        }
        terminal.types("y");
        terminal.ends()
    };
    let (screen, code) = added(true);
    assert!(code == 2 && screen.contains("can't be read any more"), "{screen}");
    assert_eq!((sealed(&world), files(&world.data().join("grants")).len()), (0, 0));
    assert_eq!(tokens(&world), 1, "the token was lost");
    std::fs::remove_file(world.config()).unwrap();
    let (screen, _) = added(false);
    assert!(!screen.contains("there is a provider of this name"), "{screen}");
}
