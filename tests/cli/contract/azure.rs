//! The contract at the Key Vault of the tests, with tokens checked.

use forge_tests::servers::azure::Azure;

use super::super::{add_azure, azure_world};
use super::{Own, Subject, USUAL, keeps_the_contract};

#[test]
fn the_key_vault_of_the_tests_keeps_the_contract() {
    let azure = Azure::start();
    let world = azure_world();
    add_azure(&world, &azure, "", []).succeeds();
    keeps_the_contract(&Subject {
        world,
        provider: "kv",
        compares: false,
        keeps_versions: true,
        forgets_names: true,
        has_history: true,
        is_store: true,
        has_folders: false,
        own: Own {
            // In base64, which is longer; a text may have 25,600.
            longest: 19_200,
            takes_any_name: false,
            // The service wants a deleted secret to be recovered or purged first.
            rewrites_deleted: false,
            joiner: "-",
            ..USUAL
        },
    });
}
