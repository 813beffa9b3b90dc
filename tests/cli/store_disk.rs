//! Disks, folders and names that a store or a development file can meet: each a named error, and nothing lost.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use forge_tests::outcome::Outcome;
use forge_tests::world::{World, files, program};

use super::{get, set};

/// Runs the program behind another one (such as a shell that sets a limit); answers its exit code and standard error.
fn behind(world: &World, before: &[&str], arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let input = world.file("input", input);
    let (first, rest) = before.split_first().unwrap();
    let mut command = Command::new(first);
    command.args(rest).arg(program()).args(arguments).env("HOME", world.home());
    command.env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME").env_remove("XDG_CACHE_HOME");
    let output = command.stdin(std::fs::File::open(input).unwrap()).stdout(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A shell under which files can't grow over 1 MiB, as on a disk that is full.
const FULL: [&str; 4] = ["bash", "-c", "trap '' XFSZ; ulimit -f 1024; exec \"$@\"", "bash"];

/// Root without the right to write where the mode forbids it; people without that right need nothing.
const BOUND: [&str; 3] = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];

fn is_root(world: &World) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    world.home().metadata().unwrap().uid() == 0
}

fn bound(world: &World, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    if is_root(world) { behind(world, &BOUND, arguments, input) } else { behind(world, &["env"], arguments, input) }
}

fn add_file(world: &World, file: &Path) -> Outcome {
    let add = world.command(["provider", "add", "dev", "--plugin", "textfile", "--yes"]);
    add.and(["--set", &format!("file={}", file.display())]).run()
}

#[test]
fn a_disk_that_takes_no_more_keeps_the_old_value_and_no_half_of_the_new_one() {
    let world = World::new();
    set(&world, "a", "the old value").succeeds();
    let (code, stderr) = behind(&world, &FULL, &["secret", "set", "a"], &"x".repeat(3 << 20));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("can't write") && stderr.contains("File too large"), "{stderr}");
    get(&world, "a").succeeds().stdout_is("the old value");
    assert!(!world.data().join("store/.forge-new").exists());
    // The same with room: the limit was what stopped it.
    set(&world, "a", "x".repeat(3 << 20)).succeeds();
    let dev = world.path("dev.json");
    std::fs::write(&dev, "{\"a\": \"old\"}").unwrap();
    add_file(&world, &dev).succeeds();
    let (code, stderr) = behind(&world, &FULL, &["secret", "set", "store://dev/b"], &"x".repeat(3 << 20));
    assert_eq!(code, Some(1), "{stderr}");
    assert_eq!(std::fs::read_to_string(&dev).unwrap(), "{\"a\": \"old\"}");
}

#[test]
fn a_write_that_is_done_is_told_as_done_although_what_it_replaced_can_not_be_removed() {
    let world = World::new();
    set(&world, "a", "one").succeeds();
    // A folder stands where the head of a deleted secret would be removed.
    let folder = world.data().join("store/a.deleted/below");
    std::fs::create_dir_all(&folder).unwrap();
    set(&world, "a", "two").succeeds().stderr_has("a.deleted");
    get(&world, "a").succeeds().stdout_is("two");
    // A removal that was asked for and can't be done is no tidying.
    world.forge(["secret", "purge", "a", "--yes"]).exits(1).stderr_has("a.deleted");
    std::fs::remove_dir_all(world.data().join("store/a.deleted")).unwrap();
    let quiet = set(&world, "a", "three");
    quiet.succeeds();
    assert!(!quiet.stderr.contains("a.deleted"), "{quiet:?}");
}

#[test]
fn a_read_only_directory_is_read_and_a_write_names_it() {
    let world = World::new();
    set(&world, "a", "value").succeeds();
    let store = world.data().join("store");
    std::fs::remove_file(store.join(".forge-lock")).unwrap();
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o500)).unwrap();
    let (code, stderr) = bound(&world, &["secret", "get", "a"], "");
    assert_eq!(code, Some(0), "{stderr}");
    let (code, stderr) = bound(&world, &["secret", "set", "a"], "new");
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(".forge-lock") && stderr.contains("Permission denied"), "{stderr}");
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (code, stderr) = bound(&world, &["secret", "set", "a"], "new");
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn a_store_of_a_newer_format_is_refused_by_its_number() {
    let world = World::new();
    set(&world, "a", "value").succeeds();
    let id = world.data().join("store/.forge-store");
    let ours = std::fs::read(&id).unwrap();
    std::fs::write(&id, "forge store 7\nwhatever").unwrap();
    get(&world, "a").exits(2).stderr_has("format 7");
    set(&world, "a", "x").exits(2).stderr_has("format 7");
    std::fs::write(&id, ours).unwrap();
    let head = world.data().join("store/a.secret");
    let mut sealed = std::fs::read(&head).unwrap();
    sealed[0] = 9;
    std::fs::write(&head, &sealed).unwrap();
    get(&world, "a").exits(11).stderr_has("format 9");
    set(&world, "a", "x").exits(11);
    assert_eq!(std::fs::read(&head).unwrap(), sealed);
}

