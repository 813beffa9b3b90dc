//! A guest that searches all of its own memory for the credential that the host has just used.

use super::{Ask, CANARY, Stage};

/// The attack with the canary in two halves.
fn search() -> String {
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
