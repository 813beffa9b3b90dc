//! `forge run`: what a program is given, what of its output is masked, and how it ends, without a terminal.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use forge_tests::outcome::Outcome;
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::{World, program, root};

use super::{add_vault, set};

const VALUE: &str = "correct horse";

/// A world with a secret below `app/`, which makes the variable `DB`.
fn world() -> World {
    let world = World::new();
    set(&world, "app/db", VALUE).succeeds();
    world
}

/// Runs a command line of `sh` with the variable `DB`.
#[track_caller]
fn run(world: &World, script: &str) -> Outcome {
    world.forge(["run", "--from", "app/**", "--", "sh", "-c", script])
}

/// Sends a process a signal.
pub(super) fn kill(signal: &str, process: u32) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status().unwrap().success());
}

/// Reads a child's output until it ends with this.
#[track_caller]
pub(super) fn reads(child: &mut Child, until: &str) -> String {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(until.as_bytes()) {
        let length = child.stdout.as_mut().unwrap().read(&mut byte).unwrap();
        assert_eq!(length, 1, "it ended with {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&byte);
    }
    String::from_utf8(read).unwrap()
}

/// Waits for something that has to come, for a minute at most.
#[track_caller]
pub(super) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_program_gets_its_arguments_as_they_are_and_the_secrets_as_variables() {
    let world = world();
    let script = "import os,sys;print(sys.argv[1:]);print(os.environ['DB']=='correct horse')";
    let words = ["run", "--from", "app/**", "--", "python3", "-c", script, "$DB", "", "a b", "--json", "*", "\u{e9}\n"];
    world.forge(words).succeeds().stdout_is("['$DB', '', 'a b', '--json', '*', '\u{e9}\\n']\nTrue\n").stderr_is("");
    // Its own name is the one that was typed.
    run(&world, "tr '\\0' '\\n' < /proc/$$/cmdline | head -n 1").succeeds().stdout_is("sh\n");
    let input = world.command(["run", "--from", "app/**", "--", "cat"]).input("from outside");
    input.run().succeeds().stdout_is("from outside");
    // What was started is on record, and none of its arguments, and neither is the value anywhere.
    let started: Vec<_> = world.audited().into_iter().filter(|record| record["change"] == "run").collect();
    let [begun, ended, ..] = started.as_slice() else { panic!("{started:?}") };
    assert_eq!((&begun["subject"], &ended["outcome"]), (&"python3".into(), &"ok".into()));
    assert!(!format!("{started:?}").contains("a b"), "{started:?}");
    world.keeps_nowhere(VALUE);
}

#[test]
fn the_exit_code_is_the_program_s_and_a_signal_counts_from_128() {
    let world = world();
    for code in [0, 1, 7, 125, 255] {
        run(&world, &format!("exit {code}")).exits(code).stderr_is("");
    }
    for (signal, code) in [("TERM", 143), ("KILL", 137), ("INT", 130)] {
        run(&world, &format!("kill -{signal} $$")).exits(code);
    }
    let missing = world.forge(["run", "--from", "app/**", "--", "nosuch"]);
    missing.exits(127).stderr_is("error: can't run `nosuch`: there is no such program\n");
    let file = world.file("plain", "no program");
    world.forge(["run", "--from", "app/**", "--", &file]).exits(126).stderr_has("it can't be executed");
    world.forge(["run", "--from", "app/**", "--", "/"]).exits(126);
    let json = world.forge(["--json", "run", "--from", "app/**", "--", "nosuch"]);
    assert_eq!(json.exits(127).error_json()["error"]["kind"], "not-found");
    let failed = world.audited().into_iter().rfind(|record| record["change"] == "run").unwrap();
    assert_eq!(failed["outcome"], "not-found");
}

#[test]
fn what_stops_forge_itself_ends_with_125_before_anything_is_started() {
    let world = world();
    let file = world.path("started");
    let touch = file.to_str().unwrap();
    world.forge(["run", "--only", "DB", "--", "touch", touch]).exits(125).stderr_has("there are no `[secrets]`");
    world.forge(["run", "--from", "none/**", "--", "touch", touch]).exits(125).stderr_has("nothing below");
    world.forge(["run", "--from", "app/**", "--only", "NO", "--", "touch", touch]).exits(125).stderr_has("`DB`");
    world.forge(["run", "--bogus", "--", "touch", touch]).exits(125);
    world.forge(["run", "--from", "app/**", "touch", touch]).exits(125);
    world.forge(["-p", "run", "secret", "get", "--bogus"]).exits(2);
    let json = world.forge(["--json", "run", "--from", "none/**", "--", "touch", touch]);
    assert_eq!(json.exits(125).error_json()["error"]["kind"], "not-found");
    assert_eq!(world.forge(["--json", "run", "--bogus"]).exits(125).error_json()["error"]["kind"], "invalid-request");
    std::fs::write(world.path("work/forge.toml"), "[secrets]\nA = \"none\"\nB = \"app/db\"\nC = \"gone\"\n").unwrap();
    world.forge(["allow", "--yes"]).succeeds();
    let outcome = world.forge(["run", "--", "touch", touch]);
    outcome.exits(125).stderr_has("`A`: can't read `none`").stderr_has("`C`: can't read `gone`");
    set(&world, "binary", [0xff, 0]).succeeds();
    std::fs::write(world.path("work/forge.toml"), "[secrets]\nA = \"binary\"\n").unwrap();
    world.forge(["allow", "--yes"]).succeeds();
    world.forge(["run", "--", "touch", touch]).exits(125).stderr_has("`A` can't be a variable");
    assert!(!file.exists());
    assert!(!world.audited().iter().any(|record| record["change"] == "run"));
}

#[test]
fn a_variable_that_need_not_be_there_is_left_out_and_only_names_some() {
    let world = world();
    let project = "[secrets]\nA = { ref = \"none\", required = false }\nB = \"app/db\"\nC = \"app/db\"\n";
    std::fs::write(world.path("work/forge.toml"), project).unwrap();
    world.forge(["run", "--", "env"]).exits(125).stderr_has("`forge allow`");
    world.forge(["allow", "--yes"]).succeeds();
    let names = |more: &[&str]| {
        let words = [&["run"], more, &["--", "sh", "-c", "echo ${A+A} ${B+B} ${C+C}"]].concat();
        world.words(&words.into_iter().map(str::to_owned).collect::<Vec<_>>()).succeeds().text()
    };
    assert_eq!(names(&[]), "B C\n");
    assert_eq!(names(&["--only", "B"]), "B\n");
    assert_eq!(names(&["--only", "B,C,A"]), "B C\n");
}

#[test]
fn what_forge_logs_in_with_is_not_the_program_s_and_all_else_is() {
    let server = OpenBao::start();
    let world = World::new().with("VAULT_TOKEN", ROOT).with("TOKEN", ROOT).with("OTHER", "kept");
    let world = world.with("AWS_SECRET_ACCESS_KEY", "not used here").with("FORGE_ENVIRONMENT", "");
    set(&world, "app/db", VALUE).succeeds();
    let names = |world: &World, more: &[&str]| {
        let words = [&["run", "--from", "app/**"], more, &["--", "env"]].concat();
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let run = world.command([]).variable("LC_ALL", "C").variable("TERM", "dumb");
        let text = words.iter().fold(run, |run, word| run.and([word.as_str()])).run().succeeds().text();
        let names = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.to_owned());
        names.collect::<std::collections::BTreeSet<String>>()
    };
    // Without a provider of that kind it is a variable like any other.
    assert!(names(&world, &[]).contains("VAULT_TOKEN"));
    add_vault(&world, &server, []).succeeds();
    let given = names(&world, &[]);
    for kept in ["OTHER", "AWS_SECRET_ACCESS_KEY", "DB", "PATH", "HOME"] {
        assert!(given.contains(kept), "{kept}: {given:?}");
    }
    for taken in ["VAULT_TOKEN", "TOKEN", "FORGE_ENVIRONMENT"] {
        assert!(!given.contains(taken), "{taken}: {given:?}");
    }
    let pristine: Vec<String> = names(&world, &["--pristine"]).into_iter().collect();
    assert_eq!(pristine, ["DB", "HOME", "LC_ALL", "PATH", "TERM"]);
    // What a configuration gives is given, whatever its name.
    std::fs::write(world.path("work/forge.toml"), "[secrets]\nTOKEN = \"app/db\"\n").unwrap();
    world.forge(["allow", "--yes"]).succeeds();
    world.forge(["run", "--", "sh", "-c", "test \"$TOKEN\" = 'correct horse'"]).succeeds();
}

