//! Projects as their people use them: found, shown, allowed, changed and asked about again.

use forge_tests::outcome::Outcome;
use forge_tests::servers::identity::Authority;
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::World;

use super::{get, set};

/// A project with a store in a folder of its own.
const STORE: &str = "default = \"store\"\n[providers.store]\nplugin = \"file\"\nsettings = { path = \"secrets\" }\n";

/// Writes the project of the working directory.
fn write(world: &World, text: &str) {
    std::fs::write(world.path("work/forge.toml"), text).unwrap();
}

/// A world in a project that says this.
fn project(text: &str) -> World {
    let world = World::new();
    write(&world, text);
    world
}

#[track_caller]
fn allow(world: &World) -> Outcome {
    world.forge(["allow", "--yes"])
}

#[test]
fn a_project_counts_once_it_is_allowed_and_until_its_meaning_changes() {
    let world = project(STORE);
    set(&world, "store://local/mine", "mine").succeeds();
    let refused = |sentence: &str| {
        for outcome in [
            get(&world, "a"),
            set(&world, "a", "x"),
            get(&world, "store://store/a"),
            world.forge(["secret", "list"]),
            world.forge(["-p", "store", "secret", "get", "a"]),
            world.forge(["provider", "test", "store"]),
        ] {
            outcome.exits(8).stdout_is("").stderr_has(sentence).stderr_has("forge.toml").stderr_has("`forge allow`");
        }
        // Whatever uses nothing of the project works as anywhere else.
        get(&world, "store://local/mine").succeeds().stdout_is("mine");
        world.forge(["-p", "local", "secret", "get", "mine"]).succeeds();
        let listed = world.forge(["--json", "provider", "list"]);
        assert_eq!(listed.json()["providers"].as_array().unwrap().len(), 1);
        listed.stderr_is("");
        assert!(listed.json()["warnings"][0].as_str().unwrap().contains(sentence), "{listed:?}");
    };
    refused("is not allowed yet");
    allow(&world).succeeds().stderr_has("secrets, read and write");
    set(&world, "a", "of the project").succeeds().stderr_has("store://store/a");
    get(&world, "a").succeeds().stdout_is("of the project");
    world.forge(["--json", "provider", "list"]).stdout_has("work/forge.toml");
    // From a folder below, too, and after a change that means nothing.
    std::fs::create_dir(world.path("work/below")).unwrap();
    write(&world, &format!("# comment\n{}", STORE.replace('"', "'")));
    world.command(["secret", "get", "a"]).within("work/below").run().succeeds().stdout_is("of the project");
    write(&world, &STORE.replace("\"secrets\"", "\"others\""));
    refused("has changed since it was allowed");
    write(&world, STORE);
    get(&world, "a").succeeds();
    world.forge(["allow", "--revoke"]).succeeds();
    refused("is not allowed yet");
    world.forge(["allow", "--revoke"]).exits(3);
}

#[test]
fn outside_of_its_folder_a_project_means_nothing() {
    let world = project(STORE);
    allow(&world).succeeds();
    std::fs::create_dir(world.path("elsewhere")).unwrap();
    set(&world, "a", "of the project").succeeds();
    let run = |arguments: [&str; 3]| world.command(arguments).within("elsewhere").run();
    run(["secret", "get", "a"]).exits(3);
    run(["secret", "get", "store://store/a"]).exits(3);
    world.command(["allow", "--yes"]).within("elsewhere").run().exits(3).stderr_has("forge init");
}

#[test]
fn a_bare_path_that_the_project_says_nothing_of_is_the_users() {
    let world = project("[secrets]\nA = \"store://nobodys/a\"\n[environments.staging]\ndefault = \"local\"\n");
    set(&world, "a", "mine").succeeds();
    get(&world, "a").succeeds().stdout_is("mine");
    // But in an environment that the project would define, it may be another one.
    world.forge(["-e", "staging", "secret", "get", "a"]).exits(8);
    allow(&world).succeeds().stderr_has("warning: `nobodys` is no provider yet");
    world.forge(["-e", "staging", "secret", "get", "a"]).succeeds();
}

