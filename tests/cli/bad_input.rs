//! What people type wrong: a sentence that says what, and what to do.

use forge_tests::world::World;

use super::{get, set};

#[test]
fn a_reference_that_can_not_be_read_is_refused_and_not_repeated() {
    let world = World::new();
    for reference in [
        "",
        "store://",
        "store:///path",
        "store://Local/a",
        "store://local",
        "store://user:hunter2@local/a",
        "store://local:8200/a",
        "https://vault.example/v1/secret/hunter2",
        "a//hunter2",
        "a/../hunter2",
        "hunter2%",
        "hunter2?version=1&version=2",
        "hunter2#",
    ] {
        let outcome = get(&world, reference);
        outcome.exits(2).stdout_is("").stderr_has("error: ").never_shows("hunter2");
    }
    let long = "a".repeat(5_000);
    get(&world, &long).exits(2).stderr_has("longer");
    assert!(world.audit().is_empty());
}

#[test]
fn an_unknown_provider_or_plugin_is_not_found() {
    let world = World::new();
    get(&world, "store://nowhere/a").exits(3).stderr_has("`nowhere`").stderr_has("forge provider list");
    set(&world, "store://nowhere/a", "x").exits(3);
    world.forge(["--provider", "nowhere", "secret", "get", "a"]).exits(3);
    world.forge(["provider", "info", "nowhere"]).exits(3);
    world.forge(["provider", "test", "nowhere"]).exits(3);
    world.forge(["provider", "remove", "nowhere", "--yes"]).exits(3);
    world.forge(["provider", "add", "x", "--plugin", "nowhere", "--yes"]).exits(3).stderr_has("`nowhere`");
    world.forge(["plugin", "info", "nowhere"]).exits(3);
    world.forge(["plugin", "remove", "nowhere"]).exits(3);
    world.forge(["plugin", "verify", "nowhere"]).exits(3);
    world.forge(["plugin", "install", "nowhere.wasm"]).exits(3).stderr_has("nowhere.wasm");
}

#[test]
fn a_setting_that_does_not_fit_is_refused_by_name_and_not_repeated() {
    let world = World::new();
    let add = |settings: &[&str]| {
        let mut run = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--credential", "none"]);
        for setting in settings {
            run = run.and(["--set", setting]);
        }
        run.run()
    };
    add(&[]).exits(2).stderr_has("`address`");
    for (settings, name) in [
        (vec!["address=https://root:hunter2@vault.example"], "`address`"),
        (vec!["address=vault.example"], "`address`"),
        (vec!["address=https://vault.example/v1"], "`address`"),
        (vec!["address=http://127.0.0.1:1", "mount=../sys"], "`mount`"),
        (vec!["address=http://127.0.0.1:1", "mount=a/**"], "`mount`"),
        (vec!["address=http://127.0.0.1:1", "kv-version=two"], "`kv-version`"),
        (vec!["address=http://127.0.0.1:1", "adress=x"], "`adress`"),
        (vec!["address=http://127.0.0.1:1", "address=http://127.0.0.1:2"], "twice"),
        (vec!["address"], "NAME=VALUE"),
    ] {
        add(&settings).exits(2).stderr_has(name).never_shows("hunter2");
    }
    world.forge(["provider", "list"]).succeeds();
    get(&world, "store://bao/a").exits(3);
}

#[test]
fn a_credential_that_does_not_fit_is_refused_and_not_repeated() {
    let world = World::new();
    let add = |credential: &str| {
        let run = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--set", "kv-version=2"]);
        run.and(["--set", "address=http://127.0.0.1:1", "--credential", credential]).run()
    };
    for credential in [
        "vault-token,hunter2-typed-by-mistake",
        "vault-token,token=hunter2-typed-by-mistake",
        "vault-token,token=file:",
        "vault-token,method=hunter2",
        "vault-token,method=approle",
        "vault-token,method=approle,role-id=env:R,token=env:T",
        "vault-token,token=env:T,namespace=/hunter2/",
        "hunter2",
        "header,name=x-a,value=env:T",
    ] {
        let outcome = add(credential);
        assert!(matches!(outcome.code, Some(2 | 5)), "{outcome:?}");
        if credential.contains("mistake") {
            outcome.never_shows("hunter2");
        }
    }
}

