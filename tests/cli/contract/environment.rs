//! The part of the contract that a backend has which can only be read: what it was started with is all there is.

use forge_tests::world::World;

use super::set;

#[test]
fn environment_variables_keep_the_part_of_the_contract_that_reads() {
    let world = World::new().with("APP_TEXT", "hunter2 and a space ");
    let add = |name: &str, names: &str| {
        let add = world.command(["provider", "add", name, "--plugin", "env", "--yes"]);
        add.and(["--set", &format!("names={names}")]).run()
    };
    add("ci", "APP_*").succeeds();
    let large = "x".repeat(100_000);
    let run = |arguments: [&str; 3]| {
        let run = world.command(arguments).variable("APP_EMPTY", "");
        let run = run.variable("APP_LINES", "a\n\n").variable("APP_UNICODE", "caf\u{e9} \u{1f511}");
        let run = run.variable_of("APP_BYTES", b"\xff\xfe\x01").variable("APP_LARGE", &large);
        let run = run.variable("APP_OBJECT", r#"{"user":"app","list":[1,"two"]}"#).variable("APP_\u{e9}", "named");
        run.variable("OTHER", "not granted").variable("APPLE", "not granted").run()
    };
    let read = |name: &str| run(["secret", "get", &format!("store://ci/{name}")]);
    for (name, value) in [
        ("APP_TEXT", &b"hunter2 and a space "[..]),
        ("APP_EMPTY", b""),
        ("APP_LINES", b"a\n\n"),
        ("APP_UNICODE", "caf\u{e9} \u{1f511}".as_bytes()),
        ("APP_BYTES", b"\xff\xfe\x01"),
        ("APP_LARGE", large.as_bytes()),
        ("APP_OBJECT#user", b"app"),
        ("APP_OBJECT#/list/1", b"two"),
        ("APP_%C3%A9", b"named"),
    ] {
        read(name).succeeds().stdout_is(value);
    }
    let shown = world.command(["--json", "secret", "get", "store://ci/APP_BYTES"]);
    let shown = shown.variable_of("APP_BYTES", b"\xff\xfe\x01").run();
    assert_eq!(shown.succeeds().json()["value_base64"], "//4B");
    read("APP_MISSING").exits(3).stdout_is("");
    // Set or not, a name that was not granted is refused as such.
    for name in ["OTHER", "APPLE", "HOME", "NOWHERE", "app_text"] {
        read(name).exits(2).stdout_is("").stderr_has("`APP_*`").never_shows("not granted\n");
    }
    let listed = run(["secret", "list", "store://ci"]).succeeds().text();
    let names =
        ["APP_BYTES", "APP_EMPTY", "APP_LARGE", "APP_LINES", "APP_OBJECT", "APP_TEXT", "APP_UNICODE", "APP_\u{e9}"];
    assert_eq!(listed.lines().collect::<Vec<_>>(), names);
    run(["secret", "describe", "store://ci/APP_TEXT"]).succeeds();
    run(["secret", "describe", "store://ci/APP_MISSING"]).exits(3);
    read("APP_TEXT?version=1").exits(2);
    // What can't be done is refused by the name of what is missing, before anything is done.
    set(&world, "store://ci/APP_TEXT", "x").exits(2).stderr_has("`env` has no `secret-writer`");
    for (command, more, interface) in [
        ("delete", &["--yes"][..], "secret-removal"),
        ("recover", &[], "secret-removal"),
        ("purge", &["--yes"], "secret-removal"),
        ("versions", &[], "secret-history"),
        ("rollback", &["--to", "1"], "secret-history"),
        ("disable", &[], "secret-history"),
        ("enable", &[], "secret-history"),
    ] {
        let is_of_version = matches!(command, "disable" | "enable");
        let reference = if is_of_version { "store://ci/APP_TEXT?version=1" } else { "store://ci/APP_TEXT" };
        let words = ["secret", command, reference].into_iter().chain(more.iter().copied());
        let words: Vec<String> = words.map(str::to_owned).collect();
        world.words(&words).exits(2).stderr_has(&format!("`env` has no `{interface}`"));
    }
    add("all", "*").exits(2);
    add("own", "FORGE_*").exits(2).stderr_has("`FORGE_…`");
    add("token", "VAULT_*").exits(8).stderr_has("`VAULT_TOKEN`");
    add("one", "OTHER").succeeds();
    run(["secret", "list", "store://one"]).succeeds().stdout_is("OTHER\n");
    run(["secret", "get", "store://one/OTHER"]).succeeds().stdout_is("not granted");
}
