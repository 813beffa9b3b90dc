//! `make bench`: medians and ratios of one run, measured on the real program, a real server and the real plugins.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a bench prints, and fails by panicking"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use forge_broker::{Egress, Error, Options, Request, Source, Sources};
use forge_core::grant::{DirectoryGrant, Grant};
use forge_core::home::Home;
use forge_core::manifest::DirectoryMode;
use forge_core::provider::{CallLog, SecretProvider as _};
use forge_core::secret::PutOptions;
use forge_sandbox::{Calls, Compiler, Directory, Doors, Sandbox, Seal};
use forge_tests::library::{self, found};
use forge_tests::servers::moto::{Moto, REGION};
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::{World, program, root};
use secrecy::SecretString;

/// How often each thing is done; the median of so many moves by a few per cent between runs.
const PROCESSES: usize = 200;
const CALLS: usize = 1_000;
const INSTALLS: usize = 7;
const ROUNDS: usize = 50;

/// How many secrets are read at once.
const MANY: usize = 1_000;

/// How many secrets a store holds when it is measured.
const SIZES: [usize; 3] = [10, 1_000, 100_000];

/// Gives the root token of the bench's own server.
struct Root;

#[async_trait]
impl Sources for Root {
    async fn read(&self, _: &Source) -> Result<SecretString, Error> {
        Ok(SecretString::from(ROOT))
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Runs each of several commands `rounds` times, turn by turn, so that what disturbs one disturbs all.
fn turn_by_turn(rounds: usize, commands: &mut [(&str, Command)]) -> Vec<Duration> {
    let mut times = vec![Vec::new(); commands.len()];
    for round in 0..rounds + 5 {
        for (at, (name, command)) in commands.iter_mut().enumerate() {
            let begun = Instant::now();
            let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            let took = begun.elapsed();
            assert!(status.success(), "`{name}` failed");
            // The first rounds warm the caches.
            if round >= 5 {
                times[at].push(took);
            }
        }
    }
    times.into_iter().map(median).collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn row(name: &str, time: Duration, against: Option<(&str, Duration)>) {
    let ratio = against
        .map_or(String::new(), |(other, base)| format!("{:6.2} x {other}", time.as_secs_f64() / base.as_secs_f64()));
    println!("  {name:<44} {:9.3} ms  {ratio}", milliseconds(time));
}

/// `forge secret get`, as a shell would start it in this world.
fn get(world: &World, reference: &str) -> Command {
    let mut command = Command::new(program());
    command.args(["secret", "get", reference]).env_clear().env("HOME", world.home()).env("VAULT_TOKEN", ROOT);
    command
}

/// The most memory that a command has at once, in MiB: what the system counted for a child of Python's.
fn peak(command: &Command) -> f64 {
    const SCRIPT: &str = "import resource, subprocess, sys\n\
        subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n\
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT]).arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        python.env(name, value.unwrap());
    }
    let output = python.env("PATH", "/usr/local/bin:/usr/bin:/bin").output().unwrap();
    let kibibytes: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    kibibytes / 1024.0
}

/// secretspec reading the same kind of secret, where it is on `PATH`: a peer without a sandbox.
fn secretspec(world: &World, name: &str, provider: &str, variables: &[(&str, &str)]) -> Option<Command> {
    let folder = world.path(&format!("secretspec-{}", name.trim_start_matches('.')));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(".env"), "BENCH=a value of usual length\n").unwrap();
    let project =
        "[project]\nname = \"bench\"\nrevision = \"1.0\"\n[profiles.default]\nBENCH = { description = \"b\" }\n";
    std::fs::write(folder.join("secretspec.toml"), project).unwrap();
    let with = |action: &[&str]| {
        let mut command = Command::new("secretspec");
        command.args(action).args(["--provider", provider]).current_dir(&folder);
        command.env("HOME", world.home()).envs(variables.iter().copied());
        command
    };
    let works = |mut command: Command| {
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if name != ".env" && !works(with(&["set", "BENCH", "a value of usual length"])) {
        return None;
    }
    works(with(&["get", "BENCH"])).then(|| with(&["get", "BENCH"]))
}

fn processes(world: &World, server: &OpenBao) {
    let nothing = Command::new(program().with_file_name("nothing"));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--noproxy", "*", "-H", &format!("X-Vault-Token: {ROOT}")]);
    curl.arg(format!("{}/v1/secret/data/bench", server.address()));
    let mut raw = Command::new(program().with_file_name("raw"));
    raw.args([server.address().trim_start_matches("http://"), "/v1/secret/data/bench", ROOT]);
    let mut commands = vec![
        ("nothing", nothing),
        ("forge secret get bench", get(world, "bench")),
        ("curl", curl),
        ("forge secret get store://bao/bench", get(world, "store://bao/bench")),
        ("raw", raw),
    ];
    commands.extend(secretspec(world, ".env", "dotenv://.env", &[]).map(|command| ("secretspec get", command)));
    let token = [("VAULT_TOKEN", ROOT)];
    let vault = format!("vault://{}/secret?tls=false", server.address().trim_start_matches("http://"));
    commands.extend(secretspec(world, "vault", &vault, &token).map(|command| ("secretspec get from OpenBao", command)));
    let times = turn_by_turn(PROCESSES, &mut commands);
    println!("whole processes, median of {PROCESSES}, audit on, compile cache warm");
    row("an empty program with clap", times[0], None);
    row("secret get, local store", times[1], Some(("the empty program", times[0])));
    row("curl, from OpenBao", times[2], None);
    row("secret get, from OpenBao", times[3], Some(("curl", times[2])));
    row("a raw GET, from OpenBao", times[4], None);
    row("secret get, from OpenBao", times[3], Some(("the raw GET", times[4])));
    let peers = commands.iter().zip(&times).skip(5);
    for ((name, _), time) in peers.clone() {
        let own = if name.ends_with("OpenBao") { times[3] } else { times[1] };
        row(name, *time, None);
        row("  forge for the same", own, Some((name, *time)));
    }
    if peers.count() == 0 {
        println!("  secretspec is not on PATH and was not measured");
    }
    for reference in ["bench", "store://bao/bench"] {
        println!(
            "  {:<44} {:9.1} MiB",
            format!("peak memory of `secret get {reference}`"),
            peak(&get(world, reference))
        );
    }
}

/// The embedded store with ever more secrets in it: reading and writing one takes as long as before, or it does not.
fn sizes() {
    println!("\nwhole processes over a local store, median of {ROUNDS}");
    let mut first: Option<Vec<Duration>> = None;
    for size in SIZES {
        // Filled in memory: what is measured is the program, and 100,000 flushes of a disk would take an hour.
        let world = World::within("/dev/shm");
        fill(&world, size);
        let mut set = Command::new(program());
        set.args(["secret", "set", "bench/0", "--from-file"]).arg(world.file("value", "a value of usual length"));
        set.env_clear().env("HOME", world.home());
        let mut commands = [("secret get", get(&world, "bench/0")), ("secret set", set)];
        let times = turn_by_turn(ROUNDS, &mut commands);
        for (at, (name, _)) in commands.iter().enumerate() {
            let base = first.as_ref().map(|first| ("with 10", first[at]));
            row(&format!("{name}, {size} secrets"), times[at], base);
        }
        first.get_or_insert(times);
    }
}

/// Writes secrets into the embedded store of a world, through the plugin and without a process for each.
fn fill(world: &World, size: usize) {
    world.command(["secret", "set", "bench/0"]).input("a value of usual length").run().exits(0);
    let home = world.places();
    let path = home.local_store().display().to_string();
    let directory = DirectoryGrant { path: path.clone(), mode: DirectoryMode::ReadWrite, sealed: true, file: None };
    let grant = serde_json::json!({
        "schema_version": 1,
        "provider": "local",
        "plugin": { "builtin": "file" },
        "settings": { "path": path, "keep": "10" },
        "routes": [],
        "directories": [directory.clone()],
    });
    let grant: Grant = serde_json::from_value(grant).unwrap();
    let doors = Doors {
        directory: Some(Directory::new(&directory, Some(Seal::of(&home).unwrap()), "builtin:file".to_owned())),
        ..Doors::default()
    };
    let sandbox = Sandbox::start(&home, Compiler::new(program()), Calls::Many).unwrap();
    let provider = sandbox.open(&found(&root().join("target/plugins/file.wasm")), &grant, doors).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for secret in 1..size {
            let path = format!("bench/{secret}");
            let (log, options) = (CallLog::default(), PutOptions::default());
            provider.put(&log, &path, b"a value of usual length", &options).await.unwrap();
        }
    });
}

