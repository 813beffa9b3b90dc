//! The README's table of abilities, held to what the components that the program carries really export.

use std::collections::BTreeSet;

use forge_tests::world::{World, root};

/// The columns of the table behind the plugin's name, by the interface of the contract that each one stands for.
const COLUMNS: [(&str, &str); 8] = [
    ("read", "secret-provider"),
    ("read many", "secret-batch"),
    ("list, describe", "secret-metadata"),
    ("set", "secret-writer"),
    ("delete, recover, purge", "secret-removal"),
    ("versions, rollback, states", "secret-history"),
    ("rotate", "secret-rotation"),
    ("wrap keys", "key-provider"),
];

/// The table as the components say it: one line for each built-in plugin.
fn table(world: &World) -> Vec<String> {
    let titles: Vec<&str> = COLUMNS.iter().map(|(title, _)| *title).collect();
    let mut lines =
        vec![format!("| plugin | {} |", titles.join(" | ")), format!("|---{}|", "|---".repeat(COLUMNS.len()))];
    let listed = world.forge(["--json", "plugin", "list"]).succeeds().json();
    for plugin in listed["plugins"].as_array().unwrap() {
        let name = plugin["name"].as_str().unwrap();
        let shown = world.forge(["--json", "plugin", "info", name]).succeeds().json();
        let exports: BTreeSet<String> =
            shown["exports"].as_array().unwrap().iter().map(|export| export.as_str().unwrap().to_owned()).collect();
        let has = |interface: &str| exports.contains(&format!("forge:plugin/{interface}@0.1.0"));
        let cells: Vec<&str> =
            COLUMNS.iter().map(|(_, interface)| if has(interface) { " yes |" } else { " |" }).collect();
        // An interface without a column would be an ability that nobody is told of.
        assert_eq!(exports.len(), cells.iter().filter(|cell| cell.contains("yes")).count(), "{exports:?}");
        lines.push(format!("| [`{name}`](plugins/{name}/README.md) |{}", cells.concat()));
    }
    lines
}

#[test]
fn the_readme_says_of_each_plugin_exactly_what_its_component_exports() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let table = table(&World::new());
    assert!(readme.contains(&table.join("\n")), "the README's table should be:\n\n{}\n", table.join("\n"));
}

#[test]
fn every_plugin_has_a_guide_that_says_how_it_takes_back_and_removes() {
    let listed = World::new().forge(["--json", "plugin", "list"]).succeeds().json();
    for plugin in listed["plugins"].as_array().unwrap() {
        let name = plugin["name"].as_str().unwrap();
        let guide = std::fs::read_to_string(root().join("plugins").join(name).join("README.md")).unwrap();
        for word in ["rollback", "delete"] {
            assert!(guide.contains(&format!("`{word}")), "the guide of `{name}` doesn't say what `{word}` does");
        }
    }
}
