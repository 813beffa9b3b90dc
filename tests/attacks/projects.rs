//! A cloned repository that wants what its owner was not granted: each attack beside its twin that a person allowed.

mod paths;

use std::path::Path;

use forge_tests::servers::google::Google;
use forge_tests::servers::hostile::Hostile;
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::{World, program};
use rexpect::session::spawn_command;

use super::{CANARY, CANARY_VARIABLE, TRACE};

/// A project with a store in a folder of its own.
const STORE: &str = "default = \"store\"\n[providers.store]\nplugin = \"file\"\nsettings = { path = \"secrets\" }\n";

/// How long an answer on the terminal may take on a busy machine, in milliseconds.
const PATIENCE: u64 = 120_000;

/// Writes the project of the working directory.
fn write(world: &World, text: &str) {
    std::fs::write(world.path("work/forge.toml"), text).unwrap();
}

/// A world in a project that says this, with a secret of the user's own.
fn project(text: &str) -> World {
    let world = World::new().with(CANARY_VARIABLE, CANARY);
    world.command(["secret", "set", "store://local/mine"]).input("mine").run().succeeds();
    write(&world, text);
    world
}

/// A project whose provider is a server.
fn server(address: &str) -> String {
    format!(
        "default = \"bao\"\n[providers.bao]\nplugin = \"vault\"\nsettings = {{ address = \"{address}\", kv-version = 2 }}\n"
    )
}

/// Allows the project, with the canary for its server.
fn allow(world: &World) -> forge_tests::outcome::Outcome {
    let credential = format!("bao=vault-token,token=env:{CANARY_VARIABLE}");
    world.forge(["allow", "--yes", "--credential", &credential])
}

/// Expects that what uses the project is refused, and that what does not works.
#[track_caller]
fn refused(world: &World, code: i32, sentence: &str) {
    let outcome = world.forge(["secret", "get", "a"]);
    outcome.exits(code).stdout_is("").stderr_has(sentence).never_shows(TRACE);
    world.forge(["secret", "get", "store://local/mine"]).succeeds().stdout_is("mine");
}

#[test]
fn a_changed_address_gets_no_credential() {
    let (honest, evil) = (Hostile::start(), Hostile::start());
    let world = project(&server(&honest.origin()));
    allow(&world).succeeds();
    let before = honest.received().len();
    world.forge(["secret", "get", "a"]);
    assert!(
        honest.received()[before..].iter().any(|request| request.header("x-vault-token") == Some(CANARY)),
        "the guard is shut"
    );
    write(&world, &server(&evil.origin()));
    refused(&world, 8, "has changed since it was allowed");
    world.forge(["provider", "test", "bao"]).exits(8);
    evil.was_never_asked();
    // A person who sees the new address and allows it is asked, and so is the server.
    allow(&world).succeeds();
    world.forge(["secret", "get", "a"]);
    assert!(!evil.received().is_empty());
    world.keeps_nowhere(TRACE);
}

#[test]
fn a_changed_reference_does_not_count_until_it_is_seen() {
    let text = |reference: &str| format!("{STORE}[secrets]\nA = \"{reference}\"\n");
    let world = project(&text("store://store/app/a"));
    world.forge(["allow", "--yes"]).succeeds();
    write(&world, &text("store://local/mine"));
    refused(&world, 8, "has changed since it was allowed");
    // The same change where the user said beforehand that it may be made.
    write(&world, &text("store://store/app/a"));
    world.forge(["allow", "--yes", "--refs", "store://local/**"]).succeeds();
    write(&world, &text("store://local/mine"));
    world.forge(["secret", "get", "a"]).exits(3);
}

