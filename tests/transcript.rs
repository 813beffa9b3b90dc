//! Transcripts: text files of what a person types and what the program answers, replayed word for word.
//!
//! A line `$ COMMAND` is run by `sh` in the world's working directory. What follows is what it must print: `| ` begins a
//! line of standard output, `! ` one of standard error, and `[N]` is an exit code other than 0. A line of standard output
//! that ends without a newline is written with `¬` at its end. `#` begins a comment, `## ` one that is kept beside the
//! command above it. What differs from run to run is written as a word: `WORLD`, `TIME`, `SHA256`, `SHORT`, `UUID`, `VERSION`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::world::{World, program};

/// One command of a transcript and what it answered.
#[derive(Debug)]
pub struct Step {
    /// What is typed.
    pub command: String,
    /// What is printed, in the form of a transcript.
    pub answer: String,
}

/// The commands of a transcript with the answers that stand below them, and whatever stands before the first.
pub fn parse(text: &str) -> (String, Vec<Step>) {
    let (mut head, mut steps) = (String::new(), Vec::<Step>::new());
    for line in text.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.to_owned(), answer: String::new() }),
            (None, Some(step)) => writeln!(step.answer, "{line}").unwrap(),
            (None, None) => writeln!(head, "{line}").unwrap(),
        }
    }
    (head, steps)
}

/// Runs one command in a world, as `sh` would for a person, and answers it in the form of a transcript.
pub fn run(world: &World, command: &str) -> Step {
    let directory = program().parent().unwrap().to_owned();
    let mut shell = world.shell(command);
    shell.env("PATH", format!("{}:{}", directory.display(), shell_path()));
    let output = shell.stdin(Stdio::null()).output().unwrap();
    let mut answer = lines("| ", &String::from_utf8_lossy(&output.stdout), world);
    answer.push_str(&lines("! ", &String::from_utf8_lossy(&output.stderr), world));
    if !output.status.success() {
        writeln!(answer, "[{}]", output.status.code().unwrap()).unwrap();
    }
    Step { command: command.to_owned(), answer }
}

fn shell_path() -> String {
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()
}

fn lines(mark: &str, text: &str, world: &World) -> String {
    let mut marked = String::new();
    for line in steady(text, world).split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => writeln!(marked, "{}", format!("{mark}{line}").trim_end()).unwrap(),
            None => writeln!(marked, "{mark}{line}¬").unwrap(),
        }
    }
    marked
}

/// The text with a word in the place of all that differs from run to run.
fn steady(text: &str, world: &World) -> String {
    let text = text.replace(world_path(world), "WORLD");
    let mut steady = String::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        // A word begins where the last one ended, so that a digest within a longer text of digits is left alone.
        let is_start = !steady.ends_with(|c: char| c.is_ascii_alphanumeric());
        let (word, length) = if is_start { changing(rest) } else { (None, 0) };
        match word {
            Some(word) => steady.push_str(word),
            None => steady.push(first),
        }
        rest = &rest[if word.is_some() { length } else { first.len_utf8() }..];
    }
    steady
}

fn world_path(world: &World) -> &str {
    world.root().to_str().unwrap()
}

/// The word for what stands at the beginning of a text, if that differs from run to run, and its length.
fn changing(text: &str) -> (Option<&'static str>, usize) {
    let is_uuid = |(at, b): (usize, u8)| {
        if matches!(at, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_digit() || (b'a'..=b'f').contains(&b) }
    };
    if text.len() >= 36 && text.bytes().take(36).enumerate().all(is_uuid) {
        return (Some("UUID"), 36);
    }
    let hex = text.bytes().take_while(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b)).count();
    let time = text.bytes().take_while(|b| b.is_ascii_digit() || b"-:.TZ".contains(b)).count();
    let is_time = time >= 20 && text.as_bytes()[10] == b'T' && text.as_bytes()[time - 1] == b'Z';
    match hex {
        _ if is_time => (Some("TIME"), time),
        64 => (Some("SHA256"), 64),
        // As Azure names versions.
        32 => (Some("VERSION"), 32),
        12 if text[12..].starts_with('…') || text[12..].starts_with(' ') => (Some("SHORT"), 12),
        13 if text[..13].bytes().all(|b| b.is_ascii_digit()) => (Some("MILLISECONDS"), 13),
        _ => (None, 0),
    }
}

/// Replays a transcript file in a world; answers what was printed, as the file should be.
pub fn replay(world: &World, file: &Path) -> (String, Vec<Step>) {
    let (head, steps) = parse(&std::fs::read_to_string(file).unwrap());
    let mut text = head;
    let mut played = Vec::new();
    for step in steps {
        let done = run(world, &step.command);
        // Comments below a command stay where they are: after its answer.
        let notes: String = step
            .answer
            .lines()
            .filter(|line| line.is_empty() || line.starts_with('#'))
            .fold(String::new(), |all, line| format!("{all}{line}\n"));
        write!(text, "$ {}\n{}{notes}", done.command, done.answer).unwrap();
        played.push(done);
    }
    (text, played)
}