#[test]
fn an_environment_chooses_another_default_by_option_or_variable() {
    let world = project(&format!(
        "{STORE}[providers.other]\nplugin = \"file\"\nsettings.path = \"other\"\n[environments.staging]\ndefault = \"other\"\n"
    ));
    allow(&world).succeeds();
    set(&world, "store://store/a", "outside").succeeds();
    set(&world, "store://other/a", "staging").succeeds();
    get(&world, "a").stdout_is("outside");
    world.forge(["--environment", "staging", "secret", "get", "a"]).succeeds().stdout_is("staging");
    let by_variable = || world.command(["secret", "get", "a"]).variable("FORGE_ENVIRONMENT", "staging");
    by_variable().run().stdout_is("staging");
    by_variable().and(["-p", "store"]).run().stdout_is("outside");
    world.forge(["-e", "stagng", "secret", "get", "a"]).exits(2).stderr_has("`stagng`");
}

#[test]
fn nobody_there_to_say_yes_means_no_and_nothing_is_kept() {
    let world = project(STORE);
    let outcome = world.forge(["allow"]);
    outcome.exits(8).stdout_is("").stderr_has("nobody allowed it").stderr_has("--yes").stderr_has("--project-hash");
    assert!(!world.data().join("trust").exists() && !world.data().join("grants").exists());
    get(&world, "a").exits(8);
}

#[test]
fn the_printed_hash_allows_exactly_what_it_was_printed_for() {
    let world = project(STORE);
    let hash = world.forge(["allow", "--print"]).succeeds().text().trim().to_owned();
    assert_eq!(hash.len(), 64);
    get(&world, "a").exits(8);
    let shown = world.forge(["--json", "allow", "--print"]).json();
    assert_eq!(shown["project_hash"], hash.as_str());
    assert_eq!(shown["state"], "not-allowed");
    assert_eq!(shown["meaning"]["providers"]["store"]["settings"]["path"], "secrets");
    write(&world, &STORE.replace("\"secrets\"", "\"others\""));
    world.forge(["allow", "--project-hash", &hash]).exits(8).stderr_has("hash");
    get(&world, "a").exits(8);
    write(&world, STORE);
    world.forge(["--non-interactive", "allow", "--project-hash", &hash]).succeeds();
    get(&world, "a").exits(3);
    assert_eq!(world.forge(["--json", "allow", "--print"]).json()["state"], "allowed");
}

#[test]
fn what_changed_is_shown_with_the_worst_first() {
    let world = project(&format!("{STORE}[secrets]\nA = \"a\"\nB = \"b\"\n"));
    allow(&world).succeeds();
    world.forge(["allow", "--yes"]).succeeds().stderr_has("allowed already");
    write(
        &world,
        &format!(
            "{}[secrets]\nA = \"z\"\nPATH = \"p\"\n",
            STORE.replace("\"secrets\"", "\"others\"").replace("default = \"store\"", "default = \"local\"")
        ),
    );
    let shown = world.forge(["allow"]).exits(8).stderr.clone();
    let lines: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("  ~") || line.starts_with("  +") || line.starts_with("  -"))
        .collect();
    assert_eq!(
        lines,
        [
            "  ~ providers.store.settings.path = others (was secrets)",
            "  ~ default = local (was store)",
            "  + secrets.PATH = p",
            "  ~ secrets.A = z (was a)",
            "  - secrets.B = b",
        ]
    );
}

