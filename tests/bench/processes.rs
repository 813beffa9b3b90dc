//! Whole processes, as a shell starts them: the program beside curl, beside a peer, and beside one that does nothing.

use std::process::{Command, Stdio};

use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::{World, program};

use super::{PROCESSES, row, turn_by_turn};

/// `forge secret get`, as a shell would start it in this world.
pub(super) fn get(world: &World, reference: &str) -> Command {
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

pub(super) fn processes(world: &World, server: &OpenBao) {
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