#[test]
fn a_configuration_that_can_not_be_read_is_told_by_its_line_and_never_repeated() {
    let world = World::new();
    std::fs::create_dir_all(world.config().parent().unwrap()).unwrap();
    for text in [
        "default = \"local\"\npassword = \"hunter2\"\n",
        "default = \"local\"\nthis is no TOML hunter2\n",
        "\n[providers.a]\nplugin = \"vault\"\ntoken = \"hunter2\"\n",
    ] {
        std::fs::write(world.config(), text).unwrap();
        get(&world, "a").exits(2).stderr_has("config.toml").stderr_has("line").never_shows("hunter2");
    }
    let missing = world.path("missing.toml").to_str().unwrap().to_owned();
    world.forge(["--config", &missing, "secret", "get", "a"]).exits(2).stderr_has(&missing);
}

/// A line that begins with its command is read by the description of that command alone, and one that begins with an
/// option by the description of all.
#[test]
fn a_line_means_the_same_whether_an_option_stands_before_its_command_or_not() {
    let world = World::new();
    for line in [
        "secret",
        "secret get",
        "secret get --nope",
        "secret get a b",
        "secret --yes delete a",
        "secret got a",
        "secret get --help",
        "secret --help",
        "secret rollback a",
        "secret copy --help",
        "provider",
        "provider add --help",
        "provider remove --dry-run",
        "plugin instal",
        "import",
        "doctor --move-key nowhere",
        "allow --nope",
        "sekret get a",
    ] {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (alone, among_all) =
            (world.words(&words), world.words(&[&["--quiet".to_owned()], words.as_slice()].concat()));
        assert_eq!(
            (alone.code, &alone.stdout, &alone.stderr),
            (among_all.code, &among_all.stdout, &among_all.stderr),
            "{line}"
        );
    }
}

#[test]
fn a_command_that_does_not_exist_is_a_usage_error() {
    let world = World::new();
    for arguments in [
        vec!["sekret"],
        vec!["secret", "get"],
        vec!["secret", "get", "a", "b"],
        vec!["--verbose", "--quiet", "plugin", "list"],
    ] {
        let mut run = world.command([]);
        for argument in arguments {
            run = run.and([argument]);
        }
        run.run().exits(2).stdout_is("");
    }
    world.forge(["--help"]).succeeds().stdout_has("Usage");
    world.forge(["--version"]).succeeds().stdout_has("forge ");
}

#[test]
fn a_value_is_never_an_argument_and_a_file_that_is_not_there_is_told() {
    let world = World::new();
    world.forge(["secret", "set", "a", "hunter2"]).exits(2);
    let missing = world.path("missing").to_str().unwrap().to_owned();
    let outcome = world.forge(["secret", "set", "a", "--from-file", &missing]);
    assert_ne!(outcome.code, Some(0));
    outcome.stderr_has(&missing);
    get(&world, "a").exits(3);
    let file = world.file("value", b"from\xffa file\n");
    world.forge(["secret", "set", "a", "--from-file", &file]).succeeds();
    get(&world, "a").succeeds().stdout_is(b"from\xffa file\n");
}

#[test]
fn a_name_that_is_taken_or_malformed_makes_no_provider() {
    let world = World::new();
    let add = |name: &str| {
        let run = world.command(["provider", "add", name, "--plugin", "vault", "--yes", "--credential", "none"]);
        run.and(["--set", "address=http://127.0.0.1:1", "--set", "kv-version=2"]).run()
    };
    add("bao").succeeds();
    add("bao").exits(9).stderr_has("forge provider remove bao");
    for name in ["local", "Bao", "a/b", "../a", "", "a b"] {
        add(name).exits(2);
    }
}