#[test]
fn references_change_within_the_pattern_without_a_question() {
    let with = |secrets: &str| format!("{STORE}[secrets]\n{secrets}\n");
    let world = project(&with("A = \"store://store/app/a\""));
    world.forge(["allow", "--yes", "--refs", "app/**"]).exits(2).stderr_has("store://PROVIDER/PATH/**");
    world.forge(["allow", "--yes", "--refs", "store://store/app/**"]).succeeds();
    write(&world, &with("A = \"store://store/app/b\""));
    get(&world, "a").exits(3);
    for secrets in [
        "A = \"store://store/other\"",
        "A = \"store://local/app/a\"",
        "A = \"app/a\"",
        "A = \"store://store/app/a\"\nB = \"store://store/app/c\"",
        "",
    ] {
        write(&world, &with(secrets));
        get(&world, "a").exits(8);
    }
    // The pattern stays until it is replaced or taken back.
    write(&world, &with("A = \"store://store/other\""));
    allow(&world).succeeds().stderr_has("store://store/app/**");
    write(&world, &with("A = \"store://store/app/c\""));
    get(&world, "a").exits(3);
    world.forge(["allow", "--revoke"]).succeeds();
    allow(&world).succeeds();
    write(&world, &with("A = \"store://store/app/d\""));
    get(&world, "a").exits(8);
}

#[test]
fn the_local_file_is_one_persons_and_is_trusted_with_the_other() {
    let world = project(STORE);
    allow(&world).succeeds();
    std::fs::write(world.path("work/forge.local.toml"), "default = \"local\"\n").unwrap();
    get(&world, "a").exits(8).stderr_has("has changed");
    allow(&world).succeeds().stderr_has("forge.local.toml").stderr_has("~ default = local (was store)");
    set(&world, "a", "mine").succeeds().stderr_has("store://local/a");
    std::fs::write(world.path("work/forge.local.toml"), "password = \"hunter2\"\n").unwrap();
    get(&world, "a").exits(2).stderr_has("forge.local.toml").stderr_has("line 1, column").never_shows("hunter2");
}

