//! Plugins at rest: a compile cache, a plugin store and grants that somebody changed behind forge's back.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use forge_tests::component::{attacker, pack, plugin};
use forge_tests::world::files;

use super::{Ask, Stage, digest};

/// The compiled form of the attacker in this stage.
fn compiled(stage: &Stage, ask: &Ask) -> PathBuf {
    let digest = digest(ask);
    let entries = files(&stage.world.cache());
    entries
        .into_iter()
        .find(|entry| entry.to_str().unwrap().contains(&digest))
        .expect("the compiled plugin is not there")
}

#[test]
fn a_compiled_plugin_that_fits_is_used_and_one_that_was_changed_is_made_again() {
    let ask = Ask::new();
    let stage = Stage::new(&ask);
    let entry = compiled(&stage, &ask);
    let whole = std::fs::read(&entry).unwrap();
    let made = |entry: &PathBuf| entry.metadata().unwrap().ino();
    let before = made(&entry);
    stage.still_serves();
    assert_eq!(made(&entry), before, "the cache was not used");
    type Change = fn(&[u8]) -> Vec<u8>;
    let changes: [(&str, Change); 6] = [
        ("one bit of the code", |bytes| flip(bytes, bytes.len() / 2)),
        ("one bit of the MAC", |bytes| flip(bytes, 20)),
        ("one bit of the magic", |bytes| flip(bytes, 3)),
        ("its end", |bytes| bytes[..bytes.len() - 1].to_vec()),
        ("all of it", |_| Vec::new()),
        ("a byte behind it", |bytes| [bytes, b"x"].concat()),
    ];
    for (what, change) in changes {
        std::fs::write(&entry, change(&whole)).unwrap();
        let outcome = stage.world.forge(["secret", "get", "store://evil/harmless"]);
        outcome.succeeds().stderr_has("compiled again");
        assert_eq!(std::fs::read(&entry).unwrap().len(), whole.len(), "{what}: the entry was not made again");
        stage.still_serves();
    }
}

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

#[test]
fn the_compiled_form_of_another_plugin_does_not_run_in_its_place() {
    let ask = Ask::new();
    let stage = Stage::new(&ask);
    let set = || stage.world.command(["secret", "set", "mine"]).input("my own value").run();
    set().succeeds();
    // Whoever can write the cache puts the attacker's code, which forge itself compiled, where the local store's is.
    let attackers = compiled(&stage, &ask);
    let others: Vec<PathBuf> = files(&stage.world.cache()).into_iter().filter(|entry| *entry != attackers).collect();
    let [locals] = others.as_slice() else { panic!("one other compiled plugin was expected: {others:?}") };
    std::fs::copy(&attackers, locals).unwrap();
    let outcome = stage.world.forge(["secret", "get", "mine"]);
    outcome.succeeds().stdout_is("my own value").stderr_has("compiled again");
}

#[test]
fn a_compiled_plugin_that_others_can_write_is_not_used() {
    let ask = Ask::new();
    let stage = Stage::new(&ask);
    let entry = compiled(&stage, &ask);
    std::fs::set_permissions(&entry, std::fs::Permissions::from_mode(0o666)).unwrap();
    stage.world.forge(["secret", "get", "store://evil/harmless"]).succeeds().stderr_has("compiled again");
    assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600);
    // A link to a file that is all right is somebody's attempt too.
    let elsewhere = stage.world.path("elsewhere");
    std::fs::rename(&entry, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &entry).unwrap();
    stage.world.forge(["secret", "get", "store://evil/harmless"]).succeeds().stderr_has("compiled again");
    assert!(!entry.is_symlink());
}

fn stored(stage: &Stage, ask: &Ask) -> PathBuf {
    stage.world.data().join("plugins/sha256").join(format!("{}.wasm", digest(ask)))
}

