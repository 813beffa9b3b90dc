//! Google's Secret Manager through the real program: logins that an independent server checks, and what Google's client sees.

use forge_tests::servers::google::{ACCOUNT, Google};
use forge_tests::world::World;
use serde_json::json;

use super::{add_google, get, set};

fn added(more: &[&str]) -> (World, Google) {
    let (world, server) = (World::new(), Google::start());
    match more {
        [] => add_google(&world, &server, []).succeeds(),
        [a, b, ..] => add_google(&world, &server, [a, b]).succeeds(),
        [_] => panic!("an option has a value"),
    };
    (world, server)
}

#[test]
fn a_service_accounts_key_logs_in_once_for_many_commands_and_is_kept_nowhere() {
    let (world, server) = added(&[]);
    set(&world, "store://gcp/a", "hunter2").succeeds();
    get(&world, "store://gcp/a").succeeds().stdout_is("hunter2");
    world.forge(["provider", "test", "gcp"]).succeeds().stdout_has(ACCOUNT).stdout_has("my-project");
    let told = server.front(&json!({}));
    assert_eq!(told["issued"], 1, "{told}");
    // For the endpoint that it was sent to, so that another one can't use it at Google's.
    assert_eq!(told["audience"], format!("{}/token", server.origin()));
    let key: serde_json::Value = serde_json::from_slice(&std::fs::read(server.key()).unwrap()).unwrap();
    let line = key["private_key"].as_str().unwrap().lines().nth(3).unwrap().to_owned();
    world.keeps_nowhere(&line);
    world.keeps_nowhere("ya29.");
    // Once more, where the server has forgotten it.
    server.front(&json!({ "forget": true }));
    get(&world, "store://gcp/a").succeeds().stdout_is("hunter2");
    assert_eq!(server.front(&json!({}))["issued"], 2);
}

#[test]
fn a_token_that_ends_in_the_middle_of_a_listing_is_fetched_anew() {
    let (world, server) = added(&[]);
    server.client(
        r#"
for n in range(600):
    client.create_secret(parent=project, secret_id=f"s{n:03}", secret=dict(replication=dict(automatic={})))
"#,
    );
    server.front(&json!({ "forget_after": 1 }));
    let listed = world.forge(["secret", "list", "store://gcp"]).succeeds().text();
    assert_eq!(listed.lines().count(), 600);
    let pages = server.requests().iter().filter(|one| one.ends_with("/secrets")).count();
    assert!(pages >= 3, "{pages}");
}

#[test]
fn ten_thousand_names_are_listed_page_by_page() {
    let (world, server) = added(&[]);
    server.front(&json!({ "fill": 10_000 }));
    server.requests();
    let listed = world.forge(["secret", "list", "store://gcp"]).succeeds().text();
    let expected: Vec<String> = (0..10_000).map(|number| format!("many-{number:05}")).collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    let pages = server.requests().iter().filter(|request| *request == "GET /v1/projects/my-project/secrets").count();
    assert_eq!(pages, 40);
}

#[test]
fn what_forge_writes_googles_own_client_reads_and_the_other_way_round() {
    let (world, server) = added(&[]);
    let set = |value: &str| {
        let run = world.command(["secret", "set", "store://gcp/db", "--tag", "team=web", "--keep-newline"]);
        run.input(value).run().succeeds();
    };
    set("first");
    set("second\n");
    let seen = server.client(
        r#"
name = project + "/secrets/db"
answer([client.access_secret_version(name=name + "/versions/latest").payload.data.decode(),
    [client.access_secret_version(name=v.name).payload.data.decode() for v in client.list_secret_versions(parent=name)],
    dict(client.get_secret(name=name).labels)])
"#,
    );
    assert_eq!(seen, json!(["second\n", ["second\n", "first"], { "team": "web" }]));
    server.client(
        r#"
client.create_secret(parent=project, secret_id="theirs", secret=dict(replication=dict(automatic={}), labels=dict(a="b"), annotations=dict(N="x y")))
client.add_secret_version(parent=project + "/secrets/theirs", payload=dict(data=b"\xff\x00theirs"))
client.add_secret_version(parent=project + "/secrets/theirs", payload=dict(data=b"newer"))
client.disable_secret_version(name=project + "/secrets/theirs/versions/2")
"#,
    );
    get(&world, "store://gcp/theirs?version=1").succeeds().stdout_is(b"\xff\x00theirs");
    get(&world, "store://gcp/theirs").exits(9).stderr_has("enabled");
    world.forge(["secret", "describe", "store://gcp/theirs"]).succeeds().stdout_has("a = b").stdout_has("disabled");
    world.forge(["secret", "rollback", "store://gcp/theirs", "--to", "1"]).succeeds();
    get(&world, "store://gcp/theirs").succeeds().stdout_is(b"\xff\x00theirs");
}

