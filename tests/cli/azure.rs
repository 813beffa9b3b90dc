//! Azure Key Vault as the tests play it, with its tokens checked, and Azure's own Python client, which knows nothing of forge.

use forge_tests::servers::azure::{Azure, OBJECT, TENANT};
use forge_tests::world::World;
use serde_json::json;

use super::{add_azure, azure_world, get, set};

fn added(azure: &Azure) -> World {
    let world = azure_world();
    add_azure(&world, azure, "", []).succeeds();
    world
}

/// The requests to the vault so far that had a token.
fn asked(azure: &Azure) -> usize {
    azure.received().iter().filter(|request| request["token"] == true).count()
}

#[test]
fn what_forge_writes_azures_client_reads() {
    let azure = Azure::start();
    let world = added(&azure);
    let run =
        world.command(["secret", "set", "store://kv/app-db", "--tag", "team=web", "--content-type", "text/plain"]);
    run.and(["--expires", "2040-01-02T03:04:05Z"]).input("first").run().succeeds();
    set(&world, "store://kv/app-db", "second").succeeds();
    set(&world, "store://kv/app-key", b"\xff\xfe\x00").succeeds();
    world.forge(["secret", "rollback", "store://kv/app-db", "--to", &first(&world, "app-db")]).succeeds();
    let told = azure.client(
        r#"
vault = client()
now, key = vault.get_secret("app-db"), vault.get_secret("app-key")
answer([now.value, now.properties.tags, now.properties.content_type, str(now.properties.expires_on),
        len(list(vault.list_properties_of_secret_versions("app-db"))), key.value, key.properties.content_type])
"#,
    );
    let expected = json!([
        "first",
        { "team": "web" },
        "text/plain",
        "2040-01-02 03:04:05+00:00",
        3,
        "//4A",
        "application/octet-stream;base64"
    ]);
    assert_eq!(told, expected);
    let version = current(&world, "app-db");
    world.forge(["secret", "disable", "store://kv/app-db"]).succeeds();
    world.forge(["secret", "delete", "store://kv/app-key", "--yes"]).succeeds();
    let told = azure.client(
        r#"
vault = client()
versions = list(vault.list_properties_of_secret_versions("app-db"))
answer([[one.version for one in versions if not one.enabled], [one.name for one in vault.list_deleted_secrets()]])
"#,
    );
    assert_eq!(told, json!([[version], ["app-key"]]));
}

/// The id of the version that was made first.
#[track_caller]
fn first(world: &World, name: &str) -> String {
    let shown = world.forge(["--json", "secret", "versions", &format!("store://kv/{name}")]).succeeds().json();
    let versions = shown["versions"].as_array().unwrap().clone();
    let old = versions.iter().find(|version| version["current"] != true).unwrap();
    old["id"].as_str().unwrap().to_owned()
}

