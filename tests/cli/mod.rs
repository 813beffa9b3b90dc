//! The command line as people and scripts use it, against the embedded store, the real OpenBao and broken servers.

mod abilities;
mod attributes;
mod audit;
mod audit_chain;
mod audit_commands;
mod aws;
mod aws_errors;
mod aws_logins;
mod aws_many;
mod aws_parameters;
mod aws_signatures;
mod azure;
mod azure_client;
mod azure_errors;
mod azure_login;
mod bad_backend;
mod bad_input;
mod cache;
mod contract;
mod denials;
mod doctor;
mod export;
mod fallback;
mod faults;
mod google;
mod google_errors;
mod import;
mod init;
mod inject;
mod keyring;
mod local_store;
mod login;
mod login_kept;
mod login_tls;
mod offline;
mod openbao;
mod openbao_errors;
mod openbao_history;
mod openbao_policy;
mod output;
mod policy;
mod project;
mod prompts;
mod rate_limit;
mod redact;
mod regrant;
mod rehearsal;
mod renewal;
mod rotate;
mod run;
mod run_change;
mod run_terminal;
mod store_crash;
mod store_disk;
mod store_text;
mod text_crash;
mod transcripts;

use forge_tests::outcome::Outcome;
use forge_tests::servers::azure::{Azure, CLIENT, SECRET, TENANT};
use forge_tests::servers::google::{Google, PROJECT};
use forge_tests::servers::moto::{Moto, REGION};
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::world::World;

/// The provider `bao` of a server, with a token from the environment and these further arguments.
#[track_caller]
fn add_vault<const N: usize>(world: &World, server: &OpenBao, more: [&str; N]) -> Outcome {
    let run = world.command(["provider", "add", "bao", "--plugin", "vault", "--yes"]);
    let run = run.and(["--set", &format!("address={}", server.address())]).and(more);
    let run =
        if server.address().starts_with("https") { run.and(["--tls-ca", server.ca().to_str().unwrap()]) } else { run };
    let has_credential = more.contains(&"--credential");
    if has_credential { run.run() } else { run.and(["--credential", "vault-token,token=env:TOKEN"]).run() }
}

/// A world whose `TOKEN` is the server's root token.
fn root_world() -> World {
    World::new().with("TOKEN", ROOT)
}

/// The provider `aws` of a server that plays AWS, with the key of the environment and these further arguments.
#[track_caller]
fn add_aws<const N: usize>(world: &World, moto: &Moto, more: [&str; N]) -> Outcome {
    let origin = moto.origin();
    let run = world.command(["provider", "add", "aws", "--plugin", "aws", "--yes"]).and(more);
    let run = run.and(["--set", &format!("region={REGION}"), "--set", &format!("endpoint={origin}")]);
    // What a signature is for is the host's to know, and told where no name of AWS' own tells it.
    let service = if more.contains(&"service=ssm") { "ssm" } else { "secretsmanager" };
    let credential = format!("aws-sigv4,region={REGION},service={service},login-endpoint={origin}");
    run.and(["--credential", &credential, "--credential-audience", origin]).run()
}

/// A world with the key of a server's user.
fn aws_world(moto: &Moto) -> World {
    let world = World::new().with("AWS_ACCESS_KEY_ID", &moto.access_key_id);
    world.with("AWS_SECRET_ACCESS_KEY", &moto.secret_access_key)
}

/// The provider `gcp` of a server that plays Google, with the key of its account and these further arguments.
#[track_caller]
fn add_google<const N: usize>(world: &World, server: &Google, more: [&str; N]) -> Outcome {
    let origin = server.origin();
    let run = world.command(["provider", "add", "gcp", "--plugin", "gcp", "--yes"]).and(more);
    let project = format!("project={PROJECT}");
    let run = if more.iter().any(|more| more.starts_with("project=")) { run } else { run.and(["--set", &project]) };
    let run = run.and(["--set", &format!("endpoint={origin}"), "--credential", &server.credential()]);
    run.and(["--credential-audience", origin]).run()
}

/// The provider `kv` of a server that plays Azure, with what of a credential stands in the environment, this more of it, and
/// these further arguments.
#[track_caller]
fn add_azure<const N: usize>(world: &World, azure: &Azure, credential: &str, more: [&str; N]) -> Outcome {
    let origin = azure.origin();
    let run = world.command(["provider", "add", "kv", "--plugin", "azure", "--yes"]).and(more);
    let run = run.and(["--set", &format!("vault-url={origin}"), "--tls-ca", azure.ca().to_str().unwrap()]);
    // What a token is for is the host's to know, and told where no name of a vault's own tells it.
    let login = if credential.contains("method=cli") { String::new() } else { format!(",login-endpoint={origin}") };
    let credential = format!("azure-ad{credential},resource=https://vault.azure.net{login}");
    run.and(["--credential", &credential, "--credential-audience", origin]).run()
}

/// A world with the application's login where Azure's own clients look for it.
fn azure_world() -> World {
    let world = World::new().with("AZURE_TENANT_ID", TENANT).with("AZURE_CLIENT_ID", CLIENT);
    world.with("AZURE_CLIENT_SECRET", SECRET)
}

/// Writes a value.
#[track_caller]
fn set(world: &World, reference: &str, value: impl Into<Vec<u8>>) -> Outcome {
    world.command(["secret", "set", reference, "--keep-newline"]).input(value).run()
}

/// Reads a value.
#[track_caller]
fn get(world: &World, reference: &str) -> Outcome {
    world.forge(["secret", "get", reference])
}
