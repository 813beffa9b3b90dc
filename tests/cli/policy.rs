//! Policies of the user's configuration: what they let through, what they say about it, and what is on record.

use forge_tests::outcome::Outcome;
use forge_tests::world::World;

use super::{get, set};

/// A role for whoever runs the tests: part of `local` to read, a smaller part to write, and one secret that is denied.
const ROLE: &str = r#"
[policy.roles.developer]
members = ["user:UID"]
allow = ["read store://local/app/**", "write store://local/app/own/**"]
deny = ["read store://local/app/root"]
"#;

/// A world with secrets, and then with this configuration.
fn world(config: &str) -> World {
    let world = World::new();
    for path in ["app/db", "app/root", "app/own/x", "other"] {
        set(&world, path, "hunter2").succeeds();
    }
    configure(&world, config);
    world
}

fn configure(world: &World, config: &str) {
    let uid = std::os::unix::fs::MetadataExt::uid(&world.home().metadata().unwrap());
    let mut folder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(folder.recursive(true), 0o700);
    folder.create(world.config().parent().unwrap()).unwrap();
    std::fs::write(world.config(), config.replace("UID", &uid.to_string())).unwrap();
}

/// Expects that the policy refused it, by this rule.
#[track_caller]
fn denied(outcome: &Outcome, why: &str) {
    outcome.exits(4).stdout_is("").stderr_has(why).never_shows("hunter2");
}

#[test]
fn a_role_opens_what_it_names_and_nothing_else() {
    let world = world(ROLE);
    get(&world, "app/db").succeeds().stdout_is("hunter2");
    set(&world, "app/own/x", "2").succeeds();
    let (no_rule, rule) = ("no rule of the policy allows it", "the policy denies it by its rule `developer.deny.1`");
    denied(&get(&world, "other"), no_rule);
    denied(&get(&world, "store://local/other"), no_rule);
    denied(&get(&world, "app/root"), rule);
    denied(&get(&world, "app/Root"), rule);
    denied(&set(&world, "app/db", "2"), no_rule);
    denied(&world.forge(["secret", "delete", "app/db", "--yes"]), no_rule);
    denied(&world.forge(["secret", "list"]), no_rule);
    // A listing of what may be listed shows no name that may not be known.
    world.forge(["secret", "list", "app"]).succeeds().stdout_is("app/db\napp/own/x\n");
    let refused = world.audit().into_iter().filter(|record| record["allowed"] == false).collect::<Vec<_>>();
    assert_eq!(refused.len(), 7);
    assert!(refused.iter().all(|record| record["outcome"] == "access-denied"));
    let rules: Vec<&str> = refused.iter().map(|record| record["rule"].as_str().unwrap()).collect();
    assert_eq!(rules[..4], ["no-rule", "no-rule", "developer.deny.1", "developer.deny.1"]);
}

#[test]
fn what_the_environment_says_of_the_user_gives_nobody_a_role() {
    let text = "[policy.roles.r]\nmembers = [\"user:alice\"]\nallow = [\"* store://*/**\"]\n";
    let world = world(text).with("USER", "alice").with("LOGNAME", "alice");
    denied(&get(&world, "app/db"), "no rule of the policy allows it");
}

