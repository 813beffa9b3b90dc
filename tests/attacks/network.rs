//! Requests that were not granted: elsewhere, as somebody else, with another meaning.

use forge_tests::servers::behaviour::LOOT;
use forge_tests::servers::hostile::Hostile;

use super::{Ask, CANARY, Stage};

#[test]
fn another_origin_is_not_reached() {
    let other = Hostile::start();
    let ask = Ask::new().target(&format!("{}/v1/loot", other.origin()));
    Stage::new(&ask.clone().and_from(&other.origin())).lets("request", LOOT);
    assert_eq!(other.received().len(), 1);
    Stage::new(&ask).stops("request", 8, "granted");
    assert_eq!(other.received().len(), 1, "the server that was not granted was asked");
}

#[test]
fn a_server_of_another_provider_is_not_reached_although_that_provider_is_granted() {
    let stage = Stage::new(&Ask::new());
    let other = Hostile::start();
    stage.world.forge(["provider", "remove", "evil", "--yes"]).succeeds();
    stage.add(&Ask::new().target(&format!("{}/v1/secret/data/x", other.origin()))).succeeds();
    let granted = stage.world.path("granted");
    let second = stage.world.command(["provider", "add", "second", "--plugin", "attacker", "--yes"]);
    let second =
        second.and(["--set", &format!("origin={}", other.origin()), "--set", &format!("path={}", granted.display())]);
    second.and(["--credential", &Ask::new().credential]).run().succeeds();
    stage.world.forge(["secret", "get", "store://second/harmless"]).succeeds().stdout_is(LOOT);
    let asked = other.received().len();
    stage.stops("request", 8, "granted");
    assert_eq!(other.received().len(), asked);
}

#[test]
fn a_metadata_server_is_not_reached_by_any_spelling_of_its_address() {
    // The same attack with the address of a server that is granted shows that only the address stops it.
    let stage = Stage::empty();
    let open = Ask::new().target(&format!("{}/v1/secret/data/meta-data", stage.server.origin()));
    stage.install(&open).succeeds();
    stage.add(&open).succeeds();
    stage.lets("request", LOOT);
    for host in [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "0xa9.0xfe.0xa9.0xfe",
        "169.254.43518",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "169.254.169.254.",
        "metadata.google.internal",
        "169.254.169.254.nip.io",
    ] {
        stage.world.forge(["provider", "remove", "evil", "--yes"]).succeeds();
        stage.add(&Ask::new().target(&format!("http://{host}/latest/meta-data/"))).succeeds();
        stage.attack("request").exits(8);
    }
    stage.still_serves();
}

#[test]
fn a_metadata_server_can_not_even_be_granted() {
    let stage = Stage::empty();
    let ask = Ask::new();
    stage.install(&ask).succeeds();
    for origin in [
        "http://169.254.169.254",
        "http://[fd00:ec2::254]",
        "http://100.100.100.200",
        "http://[::ffff:169.254.169.254]",
    ] {
        stage.add_at(&ask, origin).exits(8);
    }
    stage.add(&ask).succeeds();
    stage.still_serves();
}

#[test]
fn a_redirect_is_not_followed_by_the_host_and_not_by_the_guest() {
    let other = Hostile::start();
    let to = format!("{}/v1/loot", other.origin());
    let open = Stage::new(&Ask::new().and_from(&other.origin()));
    open.server.redirects_to(&to);
    open.lets("redirect-follow", LOOT);
    let closed = Stage::new(&Ask::new());
    closed.server.redirects_to(&to);
    let asked = other.received().len();
    closed.stops("redirect-follow", 8, "granted");
    assert_eq!(other.received().len(), asked, "somebody followed the redirect");
}

/// Headers by which a request would be another one than the one that was granted.
const SMUGGLED: [(&str, &str); 12] = [
    ("authorization", "Bearer mine"),
    ("x-vault-token", "mine"),
    ("x-vault-namespace", "other"),
    ("x-vault-wrap-ttl", "60"),
    ("x-http-method-override", "DELETE"),
    ("x-method-override", "DELETE"),
    ("x-goog-user-project", "other"),
    ("x-amz-security-token", "mine"),
    ("cookie", "session=mine"),
    ("host", "elsewhere.example"),
    ("transfer-encoding", "chunked"),
    ("x-canary", "mine"),
];

#[test]
fn a_header_that_says_who_asks_or_what_is_meant_is_refused_by_name() {
    // A header that a route lists does get through, so it is the name that stops the others.
    let open = Stage::empty();
    let target = format!("{}/v1/secret/data/x", open.server.origin());
    let ask = Ask::new().with("headers = { x-client = [\"one\"] }").target(&target);
    open.install(&ask).succeeds();
    open.add(&ask).succeeds();
    open.lets("header/GET/x-client/one", LOOT);
    assert_eq!(open.server.received()[0].header("x-client"), Some("one"));
    open.attack("header/GET/x-client/two").exits(8).stderr_has("`x-client`");
    for (name, value) in SMUGGLED {
        let value = value.replace(' ', "%20").replace('/', "%2F");
        let outcome = open.attack(&format!("header/GET/{name}/{value}"));
        outcome.exits(8).stderr_has(&format!("`{name}`"));
    }
    assert_eq!(open.server.received().len(), 1, "a request with a smuggled header went out");
    open.still_serves();
}

#[test]
fn a_manifest_can_not_ask_for_a_header_that_says_who_asks() {
    let stage = Stage::empty();
    for (name, _) in SMUGGLED.iter().filter(|(name, _)| *name != "x-canary") {
        let ask = Ask::new().with(&format!("headers = {{ {name} = [\"x\"] }}"));
        stage.install(&ask).exits(2).stderr_has(&format!("`{name}`"));
    }
    // The name of the credential's own header is known only when the provider is added.
    let ask = Ask::new().with("headers = { x-canary = [\"x\"] }");
    stage.install(&ask).succeeds();
    stage.add(&ask).exits(2).stderr_has("`x-canary`");
}