#[test]
fn both_outputs_are_masked_however_a_value_is_cut_and_stay_apart() {
    let world = world();
    let outcome = run(&world, "echo \"to out: $DB\"; echo \"to err: $DB\" >&2; printf %s \"$DB\" | base64");
    outcome.succeeds().stdout_is("to out: ***\n***Q==\n").stderr_is("to err: ***\n");
    let script = "import os,time\nfor b in os.environ['DB'].encode(): os.write(1,bytes([b])); time.sleep(0.03)";
    let cut = world.forge(["run", "--from", "app/**", "--", "python3", "-c", script]);
    assert!(!cut.succeeds().text().contains("rrect") && cut.text().ends_with("***"), "{cut:?}");
    // What is held back at the end is given out.
    run(&world, "printf 'correct h'").succeeds().stdout_is("correct h");
    // The same without the guard.
    let open = world.forge(["run", "--no-masking", "--from", "app/**", "--", "sh", "-c", "echo $DB"]);
    open.succeeds().stdout_is("correct horse\n");
    // The fields of an object are values of their own, and a short value is told.
    set(&world, "app/db", r#"{"password":"battery staple"}"#).succeeds();
    run(&world, "echo battery staple").succeeds().stdout_is("***\n");
    set(&world, "app/db", "12345").succeeds();
    run(&world, "echo $DB").succeeds().stdout_is("12345\n").stderr_has("the value of `DB` has under 6 bytes");
    let json = world.forge(["--json", "run", "--from", "app/**", "--", "true"]);
    assert!(json.succeeds().error_json()["warnings"][0].as_str().unwrap().contains("`DB`"));
}

#[test]
fn a_hundred_megabytes_pass_and_hold_no_value() {
    let world = world();
    let script = "import os,sys\nline=('INFO a line, and in it '+os.environ['DB']+', as it should not be\\n').encode()\nfor _ in range(1600): sys.stdout.buffer.write(line*1024)";
    let outcome = world.forge(["run", "--from", "app/**", "--", "python3", "-c", script]);
    let line = b"INFO a line, and in it ***, as it should not be\n";
    assert!(outcome.succeeds().stdout == line.repeat(1024 * 1600));
}

#[test]
fn a_prompt_appears_at_once_and_so_does_the_beginning_of_a_value() {
    let world = world();
    let script = "printf 'Continue? [y/N] '; read answer; printf c; read more; printf 'an %s' $answer";
    let mut child = world.command(["run", "--from", "app/**", "--", "sh", "-c", script]).start();
    reads(&mut child, "Continue? [y/N] ");
    child.stdin.as_mut().unwrap().write_all(b"y\n").unwrap();
    reads(&mut child, "c");
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    reads(&mut child, "an y");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_program_that_closes_its_output_is_waited_for() {
    let world = world();
    let file = world.path("late");
    let script = format!("exec >&- 2>&-; sleep 1; touch {}; exit 3", file.display());
    run(&world, &script).exits(3);
    assert!(file.exists());
}

#[test]
fn a_child_of_the_program_that_keeps_its_output_open_holds_nobody_up() {
    let world = world();
    let mut child = world.command(["run", "--from", "app/**", "--", "sh", "-c", "sleep 600 & echo $!; exit 4"]).start();
    let sleeping: u32 = reads(&mut child, "\n").trim().parse().unwrap();
    let code = child.wait().unwrap().code();
    // It runs on, and would have kept a pipeline waiting.
    kill("KILL", sleeping);
    assert_eq!(code, Some(4));
}

#[test]
fn a_reader_that_stops_stops_the_program() {
    let world = world();
    let mut child = world.command(["run", "--from", "app/**", "--", "sh", "-c", "yes; echo ended $? >&2"]).start();
    reads(&mut child, "y\n");
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("ended 141"), "{said}");
    child.wait().unwrap();
}

#[test]
fn a_signal_that_forge_gets_reaches_the_program_once() {
    let world = world();
    for signal in ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2"] {
        // One that the program ignores ends neither it nor forge.
        let script = format!("trap 'echo got' {signal}; echo ready; while :; do sleep 0.05; done");
        let mut child = world.command(["run", "--from", "app/**", "--", "sh", "-c", &script]).start();
        reads(&mut child, "ready\n");
        kill(signal, child.id());
        assert_eq!(reads(&mut child, "got\n"), "got\n", "{signal}");
        kill(signal, child.id());
        assert_eq!(reads(&mut child, "got\n"), "got\n", "{signal}");
        let number = world.shell(&format!("ps -o pid= --ppid {}", child.id())).env("PATH", "/usr/bin:/bin").output();
        let number: u32 = String::from_utf8(number.unwrap().stdout).unwrap().trim().parse().unwrap();
        kill("KILL", number);
        assert_eq!(child.wait().unwrap().code(), Some(137));
    }
    // One that it does not handle ends it.
    let mut child =
        world.command(["run", "--from", "app/**", "--", "sh", "-c", "printf 'correct h'; exec sleep 600"]).start();
    reads(&mut child, "");
    eventually("the program is there", || {
        let list = world.shell(&format!("ps -o comm= --ppid {}", child.id())).env("PATH", "/usr/bin:/bin").output();
        String::from_utf8(list.unwrap().stdout).unwrap().contains("sleep")
    });
    kill("TERM", child.id());
    let mut rest = String::new();
    child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    // What was held back comes out all the same.
    assert_eq!((child.wait().unwrap().code(), rest.as_str()), (Some(143), "correct h"));
}

