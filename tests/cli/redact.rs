//! `forge redact` as a filter: what passes through it, at once, and what never does.

use std::io::{Read as _, Write as _};
use std::process::Child;

use forge_tests::outcome::{Outcome, contains};
use forge_tests::world::{World, program, root};

use super::set;

const VALUE: &str = "hunter2/\"caf\u{e9}\" & more";

#[track_caller]
fn redact(world: &World, reference: &str, input: impl Into<Vec<u8>>) -> Outcome {
    world.command(["redact", "--secret", reference]).input(input).run()
}

/// Ends the input of a filter; answers what was still to come, and its exit code.
fn ended(mut child: Child) -> (Vec<u8>, Option<i32>) {
    drop(child.stdin.take());
    let mut rest = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
    (rest, child.wait().unwrap().code())
}

#[test]
fn a_value_is_masked_in_each_form_and_all_else_passes() {
    let world = World::new();
    set(&world, "app/db", VALUE).succeeds();
    let hex: String = VALUE.bytes().map(|byte| format!("{byte:02x}")).collect();
    let forms = [
        VALUE.to_owned(),
        hex.to_uppercase(),
        hex,
        "hunter2%2F%22caf%C3%A9%22%20%26%20more".to_owned(),
        "hunter2%2f%22caf%c3%a9%22+%26+more".to_owned(),
        r#"hunter2/\"café\" & more"#.to_owned(),
        r#"hunter2\/\"café\" & more"#.to_owned(),
        r#"hunter2/\"caf\u00e9\" & more"#.to_owned(),
    ];
    for form in forms {
        let outcome = redact(&world, "app/db", format!("before {form} after\n"));
        outcome.succeeds().stdout_is("before *** after\n").stderr_is("");
    }
    // What a program encodes itself, at each alignment.
    for before in ["", "x", "xx"] {
        let python = "import base64,sys;d=sys.stdin.buffer.read();print((base64.b64encode(d)+b' '+base64.urlsafe_b64encode(d)).decode())";
        let shell = format!("printf '%s' \"{before}$VALUE$VALUE\" | python3 -c '{}'", python.replace('\'', "\""));
        let output = world.shell(&shell).env("VALUE", VALUE).env("PATH", path()).output().unwrap();
        assert!(output.stdout.len() > 60, "{output:?}");
        let masked = redact(&world, "app/db", output.stdout.clone());
        assert!(contains(&masked.succeeds().stdout, b"***"));
        assert!(masked.stdout.len() < 60, "{masked:?}");
    }
    redact(&world, "app/db", "hunter2 and more").succeeds().stdout_is("hunter2 and more");
    // Each reading is on record like any other.
    let read = |record: &&serde_json::Value| record["path"] == "app/db" && record["operation"] == "get";
    assert_eq!(world.audit().iter().filter(read).count(), 8 + 3 + 1);
}

fn path() -> std::ffi::OsString {
    forge_tests::world::variable("PATH").unwrap_or_default()
}

#[test]
fn what_is_certain_passes_at_once_and_half_a_value_waits_for_the_other() {
    let world = World::new();
    set(&world, "a", "correct horse").succeeds();
    let mut child = world.command(["redact", "--secret", "a"]).start();
    let expect = |child: &mut Child, written: &str, passed: &str| {
        child.stdin.as_mut().unwrap().write_all(written.as_bytes()).unwrap();
        let mut read = vec![0; passed.len()];
        child.stdout.as_mut().unwrap().read_exact(&mut read).unwrap();
        assert_eq!(String::from_utf8_lossy(&read), passed);
    };
    // A prompt has no line break, and whoever answers it has to see it.
    expect(&mut child, "Password: correct h", "Password: ");
    expect(&mut child, "orse? [y/N] ", "***? [y/N] ");
    expect(&mut child, "correct", "");
    expect(&mut child, "ion", "correction");
    expect(&mut child, " correct ", " ");
    assert_eq!(ended(child), (b"correct ".to_vec(), Some(0)));
}

#[test]
fn a_hundred_megabytes_pass_and_hold_no_value_after_it() {
    let world = World::new();
    set(&world, "a", "correct horse").succeeds();
    let line = b"INFO a line of a log, and in it correct horse, as it should not be\n";
    let masked = b"INFO a line of a log, and in it ***, as it should not be\n";
    let lines = (100 << 20) / line.len();
    let mut child = world.command(["redact", "--secret", "a"]).start();
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || {
        let many = line.repeat(1_000);
        for _ in 0..lines / 1_000 {
            stdin.write_all(&many).unwrap();
        }
    });
    let (passed, code) = ended(child);
    writing.join().unwrap();
    assert_eq!(code, Some(0));
    assert!(passed == masked.repeat(lines / 1_000 * 1_000));
}

#[test]
fn lines_of_a_value_are_masked_where_they_stand_alone() {
    let world = World::new();
    let key = "-----BEGIN KEY-----\nMIIBVgIBADAN\nabc\n-----END KEY-----\n";
    set(&world, "key", key).succeeds();
    let outcome = redact(&world, "key", format!("{key}read MIIBVgIBADAN\r\nabc\n"));
    outcome.succeeds().stdout_is("***\nread ***\r\nabc\n");
    outcome.stderr_is("warning: a line of `key` has under 6 bytes and is not masked\n");
}