#[test]
fn an_alias_a_plugins_id_and_a_copy_are_no_way_around_a_rule() {
    let world = world("");
    let file = world.file("values.json", r#"{"app":{"db":"hunter2"}}"#);
    let add = ["provider", "add", "dev", "--plugin", "textfile", "--yes"];
    world.command(add).and(["--set", &format!("file={file}")]).run().succeeds();
    let config = std::fs::read_to_string(world.config()).unwrap();
    let role =
        "[policy.roles.r]\nmembers = [\"user:UID\"]\nallow = [\"* store://local/**\", \"list store://dev/**\"]\n";
    // Its id alone means the provider, and both are one for the policy.
    get(&world, "store://textfile/app/db").succeeds();
    configure(&world, &format!("{config}\n{role}"));
    for reference in ["store://dev/app/db", "store://textfile/app/db"] {
        denied(&get(&world, reference), "no rule of the policy allows it");
    }
    let copied = world.forge(["secret", "copy", "store://dev/app", "store://local/stolen", "--recursive"]);
    assert_ne!(copied.code, Some(0));
    get(&world, "stolen/db").exits(3);
    let template = world.file("template.txt", "${secret:store://dev/app/db}");
    denied(&world.forge(["inject", "-i", &template]), "no rule of the policy allows it");
    // What was typed to one command is no provider that a rule could name.
    world.forge(["import", &file, "--to", "imported"]).succeeds();
    get(&world, "imported/app/db").succeeds();
    // A provider that no rule is about is not even tested before it is recorded.
    let more = world.command(["provider", "add", "more", "--plugin", "textfile", "--yes"]);
    more.and(["--set", &format!("file={file}")]).run().exits(4).stderr_has("no rule of the policy allows it");
}

#[test]
fn a_credential_that_is_a_secret_is_read_under_the_policy_too() {
    let world = world("");
    let server = forge_tests::servers::openbao::OpenBao::start();
    set(&world, "login/token", forge_tests::servers::openbao::ROOT).succeeds();
    super::add_vault(&world, &server, ["--credential", "vault-token,token=store://local/login/token"]).succeeds();
    set(&world, "store://bao/app/db", "hunter2").succeeds();
    let config = std::fs::read_to_string(world.config()).unwrap();
    let role = |more: &str| {
        format!("{config}\n[policy.roles.r]\nmembers = [\"user:UID\"]\nallow = [\"read store://bao/**\"{more}]\n")
    };
    configure(&world, &role(""));
    let told = world.forge(["secret", "get", "store://bao/app/db", "--no-token-cache"]);
    told.stdout_is("").stderr_has("no rule of the policy allows it").never_shows("hunter2");
    assert_ne!(told.code, Some(0));
    configure(&world, &role(", \"get store://local/login/token\""));
    get(&world, "store://bao/app/db").succeeds().stdout_is("hunter2");
}

#[test]
fn a_policy_that_can_not_be_used_denies_everything_and_is_told_with_its_place() {
    let world = world("");
    let file =
        world.file("policy.cedar", "permit (principal, action, resource);\nforbid (principal action, resource);\n");
    configure(&world, &format!("[policy]\nfiles = [\"{file}\"]\n"));
    let place = format!("the policy can't be used, so everything is denied: `{file}`, line 2, column 19: ");
    denied(&get(&world, "app/db"), &place);
    denied(&set(&world, "app/db", "x"), &place);
    let told = world.forge(["policy", "test", "get", "app/db"]);
    told.exits(4).stderr_has(&place);
    world.forge(["policy", "show"]).exits(4).stderr_has("line 2, column 19");
    world.forge(["doctor", "--offline"]).exits(10).stdout_has("FAIL  policy: ");
    // What a policy has no say in works.
    world.forge(["provider", "list"]).succeeds();
    std::fs::write(&file, "permit (principal, action, resource);\n").unwrap();
    get(&world, "app/db").succeeds();
    world.forge(["doctor", "--offline"]).succeeds().stdout_has("ok    policy: ");
}

#[test]
fn a_policy_of_a_project_is_refused() {
    let world = world(ROLE);
    std::fs::write(world.path("work/forge.toml"), "[policy.roles.r]\nmembers = [\"user:0\"]\n").unwrap();
    let told = world.forge(["allow", "--print"]);
    told.stderr_has("`policy` can't be set by a project");
    assert_ne!(told.code, Some(0));
}

#[test]
fn policy_test_answers_for_others_and_says_where_the_rule_stands() {
    let text = "[policy.roles.ops]\nmembers = [\"user:4242\", \"group:wheels\"]\nallow = [\n  \"write store://local/**\",\n]\n";
    let world = world(text);
    let test = |more: [&str; 6]| world.command(["--json", "policy", "test"]).and(more).run();
    let told = test(["--user", "4242", "set", "x", "--reason", "y"]).succeeds().json();
    assert_eq!(
        (told["rule"].as_str(), told["line"].as_u64(), told["column"].as_u64()),
        (Some("ops.allow.1"), Some(4), Some(3))
    );
    assert_eq!(told["file"].as_str(), world.config().to_str());
    test(["--user", "nobody-here", "--group", "wheels", "set", "x"]).succeeds();
    let told = test(["--user", "nobody-here", "--group", "others", "set", "x"]);
    assert_eq!(told.exits(4).json()["rule"], "no-rule");
    world.forge(["policy", "test", "reed", "x"]).exits(2).stderr_has("an action is one of `get`");
    world.forge(["policy", "test", "get", "store://local"]).exits(2).stderr_has("names none");
}

#[test]
fn the_readmes_roles_and_cedar_can_be_used() {
    let readme = std::fs::read_to_string(forge_tests::world::root().join("README.md")).unwrap();
    let policy = readme.split("\n## Policy\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let block = |begins: &str| policy.split("```").find(|block| block.starts_with(begins)).unwrap();
    let world = world("");
    let cedar = world.file("policy.cedar", block("\n@id").trim_start());
    let roles = block("toml\n").trim_start_matches("toml\n").replace("/etc/forge/policy.cedar", &cedar);
    configure(&world, &roles.replace("user:1000", "user:UID").replace("\"group:dev\"", "\"group:50\""));
    let test = |words: [&str; 2]| world.command(["--json", "policy", "test"]).and(words).run().json()["rule"].clone();
    assert_eq!(test(["get", "store://dev/app/db"]), "developer.allow.1");
    assert_eq!(test(["get", "store://dev/app/root"]), "developer.deny.1");
    // Both would allow it.
    assert_eq!(test(["get", "store://prod/app/db/url"]), "policy.2");
    assert_eq!(test(["versions", "store://prod/app/db"]), "policy.2");
    assert_eq!(test(["delete", "store://prod/app/db"]), "no deletion without a reason");
}
