//! Each wall, broken on purpose in a small tree of its own: a wall that can't fall keeps nothing.

use std::path::Path;

use super::WALLS;

/// A file of the small tree, and what is in it.
type File<'a> = (&'a str, &'a str);

/// The smallest tree in which every wall stands.
const SOUND: [File<'_>; 9] = [
    ("Cargo.toml", "[workspace]\nmembers = [\"host/*\"]\n[workspace.dependencies]\nwasmtime = \"48\"\n"),
    ("host/core/Cargo.toml", "[package]\nname = \"forge-core\"\n[dependencies]\nserde.workspace = true\n"),
    (
        "host/core/src/lib.rs",
        "//! What a read is.\n\n/// A value such as Vault's.\npub fn value() {}\n#[cfg(test)]\nmod tests {\n    fn aws() { unsafe {} }\n}\n",
    ),
    (
        "host/sandbox/Cargo.toml",
        "[package]\nname = \"forge-sandbox\"\n[dependencies]\nwasmtime.workspace = true\nforge-core.workspace = true\n",
    ),
    ("host/sandbox/src/compiled.rs", "//! Loads.\nfn load() { unsafe { read() } }\n"),
    ("host/broker/src/credential/token.rs", "//! A token of Vault.\nconst NAME: &str = \"x-vault-token\";\n"),
    ("host/cli/src/environment.rs", "//! Reads.\nfn home() { std::env::var_os(\"HOME\"); }\n"),
    (
        "plugins/vault/Cargo.toml",
        "[package]\nname = \"forge-plugin-vault\"\n[dependencies]\nforge-sdk.workspace = true\n",
    ),
    ("target/generated.rs", "what is built is nobody's to read"),
];