#[test]
fn what_is_no_regular_file_in_a_store_is_refused_and_not_waited_for() {
    let world = World::new();
    set(&world, "a", "value").succeeds();
    let store = world.data().join("store");
    let head = store.join("a.secret");
    let whole = std::fs::read(&head).unwrap();
    std::fs::remove_file(&head).unwrap();
    assert!(Command::new("mkfifo").arg(&head).status().unwrap().success());
    get(&world, "a").exits(1).stderr_has("regular file");
    std::fs::remove_file(&head).unwrap();
    // Out of the store, and to a file of the store that is another secret's.
    symlink("/etc/hostname", &head).unwrap();
    get(&world, "a").exits(1).stdout_is("");
    std::fs::remove_file(&head).unwrap();
    set(&world, "b", "another").succeeds();
    symlink("b.secret", &head).unwrap();
    get(&world, "a").exits(11).stdout_is("");
    std::fs::remove_file(&head).unwrap();
    std::fs::write(&head, whole).unwrap();
    get(&world, "a").succeeds().stdout_is("value");
}

#[test]
fn names_that_a_disk_could_mix_up_stay_different() {
    let world = World::new();
    let long = "l".repeat(250);
    let longer = format!("app/{}", "\u{65e5}".repeat(80));
    let names = ["App", "app", "APP", "caf\u{e9}", "cafe\u{301}", long.as_str(), &long.to_uppercase(), &longer];
    for name in names {
        set(&world, name, name).succeeds();
    }
    for name in names {
        get(&world, name).succeeds().stdout_is(name);
    }
    let listed = world.forge(["secret", "list"]).text();
    let mut listed: Vec<&str> = listed.lines().collect();
    let mut expected = names.to_vec();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    let paths: Vec<String> = files(&world.data().join("store")).iter().map(|file| file.display().to_string()).collect();
    assert!(paths.iter().all(|path| path.split('/').all(|name| name.len() <= 255)));
    let lower: std::collections::BTreeSet<String> = paths.iter().map(|path| path.to_lowercase()).collect();
    assert_eq!(lower.len(), paths.len());
}

#[test]
fn a_file_that_became_a_link_is_neither_read_nor_written() {
    let world = World::new();
    let (file, other) = (world.path("project/.env"), world.path("other.env"));
    std::fs::create_dir(world.path("project")).unwrap();
    std::fs::write(&file, "A=granted\n").unwrap();
    std::fs::write(&other, "A=not granted\n").unwrap();
    add_file(&world, &file).succeeds();
    get(&world, "store://dev/A").succeeds().stdout_is("granted");
    std::fs::remove_file(&file).unwrap();
    symlink(&other, &file).unwrap();
    get(&world, "store://dev/A").exits(8).stdout_is("").never_shows("not granted\n");
    set(&world, "store://dev/A", "x").exits(8);
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "A=not granted\n");
    // The same by a folder on the way, which a checkout can replace as well.
    std::fs::remove_dir_all(world.path("project")).unwrap();
    std::fs::create_dir(world.path("elsewhere")).unwrap();
    std::fs::write(world.path("elsewhere/.env"), "A=not granted\n").unwrap();
    symlink(world.path("elsewhere"), world.path("project")).unwrap();
    get(&world, "store://dev/A").exits(8).stdout_is("");
    // A link that was there when the file was granted is what was granted.
    std::fs::remove_file(world.path("project")).unwrap();
    std::fs::create_dir(world.path("project")).unwrap();
    symlink(&other, &file).unwrap();
    world.forge(["provider", "remove", "dev", "--yes"]);
    let added = add_file(&world, &file);
    added.succeeds().stderr_has(other.to_str().unwrap());
    get(&world, "store://dev/A").succeeds().stdout_is("not granted");
    set(&world, "store://dev/A", "new").succeeds();
    assert!(file.is_symlink());
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "A=new\n");
}

#[test]
fn a_file_that_is_no_development_file_is_refused() {
    let world = World::new();
    let add = |more: &[&str]| {
        let mut run = world.command(["provider", "add", "dev", "--plugin", "textfile", "--yes"]);
        for more in more {
            run = run.and(["--set", more]);
        }
        run.run()
    };
    add(&[]).exits(2).stderr_has("the setting `file` of `textfile` is required");
    let folder = format!("file={}", world.home().display());
    add(&[&folder]).exits(2).stderr_has("directory");
    // Neither forge's own files nor a credential are a development file.
    std::fs::write(world.home().join(".vault-token"), "s.token").unwrap();
    let token = format!("file={}", world.home().join(".vault-token").display());
    add(&[&token, "format=dotenv"]).exits(8).stderr_has("credential");
    set(&world, "a", "x").succeeds();
    let grants = format!("file={}", world.data().join("grants/x.json").display());
    add(&[&grants]).exits(8);
    let own = format!("file={}", world.path("work/own.env").display());
    add(&[&own]).succeeds();
}