#[test]
fn a_credential_is_where_the_user_says_and_stays_for_the_next_question() {
    let server = OpenBao::start();
    server.root("POST", "secret/data/a", r#"{"data":{"value":"of the server"}}"#);
    let world = World::new().with("PROJECT_TOKEN", ROOT);
    let text = |address: &str| {
        format!(
            "default = \"bao\"\n[providers.bao]\nplugin = \"vault\"\nsettings = {{ address = \"{address}\" }}\ncredential = {{ kind = \"vault-token\" }}\n"
        )
    };
    write(&world, &text(server.address()));
    // Without a credential at its usual places it is nobody's guess which one is meant.
    world.forge(["allow", "--yes"]).exits(5).stderr_has("--credential bao=").stderr_has("--without bao");
    world
        .forge(["allow", "--yes", "--credential", "boa=vault-token,token=env:PROJECT_TOKEN"])
        .exits(2)
        .stderr_has("`boa`");
    let named = world.forge(["allow", "--yes", "--credential", "bao=vault-token,token=env:PROJECT_TOKEN"]);
    named.succeeds().stderr_has("token=env:PROJECT_TOKEN").stderr_has("is loopback").stderr_has("and nowhere else");
    get(&world, "a").succeeds().stdout_is("of the server");
    world.forge(["provider", "test", "bao"]).succeeds();
    write(&world, &format!("{}[secrets]\nA = \"a\"\n", text(server.address())));
    get(&world, "a").exits(8);
    allow(&world).succeeds().stderr_has("keeps the grant");
    get(&world, "a").succeeds();
    // Another address is another question, and the old answer does not count for it.
    write(&world, &text("http://127.0.0.1:1"));
    world.forge(["allow", "--yes"]).exits(5);
    world.keeps_nowhere(ROOT);
}

#[test]
fn a_development_file_of_a_project_is_granted_by_its_name() {
    let world = project(
        "default = \"dev\"\n[providers.dev]\nplugin = \"textfile\"\nsettings = { file = \"config/dev.env\" }\n",
    );
    std::fs::create_dir(world.path("work/config")).unwrap();
    std::fs::write(world.path("work/config/dev.env"), "A=of the file\n").unwrap();
    allow(&world).succeeds().stderr_has("work/config/dev.env");
    get(&world, "A").succeeds().stdout_is("of the file");
    // A link in its place leads nowhere outside of the project.
    std::fs::write(world.path("outside.env"), "A=of somebody else\n").unwrap();
    std::fs::remove_file(world.path("work/config/dev.env")).unwrap();
    std::os::unix::fs::symlink(world.path("outside.env"), world.path("work/config/dev.env")).unwrap();
    get(&world, "A").exits(8).stdout_is("");
}

#[test]
fn a_provider_may_be_left_out_and_the_rest_is_allowed() {
    let world = project(&format!(
        "{STORE}[providers.bao]\nplugin = \"vault\"\nsettings = {{ address = \"http://127.0.0.1:1\", kv-version = 2 }}\n"
    ));
    world.forge(["allow", "--yes"]).exits(5);
    get(&world, "a").exits(8);
    world.forge(["allow", "--yes", "--without", "bao"]).succeeds().stderr_has("`bao` is granted nothing");
    get(&world, "a").exits(3);
    get(&world, "store://bao/a").exits(8).stderr_has("work/forge.toml").stderr_has("`forge allow`");
}

#[test]
fn a_provider_of_a_project_is_not_the_users_to_remove() {
    let world = project(STORE);
    allow(&world).succeeds();
    world.forge(["provider", "remove", "store", "--yes"]).exits(2).stderr_has("forge.toml").stderr_has("--revoke");
    let add = world.command(["provider", "add", "store", "--plugin", "vault", "--yes", "--credential", "none"]);
    add.and(["--set", "address=http://127.0.0.1:1", "--set", "kv-version=2"]).run().exits(9);
    world.forge(["provider", "info", "store"]).succeeds().stdout_has("work/secrets");
}

#[test]
fn a_provider_that_is_written_without_a_credential_is_allowed_and_then_works() {
    let world = project(&STORE.replace("plugin = \"file\"", "plugin = \"file\"\ncredential = { kind = \"none\" }"));
    allow(&world).succeeds();
    set(&world, "a", "x").succeeds();
    get(&world, "a").succeeds().stdout_is("x");
}

#[test]
fn what_is_wrong_in_a_project_is_told_by_line_column_and_name_and_never_repeated() {
    let world = World::new();
    set(&world, "store://local/mine", "mine").succeeds();
    for (text, place) in [
        ("default = \"local\"\npassword = \"hunter2\"\n", "line 2, column 12: `password`"),
        ("default = hunter2\n", "line 1, column 11"),
        ("[providers.a]\nplugin = \"vault\"\ntoken = \"hunter2\"\n", "line 3, column 9: `providers.a.token`"),
        (
            "[providers.a]\nplugin = \"vault\"\nsettings = { address = [\"hunter2\"] }\n",
            "`providers.a.settings.address`",
        ),
        ("[secrets]\nA = \"hunter2://x\"\n", "line 2, column 5: `secrets.A`"),
        ("[secrets]\nA = { ref = \"a\", fallbak = \"hunter2\" }\n", "`secrets.A.fallbak`"),
        ("[environments.\"hunter 2\"]\n", "line 1"),
    ] {
        write(&world, text);
        for outcome in [get(&world, "a"), world.forge(["allow", "--yes"])] {
            outcome.exits(2).stderr_has("forge.toml").stderr_has(place).never_shows("hunter2");
        }
        get(&world, "store://local/mine").succeeds();
    }
    std::fs::write(world.path("work/forge.toml"), b"default = \"\xff\"").unwrap();
    get(&world, "a").exits(2).stderr_has("UTF-8");
    // What can't be read can still be taken back.
    write(&world, STORE);
    allow(&world).succeeds();
    write(&world, "hunter2");
    world.forge(["allow", "--revoke"]).succeeds();
    write(&world, STORE);
    get(&world, "a").exits(8);
}

/// A project with these providers at a server.
fn at_server(names: &[&str], address: &str) -> String {
    let provider = |name: &&str| {
        format!(
            "[providers.{name}]\nplugin = \"vault\"\nsettings = {{ address = \"{address}\", mount = \"secret\" }}\n"
        )
    };
    names.iter().map(provider).collect()
}

#[test]
fn a_credential_may_be_a_secret_of_a_provider_that_is_allowed_with_it() {
    let server = OpenBao::start();
    // Each reads the token of the one before it; none may meet its own in an answer.
    for name in ["of-a", "of-b"] {
        let token = server.root("POST", "auth/token/create", r#"{"policies":["root"]}"#).has_status(200).json();
        let body = serde_json::json!({ "data": { "value": token["auth"]["client_token"] } });
        server.root("POST", &format!("secret/data/{name}"), &body.to_string()).has_status(200);
    }
    server.root("POST", "secret/data/x", r#"{"data":{"value":"of the server"}}"#).has_status(200);
    let world = World::new().with("PROJECT_TOKEN", ROOT);
    write(&world, &at_server(&["a", "b", "c"], server.address()));
    // Each waits for the one behind it in the alphabet.
    let of = |name: &str, source: &str| format!("{name}=vault-token,token={source}");
    let allow = |last: &str| {
        let run = world.command(["allow", "--yes", "--credential", &of("a", "store://b/of-a")]);
        run.and(["--credential", &of("b", "store://c/of-b"), "--credential", &of("c", last)]).run()
    };
    allow("store://a/x").exits(2).stderr_has("`a`, `b`, `c` wait for each other");
    assert!(!world.data().join("grants/projects").exists(), "half a project was recorded");
    allow("env:PROJECT_TOKEN").succeeds();
    get(&world, "store://a/x").succeeds().stdout_is("of the server");
}

#[test]
fn a_directory_in_which_another_new_provider_has_its_credential_is_not_lent() {
    let world = World::new();
    std::fs::create_dir(world.path("work/secrets")).unwrap();
    let token = world.path("work/secrets/token");
    std::fs::write(&token, "s.canary-token").unwrap();
    let bao = at_server(&["vault"], "http://127.0.0.1:1").replace("mount =", "kv-version = \"2\", mount =");
    write(&world, &format!("{STORE}{bao}"));
    let allow = |token: &std::path::Path| {
        let credential = format!("vault=vault-token,token=file:{}", token.display());
        world.command(["allow", "--yes", "--credential", &credential]).run()
    };
    // The store is checked first, when nothing of the other one is recorded.
    allow(&token).exits(8).stderr_has("with a credential in it");
    let elsewhere = world.path("token");
    std::fs::rename(&token, &elsewhere).unwrap();
    allow(&elsewhere).succeeds();
}

#[test]
fn a_client_certificate_of_a_projects_provider_is_given_by_whoever_allows_it() {
    let world = World::new().with("PROJECT_TOKEN", ROOT);
    let authority = Authority::new(&world.path("authority"));
    let server = OpenBao::start_strict(&authority);
    let client = authority.sign("client", false, 4096);
    let (certificate, key) = (client.certificate.display().to_string(), format!("file:{}", client.key.display()));
    let ca = format!("bao={}", authority.certificate().display());
    let text = at_server(&["bao"], server.strict());
    write(&world, &text);
    let allow = |more: &[&str]| {
        let credential = "bao=vault-token,token=env:PROJECT_TOKEN";
        let mut run = world.command(["allow", "--yes", "--tls-ca", &ca, "--credential", credential]);
        for argument in more {
            run = run.and([argument]);
        }
        run.run()
    };
    let (own, its_key) = (format!("bao={certificate}"), format!("bao={key}"));
    allow(&[]).exits(6);
    allow(&["--tls-cert", &own]).exits(2).stderr_has("--tls-key bao=");
    allow(&["--tls-key", &its_key]).exits(2).stderr_has("--tls-cert bao=");
    allow(&["--tls-cert", &own, "--tls-key", "bao=hunter2"]).exits(2).never_shows("hunter2");
    allow(&["--tls-cert", &own, "--tls-key", &its_key]).succeeds().stderr_has("4096-12-31").stderr_has(&key);
    set(&world, "store://bao/a", "x").succeeds();
    get(&world, "store://bao/a").succeeds().stdout_is("x");
    // The file itself can't name one: whoever writes it would log in as the user elsewhere.
    for line in ["tls_cert = \"client.pem\"", "tls_key = \"file:client.key\"", "tls_certificate = {}"] {
        write(&world, &format!("{text}{line}\n"));
        get(&world, "store://bao/a").exits(2);
    }
}
