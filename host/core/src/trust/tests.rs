//! Tests of trust: what counts as allowed, and what changes of it do.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::config::{Owner, Place};

const PROJECT: &str = "default = \"prod\"\n[providers.prod]\nplugin = \"vault\"\nsettings = { address = \"https://a.example\" }\n[secrets]\nA = \"store://prod/app/a\"\nB = \"app/b\"\n";

fn layer(text: &str) -> Layer {
    Layer::parse(text.as_bytes(), &Place { owner: Owner::Project, file: PathBuf::from("/p/forge.toml") }).unwrap()
}

fn record(references: &[&str]) -> Record {
    let meaning = layer(PROJECT);
    let references = references.iter().map(|text| text.parse().unwrap()).collect();
    Record { schema_version: SCHEMA_VERSION, path: "/p".to_owned(), hash: project::hash(&meaning), meaning, references }
}

fn edited(from: &str, to: &str) -> Layer {
    assert!(PROJECT.contains(from), "{from}");
    layer(&PROJECT.replace(from, to))
}

#[test]
fn a_record_counts_for_its_own_folder_and_its_own_meaning() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let home = Home { config: path("config"), data: path("data"), cache: path("cache"), keyring: None };
    let directory = path("project");
    let found = |text: &str| Found { directory: directory.clone(), files: Vec::new(), meaning: Ok(layer(text)) };
    let why = |found: &Found| check(&home, found).unwrap_err().why;
    assert!(matches!(why(&found(PROJECT)), Error::NotAllowed(_)));
    let record = Record { path: directory.to_str().unwrap().to_owned(), ..record(&[]) };
    record.write(&home).unwrap();
    assert!(check(&home, &found(PROJECT)).is_ok());
    assert!(check(&home, &found(&format!("# comment\n{PROJECT}"))).is_ok());
    assert!(matches!(why(&found(&PROJECT.replace("a.example", "b.example"))), Error::Changed(_)));
    // The record of one project under the name of another one.
    let other = path("other");
    std::fs::copy(file(&home, &directory), file(&home, &other)).unwrap();
    let copied = Found { directory: other, ..found(PROJECT) };
    assert!(matches!(why(&copied), Error::Record { .. }));
    // Somebody else could have written it.
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file(&home, &directory), std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(why(&found(PROJECT)), Error::Record { .. }));
    assert!(Record::remove(&home, &directory).unwrap());
    assert!(!Record::remove(&home, &directory).unwrap());
    assert!(matches!(why(&found(PROJECT)), Error::NotAllowed(_)));
}

#[test]
fn references_may_change_within_the_patterns_and_nothing_else_may() {
    let record = record(&["store://prod/app/**"]);
    for (from, to) in [
        ("prod/app/a", "prod/app/deeper/a?version=2#f"),
        ("\"store://prod/app/a\"", "{ ref = \"store://prod/app/c\", fallback = [\"store://prod/app/d\"] }"),
        ("\"app/b\"", "\"store://prod/app/b\""),
    ] {
        assert!(record.allows(&edited(from, to)), "{to}");
    }
    for (from, to) in [
        ("prod/app/a", "prod/application/a"),
        ("prod/app/a", "prod/app"),
        ("prod/app/a", "local/app/a"),
        ("\"app/b\"", "{ ref = \"store://prod/app/b\", fallback = [\"store://local/app/b\"] }"),
        ("a.example", "b.example"),
        ("default = \"prod\"", "default = \"local\""),
        ("default = \"prod\"", ""),
        ("plugin = \"vault\"", "plugin = \"vault\"\ncredential = { kind = \"none\" }"),
    ] {
        assert!(!record.allows(&edited(from, to)), "{to}");
    }
}

#[test]
fn a_variable_that_is_new_gone_or_no_longer_required_is_asked_about() {
    let record = record(&["store://prod/**"]);
    for (from, to) in [
        ("B = \"app/b\"", "B = \"app/b\"\nC = \"store://prod/app/c\""),
        ("B = \"app/b\"", "B = \"app/b\"\nLD_PRELOAD = \"store://prod/app/c\""),
        ("B = \"app/b\"", "C = \"store://prod/app/c\""),
        ("B = \"app/b\"", "B = \"app/b\"\n[environments.staging]\nsecrets = { A = \"store://prod/app/x\" }"),
        ("B = \"app/b\"", ""),
        ("\"store://prod/app/a\"", "{ ref = \"store://prod/app/a\", required = false }"),
    ] {
        assert!(!record.allows(&edited(from, to)), "{to}");
    }
}

#[test]
fn a_bare_path_is_within_no_pattern() {
    // Whoever changes the default, the project's or the user's own, changes what it means.
    let record = record(&["store://prod/**"]);
    for (from, to) in [("\"app/b\"", "\"app/c\""), ("\"store://prod/app/a\"", "\"app/a\"")] {
        assert!(!record.allows(&edited(from, to)), "{to}");
    }
    assert!(record.allows(&edited("\"app/b\"", "\"store://prod/app/c\"")));
}

#[test]
fn a_pattern_names_a_provider_and_ends_in_two_stars() {
    for text in ["store://prod/app/**", "store://prod/**", "store://prod/a%20b/c/**"] {
        assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
    }
    for text in
        ["app/**", "**", "store://prod/app", "store://prod/*/a/**", "store://*/**", "store://prod/../**", "store://**"]
    {
        assert_eq!(text.parse::<Pattern>(), Err(PatternError), "{text}");
    }
}

#[test]
fn the_most_dangerous_change_stands_first() {
    let after = PROJECT
        .replace("a.example", "evil.example")
        .replace("app/a", "app/z")
        .replace("B = \"app/b\"", "PATH = \"app/b\"");
    let lines: Vec<String> = changes(&layer(PROJECT), &layer(&after)).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "~ providers.prod.settings.address = https://evil.example (was https://a.example)",
            "+ secrets.PATH = app/b",
            "~ secrets.A = store://prod/app/z (was store://prod/app/a)",
            "- secrets.B = app/b",
        ]
    );
    assert!(changes(&layer(PROJECT), &layer(PROJECT)).is_empty());
}

#[test]
fn a_letter_that_looks_like_another_one_is_spelt_out() {
    let before = layer(PROJECT);
    let changes = changes(&before, &edited("a.example", "\u{430}.example"));
    assert_eq!(
        changes.first().unwrap().to_string(),
        "~ providers.prod.settings.address = https://\\u{430}.example (was https://a.example)"
    );
}
