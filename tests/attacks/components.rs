//! Files that are no plugin, or one that must not be: each is refused at install by its own sentence, and nothing stays.

use forge_tests::component::{attacker, from_text, pack, sha256};
use forge_tests::outcome::Outcome;
use forge_tests::world::{World, files};

use super::{Ask, HEAD, Stage};

/// Tries to install a file that somebody vouches for, and expects that nothing of it stays.
#[track_caller]
fn refused(bytes: &[u8], code: i32, sentence: &str) -> Outcome {
    let world = World::new();
    let outcome = world.install(bytes);
    outcome.exits(code).stderr_has(sentence);
    assert!(files(&world.data().join("plugins")).is_empty(), "something was installed: {outcome:?}");
    assert!(files(&world.cache()).is_empty(), "something was compiled: {outcome:?}");
    outcome
}

#[test]
fn the_attacker_itself_is_a_plugin() {
    let world = World::new();
    world.install(&pack(&attacker(), &Ask::new().manifest())).succeeds();
    world.forge(["plugin", "list"]).succeeds().stdout_has("attacker");
}

#[test]
fn a_file_that_is_no_component_is_refused_by_what_it_is() {
    refused(b"", 2, "cut short");
    refused(b"\0asm", 2, "cut short");
    refused(b"(component)", 2, "the text format");
    refused(b"  ;; a comment\n(component)", 2, "the text format");
    refused(b"#!/bin/sh\necho hello\n", 2, "another format");
    refused(&from_text("(module)"), 2, "a core module");
    refused(b"\0asm\x63\0\x01\0", 2, "version");
    refused(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", 2, "precompiled");
}

#[test]
fn a_precompiled_plugin_is_refused_although_this_very_engine_made_it() {
    let stage = Stage::new(&Ask::new());
    let entries = files(&stage.world.cache());
    let [entry] = entries.as_slice() else { panic!("one compiled plugin was expected: {entries:?}") };
    let entry = std::fs::read(entry).unwrap();
    // Before 16 bytes of magic and 32 of MAC lies what the engine would load and run if it were asked to.
    let code = &entry[..entry.len() - 48];
    assert!(code.starts_with(b"\x7fELF"), "the entry has another layout");
    refused(code, 2, "precompiled");
}

#[test]
fn a_truncated_component_is_refused_wherever_it_ends() {
    let whole = pack(&attacker(), &Ask::new().manifest());
    for parts in 1..20 {
        let bytes = &whole[..whole.len() * parts / 20];
        let outcome = World::new().install(bytes);
        outcome.exits(2).stderr_has("can't install");
    }
}

#[test]
fn a_component_with_one_bit_flipped_is_another_file() {
    let whole = pack(&attacker(), &Ask::new().manifest());
    let digest = sha256(&whole);
    let world = World::new();
    for part in 0..24 {
        let mut flipped = whole.clone();
        let at = part * whole.len() / 24;
        flipped[at] ^= 1 << (part % 8);
        let file = world.file("flipped.wasm", &flipped);
        let outcome = world.forge(["plugin", "install", &file, "--yes", "--sha256", &digest]);
        assert!(matches!(outcome.code, Some(2 | 11)), "byte {at}: {outcome:?}");
    }
    assert!(files(&world.data().join("plugins")).is_empty());
}

#[test]
fn a_component_of_another_contract_is_refused_by_the_version_that_is_supported() {
    for text in [
        r#"(component (import "forge:plugin/http@0.2.0" (instance)))"#,
        r#"(component (import "forge:plugin/types@1.0.0" (instance)))"#,
        r#"(component (instance $i) (export "forge:plugin/secret-provider@0.2.0" (instance $i)))"#,
    ] {
        let component = pack(&from_text(text), &Ask::new().manifest());
        refused(&component, 2, "forge:plugin@0.1.0");
    }
}

#[test]
fn an_import_that_no_plugin_has_is_refused_by_name() {
    for (import, sentence) in [
        ("wasi:sockets/tcp@0.2.0", "no sockets"),
        ("wasi:sockets/ip-name-lookup@0.2.0", "no name lookup"),
        ("wasi:http/outgoing-handler@0.2.0", "forge:plugin/http"),
        ("wasi:filesystem/preopens@0.2.0", "wasm32-unknown-unknown"),
        ("wasi:cli/environment@0.2.0", "wasm32-unknown-unknown"),
        ("forge:plugin/process@0.1.0", "no such interface"),
        ("somebody:else/thing@1.0.0", "no such interface"),
    ] {
        let component = from_text(&format!(r#"(component (import "{import}" (instance)))"#));
        refused(&pack(&component, &Ask::new().manifest()), 8, sentence).stderr_has(import);
    }
}

#[test]
fn a_component_that_is_no_provider_is_refused() {
    refused(&pack(&from_text("(component)"), &Ask::new().manifest()), 2, "secret-provider");
}

#[test]
fn an_import_that_the_manifest_does_not_ask_for_does_not_link() {
    let whole = Ask::new().manifest();
    let without = [
        ("forge:plugin/files@0.1.0", whole.replace("[[directory]]\nsetting = \"path\"\nmode = \"read-write\"", "")),
        ("forge:plugin/environment@0.1.0", whole.replace("[[environment]]\nsetting = \"names\"", "")),
        ("forge:plugin/http@0.1.0", whole.split("[[route]]").next().unwrap().to_owned()),
    ];
    for (import, manifest) in without {
        let stage = Stage::empty();
        let ask = Ask::new();
        assert_ne!(manifest, whole);
        stage.world.install(&pack(&attacker(), &manifest)).succeeds();
        let audience = ask.argument("--credential-audience").argument(&stage.server.origin());
        stage.add(&audience).exits(8).stderr_has(import);
        stage.server.was_never_asked();
    }
}

#[test]
fn a_component_has_one_manifest() {
    let manifest = Ask::new().manifest();
    let none = pack(&from_text("(component)"), &manifest);
    assert!(none.len() > manifest.len());
    refused(&from_text("(component)"), 2, "forge:manifest");
    // The section of a second one, as another tool would append it.
    let mut twice = pack(&from_text("(component)"), &manifest);
    twice.extend_from_slice(&none[8..]);
    refused(&twice, 2, "forge:manifest");
}

#[test]
fn a_manifest_that_breaks_a_rule_is_refused_by_its_place() {
    let honest = Ask::new().manifest();
    let with_route =
        |url: &str| format!("{honest}\n[[route]]\nability = \"read\"\nmethods = [\"GET\"]\nurl = \"{url}\"\n");
    let cases = [
        (honest.replace("id = \"attacker\"", "id = \"Attacker\""), "`id`"),
        (honest.replace("An attacker", "a\\u001b[2Jb"), "`title`"),
        (honest.replace("An attacker", "safe\\u202e elbasnu"), "`title`"),
        (honest.replace("An attacker", &"x".repeat(81)), "`title`"),
        (honest.replace("\"nobody\"", "\"forge\\n  sha256  0000\""), "`publisher`"),
        (format!("{honest}\n[hint]\nnot-found = \"\\u001b]0;owned\\u0007\"\n"), "`[hint]`"),
        (honest.replace("ability = \"read\"", "ability = \"own\""), "line"),
        (format!("surprise = true\n{honest}"), "line"),
        (honest.replace("mode = \"read-write\"", "mode = \"execute\""), "line"),
        (with_route("https://*.example.com/v1/**"), "wildcard"),
        (with_route("https://{target}.example.com/v1/**"), "`target`"),
        (with_route("{target}/v1/**"), "`target`"),
        (with_route("{origin}"), "path"),
        (with_route("{origin}/v1/**/data"), "`**`"),
        (with_route("{origin}/v1/../sys"), "`..`"),
        (with_route("https://user:password@example.com/v1/a"), "login"),
        (honest.replace("methods = [\"GET\"]", "methods = [\"CONNECT\"]"), "methods"),
        (format!("{honest}response-max = \"17 MiB\"\n"), "16 MiB"),
        (format!("{honest}body = {{ Name = \"any\" }}\n"), "body"),
        (format!("{honest}# {}\n", "x".repeat(64 << 10)), "longer"),
    ];
    for (manifest, place) in cases {
        let outcome = refused(&pack(&attacker(), &manifest), 2, place);
        assert!(!outcome.stderr.contains('\u{1b}') && !outcome.stderr.contains('\u{202e}'), "{outcome:?}");
    }
}

#[test]
fn a_manifest_that_can_not_be_read_is_not_repeated() {
    let manifest = format!("{HEAD}\npassword = hunter2-in-the-wrong-place\n");
    refused(&pack(&attacker(), &manifest), 2, "line").never_shows("hunter2");
    let mut bytes = pack(&attacker(), &Ask::new().manifest());
    let at = bytes.windows(12).rposition(|window| window == b"\"An attacker").unwrap() + 1;
    bytes[at] = 0xff;
    refused(&bytes, 2, "UTF-8");
}
