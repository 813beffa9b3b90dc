//! A thousand secrets at once out of each backend, beside one client that keeps its connections and asks as many at a time.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use forge_tests::library;
use forge_tests::servers::azure::{Azure, CLIENT, SECRET, TENANT};
use forge_tests::servers::google::Google;
use forge_tests::servers::moto::Moto;
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::World;
use serde_json::json;

use super::{clouds, median, row};

/// How many secrets are read at once.
const MANY: usize = 1_000;

/// How many of them forge asks for at a time (`PARALLEL` of the resolver).
const AT_A_TIME: &str = "8";

/// How often the servers that are quick are asked.
const TIMES: usize = 5;

/// The same requests by another client.
struct Client {
    /// What it says before its URLs.
    arguments: Vec<String>,
    urls: Vec<String>,
}

impl Client {
    /// curl in one process, with as many transfers at a time.
    fn run(&self, world: &World) -> Duration {
        let lines: String = self.urls.iter().map(|url| format!("url = \"{url}\"\noutput = /dev/null\n")).collect();
        let file = world.file("urls", &lines);
        let mut command = Command::new("curl");
        command.args(["--silent", "--fail", "--noproxy", "*", "--parallel", "--parallel-max", AT_A_TIME]);
        command.args(&self.arguments).arg("--config").arg(file).stdin(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        assert!(command.status().unwrap().success(), "curl failed");
        begun.elapsed()
    }
}

/// Reads so many secrets through the libraries, from what a process has to make first to the last value; answers with how
/// many requests that took.
fn read(world: &World, provider: &str, plugin: &str, paths: &[String]) -> (Duration, usize) {
    let requests = || world.audit().iter().filter(|record| record["event"] == "request").count();
    let (before, begun) = (requests(), Instant::now());
    let resolver = library::resolver(world, provider, plugin);
    let answers = library::read_many(&resolver, paths);
    let took = begun.elapsed();
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Some(_)))));
    (took, requests() - before)
}

/// Compiles the plugin, which is kept, and logs in.
fn warm(world: &World, provider: &str, plugin: &str, paths: &[String]) {
    read(world, provider, plugin, &paths[..1]);
}

/// Reads by both, turn by turn.
fn compare(
    name: &str,
    times: usize,
    world: &World,
    (provider, plugin): (&str, &str),
    paths: &[String],
    client: &Client,
) {
    let (mut own, mut others, mut asked) = (Vec::new(), Vec::new(), 0);
    warm(world, provider, plugin, paths);
    for _ in 0..times {
        let (took, requests) = read(world, provider, plugin, paths);
        own.push(took);
        others.push(client.run(world));
        asked = requests;
    }
    let (own, others) = (median(own), median(others));
    row(&format!("curl, {AT_A_TIME} at a time, from {name}"), others, None);
    row(&format!("forge in {asked} requests, from {name}"), own, Some(("curl", others)));
}

/// Each backend in turn.
pub(super) fn many() {
    println!("\n{MANY} secrets, from opening the provider to the last value");
    aws();
    openbao();
    azure();
    google();
}

fn aws() {
    let moto = Moto::filled(&["secretsmanager:*", "sts:*"], MANY);
    let world = clouds::world(&moto);
    let paths: Vec<String> = (0..MANY).map(|number| format!("many/{number:05}")).collect();
    warm(&world, "aws", "aws", &paths);
    let (took, requests) = read(&world, "aws", "aws", &paths);
    row(&format!("forge in {requests} requests, from AWS (moto), once"), took, None);
}

fn openbao() {
    let server = OpenBao::start();
    let world = World::new().with("VAULT_TOKEN", ROOT);
    let address = format!("address={}", server.address());
    world.forge(["provider", "add", "bao", "--plugin", "vault", "--set", &address, "--yes"]).exits(0);
    let paths: Vec<String> = (0..MANY).map(|number| format!("many/{number}")).collect();
    let urls: Vec<String> = paths.iter().map(|path| format!("{}/v1/secret/data/{path}", server.address())).collect();
    let token = format!("X-Vault-Token: {ROOT}");
    let fill = ["-H", &token, "--data", r#"{"data":{"value":"a value of usual length"}}"#];
    let fill = Client { arguments: fill.map(str::to_owned).to_vec(), urls: urls.clone() };
    fill.run(&world);
    let client = Client { arguments: vec!["-H".to_owned(), token], urls };
    compare("OpenBao", TIMES, &world, ("bao", "vault"), &paths, &client);
}

fn azure() {
    let azure = Azure::start();
    azure.fill(u32::try_from(MANY).unwrap());
    let world = World::new().with("AZURE_TENANT_ID", TENANT).with("AZURE_CLIENT_ID", CLIENT);
    let world = world.with("AZURE_CLIENT_SECRET", SECRET);
    let (origin, ca) = (azure.origin(), azure.ca());
    let add = ["provider", "add", "kv", "--plugin", "azure", "--yes", "--set", &format!("vault-url={origin}")];
    let add = world.command(add).and(["--tls-ca", ca.to_str().unwrap(), "--credential-audience", origin]);
    let credential = format!("azure-ad,resource=https://vault.azure.net,login-endpoint={origin}");
    add.and(["--credential", &credential]).run().exits(0);
    let form = format!(
        "grant_type=client_credentials&client_id={CLIENT}&client_secret={}&scope=https%3A%2F%2Fvault.azure.net%2F.default",
        SECRET.replace('+', "%2B")
    );
    let token = azure.token(TENANT, &form).has_status(200).json()["access_token"].as_str().unwrap().to_owned();
    let paths: Vec<String> = (0..MANY).map(|number| format!("many-{number:05}")).collect();
    let urls = paths.iter().map(|path| format!("{origin}/secrets/{path}?api-version=7.4")).collect();
    let arguments = ["--cacert", ca.to_str().unwrap(), "-H", &format!("authorization: Bearer {token}")];
    let client = Client { arguments: arguments.map(str::to_owned).to_vec(), urls };
    compare("Azure (our own)", 1, &world, ("kv", "azure"), &paths, &client);
}

fn google() {
    let server = Google::start();
    server.front(&json!({ "fill": MANY }));
    let world = World::new();
    let origin = server.origin();
    let add = ["provider", "add", "gcp", "--plugin", "gcp", "--yes", "--set", "project=my-project"];
    let add = world.command(add).and(["--set", &format!("endpoint={origin}"), "--credential-audience", origin]);
    add.and(["--credential", &server.credential()]).run().exits(0);
    let token = server.client("answer(account.token)");
    let paths: Vec<String> = (0..MANY).map(|number| format!("many-{number:05}")).collect();
    let url = |path: &String| format!("{origin}/v1/projects/my-project/secrets/{path}/versions/latest:access");
    let urls = paths.iter().map(url).collect();
    let arguments = ["-H".to_owned(), format!("authorization: Bearer {}", token.as_str().unwrap())];
    let client = Client { arguments: arguments.to_vec(), urls };
    compare("Google (drongo)", 1, &world, ("gcp", "gcp"), &paths, &client);
}
