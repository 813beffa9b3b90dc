//! Bodies at an endpoint that all tenants share: another target, another action, another reading of the same bytes.

use forge_tests::component::{attacker, pack};
use forge_tests::servers::behaviour::LOOT;
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::World;

use super::{Ask, Stage};

/// What the grant allows the body to be.
const RULE: &str = r#"body = { Id = { name = "{target}**", arn = "arn:p:s:r:111:secret:{target}**", required = true }, Value = "any", Days = "any", "Tags[].Key" = "any" }"#;

const ACTION: &str = "headers = { x-action = [\"put\"] }";

/// A stage whose attacker may post to the shared endpoint, with these further lines of the route.
#[track_caller]
fn stage(more: &str) -> Stage {
    Stage::new(&Ask::new().target("app/").route("read", "POST", "{origin}/v1/shared", more))
}

/// Each attack, and what its denial says.
const ATTACKS: [(&str, &str); 26] = [
    ("other-name", "the field `Id` of the body has a value"),
    ("name-beside-the-prefix", "the field `Id` of the body has a value"),
    ("climbing-name", "the field `Id` of the body has a value"),
    ("other-account", "the field `Id` of the body has a value"),
    ("other-region", "the field `Id` of the body has a value"),
    ("escaped-arn", "the field `Id` of the body has a value"),
    ("upper-case-arn", "the field `Id` of the body has a value"),
    ("other-field", "the field `KeyId` of the body is not granted"),
    ("other-case", "the field `id` of the body is not granted"),
    ("nested-field", "the field `Tags[].Id` of the body is not granted"),
    ("replica", "the field `Replicas` of the body is not granted"),
    ("repeated-name", "the field `Id` stands twice"),
    ("repeated-in-escapes", "the field `Id` stands twice"),
    ("list-for-text", "the field `Id` of the body has a value"),
    ("object-for-text", "the field `Id` of the body has a value"),
    ("number-for-text", "the field `Id` of the body has a value"),
    ("nothing-at-all", "it is cut short"),
    ("no-id", "the field `Id` of the body is missing"),
    ("list-at-the-top", "it is no object"),
    ("byte-order-mark", "something in it that JSON has not"),
    ("more-behind-it", "there is more behind its end"),
    ("not-utf-8", "it is not UTF-8"),
    ("form", "`content-type`"),
    ("json-called-text", "`content-type`"),
    ("json-in-another-charset", "`content-type`"),
    ("deep", "nested too deep"),
];

#[test]
fn a_body_that_its_route_does_not_allow_is_not_sent() {
    // Without a rule for the body each of them arrives, byte for byte as the guest wrote it.
    let open = stage(ACTION);
    for (at, (attack, _)) in ATTACKS.iter().enumerate() {
        open.lets(&format!("body/{attack}"), LOOT);
        assert_eq!(open.server.received().len(), at + 1, "{attack}");
    }
    let closed = stage(&format!("{ACTION}\n{RULE}"));
    for (attack, sentence) in ATTACKS {
        let outcome = closed.attack(&format!("body/{attack}"));
        outcome.exits(8).stdout_is("").stderr_has(sentence).stderr_has("POST").never_shows("999").never_shows("apple");
    }
    closed.server.was_never_asked();
    closed.still_serves();
}