#[test]
fn a_signal_that_forge_was_started_to_ignore_is_ignored_by_the_program() {
    let world = world();
    let line = "trap '' HUP; exec \"$FORGE\" run --from 'app/**' -- sh -c 'kill -HUP $$; echo alive'";
    let mut shell = world.shell(line);
    let output = shell.env("FORGE", program()).env("PATH", "/usr/bin:/bin").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "alive\n", "{output:?}");
    run(&world, "kill -HUP $$; echo alive").exits(129).stdout_is("");
}

#[test]
fn replace_keeps_the_process_number_and_masks_nothing() {
    let world = world();
    let child = world.command(["run", "--replace", "--from", "app/**", "--", "sh", "-c", "echo $$ $DB"]).start();
    let number = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{number} correct horse\n"));
    let other = world.command(["run", "--from", "app/**", "--", "sh", "-c", "echo $$"]).start();
    let number = other.id();
    assert_ne!(String::from_utf8_lossy(&other.wait_with_output().unwrap().stdout), format!("{number}\n"));
    world.forge(["run", "--replace", "--from", "app/**", "--", "nosuch"]).exits(127).stderr_has("no such program");
    world.forge(["run", "--replace", "--watch", "--", "true"]).exits(125).stderr_has("--watch");
    let started = world.audited().into_iter().filter(|record| record["change"] == "run").count();
    assert_eq!(started, 6);
}

