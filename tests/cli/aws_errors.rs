//! Servers that don't do what the documentation of AWS says: a clear error with its exit code, and nothing taken for a value.

use std::collections::BTreeSet;

use forge_core::Kind;
use forge_tests::library;
use forge_tests::outcome::Outcome;
use forge_tests::servers::free_port;
use forge_tests::servers::hostile::Hostile;
use forge_tests::servers::moto::REGION;
use forge_tests::world::World;

use super::{get, set};

/// Nobody's key, of which the secret never travels and the token of the session does.
const SECRET: &str = "canary/of+the/bad/backend/0123456789";
const SESSION: &str = "canary/session+of+the+bad+backend/0123456789==";

/// A world with the provider `aws` at this address, whatever is there.
#[track_caller]
fn world(address: &str, service: &str) -> World {
    let world = World::new().with("AWS_ACCESS_KEY_ID", "AKIDEXAMPLEEXAMPLE").with("AWS_SECRET_ACCESS_KEY", SECRET);
    let world = world.with("AWS_SESSION_TOKEN", SESSION);
    let add = world.command(["provider", "add", "aws", "--plugin", "aws", "--yes", "--credential-audience", address]);
    let add = add.and(["--set", &format!("region={REGION}"), "--set", &format!("endpoint={address}")]);
    let add = add.and(["--set", &format!("service={service}")]);
    add.and(["--credential", &format!("aws-sigv4,region={REGION},service={service}")]).run().succeeds();
    world
}

#[track_caller]
fn read(server: &Hostile, world: &World, behaviour: &str, code: i32) -> Outcome {
    server.always(behaviour);
    let asked = server.received().len();
    let outcome = get(world, "store://aws/app/db");
    outcome.exits(code).stdout_is("").stderr_has("error: can't read").never_shows("own words");
    assert!(server.received().len() > asked);
    for canary in [SECRET, SESSION] {
        outcome.never_shows(canary);
        world.keeps_nowhere(canary);
    }
    outcome
}

#[test]
fn each_answer_that_is_none_of_aws_has_its_exit_code() {
    for service in ["secretsmanager", "ssm"] {
        let server = Hostile::start();
        let world = world(&server.origin(), service);
        for (behaviour, code) in [
            // An error without a code of the protocol is somebody else's, such as a proxy's: no missing secret.
            ("status-400", 6),
            ("status-404", 6),
            ("empty-404", 6),
            ("status-403", 4),
            ("retry-after-0", 6),
            ("status-429", 6),
            ("status-500", 6),
            ("empty-503", 6),
            ("redirect", 6),
            ("empty-204", 6),
            ("html", 6),
            ("garbage", 6),
            ("truncated", 6),
            ("hang-up", 6),
            ("anything", 6),
            ("header-bomb", 6),
            ("gzip-bomb", 6),
            ("endless", 2),
            ("endless-chunked", 2),
            // The token of the session comes back, and the plugin is not given that answer.
            ("reflect", 11),
            ("reflect-base64", 11),
        ] {
            read(&server, &world, behaviour, code);
        }
    }
}

#[test]
fn a_write_that_is_sent_again_makes_one_version_and_one_without_a_token_is_sent_once() {
    // A write over a parameter asks for its type first; one that expects none is the write alone.
    for (service, count) in [("secretsmanager", 3), ("ssm", 1)] {
        let server = Hostile::start();
        let world = world(&server.origin(), service);
        for behaviour in ["status-503", "hang-up"] {
            server.always(behaviour);
            let asked = server.received().len();
            let run = world.command(["secret", "set", "store://aws/app/db"]).input("the value of a failed write");
            let run = if service == "ssm" { run.and(["--expected-version", ""]) } else { run };
            let outcome = run.run();
            outcome.exits(6).stderr_has("error: can't write").never_shows("failed write");
            let sent = server.received().split_off(asked);
            let bodies: BTreeSet<&[u8]> = sent.iter().map(|request| request.body.as_slice()).collect();
            assert_eq!((sent.len(), bodies.len()), (count, 1), "{service} {behaviour}");
            world.keeps_nowhere("failed write");
        }
    }
}

#[test]
fn a_server_that_is_down_is_unavailable() {
    let world = world(&format!("http://127.0.0.1:{}", free_port()), "secretsmanager");
    get(&world, "store://aws/a").exits(6).stdout_is("").stderr_has("can't be reached");
    set(&world, "store://aws/a", "value-that-went-nowhere").exits(6).never_shows("went-nowhere");
    world.forge(["secret", "list", "store://aws"]).exits(6);
    world.forge(["secret", "delete", "store://aws/a", "--yes"]).exits(6);
}

#[test]
fn a_batch_of_which_each_secret_is_denied_does_not_end_the_batches() {
    let server = Hostile::start();
    server.always("secrets");
    let world = world(&server.origin(), "secretsmanager");
    let denied = (0..20).map(|number| format!("denied/{number:02}"));
    let paths: Vec<String> = denied.chain((0..240).map(|number| format!("app/{number:03}"))).collect();
    let before = server.received().len();
    let answers = library::read_many(&library::resolver(&world, "aws", "aws"), &paths);
    for (path, answer) in paths.iter().zip(answers) {
        match answer {
            Err(failure) => {
                assert_eq!((failure.kind, path.starts_with("denied")), (Kind::AccessDenied, true), "{path}");
                let hint = failure.hint.unwrap();
                assert!(
                    hint.starts_with(&format!("`secretsmanager:GetSecretValue` on `{path}` was refused")),
                    "{hint}"
                );
            }
            Ok(value) => assert_eq!(value.unwrap(), path.as_bytes()),
        }
    }
    // Thirteen batches, and each that was denied by itself.
    assert_eq!(server.received().len() - before, 13 + 20);
}
