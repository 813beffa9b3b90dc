//! What lies around a guest: files, variables, earlier calls, and what it says when it breaks.

use forge_tests::outcome::contains;
use forge_tests::servers::behaviour::LOOT;

use super::{Ask, CANARY, CANARY_VARIABLE, Stage};

/// A stage whose attacker is aimed at this file.
#[track_caller]
fn aimed_at(target: &str) -> Stage {
    Stage::new(&Ask::new().target(target))
}

#[test]
fn a_file_outside_the_granted_directory_is_not_read() {
    let inside = aimed_at("inside");
    std::fs::write(inside.world.path("granted/inside"), "granted content").unwrap();
    inside.lets("file-traversal", "granted content");
    for target in [
        "../outside",
        "./../outside",
        "folder/../../outside",
        "folder/../inside",
        "..",
        ".",
        "",
        "/etc/passwd",
        "//etc/passwd",
        "folder//inside",
        "inside/",
        "..\\outside",
        "C:\\outside",
        "in{nul}side",
    ] {
        if target.is_empty() {
            continue;
        }
        let stage = aimed_at(target);
        std::fs::write(stage.world.path("outside"), "somebody else's content").unwrap();
        std::fs::write(stage.world.path("granted/inside"), "granted content").unwrap();
        let outcome = stage.attack("file-traversal");
        assert_ne!(outcome.code, Some(0), "`{target}` was read: {outcome:?}");
        outcome.stdout_is("");
        stage.still_serves();
    }
}

#[test]
fn a_link_does_not_lead_out_of_the_granted_directory() {
    let stage = aimed_at("link");
    let link = |to: &str| {
        let link = stage.world.path("granted/link");
        std::fs::remove_file(&link).unwrap_or_default();
        std::os::unix::fs::symlink(to, link).unwrap();
    };
    std::fs::write(stage.world.path("granted/inside"), "granted content").unwrap();
    std::fs::write(stage.world.path("outside"), "somebody else's content").unwrap();
    link("inside");
    stage.lets("file-traversal", "granted content");
    for to in ["../outside", "/etc/passwd", "link"] {
        link(to);
        let outcome = stage.attack("file-traversal");
        assert_ne!(outcome.code, Some(0), "{outcome:?}");
        outcome.stdout_is("");
    }
    stage.still_serves();
}

#[test]
fn a_linked_folder_does_not_lead_out_of_the_granted_directory() {
    let stage = aimed_at("folder/secret");
    std::fs::create_dir(stage.world.path("elsewhere")).unwrap();
    std::fs::write(stage.world.path("elsewhere/secret"), "somebody else's content").unwrap();
    std::os::unix::fs::symlink("../elsewhere", stage.world.path("granted/folder")).unwrap();
    let outcome = stage.attack("file-traversal");
    assert_ne!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout_is("");
    stage.still_serves();
}

#[test]
fn a_reading_call_writes_no_file() {
    let stage = aimed_at("written");
    // The same write in a call that may write is done.
    stage.world.command(["secret", "set", "store://evil/keep/written"]).input("kept").run().succeeds();
    stage.lets("file-traversal", "kept");
    stage.stops("file-write", 8, "during a read");
    stage.lets("file-traversal", "kept");
}

#[test]
fn a_read_only_grant_holds_for_files_too() {
    let stage = Stage::new(&Ask::new().target("written").argument("--read-only"));
    let outcome = stage.world.command(["secret", "set", "store://evil/keep/written"]).input("kept").run();
    outcome.exits(8).stderr_has("read-only");
    assert!(!stage.world.path("granted/written").exists());
    stage.still_serves();
}

#[test]
fn a_write_that_failed_is_told_although_the_guest_says_that_it_was_done() {
    let stage = Stage::new(&Ask::new());
    let set = |name: &str| {
        let reference = format!("store://evil/hide-failed-write/{name}");
        stage.world.command(["secret", "set", &reference]).input("a value").run()
    };
    set("written").succeeds();
    stage.lets("kept/written", "a value");
    // A folder stands where the file would have to be.
    std::fs::create_dir_all(stage.world.path("granted/folder/below")).unwrap();
    set("folder").exits(1).stderr_has("can't write");
    // And a path outside of the directory is not the guest's to write, nor to keep quiet about.
    set("../outside").exits(2);
    set("%2e%2e/outside").exits(2);
    stage.still_serves();
}

