//! Guests that take more than their share: processor, memory, stack, requests, the host's memory, a person's screen.

use super::{Ask, Stage};

#[test]
fn a_guest_that_computes_too_long_is_stopped() {
    // Three seconds are too many for the usual limit and few for a raised one.
    Stage::new(&Ask::new().limit("cpu-ms = 30000")).lets("spin/3000", "spun");
    let stage = Stage::new(&Ask::new());
    stage.stops("spin/3000", 7, "on the processor");
    stage.stops("spin/forever", 7, "on the processor");
}

#[test]
fn a_guest_that_calls_the_host_for_ever_is_stopped() {
    Stage::new(&Ask::new()).attack("call-loop/1000").succeeds().stdout_has("asked until");
    let stage = Stage::new(&Ask::new().limit("wall-ms = 3000"));
    let outcome = stage.attack("call-loop");
    assert!(matches!(outcome.code, Some(6 | 7)), "{outcome:?}");
    outcome.stderr_has("plugin `attacker`");
    stage.still_serves();
}

#[test]
fn a_guest_has_the_memory_that_was_granted_and_no_more() {
    Stage::new(&Ask::new().limit("memory = \"128 MiB\"")).lets("memory-bomb/100", "took 100");
    let stage = Stage::new(&Ask::new());
    stage.lets("memory-bomb/20", "took 20");
    stage.stops("memory-bomb/100", 7, "MiB of memory");
    stage.stops("memory-bomb", 7, "MiB of memory");
}

#[test]
fn nobody_gets_more_than_the_ceilings() {
    let stage = Stage::empty();
    for limit in ["memory = \"512 MiB\"", "cpu-ms = 31000", "wall-ms = 61000"] {
        stage.install(&Ask::new().limit(limit)).exits(2);
    }
}

#[test]
fn a_guest_that_calls_itself_too_deep_is_stopped() {
    let stage = Stage::new(&Ask::new());
    stage.lets("recursion/1000", "went down 1000");
    stage.stops("recursion", 7, "used up its stack");
}

#[test]
fn a_flood_of_requests_ends_with_the_calls_budget() {
    for (attack, _) in [("flood", ()), ("flood-at-once", ())] {
        let open = Stage::new(&Ask::new().limit("requests = 64"));
        open.lets(&format!("{attack}/40"), "sent 40");
        open.stops(&format!("{attack}/100"), 7, "budget");
        let closed = Stage::new(&Ask::new());
        closed.lets(&format!("{attack}/16"), "sent 16");
        let outcome = closed.attack(&format!("{attack}/1000"));
        outcome.exits(7).stderr_has("budget");
        // Sixteen of the first attack, and sixteen of the flood before its budget was spent.
        assert!(closed.server.received().len() <= 32, "{} requests went out", closed.server.received().len());
        closed.still_serves();
    }
}

#[test]
fn a_large_request_ends_with_the_calls_budget() {
    let ask = Ask::new().route("write", "POST", "{origin}/v1/secret/data/**", "").limit("memory = \"256 MiB\"");
    let stage = Stage::new(&ask);
    stage.attack_in_write("big-request/1").succeeds();
    assert_eq!(stage.server.received()[0].length, 1 << 20);
    stage.attack_in_write("big-request/100").exits(7);
    stage.still_serves();
    let sent: u64 = stage.server.received().iter().map(|request| request.length).sum();
    assert!(sent < 32 << 20, "{sent} bytes were sent");
}

#[test]
fn a_flood_of_log_lines_is_cut_and_can_not_write_on_the_screen() {
    let stage = Stage::new(&Ask::new().limit("cpu-ms = 30000"));
    let few = stage.attack("log-flood/3");
    few.succeeds().stdout_is("wrote 3").stderr_has("flood-2");
    let many = stage.attack("log-flood/20000");
    many.succeeds().stdout_is("wrote 20000");
    let lines = many.stderr.lines().filter(|line| line.contains("flood-")).count();
    assert!((1..=200).contains(&lines), "{lines} lines of the guest were shown");
    for outcome in [&few, &many] {
        assert!(!outcome.stderr.contains('\u{1b}'), "an escape code of the guest reached the terminal");
        assert!(!outcome.stderr.lines().any(|line| line.starts_with("forged")), "the guest wrote a line of its own");
    }
    // Nobody asked for the guest's words.
    let quiet = stage.world.forge(["secret", "get", "store://evil/log-flood/3"]);
    quiet.succeeds();
    assert!(!quiet.stderr.contains("flood-"), "{quiet:?}");
    stage.still_serves();
}

#[test]
fn a_long_log_line_is_cut() {
    let stage = Stage::new(&Ask::new().limit("cpu-ms = 30000"));
    let outcome = stage.attack("log-length/2");
    outcome.succeeds().stdout_is("wrote 2");
    assert!(outcome.stderr.len() < 64 << 10, "{} bytes of log", outcome.stderr.len());
    stage.still_serves();
}

#[test]
fn a_request_for_too_many_random_bytes_is_refused() {
    let stage = Stage::new(&Ask::new());
    stage.lets("random-flood/65536", "got 65536");
    stage.stops("random-flood/4294967295", 7, "plugin `attacker`");
}

#[test]
fn a_value_that_is_too_large_does_not_fill_the_hosts_memory() {
    let stage = Stage::new(&Ask::new().limit("memory = \"256 MiB\""));
    let outcome = stage.attack("huge-value/1");
    assert_eq!(outcome.succeeds().stdout.len(), 1 << 20);
    let outcome = stage.attack("huge-value/100");
    assert!(matches!(outcome.code, Some(2 | 7)), "{outcome:?}");
    outcome.stdout_is("");
    stage.still_serves();
}

#[test]
fn a_listing_without_an_end_is_given_up() {
    let stage = Stage::new(&Ask::new());
    let outcome = stage.world.forge(["secret", "list", "store://evil"]);
    assert_eq!(outcome.code, Some(7), "{}", outcome.stderr);
    stage.still_serves();
}
