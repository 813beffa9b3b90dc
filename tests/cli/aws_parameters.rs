//! Parameter Store as moto plays it, and boto3, a client that knows nothing of forge.

use forge_tests::servers::moto::{Moto, REGION};
use forge_tests::world::World;

use super::{add_aws, aws_world, get, set};

const ALL: [&str; 3] = ["ssm:*", "secretsmanager:*", "sts:*"];

fn added<const N: usize>(moto: &Moto, more: [&str; N]) -> World {
    let world = aws_world(moto);
    let run = add_aws(&world, moto, ["--set", "service=ssm", "--dry-run"]);
    run.succeeds().stderr_has("AmazonSSM.GetParameter").never_shows("GetSecretValue");
    let origin = moto.origin();
    let run = world.command(["provider", "add", "aws", "--plugin", "aws", "--yes", "--set", "service=ssm"]).and(more);
    let run = run.and(["--set", &format!("region={REGION}"), "--set", &format!("endpoint={origin}")]);
    let credential = format!("aws-sigv4,region={REGION},service=ssm,login-endpoint={origin}");
    run.and(["--credential", &credential, "--credential-audience", origin]).run().succeeds();
    world
}

/// How many requests the server got so far.
fn asked(moto: &Moto) -> usize {
    moto.log().matches("POST / ").count()
}

#[test]
fn what_forge_writes_boto3_reads_and_the_other_way_round() {
    let moto = Moto::start(&ALL);
    let world = added(&moto, []);
    let tagged = world.command(["secret", "set", "store://aws/app/db", "--tag", "team=web"]).input("hunter2").run();
    tagged.succeeds();
    set(&world, "store://aws/app/db", "second").succeeds();
    set(&world, "store://aws/plain", "x").succeeds();
    let retagged = world.command(["secret", "set", "store://aws/plain", "--tag", "tier=1"]).input("y").run();
    retagged.succeeds();
    let read = moto.boto3(
        r#"
ssm = client("ssm")
value = lambda name: ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
tags = lambda name: [(tag["Key"], tag["Value"]) for tag in ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]]
one, old = value("/app/db"), value("/app/db:1")
ssm.put_parameter(Name="/app/url", Value="https://x.example", Type="String", Description="where")
ssm.put_parameter(Name="/app/url", Value="https://y.example", Overwrite=True)
ssm.label_parameter_version(Name="/app/url", ParameterVersion=1, Labels=["before"])
answer([one["Type"], one["Value"], one["Version"], old["Value"], value("plain")["Value"], tags("/app/db"), tags("plain")])
"#,
    );
    let tags = serde_json::json!([[["team", "web"]], [["tier", "1"]]]);
    let expected = serde_json::json!(["SecureString", "second", 2, "hunter2", "y", tags[0], tags[1]]);
    assert_eq!(read, expected);
    get(&world, "store://aws/app/url").succeeds().stdout_is("https://y.example");
    get(&world, "store://aws/app/url?version=before").succeeds().stdout_is("https://x.example");
    get(&world, "store://aws/app/url?version=1").succeeds().stdout_is("https://x.example");
    let shown = world.forge(["secret", "describe", "store://aws/app/url"]).succeeds().text();
    assert!(shown.contains("also       type = String") && shown.contains("also       description = where"), "{shown}");
    let versions = world.forge(["secret", "versions", "store://aws/app/url"]).succeeds().text();
    let lines: Vec<&str> = versions.lines().collect();
    assert!(lines[0].starts_with("* 2 ") && lines[1].ends_with("enabled before"), "{versions}");
    world.forge(["secret", "delete", "store://aws/app/url", "--yes"]).succeeds();
    world.forge(["secret", "recover", "store://aws/app/url"]).exits(2).stderr_has("no such operation");
    world.forge(["secret", "purge", "store://aws/app/url", "--yes"]).exits(2);
}

