//! Logins of AWS over the real program: roles and web identities at moto, which checks what they sign, and machines and
//! containers at a stand-in that boto3 takes its keys from as well.

use forge_tests::outcome::Outcome;
use forge_tests::servers::metadata::Metadata;
use forge_tests::servers::moto::{ACCOUNT, Moto, REGION};
use forge_tests::terminal::Terminal;
use forge_tests::world::World;

use super::{aws_world, get, set};

/// A provider `aws` whose key comes from where `more` says.
fn add(world: &World, moto: &Moto, more: &str) -> Outcome {
    let origin = moto.origin();
    let run = world.command(["provider", "add", "aws", "--plugin", "aws", "--yes"]);
    let run = run.and(["--set", &format!("region={REGION}"), "--set", &format!("endpoint={origin}")]);
    let common = format!("aws-sigv4,region={REGION},service=secretsmanager,login-endpoint={origin}");
    run.and(["--credential", &format!("{common},{more}"), "--credential-audience", origin]).run()
}

fn aws_config(world: &World, text: &str) {
    let folder = world.home().join(".aws");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config"), text).unwrap();
}

/// A server with a role `reader` that may do everything with secrets, and its ARN.
fn with_role() -> (Moto, String) {
    let moto = Moto::start(&["sts:*", "secretsmanager:*", "iam:*"]);
    let arn = moto.boto3(
        r#"
def policy(**more):
    return json.dumps(dict(Version="2012-10-17", Statement=[dict(Effect="Allow", **more)]))
iam = client("iam")
trust = policy(Principal=dict(AWS="*"), Action="sts:AssumeRole")
arn = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=policy(Action=["secretsmanager:*", "sts:*"], Resource="*"))
answer(arn)
"#,
    );
    (moto, arn.as_str().unwrap().to_owned())
}

#[test]
fn a_role_is_assumed_once_for_many_commands_and_the_identity_says_so() {
    let (moto, role) = with_role();
    let world = aws_world(&moto);
    let keys = "access-key-id=env:AWS_ACCESS_KEY_ID,secret-access-key=env:AWS_SECRET_ACCESS_KEY";
    add(&world, &moto, &format!("{keys},role={role},external-id=x1,session-name=ci")).succeeds();
    world
        .forge(["provider", "info", "aws"])
        .succeeds()
        .stdout_has(&format!("assumed-role/reader/ci (account: {ACCOUNT})"));
    set(&world, "store://aws/app/db", "hunter2").succeeds();
    get(&world, "store://aws/app/db").succeeds().stdout_is("hunter2");
    // Each command asks its one question and no other: the session is kept, and so is what the first login cost.
    let asked = || moto.log().matches("POST / ").count();
    for _ in 0..2 {
        let before = asked();
        get(&world, "store://aws/app/db").succeeds();
        assert_eq!(asked() - before, 1);
    }
    // Without keeping it the same command assumes the role once more.
    let before = asked();
    world.forge(["--no-token-cache", "secret", "get", "store://aws/app/db"]).succeeds();
    assert_eq!(asked() - before, 2);
}

#[test]
fn a_profile_with_a_role_is_followed_as_awss_own_tools_follow_it() {
    let (moto, role) = with_role();
    let world = World::new();
    let (id, secret) = (&moto.access_key_id, &moto.secret_access_key);
    let config = format!(
        "[profile dev]\nrole_arn = {role}\nsource_profile = base\nregion = {REGION}\n\
         [profile base]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
    );
    aws_config(&world, &config);
    add(&world, &moto, "profile=dev").succeeds();
    set(&world, "store://aws/app/db", "hunter2").succeeds();
    get(&world, "store://aws/app/db").succeeds().stdout_is("hunter2");
    aws_config(&world, "[profile other]\n");
    get(&world, "store://aws/app/db").exits(5).stderr_has("the profile `dev`");
}

#[test]
fn a_token_of_somebody_else_buys_the_role_without_any_key() {
    let (moto, role) = with_role();
    let world = World::new();
    // This server answers 500 to whatever is not signed, so its checks begin behind the login.
    moto.lets_pass(1);
    let token = world.file("token", "header.payload.signature\n");
    add(&world, &moto, &format!("method=web-identity,web-identity-token=file:{token},role={role}")).succeeds();
    set(&world, "store://aws/app/db", "hunter2").succeeds();
    get(&world, "store://aws/app/db").succeeds().stdout_is("hunter2");
}