/// Many secrets of known names from a server that plays AWS, in batches.
fn many() {
    let moto = Moto::start(&["secretsmanager:*", "sts:*"]);
    let world = World::new().with("AWS_ACCESS_KEY_ID", &moto.access_key_id);
    let world = world.with("AWS_SECRET_ACCESS_KEY", &moto.secret_access_key);
    let (origin, region) = (format!("endpoint={}", moto.origin()), format!("region={REGION}"));
    let add = ["provider", "add", "aws", "--plugin", "aws", "--yes", "--set", &origin, "--set", &region];
    let credential = format!("aws-sigv4,{region},service=secretsmanager,login-endpoint={}", moto.origin());
    let add = world.command(add).and(["--credential", &credential, "--credential-audience", moto.origin()]);
    add.run().exits(0);
    moto.boto3(&format!(
        "sm = client('secretsmanager')\nfor n in range({MANY}): sm.create_secret(Name=f'many/{{n}}', SecretString='a value')"
    ));
    let paths: Vec<String> = (0..MANY).map(|number| format!("many/{number}")).collect();
    let resolver = library::resolver(&world, "aws", "aws");
    let requests = || world.audit().iter().filter(|record| record["event"] == "request").count();
    let (before, begun) = (requests(), Instant::now());
    let answers = library::read_many(&resolver, &paths);
    let took = begun.elapsed();
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Some(value)) if value == b"a value")));
    println!("\n{MANY} secrets from a server that plays AWS, once");
    row(&format!("in {} requests", requests() - before), took, None);
}