#[test]
fn a_project_does_not_choose_where_a_token_of_a_cloud_goes() {
    let (google, evil) = (Google::start(), Hostile::start());
    let origin = evil.origin();
    let world = project(&format!(
        "default = \"gcp\"\n[providers.gcp]\nplugin = \"gcp\"\nsettings = {{ project = \"my-project\", endpoint = \"{origin}\" }}\n"
    ));
    let allow = |more: &[&str]| {
        let run = world.command(["allow", "--yes", "--credential", &format!("gcp={}", google.credential())]);
        more.iter().fold(run, |run, word| run.and([*word])).run()
    };
    allow(&[]).exits(8).stderr_has("may not be sent to");
    world.forge(["secret", "get", "a"]).exits(8);
    evil.was_never_asked();
    allow(&["--credential-audience", &format!("gcp={origin}")]).succeeds();
    world.forge(["secret", "get", "a"]);
    assert!(evil.received().iter().any(|request| request.header("authorization").is_some()));
}

#[test]
fn a_project_does_not_choose_where_a_credential_is_found() {
    let honest = Hostile::start();
    let world = project(&server(&honest.origin()));
    for credential in [
        format!("credential = {{ kind = \"vault-token\", token = \"env:{CANARY_VARIABLE}\" }}"),
        "credential = { kind = \"vault-token\", method = \"approle\" }".to_owned(),
        "credential.source = \"file:/etc/passwd\"".to_owned(),
    ] {
        write(&world, &format!("{}{credential}\n", server(&honest.origin())));
        refused(&world, 2, "its source is chosen by whoever allows it");
        allow(&world).exits(2);
    }
    // A kind with what follows it, as a person types it.
    for kind in ["header,name=x-canary,value=env:{}", "bearer,token=env:{}", "vault-token,env:{}"] {
        let credential = format!("credential.kind = \"{}\"\n", kind.replace("{}", CANARY_VARIABLE));
        write(&world, &format!("{}{credential}", server(&honest.origin())));
        refused(&world, 2, "is no kind of credential");
        allow(&world).exits(2);
    }
    honest.was_never_asked();
    // The same source, typed by a person.
    write(&world, &format!("{}credential.kind = \"vault-token\"\n", server(&honest.origin())));
    allow(&world).succeeds();
    world.forge(["secret", "get", "a"]);
    assert!(honest.received().iter().any(|request| request.header("x-vault-token") == Some(CANARY)));
}

#[test]
fn a_project_chooses_no_certificates_no_proxy_and_no_rules() {
    let real = OpenBao::start_with_tls();
    let world = project("").with("TOKEN", ROOT);
    let text = server(real.address());
    std::fs::copy(real.ca(), world.path("work/ca.pem")).unwrap();
    for line in
        ["tls-ca = \"ca.pem\"", "proxy = \"http://127.0.0.1:1\"", "network = \"public\"", "credential-audience = []"]
    {
        write(&world, &format!("{text}{line}\n"));
        refused(&world, 2, "can't be set by a project");
        world.forge(["allow", "--yes"]).exits(2);
    }
    for line in ["audit = false", "policy = {}", "publishers = []", "proxy = \"http://127.0.0.1:1\""] {
        write(&world, &format!("{line}\n{text}"));
        refused(&world, 2, "can't be set by a project");
    }
    // Without them its server is nobody whom the machine knows; with them, typed by a person, it is.
    write(&world, &text);
    let run = world.command(["allow", "--yes", "--credential", "bao=vault-token,token=env:TOKEN"]);
    run.run().succeeds();
    assert_ne!(world.forge(["provider", "test", "bao"]).code, Some(0));
    let run = world.command(["allow", "--yes", "--credential", "bao=vault-token,token=env:TOKEN"]);
    run.and(["--tls-ca", "bao=ca.pem"]).run().succeeds().stderr_has("only the certificates of the file given");
    world.forge(["provider", "test", "bao"]).succeeds();
}