#[test]
fn a_listing_of_parameters_is_whole_and_bounded_by_its_prefix() {
    let moto = Moto::start(&ALL);
    let world = added(&moto, ["--set", "prefix=app/"]);
    moto.boto3(
        r#"
ssm = client("ssm")
for number in range(70):
    ssm.put_parameter(Name=f"/app/many/{number:02}", Value="x", Type="String")
for name in ["/app/one", "/apple/x", "apple", "/other"]:
    ssm.put_parameter(Name=name, Value="canary", Type="String")
"#,
    );
    let listed = world.forge(["secret", "list", "store://aws"]).succeeds().text();
    assert_eq!(listed.lines().count(), 71, "{listed}");
    let listed = world.forge(["secret", "list", "store://aws/app/one"]).succeeds().text();
    assert_eq!(listed, "app/one\n");
    get(&world, "store://aws/app/one").succeeds().stdout_is("canary");
    let before = asked(&moto);
    for name in ["apple/x", "apple", "other"] {
        let reference = format!("store://aws/{name}");
        get(&world, &reference).exits(8).stdout_is("");
        set(&world, &reference, "x").exits(8);
        world.forge(["secret", "describe", &reference]).exits(8);
        world.forge(["secret", "versions", &reference]).exits(8);
        world.forge(["secret", "delete", &reference, "--yes"]).exits(8);
    }
    assert_eq!(asked(&moto), before, "nothing of it reached the server");
}

#[test]
fn a_secret_is_not_read_through_a_parameter_that_refers_to_it() {
    let moto = Moto::start(&ALL);
    let world = added(&moto, []);
    // The server would give it: the same request by a client that holds the key.
    let given = moto.boto3(
        r#"
client("secretsmanager").create_secret(Name="prod/db", SecretString="canary of prod")
answer(client("ssm").get_parameter(Name="/aws/reference/secretsmanager/prod/db", WithDecryption=True)["Parameter"]["Value"])
"#,
    );
    assert_eq!(given, "canary of prod");
    let before = asked(&moto);
    let read = get(&world, "store://aws/aws/reference/secretsmanager/prod/db");
    read.exits(8).stdout_is("").stderr_has("never reads a secret through a parameter");
    assert_eq!(asked(&moto), before);
}

