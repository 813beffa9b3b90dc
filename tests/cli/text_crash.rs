//! Development files under `kill -9` at each step of a write: the old content or the new, and nothing left beside it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use forge_tests::component::sha256;
use forge_tests::world::{World, files, program};

use super::{get, set};

/// The calls that put something on the disk.
///
/// The tracer counts each of them apart and in each thread apart, so a death is placed by a call and its number.
const CALLS: [&str; 5] = ["write", "fsync", "rename", "renameat", "renameat2"];

/// More of these calls than a write makes.
const MOST: usize = 10;

/// Writes a value and dies when the given call is made for the given time on the file, its temporary or their directory;
/// answers whether it lived to the end.
fn killed_at(call: &str, time: usize, world: &World, file: &Path, value: &str) -> bool {
    let input = world.file("input", value);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:signal=KILL:when={time}")]);
    // Without this the calls of other threads and of other files would be counted, in an order that no run repeats.
    for path in [file, &temporary(file), file.parent().unwrap()] {
        command.arg("-P").arg(path);
    }
    command.arg(program()).args(["secret", "set", "store://dev/KEY"]).env("HOME", world.home());
    command.env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME").env_remove("XDG_CACHE_HOME");
    command.stdin(std::fs::File::open(input).unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

/// The temporary file of a development file's writers.
fn temporary(file: &Path) -> PathBuf {
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
        let (mut before, mut after, mut between) = (0, 0, 0);
        for call in CALLS {
            for time in 1.. {
                assert!(time < MOST, "{name}: `{call}` never ends");
                std::fs::write(&file, text).unwrap();
                let lived = killed_at(call, time, &world, &file, "new");
                let is_old = std::fs::read_to_string(&file).unwrap() == text;
                get(&world, "store://dev/KEY").succeeds().stdout_is(if is_old { "old" } else { "new" });
                get(&world, "store://dev/OTHER").succeeds().stdout_is("kept");
                assert!(!(lived && is_old), "{name}: an acknowledged write is gone");
                if lived {
                    break;
                }
                before += usize::from(is_old);
                after += usize::from(!is_old);
                if temporary(&file).exists() {
                    between += 1;
                    set(&world, "store://dev/KEY", "next").succeeds();
                    get(&world, "store://dev/KEY").succeeds().stdout_is("next");
                }
                assert_eq!(files(&folder), std::slice::from_ref(&file), "{name}: {call} {time}");
            }
        }
        // Before the file was renamed some of the new one lay beside the old; the last step is the directory's `fsync`.
        assert_eq!((before, after, between), (3, 1, 3), "{name}");
    }
}