#[test]
fn a_project_does_not_put_itself_in_the_place_of_the_users_provider() {
    let (honest, evil) = (Hostile::start(), Hostile::start());
    let world = project("");
    let add = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--set", "kv-version=2"]);
    let credential = format!("vault-token,token=env:{CANARY_VARIABLE}");
    add.and(["--set", &format!("address={}", honest.origin()), "--credential", &credential]).run().succeeds();
    write(&world, &server(&evil.origin()));
    for outcome in [allow(&world), world.forge(["secret", "get", "store://bao/a"])] {
        outcome.exits(2).stderr_has("`bao`").stderr_has("forge.toml").stderr_has("config.toml").stderr_has("rename");
    }
    refused(&world, 2, "is also one of your own");
    evil.was_never_asked();
    // Allowed under a name of its own, and named like the user's later on.
    write(&world, &server(&evil.origin()).replace("bao", "theirs"));
    world.forge(["allow", "--yes", "--credential", &format!("theirs={credential}")]).succeeds();
    world.forge(["secret", "get", "a"]);
    assert!(!evil.received().is_empty(), "the guard is shut");
    let add = world.command(["provider", "add", "late", "--plugin", "vault", "--yes", "--set", "kv-version=2"]);
    add.and(["--set", &format!("address={}", honest.origin()), "--credential", &credential]).run().succeeds();
    let late = format!(
        "{}[providers.late]\nplugin = \"file\"\nsettings.path = \"late\"\n",
        server(&evil.origin()).replace("bao", "theirs")
    );
    write(&world, &late);
    world.forge(["allow", "--yes"]).exits(2).stderr_has("`late`");
    write(&world, "[providers.local]\nplugin = \"file\"\nsettings.path = \"late\"\n");
    refused(&world, 2, "`local` is the built-in store");
}

#[test]
fn a_project_is_not_where_the_users_own_providers_log_in_from() {
    let honest = Hostile::start();
    let world = project("");
    let vault = |name: &str, token: &str| {
        let add = world.command(["provider", "add", name, "--plugin", "vault", "--yes", "--set", "kv-version=2"]);
        add.and([
            "--set",
            &format!("address={}", honest.origin()),
            "--credential",
            &format!("vault-token,token={token}"),
        ])
        .run()
    };
    std::fs::create_dir(world.path("tokens")).unwrap();
    let tokens = format!("path={}", world.path("tokens").display());
    world.forge(["provider", "add", "tokens", "--plugin", "file", "--yes", "--set", &tokens]).succeeds();
    world.command(["secret", "set", "store://tokens/token"]).input(CANARY).run().succeeds();
    vault("bao", "store://tokens/token").succeeds();
    world.forge(["secret", "get", "store://bao/a"]);
    assert!(
        honest.received().iter().any(|request| request.header("x-vault-token") == Some(CANARY)),
        "the guard is shut"
    );
    // The user's provider is gone, and a project that was allowed has one of its name.
    world.forge(["provider", "remove", "tokens", "--yes"]).succeeds();
    write(&world, "[providers.tokens]\nplugin = \"file\"\nsettings.path = \"tokens\"\n");
    world.forge(["allow", "--yes"]).succeeds();
    world.command(["secret", "set", "store://tokens/token"]).input("chosen by the project").run().succeeds();
    let before = honest.received().len();
    world.forge(["secret", "get", "store://bao/a"]).exits(5).stdout_is("").stderr_has("forge.toml");
    assert_eq!(honest.received().len(), before);
}

#[test]
fn names_that_drive_a_terminal_are_not_shown_as_they_are() {
    let world = project(STORE);
    for text in ["\\u001b[2J", "\\u202e", "\\u200b", "\\u0007"] {
        write(&world, &STORE.replace("secrets", &format!("se{text}crets")));
        world.forge(["allow"]).exits(2).stderr_has("must be printable").never_shows("\u{1b}").never_shows("\u{202e}");
        write(&world, &format!("{STORE}[secrets]\n\"A{text}\" = \"a\"\n"));
        world.forge(["allow"]).exits(2).never_shows("\u{1b}").never_shows("\u{202e}").never_shows("\u{200b}");
    }
    // Names of folders are chosen by whoever wrote the repository, too; and a plain one is shown as it is.
    let folder = "work/inno\u{1b}[2Jcent\u{202e}";
    std::fs::create_dir(world.path(folder)).unwrap();
    std::fs::write(world.path(folder).join("forge.toml"), "default = \"local\"\n").unwrap();
    for arguments in [vec!["allow"], vec!["secret", "get", "a"]] {
        let mut run = world.command([]).within(folder);
        for argument in &arguments {
            run = run.and([*argument]);
        }
        run.run().exits(8).stderr_has("inno").never_shows("\u{1b}").never_shows("\u{202e}");
    }
    write(&world, STORE);
    world.forge(["allow"]).exits(8).stderr_has("work");
}