/// The same request through the same broker, once sent by the host itself and once by a guest in a fresh instance.
async fn calls(home: &Home, grant: &Grant, plugins: &Path, address: &str) {
    let egress = Egress::open(grant, &Options::new(Arc::new(Root))).unwrap();
    let sandbox = Sandbox::start(home, Compiler::new(program()), Calls::Many).unwrap();
    let doors = Doors { egress: Some(Arc::clone(&egress)), ..Doors::default() };
    let provider = sandbox.open(&found(&plugins.join("vault.wasm")), grant, doors).unwrap();
    let url = format!("{address}/v1/secret/data/bench");
    let (mut native, mut sandboxed) = (Vec::new(), Vec::new());
    for round in 0..CALLS + 20 {
        let begun = Instant::now();
        let request = Request { method: "GET".to_owned(), url: url.clone(), headers: Vec::new(), body: Vec::new() };
        let answer = egress.call().send(request).await.unwrap();
        let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(document["data"]["data"]["value"].is_string());
        let middle = Instant::now();
        let secret = provider.get(&CallLog::default(), "bench", None).await.unwrap().unwrap();
        let end = Instant::now();
        assert!(!secret.value.is_empty());
        if round >= 20 {
            native.push(middle - begun);
            sandboxed.push(end - middle);
        }
    }
    let (native, sandboxed) = (median(native), median(sandboxed));
    println!("\none read over a live connection, median of {CALLS}");
    row("the request made natively, JSON parsed", native, None);
    row("through a fresh instance of the plugin", sandboxed, Some(("native", native)));
    println!("  {:<44} {:9.1} us", "what the sandbox adds", (sandboxed.as_secs_f64() - native.as_secs_f64()) * 1e6);
}

fn installs(component: &Path) {
    let digest = forge_sandbox::digest(&std::fs::read(component).unwrap());
    let mut times = Vec::new();
    for _ in 0..INSTALLS {
        let world = World::new();
        let begun = Instant::now();
        let path = component.to_str().unwrap();
        world.forge(["plugin", "install", path, "--as", "fresh", "--yes", "--sha256", &digest]).exits(0);
        times.push(begun.elapsed());
    }
    println!(
        "\ninstall with compilation, median of {INSTALLS}, {} KiB",
        std::fs::metadata(component).unwrap().len() >> 10
    );
    row("plugin install", median(times), None);
}

fn main() {
    let server = OpenBao::start();
    let world = World::new();
    world.command(["secret", "set", "bench"]).input("a value of usual length").run().exits(0);
    let address = format!("address={}", server.address());
    let add = ["provider", "add", "bao", "--plugin", "vault", "--set", &address, "--yes"];
    world.command(add).variable("VAULT_TOKEN", ROOT).run().exits(0);
    let set = world.command(["secret", "set", "store://bao/bench"]).variable("VAULT_TOKEN", ROOT);
    set.input("a value of usual length").run().exits(0);
    processes(&world, &server);
    let home = world.places();
    let grant = std::fs::read(home.grant_file("bao")).unwrap();
    let grant: Grant = serde_json::from_slice(&grant).unwrap();
    let plugins = root().join("target/plugins");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(calls(&home, &grant, &plugins, server.address()));
    many();
    installs(&plugins.join("vault.wasm"));
    sizes();
    let size = std::fs::metadata(program()).unwrap().len();
    println!("\n  {:<44} {:9.1} MiB", "the program with its plugins", size as f64 / f64::from(1 << 20));
}
