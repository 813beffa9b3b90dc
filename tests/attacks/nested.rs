//! Guests that attack before they are called, each a component of its own in `tests/guests/text` that the attacker
//! holds: with a small number it does no harm, which shows that it runs, and with a large one it meets its limit.

use forge_tests::component::{attacker, from_text, nest, pack};
use forge_tests::outcome::Outcome;
use forge_tests::world::root;

use super::{Ask, LOOT, Stage};

/// The text of a guest with this number in it; a line that ends in `COUNT times` is there so many times.
fn text(name: &str, count: u64) -> String {
    let file = root().join(format!("tests/guests/text/{name}.wat"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("`{}`: {error}", file.display()));
    let mut lines = Vec::new();
    for line in text.lines() {
        let times = if line.ends_with(";; COUNT times") { count } else { 1 };
        lines.extend((0..times).map(|_| line.replace("COUNT", &count.to_string())));
    }
    lines.join("\n")
}

/// What comes of an honest read of the guest, or of installing it where that is refused.
fn call(ask: &Ask, name: &str, count: u64) -> Outcome {
    let stage = Stage::empty();
    let component = nest(&attacker(), &from_text(&text(name, count)));
    let installed = stage.world.install(&pack(&component, &ask.manifest()));
    if installed.code != Some(0) {
        return installed;
    }
    // Its check is its first call, and a provider may be added although that fails.
    stage.add(ask).succeeds();
    let outcome = stage.world.forge(["secret", "get", "store://evil/harmless"]);
    // Whatever it did, the host serves other plugins.
    stage.world.command(["secret", "set", "after"]).input("served").run().succeeds();
    stage.world.forge(["secret", "get", "after"]).succeeds().stdout_is("served");
    outcome
}

/// Expects that the guest runs with the small number, and is stopped in these words with the large one.
#[track_caller]
fn is_stopped(name: &str, few: u64, many: u64, sentence: &str) {
    call(&Ask::new(), name, few).succeeds().stdout_is(LOOT);
    call(&Ask::new(), name, many).exits(7).stdout_is("").stderr_has("plugin `attacker`").stderr_has(sentence);
}

#[test]
fn instances_are_counted() {
    is_stopped("instance_bomb", 10, 1_000, "");
}

#[test]
fn memories_are_counted_and_not_only_measured() {
    is_stopped("memory_bombs", 1, 50, "");
}

#[test]
fn tables_are_counted_and_not_only_measured() {
    is_stopped("table_bombs", 2, 50, "");
}

#[test]
fn a_table_has_the_entries_of_a_real_guest_and_no_more() {
    is_stopped("table_bomb", 1_000, 10_000_000, "tables");
}

#[test]
fn a_table_does_not_grow_beyond_that() {
    is_stopped("table_growth", 1_000, 1_000_000, "tables");
}

#[test]
fn a_memory_that_is_large_from_the_start_is_measured() {
    call(&Ask::new(), "memory_from_the_start", 16).succeeds().stdout_is(LOOT);
    // What is known beforehand is refused beforehand.
    call(&Ask::new(), "memory_from_the_start", 2_000).exits(2).stderr_has("memory from the start");
    let ask = Ask::new().limit("memory = \"256 MiB\"");
    call(&ask, "memory_from_the_start", 2_000).succeeds().stdout_is(LOOT);
}

#[test]
fn a_second_memory_grows_within_the_limit_of_both() {
    is_stopped("memory_growth", 16, 2_000, "64 MiB of memory");
    let ask = Ask::new().limit("memory = \"256 MiB\"");
    call(&ask, "memory_growth", 2_000).succeeds().stdout_is(LOOT);
}

#[test]
fn handles_are_counted() {
    is_stopped("handle_bomb", 100, 1_000_000, "");
}

#[test]
fn a_guest_that_computes_before_it_is_called_pays_for_it() {
    is_stopped("spin_at_start", 1_000, u64::MAX >> 1, "on the processor");
}

#[test]
fn a_guest_that_calls_itself_too_deep_before_it_is_called_uses_up_its_stack() {
    is_stopped("recursion_at_start", 100, 100_000_000, "used up its stack");
}

#[test]
fn instructions_that_take_long_are_paid_for() {
    is_stopped("fill", 1, 1_000_000_000, "on the processor");
}

#[test]
fn data_outside_a_memory_ends_the_call() {
    is_stopped("data_outside", 0, 65_536, "");
}

#[test]
fn a_guest_that_breaks_off_before_it_is_called_ends_the_call() {
    is_stopped("trap_at_start", 1, 0, "broke off");
}