#[test]
fn what_is_sent_is_what_was_checked_in_the_hosts_own_words() {
    let stage = stage(&format!("{ACTION}\n{RULE}"));
    stage.lets("body/honest", LOOT);
    stage.lets("body/own-arn", LOOT);
    let bodies: Vec<String> =
        stage.server.received().into_iter().map(|request| String::from_utf8(request.body).unwrap()).collect();
    assert_eq!(bodies, [r#"{"Id":"app/db","Value":"x","Days":1.0e1}"#, r#"{"Id":"arn:p:s:r:111:secret:app/db"}"#]);
}

#[test]
fn another_action_or_none_is_refused_at_an_endpoint_that_tells_actions_apart_by_a_header() {
    let open = stage("headers = { x-action = [\"put\", \"delete\"] }");
    open.lets("body/other-action", LOOT);
    open.lets("body/no-action", LOOT);
    let closed = stage(&format!("{ACTION}\n{RULE}"));
    closed.stops("body/other-action", 8, "the header `x-action` has a value that is not granted");
    closed.attack("body/no-action").exits(8).stderr_has("the header `x-action` is missing");
    assert!(closed.server.received().iter().all(|request| request.method == "GET"), "an action went out");
}

#[test]
fn a_denial_shows_the_line_that_would_grant_it_and_consent_shows_what_is_granted() {
    let closed = stage(&format!("{ACTION}\n{RULE}"));
    closed.attack("body/other-field").stderr_has(r#"body = { "KeyId" = "any" }"#);
    let denied = closed.attack("body/climbing-name");
    denied.stderr_has(r#"granted is `{ name = ["app/**"], arn = ["arn:p:s:r:111:secret:app/**"] }`"#);
    denied.stderr_has(r#"body = { "Id" = { name = "…" } }"#).never_shows("..");
    let shown = closed.world.forge(["provider", "info", "evil"]);
    shown.succeeds().stdout_has("x-action: put");
    shown.stdout_has("Id: names that begin with `app/`, or ARNs that begin with `arn:p:s:r:111:secret:app/`");
    shown.stdout_has("any value in Days, Tags[].Key, Value, and nothing else in its body");
    let asked = closed.world.forge(["plugin", "info", "attacker"]);
    asked.succeeds().stdout_has("Id: names that begin with `{target}`");
}

#[test]
fn a_setting_brings_no_wildcard_into_a_bodys_rule() {
    let stage = Stage::empty();
    let ask = Ask::new().route("read", "POST", "{origin}/v1/shared", &format!("{ACTION}\n{RULE}"));
    stage.install(&ask).succeeds();
    for target in ["**", "*", "app*", "app:999"] {
        stage.add(&ask.clone().target(target)).exits(2).stderr_has("`target`");
    }
    for body in [
        r#"body = { Id = "everything" }"#,
        r#"body = { Id = { name = "a*b" } }"#,
        r#"body = { Id = { name = "{nothing}**" } }"#,
        r#"body = { "Id[" = "any" }"#,
        r#"body = { Id = "any", "Id.x" = "any" }"#,
    ] {
        let ask = Ask::new().route("read", "POST", "{origin}/v1/shared", body);
        Stage::empty().install(&ask).exits(2).stderr_has("body");
    }
    let ask = Ask::new().with(r#"body = { Id = "any" }"#);
    Stage::empty().install(&ask).exits(2).stderr_has("a `GET`, `HEAD` or `LIST` doesn't have");
}

/// The lines that the plugin for this server has for adding tags.
fn tags_route() -> String {
    let manifest = std::fs::read_to_string(forge_tests::world::root().join("plugins/vault/plugin.toml")).unwrap();
    let route = manifest.split("[[route]]").find(|route| route.contains("\"PATCH\"")).unwrap();
    route.lines().find(|line| line.starts_with("body = ")).unwrap().to_owned()
}

#[test]
fn the_route_that_adds_tags_neither_removes_versions_nor_tags_on_a_real_server() {
    for (body, is_open) in [(String::new(), true), (tags_route(), false)] {
        let server = OpenBao::start();
        for value in ["one", "two", "three"] {
            server.root("POST", "secret/data/app", &format!(r#"{{"data":{{"a":"{value}"}}}}"#)).has_status(200);
        }
        let world = World::new().with("TOKEN", ROOT);
        std::fs::create_dir(world.path("granted")).unwrap();
        let ask = Ask::new().credential("vault-token,token=env:TOKEN");
        let ask = ask.route("write", "PATCH", "{origin}/v1/secret/metadata/**", &body);
        world.install(&pack(&attacker(), &ask.manifest())).succeeds();
        let granted = format!("path={}", world.path("granted").display());
        let add = world.command(["provider", "add", "evil", "--plugin", "attacker", "--yes"]);
        let add = add.and(["--set", &format!("origin={}", server.address()), "--set", &granted]);
        add.and(["--credential", &ask.credential]).run().succeeds();
        let patch = |way: &str| world.command(["secret", "set", &format!("store://evil/body/{way}")]).input("x").run();
        let told = |field: &str| server.root("GET", "secret/metadata/app", "").json()["data"][field].clone();
        patch("tags").succeeds();
        assert_eq!(told("custom_metadata")["team"], "web");
        let (versions, tag) = (patch("max-versions"), patch("remove-tag"));
        if is_open {
            versions.succeeds();
            tag.succeeds();
            assert_eq!(told("max_versions"), 1, "the server would do it");
            assert!(told("custom_metadata")["team"].is_null(), "the server would do it");
        } else {
            versions.exits(8).stderr_has("`max_versions`");
            tag.exits(8).stderr_has("`custom_metadata.*`");
            assert_eq!(told("max_versions"), 0);
            assert_eq!(told("custom_metadata")["team"], "web");
        }
    }
}
