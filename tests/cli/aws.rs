//! AWS Secrets Manager as moto plays it, with signatures and policies checked, and boto3, a client that knows nothing of
//! forge.

use forge_tests::servers::moto::{ACCOUNT, Moto, REGION};
use forge_tests::world::World;

use super::{add_aws, aws_world, get, set};

const ALL: [&str; 2] = ["secretsmanager:*", "sts:*"];

fn added(moto: &Moto) -> World {
    let world = aws_world(moto);
    add_aws(&world, moto, []).succeeds();
    world
}

/// How many requests the server got so far.
fn asked(moto: &Moto) -> usize {
    moto.log().matches("POST / ").count()
}

#[test]
fn what_forge_writes_boto3_reads() {
    let moto = Moto::start(&ALL);
    let world = added(&moto);
    let tagged = world.command(["secret", "set", "store://aws/app/db", "--tag", "team=web", "--tag", "tier=1"]);
    tagged.input("hunter2").run().succeeds();
    set(&world, "store://aws/app/key", b"\xff\xfe\x00").succeeds();
    set(&world, "store://aws/app/db", "second").succeeds();
    let more = world.command(["secret", "set", "store://aws/app/db", "--tag", "tier=2"]).input("third").run();
    more.succeeds();
    let read = moto.boto3(
        r#"
sm = client("secretsmanager")
known = sm.describe_secret(SecretId="app/db")
answer([
    sm.get_secret_value(SecretId="app/db", VersionStage="AWSCURRENT")["SecretString"],
    sm.get_secret_value(SecretId="app/db", VersionStage="AWSPREVIOUS")["SecretString"],
    list(sm.get_secret_value(SecretId="app/key")["SecretBinary"]),
    sorted((tag["Key"], tag["Value"]) for tag in known["Tags"]),
    known.get("KmsKeyId"),
])
"#,
    );
    let tags = serde_json::json!([["team", "web"], ["tier", "2"]]);
    let expected = serde_json::json!(["third", "second", [255, 254, 0], tags, "alias/aws/secretsmanager"]);
    // The alias is that of the service's own key, which this server leaves out.
    let own = read.as_array().unwrap().iter().zip(expected.as_array().unwrap()).take(4);
    own.for_each(|(read, expected)| assert_eq!(read, expected));
    assert!(read[4].is_null() || read[4] == expected[4], "{read}");
    world.forge(["secret", "delete", "store://aws/app/key", "--yes"]).succeeds();
    let deleted = moto.boto3(
        r#"
known = client("secretsmanager").describe_secret(SecretId="app/key")
answer((known["DeletedDate"].timestamp() - known["CreatedDate"].timestamp()) / 86400)
"#,
    );
    assert!((29.9..30.1).contains(&deleted.as_f64().unwrap()), "{deleted}");
}

