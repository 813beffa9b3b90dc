//! What the sandbox costs: a call through a fresh instance, and an installation with its compilation.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use forge_broker::{Egress, Error, Options, Request, Source, Sources};
use forge_core::grant::Grant;
use forge_core::home::Home;
use forge_core::provider::{CallLog, SecretProvider as _};
use forge_sandbox::{Calls, Compiler, Doors, Sandbox};
use forge_tests::library::found;
use forge_tests::servers::openbao::ROOT;
use forge_tests::world::{World, program};
use secrecy::SecretString;

use super::{median, row};

const CALLS: usize = 1_000;
const INSTALLS: usize = 7;

/// Gives the root token of the bench's own server.
struct Root;

#[async_trait]
impl Sources for Root {
    async fn read(&self, _: &Source) -> Result<SecretString, Error> {
        Ok(SecretString::from(ROOT))
    }
}

/// The same request through the same broker, once sent by the host itself and once by a guest in a fresh instance.
pub(super) async fn calls(home: &Home, grant: &Grant, plugins: &Path, address: &str) {
    let egress = Egress::open(grant, &Options::new(Arc::new(Root))).unwrap();
    let sandbox = Sandbox::start(home, Compiler::new(program()), Calls::Many { at_once: 64 }).unwrap();
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

pub(super) fn installs(component: &Path) {
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
