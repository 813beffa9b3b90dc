//! A program with 100 secrets, as a shell starts it, beside one curl that fetches the same and starts nothing.

use std::fmt::Write as _;
use std::process::Command;

use forge_tests::servers::moto::{Moto, REGION};
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::{World, program};

use super::{ROUNDS, clouds, row, turn_by_turn};

/// How many secrets the program is given.
const SECRETS: usize = 100;

/// How many of them AWS gives at once ("AWS Secrets Manager API Reference, BatchGetSecretValue").
const BATCH: usize = 20;

/// A project with these secrets in the world's working directory, and a program that gets them and does nothing.
fn forge(world: &World, reference: impl Fn(usize) -> String) -> Command {
    let mut project = "[secrets]\n".to_owned();
    for number in 0..SECRETS {
        writeln!(project, "V{number} = \"{}\"", reference(number)).unwrap();
    }
    std::fs::write(world.path("work/forge.toml"), project).unwrap();
    world.forge(["allow", "--yes"]).exits(0);
    let all = format!("test -n \"$V0\" && test -n \"$V{}\"", SECRETS - 1);
    world.forge(["run", "--", "sh", "-c", &all]).exits(0);
    let mut command = Command::new(program());
    command.args(["run", "--", "/bin/true"]).current_dir(world.path("work")).env_clear();
    command.env("HOME", world.home()).envs(world.variables());
    command
}

fn compare(name: &str, curl: Command, forge: Command) {
    let mut commands = [("forge run", forge), ("curl", curl)];
    let times = turn_by_turn(ROUNDS, &mut commands);
    row(name, times[1], None);
    row("forge run -- /bin/true", times[0], Some(("curl", times[1])));
}

/// Each backend in turn.
pub(super) fn run() {
    println!("\nwhole processes, a program with {SECRETS} secrets, median of {ROUNDS}");
    openbao();
    aws();
}

fn openbao() {
    let server = OpenBao::start();
    let world = World::new().with("VAULT_TOKEN", ROOT);
    let address = format!("address={}", server.address());
    world.forge(["provider", "add", "bao", "--plugin", "vault", "--set", &address, "--yes"]).exits(0);
    let mut urls = String::new();
    for number in 0..SECRETS {
        server.root("POST", &format!("secret/data/many/{number}"), r#"{"data":{"value":"of usual length"}}"#);
        let url = format!("{}/v1/secret/data/many/{number}", server.address());
        write!(urls, "url = \"{url}\"\noutput = /dev/null\n").unwrap();
    }
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--noproxy", "*", "--parallel", "--parallel-max", "8"]);
    curl.args(["-H", &format!("X-Vault-Token: {ROOT}"), "--config", &world.file("urls", &urls)]);
    compare(
        "curl -Z --parallel-max 8, from OpenBao",
        curl,
        forge(&world, |number| format!("store://bao/many/{number}")),
    );
}

fn aws() {
    let moto = Moto::filled(&["secretsmanager:*", "sts:*"], SECRETS);
    let world = clouds::world(&moto);
    let mut curl = Command::new("curl");
    for batch in 0..SECRETS / BATCH {
        if batch > 0 {
            curl.arg("--next");
        }
        let names = (batch * BATCH..(batch + 1) * BATCH).map(|number| format!("\"many/{number:05}\""));
        let body = format!("{{\"SecretIdList\":[{}]}}", names.collect::<Vec<_>>().join(","));
        curl.args(["--silent", "--fail", "--noproxy", "*", "--data", &body, "--output", "/dev/null"]);
        curl.args(["--aws-sigv4", &format!("aws:amz:{REGION}:secretsmanager")]);
        curl.args(["--user", &format!("{}:{}", moto.access_key_id, moto.secret_access_key)]);
        curl.args(["-H", "content-type: application/x-amz-json-1.1"]);
        curl.args(["-H", "x-amz-target: secretsmanager.BatchGetSecretValue", moto.origin()]);
    }
    let forge = forge(&world, |number| format!("store://aws/many/{number:05}"));
    compare("curl, five batches in turn, from AWS (moto)", curl, forge);
}