/// The id of the current version.
#[track_caller]
fn current(world: &World, name: &str) -> String {
    let shown = world.forge(["--json", "secret", "get", &format!("store://kv/{name}")]).succeeds().json();
    shown["version"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_azures_client_writes_forge_reads() {
    let azure = Azure::start();
    let world = added(&azure);
    let told = azure.client(
        r#"
vault = client()
day = datetime.datetime(2040, 1, 2, tzinfo=datetime.timezone.utc)
made = vault.set_secret("app-db", "first", tags={"team": "web"}, content_type="text/plain", not_before=day)
vault.set_secret("app-db", "second")
vault.set_secret("certificate", "//4A", content_type="application/x-pkcs12")
vault.set_secret("off", "x", enabled=False)
vault.set_secret("gone", "x")
vault.begin_delete_secret("gone").wait()
answer(made.properties.version)
"#,
    );
    let first = told.as_str().unwrap();
    get(&world, "store://kv/app-db").succeeds().stdout_is("second");
    get(&world, &format!("store://kv/app-db?version={first}")).succeeds().stdout_is("first");
    let old = world.forge(["--json", "secret", "get", &format!("store://kv/app-db?version={first}")]).succeeds().json();
    assert_eq!((&old["content_type"], &old["tags"]["team"]), (&json!("text/plain"), &json!("web")), "{old}");
    // Base64 of somebody else's is the text that it is.
    get(&world, "store://kv/certificate").succeeds().stdout_is("//4A");
    get(&world, "store://kv/off").exits(9).stdout_is("").stderr_has("disabled");
    world.forge(["secret", "enable", "store://kv/off"]).succeeds();
    get(&world, "store://kv/off").succeeds().stdout_is("x");
    get(&world, "store://kv/gone").exits(3);
    set(&world, "store://kv/gone", "over it").exits(9);
    let shown = world.forge(["secret", "describe", "store://kv/gone"]).succeeds().text();
    assert!(shown.contains("deleted"), "{shown}");
    world.forge(["secret", "recover", "store://kv/gone"]).succeeds();
    get(&world, "store://kv/gone").succeeds().stdout_is("x");
    world.forge(["secret", "recover", "store://kv/gone"]).exits(9);
    world.forge(["secret", "list", "store://kv"]).succeeds().stdout_is("app-db\ncertificate\ngone\noff\n");
    world.forge(["secret", "list", "store://kv/app-db"]).succeeds().stdout_is("app-db\n");
    let info = world.forge(["--json", "provider", "info", "kv"]).succeeds().json().to_string();
    assert!(info.contains(OBJECT) && info.contains(TENANT), "{info}");
}

#[test]
fn a_long_listing_is_whole_and_costs_one_request_for_each_page_of_the_service() {
    let azure = Azure::start();
    let world = added(&azure);
    azure.fill(10_000);
    let before = asked(&azure);
    let listed = world.forge(["secret", "list", "store://kv"]).succeeds().text();
    let expected: Vec<String> = (0..10_000).map(|number| format!("many-{number:05}")).collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    assert_eq!(asked(&azure) - before, 400);
    // A service that gives less on a page than it was asked for is followed to the end all the same.
    azure.set(&json!({ "page": 20 }));
    assert_eq!(world.forge(["secret", "list", "store://kv"]).succeeds().text(), listed);
}

#[test]
fn what_the_service_would_refuse_is_refused_before_it_is_asked() {
    let azure = Azure::start();
    let world = added(&azure);
    let before = azure.received().len();
    for name in ["app/db", "a_b", "a.b", "caf\u{e9}", "a b"] {
        let reference = format!("store://kv/{name}");
        set(&world, &reference, "x").exits(2).stderr_has("letters, digits and `-`");
        get(&world, &reference).exits(2).stderr_has("letters, digits and `-`");
    }
    set(&world, "store://kv/large", vec![b'x'; 25_601]).exits(2).stderr_has("25,600");
    set(&world, "store://kv/large", vec![0xff; 19_201]).exits(2).stderr_has("19,200");
    let write = |option: &str, value: &str, content: &[u8]| {
        let run = world.command(["secret", "set", "store://kv/a", option, value]).input(content);
        run.run()
    };
    write("--expected-version", "", b"x").exits(2);
    write("--content-type", "image/png", b"\xff\xfe").exits(2);
    let tags: Vec<String> = (0..16).flat_map(|tag| ["--tag".to_owned(), format!("t{tag}=x")]).collect();
    let words: Vec<String> = ["secret", "set", "store://kv/a"].map(str::to_owned).into_iter().chain(tags).collect();
    world.words(&words).exits(2);
    assert_eq!(azure.received().len(), before);
    set(&world, "store://kv/large", vec![b'x'; 25_600]).succeeds();
}

#[test]
fn a_vault_that_is_asked_too_often_is_asked_again_and_one_that_stays_so_is_told() {
    let azure = Azure::start();
    let world = added(&azure);
    set(&world, "store://kv/a", "x").succeeds();
    azure.set(&json!({ "throttled": 2 }));
    get(&world, "store://kv/a").succeeds().stdout_is("x");
    azure.set(&json!({ "throttled": 100, "retry_after": 3600 }));
    get(&world, "store://kv/a").exits(6).stdout_is("");
    let before = asked(&azure);
    set(&world, "store://kv/a", "y").exits(6);
    assert_eq!(asked(&azure) - before, 1);
    // What is told to come later was not done, so a write is sent again as well, and makes one version.
    azure.set(&json!({ "throttled": 1, "retry_after": 1 }));
    set(&world, "store://kv/a", "z").succeeds();
    assert_eq!(asked(&azure) - before, 3);
    assert_eq!(azure.client("answer(len(list(client().list_properties_of_secret_versions('a'))))"), json!(2));
}

#[test]
fn a_role_that_lacks_a_right_is_told_and_one_that_only_reads_is_one_that_works() {
    let azure = Azure::start();
    let world = added(&azure);
    set(&world, "store://kv/a", "hunter2").succeeds();
    azure.set(&json!({ "permissions": ["get"] }));
    world.forge(["provider", "test", "kv"]).succeeds();
    get(&world, "store://kv/a").succeeds().stdout_is("hunter2");
    set(&world, "store://kv/a", "canary").exits(4).stderr_has("plugins/azure/README.md").never_shows("canary");
    for command in [["secret", "list", "store://kv"], ["secret", "versions", "store://kv/a"]] {
        world.forge(command).exits(4);
    }
    world.forge(["secret", "delete", "store://kv/a", "--yes"]).exits(4);
}

#[test]
fn a_deletion_that_takes_the_service_longer_is_purged_by_the_next_command() {
    let azure = Azure::start();
    let world = added(&azure);
    set(&world, "store://kv/a", "x").succeeds();
    azure.set(&json!({ "is_slow_to_delete": 1 }));
    let purge = || world.forge(["-v", "secret", "purge", "store://kv/a", "--yes"]);
    purge().exits(9).stderr_has("deleted now").stderr_has("`forge secret recover`");
    purge().succeeds();
    purge().exits(3);
    set(&world, "store://kv/a", "y").succeeds();
}

#[test]
fn a_deleted_secret_that_the_service_does_not_know_yet_is_not_said_to_be_gone() {
    let azure = Azure::start();
    let world = added(&azure);
    set(&world, "store://kv/a", "x").succeeds();
    // Found neither here nor there: by the first purge after its own deletion, and by each after it.
    azure.set(&json!({ "is_slow_to_delete": 3, "status_while_deleting": 404 }));
    let command = |verb: &str| world.forge(["-v", "secret", verb, "store://kv/a", "--yes"]);
    command("delete").succeeds();
    command("purge").exits(3).stderr_has("moments ago").never_shows("nothing left");
    let recover = || world.forge(["-v", "secret", "recover", "store://kv/a"]);
    recover().exits(3).stderr_has("moments ago").never_shows("not even a deleted one");
    command("purge").exits(3);
    recover().succeeds();
    get(&world, "store://kv/a").succeeds().stdout_is("x");
}

#[test]
fn a_secret_in_use_outlives_a_purge_in_a_vault_that_is_protected_from_purges() {
    let azure = Azure::start();
    azure.set(&json!({ "recovery_level": "Recoverable" }));
    let world = added(&azure);
    set(&world, "store://kv/a", "x").succeeds();
    world.forge(["-v", "secret", "purge", "store://kv/a", "--yes"]).exits(4).stderr_has("protected");
    get(&world, "store://kv/a").succeeds().stdout_is("x");
}

#[test]
fn writers_at_the_same_time_each_make_a_version() {
    let azure = Azure::start();
    let world = added(&azure);
    set(&world, "store://kv/a", "x").succeeds();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let world = &world;
            scope.spawn(move || {
                (0..3).for_each(|number| {
                    set(world, "store://kv/a", format!("{writer}-{number}")).succeeds();
                });
            });
        }
    });
    let shown = world.forge(["--json", "secret", "versions", "store://kv/a"]).succeeds().json();
    assert_eq!(shown["versions"].as_array().unwrap().len(), 13);
}

#[test]
fn a_value_that_is_made_here_is_a_new_version_and_the_old_one_stays() {
    let azure = Azure::start();
    let world = added(&azure);
    set(&world, "store://kv/a", "first").succeeds();
    let old = current(&world, "a");
    world.forge(["secret", "rotate", "store://kv/a"]).exits(2);
    world.forge(["secret", "rotate", "store://kv/a", "--generate", "hex", "--length", "32"]).succeeds();
    assert_eq!(get(&world, "store://kv/a").succeeds().text().len(), 64);
    get(&world, &format!("store://kv/a?version={old}")).succeeds().stdout_is("first");
}
