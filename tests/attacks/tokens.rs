//! Guests that would make a credential of their own out of the host's, against a real server that would give them one.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forge_tests::component::{attacker, pack};
use forge_tests::servers::behaviour::LOOT;
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::World;

use super::{Ask, Stage};

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

/// A server that gives a token to whoever logs in, slowly from the second time on, and answers what it guards.
fn slow_login() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let logins = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&logins);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, count) = (stream.unwrap(), Arc::clone(&count));
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                let length = stream.read(&mut bytes).unwrap_or_default();
                let head = String::from_utf8_lossy(&bytes[..length]).into_owned();
                let body = if head.contains("/auth/approle/login") {
                    if count.fetch_add(1, Ordering::SeqCst) > 0 {
                        std::thread::sleep(Duration::from_secs(3));
                    }
                    r#"{"auth":{"client_token":"s.bought-once","lease_duration":3600}}"#
                } else if head.contains("/auth/token/lookup-self") {
                    r#"{"data":{}}"#
                } else {
                    LOOT
                };
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                // A call that is over hangs up, and that is its right.
                stream.write_all(format!("{head}{body}").as_bytes()).unwrap_or_default();
            });
        }
    });
    (origin, logins)
}

#[test]
fn a_plugin_that_leaves_a_login_too_little_time_does_not_cost_the_token_it_buys() {
    let stage = Stage::empty();
    let (origin, logins) = slow_login();
    let credential = "vault-token,method=approle,role-id=env:ROLE,secret-id=env:ROLE";
    let ask = Ask::new().credential(credential).limit("wall-ms = 1000");
    stage.install(&ask).succeeds();
    let add = stage.world.command(["provider", "add", "evil", "--plugin", "attacker", "--yes"]);
    let path = format!("path={}", stage.world.path("granted").display());
    let add = add.and(["--set", &format!("origin={origin}"), "--set", &path, "--credential", credential]);
    add.variable("ROLE", "role-0123456789").run().succeeds();
    let kept = || {
        let tokens = forge_tests::world::files(&stage.world.data().join("tokens"));
        tokens.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "sealed"))
    };
    std::fs::remove_file(kept().unwrap()).unwrap();
    let get = || stage.world.command(["secret", "get", "store://evil/harmless"]);
    let late = get().variable("ROLE", "role-0123456789").run();
    late.exits(6).stderr_has("did not answer in the time");
    // Whoever waits knows why it failed, and what it still waits for.
    let (failed, waits) = (late.stderr.find("error:"), late.stderr.find("finishing a login"));
    assert!(failed.is_some() && waits > failed, "{late:?}");
    assert_eq!(logins.load(Ordering::SeqCst), 2);
    // The command waited at its end for what it had begun; what logs in is gone, and the token is there.
    assert!(kept().is_some());
    get().run().succeeds().stdout_is(LOOT);
    assert_eq!(logins.load(Ordering::SeqCst), 2);
}
