//! The guide of the plugin `vault` is right about policies: each row of its table is enough, and no right is too many.

use std::collections::BTreeMap;

use forge_tests::outcome::Outcome;
use forge_tests::servers::openbao::OpenBao;
use forge_tests::world::{World, root};

use super::{add_vault, get, root_world, set};

fn guide() -> String {
    std::fs::read_to_string(root().join("plugins/vault/README.md")).unwrap()
}

/// A right: a path of the guide, and a capability.
type Right = (String, String);

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The table of the guide: each command with its rights.
fn table() -> Vec<(String, Vec<Right>)> {
    let guide = guide();
    let lines = guide.lines().skip_while(|line| !line.starts_with("| command | path | capabilities |"));
    let mut table: Vec<(String, Vec<Right>)> = Vec::new();
    for line in lines.skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [command, path, capabilities] = cells.as_slice() else { panic!("three cells: {line}") };
        // A row without a command goes on with the one above.
        if !command.is_empty() {
            table.push(((*command).to_owned(), Vec::new()));
        }
        let path = quoted(path).remove(0);
        let rights = quoted(capabilities).into_iter().map(|capability| (path.clone(), capability));
        table.last_mut().unwrap().1.extend(rights);
    }
    table
}

/// A token, and the folder of the secrets that it is tried with.
struct Tried<'a> {
    world: &'a World,
    token: String,
    folder: String,
}

impl Tried<'_> {
    fn reference(&self, name: &str) -> String {
        format!("store://bao/{}/{name}", self.folder)
    }

    /// A command of `forge secret` on a reference.
    fn forge<const N: usize>(&self, command: &str, reference: &str, more: [&str; N]) -> Outcome {
        let run = self.world.command(["secret", command, reference]).and(more);
        run.variable("TOKEN", &self.token).input("x").run()
    }
}

/// The command of a row, tried on the secret `old` with two versions of which the newest is deleted where the row
/// takes that back, and on `new`, which isn't there yet.
fn attempts(command: &str, tried: &Tried<'_>) -> Vec<Outcome> {
    let (old, new) = (tried.reference("old"), tried.reference("new"));
    match command {
        "`get`, also of an old version" => {
            vec![tried.forge("get", &old, []), tried.forge("get", &format!("{old}?version=1"), [])]
        }
        "`set`" => vec![tried.forge("set", &old, []), tried.forge("set", &new, [])],
        "`set REF#FIELD`" => {
            vec![tried.forge("set", &format!("{old}#a"), []), tried.forge("set", &format!("{new}#a"), [])]
        }
        "`set` with an expected version" => {
            let expecting = |reference: &str, version| tried.forge("set", reference, ["--expected-version", version]);
            vec![expecting(&old, "2"), expecting(&new, "")]
        }
        "`set` with new tags" => {
            vec![tried.forge("set", &old, ["--tag", "a=b"]), tried.forge("set", &new, ["--tag", "a=b"])]
        }
        "`rollback`" => vec![tried.forge("rollback", &old, ["--to", "1"])],
        "`describe`" => vec![tried.forge("describe", &old, [])],
        "`versions`" => vec![tried.forge("versions", &old, [])],
        "`list`" => vec![tried.forge("list", &format!("store://bao/{}", tried.folder), [])],
        "`delete`" => vec![tried.forge("delete", &old, ["--yes"])],
        "`recover`" => vec![tried.forge("recover", &old, [])],
        "`enable`" => vec![tried.forge("enable", &format!("{old}?version=2"), [])],
        "`purge`" => vec![tried.forge("purge", &old, ["--yes"])],
        _ => panic!("the guide has a command that this test doesn't try: {command}"),
    }
}

/// A policy with exactly these rights, below this folder.
fn policy(rights: &[&Right], folder: &str) -> String {
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, capability) in rights {
        paths.entry(path).or_default().push(capability);
    }
    let rule = |(path, capabilities): (&str, Vec<&str>)| {
        let path = path.replace("PREFIX", folder).replace("PATH", &format!("{folder}/*"));
        format!("path \"{path}\" {{ capabilities = {capabilities:?} }}\n")
    };
    // A policy can't be empty, and may well grant nothing.
    std::iter::once("# nothing but\n".to_owned()).chain(paths.into_iter().map(rule)).collect()
}

