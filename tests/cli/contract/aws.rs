//! The contract at a server that plays AWS: its secrets, and its parameters.

use forge_tests::servers::moto::Moto;

use super::super::{add_aws, aws_world};
use super::{Own, Subject, USUAL, keeps_the_contract};

#[test]
fn a_server_that_plays_aws_keeps_the_contract() {
    let moto = Moto::start(&["secretsmanager:*", "sts:*"]);
    let world = aws_world(&moto);
    add_aws(&world, &moto, []).succeeds();
    keeps_the_contract(&Subject {
        world,
        provider: "aws",
        compares: true,
        keeps_versions: true,
        forgets_names: true,
        has_history: true,
        is_store: true,
        has_folders: true,
        own: Own {
            longest: 65_536,
            takes_empty: false,
            takes_any_name: false,
            moves_back: true,
            has_states: false,
            recovers: true,
            takes_bytes: true,
            // It takes such a write and leaves the secret deleted, where AWS refuses it: the plugin's own tests have that.
            rewrites_deleted: false,
            joiner: "_",
        },
    });
}

#[test]
fn parameters_of_a_server_that_plays_aws_keep_the_contract() {
    let moto = Moto::start(&["ssm:*", "sts:*"]);
    let world = aws_world(&moto);
    add_aws(&world, &moto, ["--set", "service=ssm"]).succeeds();
    let own = Own {
        longest: 4_096,
        takes_empty: false,
        takes_any_name: false,
        has_states: false,
        recovers: false,
        takes_bytes: false,
        ..USUAL
    };
    keeps_the_contract(&Subject {
        world,
        provider: "aws",
        compares: false,
        keeps_versions: true,
        forgets_names: true,
        has_history: true,
        is_store: true,
        has_folders: true,
        own,
    });
}
