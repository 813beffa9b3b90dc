//! `--attribute`: what one backend alone keeps with a value, by the name that its plugin's guide gives it.

use forge_tests::servers::azure::Azure;
use forge_tests::servers::moto::Moto;
use forge_tests::world::World;

use super::{add_aws, add_azure, aws_world, azure_world, get};

/// Writes `hunter2` with these attributes.
fn set(world: &World, reference: &str, attributes: &[&str]) -> forge_tests::outcome::Outcome {
    let run = world.command(["secret", "set", reference]).input("hunter2");
    attributes.iter().fold(run, |run, attribute| run.and(["--attribute", attribute])).run()
}

#[test]
fn a_description_is_what_the_services_of_aws_keep() {
    let moto = Moto::start(&["secretsmanager:*", "ssm:*", "sts:*"]);
    let world = aws_world(&moto);
    add_aws(&world, &moto, []).succeeds();
    set(&world, "store://aws/app/db", &["description=of the web team"]).succeeds();
    let told = "answer(client('secretsmanager').describe_secret(SecretId='app/db')['Description'])";
    assert_eq!(moto.boto3(told), "of the web team");
    // A write that says nothing of it leaves it, and one that does replaces it.
    set(&world, "store://aws/app/db", &[]).succeeds();
    assert_eq!(moto.boto3(told), "of the web team");
    set(&world, "store://aws/app/db", &["description=other"]).succeeds();
    let described = world.forge(["--json", "secret", "describe", "store://aws/app/db"]).succeeds().json();
    assert_eq!(described["attributes"]["description"], "other");

    let world = aws_world(&moto);
    add_aws(&world, &moto, ["--set", "service=ssm"]).succeeds();
    set(&world, "store://aws/app/db", &["description=of the app team"]).succeeds();
    let told = "answer(client('ssm').describe_parameters()['Parameters'][0]['Description'])";
    assert_eq!(moto.boto3(told), "of the app team");
}

#[test]
fn a_time_from_which_a_version_counts_is_what_a_vault_keeps() {
    let azure = Azure::start();
    let world = azure_world();
    add_azure(&world, &azure, "", []).succeeds();
    set(&world, "store://kv/later", &["not-before-at=2031-02-03T04:05:06Z"]).succeeds();
    let told = azure.client("answer(client().get_secret('later').properties.not_before.isoformat())");
    assert_eq!(told, "2031-02-03T04:05:06+00:00");
    set(&world, "store://kv/other", &["not-before-at=soon"]).exits(2);
    get(&world, "store://kv/other").exits(3);
}

#[test]
fn an_attribute_that_a_backend_does_not_keep_is_refused_and_nothing_is_written() {
    let world = World::new();
    for (attributes, words) in [
        (&["description=x"][..], "description"),
        // What has an option of its own.
        (&["tags=x"], "tags"),
        (&["expires-at=2031-02-03T04:05:06Z"], "expires-at"),
        (&["no equals sign"], "`--attribute NAME=VALUE`"),
        (&["=x"], "`--attribute NAME=VALUE`"),
    ] {
        let outcome = set(&world, "app/db", attributes);
        outcome.exits(2).never_shows("hunter2");
        let told = world.command(["secret", "set", "app/db", "-v"]).input("hunter2");
        let told = attributes.iter().fold(told, |run, attribute| run.and(["--attribute", attribute])).run();
        told.exits(2).stderr_has(words);
        get(&world, "app/db").exits(3);
    }
}
