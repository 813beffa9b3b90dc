//! `--dry-run` of what changes providers and plugins: everything is said, and nothing is done.

use std::collections::BTreeMap;
use std::path::PathBuf;

use forge_tests::component;
use forge_tests::outcome::Outcome;
use forge_tests::servers::hostile::Hostile;
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::terminal::Terminal;
use forge_tests::world::{World, files};

use super::{add_vault, root_world};

/// Everything below the home, by name, but for compiled code and the log of what was done.
fn tree(world: &World) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = files(&world.home());
    files.retain(|file| !file.starts_with(world.cache()));
    files.into_iter().map(|file| (file.clone(), std::fs::read(&file).unwrap())).collect()
}

/// Runs something twice, with words and as JSON, and expects that neither changes a file.
#[track_caller]
fn rehearses(world: &World, words: &[&str]) -> (Outcome, serde_json::Value) {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let before = tree(world);
    let told = world.words(&[words.clone(), vec!["--dry-run".to_owned()]].concat());
    let json = world.words(&[words.clone(), vec!["--dry-run".to_owned(), "--json".to_owned()]].concat()).json();
    told.succeeds().stdout_is("");
    assert_eq!(json["dry_run"], true);
    assert_eq!(tree(world), before, "{words:?} changed something");
    (told, json)
}

#[test]
fn what_a_plugin_can_not_do_is_refused_before_a_value_is_typed_and_in_a_rehearsal() {
    let world = World::new();
    let file = world.file("dev.env", "A=x\n");
    let add = |name: &str, plugin: &str, setting: &str| {
        world.forge(["provider", "add", name, "--plugin", plugin, "--set", setting, "--yes"]).succeeds();
    };
    add("text", "textfile", &format!("file={file}"));
    add("env", "env", "names=APP_*");
    for (words, reference) in [
        (&["set"][..], "store://env/APP_A"),
        (&["delete"], "store://env/APP_A"),
        (&["recover"], "store://env/APP_A"),
        (&["purge"], "store://env/APP_A"),
        (&["rollback", "--to", "1"], "store://text/A"),
        (&["enable"], "store://text/A?version=1"),
        (&["disable"], "store://text/A?version=1"),
    ] {
        let words: Vec<String> =
            [&["secret"], words, &[reference, "--dry-run"]].concat().iter().map(|word| (*word).to_owned()).collect();
        world.words(&words).exits(2).stderr_has("so it can't do this").never_shows("would");
    }
    world.forge(["secret", "copy", "store://text/A", "store://env/APP_A", "--dry-run"]).exits(2);
    world.forge(["secret", "copy", "store://text/**", "store://env/APP_B", "--dry-run"]).exits(2).never_shows("would");
    // At a terminal, too, nothing is asked for.
    let (screen, code) = Terminal::start(&world, ["secret", "set", "store://env/APP_A"]).ends();
    assert!(code == 2 && screen.contains("secret-writer") && !screen.contains("value: "), "{screen}");
    assert!(world.audit().iter().any(|record| record["operation"] == "set" && record["outcome"] == "unsupported"));
    // What it can do is rehearsed as before.
    world.forge(["secret", "set", "store://text/B", "--dry-run"]).succeeds().stderr_has("would write");
}

#[test]
fn a_provider_is_shown_with_all_that_it_would_be_allowed_and_no_request_is_made() {
    let server = Hostile::start();
    let world = root_world();
    let address = format!("address={}", server.origin());
    let words =
        ["provider", "add", "p", "--plugin", "vault", "--set", &address, "--credential", "vault-token,token=env:TOKEN"];
    let (told, json) = rehearses(&world, &words);
    told.stderr_has("would add `p`").stderr_has("may write").stderr_has("grants/p.json").stderr_has("config.toml");
    told.never_shows(ROOT);
    assert_eq!(json["grant"]["provider"], "p");
    assert!(json["would_write"][0].as_str().unwrap().ends_with("grants/p.json"));
    assert!(server.received().is_empty());
    // The same without it does ask, so the silence above means something.
    world.words(&[words.map(str::to_owned).to_vec(), vec!["--yes".to_owned()]].concat());
    assert!(!server.received().is_empty());
}

#[test]
fn a_rehearsal_asks_for_nothing_secret() {
    let server = OpenBao::start();
    let world = World::new();
    let address = format!("address={}", server.address());
    let mut words = vec!["provider", "add", "bao", "--plugin", "vault", "--set", &address];
    words.extend(["--credential", "vault-token,token=prompt"]);
    let (told, json) = rehearses(&world, &words);
    told.stderr_has("credentials/bao-token-");
    assert_eq!(json["would_write"].as_array().unwrap().len(), 2);
    let terminal = Terminal::start(
        &world,
        [
            "provider",
            "add",
            "bao",
            "--plugin",
            "vault",
            "--set",
            &address,
            "--credential",
            "vault-token,token=prompt",
            "--dry-run",
        ],
    );
    let (screen, code) = terminal.ends();
    assert!(code == 0 && !screen.contains("token for"), "{screen}");
    // What could not be added is told as it would be.
    world.forge(["provider", "add", "bao", "--plugin", "vault", "--dry-run"]).exits(2).stderr_has("`address`");
    world.forge(["provider", "add", "local", "--plugin", "vault", "--dry-run"]).exits(2);
}

#[test]
fn a_provider_that_would_be_removed_stays_and_works() {
    let server = OpenBao::start();
    let world = root_world();
    add_vault(&world, &server, []).succeeds();
    let (told, json) = rehearses(&world, &["provider", "remove", "bao"]);
    told.stderr_has("would remove `bao`").stderr_has("grants/bao.json").stderr_has("config.toml");
    // Each file that it names is one that the removal takes away.
    let named: Vec<PathBuf> =
        json["would_remove"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().into()).collect();
    assert!(!named.is_empty() && named.iter().all(|path| path.exists()));
    world.forge(["provider", "test", "bao"]).succeeds();
    let before = tree(&world);
    world.forge(["provider", "remove", "bao", "--yes"]).succeeds();
    let gone: Vec<PathBuf> = before.into_keys().filter(|path| !path.exists()).collect();
    assert_eq!(gone.iter().collect::<std::collections::BTreeSet<_>>(), named.iter().collect());
    world.forge(["provider", "remove", "bao", "--dry-run"]).exits(3);
}

#[test]
fn a_plugin_is_shown_and_neither_installed_nor_removed() {
    let world = World::new();
    let attacker = component::attacker();
    let file = world.file("attacker.wasm", &attacker);
    let (told, json) = rehearses(&world, &["plugin", "install", &file]);
    told.stderr_has("would install `attacker`").stderr_has(&component::sha256(&attacker));
    assert_eq!(json["would_write"].as_array().unwrap().len(), 2);
    assert!(!world.forge(["plugin", "list"]).text().contains("attacker"));
    world.forge(["plugin", "install", &file, "--as", "vault", "--dry-run"]).exits(9);
    world.install(&attacker).succeeds();
    for path in json["would_write"].as_array().unwrap() {
        assert!(PathBuf::from(path.as_str().unwrap()).exists(), "{path}");
    }
    let (told, json) = rehearses(&world, &["plugin", "remove", "attacker"]);
    told.stderr_has("would remove `attacker`");
    assert_eq!(json["would_remove"].as_array().unwrap().len(), 2);
    world.forge(["plugin", "list"]).stdout_has("attacker");
    world.forge(["plugin", "remove", "vault", "--dry-run"]).exits(9);
    world.forge(["plugin", "remove", "attacker"]).succeeds();
    assert!(!world.forge(["plugin", "list"]).text().contains("attacker"));
}
