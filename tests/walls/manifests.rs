//! Walls between crates, read off their manifests: the compiler keeps what is not named there out of their code.

use std::collections::BTreeSet;
use std::path::Path;

use super::{read, shown, written};

/// Which of our crates each of them may name (design/architecture.md, "Arrows"). The harness ships to nobody.
const ARROWS: [(&str, &[&str]); 7] = [
    ("forge", &["forge-server", "forge-sandbox", "forge-broker", "forge-core"]),
    ("forge-sandbox", &["forge-broker", "forge-core"]),
    ("forge-broker", &["forge-core"]),
    ("forge-core", &[]),
    ("forge-sdk", &[]),
    ("forge-guests", &["forge-sdk"]),
    ("forge-tests", &["forge-sandbox", "forge-broker", "forge-core"]),
];

/// Plugins name the SDK and nothing else of ours.
const PLUGIN: (&str, &[&str]) = ("forge-plugin-", &["forge-sdk"]);

/// Libraries that one crate alone may name, by how their names begin; the harness measures against some of them.
const SOLE_USERS: [(&str, &[&str]); 10] = [
    ("wasmtime", &["forge-sandbox"]),
    ("cranelift", &[]),
    ("wasmparser", &["forge-sandbox"]),
    ("cap-std", &["forge-sandbox"]),
    ("wit-bindgen", &["forge-sdk"]),
    ("reqwest", &["forge-broker"]),
    ("hyper", &["forge-broker"]),
    ("rustls", &["forge-broker"]),
    ("clap", &["forge", "forge-tests"]),
    ("anyhow", &["forge", "forge-tests"]),
];

/// A crate's name and everything that its manifest names, for tests and build scripts as well.
struct Named {
    name: String,
    dependencies: BTreeSet<String>,
}

fn manifests(root: &Path) -> Vec<Named> {
    let mut manifests = Vec::new();
    for file in written(root, "Cargo.toml") {
        let manifest: toml::Table =
            read(root, &file).parse().unwrap_or_else(|error| panic!("{}: {error}", shown(&file)));
        let Some(name) = manifest.get("package").and_then(|package| package.get("name")?.as_str()) else { continue };
        let mut dependencies = BTreeSet::new();
        collect(&manifest, &mut dependencies);
        manifests.push(Named { name: name.to_owned(), dependencies });
    }
    manifests
}

/// The names under every `dependencies`, `dev-dependencies` and `build-dependencies`, those of a target included.
fn collect(table: &toml::Table, dependencies: &mut BTreeSet<String>) {
    for (key, value) in table {
        let Some(table) = value.as_table() else { continue };
        if key.ends_with("dependencies") {
            // A dependency may be given another name in the crate; `package` then tells the real one.
            let real = |(name, value): (&String, &toml::Value)| {
                value.get("package").and_then(toml::Value::as_str).unwrap_or(name).to_owned()
            };
            dependencies.extend(table.iter().map(real));
        } else {
            collect(table, dependencies);
        }
    }
}

/// Crates depend on each other only along the arrows.
pub(super) fn arrows(root: &Path) -> Vec<String> {
    let mut broken = Vec::new();
    for Named { name, dependencies } in manifests(root) {
        let arrows = ARROWS.iter().find(|(known, _)| *known == name).map(|(_, arrows)| *arrows);
        let Some(arrows) = arrows.or_else(|| name.starts_with(PLUGIN.0).then_some(PLUGIN.1)) else {
            broken.push(format!("`{name}` is a crate that the architecture doesn't name"));
            continue;
        };
        for other in dependencies.iter().filter(|other| is_ours(other) && !arrows.contains(&other.as_str())) {
            broken.push(format!("`{name}` names `{other}`"));
        }
    }
    broken
}

fn is_ours(name: &str) -> bool {
    name == "forge" || name.starts_with("forge-")
}

/// A library that is one crate's alone is named by no other.
pub(super) fn sole_users(root: &Path) -> Vec<String> {
    let mut broken = Vec::new();
    for Named { name, dependencies } in manifests(root) {
        for library in &dependencies {
            let rule = SOLE_USERS.iter().find(|(prefix, _)| {
                library.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            });
            if rule.is_some_and(|(_, users)| !users.contains(&name.as_str())) {
                broken.push(format!("`{name}` names `{library}`"));
            }
        }
    }
    broken
}
