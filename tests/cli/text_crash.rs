//! Development files under `kill -9` at each step of a write: the old content or the new, and nothing left beside it.

use std::path::Path;
use std::process::{Command, Stdio};

use forge_tests::component::sha256;
use forge_tests::world::{World, files, program};

use super::{get, set};

/// The calls that put something on the disk.
const STEPS: &str = "write,fsync,rename,renameat,renameat2";

/// More of these calls than a write makes.
const MOST: usize = 100;

/// Writes a value and dies at the given one of those calls; answers whether it lived to the end.
fn killed_at(step: usize, world: &World, value: &str) -> bool {
    let input = world.file("input", value);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={STEPS}")]);
    command.args(["-e", &format!("inject={STEPS}:signal=KILL:when={step}")]);
    command.arg(program()).args(["secret", "set", "store://dev/KEY"]).env("HOME", world.home());
    command.env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME").env_remove("XDG_CACHE_HOME");
    command.stdin(std::fs::File::open(input).unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

/// The temporary file of a development file's writers.
fn temporary(file: &Path) -> std::path::PathBuf {
    let hash = sha256(file.file_name().unwrap().as_encoded_bytes());
    file.with_file_name(format!(".forge-new-{}", &hash[..16]))
}

#[test]
fn a_writer_killed_at_any_step_leaves_a_whole_file_and_nothing_after_the_next_write() {
    for (name, text) in [
        ("dev.env", "# a comment\nOTHER=kept\nKEY=old\n"),
        ("dev.json", "{\n  \"OTHER\": \"kept\",\n  \"KEY\": \"old\"\n}\n"),
        ("dev.yaml", "# a comment\nOTHER: kept\nKEY: old\n"),
    ] {
        let world = World::new();
        let folder = world.path("files");
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        let add = world.command(["provider", "add", "dev", "--plugin", "textfile", "--yes"]);
        add.and(["--set", &format!("file={}", file.display())]).run().succeeds();
        let mut outcomes = (0, 0, 0);
        for step in 1.. {
            assert!(step < MOST, "{name}: it never ends");
            std::fs::write(&file, text).unwrap();
            let lived = killed_at(step, &world, "new");
            let is_old = std::fs::read_to_string(&file).unwrap() == text;
            get(&world, "store://dev/KEY").succeeds().stdout_is(if is_old { "old" } else { "new" });
            get(&world, "store://dev/OTHER").succeeds().stdout_is("kept");
            assert!(!(lived && is_old), "{name}: an acknowledged write is gone");
            outcomes.0 += usize::from(is_old);
            outcomes.1 += usize::from(!is_old);
            if temporary(&file).exists() {
                outcomes.2 += 1;
                set(&world, "store://dev/KEY", "next").succeeds();
                get(&world, "store://dev/KEY").succeeds().stdout_is("next");
            }
            assert_eq!(files(&folder), std::slice::from_ref(&file), "{name}: step {step}");
            if lived {
                break;
            }
        }
        // Some died before the write, some after it, and some in the middle, with half a file beside the old one.
        assert!(outcomes.0 > 0 && outcomes.1 > 1 && outcomes.2 > 0, "{name}: {outcomes:?}");
    }
}
