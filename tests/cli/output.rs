//! What is printed where: values on standard output, all else on standard error, and one JSON object for scripts.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use forge_tests::world::{World, root};

use super::{get, set};

#[test]
fn with_no_configuration_the_first_secret_is_two_commands_away() {
    let world = World::new();
    let written = world.command(["secret", "set", "demo/greeting"]).input("hello\n").run();
    written.succeeds().stdout_is("").stderr_has("store://local/demo/greeting");
    get(&world, "demo/greeting").succeeds().stdout_is("hello");
    get(&world, "store://local/demo/greeting").succeeds().stdout_is("hello");
    world.forge(["secret", "list"]).succeeds().stdout_is("demo/greeting\n");
    assert!(!world.config().exists(), "a configuration was written that nobody asked for");
}

#[test]
fn json_is_one_object_with_a_schema_version() {
    let world = World::new();
    let written = world.command(["--json", "secret", "set", "a"]).input("value of a").run();
    assert_eq!(written.succeeds().json()["version"]["id"], "1");
    let shown = world.forge(["--json", "secret", "get", "a"]);
    let shown = shown.succeeds().json();
    assert_eq!(shown["value"], "value of a");
    assert_eq!(shown["reference"], "a");
    assert_eq!(shown["version"]["current"], true);
    let created = shown["version"]["created_at"].as_str().unwrap();
    assert!(created.ends_with('Z') && created.contains('T'), "{created}");
    let listed = world.forge(["--json", "secret", "list"]).json();
    assert_eq!(listed["secrets"][0]["path"], "a");
    assert_eq!(world.forge(["--json", "secret", "list", "nothing"]).json()["secrets"], serde_json::json!([]));
    let deleted = world.forge(["--json", "secret", "delete", "a", "--yes"]).json();
    assert_eq!(deleted["deleted"], true);
    let plugins = world.forge(["--json", "plugin", "list"]).json();
    let names: Vec<&str> =
        plugins["plugins"].as_array().unwrap().iter().map(|plugin| plugin["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["aws", "azure", "env", "file", "gcp", "textfile", "vault"]);
    world.forge(["--json", "provider", "list"]).json();
    let info = world.forge(["--json", "plugin", "info", "vault"]).json();
    assert_eq!(info["built_in"], true);
}

/// What PyYAML, a reader that knows nothing of forge, makes of a document, as JSON.
#[track_caller]
fn as_json(yaml: &[u8]) -> serde_json::Value {
    let script = "import json,sys,yaml; json.dump(yaml.safe_load(sys.stdin.buffer), sys.stdout)";
    let python = root().join("target/servers/bin/python");
    let mut reading =
        Command::new(python).args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    reading.stdin.take().unwrap().write_all(yaml).unwrap();
    let output = reading.wait_with_output().unwrap();
    assert!(output.status.success(), "no YAML: {}", String::from_utf8_lossy(yaml));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn yaml_means_the_same_as_json_to_a_reader_that_knows_nothing_of_forge() {
    let world = World::new();
    let odd: String = (1..0x500)
        .chain([0x2028, 0x2029, 0x202e, 0xfeff, 0xfffd, 0x1f600, 0x2_0000])
        .filter_map(char::from_u32)
        .collect();
    for (name, value) in [
        ("odd", odd.as_str()),
        ("no", "no"),
        ("number", "0x10"),
        ("sum", "1e5"),
        ("date", "2027-01-31"),
        ("nothing", "~"),
        ("empty", ""),
        ("map", "a: {b: [c]} # d\n- e\n\n"),
        ("anchor", "&a *a !b |\n  > 'x' \"y\" \\z"),
    ] {
        world
            .command(["secret", "set", name, "--keep-newline", "--tag", "no=yes", "--tag", "a b=1"])
            .input(value)
            .run()
            .succeeds();
        let yaml = as_json(&world.forge(["-f", "yaml", "secret", "get", name]).succeeds().stdout);
        assert_eq!(yaml["value"], value);
        assert_eq!(yaml, world.forge(["--json", "secret", "get", name]).json());
    }
    for words in [
        "secret list",
        "secret describe no",
        "secret versions no",
        "plugin list",
        "plugin info vault",
        "provider list",
        "provider info local",
        "doctor",
    ] {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let with = |flags: &[&str]| {
            world.words(&[flags.iter().map(|flag| (*flag).to_owned()).collect(), words.clone()].concat())
        };
        // The doctor's own checks are on record, so the next one finds more of it.
        let lasting = |mut told: serde_json::Value| {
            told["metrics"].take();
            let checks = told["checks"].as_array_mut();
            checks.into_iter().for_each(|checks| checks.retain(|check| check["subject"] != "audit log"));
            told
        };
        let json = lasting(with(&["--json"]).json());
        assert_eq!(lasting(as_json(&with(&["--format", "yaml"]).succeeds().stdout)), json, "{words:?}");
        assert_eq!(lasting(with(&["-f", "json"]).json()), json);
    }
    let error =
        as_json(world.forge(["-f", "yaml", "secret", "get", "missing"]).exits(3).stdout_is("").stderr.as_bytes());
    assert_eq!(error["error"]["kind"], "not-found");
    world.forge(["-f", "xml", "secret", "list"]).exits(2);
    world.forge(["-f", "yaml", "--json", "secret", "list"]).exits(2);
}

#[test]
fn an_error_in_json_names_its_kind_and_leaves_standard_output_empty() {
    let world = World::new();
    for (arguments, code, kind) in [
        (vec!["secret", "get", "missing"], 3, "not-found"),
        (vec!["secret", "get", "a//b"], 2, "invalid-request"),
        (vec!["secret", "get", "store://nowhere/a"], 3, "not-found"),
        (vec!["plugin", "install", "nowhere.wasm"], 3, "not-found"),
    ] {
        let mut run = world.command(["--json"]);
        for argument in &arguments {
            run = run.and([argument]);
        }
        let outcome = run.run();
        outcome.exits(code).stdout_is("");
        let error = outcome.error_json();
        assert_eq!(error["error"]["kind"], kind, "{outcome:?}");
        assert!(error["error"]["message"].as_str().unwrap().starts_with(char::is_lowercase));
    }
}

#[test]
fn a_mistake_in_the_command_line_is_one_object_where_one_is_wanted() {
    let world = World::new();
    for (words, part) in [
        (&["--json", "secret", "gte", "a"][..], "gte"),
        (&["secret", "get", "a", "--nope", "--format", "json"], "--nope"),
        (&["--format=json", "secret", "set"], "<REFERENCE>"),
        (&["-fjson"], "subcommand"),
    ] {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let outcome = world.words(&words);
        let error = outcome.exits(2).stdout_is("").error_json();
        assert_eq!(error["error"]["kind"], "invalid-request");
        assert!(error["error"]["message"].as_str().unwrap().contains(part), "{outcome:?}");
        outcome.never_shows("__compile");
    }
    let told = world.forge(["-f", "yaml", "secret", "gte"]);
    assert_eq!(as_json(told.exits(2).stderr.as_bytes())["error"]["kind"], "invalid-request");
    // Help is what was asked for, and no mistake.
    world.forge(["--json", "secret", "--help"]).succeeds().stdout_has("Usage");
}

#[test]
fn a_warning_is_a_field_of_the_object_and_no_line_beside_it() {
    let world = World::new();
    set(&world, "from/a", "x").succeeds();
    set(&world, "from/b", "x").succeeds();
    set(&world, "to/a", "taken").succeeds();
    let words = ["--json", "secret", "copy", "from/**", "to"];
    let copied = world.forge(words);
    let error = copied.exits(12).error_json();
    assert_eq!(error["error"]["kind"], "partial");
    let json = copied.json();
    assert!(json["warnings"][0].as_str().unwrap().contains("store://local/to/a"), "{copied:?}");
    assert_eq!(json["warnings"].as_array().unwrap().len(), 1);
    world.forge(["secret", "copy", "from/**", "to"]).exits(12).stderr_has("warning: can't copy");
    // Nobody is asked, so nothing but the error is said.
    std::fs::write(world.path("work/forge.toml"), "[secrets]\nA = \"store://unknown/a\"\n").unwrap();
    let refused = world.forge(["--json", "allow"]).exits(8).error_json();
    assert_eq!(refused["error"]["kind"], "not-granted");
    assert!(refused["warnings"][0].as_str().unwrap().contains("unknown"), "{refused}");
}

#[test]
fn a_key_of_any_length_is_read_as_the_same_from_yaml() {
    let world = World::new();
    for length in [10, 998, 999, 3_000] {
        let tag = format!("{}=x", "T".repeat(length));
        world.command(["secret", "set", "a", "--tag", &tag]).input("x").run().succeeds();
        let yaml = world.forge(["-f", "yaml", "secret", "describe", "a"]).succeeds().stdout.clone();
        let json = world.forge(["--json", "secret", "describe", "a"]).json();
        assert_eq!(as_json(&yaml), json, "{length}");
    }
}

#[test]
fn a_value_goes_into_a_private_file_where_one_is_named() {
    let world = World::new();
    set(&world, "a", "into a file").succeeds();
    let file = world.path("value");
    let out = file.to_str().unwrap();
    world.forge(["secret", "get", "a", "--out", out]).succeeds().stdout_is("");
    assert_eq!(std::fs::read(&file).unwrap(), b"into a file");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // What others could read is not left so.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    world.forge(["secret", "get", "a", "--out", out]).succeeds();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // A folder that is none or not there, and what is no file and would be replaced by one.
    let missing = world.path("missing/value");
    let device = std::os::unix::net::UnixListener::bind(world.path("socket"));
    for bad in [format!("{out}/below"), missing.display().to_string(), world.path("socket").display().to_string()] {
        world.forge(["secret", "get", "a", "--out", &bad]).exits(2).stdout_is("").never_shows("into a file");
    }
    assert!(device.is_ok() && !missing.exists());
}

#[test]
fn quiet_is_quiet_and_errors_are_still_told() {
    let world = World::new();
    let written = world.command(["--quiet", "secret", "set", "a"]).input("x").run();
    assert_eq!(written.succeeds().stderr, "");
    world.forge(["-q", "secret", "get", "missing"]).exits(3).stderr_has("error: ");
}

#[test]
fn a_plugin_is_shown_with_all_that_it_asks_for() {
    let world = World::new();
    let shown = world.forge(["plugin", "info", "vault"]);
    shown.succeeds().stdout_has("built in").stdout_has("forge:plugin@0.1.0").stdout_has("vault-token");
    shown.stdout_has("GET {address}/v1/{mount}/data/**").stdout_has("http");
    let text = world.forge(["plugin", "info", "file"]).text();
    assert!(text.contains("sealed by forge") && !text.contains("may read"), "{text}");
    world.forge(["plugin", "list"]).succeeds().stdout_has("file").stdout_has("vault");
    world.forge(["plugin", "verify"]).succeeds();
    world.forge(["plugin", "install", "vault"]).succeeds().stderr_has("built in");
    world.forge(["plugin", "remove", "vault"]).exits(9);
}

#[test]
fn an_error_says_what_was_tried_what_stopped_it_and_what_to_do() {
    let world = World::new();
    let missing = get(&world, "app/db");
    assert_eq!(
        missing.exits(3).stderr,
        "error: can't read `app/db`: there is no such secret or version\n\n\
         hint: `forge secret list` shows what is there\n"
    );
    let provider = get(&world, "store://nowhere/a");
    provider.exits(3).stderr_has("error: can't read `store://nowhere/a`: there is no provider `nowhere`\n\nhint: ");
}
