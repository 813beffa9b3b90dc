//! The contract at a server that plays Google's Secret Manager.

use forge_tests::servers::google::Google;
use forge_tests::world::World;

use super::super::add_google;
use super::{Own, Subject, USUAL, keeps_the_contract};

#[test]
fn a_server_that_plays_google_keeps_the_contract() {
    let server = Google::start();
    let world = World::new();
    add_google(&world, &server, []).succeeds();
    keeps_the_contract(&Subject {
        world,
        provider: "gcp",
        compares: false,
        keeps_versions: true,
        forgets_names: true,
        has_history: true,
        is_store: true,
        has_folders: false,
        own: Own { longest: 65_536, takes_empty: false, takes_any_name: false, recovers: false, ..USUAL },
    });
}
