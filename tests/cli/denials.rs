//! What a backend denies is told with the right that is missing, as the backend calls it, and the secret it was needed for.

use forge_tests::outcome::Outcome;
use forge_tests::servers::azure::Azure;
use forge_tests::servers::google::Google;
use forge_tests::servers::moto::Moto;
use forge_tests::world::{World, root};
use serde_json::json;

use super::{add_aws, add_azure, add_google, aws_world, azure_world, set};

/// A hint that names this right and what it was needed for, and whose rest knows the backend.
#[track_caller]
fn names(outcome: &Outcome, right: &str, on: &str) {
    outcome
        .exits(4)
        .stdout_is("")
        .stderr_has(&format!("hint: `{right}` on {on} was refused: "))
        .stderr_has("README.md");
    outcome.never_shows("own words").never_shows("canary");
}

/// Lets the user of a server do everything but this action.
fn deny(moto: &Moto, action: &str) {
    let statement = |effect: &str, action: &str| json!({ "Effect": effect, "Action": [action], "Resource": "*" });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement("Allow", "*"), statement("Deny", action)] });
    let policy = json!(policy.to_string());
    moto.lets_pass(100);
    moto.boto3(&format!(
        "client('iam').put_user_policy(UserName='forge', PolicyName='tests', PolicyDocument={policy})"
    ));
    moto.lets_pass(0);
}

fn aws(service: &str) -> (Moto, World) {
    let moto = Moto::start(&["*"]);
    let world = aws_world(&moto);
    add_aws(&world, &moto, ["--set", &format!("service={service}")]).succeeds();
    set(&world, "store://aws/app/db", "hunter2").succeeds();
    (moto, world)
}

#[test]
fn each_action_that_a_policy_of_aws_lacks_is_named_with_the_secret() {
    let (moto, world) = aws("secretsmanager");
    let db = "store://aws/app/db";
    let cases: [(&str, &[&str], &str); 9] = [
        ("GetSecretValue", &["get", db], "`app/db`"),
        ("ListSecrets", &["list", "store://aws/app"], "`app`"),
        ("ListSecrets", &["list", "store://aws"], "all secrets"),
        ("PutSecretValue", &["set", db], "`app/db`"),
        ("CreateSecret", &["set", "store://aws/app/new"], "`app/new`"),
        ("TagResource", &["set", db, "--tag", "team=web"], "`app/db`"),
        ("DescribeSecret", &["describe", db], "`app/db`"),
        ("DeleteSecret", &["delete", db, "--yes"], "`app/db`"),
        // What fails in the middle is undone, and the request that undoes it is not the one that was refused.
        ("UpdateSecretVersionStage", &["rotate", db, "--generate", "hex"], "`app/db`"),
    ];
    for (action, arguments, on) in cases {
        let action = format!("secretsmanager:{action}");
        deny(&moto, &action);
        let run = arguments.iter().fold(world.command(["secret"]), |run, argument| run.and([argument]));
        names(&run.input("canary").run(), &action, on);
    }
}

#[test]
fn each_action_on_parameters_that_a_policy_lacks_is_named_with_the_parameter() {
    let (moto, world) = aws("ssm");
    let db = "store://aws/app/db";
    let cases: [(&str, &[&str], &str); 3] = [
        ("GetParameter", &["get", db], "`app/db`"),
        ("DescribeParameters", &["list", "store://aws"], "all secrets"),
        ("PutParameter", &["set", db], "`app/db`"),
    ];
    for (action, arguments, on) in cases {
        let action = format!("ssm:{action}");
        deny(&moto, &action);
        let run = arguments.iter().fold(world.command(["secret"]), |run, argument| run.and([argument]));
        names(&run.input("canary").run(), &action, on);
    }
}

