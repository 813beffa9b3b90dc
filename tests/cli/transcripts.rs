//! Every command, word for word: what is typed, what is printed where, and how it ends.

use std::collections::BTreeSet;
use std::path::PathBuf;

use forge_tests::component;
use forge_tests::outcome::contains;
use forge_tests::servers::azure::Azure;
use forge_tests::servers::google::Google;
use forge_tests::servers::moto::Moto;
use forge_tests::servers::openbao::OpenBao;
use forge_tests::transcript::{Step, replay};
use forge_tests::world::{World, root};

use super::{aws_world, azure_world, root_world};

/// What every secret of the transcripts holds. It is printed where it was asked for, and nowhere else.
const CANARY: &str = "hunter2";

/// Commands that produce values.
const PRODUCING: &[&str] = &[
    "forge secret get",
    "forge --json secret get",
    "forge -p bao secret get",
    "cat out.txt",
    "forge export",
    "forge inject",
    "forge --json inject",
    "cat filled.yaml",
];

fn folder() -> PathBuf {
    root().join("tests/cli/transcripts")
}

/// Replays one transcript and expects every word of it; with `FORGE_TRANSCRIPTS=write` the file becomes what was printed.
#[track_caller]
fn plays(name: &str) -> Vec<Step> {
    let server = OpenBao::start();
    server.mount("one", 1);
    server.policy("narrow", r#"path "secret/data/other" { capabilities = ["read"] }"#);
    plays_in(root_world().with("NARROW", &server.token(&["narrow"])), name, ("BAO", server.address()))
}

/// The same in this world, with the address of a server as a variable.
#[track_caller]
fn plays_in(world: World, name: &str, (server, address): (&str, &str)) -> Vec<Step> {
    let world = world.with(server, address);
    let file = folder().join(format!("{name}.txt"));
    std::fs::write(world.path("work/attacker.wasm"), component::attacker()).unwrap();
    let (played, steps) = replay(&world, &file);
    // The server's port is another one each time.
    let played = played.replace(address, server);
    if forge_tests::world::variable("FORGE_TRANSCRIPTS").is_some_and(|value| value == "write") {
        std::fs::write(&file, &played).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    for (at, (expected, played)) in expected.lines().zip(played.lines()).enumerate() {
        assert_eq!(expected, played, "{}, line {}", file.display(), at + 1);
    }
    assert_eq!(expected.lines().count(), played.lines().count(), "{} ends elsewhere", file.display());
    for step in &steps {
        let produces = PRODUCING.iter().any(|command| step.command.contains(command));
        let leaks = step.answer.lines().any(|line| line.contains(CANARY) && !(produces && line.starts_with("| ")));
        assert!(!leaks, "`{}` shows a secret:\n{}", step.command, step.answer);
    }
    for place in [world.data(), world.cache(), world.home().join(".config")] {
        for file in forge_tests::world::files(&place) {
            let content = std::fs::read(&file).unwrap();
            assert!(!contains(&content, CANARY.as_bytes()), "`{}` holds a secret", file.display());
        }
    }
    steps
}

#[test]
fn variables_as_files_have_them() {
    plays("export");
}

#[test]
fn secrets_of_the_local_store() {
    plays("local");
}

#[test]
fn secrets_of_a_server() {
    plays("server");
}

#[test]
fn secrets_of_aws() {
    let moto = Moto::start(&["secretsmanager:*", "ssm:*", "sts:*"]);
    plays_in(aws_world(&moto), "aws", ("AWS", moto.origin()));
}

#[test]
fn secrets_of_google() {
    let server = Google::start();
    let key = std::fs::read_to_string(server.key()).unwrap();
    plays_in(World::new().with("GCP_KEY", &key), "google", ("GOOGLE", server.origin()));
}

#[test]
fn secrets_of_azure() {
    let azure = Azure::start();
    let world = azure_world();
    let ca = world.file("authority.pem", std::fs::read(azure.ca()).unwrap());
    plays_in(world.with("CA", &ca), "azure", ("AZURE", azure.origin()));
}

#[test]
fn plugins_and_providers() {
    plays("plugin");
}

#[test]
fn imports_copies_and_the_rest() {
    plays("rest");
}

#[test]
fn the_audit_log() {
    plays("audit");
}

#[test]
fn policies() {
    plays("policy");
}

#[test]
fn references_in_files() {
    plays("inject");
}

#[test]
fn programs_with_secrets() {
    plays("run");
}

#[test]
fn copies_on_disk() {
    plays("cache");
}

#[test]
fn help_of_everything() {
    plays("help");
}

/// Every command that the program has, as its help texts list them.
fn commands(world: &World, above: &[String]) -> Vec<String> {
    let mut words = above.to_vec();
    words.push("--help".to_owned());
    let help = world.words(&words).text().to_owned();
    let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default().split("\n\n").next().unwrap_or_default();
    let names = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<String> = names.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect();
    if names.is_empty() {
        return vec![above.join(" ")];
    }
    let below = |name: String| commands(world, &[above, &[name]].concat());
    names.into_iter().flat_map(below).collect()
}

#[test]
fn every_command_stands_in_a_transcript() {
    let world = root_world();
    let all: BTreeSet<String> = commands(&world, &[]).into_iter().collect();
    assert!(all.len() > 20, "{all:?}");
    let texts: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_stem().is_some_and(|name| name != "help"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let is_shown = |command: &str| {
        let typed = format!("forge {command}");
        let with_flags = |flag: &str| format!("forge {flag} {command}");
        let forms = [typed, with_flags("--json"), with_flags("-q")];
        texts
            .iter()
            .any(|text| text.lines().any(|line| line.starts_with("$ ") && forms.iter().any(|f| line.contains(f))))
    };
    let missing: Vec<&String> = all.iter().filter(|command| !is_shown(command)).collect();
    assert!(missing.is_empty(), "in no transcript: {missing:?}");
}