#[test]
fn what_is_allowed_is_what_was_shown_although_the_file_is_edited_meanwhile() {
    for edited in [false, true] {
        let world = project(STORE);
        let mut command = std::process::Command::new(program());
        command.arg("allow").current_dir(world.path("work")).env_clear().env("HOME", world.home());
        let mut terminal = spawn_command(command, Some(PATIENCE)).unwrap();
        terminal.exp_string("allow all of this?").unwrap();
        if edited {
            write(&world, &STORE.replace("\"secrets\"", "\"chosen/later\""));
        }
        terminal.send_line("y").unwrap();
        terminal.exp_string("allowed").unwrap();
        terminal.exp_eof().unwrap();
        if edited {
            refused(&world, 8, "has changed since it was allowed");
            world.forge(["allow"]).exits(8).stderr_has("~ providers.store.settings.path = chosen/later (was secrets)");
        } else {
            world.forge(["secret", "get", "a"]).exits(3);
        }
    }
}

#[test]
fn two_projects_with_a_provider_of_the_same_name_have_nothing_of_each_other() {
    let (honest, evil) = (Hostile::start(), Hostile::start());
    let world = project(&server(&honest.origin()));
    allow(&world).succeeds();
    std::fs::create_dir(world.path("other")).unwrap();
    std::fs::write(world.path("other/forge.toml"), server(&evil.origin())).unwrap();
    let other = |arguments: &[&str]| {
        let mut run = world.command([]).within("other");
        for argument in arguments {
            run = run.and([*argument]);
        }
        run.run()
    };
    other(&["secret", "get", "a"]).exits(8).stderr_has("is not allowed yet");
    // Allowed without a grant, it does not find the other's.
    other(&["allow", "--yes", "--without", "bao"]).succeeds();
    other(&["secret", "get", "a"]).exits(8).stderr_has("nothing is granted to `bao`");
    // Nor does it work with the other's, put in its place.
    let grants = world.data().join("grants/projects");
    let [first] =
        std::fs::read_dir(&grants).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>().try_into().unwrap();
    let trust = world.data().join("trust");
    let key = |folder: &Path| first_key(folder, &first);
    let second = grants.join(key(&trust));
    std::fs::create_dir(&second).unwrap();
    std::fs::copy(first.join("bao.json"), second.join("bao.json")).unwrap();
    other(&["secret", "get", "a"]).exits(11).stderr_has("another provider");
    evil.was_never_asked();
    std::fs::remove_dir_all(&second).unwrap();
    // With a grant of its own it is asked, and the first is none the wiser.
    other(&["allow", "--yes", "--credential", &format!("bao=vault-token,token=env:{CANARY_VARIABLE}")]).succeeds();
    other(&["secret", "get", "a"]);
    assert!(!evil.received().is_empty());
    let before = evil.received().len();
    world.forge(["secret", "get", "a"]);
    assert_eq!(evil.received().len(), before);
    other(&["allow", "--revoke"]).succeeds();
    world.forge(["provider", "info", "bao"]).succeeds().stdout_has(&honest.origin());
}

/// The name under which the records of the other of two projects lie.
fn first_key(trust: &Path, not: &Path) -> String {
    let names = std::fs::read_dir(trust).unwrap().map(|entry| entry.unwrap().path());
    let mut names = names.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    names.find(|name| Some(name.as_str()) != not.file_name().unwrap().to_str()).unwrap()
}