#[test]
fn a_stored_plugin_that_was_changed_is_not_run() {
    let ask = Ask::new();
    let stage = Stage::new(&ask);
    let file = stored(&stage, &ask);
    let whole = std::fs::read(&file).unwrap();
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o444);
    stage.world.forge(["plugin", "verify"]).succeeds();
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, flip(&whole, whole.len() / 2)).unwrap();
    stage.world.forge(["secret", "get", "store://evil/harmless"]).exits(11).stdout_is("").stderr_has("was changed");
    stage.world.forge(["plugin", "verify"]).exits(11);
    // A link to the right bytes could lead to others tomorrow.
    let elsewhere = stage.world.path("elsewhere.wasm");
    std::fs::write(&elsewhere, &whole).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    let outcome = stage.world.forge(["secret", "get", "store://evil/harmless"]);
    assert_ne!(outcome.code, Some(0), "{outcome:?}");
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, &whole).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o444)).unwrap();
    stage.still_serves();
}

#[test]
fn another_plugin_under_the_same_name_has_no_grant() {
    let ask = Ask::new();
    let stage = Stage::new(&ask);
    // An update that asks for more, by whoever claims the same id.
    let greedy = ask.clone().route("read", "GET", "{origin}/v1/other/**", "");
    stage.install(&greedy).exits(9).stderr_has("taken");
    stage.world.forge(["plugin", "remove", "attacker"]).exits(9).stderr_has("`evil`");
    // Even where the record is changed by hand, the grant stays the old plugin's.
    let bytes = pack(&attacker(), &greedy.manifest());
    let (file, greedy_digest) = (stage.world.file("greedy.wasm", &bytes), digest(&greedy));
    stage.world.forge(["plugin", "install", &file, "--as", "greedy", "--yes", "--sha256", &greedy_digest]).succeeds();
    let record = stage.world.data().join("plugins/attacker.json");
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, text.replace(&digest(&ask), &greedy_digest)).unwrap();
    let outcome = stage.world.forge(["secret", "get", "store://evil/harmless"]);
    outcome.exits(8).stderr_has("another plugin");
    std::fs::write(&record, text).unwrap();
    stage.still_serves();
}

#[test]
fn the_id_of_a_built_in_plugin_is_not_taken() {
    let stage = Stage::empty();
    let manifest = Ask::new().manifest().replace("id = \"attacker\"", "id = \"vault\"");
    let bytes = pack(&attacker(), &manifest);
    let file = stage.world.file("vault.wasm", &bytes);
    let digest = forge_tests::component::sha256(&bytes);
    let install = ["plugin", "install", &file, "--yes", "--sha256", &digest];
    stage.world.forge(install).exits(9).stderr_has("--as NAME");
    stage.world.command(install).and(["--as", "vault"]).run().exits(9);
    stage.world.command(install).and(["--as", "not-vault"]).run().succeeds();
    // The file that the program carries is nobody's attempt.
    let real = plugin("vault");
    stage.world.install(&real).succeeds().stderr_has("built in");
}

#[test]
fn nothing_is_installed_that_nobody_allowed() {
    let stage = Stage::empty();
    let bytes = pack(&attacker(), &Ask::new().manifest());
    let file = stage.world.file("attacker.wasm", &bytes);
    let digest = digest(&Ask::new());
    let asked = stage.world.forge(["plugin", "install", &file]);
    asked.exits(8).stderr_has(&digest).stderr_has("unsigned").stderr_has("GET {origin}/v1/secret/data/**");
    let at = |text: &str| asked.stderr.find(text).unwrap();
    assert!(at(&digest) < at("An attacker"), "the plugin's own words stand before the digest");
    stage.world.forge(["plugin", "install", &file, "--yes"]).exits(2).stderr_has("--sha256");
    let wrong = "0".repeat(64);
    stage.world.forge(["plugin", "install", &file, "--yes", "--sha256", &wrong]).exits(11);
    assert!(files(&stage.world.data().join("plugins")).is_empty());
    stage.install(&Ask::new()).succeeds();
    let granted = stage.world.path("granted");
    let add = stage.world.command(["provider", "add", "evil", "--plugin", "attacker"]);
    let add = add.and([
        "--set",
        &format!("origin={}", stage.server.origin()),
        "--set",
        &format!("path={}", granted.display()),
    ]);
    let asked = add.and(["--credential", &Ask::new().credential]).run();
    asked
        .exits(8)
        .stderr_has("loopback")
        .stderr_has("without TLS")
        .stderr_has("env:CANARY")
        .stderr_has(granted.to_str().unwrap());
    stage.world.forge(["secret", "get", "store://evil/harmless"]).exits(3).stderr_has("no provider");
    stage.server.was_never_asked();
}

