//! A guest that searches all of its own memory for the credential that the host has just used.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use forge_tests::world::{files, program};

use super::{Ask, CANARY, Stage};

/// How a process died, and what it left in its folder.
fn aborted(mut command: Command, is_ready: impl Fn() -> bool, folder: &std::path::Path) -> (bool, usize) {
    let mut child = command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !is_ready() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came as far");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-ABRT", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(6));
    (status.core_dumped(), files(folder).len())
}

#[test]
fn a_process_that_is_aborted_with_a_credential_in_its_memory_leaves_no_core_file() {
    let stage = Stage::empty();
    let ask = Ask::new().target(&format!("{}/v1/secret/data/slow-head", stage.server.origin()));
    stage.install(&ask).succeeds();
    stage.add(&ask).succeeds();
    let unlimited = |command: &str| stage.world.shell(&format!("ulimit -c unlimited; {command}"));
    let (ours, other) = (stage.world.path("ours"), stage.world.path("other"));
    std::fs::create_dir(&ours).unwrap();
    std::fs::create_dir(&other).unwrap();
    // A program that holds nothing back dumps itself here; where the system writes no cores at all, this test says so.
    let ready = stage.world.path("ready");
    let dumped = aborted(unlimited(&format!("touch {}; exec sleep 60", ready.display())), || ready.exists(), &other).0;
    assert!(dumped, "this system writes no core files, so nothing can be shown here");
    // The server keeps it waiting, with the credential on its way.
    let read = format!("exec {} secret get store://evil/request", program().display());
    let asked = || stage.server.received().iter().any(|request| request.header("x-canary") == Some(CANARY));
    assert_eq!(aborted(unlimited(&read), asked, &ours), (false, 0));
}

/// The attack with the canary in two halves.
pub(super) fn search() -> String {
    let (first, second) = CANARY.split_at(CANARY.len() / 2);
    format!("search-memory/{first}/{second}")
}

#[test]
fn the_credential_of_a_brokered_request_is_nowhere_in_the_guests_memory() {
    // Where the user hands the guest the canary as a setting the search finds it, so it would find it elsewhere too.
    let open = Stage::empty();
    let ask = Ask::new().target(CANARY).limit("cpu-ms = 30000");
    open.install(&ask).succeeds();
    open.add(&ask).succeeds();
    let outcome = open.world.forge(["secret", "get", &format!("store://evil/{}", search())]);
    outcome.succeeds().stdout_has("found after").never_shows("not found");
    let closed = Stage::new(&Ask::new().limit("cpu-ms = 30000"));
    closed.attack(&search()).succeeds().stdout_has("not found after");
    assert_eq!(closed.server.received()[0].header("x-canary"), Some(CANARY), "no credential was used");
    closed.still_serves();
}