#[test]
fn binary_bytes_pass_and_a_binary_value_does_not() {
    let world = World::new();
    let file = world.file("binary", [0, 255, 254, 1, 2, 128, 0]);
    world.forge(["secret", "set", "bin", "--from-file", &file]).succeeds();
    let all: Vec<u8> = (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect();
    redact(&world, "bin", all.clone()).succeeds().stdout_is(&all);
    let input = [&all[..], &[0, 255, 254, 1, 2, 128, 0], &all].concat();
    redact(&world, "bin", input).succeeds().stdout_is([&all[..], b"***", &all].concat());
}

#[test]
fn a_reader_that_stops_is_no_failure() {
    let world = World::new();
    set(&world, "a", "correct horse").succeeds();
    let mut child = world.command(["redact", "--secret", "a"]).start();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    // Written until the filter has gone: it does not read on for nobody.
    while stdin.write_all(&[b'x'; 4096]).is_ok() {}
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn a_missing_secret_ends_it_before_anything_passes() {
    let world = World::new();
    set(&world, "there", "correct horse").succeeds();
    let all = world.command(["redact", "--secret", "b/c", "--secret", "there", "--secret", "a"]);
    let outcome = all.input("correct horse").run();
    outcome.exits(3).stdout_is("").stderr_has("can't redact: there is no such secret: `a`, `b/c`");
    world.command(["redact", "--from", "nothing/**"]).input("x").run().exits(3).stdout_is("");
    world.command(["redact", "--from", "there"]).input("x").run().exits(2).stdout_is("").stderr_has("ends with `/**`");
    world.command(["--json", "redact", "--secret", "there"]).input("x").run().exits(2).stdout_is("");
    world.command(["redact"]).input("x").run().exits(2).stdout_is("").stderr_has("`--secret REFERENCE`");
    redact(&world, "there#field", "x").exits(2).stdout_is("").never_shows("correct");
}

#[test]
fn a_short_value_is_told_by_name_and_passes() {
    let world = World::new();
    set(&world, "pin", "12345").succeeds();
    set(&world, "empty/map", r#"{"user":"bob","password":"correct horse","list":["battery staple"],"port":543210}"#)
        .succeeds();
    let outcome = redact(&world, "pin", "12345");
    outcome.succeeds().stdout_is("12345");
    outcome.stderr_is("warning: the value of `pin` has under 6 bytes and is not masked\n");
    // The texts of a map are values of their own.
    let outcome = redact(&world, "empty/map", "bob correct horse battery staple 543210");
    outcome.succeeds().stdout_is("bob *** *** 543210");
    outcome.stderr_is("warning: the value of `empty/map#user` has under 6 bytes and is not masked\n");
}

#[test]
fn all_secrets_below_a_prefix_are_masked() {
    let world = World::new();
    for at in 0..30 {
        set(&world, &format!("app/{}/{at}", at % 3), format!("value number {at}!")).succeeds();
    }
    set(&world, "other", "value number 99!").succeeds();
    let input: Vec<String> = (0..30).chain([99]).map(|at| format!("<value number {at}!>")).collect();
    let run = world.command(["redact", "--from", "app/**"]).input(input.join(" ")).run();
    run.succeeds().stdout_is(format!("{} <value number 99!>", vec!["<***>"; 30].join(" ")));
    let run = world.command(["redact", "--from", "store://local/app/1/**", "--secret", "other"]);
    run.input("value number 1! value number 2! value number 99!").run().stdout_is("*** value number 2! ***");
}

#[test]
fn without_a_word_the_secrets_of_the_project_are_masked_in_the_environment_that_was_chosen() {
    let world = World::new();
    for (name, value) in [("a", "outside value"), ("b", "staging value"), ("c", "fallback value")] {
        set(&world, &format!("store://local/{name}"), value).succeeds();
    }
    let text = "[secrets]\nA = { ref = \"none\", fallback = [\"c\"] }\nB = \"a\"\nC = { ref = \"none\", required = false }\n[environments.staging.secrets]\nB = \"b\"\n";
    std::fs::write(world.path("work/forge.toml"), text).unwrap();
    let run = |arguments: &[&str]| {
        let mut run = world.command([]);
        for word in arguments {
            run = run.and([*word]);
        }
        run.input("outside value, staging value, fallback value").run()
    };
    run(&["redact"]).exits(8).stdout_is("").stderr_has("`forge allow`");
    world.forge(["allow", "--yes"]).succeeds();
    run(&["redact"]).succeeds().stdout_is("***, staging value, ***").stderr_is("");
    run(&["-e", "staging", "redact"]).succeeds().stdout_is("outside value, ***, ***");
    run(&["-e", "other", "redact"]).exits(2).stdout_is("").stderr_has("`other`");
    // A required one without any value.
    std::fs::write(world.path("work/forge.toml"), "[secrets]\nA = { ref = \"none\", fallback = [\"no\"] }\n").unwrap();
    world.forge(["allow", "--yes"]).succeeds();
    run(&["redact"]).exits(3).stdout_is("").stderr_has("there is no such secret: `none`");
}

#[test]
fn the_guide_prints_what_it_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let guide = readme.split("\n## Redact\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let lines: Vec<&str> = guide.split("```sh\n").nth(1).unwrap().split("```").next().unwrap().lines().collect();
    let world = World::new();
    let mut path = program().parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(self::path());
    let mut shown = 0;
    for line in lines {
        let (command, prints) = line.split_once("  # ").unwrap_or((line, ""));
        let output = world.shell(command).env("PATH", &path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), prints, "{command}");
        shown += usize::from(!prints.is_empty());
    }
    assert_eq!(shown, 2);
}