#[test]
fn a_configuration_that_was_changed_behind_its_grant_is_not_followed() {
    let ask = Ask::new();
    let stage = Stage::new(&ask);
    let other = forge_tests::servers::hostile::Hostile::start();
    let text = std::fs::read_to_string(stage.world.config()).unwrap();
    std::fs::write(stage.world.config(), text.replace(&stage.server.origin(), &other.origin())).unwrap();
    let outcome = stage.world.forge(["secret", "get", "store://evil/harmless"]);
    outcome.exits(8).stderr_has("`origin`");
    other.was_never_asked();
    std::fs::write(stage.world.config(), &text).unwrap();
    stage.still_serves();
    // A provider that is only configured has nothing.
    std::fs::remove_file(stage.world.data().join("grants/evil.json")).unwrap();
    stage.world.forge(["secret", "get", "store://evil/harmless"]).exits(8).stderr_has("granted");
    let written = format!(
        "{text}\n[providers.second]\nplugin = \"attacker\"\nsettings = {{ origin = \"{}\" }}\n",
        other.origin()
    );
    std::fs::write(stage.world.config(), written).unwrap();
    stage.world.forge(["secret", "get", "store://second/harmless"]).exits(8).stderr_has("granted");
    other.was_never_asked();
}

#[test]
fn a_name_that_a_stranger_claims_is_not_handed_secrets() {
    let stage = Stage::empty();
    let manifest = format!("aliases = [\"vault_kv\", \"aws_secretsmanager\"]\n{}", Ask::new().manifest());
    stage.world.install(&pack(&attacker(), &manifest)).succeeds();
    stage.add(&Ask::new()).succeeds();
    // By its own name, which a person gave it, the provider is there; by what its manifest says of itself it is not.
    stage.still_serves();
    let asked = stage.server.received().len();
    for name in ["vault_kv", "aws_secretsmanager", "attacker"] {
        stage.world.forge(["secret", "get", &format!("store://{name}/harmless")]).exits(3).stderr_has("no provider");
    }
    assert_eq!(stage.server.received().len(), asked);
}

#[test]
fn a_sealed_file_does_not_open_for_another_plugin() {
    let stage = Stage::empty();
    let manifest = Ask::new().manifest().replace("mode = \"read-write\"", "mode = \"read-write\"\nsealed = true");
    stage.world.install(&pack(&attacker(), &manifest)).succeeds();
    stage.add(&Ask::new().target("mine.secret")).succeeds();
    // In its own sealed directory the attacker reads what it wrote.
    stage.world.command(["secret", "set", "store://evil/keep/mine.secret"]).input("its own").run().succeeds();
    stage.lets("file-traversal", "its own");
    stage.world.command(["secret", "set", "mine"]).input("of the local store").run().succeeds();
    // The whole store of the user, put where the attacker may read: same user, same key, same names.
    let store = stage.world.data().join("store");
    for file in files(&store) {
        let name = file.strip_prefix(&store).unwrap();
        let copy = stage.world.path("granted").join(name);
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(&file, copy).unwrap();
    }
    let outcome = stage.attack("file-traversal");
    outcome.exits(11).stdout_is("").never_shows("of the local store");
    stage.world.forge(["secret", "get", "mine"]).succeeds().stdout_is("of the local store");
}
