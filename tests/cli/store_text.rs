//! Development files through the real program, against readers that know nothing of forge: Python's.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use forge_tests::outcome::Outcome;
use forge_tests::world::{World, files, root};
use serde_json::Value as Json;

use super::{get, set};

/// Reads a file as each format's own library does and prints what it found as JSON.
const READ: &str = r#"
import json, sys
kind, path = sys.argv[1:]
if kind == "env":
    import dotenv
    found = dotenv.dotenv_values(path, interpolate=False)
elif kind == "json":
    found = json.load(open(path, encoding="utf-8"))
else:
    import yaml
    found = yaml.safe_load(open(path, encoding="utf-8"))
json.dump(found, sys.stdout)
"#;

/// Writes a mapping as each format's own library does.
const WRITE: &str = r#"
import json, sys
kind, path, text = sys.argv[1:]
found = json.loads(text)
if kind == "env":
    import dotenv
    for name, value in found.items():
        dotenv.set_key(path, name, value)
elif kind == "json":
    json.dump(found, open(path, "w", encoding="utf-8"), indent=2)
else:
    import yaml
    yaml.safe_dump(found, open(path, "w", encoding="utf-8"), allow_unicode=True)
"#;

/// Values that formats trip over.
const VALUES: [&str; 22] = [
    "plain",
    "",
    " spaces at its ends ",
    "12",
    "true",
    "null",
    "~",
    "no",
    "2001-01-01",
    "0x1F",
    "- item",
    "{a: 1}",
    "a: b # c",
    "it's",
    "\"double\"",
    "back\\slash \\n",
    "two\nlines\n",
    "\n\n",
    "tab\there",
    "${HOME} `id` $(id)",
    "caf\u{e9} \u{65e5}\u{672c} \u{1f511}",
    "-----BEGIN KEY-----\nMIIE+/=\n-----END KEY-----\n",
];

fn python(script: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(root().join("target/servers/bin/python")).args(["-c", script]).args(arguments).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn read_by_python(kind: &str, file: &Path) -> Json {
    serde_json::from_slice(&python(READ, &[kind, file.to_str().unwrap()])).unwrap()
}

fn add(world: &World, file: &Path) -> Outcome {
    let run = world.command(["provider", "add", "dev", "--plugin", "textfile", "--yes"]);
    run.and(["--set", &format!("file={}", file.display())]).run()
}

fn project(world: &World, name: &str, text: &str) -> PathBuf {
    let folder = world.path("project");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn what_forge_writes_python_reads_the_same() {
    for (kind, name) in [("env", ".env"), ("json", "dev.json"), ("yaml", "dev.yaml")] {
        let world = World::new();
        let file = project(&world, name, "");
        add(&world, &file).succeeds();
        for (number, value) in VALUES.into_iter().enumerate() {
            set(&world, &format!("store://dev/NAME_{number}"), value).succeeds();
        }
        let found = read_by_python(kind, &file);
        for (number, value) in VALUES.into_iter().enumerate() {
            assert_eq!(found[format!("NAME_{number}")], value, "{kind}");
            get(&world, &format!("store://dev/NAME_{number}")).succeeds().stdout_is(value);
        }
        if kind != "env" {
            set(&world, "store://dev/a/b/c d", "nested").succeeds();
            assert_eq!(read_by_python(kind, &file)["a"]["b"]["c d"], "nested");
        }
    }
}

#[test]
fn what_python_writes_forge_reads_the_same() {
    for (kind, name) in [("env", ".env"), ("json", "dev.json"), ("yaml", "dev.yaml")] {
        let world = World::new();
        let file = project(&world, name, "");
        let values: serde_json::Map<String, Json> =
            VALUES.into_iter().enumerate().map(|(number, value)| (format!("NAME_{number}"), value.into())).collect();
        python(WRITE, &[kind, file.to_str().unwrap(), &Json::from(values).to_string()]);
        add(&world, &file).succeeds();
        // What the library itself reads back is what it wrote: it does not escape everything.
        let found = read_by_python(kind, &file);
        for number in 0..VALUES.len() {
            let value = found[format!("NAME_{number}")].as_str().unwrap();
            get(&world, &format!("store://dev/NAME_{number}")).succeeds().stdout_is(value);
        }
    }
}

#[test]
fn a_file_is_changed_in_place_and_nothing_is_left_beside_it() {
    let world = World::new();
    let file = project(&world, ".env", "# ours\nA=1 # one\n\nB=2\n");
    let beside = project(&world, "secrets.env", "C=not granted\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    add(&world, &file).succeeds().stderr_has("only the file");
    set(&world, "store://dev/A", "new value").succeeds();
    world.forge(["secret", "delete", "store://dev/B", "--yes"]).succeeds();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# ours\nA='new value' # one\n\n");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    // No temporary file and no lock, in a folder that is somebody's project.
    let mut left = files(&world.path("project"));
    left.sort();
    assert_eq!(left, [file.clone(), beside]);
    get(&world, "store://dev/C").exits(3);
    assert_eq!(world.forge(["secret", "list", "store://dev"]).text(), "A\n");
}

#[test]
fn a_read_only_grant_of_a_file_is_read_and_not_written() {
    let world = World::new();
    let file = project(&world, "dev.yaml", "a: 1\n");
    let run = world.command(["provider", "add", "dev", "--plugin", "textfile", "--yes", "--read-only"]);
    run.and(["--set", &format!("file={}", file.display())]).run().succeeds();
    get(&world, "store://dev/a").succeeds().stdout_is("1");
    set(&world, "store://dev/a", "2").exits(8).stderr_has("read-only");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a: 1\n");
}

#[test]
fn writers_of_one_file_wait_for_each_other() {
    let world = World::new();
    let file = project(&world, "dev.json", "{}\n");
    add(&world, &file).succeeds();
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let world = &world;
            scope.spawn(move || set(world, &format!("store://dev/w{writer}"), writer.to_string()).succeeds().code);
        }
    });
    let found = read_by_python("json", &file);
    assert_eq!(found.as_object().unwrap().len(), 6, "{found}");
}

#[test]
fn what_a_file_can_not_do_is_refused_and_says_so() {
    let world = World::new();
    let file = project(&world, "dev.yaml", "a: 1\n");
    add(&world, &file).succeeds();
    world.forge(["secret", "versions", "store://dev/a"]).exits(2).stderr_has("`textfile` has no `secret-history`");
    world.forge(["-v", "secret", "recover", "store://dev/a"]).exits(2).stderr_has("development file");
    std::fs::write(&file, "a: 1\na: 2\n").unwrap();
    world
        .command(["secret", "get", "store://dev/a"])
        .and(["-v"])
        .run()
        .exits(6)
        .stderr_has("twice")
        .stderr_has("line 2");
    std::fs::write(&file, [0xff, 0xfe]).unwrap();
    set(&world, "store://dev/a", "x").exits(6);
    assert_eq!(std::fs::read(&file).unwrap(), [0xff, 0xfe]);
}

#[test]
fn a_file_that_can_not_be_given_is_called_a_file() {
    let world = World::new();
    set(&world, "a", "x").succeeds();
    let key = world.data().join("keys/sealing.key");
    let file = format!("file={}", key.display());
    let refused = world.forge(["provider", "add", "t", "--plugin", "textfile", "--set", &file, "--yes"]);
    refused.exits(8).stderr_has("a file of forge's own").never_shows("directory");
    world.forge(["provider", "add", "t", "--plugin", "textfile", "--set", &file, "--dry-run"]).exits(8);
}