#[test]
fn machines_and_containers_give_keys_as_they_give_them_to_boto3() {
    let (moto, role) = with_role();
    let session = moto.boto3(&format!(
        r#"
given = client("sts").assume_role(RoleArn="{role}", RoleSessionName="machine")["Credentials"]
answer([given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]])
"#
    ));
    let part = |at: usize| session[at].as_str().unwrap().to_owned();
    let server = Metadata::start([&part(0), &part(1), &part(2)]);
    let origin = &server.origin;
    // What it plays counts only if a client that knows nothing of forge is content with it.
    let told = moto.boto3(&format!(
        r#"
import os
from botocore.utils import ContainerMetadataFetcher, InstanceMetadataFetcher
machine = InstanceMetadataFetcher(base_url="{origin}/", config=dict(ec2_metadata_v1_disabled=True)).retrieve_iam_role_credentials()
task = ContainerMetadataFetcher().retrieve_full_uri("{origin}/v2/credentials/task", headers=dict(Authorization="token-of-the-task"))
answer([machine["access_key"], task["AccessKeyId"]])
"#
    ));
    assert_eq!(told, serde_json::json!([part(0), part(0)]));

    let world = World::new();
    add(&world, &moto, &format!("method=instance,metadata-endpoint={origin}")).succeeds();
    set(&world, "store://aws/app/db", "of the machine").succeeds();
    get(&world, "store://aws/app/db").succeeds().stdout_is("of the machine");

    let world = World::new()
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{origin}/v2/credentials/task"))
        .with("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token-of-the-task");
    add(&world, &moto, &format!("method=container,metadata-endpoint={origin}")).succeeds();
    get(&world, "store://aws/app/db").succeeds().stdout_is("of the machine");
    // Without a word of the person's the variable's endpoint gets nothing.
    let world = World::new().with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{origin}/v2/credentials/task"));
    add(&world, &moto, "method=container").succeeds().stderr_has("`metadata-endpoint=…`");
    get(&world, "store://aws/app/db").exits(5).stderr_has("`metadata-endpoint=…`");
}

#[test]
fn a_program_that_a_profile_names_is_started_only_where_the_person_says_so() {
    let moto = Moto::start(&["sts:*", "secretsmanager:*"]);
    let world = World::new();
    let key = serde_json::json!({
        "Version": 1, "AccessKeyId": moto.access_key_id, "SecretAccessKey": moto.secret_access_key
    });
    let key = world.file("key of it.json", key.to_string());
    aws_config(&world, &format!("[profile dev]\ncredential_process = cat \"{key}\"\n"));
    add(&world, &moto, "profile=dev").succeeds().stderr_has("`credential-process=allow`");
    get(&world, "store://aws/app/db").exits(5).stderr_has("`credential-process=allow`");
    let world = World::new();
    aws_config(&world, &format!("[profile dev]\ncredential_process = cat \"{key}\"\n"));
    add(&world, &moto, "profile=dev,credential-process=allow").succeeds();
    set(&world, "store://aws/app/db", "hunter2").succeeds();
    aws_config(&world, "[profile dev]\ncredential_process = /nowhere/at-all\n");
    get(&world, "store://aws/app/db").exits(5).stderr_has("/nowhere/at-all");
}

#[test]
fn the_code_of_a_device_is_asked_in_a_terminal_and_its_session_is_kept() {
    let (moto, role) = with_role();
    let world = aws_world(&moto);
    let device = format!("arn:aws:iam::{ACCOUNT}:mfa/me");
    let keys = "access-key-id=env:AWS_ACCESS_KEY_ID,secret-access-key=env:AWS_SECRET_ACCESS_KEY";
    let more = format!("{keys},role={role},mfa-serial={device}");
    add(&world, &moto, &more).succeeds().stderr_has(&device);
    get(&world, "store://aws/app/db").exits(5).stderr_has("forge provider test");
    let mut terminal = Terminal::start(&world, ["provider", "test", "aws"]);
    terminal.sees(&format!("code of {device}: "));
    terminal.types("654321");
    let (screen, code) = terminal.ends();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("654321"), "{screen}");
    // Nobody is asked while the session lives.
    set(&world, "store://aws/app/db", "hunter2").succeeds();
    get(&world, "store://aws/app/db").succeeds().stdout_is("hunter2");
}
