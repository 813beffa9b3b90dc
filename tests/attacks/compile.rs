//! Components made to cost their compiler all time or memory: the child that compiles has limits, and dies alone.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use forge_tests::component::{attacker, from_text, pack, sha256};
use forge_tests::world::{World, files, program};

use super::Ask;

/// As much memory as every compilation may have, in bytes.
const MEMORY: &str = "6442450944";

/// A sound plugin whose core module has this many functions of some hundred instructions each, which nothing calls.
fn heavy(functions: usize) -> Vec<u8> {
    let mut module = String::from("(core module\n");
    for function in 0..functions {
        writeln!(module, "(func (param i64 i64) (result i64) (local i64)").unwrap();
        for step in 0..300 {
            // Each step needs the one before it, so nothing of it is thrown away.
            writeln!(
                module,
                "(local.set 2 (i64.rotl (i64.add (local.get 2) (local.get 0)) (i64.xor (local.get 1) (i64.const {}))))",
                function * 1_000 + step
            )
            .unwrap();
        }
        module.push_str("(local.get 2))\n");
    }
    module.push(')');
    // The attacker's own sections make it a plugin; the module stands beside them.
    let component = from_text(&format!("(component {module})"));
    let section = &component[8..];
    pack(&[attacker().as_slice(), section].concat(), &Ask::new().manifest())
}

/// What the child makes of a component within these limits: seconds on the processor, and bytes.
fn compiled(component: &[u8], processor: &str, memory: &str) -> Output {
    let mut child = Command::new(program())
        .args(["__compile", processor, memory])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let component = component.to_vec();
    // A child that dies early does not read to the end.
    let writing = std::thread::spawn(move || input.write_all(&component).unwrap_or_default());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    output
}

#[test]
fn the_child_that_compiles_ends_at_its_limits() {
    let heavy = heavy(600);
    let whole = compiled(&heavy, "600", MEMORY);
    assert!(whole.status.success() && whole.stdout.starts_with(b"\x7fELF"), "the bomb is a dud: {}", whole.status);
    for (processor, memory) in [("1", MEMORY), ("600", "1000000")] {
        let output = compiled(&heavy, processor, memory);
        assert!(!output.status.success(), "{processor} s and {memory} bytes were enough");
        assert!(!output.stdout.starts_with(b"\x7fELF"), "machine code came out all the same");
    }
    // A limit that is none is no licence.
    for limits in [["", MEMORY], ["x", MEMORY], ["1", "x"]] {
        assert_eq!(compiled(&attacker(), limits[0], limits[1]).status.code(), Some(1));
    }
}

/// The process that this one started to compile.
fn child_of(parent: u32) -> Option<u32> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        let list = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        if let Some(child) = list.split_whitespace().next() {
            return Some(child.parse().unwrap());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

fn kill(process: u32) {
    assert!(Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
}

#[test]
fn a_plugin_whose_compiler_died_is_not_installed_and_the_next_one_is() {
    let world = World::new();
    let heavy = heavy(1_500);
    let (file, digest) = (world.file("heavy.wasm", &heavy), sha256(&heavy));
    let arguments = ["plugin", "install", &file, "--yes", "--sha256", &digest];
    let install = world.command(arguments).start();
    kill(child_of(install.id()).unwrap());
    let output = install.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("more time or memory than any plugin may need"), "{stderr}");
    assert!(files(&world.data().join("plugins")).is_empty() && files(&world.cache()).is_empty());
    world.install(&pack(&attacker(), &Ask::new().manifest())).succeeds();
}

#[test]
fn an_installation_that_is_killed_leaves_no_compiler_behind() {
    let world = World::new();
    let heavy = heavy(1_500);
    let (file, digest) = (world.file("heavy.wasm", &heavy), sha256(&heavy));
    let mut install = world.command(["plugin", "install", &file, "--yes", "--sha256", &digest]).start();
    let child = child_of(install.id()).unwrap();
    // It says when it has limited itself: its open files are bounded then, and so is its life.
    let limits = format!("/proc/{child}/limits");
    let begun = Instant::now();
    let is_limited =
        |text: String| text.lines().any(|line| line.starts_with("Max core file size") && line.contains(" 0 "));
    while !std::fs::read_to_string(&limits).is_ok_and(is_limited) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never limited itself");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(50));
    // The limits of a real installation, at which a bomb would need a minute: that the child ends at lower ones is shown above.
    let text = std::fs::read_to_string(&limits).unwrap();
    for (name, limit) in [("Max cpu time", "120"), ("Max address space", MEMORY)] {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        assert_eq!(line[name.len()..].split_whitespace().next(), Some(limit), "{line}");
    }
    install.kill().unwrap();
    install.wait().unwrap();
    let begun = Instant::now();
    let is_gone = || {
        // Whoever takes orphans over may not have counted it yet.
        let status = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        status.is_empty() || status.contains(") Z ")
    };
    while !is_gone() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the compiler is still running");
        std::thread::sleep(Duration::from_millis(5));
    }
}