#[test]
fn settings_that_the_plugin_does_not_know_are_told_by_name() {
    let moto = Moto::start(&ALL);
    let world = added(&moto, ["--set", "parameter-type=String"]);
    set(&world, "store://aws/app/url", "https://x.example").succeeds();
    let kind = moto.boto3(r#"answer(client("ssm").get_parameter(Name="/app/url")["Parameter"]["Type"])"#);
    assert_eq!(kind, "String");
    let add = |settings: [&str; 2]| {
        let credential = format!("aws-sigv4,region={REGION},service=ssm");
        let run = world.command(["provider", "add", "odd", "--plugin", "aws", "--yes", "--credential", &credential]);
        let run = run.and(["--set", &format!("region={REGION}"), "--set", &format!("endpoint={}", moto.origin())]);
        run.and(["--set", settings[0], "--set", settings[1], "--credential-audience", moto.origin()]).run()
    };
    add(["service=ssm", "parameter-type=Other"]).succeeds();
    let written = world.command(["-v", "secret", "set", "store://odd/app/x"]).input("x").run();
    written.exits(2).stderr_has("`parameter-type`");
    world.forge(["provider", "remove", "odd", "--yes"]).succeeds();
    add(["service=iam", "prefix=app/"]).exits(2).stderr_has("`service` can be `secretsmanager` or `ssm`");
}

#[test]
fn a_write_or_a_rollback_changes_neither_type_nor_key_of_a_parameter() {
    let moto = Moto::start(&ALL);
    let encrypted = added(&moto, []);
    let plain = added(&moto, ["--set", "parameter-type=String"]);
    // The server does it for any other client.
    let changed = moto.boto3(
        r#"
ssm = client("ssm")
put = lambda name, value, **more: ssm.put_parameter(Name=name, Value=value, Overwrite=True, **more)
put("/app/db", "canary", Type="SecureString")
put("/app/url", "x", Type="String")
put("/app/mine", "canary", Type="SecureString", KeyId="alias/mine")
put("/app/moved", "canary", Type="SecureString")
put("/app/moved", "x", Type="String")
kinds = lambda name: [one["Type"] for one in ssm.get_parameter_history(Name=name)["Parameters"]]
answer(kinds("/app/moved"))
"#,
    );
    assert_eq!(changed, serde_json::json!(["SecureString", "String"]));
    let refuses = |world: &World, path: &str, setting: &str| {
        let reference = format!("store://aws/{path}");
        let run = || world.command(["-v", "secret", "set", &reference]).input("hunter2");
        for run in [run(), run().and(["--tag", "a=b"])] {
            run.run().exits(9).stderr_has(&format!("`{setting}`")).never_shows("hunter2");
        }
    };
    refuses(&plain, "app/db", "parameter-type");
    refuses(&encrypted, "app/url", "parameter-type");
    refuses(&encrypted, "app/mine", "kms-key");
    for world in [&encrypted, &plain] {
        let rollback = world.forge(["-v", "secret", "rollback", "store://aws/app/moved", "--to", "1"]);
        rollback.exits(9).stderr_has("`parameter-type`").never_shows("canary");
    }
    set(&encrypted, "store://aws/app/db", "second").succeeds();
    set(&plain, "store://aws/app/url", "y").succeeds();
    plain.forge(["secret", "rollback", "store://aws/app/url", "--to", "1"]).succeeds();
    let kept = moto.boto3(
        r#"
ssm = client("ssm")
known = {one["Name"]: one for one in ssm.describe_parameters()["Parameters"]}
answer([[known[name]["Type"], known[name].get("KeyId"), known[name]["Version"]] for name in ["/app/db", "/app/url", "/app/mine", "/app/moved"]])
"#,
    );
    let expected = serde_json::json!([
        ["SecureString", "alias/aws/ssm", 2],
        ["String", null, 3],
        ["SecureString", "alias/mine", 1],
        // This server keeps the word for a key that is none any more.
        ["String", "alias/aws/ssm", 2]
    ]);
    assert_eq!(kept, expected);
}

#[test]
fn a_prefix_is_also_spelt_as_the_service_spells_names() {
    let moto = Moto::start(&ALL);
    let world = added(&moto, ["--set", "prefix=/app/"]);
    moto.boto3(
        r#"
for name in ["/app/db", "/app/a/b", "/apple", "app"]:
    client("ssm").put_parameter(Name=name, Value="of " + name, Type="SecureString")
"#,
    );
    world.forge(["provider", "test", "aws"]).succeeds();
    world.forge(["secret", "list", "store://aws"]).succeeds().stdout_is("app/db\napp/a/b\n");
    world.forge(["secret", "list", "store://aws/app/a"]).succeeds().stdout_is("app/a/b\n");
    get(&world, "store://aws/app/db").succeeds().stdout_is("of /app/db");
    set(&world, "store://aws/app/db", "x").succeeds();
    world.forge(["secret", "describe", "store://aws/app/db"]).succeeds();
    get(&world, "store://aws/apple").exits(8);
}

#[test]
fn a_parameter_of_one_segment_is_listed_by_the_name_that_it_was_given() {
    let moto = Moto::start(&ALL);
    moto.boto3(
        r#"
for name in ["/db", "key"]:
    client("ssm").put_parameter(Name=name, Value="of " + name, Type="SecureString")
"#,
    );
    let world = added(&moto, []);
    world.forge(["secret", "list", "store://aws"]).succeeds().stdout_is("/db\nkey\n");
    // To this server they are one; to one that tells them apart, `db` would be another parameter.
    get(&world, "store://aws/db").succeeds().stdout_is("of /db");
    get(&world, "store://aws/key").succeeds().stdout_is("of key");
    let rooted = added(&moto, ["--set", "prefix=/"]);
    rooted.forge(["secret", "list", "store://aws"]).succeeds().stdout_is("db\n");
    get(&rooted, "store://aws/db").succeeds().stdout_is("of /db");
    set(&rooted, "store://aws/db", "new").succeeds();
    rooted.forge(["secret", "describe", "store://aws/db"]).succeeds();
    get(&world, "store://aws/db").succeeds().stdout_is("new");
}

#[test]
fn a_name_of_the_services_own_is_refused_before_it_is_asked() {
    let moto = Moto::start(&ALL);
    let world = added(&moto, []);
    let before = asked(&moto);
    for path in ["aws/service/x", "AWSx", "ssm/x", "Ssm-x"] {
        let reference = format!("store://aws/{path}");
        let run = world.command(["-v", "secret", "set", &reference]).input("x").run();
        run.exits(2).stderr_has("begins with `aws` or `ssm`");
    }
    assert_eq!(asked(&moto), before);
    get(&world, "store://aws/aws/service/x").exits(3);
}
