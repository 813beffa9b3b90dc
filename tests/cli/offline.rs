//! `--offline`: no backend is asked that needs the network, and what is here answers.

use forge_tests::servers::hostile::Hostile;
use forge_tests::servers::openbao::OpenBao;

use super::{add_vault, get, root_world, set};

#[test]
fn offline_only_copies_and_providers_without_a_network_answer() {
    let server = OpenBao::start();
    let world = root_world();
    add_vault(&world, &server, []).exits(0);
    let config = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), format!("{config}\n[cache]\ndisk = true\n")).unwrap();
    set(&world, "store://bao/app/db", "hunter2").exits(0);
    set(&world, "app/db", "of local").exits(0);
    let offline = |words: &[&str]| {
        let mut all = vec!["--offline".to_owned()];
        all.extend(words.iter().map(|word| (*word).to_owned()));
        world.words(&all)
    };
    offline(&["secret", "get", "app/db"]).exits(0).stdout_is("of local");
    let told = "`bao` needs the network, and `--offline` was asked for";
    offline(&["secret", "get", "store://bao/app/db"]).exits(6).stderr_has(told);
    get(&world, "store://bao/app/db").exits(0);
    // It is up, and still the copy answers.
    offline(&["secret", "get", "store://bao/app/db"]).exits(0).stdout_is("hunter2").stderr_is("");
    for command in [&["secret", "list", "store://bao"][..], &["provider", "test", "bao"]] {
        offline(command).exits(6).stderr_has(told);
    }
    let set = world.command(["--offline", "secret", "set", "store://bao/app/db"]).input("new").run();
    set.exits(6).stderr_has(told);
    offline(&["--refresh", "secret", "get", "app/db"]).exits(2);
}

#[test]
fn offline_nothing_is_sent_and_nothing_allowed() {
    let server = Hostile::start();
    let world = root_world();
    let address = format!("address={}", server.origin());
    let add = ["--offline", "provider", "add", "bao", "--plugin", "vault", "--set", &address, "--yes"];
    world.command(add).run().exits(2).stderr_has("--offline");
    assert!(server.received().is_empty());
}