#[test]
fn a_guest_that_breaks_off_in_a_write_leaves_a_whole_file_and_a_store_that_can_be_written() {
    let stage = Stage::new(&Ask::new());
    let set = |attack: &str, value: &str| {
        stage.world.command(["secret", "set", &format!("store://evil/{attack}")]).input(value).run()
    };
    set("keep/file", "the old value").succeeds();
    stage.lets("kept/file", "the old value");
    set("trap-in-write/file", "the new value, which is longer").exits(7).stderr_has("plugin `attacker`");
    // A write of a file is whole when it returns, whatever the guest does then.
    stage.lets("kept/file", "the new value, which is longer");
    let files: Vec<String> = std::fs::read_dir(stage.world.path("granted"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with(".forge-"))
        .collect();
    assert_eq!(files, ["file"], "a temporary file was left");
    set("keep/file", "the next value").succeeds();
    stage.lets("kept/file", "the next value");
    stage.still_serves();
}

#[test]
fn a_guest_sees_the_variables_that_were_granted_and_no_others() {
    let stage = Stage::new(&Ask::new());
    let run = |attack: &str| {
        let run = stage.world.command(["secret", "get", &format!("store://evil/{attack}")]);
        run.variable("ATTACKER_A", "granted").variable("OTHER_B", "not granted").run()
    };
    run("environment/ATTACKER_A").succeeds().stdout_is("granted");
    run("environment").succeeds().stdout_is("ATTACKER_A");
    for name in ["OTHER_B", "HOME", "PATH", "ATTACKER", CANARY_VARIABLE] {
        run(&format!("environment/{name}")).exits(3).stdout_is("");
    }
    stage.still_serves();
}

#[test]
fn a_variable_that_holds_a_credential_is_lent_to_nobody() {
    // Who grants it is told its name: that of the provider's own credential, and that of a usual place.
    for (names, taken_in) in
        [(CANARY_VARIABLE, "`CANARY`"), ("CANARY*", "`CANARY`"), ("C*", "`CANARY`"), ("VAULT_*", "`VAULT_TOKEN`")]
    {
        let stage = Stage::empty();
        let ask = Ask::new().set("names", names);
        stage.install(&ask).succeeds();
        stage.add(&ask).exits(8).stderr_has(taken_in);
    }
    // A pattern that takes in everything is no pattern, and forge's own variables are no plugin's.
    for names in ["*", "FORGE_*", "F*", "FORGE_ENVIRONMENT"] {
        let stage = Stage::empty();
        let ask = Ask::new().set("names", names);
        stage.install(&ask).succeeds();
        stage.add(&ask).exits(2).stderr_has("`names`");
    }
}

#[test]
fn a_variable_that_becomes_a_credential_later_is_lent_no_more() {
    let stage = Stage::new(&Ask::new());
    let read = || {
        let run = stage.world.command(["secret", "get", "store://evil/environment/ATTACKER_TOKEN"]);
        run.variable("ATTACKER_TOKEN", "a token").run()
    };
    read().succeeds().stdout_is("a token");
    let (origin, path) = (stage.server.origin(), stage.world.path("granted"));
    let add = stage.world.command(["provider", "add", "second", "--plugin", "attacker", "--yes", "--set", "names=B"]);
    let add = add.and(["--set", &format!("origin={origin}"), "--set", &format!("path={}", path.display())]);
    add.and(["--credential", "header,name=x-canary,value=env:ATTACKER_TOKEN"]).run().succeeds();
    read().exits(3).stdout_is("");
    // Configured or not: what a grant names is a credential, and where one can't be read nobody knows.
    let config = stage.world.home().join(".config/forge/config.toml");
    let before = std::fs::read_to_string(&config).unwrap();
    let without = before.split("[providers.second]").next().unwrap();
    std::fs::write(&config, without).unwrap();
    read().exits(3).stdout_is("");
    let grant = stage.world.data().join("grants/second.json");
    let text = std::fs::read_to_string(&grant).unwrap();
    let newer = text.replace("\"schema_version\":1", "\"schema_version\":99");
    let newer = newer.replace("\"schema_version\": 1", "\"schema_version\": 99");
    assert_ne!(newer, text);
    std::fs::write(&grant, newer).unwrap();
    read().exits(11).stdout_is("").stderr_has("second.json");
    std::fs::remove_file(&grant).unwrap();
    read().succeeds().stdout_is("a token");
}

#[test]
fn a_directory_with_forges_own_files_or_a_credential_is_lent_to_nobody() {
    let stage = Stage::new(&Ask::new());
    stage.world.forge(["provider", "remove", "evil", "--yes"]).succeeds();
    let data = stage.world.data();
    let link = stage.world.path("link");
    std::os::unix::fs::symlink(&data, &link).unwrap();
    let credential = stage.world.path("credentials/token");
    std::fs::create_dir(stage.world.path("credentials")).unwrap();
    std::fs::write(&credential, CANARY).unwrap();
    let add = |name: &str, path: &std::path::Path, credential: &str| {
        let run = stage.world.command(["provider", "add", name, "--plugin", "attacker", "--yes"]);
        let path = format!("path={}", path.display());
        run.and(["--set", &format!("origin={}", stage.server.origin()), "--set", &path, "--credential", credential])
            .run()
    };
    let from_variable = Ask::new().credential;
    for path in [&stage.world.home(), &data, &data.join("keys"), &data.join("store"), &stage.world.cache(), &link] {
        add("evil", path, &from_variable).exits(8).stderr_has("own files");
    }
    let from_file = format!("header,name=x-canary,value=file:{}", credential.display());
    // Its own credential counts before anything is recorded: the check of a new provider runs the plugin.
    add("evil", &stage.world.path("credentials"), &from_file).exits(8).stderr_has("with a credential in it");
    add("honest", &stage.world.path("granted"), &from_file).succeeds();
    for path in [stage.world.path("credentials"), stage.world.path("")] {
        add("evil", &path, &from_variable).exits(8);
    }
    add("evil", &stage.world.path("granted"), &from_variable).succeeds();
    stage.still_serves();
}

#[test]
fn nothing_is_left_in_memory_for_the_next_call() {
    let stage = Stage::new(&Ask::new());
    stage.lets("keep-state/3", "3");
    stage.lets("keep-state/1", "1");
}

#[test]
fn a_panic_with_a_secret_in_its_message_tells_nobody() {
    let stage = Stage::new(&Ask::new());
    let outcome = stage.stops("panic-with-secret", 7, "plugin `attacker`");
    outcome.never_shows(LOOT);
    let audit = serde_json::to_vec(&stage.world.audit()).unwrap();
    assert!(!contains(&audit, LOOT.as_bytes()));
    assert_eq!(stage.server.received()[0].header("x-canary"), Some(CANARY), "the guest had no secret to tell");
}