#[test]
fn a_query_that_was_not_granted_is_refused() {
    for query in ["page=2", "key=mine", "X-Amz-Signature=abc", "access_token=mine", "version=1&version=2"] {
        let stage = Stage::empty();
        let ask = Ask::new().target(&format!("{}/v1/secret/data/x?{query}", stage.server.origin()));
        stage.install(&ask).succeeds();
        stage.add(&ask).succeeds();
        stage.stops("request", 8, "query parameter");
    }
    let stage = Stage::empty();
    let ask = Ask::new().with("query = { page = \"integer\" }");
    let ask = ask.target(&format!("{}/v1/secret/data/x?page=2", stage.server.origin()));
    stage.install(&ask).succeeds();
    stage.add(&ask).succeeds();
    stage.lets("request", LOOT);
    // Signatures and keys in a query say who asks, as the headers above do.
    for name in ["key", "X-Amz-Signature", "access_token"] {
        let ask = Ask::new().with(&format!("query = {{ {name} = \"any\" }}"));
        Stage::empty().install(&ask).exits(2).stderr_has(&format!("`{name}`"));
    }
}

#[test]
fn a_method_that_was_not_granted_is_refused() {
    let stage = Stage::empty();
    let ask = Ask::new().target(&format!("{}/v1/secret/data/x", stage.server.origin()));
    let open = ask.route("write", "DELETE", "{origin}/v1/secret/data/**", "");
    stage.install(&open).succeeds();
    stage.add(&open).succeeds();
    stage.attack_in_write("request/DELETE").succeeds();
    assert_eq!(stage.server.received()[0].method, "DELETE");
    let closed = Stage::empty();
    let ask = Ask::new().target(&format!("{}/v1/secret/data/x", closed.server.origin()));
    closed.install(&ask).succeeds();
    closed.add(&ask).succeeds();
    closed.lets("request/GET", LOOT);
    for method in ["DELETE", "POST", "PUT", "PATCH", "HEAD", "LIST", "CONNECT", "TRACE", "get", "GET%20x"] {
        closed.attack(&format!("request/{method}")).exits(8);
        closed.attack_in_write(&format!("request/{method}")).exits(8);
    }
    closed.still_serves();
}

#[test]
fn a_write_does_not_pass_through_a_read_only_grant() {
    let ask = Ask::new().route("write", "PUT", "{origin}/v1/secret/data/**", "").route(
        "remove",
        "DELETE",
        "{origin}/v1/secret/data/**",
        "",
    );
    let set = |stage: &Stage| stage.world.command(["secret", "set", "store://evil/x"]).input("value").run();
    let delete = |stage: &Stage| stage.world.forge(["secret", "delete", "store://evil/x", "--yes"]);
    let open = Stage::new(&ask);
    set(&open).succeeds();
    delete(&open).succeeds();
    let methods: Vec<String> = open.server.received().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["PUT", "DELETE"]);
    let closed = Stage::new(&ask.argument("--read-only"));
    set(&closed).exits(8).stderr_has("read-only");
    delete(&closed).exits(8).stderr_has("read-only");
    closed.server.was_never_asked();
    closed.still_serves();
}

#[test]
fn a_call_that_reads_does_not_use_a_route_that_was_granted_for_writing_or_removing() {
    for (ability, method, granted) in [("write", "POST", "for writing"), ("remove", "DELETE", "for removing")] {
        let stage = Stage::empty();
        let ask = Ask::new().target(&format!("{}/v1/secret/data/x", stage.server.origin()));
        let ask = ask.route(ability, method, "{origin}/v1/secret/data/**", "");
        stage.install(&ask).succeeds();
        stage.add(&ask).succeeds();
        // The call that writes may, so the grant has the route and only the call's ability stops the other one.
        let write = stage.attack_in_write(&format!("request/{method}"));
        assert_eq!(write.code, Some(if ability == "write" { 0 } else { 8 }), "{write:?}");
        let asked = stage.server.received().len();
        stage.attack(&format!("request/{method}")).exits(8).stderr_has(granted).stderr_has("this call only reads");
        assert_eq!(stage.server.received().len(), asked, "a request went out");
        stage.still_serves();
    }
    // A removal uses routes that remove, and none that write.
    let removing = Ask::new().route("remove", "DELETE", "{origin}/v1/secret/data/**", "");
    let writing = Ask::new().route("write", "DELETE", "{origin}/v1/secret/data/**", "");
    for (ask, code) in [(removing, 0), (writing, 8)] {
        let stage = Stage::new(&ask);
        stage.world.forge(["secret", "delete", "store://evil/x", "--yes"]).exits(code);
    }
}

#[test]
fn a_credential_goes_to_its_audience_and_nowhere_else() {
    let other = Hostile::start();
    let ask = Ask::new().and_from(&other.origin());
    let stage = Stage::new(&ask);
    stage.world.forge(["secret", "get", "store://evil/harmless"]).succeeds();
    assert_eq!(stage.server.received()[0].header("x-canary"), Some(CANARY));
    // The same provider without the second origin in the audience is not granted at all.
    stage.world.forge(["provider", "remove", "evil", "--yes"]).succeeds();
    let mut narrow = ask;
    narrow.audience = vec![stage.server.origin()];
    stage.add(&narrow).exits(8).stderr_has("may not be sent to");
    other.was_never_asked();
}
