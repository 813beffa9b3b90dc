//! Bytes that change or end on the way, below HTTP: what notices it, and where nothing does.

use forge_tests::servers::faults::Faults;
use forge_tests::servers::openbao::OpenBao;
use forge_tests::world::World;
use serde_json::{Value as Json, json};

use super::super::{get, root_world, set};

/// Where one byte changes on the way to the server: within the value, and behind all that begins a connection.
const AT: u32 = 4_000;

fn value() -> String {
    "canary+of+a+value ".repeat(500)
}

/// What the server holds as the value of `name`; none where it holds nothing.
fn held(server: &OpenBao, name: &str) -> Option<String> {
    let read = server.root("GET", &format!("secret/data/{name}"), "");
    (read.status != 404).then(|| read.json()["data"]["data"]["value"].as_str().unwrap().to_owned())
}

/// A provider `bao` of this server behind a proxy of bytes.
fn behind(server: &OpenBao) -> (World, Faults) {
    let (world, proxy) = (root_world(), Faults::before_bytes(server.address()));
    let add = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes"]);
    let add = add.and(["--set", &format!("address={}", proxy.origin()), "--credential", "vault-token,token=env:TOKEN"]);
    let is_tls = server.address().starts_with("https");
    let add = if is_tls { add.and(["--tls-ca", server.ca().to_str().unwrap()]) } else { add };
    add.run().succeeds();
    set(&world, "store://bao/before", value()).succeeds();
    assert_eq!(held(server, "before").as_deref(), Some(value().as_str()));
    (world, proxy)
}

fn corrupt() -> Json {
    json!({ "corrupt": { "at_bytes": AT } })
}

#[test]
fn a_byte_that_changes_on_the_way_to_a_server_is_noticed_by_tls() {
    let server = OpenBao::start_with_tls();
    let (world, proxy) = behind(&server);
    proxy.set(1, 0, &corrupt());
    let written = set(&world, "store://bao/changed", value());
    written.exits(6).stderr_has("can't write").stderr_has(proxy.origin()).never_shows("canary");
    assert_eq!(held(&server, "changed"), None);
    // An answer that ends in its middle, or before it begins, is none.
    for after in [1_000, 4_000, 8_000] {
        proxy.set(1, 0, &json!({ "cut_reply": { "after_bytes": after } }));
        let read = get(&world, "store://bao/before");
        read.exits(6).stdout_is("").stderr_has("can't read").stderr_has(proxy.origin()).never_shows("canary");
    }
    proxy.clear();
    set(&world, "store://bao/changed", value()).succeeds();
    get(&world, "store://bao/changed").succeeds().stdout_is(value());
}

#[test]
fn without_tls_nobody_notices_a_byte_that_changes_on_the_way_to_a_server_that_has_no_checksum() {
    let server = OpenBao::start();
    let (world, proxy) = behind(&server);
    proxy.set(1, 0, &corrupt());
    set(&world, "store://bao/changed", value()).succeeds();
    let changed = held(&server, "changed").unwrap();
    assert!(changed != value() && changed.starts_with("canary"), "this is what TLS is for: {changed}");
}
