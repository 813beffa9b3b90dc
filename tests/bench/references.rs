//! Ten thousand references to a thousand secrets: what a file takes beyond the reads, as a process and by itself.

use std::process::Command;
use std::time::Instant;

use forge_core::document::{Document, Format};
use forge_core::secret::Value;
use forge_tests::world::{World, program};

use super::{median, row, sizes, turn_by_turn};

/// How many secrets there are, and how many references to them.
const SECRETS: usize = 1_000;
const REFERENCES: usize = 10_000;

/// How often each is done.
const TIMES: usize = 5;

/// A file of so many references, each in a string of its own.
fn text(format: Format, count: usize) -> String {
    let line = |number: usize| {
        let reference = format!("${{secret:bench/{}}}", number % SECRETS);
        match format {
            Format::Json => format!("\"name {number}\",\"url://{reference}@host\""),
            Format::Toml => format!("name{number} = \"url://{reference}@host\"  # a comment\n"),
            Format::Dotenv => format!("NAME{number}=\"url://{reference}@host\"\n"),
            Format::Ini => format!("name{number} = url://{reference}@host\n"),
            Format::Yaml => format!("name{number}: url://{reference}@host  # a comment\n"),
            Format::Text => format!("{reference}\n"),
        }
    };
    let lines: Vec<String> = (0..count).map(line).collect();
    if format == Format::Json { format!("[{}]", lines.join(",\n")) } else { lines.concat() }
}

/// Whole processes that read the same secrets, one with ten times as many references in YAML, and documents without reads.
pub(super) fn references() {
    println!("\n{REFERENCES} references to {SECRETS} local secrets, median of {TIMES}");
    let world = World::within("/dev/shm");
    sizes::fill(&world, SECRETS);
    let inject = |name: &str, text: String| {
        let mut command = Command::new(program());
        command.args(["inject", "-i", &world.file(name, text)]).env_clear().env("HOME", world.home());
        command
    };
    let few = inject("few.txt", text(Format::Text, SECRETS));
    let many = inject("many.yaml", text(Format::Yaml, REFERENCES));
    let mut commands = [("each secret once, plain text", few), ("ten times each, in YAML", many)];
    let times = turn_by_turn(TIMES, &mut commands);
    row("forge inject, each secret once, in plain text", times[0], None);
    row("forge inject, ten times each, in YAML", times[1], Some(("once", times[0])));
    row("  beyond the reads", times[1].saturating_sub(times[0]), None);
    for (name, format) in Format::NAMES.into_iter().filter_map(|name| Some((name, Format::named(name)?))) {
        let text = text(format, REFERENCES).into_bytes();
        let values: Vec<Value> = (0..SECRETS).map(|_| Value::new(b"a value of usual length".to_vec())).collect();
        let times = (0..TIMES).map(|_| {
            let bytes = text.clone();
            let begun = Instant::now();
            let document = Document::parse(bytes, format).unwrap();
            let filled = document.filled(&values).unwrap();
            let took = begun.elapsed();
            assert!(filled.len() > text.len() - REFERENCES * "${secret:bench/999}".len());
            took
        });
        row(&format!("  found, filled in and proven, {name}"), median(times.collect()), None);
    }
}