#[test]
fn each_row_of_the_guide_is_enough_and_none_of_its_rights_can_be_left_out() {
    let server = OpenBao::start();
    let world = root_world();
    add_vault(&world, &server, []).succeeds();
    let table = table();
    assert_eq!(table.len(), 13, "the table of the guide is read wrongly");
    for (row, (command, rights)) in table.iter().enumerate() {
        // All rights, and then all but each of them.
        for left_out in std::iter::once(None).chain((0..rights.len()).map(Some)) {
            let folder = format!("row-{row}-{}", left_out.map_or("all".to_owned(), |at| at.to_string()));
            for number in 1..=2 {
                let value = format!(r#"{{"data":{{"a":"{number}"}}}}"#);
                server.root("POST", &format!("secret/data/{folder}/old"), &value).has_status(200);
            }
            if matches!(command.as_str(), "`recover`" | "`enable`") {
                server.root("DELETE", &format!("secret/data/{folder}/old"), "").has_status(204);
            }
            let given: Vec<&Right> =
                rights.iter().enumerate().filter(|(at, _)| Some(*at) != left_out).map(|(_, right)| right).collect();
            server.policy(&folder, &policy(&given, &folder));
            let token = server.token(&[&folder]);
            let outcomes = attempts(command, &Tried { world: &world, token, folder });
            let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.code != Some(0)).collect();
            match left_out.map(|at| &rights[at]) {
                None => assert!(failed.is_empty(), "the row {command} is not enough: {failed:?}"),
                // This one only helps to tell what was wrong, as the guide says below its table.
                Some((_, right)) if command == "`set` with an expected version" && right == "read" => {
                    assert!(failed.is_empty(), "{failed:?}");
                }
                Some(right) => {
                    assert!(!failed.is_empty(), "the row {command} has a right too many: {right:?}");
                    for outcome in failed {
                        outcome.exits(4).stderr_has("403").stderr_has("policy");
                    }
                }
            }
        }
    }
}

/// The policies that the guide prints, in their order.
fn printed() -> Vec<String> {
    guide().split("```hcl\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// A world whose token has exactly this policy.
fn world_with(server: &OpenBao, name: &str, rules: &str) -> World {
    server.policy(name, rules);
    let world = World::new().with("TOKEN", &server.token(&[name]));
    add_vault(&world, server, []).succeeds();
    world
}

#[test]
fn an_application_reads_and_writes_with_the_guides_policy_and_no_right_on_metadata() {
    let server = OpenBao::start();
    let world = world_with(&server, "application", &printed()[0]);
    let db = "store://bao/app/db";
    set(&world, db, r#"{"user":"app","password":"one"}"#).succeeds();
    get(&world, &format!("{db}#password")).succeeds().stdout_is("one");
    // Somebody else's tags stay, and ask for no right of the application.
    let tags = r#"{"custom_metadata":{"team":"a"}}"#;
    server.root("POST", "secret/metadata/app/db", tags).has_status(204);
    set(&world, &format!("{db}#password"), "two").succeeds();
    get(&world, &format!("{db}#password")).succeeds().stdout_is("two");
    get(&world, &format!("{db}#user")).succeeds().stdout_is("app");
    get(&world, &format!("{db}?version=1#password")).succeeds().stdout_is("one");
    assert_eq!(world.forge(["--json", "secret", "get", db]).succeeds().json()["tags"]["team"], "a");
    let expecting = |version: &str| {
        world.command(["secret", "set", db, "--expected-version", version]).input(r#"{"password":"three"}"#).run()
    };
    expecting("1").exits(9);
    expecting("").exits(9);
    expecting("2").succeeds();
    world.forge(["secret", "rollback", db, "--to", "1"]).succeeds();
    get(&world, &format!("{db}#password")).succeeds().stdout_is("one");
    for command in ["describe", "versions", "recover"] {
        world.forge(["secret", command, db]).exits(4);
    }
    // A value and tags are written together or not at all.
    let before = server.root("GET", "secret/metadata/app/db", "").json()["data"]["current_version"].clone();
    world.command(["secret", "set", db, "--tag", "team=b"]).input("x").run().exits(4).stderr_has("secret/metadata");
    assert_eq!(server.root("GET", "secret/metadata/app/db", "").json()["data"]["current_version"], before);
}

#[test]
fn a_person_does_everything_with_the_guides_policy() {
    let server = OpenBao::start();
    let world = world_with(&server, "person", &printed()[1]);
    let db = "store://bao/app/db";
    let run = |arguments: &[&str]| {
        let mut run = world.command(["secret"]);
        for argument in arguments {
            run = run.and([argument]);
        }
        run.input("x").run()
    };
    run(&["set", db, "--tag", "team=a"]).succeeds();
    run(&["set", db]).succeeds();
    for arguments in [
        &["get", db][..],
        &["describe", db],
        &["versions", db],
        &["list", "store://bao/app"],
        &["rollback", db, "--to", "1"],
        &["delete", db, "--yes"],
        &["recover", db],
        &["enable", "store://bao/app/db?version=1"],
        &["purge", db, "--yes"],
    ] {
        run(arguments).succeeds();
    }
}

#[test]
fn any_right_below_the_mount_is_enough_to_add_a_provider() {
    let server = OpenBao::start();
    let rules = r#"path "secret/metadata/somewhere" { capabilities = ["list"] }"#;
    let world = world_with(&server, "little", rules);
    world.forge(["provider", "test", "bao"]).succeeds();
    server.policy("none", r#"path "other/data/*" { capabilities = ["read"] }"#);
    let world = World::new().with("TOKEN", &server.token(&["none"]));
    add_vault(&world, &server, []).exits(4);
}