#[test]
fn a_value_that_was_changed_on_the_way_is_told_in_both_directions() {
    let (world, server) = added(&[]);
    set(&world, "store://gcp/a", "hunter2").succeeds();
    server.front(&json!({ "tamper": "read" }));
    let read = get(&world, "store://gcp/a");
    read.stdout_is("").never_shows("xunter2");
    assert_eq!(read.code, Some(6), "{read:?}");
    server.front(&json!({ "tamper": "write" }));
    assert_ne!(set(&world, "store://gcp/a", "other").code, Some(0));
    server.front(&json!({ "tamper": "" }));
    get(&world, "store://gcp/a").succeeds();
}

#[test]
fn annotations_replicas_and_regional_secrets_are_what_the_settings_say() {
    let (world, server) = added(&["--set", "tags=annotations"]);
    let put = |reference: &str| {
        world.command(["secret", "set", reference, "--tag", "Owner.Team=Any words"]).input("x").run().succeeds();
    };
    put("store://gcp/noted");
    put("store://gcp/noted");
    world.forge(["secret", "describe", "store://gcp/noted"]).succeeds().stdout_has("Owner.Team = Any words");
    world.forge(["provider", "remove", "gcp", "--yes"]).succeeds();
    add_google(&world, &server, ["--set", "replicas=europe-west3,europe-west4"]).succeeds();
    set(&world, "store://gcp/copied", "x").succeeds();
    let described = world.forge(["secret", "describe", "store://gcp/copied"]);
    described.succeeds().stdout_has("replicas = europe-west3, europe-west4");
    world.forge(["provider", "remove", "gcp", "--yes"]).succeeds();
    add_google(&world, &server, ["--set", "location=europe-west3"]).succeeds();
    get(&world, "store://gcp/copied").exits(3);
    set(&world, "store://gcp/regional", "there").succeeds();
    get(&world, "store://gcp/regional").succeeds().stdout_is("there");
    assert_eq!(world.forge(["secret", "list", "store://gcp"]).text(), "regional\n");
}

