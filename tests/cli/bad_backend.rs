//! Servers that don't do what Vault's documentation says: a clear error with its exit code, and nothing taken for a value.

use forge_tests::outcome::Outcome;
use forge_tests::servers::free_port;
use forge_tests::servers::hostile::Hostile;
use forge_tests::world::World;

use super::{get, set};

/// Nobody's token, to be found nowhere but in the requests.
const TOKEN: &str = "s.canary-of-the-bad-backend";

/// A world with the provider `bao` at this address, whatever is there.
#[track_caller]
fn world(address: &str) -> World {
    let world = World::new().with("TOKEN", TOKEN);
    let add = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes", "--set", "kv-version=2"]);
    add.and(["--set", &format!("address={address}"), "--credential", "vault-token,token=env:TOKEN"]).run().succeeds();
    world
}

#[track_caller]
fn read(server: &Hostile, world: &World, behaviour: &str, code: i32) -> Outcome {
    let outcome = get(world, &format!("store://bao/{behaviour}"));
    outcome.exits(code).stdout_is("").stderr_has("error: can't read").never_shows(TOKEN).never_shows("own words");
    assert!(!server.received().is_empty());
    world.keeps_nowhere(TOKEN);
    world.keeps_nowhere("own words");
    outcome
}

#[test]
fn each_status_has_its_exit_code() {
    let server = Hostile::start();
    let world = world(&server.origin());
    for (behaviour, code) in [
        ("status-400", 2),
        ("status-403", 4),
        ("empty-403", 4),
        ("status-404", 3),
        // A 404 of Vault has its list of errors; without one it is somebody else's, such as a proxy's.
        ("empty-404", 6),
        ("status-405", 6),
        ("status-413", 2),
        ("status-418", 6),
        ("retry-after-0", 6),
        ("status-429", 6),
        ("status-500", 6),
        ("empty-500", 6),
        ("status-502", 6),
        ("status-503", 6),
        ("status-504", 6),
        ("redirect", 6),
        ("empty-204", 6),
    ] {
        read(&server, &world, behaviour, code);
    }
    for (behaviour, kind) in
        [("status-403", "access-denied"), ("status-404", "not-found"), ("status-429", "rate-limited")]
    {
        let outcome = world.forge(["--json", "secret", "get", &format!("store://bao/{behaviour}")]);
        let error = outcome.error_json();
        assert_eq!(error["error"]["kind"], kind);
    }
}

#[test]
fn an_answer_that_is_no_secret_is_no_secret() {
    let server = Hostile::start();
    let world = world(&server.origin());
    for behaviour in ["html", "garbage", "truncated", "hang-up", "anything", "header-bomb", "gzip-bomb"] {
        read(&server, &world, behaviour, 6);
    }
    read(&server, &world, "endless", 2);
    read(&server, &world, "endless-chunked", 2);
    read(&server, &world, "reflect", 11);
}

#[test]
fn a_slow_server_ends_with_the_calls_time() {
    let server = Hostile::start();
    read(&server, &world(&server.origin()), "slow", 6);
}

#[test]
fn a_server_that_is_down_is_unavailable() {
    let world = world(&format!("http://127.0.0.1:{}", free_port()));
    get(&world, "store://bao/a").exits(6).stdout_is("").stderr_has("can't be reached");
    set(&world, "store://bao/a", "value-that-went-nowhere").exits(6).never_shows("went-nowhere");
    world.forge(["secret", "list", "store://bao"]).exits(6);
    world.forge(["secret", "delete", "store://bao/a", "--yes"]).exits(6);
}

#[test]
fn a_write_that_failed_says_so() {
    let server = Hostile::start();
    let world = world(&server.origin());
    for (behaviour, code) in
        [("status-403", 4), ("status-500", 6), ("html", 6), ("truncated", 6), ("hang-up", 6), ("redirect", 6)]
    {
        let asked = server.received().len();
        let outcome = set(&world, &format!("store://bao/{behaviour}"), "the value of a failed write");
        outcome.exits(code).stderr_has("error: can't write").never_shows("failed write");
        let sent = server.received().split_off(asked);
        // A write makes a version each time it arrives, so it is never sent twice.
        assert_eq!(sent.iter().filter(|request| request.method == "POST").count(), 1, "{behaviour}: {sent:?}");
        world.keeps_nowhere("failed write");
    }
}

#[test]
fn no_other_address_is_ever_asked() {
    let (server, other) = (Hostile::start(), Hostile::start());
    server.redirects_to(&format!("{}/v1/secret/data/elsewhere", other.origin()));
    let world = world(&server.origin());
    read(&server, &world, "redirect", 6);
    // Neither is a proxy that the environment names.
    let run = world.command(["secret", "get", "store://bao/status-404"]);
    let run = run.variable("HTTP_PROXY", &other.origin()).variable("http_proxy", &other.origin());
    run.variable("ALL_PROXY", &other.origin()).run().exits(3);
    other.was_never_asked();
}
