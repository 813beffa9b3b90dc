//! Servers that don't do what the documentation of Google says: a clear error with its exit code, and nothing taken for a value.

use forge_tests::outcome::Outcome;
use forge_tests::servers::free_port;
use forge_tests::servers::google::{Google, PROJECT};
use forge_tests::servers::hostile::Hostile;
use forge_tests::world::World;
use serde_json::json;

use super::{get, set};

/// How every token of the server begins.
const TOKEN: &str = "ya29.";

/// A world with the provider `gcp` at this address, whatever is there, and with its logins at another one.
#[track_caller]
fn world(google: &Google, address: &str, login: &str) -> World {
    let world = World::new();
    let add = world.command(["provider", "add", "gcp", "--plugin", "gcp", "--yes", "--credential-audience", address]);
    let add = add.and(["--set", &format!("project={PROJECT}"), "--set", &format!("endpoint={address}")]);
    let credential = format!("google,service-account=file:{},login-endpoint={login}", google.key());
    add.and(["--credential", &credential]).run().succeeds();
    world
}

#[track_caller]
fn read(world: &World, code: i32) -> Outcome {
    let outcome = get(world, "store://gcp/db");
    outcome.exits(code).stdout_is("").stderr_has("error: can't read").never_shows("own words").never_shows(TOKEN);
    world.keeps_nowhere(TOKEN);
    outcome
}

#[test]
fn each_answer_that_is_none_of_googles_has_its_exit_code() {
    let (google, server) = (Google::start(), Hostile::start());
    let world = world(&google, &server.origin(), google.origin());
    for (behaviour, code) in [
        // An error without a status of the API's is somebody else's, such as a proxy's: no missing secret.
        ("status-400", 6),
        ("status-404", 6),
        ("empty-404", 6),
        ("status-401", 5),
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
        // The token comes back, and the plugin is not given that answer.
        ("reflect", 11),
        ("reflect-base64", 11),
    ] {
        server.always(behaviour);
        let asked = server.received().len();
        read(&world, code);
        assert!(server.received().len() > asked, "{behaviour}");
    }
}

#[test]
fn each_answer_of_a_login_that_gives_no_token_has_its_exit_code() {
    let (google, login) = (Google::start(), Hostile::start());
    let world = world(&google, google.origin(), &login.origin());
    for (behaviour, code) in [
        ("status-400", 5),
        ("status-401", 5),
        ("status-403", 5),
        ("status-429", 6),
        ("status-500", 6),
        ("redirect", 6),
        ("html", 6),
        ("garbage", 6),
        ("truncated", 6),
        ("hang-up", 6),
        ("anything", 6),
        ("reflect", 6),
        ("endless", 6),
        ("gzip-bomb", 6),
    ] {
        login.always(behaviour);
        let asked = login.received().len();
        google.requests();
        read(&world, code).stderr_has(&login.origin());
        // Sent once: what logs in may have one use.
        assert_eq!(login.received().len(), asked + 1, "{behaviour}");
        assert_eq!(google.requests(), [""; 0], "nothing goes out without a token");
    }
}

#[test]
fn a_write_is_sent_once_since_each_makes_a_version() {
    let (google, server) = (Google::start(), Hostile::start());
    let world = world(&google, &server.origin(), google.origin());
    for behaviour in ["status-503", "hang-up"] {
        server.always(behaviour);
        let asked = server.received().len();
        let outcome = set(&world, "store://gcp/db", "the value of a failed write");
        outcome.exits(6).stderr_has("error: can't write").never_shows("failed write");
        assert_eq!(server.received().len(), asked + 1, "{behaviour}");
        world.keeps_nowhere("failed write");
    }
}

#[test]
fn a_write_that_google_throttles_waits_and_is_done_once() {
    let google = Google::start();
    let world = world(&google, google.origin(), google.origin());
    set(&world, "store://gcp/db", "first").succeeds();
    google.front(&json!({ "throttle": 2 }));
    set(&world, "store://gcp/db", "second").succeeds();
    let add = format!("POST /v1/projects/{PROJECT}/secrets/db:addVersion");
    assert_eq!(google.requests(), [add.as_str(); 3]);
    let seen = google.client(
        r#"answer([v.name.split("/")[-1] for v in client.list_secret_versions(parent=project + "/secrets/db")])"#,
    );
    assert_eq!(seen, json!(["2", "1"]));
    // A 429 of whoever stands in between does not say that nothing was done.
    let server = Hostile::start();
    server.always("status-429");
    let world = self::world(&google, &server.origin(), google.origin());
    let asked = server.received().len();
    set(&world, "store://gcp/db", "third").exits(6);
    assert_eq!(server.received().len(), asked + 1);
}

#[test]
fn a_server_that_is_down_is_unavailable() {
    let google = Google::start();
    let world = world(&google, &format!("http://127.0.0.1:{}", free_port()), google.origin());
    get(&world, "store://gcp/a").exits(6).stdout_is("").stderr_has("can't be reached");
    set(&world, "store://gcp/a", "value-that-went-nowhere").exits(6).never_shows("went-nowhere");
    world.forge(["secret", "list", "store://gcp"]).exits(6);
    world.forge(["secret", "delete", "store://gcp/a", "--yes"]).exits(6);
}
