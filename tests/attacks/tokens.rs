//! Guests that would make a credential of their own out of the host's, against a real server that would give them one.

use forge_tests::component::{attacker, pack};
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::World;

use super::Ask;

/// The ways to a token, with the route that each one needs.
const WAYS: [(&str, &str, &str); 6] = [
    ("lookup-self", "GET", "/v1/auth/token/lookup-self"),
    ("create", "POST", "/v1/auth/token/create"),
    ("create-orphan", "POST", "/v1/auth/token/create-orphan"),
    ("renew-self", "POST", "/v1/auth/token/renew-self"),
    ("wrap", "POST", "/v1/sys/wrapping/wrap"),
    ("policy", "PUT", "/v1/sys/policies/acl/everything"),
];

fn ask() -> Ask {
    Ask::new().credential("vault-token,token=env:TOKEN")
}

/// The attacker as a provider of the server, with the root token.
#[track_caller]
fn world(server: &OpenBao, ask: &Ask) -> World {
    let world = World::new().with("TOKEN", ROOT);
    std::fs::create_dir(world.path("granted")).unwrap();
    world.install(&pack(&attacker(), &ask.manifest())).succeeds();
    let granted = world.path("granted");
    let run = world.command(["provider", "add", "evil", "--plugin", "attacker", "--yes"]);
    let run =
        run.and(["--set", &format!("origin={}", server.address()), "--set", &format!("path={}", granted.display())]);
    run.and(["--credential", &ask.credential]).run().succeeds();
    world
}

#[test]
fn a_guest_does_not_make_a_token_of_the_hosts() {
    let server = OpenBao::start();
    server.root("POST", "secret/data/app", r#"{"data":{"a":"b"}}"#).has_status(200);
    // The server would serve each of these to whoever has the token: only the broker stands between.
    for (way, method, path) in WAYS {
        let body = if method == "GET" { "" } else { r#"{"policy":""}"# };
        let answer = server.root(method, path.trim_start_matches("/v1/"), body);
        assert!(matches!(answer.status, 200 | 204 | 400), "{way}: {answer:?}");
    }
    server.root("DELETE", "sys/policies/acl/everything", "").has_status(204);
    let world = world(&server, &ask());
    let tokens_before =
        server.root("LIST", "auth/token/accessors", "").json()["data"]["keys"].as_array().unwrap().len();
    for (way, _, _) in WAYS {
        let outcome = world.forge(["-v", "secret", "get", &format!("store://evil/token-mint/{way}")]);
        outcome.exits(8).stdout_is("").stderr_has("vault-token").never_shows(ROOT);
    }
    let tokens = server.root("LIST", "auth/token/accessors", "").json()["data"]["keys"].as_array().unwrap().len();
    assert_eq!(tokens, tokens_before, "a token was made");
    server.root("GET", "sys/policies/acl/everything", "").has_status(404);
    world.keeps_nowhere(ROOT);
    // The mount that was granted is still served.
    server.root("POST", "secret/data/harmless", r#"{"data":{"a":"b"}}"#).has_status(200);
    world.forge(["secret", "get", "store://evil/harmless"]).succeeds().stdout_has(r#""a":"b""#);
}

#[test]
fn an_answer_is_not_wrapped_for_somebody_else() {
    let server = OpenBao::start();
    server.root("POST", "secret/data/app", r#"{"data":{"a":"b"}}"#).has_status(200);
    let wrapped = server.curl(ROOT, "GET", "secret/data/app").header("X-Vault-Wrap-TTL", "60").send();
    assert!(wrapped.has_status(200).json()["wrap_info"]["token"].is_string(), "the server doesn't wrap");
    let world = world(&server, &ask());
    let outcome = world.forge(["secret", "get", "store://evil/token-mint/wrapped-read"]);
    outcome.exits(8).stdout_is("").stderr_has("`x-vault-wrap-ttl`");
}

#[test]
fn a_manifest_can_not_ask_for_a_way_to_a_token() {
    let world = World::new();
    for (way, method, path) in WAYS {
        let ask = ask().route("read", method, &format!("{{origin}}{path}"), "");
        let outcome = world.install(&pack(&attacker(), &ask.manifest()));
        outcome.exits(2).stderr_has("vault-token");
        assert!(!outcome.stderr.contains("installed"), "{way}");
    }
    // A token is a Vault token under any other kind of credential too.
    let ask = Ask::new().credential("header,name=x-vault-token,value=env:TOKEN");
    world.install(&pack(&attacker(), &ask.manifest())).succeeds();
    let add = world.command(["provider", "add", "evil", "--plugin", "attacker", "--yes"]);
    let path = world.home();
    let add = add.and(["--set", "origin=http://127.0.0.1:9", "--set", &format!("path={}", path.display())]);
    add.and(["--credential", &ask.credential]).run().exits(2).stderr_has("vault-token");
}
