//! `forge export` and `forge check`: what other readers find in what is written, and what is said of what is missing.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use forge_tests::outcome::contains;
use forge_tests::servers::moto::python;
use forge_tests::world::{World, root};
use serde_json::json;

use super::set;

/// Values that some reader takes for something else, unless they are written with care.
const NASTY: [&str; 24] = [
    "plain",
    "",
    " ",
    "two words",
    "it's",
    "'",
    "''",
    "\"",
    "a\"b'c`d$e\\f",
    "$(touch /tmp/x) `id` ${HOME}",
    "#hash",
    "a #b",
    "line\nbreak",
    "\n",
    "trailing\n",
    "carriage\r\nreturn",
    "tab\there",
    "true",
    "no",
    "12",
    "0x1f",
    "2001-01-01",
    "${secret:0}",
    "caf\u{e9} \u{1f511} = ; & | > < * ? [ ] ! ~",
];

/// A world whose project gives each of these values a variable `V0`, `V1` and so on.
fn world(values: &[&str]) -> World {
    let world = World::new();
    let all: BTreeMap<String, &str> = (0..).map(|at| format!("f{at}")).zip(values.iter().copied()).collect();
    set(&world, "all", json!(all).to_string()).succeeds();
    let lines: Vec<String> = (0..values.len()).map(|at| format!("V{at} = \"store://local/all#f{at}\"\n")).collect();
    write(&world, &format!("[secrets]\n{}", lines.concat()));
    world
}

fn write(world: &World, text: &str) {
    std::fs::write(world.path("work/forge.toml"), text).unwrap();
    world.forge(["allow", "--yes"]).succeeds();
}

/// The variables `V0` and so on of a map, in the order of their numbers.
fn numbered(map: &BTreeMap<String, String>) -> Vec<String> {
    (0..map.len()).map(|at| map[&format!("V{at}")].clone()).collect()
}