/// Files that break one wall each, by the wall's sentence.
const BREAKS: [(&str, File<'_>); 23] = [
    (
        "crates depend on each other only along the arrows",
        (
            "host/core/Cargo.toml",
            "[package]\nname = \"forge-core\"\n[dev-dependencies]\nforge-broker.workspace = true\n",
        ),
    ),
    (
        "crates depend on each other only along the arrows",
        (
            "plugins/vault/Cargo.toml",
            "[package]\nname = \"forge-plugin-vault\"\n[dependencies]\nforge-core.workspace = true\n",
        ),
    ),
    (
        "crates depend on each other only along the arrows",
        (
            "host/sandbox/Cargo.toml",
            "[package]\nname = \"forge-sandbox\"\n[target.'cfg(unix)'.dependencies]\ncli = { package = \"forge\", path = \"../cli\" }\n",
        ),
    ),
    (
        "crates depend on each other only along the arrows",
        ("host/extra/Cargo.toml", "[package]\nname = \"forge-extra\"\n"),
    ),
    (
        "a library that is one crate's alone is named by no other",
        ("host/core/Cargo.toml", "[package]\nname = \"forge-core\"\n[dependencies]\nwasmtime.workspace = true\n"),
    ),
    (
        "a library that is one crate's alone is named by no other",
        ("host/core/Cargo.toml", "[package]\nname = \"forge-core\"\n[build-dependencies]\nwasmtime-environ = \"48\"\n"),
    ),
    (
        "a library that is one crate's alone is named by no other",
        (
            "plugins/vault/Cargo.toml",
            "[package]\nname = \"forge-plugin-vault\"\n[dependencies]\nweb = { package = \"reqwest\" }\n",
        ),
    ),
    (
        "a library that is one crate's alone is named by no other",
        ("host/sandbox/Cargo.toml", "[package]\nname = \"forge-sandbox\"\n[dependencies]\nclap = \"4\"\n"),
    ),
    ("every file opens with its sentence", ("host/core/src/lib.rs", "pub fn value() {}\n")),
    ("every file opens with its sentence", ("host/core/src/lib.rs", "//! todo\n")),
    (
        "no backend is named outside its plugin and its credential kind",
        ("host/core/src/lib.rs", "//! What a read is.\nconst NAME: &str = \"hashicorp\";\n"),
    ),
    (
        "no backend is named outside its plugin and its credential kind",
        ("host/sandbox/src/compiled.rs", "//! Loads.\nfn is_azure_key() {}\n"),
    ),
    ("no backend is named outside its plugin and its credential kind", ("wit/types.wit", "record aws-label {}\n")),
    (
        "unsafe code stands only where it is listed",
        ("host/core/src/lib.rs", "//! What a read is.\nfn load() { unsafe { read() } }\n"),
    ),
    (
        "unsafe code stands only where it is listed",
        ("plugins/vault/src/lib.rs", "//! A plugin.\n#[unsafe(no_mangle)]\nfn exported() {}\n"),
    ),
    (
        "unsafe code stands only where it is listed",
        (
            "host/core/src/lib.rs",
            "//! What a read is.\n#[cfg(test)]\nmod tests {\n    fn f() { unsafe {} }\n}\nfn behind_the_tests() { unsafe {} }\n",
        ),
    ),
    (
        "secret bytes are exposed only where it is listed",
        ("host/cli/src/app.rs", "//! Runs.\nfn run(value: &Value) { print(value.expose()); }\n"),
    ),
    (
        "secret bytes are exposed only where it is listed",
        ("host/broker/src/call.rs", "//! Calls.\nfn send(token: &Token) { token.expose_secret(); }\n"),
    ),
    (
        "only the command line reads the environment",
        ("host/broker/src/call.rs", "//! Calls.\nfn proxy() { std::env::var(\"HTTPS_PROXY\"); }\n"),
    ),
    ("only the command line reads the environment", ("host/core/src/lib.rs", "//! What a read is.\nuse std::env;\n")),
    (
        "every entry into the resolver asks the policy",
        (
            "host/core/src/resolver/more.rs",
            "//! More.\nimpl Resolver {\n    pub async fn peek(&self) {\n        self.opened().provider.get();\n    }\n}\n",
        ),
    ),
    (
        "every entry into the resolver asks the policy",
        (
            "host/core/src/resolver/more.rs",
            "//! More.\nimpl Resolver {\n    pub fn kept(\n        &self,\n    ) -> Secret {\n        self.cache.get()\n    }\n    fn asks(&self) {\n        self.decided()\n    }\n}\n",
        ),
    ),
    (
        "only the resolver asks a provider",
        ("host/cli/src/app.rs", "//! Runs.\nfn run() { opened.provider.get(&CallLog::default(), \"app/db\"); }\n"),
    ),
];

fn tree(files: &[File<'_>]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    root
}

/// The sentences of the walls that do not stand.
fn fallen(root: &Path) -> Vec<&'static str> {
    WALLS.iter().filter(|(_, wall)| !wall(root).is_empty()).map(|(sentence, _)| *sentence).collect()
}

#[test]
fn every_wall_stands_in_a_sound_tree() {
    assert_eq!(fallen(tree(&SOUND).path()), [""; 0]);
}

#[test]
fn each_wall_falls_when_it_is_broken_on_purpose_and_no_other_falls_with_it() {
    for (sentence, broken) in BREAKS {
        let mut files: Vec<File<'_>> = SOUND.to_vec();
        files.retain(|(name, _)| *name != broken.0);
        files.push(broken);
        assert_eq!(fallen(tree(&files).path()), [sentence], "{broken:?}");
    }
}

#[test]
fn a_file_may_have_500_lines_and_no_more() {
    for (lines, expected) in [(500, vec![]), (501, vec!["no file has more than 500 lines"])] {
        let long = format!("//! Long.\n{}", "// x\n".repeat(lines - 1));
        let mut files: Vec<File<'_>> = SOUND.to_vec();
        files.push(("host/core/src/long.rs", &long));
        assert_eq!(fallen(tree(&files).path()), expected, "{lines}");
    }
}

#[test]
fn no_wall_is_without_a_break() {
    let tried: Vec<&str> =
        BREAKS.iter().map(|(sentence, _)| *sentence).chain(["no file has more than 500 lines"]).collect();
    for (sentence, _) in WALLS {
        assert!(tried.contains(&sentence), "nothing shows that this can fall: {sentence}");
    }
}