#[test]
fn a_secret_that_somebody_else_makes_meanwhile_has_the_tags_of_the_write() {
    let (world, server) = added(&[]);
    server.front(&json!({ "race": true }));
    world.command(["secret", "set", "store://gcp/raced", "--tag", "team=web"]).input("x").run().succeeds();
    let created = "POST /v1/projects/my-project/secrets".to_owned();
    assert!(server.requests().contains(&created), "nobody raced");
    let seen = server.client(r#"answer(dict(client.get_secret(name=project + "/secrets/raced").labels))"#);
    assert_eq!(seen, json!({ "team": "web" }));
    get(&world, "store://gcp/raced").succeeds().stdout_is("x");
}

#[test]
fn a_parent_of_another_project_is_refused_before_anything_is_sent() {
    let (world, server) = (World::new(), Google::start());
    add_google(&world, &server, ["--set", "parent=projects/victim"]).stderr_has("it does not work now");
    get(&world, "store://gcp/a").exits(2).stdout_is("");
    set(&world, "store://gcp/a", "x").exits(2);
    assert_eq!(server.requests(), [""; 0]);
    world.forge(["provider", "remove", "gcp", "--yes"]).succeeds();
    add_google(&world, &server, ["--set", "parent=projects/my-project"]).succeeds();
    set(&world, "store://gcp/a", "x").succeeds();
}

#[test]
fn the_usual_place_is_the_file_that_a_variable_names_and_then_gclouds_own() {
    let (world, server) = (World::new(), Google::start());
    let origin = server.origin();
    let add = |variable: Option<&str>| {
        let run = world.command(["provider", "add", "gcp", "--plugin", "gcp", "--yes", "--set", "project=my-project"]);
        let run = run.and(["--set", &format!("endpoint={origin}"), "--credential-audience", origin]);
        let run = run.and(["--credential", &format!("google,login-endpoint={origin}")]);
        match variable {
            Some(path) => run.variable("GOOGLE_APPLICATION_CREDENTIALS", path).run(),
            None => run.run(),
        }
    };
    add(None).exits(5).stderr_has("GOOGLE_APPLICATION_CREDENTIALS").stderr_has("application_default_credentials.json");
    add(Some("/nowhere/key.json")).exits(5).stderr_has("/nowhere/key.json");
    add(Some(&server.key())).succeeds().stderr_has(&server.key());
    world.forge(["provider", "remove", "gcp", "--yes"]).succeeds();
    let folder = world.home().join(".config/gcloud");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(server.key(), folder.join("application_default_credentials.json")).unwrap();
    add(None).succeeds().stderr_has("gcloud/application_default_credentials.json");
}

#[test]
fn a_file_that_is_none_is_told_by_what_it_is_and_shown_where_it_would_go() {
    let (world, server) = (World::new(), Google::start());
    let origin = server.origin();
    let reads = |content: &str| {
        world.forge(["provider", "remove", "gcp", "--yes"]);
        let file = world.file("key.json", content);
        let run = world.command(["provider", "add", "gcp", "--plugin", "gcp", "--yes", "--set", "project=my-project"]);
        let run = run.and(["--set", &format!("endpoint={origin}"), "--credential-audience", origin]);
        let credential = format!("google,service-account=file:{file},login-endpoint={origin}");
        run.and(["--credential", &credential]).run().never_shows("canary");
        get(&world, "store://gcp/a")
    };
    let user = r#"{"type":"authorized_user","client_id":"a","client_secret":"canary","refresh_token":"c"}"#;
    for (content, sentence) in [
        ("canary", "is no JSON file"),
        (r#"{"installed":{"client_id":"canary"}}"#, "the id of an OAuth client"),
        (user, "is no service account's key"),
        (r#"{"type":"service_account","private_key":"canary"}"#, "no PKCS #8 key"),
    ] {
        reads(content).exits(5).stderr_has(sentence).stderr_has("key.json").stderr_has("hint").never_shows("canary");
    }
    // Another key, and another account.
    let mut other: serde_json::Value = serde_json::from_slice(&std::fs::read(Google::start().key()).unwrap()).unwrap();
    reads(&other.to_string()).exits(5).stderr_has("does not accept what should buy a token");
    other["client_email"] = json!("nobody@my-project.iam.gserviceaccount.com");
    reads(&other.to_string()).exits(5).stderr_has("does not accept what should buy a token");
    reads(&std::fs::read_to_string(server.key()).unwrap()).exits(3);
    // Without a word of a person's, Google's own endpoint is where the key goes.
    let run = world.command(["provider", "add", "two", "--plugin", "gcp", "--dry-run", "--set", "project=my-project"]);
    let run = run.and(["--set", &format!("endpoint={origin}"), "--credential-audience", origin]);
    let shown = run.and(["--credential", &format!("google,service-account=file:{}", server.key())]).run();
    shown.succeeds().stderr_has("to log in to https://oauth2.googleapis.com, and nowhere else");
}

#[test]
fn another_project_and_what_can_not_be_are_told_before_or_by_the_server() {
    let (world, server) = added(&[]);
    server.requests();
    for reference in ["store://gcp/a/b", "store://gcp/a.b"] {
        set(&world, reference, "x").exits(2);
    }
    set(&world, "store://gcp/large", vec![b'x'; 65_537]).stderr_has("too large");
    let compared = world.command(["secret", "set", "store://gcp/a", "--expected-version", "1"]).input("x").run();
    compared.exits(2);
    world.forge(["secret", "recover", "store://gcp/a"]).exits(2);
    assert_eq!(server.requests(), [""; 0]);
    world.forge(["provider", "remove", "gcp", "--yes"]).succeeds();
    add_google(&world, &server, ["--set", "project=other-project"]).succeeds();
    get(&world, "store://gcp/a")
        .exits(4)
        .stderr_has("projects/other-project/secrets/*/versions/*:access")
        .never_shows("canary");
}

#[test]
fn a_secret_is_rotated_with_a_value_that_is_made_here_and_the_old_version_stays() {
    let (world, _server) = added(&[]);
    set(&world, "store://gcp/a", "first").succeeds();
    world.forge(["secret", "rotate", "store://gcp/a", "--generate", "hex"]).succeeds();
    get(&world, "store://gcp/a?version=1").succeeds().stdout_is("first");
    assert_ne!(get(&world, "store://gcp/a").succeeds().text(), "first");
    world.forge(["secret", "rotate", "store://gcp/a"]).exits(2);
    // One field of a secret that is there has to be compared; of a new one it has not.
    set(&world, "store://gcp/map#user", "app").succeeds();
    get(&world, "store://gcp/map#user").succeeds().stdout_is("app");
    set(&world, "store://gcp/map#password", "x").exits(2);
    get(&world, "store://gcp/map").stdout_is(r#"{"user":"app"}"#);
}
