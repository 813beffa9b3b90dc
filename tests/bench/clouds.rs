//! One secret out of a server that plays AWS: the program beside AWS' own command line and beside curl, which signs as well.

use std::process::{Command, Stdio};

use forge_tests::servers::moto::{Moto, REGION};
use forge_tests::world::World;

use super::processes::get;
use super::{ROUNDS, row, turn_by_turn};

/// The provider `aws` of this server, in a world that has its key.
pub(super) fn world(moto: &Moto) -> World {
    let world = World::new().with("AWS_ACCESS_KEY_ID", &moto.access_key_id);
    let world = world.with("AWS_SECRET_ACCESS_KEY", &moto.secret_access_key);
    let (origin, region) = (format!("endpoint={}", moto.origin()), format!("region={REGION}"));
    let add = ["provider", "add", "aws", "--plugin", "aws", "--yes", "--set", &origin, "--set", &region];
    let credential = format!("aws-sigv4,{region},service=secretsmanager,login-endpoint={}", moto.origin());
    let add = world.command(add).and(["--credential", &credential, "--credential-audience", moto.origin()]);
    add.run().exits(0);
    world
}

/// AWS' own command line, where it is on `PATH`.
fn own(world: &World, moto: &Moto) -> Option<Command> {
    let mut command = Command::new("aws");
    command.args(["secretsmanager", "get-secret-value", "--secret-id", "many/00000", "--query", "SecretString"]);
    command.args(["--endpoint-url", moto.origin(), "--region", REGION, "--output", "text"]);
    command.env("HOME", world.home()).envs(world.variables());
    let works = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    works.is_ok_and(|status| status.success()).then_some(command)
}

/// curl, which signs the same request.
fn curl(moto: &Moto) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--fail", "--noproxy", "*", "--data", r#"{"SecretId":"many/00000"}"#]);
    command.args(["--aws-sigv4", &format!("aws:amz:{REGION}:secretsmanager")]);
    command.args(["--user", &format!("{}:{}", moto.access_key_id, moto.secret_access_key)]);
    command.args(["-H", "content-type: application/x-amz-json-1.1"]);
    command.args(["-H", "x-amz-target: secretsmanager.GetSecretValue", moto.origin()]);
    command
}

/// One read by each of them.
pub(super) fn aws() {
    let moto = Moto::filled(&["secretsmanager:*", "sts:*"], 1);
    let world = world(&moto);
    let mut forge = get(&world, "store://aws/many/00000");
    forge.envs(world.variables());
    let mut commands = vec![("forge secret get store://aws/…", forge), ("curl --aws-sigv4", curl(&moto))];
    commands.extend(own(&world, &moto).map(|command| ("aws secretsmanager get-secret-value", command)));
    let times = turn_by_turn(ROUNDS, &mut commands);
    println!("\nwhole processes, one secret from a server that plays AWS, median of {ROUNDS}");
    row("curl --aws-sigv4", times[1], None);
    row("secret get, from AWS", times[0], Some(("curl --aws-sigv4", times[1])));
    match times.get(2) {
        Some(time) => row("the AWS CLI", *time, Some(("secret get", times[0]))),
        None => println!("  the AWS CLI is not on PATH and was not measured"),
    }
}