#[test]
fn what_boto3_writes_forge_reads() {
    let moto = Moto::start(&ALL);
    let world = added(&moto);
    let made = moto.boto3(
        r#"
sm = client("secretsmanager")
made = sm.create_secret(Name="app/db", SecretString="first", Description="of the app", Tags=[dict(Key="team", Value="web")])
second = sm.put_secret_value(SecretId="app/db", SecretBinary=b"\xff\x00")
sm.create_secret(Name="app/empty")
sm.create_secret(Name="/app/rooted", SecretString="rooted")
answer([made["ARN"], made["VersionId"], second["VersionId"]])
"#,
    );
    let part = |at: usize| made[at].as_str().unwrap().to_owned();
    let (arn, first) = (part(0), part(1));
    let reads = |reference: &str, value: &[u8]| {
        get(&world, &format!("store://aws/{reference}")).succeeds().stdout_is(value);
    };
    reads("app/db", b"\xff\x00");
    reads(&arn, b"\xff\x00");
    reads(arn.rsplit_once('-').unwrap().0, b"\xff\x00");
    reads(&format!("app/db?version={first}"), b"first");
    reads("app/db?version=AWSPREVIOUS", b"first");
    reads(&format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:/app/rooted"), b"rooted");
    // One that was made without a value is none yet, and takes its first one.
    get(&world, "store://aws/app/empty").exits(3);
    set(&world, "store://aws/app/empty", "x").succeeds();
    reads("app/empty", b"x");
    let shown = world.forge(["secret", "describe", "store://aws/app/db"]).succeeds().text();
    for part in ["tag        team = web", "also       description = of the app", &format!("also       arn = {arn}")] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let versions = world.forge(["--json", "secret", "versions", "store://aws/app/db"]).succeeds().json();
    let labels: Vec<&str> =
        versions["versions"].as_array().unwrap().iter().map(|v| v["labels"][0].as_str().unwrap()).collect();
    assert_eq!(labels, ["AWSCURRENT", "AWSPREVIOUS"]);
    // Each undoes what the other did.
    world.forge(["secret", "rollback", "store://aws/app/db", "--to", "AWSPREVIOUS"]).succeeds();
    let current = moto.boto3(
        r#"
sm = client("secretsmanager")
sm.delete_secret(SecretId="app/empty", RecoveryWindowInDays=7)
answer(sm.get_secret_value(SecretId="app/db", VersionStage="AWSCURRENT")["SecretString"])
"#,
    );
    assert_eq!(current, "first");
    get(&world, "store://aws/app/empty").exits(3);
    world.forge(["secret", "recover", "store://aws/app/empty"]).succeeds();
    reads("app/empty", b"x");
}

#[test]
fn a_new_secret_is_encrypted_with_the_key_that_was_granted() {
    let moto = Moto::start(&ALL);
    let world = aws_world(&moto);
    add_aws(&world, &moto, ["--set", "kms-key=alias/mine"]).succeeds();
    set(&world, "store://aws/a", "x").succeeds();
    let key = moto.boto3(r#"answer(client("secretsmanager").describe_secret(SecretId="a")["KmsKeyId"])"#);
    assert_eq!(key, "alias/mine");
    // A key of somebody else's is named by its ARN, which no grant takes.
    let run = world.command(["provider", "add", "other", "--plugin", "aws", "--yes", "--set", "kms-key=arn:aws:kms:x"]);
    let run = run.and(["--set", &format!("region={REGION}"), "--set", &format!("endpoint={}", moto.origin())]);
    run.run().exits(2).stderr_has("`arn:`");
}

#[test]
fn a_field_is_written_over_the_version_that_was_read_and_leaves_no_label() {
    let moto = Moto::start(&ALL);
    let world = added(&moto);
    let field = |name: &str, value: &str| set(&world, &format!("store://aws/app/db#{name}"), value);
    field("user", "app").succeeds();
    field("password", "hunter2").succeeds();
    field("password", "hunter3").succeeds();
    get(&world, "store://aws/app/db").succeeds().stdout_is(r#"{"user":"app","password":"hunter3"}"#);
    let labels = moto.boto3(
        r#"
known = client("secretsmanager").describe_secret(SecretId="app/db")
answer(sorted(label for labels in known["VersionIdsToStages"].values() for label in labels))
"#,
    );
    assert_eq!(labels, serde_json::json!(["AWSCURRENT", "AWSPREVIOUS"]));
}

#[test]
fn writers_at_the_same_time_lose_nothing_of_each_other() {
    let moto = Moto::start(&ALL);
    let world = added(&moto);
    set(&world, "store://aws/app/db", "{}").succeeds();
    let write = |field: String| {
        // Who loses again and again says so; a person or a script then tries anew.
        let tries =
            (0..10).any(|_| set(&world, &format!("store://aws/app/db#{field}"), field.as_str()).code == Some(0));
        assert!(tries, "{field}");
    };
    std::thread::scope(|scope| {
        for writer in ["a", "b", "c"] {
            scope.spawn(move || (0..4).for_each(|number| write(format!("{writer}{number}"))));
        }
    });
    let object: serde_json::Value = serde_json::from_str(&get(&world, "store://aws/app/db").succeeds().text()).unwrap();
    assert_eq!(object.as_object().unwrap().len(), 12, "{object}");
}

#[test]
fn a_long_listing_is_whole_and_costs_one_request_for_a_hundred_names() {
    let moto = Moto::start(&ALL);
    let world = added(&moto);
    moto.boto3(
        r#"
sm = client("secretsmanager")
for number in range(230):
    sm.create_secret(Name=f"many/{number:03}", SecretString="x")
sm.create_secret(Name="many-more", SecretString="x")
sm.create_secret(Name="other/many", SecretString="x")
"#,
    );
    let before = asked(&moto);
    let listed = world.forge(["secret", "list", "store://aws/many"]).succeeds().text();
    let expected: Vec<String> = (0..230).map(|number| format!("many/{number:03}")).collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    assert_eq!(asked(&moto) - before, 3);
    let all = world.forge(["secret", "list", "store://aws"]).succeeds().text();
    assert_eq!(all.lines().count(), 232);
}

#[test]
fn a_prefix_an_account_and_a_region_bound_everything() {
    let moto = Moto::start(&ALL);
    let world = aws_world(&moto);
    add_aws(&world, &moto, ["--set", "prefix=app/"]).succeeds();
    let arns = moto.boto3(
        r#"
sm = client("secretsmanager")
names = ["app/db", "apple", "other/db"]
answer([sm.create_secret(Name=name, SecretString="canary " + name)["ARN"] for name in names])
"#,
    );
    let arn = |at: usize| arns[at].as_str().unwrap().to_owned();
    get(&world, "store://aws/app/db").succeeds().stdout_is("canary app/db");
    get(&world, &format!("store://aws/{}", arn(0))).succeeds().stdout_is("canary app/db");
    world.forge(["secret", "list", "store://aws"]).succeeds().stdout_is("app/db\n");
    world.forge(["secret", "list", "store://aws/other"]).succeeds().stdout_is("");
    let before = asked(&moto);
    let foreign = arn(0).replace(ACCOUNT, "999999999999");
    let elsewhere = arn(0).replace(REGION, "us-east-1");
    for name in ["apple", "other/db", &arn(1), &arn(2), &foreign, &elsewhere] {
        let reference = format!("store://aws/{name}");
        get(&world, &reference).exits(8).stdout_is("").stderr_has("`SecretId`");
        set(&world, &reference, "x").exits(8);
        for command in ["describe", "versions", "recover"] {
            world.forge(["secret", command, &reference]).exits(8);
        }
        for command in ["delete", "purge"] {
            world.forge(["secret", command, &reference, "--yes"]).exits(8);
        }
        world.forge(["secret", "rollback", &reference, "--to", "AWSPREVIOUS"]).exits(8);
    }
    assert_eq!(asked(&moto), before, "nothing of it reached the server");
    let info = world.forge(["provider", "info", "aws"]).succeeds().text();
    assert!(info.contains(&format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:app/")), "{info}");
}

#[test]
fn a_grant_says_what_it_does_not_know_yet_and_learns_the_account_from_the_key_alone() {
    let moto = Moto::start(&ALL);
    let world = aws_world(&moto);
    let shown = add_aws(&world, &moto, ["--dry-run"]);
    shown.succeeds().stderr_has("arn:aws:secretsmanager:eu-central-1:{account}:secret:");
    shown.stderr_has("{account}, asked of the credential's server");
    // Where nobody tells it, no ARN is granted; a person may say it.
    let credential = format!("aws-sigv4,region={REGION},service=secretsmanager");
    let add = |name: &str, more: &str| {
        let run = world.command(["provider", "add", name, "--plugin", "aws", "--yes", "--credential", &credential]);
        let endpoint = format!("endpoint={}", moto.origin());
        let run =
            run.and(["--set", &format!("region={REGION}"), "--set", &endpoint, "--credential-audience", moto.origin()]);
        if more.is_empty() { run.run() } else { run.and(["--set", more]).run() }
    };
    let made = moto.boto3(r#"answer(client("secretsmanager").create_secret(Name="a", SecretString="x")["ARN"])"#);
    let read = |name: &str| get(&world, &format!("store://{name}/{}", made.as_str().unwrap()));
    add("unknown", "").succeeds().stderr_has("`{account}` is not known").stderr_has("`--set account=…`");
    read("unknown").exits(8);
    get(&world, "store://unknown/a").succeeds().stdout_is("x");
    add("said", &format!("account={ACCOUNT}")).succeeds();
    read("said").succeeds().stdout_is("x");
    add("other", "account=999999999999").succeeds();
    read("other").exits(8);
    add("any", "account=any").succeeds().stderr_has("(where `*` is anything)");
    read("any").succeeds().stdout_is("x");
}

#[test]
fn a_project_is_granted_its_prefix_in_the_account_of_the_users_key() {
    let moto = Moto::start(&ALL);
    let world = aws_world(&moto);
    let origin = moto.origin();
    let made = r#"
sm = client("secretsmanager")
answer([sm.create_secret(Name=name, SecretString="canary " + name)["ARN"] for name in ["app/db", "other/db"]])
"#;
    let arns = moto.boto3(made);
    let project = |prefix: &str| {
        let settings = format!("region = \"{REGION}\", endpoint = \"{origin}\", prefix = \"{prefix}\"");
        let text = format!("[providers.prod]\nplugin = \"aws\"\nsettings = {{ {settings} }}\n");
        std::fs::write(world.path("work/forge.toml"), text).unwrap();
    };
    project("app/");
    // Where the key goes is the user's word and none of the project's.
    world.forge(["allow", "--yes"]).exits(8).stderr_has("credential-audience");
    let credential = format!("prod=aws-sigv4,region={REGION},service=secretsmanager,login-endpoint={origin}");
    let allow = world.command(["allow", "--yes", "--credential", &credential]);
    let allowed = allow.and(["--credential-audience", &format!("prod={origin}")]).run();
    allowed.succeeds().stderr_has(":{account}:secret:app/");
    get(&world, &format!("store://prod/{}", arns[0].as_str().unwrap())).succeeds().stdout_is("canary app/db");
    get(&world, &format!("store://prod/{}", arns[1].as_str().unwrap())).exits(8).stdout_is("");
    // A wider prefix is another project, which nobody has allowed.
    project("");
    get(&world, "store://prod/app/db").exits(8).stdout_is("").stderr_has("`forge allow`");
}

#[test]
fn a_region_that_is_none_is_told_by_its_rule() {
    let world = World::new().with("AWS_ACCESS_KEY_ID", "AKIDEXAMPLEEXAMPLE").with("AWS_SECRET_ACCESS_KEY", "x");
    let add = |region: &str| {
        let run = world.command(["provider", "add", "aws", "--plugin", "aws", "--yes"]);
        run.and(["--set", &format!("region={region}")]).run()
    };
    add("frankfurt").exits(2).stderr_has("setting `region` must be one such as `eu-central-1`");
}

#[test]
fn what_the_service_would_refuse_is_refused_before_it_is_asked() {
    let moto = Moto::start(&ALL);
    let world = added(&moto);
    let before = asked(&moto);
    for name in ["caf\u{e9}", "a b", "a:b", "a*b", "a~b"] {
        let reference = format!("store://aws/{name}");
        set(&world, &reference, "x").exits(2).stderr_has("ASCII letters");
        get(&world, &reference).exits(2).stderr_has("ASCII letters");
    }
    set(&world, "store://aws/empty", "").exits(2).stderr_has("at least one byte");
    set(&world, "store://aws/large", vec![b'x'; 65_537]).stderr_has("65,536");
    let options = [["--expires", "1d"], ["--content-type", "text/plain"], ["--tag", "aws:x=y"]];
    for [option, value] in options {
        world.command(["secret", "set", "store://aws/a", option, value]).input("x").run().exits(2);
    }
    world.forge(["secret", "disable", "store://aws/a?version=AWSCURRENT"]).exits(2);
    assert_eq!(asked(&moto), before);
}

#[test]
fn a_policy_that_lacks_an_action_is_told_and_a_key_that_only_reads_is_one_that_works() {
    let moto = Moto::start(&["secretsmanager:GetSecretValue", "sts:*"]);
    let world = added(&moto);
    world.forge(["provider", "test", "aws"]).succeeds();
    set(&world, "store://aws/app/db", "hunter2").exits(4).stderr_has("plugins/aws/README.md").never_shows("hunter2");
    world.forge(["secret", "list", "store://aws"]).exits(4);
    get(&world, "store://aws/app/db").exits(3);
}

#[test]
fn a_purge_with_the_key_of_another_account_deletes_nothing_there() {
    let moto = Moto::start(&ALL);
    let world = added(&moto);
    set(&world, "store://aws/app/db", "own").succeeds();
    // A user of another account, who may do everything there.
    let key = moto.boto3(
        r#"
import urllib.request
def checks_after(count):
    kind = {"content-type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(origin + "/moto-api/reset-auth", count, kind, method="POST"))
checks_after(b"100")
role = client("sts").assume_role(RoleArn="arn:aws:iam::999999999999:role/any", RoleSessionName="any")["Credentials"]
there = dict(aws_access_key_id=role["AccessKeyId"], aws_secret_access_key=role["SecretAccessKey"], aws_session_token=role["SessionToken"])
iam = client("iam", **there)
iam.create_user(UserName="other")
statement = dict(Effect="Allow", Action="*", Resource="*")
iam.put_user_policy(UserName="other", PolicyName="all", PolicyDocument=json.dumps(dict(Version="2012-10-17", Statement=[statement])))
made = iam.create_access_key(UserName="other")["AccessKey"]
client("secretsmanager", **there).create_secret(Name="app/db", SecretString="canary of the other")
checks_after(b"0")
answer([made["AccessKeyId"], made["SecretAccessKey"]])
"#,
    );
    let other = |arguments: [&str; 3]| {
        let run = world.command(arguments).variable("AWS_ACCESS_KEY_ID", key[0].as_str().unwrap());
        run.variable("AWS_SECRET_ACCESS_KEY", key[1].as_str().unwrap())
    };
    // By its name a secret is that of whoever asks.
    let read = || other(["secret", "get", "store://aws/app/db"]).run();
    read().succeeds().stdout_is("canary of the other");
    other(["secret", "purge", "store://aws/app/db"]).and(["--yes"]).run().exits(8).stderr_has("`SecretId`");
    read().succeeds();
    // Where the account is said, a write that compares is held to it too.
    let add = |name: &str, account: &str| {
        let credential = format!("aws-sigv4,region={REGION},service=secretsmanager");
        let run = world.command(["provider", "add", name, "--plugin", "aws", "--yes", "--credential", &credential]);
        let run = run.and(["--set", &format!("region={REGION}"), "--set", &format!("endpoint={}", moto.origin())]);
        run.and(["--set", &format!("account={account}"), "--credential-audience", moto.origin()]).run().succeeds();
    };
    add("said", ACCOUNT);
    let field = |provider: &str| {
        let reference = format!("store://{provider}/app/map#field");
        other(["secret", "set", &reference]).input("x").run()
    };
    set(&world, "store://said/app/map", "{}").succeeds();
    set(&world, "store://said/app/map#field", "x").succeeds();
    other(["secret", "set", "store://said/app/map"]).input("{}").run().succeeds();
    field("said").exits(4);
    // Whoever says that any account is meant has this one as well.
    add("any", "any");
    field("any").succeeds();
    other(["secret", "purge", "store://any/app/db"]).and(["--yes"]).run().succeeds();
    read().exits(3);
    get(&world, "store://aws/app/db").succeeds().stdout_is("own");
}

#[test]
fn what_another_service_made_is_reached_by_its_name_and_no_name_like_it_is_made() {
    let moto = Moto::start(&ALL);
    let world = added(&moto);
    moto.boto3(r#"client("secretsmanager").create_secret(Name="rds!db-1", SecretString="managed")"#);
    get(&world, "store://aws/rds!db-1").succeeds().stdout_is("managed");
    world.forge(["secret", "list", "store://aws"]).succeeds().stdout_is("rds!db-1\n");
    world.forge(["secret", "list", "store://aws/rds!db-1"]).succeeds().stdout_is("rds!db-1\n");
    world.forge(["secret", "describe", "store://aws/rds!db-1"]).succeeds();
    set(&world, "store://aws/rds!db-2", "x").exits(2);
    get(&world, "store://aws/rds!db-2").exits(3);
    // To the service this would be everything else.
    let everything = moto.boto3(
        r#"
listed = client("secretsmanager").list_secrets(Filters=[dict(Key="name", Values=["!app"])])
answer([secret["Name"] for secret in listed["SecretList"]])
"#,
    );
    assert_eq!(everything, serde_json::json!(["rds!db-1"]));
    world.forge(["secret", "list", "store://aws/!app"]).exits(2).stdout_is("");
}

#[test]
fn a_label_as_long_as_an_id_is_read_and_rolled_back_to() {
    let moto = Moto::start(&ALL);
    let world = added(&moto);
    let label = "release-of-2026-11-22-before-the-migration";
    set(&world, "store://aws/app/db", "first").succeeds();
    set(&world, "store://aws/app/db", "second").succeeds();
    moto.boto3(&format!(
        r#"
sm = client("secretsmanager")
first = sm.get_secret_value(SecretId="app/db", VersionStage="AWSPREVIOUS")["VersionId"]
sm.update_secret_version_stage(SecretId="app/db", VersionStage="{label}", MoveToVersionId=first)
"#
    ));
    get(&world, &format!("store://aws/app/db?version={label}")).succeeds().stdout_is("first");
    world.forge(["secret", "rollback", "store://aws/app/db", "--to", label]).succeeds();
    get(&world, "store://aws/app/db").succeeds().stdout_is("first");
    let before = asked(&moto);
    let arn = format!("store://aws/arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:app/new");
    let run = world.command(["-v", "secret", "set", &arn, "--expected-version", ""]).input("x").run();
    run.exits(2).stderr_has("an ARN names a secret that is there");
    assert_eq!(asked(&moto), before);
}
