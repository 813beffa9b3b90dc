//! Servers that turn on their client: endless, slow, bombs, and echoes of the credential.

use forge_tests::servers::behaviour::LOOT;

use super::{Ask, CANARY, Stage, TRACE};

/// A stage whose attacker asks the granted server for what it does under this name.
#[track_caller]
fn stage(behaviour: &str, ask: Ask) -> Stage {
    let stage = Stage::empty();
    let ask = ask.target(&format!("{}/v1/secret/data/{behaviour}", stage.server.origin()));
    stage.install(&ask).succeeds();
    stage.add(&ask).succeeds();
    stage
}

#[test]
fn an_answer_of_ten_gigabytes_ends_at_the_routes_limit() {
    for behaviour in ["endless", "endless-chunked"] {
        let stage = stage(behaviour, Ask::new().limit("wall-ms = 60000"));
        stage.stops("request", 2, "longer than its route allows");
    }
}

#[test]
fn an_answer_may_be_as_long_as_its_route_says() {
    // The echo of a request's headers is a few hundred bytes long.
    let none = || Ask::new().credential("none");
    let open = stage("reflect", none().with("response-max = 4096"));
    open.attack("request").succeeds().stdout_has("user-agent");
    stage("reflect", none().with("response-max = 8"))
        .attack("request")
        .exits(2)
        .stderr_has("longer than its route allows");
}

#[test]
fn a_server_that_drips_bytes_ends_with_the_calls_time() {
    for behaviour in ["slow", "slow-head"] {
        stage(behaviour, Ask::new().limit("wall-ms = 1500")).stops("request", 6, "did not answer");
    }
}

#[test]
fn a_flood_of_headers_is_refused() {
    for behaviour in ["header-bomb", "long-header"] {
        stage(behaviour, Ask::new()).stops("request", 6, "127.0.0.1");
    }
}

#[test]
fn a_compressed_answer_is_never_unfolded() {
    let stage = stage("gzip-bomb", Ask::new());
    stage.stops("request", 6, "encoding");
    let asked = &stage.server.received()[0];
    assert_eq!(asked.header("accept-encoding"), None, "an encoding was offered");
}

#[test]
fn a_credential_that_a_server_sends_back_does_not_reach_the_guest() {
    for form in ["reflect", "reflect-base64", "reflect-header", "reflect-json", "reflect-url"] {
        let closed = stage(form, Ask::new());
        closed.stops("request", 11, "sent the credential back");
        assert_eq!(closed.server.received()[0].header("x-canary"), Some(CANARY), "the server got nothing to send back");
        // The same server, asked without a credential, is a server like any other.
        stage(form, Ask::new().credential("none")).attack("request").succeeds();
    }
}

#[test]
fn a_reflected_credential_is_told_in_json_and_audit_without_being_shown() {
    let stage = stage("reflect", Ask::new());
    let outcome = stage.world.forge(["--json", "secret", "get", "store://evil/request"]);
    outcome.exits(11).stdout_is("").never_shows(TRACE);
    assert_eq!(outcome.error_json()["error"]["kind"], "credential-reflected");
    let audit = stage.world.audit();
    let request = audit.iter().find(|record| record["event"] == "request").unwrap();
    assert_eq!(request["outcome"], "credential-reflected");
    assert_eq!(audit.last().unwrap()["outcome"], "credential-reflected");
    stage.world.keeps_nowhere(TRACE);
}

#[test]
fn a_server_that_breaks_off_is_unavailable() {
    for behaviour in ["truncated", "hang-up", "garbage"] {
        stage(behaviour, Ask::new()).stops("request", 6, "127.0.0.1");
    }
}

#[test]
fn a_read_is_sent_again_after_a_failure_and_a_write_is_not() {
    let read = stage("flaky-2", Ask::new());
    read.lets("request", LOOT);
    assert_eq!(read.server.received().len(), 3);
    let write = stage("flaky-2", Ask::new().route("write", "POST", "{origin}/v1/secret/data/**", ""));
    write.attack_in_write("request/POST").exits(6);
    assert_eq!(write.server.received().len(), 1);
    let marked = Ask::new().route("write", "POST", "{origin}/v1/secret/data/**", "idempotent = true");
    let marked = stage("flaky-2", marked);
    marked.attack_in_write("request/POST").succeeds();
    assert_eq!(marked.server.received().len(), 3);
}