#[test]
fn the_program_has_no_file_of_forge_s_open() {
    let world = world();
    for more in ["--pristine", "--replace", "--no-masking"] {
        // The shell of this test may have others open, which are its own to hand on.
        let line = format!(
            "for fd in 3 4 5 6 7 8 9; do eval \"exec $fd>&-\"; done; exec \"$FORGE\" run {more} --from 'app/**' -- python3 -c \"import os; print(sorted(int(f) for f in os.listdir('/proc/self/fd') if int(f) < 250 and os.path.exists('/proc/self/fd/'+f)))\""
        );
        let output = world.shell(&line).env("FORGE", program()).env("PATH", "/usr/bin:/bin").output().unwrap();
        let open = String::from_utf8(output.stdout).unwrap();
        assert!(open.starts_with("[0, 1, 2"), "{open}");
        let more: Vec<&str> = open.trim().trim_start_matches("[0, 1, 2").trim_end_matches(']').split(", ").collect();
        assert!(more.iter().all(|fd| fd.is_empty() || fd.parse::<u32>().unwrap() >= 10), "{open}");
    }
}

#[test]
fn the_guide_prints_what_it_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let guide = readme.split("\n## Run\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let lines: Vec<&str> = guide.split("```sh\n").nth(1).unwrap().split("```").next().unwrap().lines().collect();
    let world = World::new();
    let mut path = program().parent().unwrap().as_os_str().to_owned();
    path.push(":/usr/bin:/bin");
    let mut shown = 0;
    for line in lines {
        let (command, prints) = line.split_once("  # ").unwrap_or((line, ""));
        let output = world.shell(command).env("PATH", &path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), prints, "{command}");
        shown += usize::from(!prints.is_empty());
    }
    assert_eq!(shown, 4);
}