#[test]
fn each_right_that_a_role_of_azure_lacks_is_named_with_the_secret() {
    let azure = Azure::start();
    let world = azure_world();
    add_azure(&world, &azure, "", []).succeeds();
    set(&world, "store://kv/a", "hunter2").succeeds();
    let every = ["get", "list", "set", "delete", "recover", "purge"];
    let cases: [(&str, &str, &[&str], &str); 5] = [
        ("get", "getSecret/action", &["get", "store://kv/a"], "`a`"),
        ("set", "setSecret/action", &["set", "store://kv/a"], "`a`"),
        ("list", "readMetadata/action", &["list", "store://kv"], "all secrets"),
        ("list", "readMetadata/action", &["versions", "store://kv/a"], "`a`"),
        ("delete", "delete", &["delete", "store://kv/a", "--yes"], "`a`"),
    ];
    for (lacking, right, arguments, on) in cases {
        let permissions: Vec<&str> = every.into_iter().filter(|known| *known != lacking).collect();
        azure.set(&json!({ "permissions": permissions }));
        let run = arguments.iter().fold(world.command(["secret"]), |run, argument| run.and([argument]));
        names(&run.input("canary").run(), &format!("Microsoft.KeyVault/vaults/secrets/{right}"), on);
    }
    // What the vault refuses to everybody is no right that somebody could give.
    azure.set(&json!({ "permissions": null, "recovery_level": "Recoverable" }));
    set(&world, "store://kv/protected", "x").succeeds();
    let purged = world.forge(["secret", "purge", "store://kv/protected", "--yes"]);
    purged.exits(4).stderr_has("hint: ").stderr_has("purge protection").never_shows("was refused");
}

#[test]
fn each_permission_that_a_role_of_google_lacks_is_named_with_the_secret() {
    let (world, google) = (World::new(), Google::start());
    add_google(&world, &google, []).succeeds();
    set(&world, "store://gcp/a", "hunter2").succeeds();
    let cases: [(&str, [&str; 2], &[&str], &str); 5] = [
        ("versions.access", ["GET", ":access"], &["get", "store://gcp/a"], "`a`"),
        ("versions.add", ["POST", ":addVersion"], &["set", "store://gcp/a"], "`a`"),
        ("secrets.create", ["POST", "/secrets"], &["set", "store://gcp/new"], "`new`"),
        ("secrets.list", ["GET", "/secrets"], &["list", "store://gcp"], "all secrets"),
        ("versions.list", ["GET", "/versions"], &["versions", "store://gcp/a"], "`a`"),
    ];
    for (right, denied, arguments, on) in cases {
        google.front(&json!({ "denied": denied }));
        let run = arguments.iter().fold(world.command(["secret"]), |run, argument| run.and([argument]));
        names(&run.input("canary").run(), &format!("secretmanager.{right}"), on);
    }
}

#[test]
fn json_and_the_grant_name_the_right_as_well() {
    let (moto, world) = aws("secretsmanager");
    deny(&moto, "secretsmanager:GetSecretValue");
    let json = world.forge(["--json", "secret", "get", "store://aws/app/db"]).error_json();
    let hint = json["error"]["hint"].as_str().unwrap();
    assert!(hint.starts_with("`secretsmanager:GetSecretValue` on `app/db` was refused: "), "{hint}");
    // Which right each route needs stands in the grant, for whoever writes the policy.
    let granted = world.forge(["--json", "provider", "info", "aws"]).succeeds().json();
    let routes = granted["routes"].as_array().unwrap();
    assert!(routes.iter().any(|route| route["permission"] == "secretsmanager:GetSecretValue"), "{granted}");
}

#[test]
fn the_rights_that_routes_name_are_those_of_the_guide() {
    for plugin in ["aws", "azure", "gcp", "vault"] {
        let folder = root().join("plugins").join(plugin);
        let guide = std::fs::read_to_string(folder.join("README.md")).unwrap();
        let manifest: toml::Table = std::fs::read_to_string(folder.join("plugin.toml")).unwrap().parse().unwrap();
        let mut count = 0;
        for route in manifest["route"].as_array().unwrap() {
            let Some(permission) = route.get("permission") else { continue };
            let permission = permission.as_str().unwrap();
            let short = permission.trim_start_matches("Microsoft.KeyVault/vaults/secrets/");
            let short =
                ["secretsmanager:", "ssm:", "secretmanager."].iter().fold(short, |s, p| s.trim_start_matches(p));
            for right in short.split(", ") {
                assert!(guide.contains(&format!("`{right}`")), "the guide of `{plugin}` lacks `{right}`");
            }
            count += 1;
        }
        assert!(count >= 9, "{plugin} names {count} rights");
    }
}