#[test]
fn each_format_is_read_as_the_values_by_its_own_readers() {
    let world = world(&NASTY);
    let json = world.forge(["export", "--format", "json"]);
    let read: BTreeMap<String, String> = serde_json::from_slice(&json.succeeds().stdout).unwrap();
    assert_eq!(numbered(&read), NASTY);

    let yaml = world.forge(["export", "-f", "yaml"]);
    let script = "import sys,json,yaml;print(json.dumps(yaml.safe_load(sys.stdin.buffer.read())))";
    let file = world.file("out.yaml", &yaml.succeeds().stdout);
    let output = python().args(["-c", script]).stdin(std::fs::File::open(file).unwrap()).output().unwrap();
    let read: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).expect("YAML is read");
    assert_eq!(numbered(&read), NASTY);

    // Python's library is the one that the format is written for.
    let dotenv = world.path("work/out.env");
    world.forge(["export", "--format", "dotenv", "-o", "out.env"]).succeeds().stdout_is("");
    assert_eq!(dotenv.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let script = "import sys,json,dotenv;print(json.dumps(dotenv.dotenv_values(sys.argv[1],interpolate=False)))";
    let output = python().args(["-c", script]).arg(&dotenv).output().unwrap();
    let read: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).expect("dotenv is read");
    assert_eq!(numbered(&read), NASTY);
    world.forge(["export"]).succeeds().stdout_is(std::fs::read(&dotenv).unwrap());

    let shell = world.forge(["export", "-f", "shell"]);
    let file = world.file("out.sh", &shell.succeeds().stdout);
    for name in ["sh", "bash", "dash"] {
        let script = ". \"$1\" && exec env -0";
        let output = std::process::Command::new(name).args(["-c", script, name, &file]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let read: BTreeMap<String, String> =
            text.split('\0').filter_map(|pair| pair.split_once('=')).map(|(n, v)| (n.into(), v.into())).collect();
        let values: Vec<&String> = (0..NASTY.len()).map(|at| &read[&format!("V{at}")]).collect();
        assert_eq!(values, NASTY.iter().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a_step_of_github_has_its_values_masked_before_the_next_ones_are_given_them() {
    let world = world(&["hunter2", "50% of\nhunter3 it\n}\n", "", "ab"]);
    let file = world.file("github", "BEFORE=1\n");
    let run = world.command(["export", "--format", "gha"]).variable("GITHUB_ENV", &file).run();
    run.succeeds().stdout_is("::add-mask::hunter2\n::add-mask::50%25 of\n::add-mask::hunter3 it\n::add-mask::ab\n");
    // As the runner reads it: a name, a word, and lines up to that word.
    let text = std::fs::read_to_string(&file).unwrap();
    let mut rest = text.strip_prefix("BEFORE=1\n").unwrap();
    let mut read = Vec::new();
    while let Some((name, after)) = rest.split_once("<<") {
        let (end, after) = after.split_once('\n').unwrap();
        let (value, after) = after.split_once(&format!("\n{end}\n")).unwrap();
        read.push((name, value));
        rest = after;
    }
    assert_eq!(read, [("V0", "hunter2"), ("V1", "50% of\nhunter3 it\n}\n"), ("V2", ""), ("V3", "ab")]);
    assert_eq!(rest, "");

    world.forge(["export", "--format", "gha"]).exits(2).stdout_is("").stderr_has("`GITHUB_ENV` is not set");
    write(&world, "[secrets]\nGITHUB_TOKEN = \"store://local/all#f0\"\n");
    let run = world.command(["export", "--format", "gha"]).variable("GITHUB_ENV", &file).run();
    run.exits(2).stdout_is("").stderr_has("lets no step set `GITHUB_TOKEN`");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_value_that_no_variable_can_hold_is_named_and_nothing_is_written() {
    let world = World::new();
    let file = world.file("binary", [0xff, 0xfe]);
    world.forge(["secret", "set", "binary", "--from-file", &file]).succeeds();
    let file = world.file("nul", b"hunter2\0hunter2");
    world.forge(["secret", "set", "nul", "--from-file", &file]).succeeds();
    for (path, why) in [("binary", "is binary"), ("nul", "has a NUL")] {
        write(&world, &format!("[secrets]\nA = \"store://local/{path}\"\n"));
        let run = world.forge(["export", "-o", "out.env"]);
        run.exits(2).stderr_has(&format!("`A` can't be a variable: its value {why}")).never_shows("hunter2");
        assert!(!world.path("work/out.env").exists());
        world.forge(["check"]).exits(10).stdout_has(&format!("its value {why}"));
    }
}

#[test]
fn variables_come_from_the_names_below_a_prefix_and_from_the_fields_of_a_secret() {
    let world = World::new();
    for path in ["app", "app/db/password", "app/api-key", "other"] {
        set(&world, path, format!("value of {path}")).succeeds();
    }
    let export = |from: &[&str]| {
        let mut run = world.command(["export", "-f", "json"]);
        for from in from {
            run = run.and(["--from", from]);
        }
        run.run()
    };
    let read = |from: &[&str]| -> BTreeMap<String, String> {
        serde_json::from_slice(&export(from).succeeds().stdout).unwrap()
    };
    let below = BTreeMap::from([
        ("API_KEY".to_owned(), "value of app/api-key".to_owned()),
        ("DB_PASSWORD".to_owned(), "value of app/db/password".to_owned()),
    ]);
    assert_eq!(read(&["app/**"]), below);
    assert_eq!(read(&["store://local/app/**"]), below);
    set(&world, "map", r#"{"user": "me", "pass-word": "hunter2", "none": null, "port": 5432}"#).succeeds();
    let before = world.audit().len();
    let mut fields = read(&["map#*"]);
    let asked = |record: &&serde_json::Value| record["event"] == "operation" && record["path"] == "map";
    let audit = world.audit();
    assert_eq!(
        audit[before..].iter().filter(asked).count(),
        1,
        "a secret was read for its fields and once more for values"
    );
    assert_eq!(fields.remove("PORT").as_deref(), Some("5432"));
    assert_eq!(fields, BTreeMap::from([("USER", "me"), ("PASS_WORD", "hunter2")].map(|(n, v)| (n.into(), v.into()))));
    assert_eq!(read(&["map#*", "app/**"]).len(), 5);

    // Whoever writes names into a folder chooses no loader and no shell.
    set(&world, "evil/ld/preload", "/tmp/x.so").succeeds();
    export(&["evil/**"]).exits(2).stdout_is("").stderr_has("`LD_PRELOAD` can change what a program runs");
    set(&world, "same/a-b", "1").succeeds();
    set(&world, "same/a/b", "2").succeeds();
    export(&["same/**"]).exits(2).stderr_has("would both be the variable `A_B`");
    export(&["app"]).exits(2).stderr_has("ends with `/**`");
    export(&["nothing/**"]).exits(3).stderr_has("there is nothing below `nothing`");
    export(&["other#*"]).exits(2).stderr_has("is not a JSON object");
    let run = world.forge(["export", "--from", "app/**", "--only", "API_KEY"]);
    run.succeeds().stdout_is("API_KEY='value of app/api-key'\n");
    world.forge(["export", "--from", "app/**", "--only", "API_KEI"]).exits(2).stderr_has("there are `API_KEY`");
}

#[test]
fn a_check_tells_all_that_is_missing_and_shows_no_value() {
    let world = World::new();
    set(&world, "a", "hunter2").succeeds();
    let lines =
        "A = \"store://local/a\"\nB = { ref = \"store://local/b\", required = false }\nC = \"store://local/c\"\n";
    let odd = "D = { ref = \"store://nobody/d\", required = false }\nE = \"store://local/a#x\"\n";
    write(&world, &format!("[secrets]\n{lines}{odd}"));
    let run = world.forge(["check"]);
    run.exits(10).never_shows("hunter2").stderr_has("3 of 5 references have no value");
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let expected = [
        "ok    `A`: `store://local/a`",
        "none  `B`: `store://local/b` is not there, and need not be",
        "FAIL  `C`: `store://local/c`: there is no such secret or version",
        "FAIL  `D`: `store://nobody/d`: there is no provider `nobody`",
        "FAIL  `E`: `store://local/a#x`: field `x`: the value is not a JSON object, so it has no fields",
    ];
    for line in expected {
        assert!(text.contains(line), "{text}");
    }
    // What is optional and misspelled is no absence for those who use the values either.
    world.forge(["export", "--only", "A,B,D"]).exits(3).stdout_is("").stderr_has("there is no provider `nobody`");
    world.forge(["export", "--only", "A,B"]).succeeds().stdout_is("A=hunter2\n");

    let object: serde_json::Value = serde_json::from_slice(&world.forge(["--json", "check"]).exits(10).stdout).unwrap();
    let status = |at: usize| object["references"][at]["status"].as_str().unwrap().to_owned();
    assert_eq!([status(0), status(1), status(2)], ["ok", "absent", "failed"]);
    assert!(!contains(object.to_string().as_bytes(), b"hunter2"));
    write(&world, "[secrets]\nA = \"store://local/a\"\n");
    world.forge(["check"]).succeeds().stderr_is("");
}

#[test]
fn a_check_reads_what_files_refer_to_and_writes_none() {
    let world = World::new();
    set(&world, "a", "hunter2").succeeds();
    let text = "x: ${secret:a}\ny: [\"${secret:a} ${secret:gone}\"]\n";
    std::fs::write(world.path("work/app.yaml"), text).unwrap();
    std::fs::write(world.path("work/good.yaml"), "x: ${secret:a}\n").unwrap();
    world.forge(["check", "good.yaml"]).succeeds().stdout_is("ok    good.yaml:1:4: `a`\n");
    let run = world.forge(["check", "good.yaml", "app.yaml"]);
    run.exits(10).stdout_has("FAIL  app.yaml:2:18: `gone`: there is no such secret or version").never_shows("hunter2");
    assert_eq!(std::fs::read_to_string(world.path("work/app.yaml")).unwrap(), text);
    world.forge(["check", "none.yaml"]).exits(3).stderr_has("`none.yaml`: there is no such file");
    std::fs::write(world.path("work/bad.yaml"), "x: ${secret:a\n").unwrap();
    world.forge(["check", "bad.yaml"]).exits(2).stderr_has("bad.yaml:1:4");
    world.forge(["check"]).exits(2).stderr_has("there are no `[secrets]`");
}

#[test]
fn formats_of_export_are_of_no_other_command() {
    let world = World::new();
    for format in ["dotenv", "shell", "gha"] {
        world.forge(["--format", format, "secret", "list"]).exits(2).stderr_has("of `forge export` alone");
    }
    assert!(!contains(&world.forge(["secret", "--help"]).succeeds().stdout, b"gha"));
}

#[test]
fn the_guide_s_examples_print_what_they_say() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let guide = readme.split("\n## Export and check\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let world = World::new();
    let mut blocks = guide.split("```").skip(1).step_by(2);
    let project = blocks.next().unwrap().strip_prefix("toml\n").unwrap();
    set(&world, "app/db", r#"{"url": "postgres://db/app"}"#).succeeds();
    set(&world, "app/api-key", "it's a key").succeeds();
    write(&world, project);
    let mut shown = 0;
    for line in blocks.next().unwrap().strip_prefix("sh\n").unwrap().lines() {
        let (command, prints) = line.split_once("  # ").unwrap_or((line, ""));
        let step = forge_tests::transcript::run(&world, command.trim());
        let printed: Vec<&str> = step.answer.lines().filter_map(|line| line.strip_prefix("| ")).collect();
        assert_eq!(printed.join("; "), prints, "{command}: {}", step.answer);
        shown += usize::from(!prints.is_empty());
    }
    assert!(shown >= 3);
}
