//! A world's provider asked through the libraries and not through the program, as a command over many secrets asks it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use forge_broker::{Egress, Error, Options, Source, Sources};
use forge_core::audit::{Audit, Settings, Who};
use forge_core::cache::{Cache, Identity, Terms};
use forge_core::grant::Grant;
use forge_core::policy::{Caller, Policy};
use forge_core::provider::Failure;
use forge_core::resolver::{Opened, Providers, Resolver, Target};
use forge_core::secret::Secret;
use forge_sandbox::{Calls, Compiler, Doors, Found, Sandbox};
use secrecy::SecretString;

use crate::world::{World, program, root};

/// A plugin's component as the program would carry it.
pub fn found(wasm: &Path) -> Found {
    let bytes = std::fs::read(wasm).unwrap();
    Found { component: forge_sandbox::inspect(&bytes).unwrap(), bytes: bytes.into(), is_builtin: true }
}

/// The variables of a world and files, where its credentials are.
struct Variables(Vec<(String, String)>);

#[async_trait]
impl Sources for Variables {
    async fn read(&self, source: &Source) -> Result<SecretString, Error> {
        let found = match source {
            Source::Environment(wanted) => {
                self.0.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
            }
            Source::File(path) => std::fs::read_to_string(path).ok(),
            _ => None,
        };
        found.map(SecretString::from).ok_or_else(|| Error::SourceAbsent { place: source.to_string() })
    }
}

/// The one provider.
struct One(Opened);

#[async_trait]
impl Providers for One {
    async fn open(&self, _: Option<&str>) -> Result<Opened, Failure> {
        Ok(self.0.clone())
    }
}

/// The provider of this name, which is of the built-in `plugin` and has routes alone.
pub fn opened(world: &World, provider: &str, plugin: &str) -> Opened {
    let home = world.places();
    let grant: Grant = serde_json::from_slice(&std::fs::read(home.grant_file(provider)).unwrap()).unwrap();
    let egress = Egress::open(&grant, &Options::new(Arc::new(Variables(world.variables().collect())))).unwrap();
    let sandbox = Sandbox::start(&home, Compiler::new(program()), Calls::Many { at_once: 64 }).unwrap();
    let found = found(&root().join(format!("target/plugins/{plugin}.wasm")));
    let doors = Doors { egress: Some(egress), ..Doors::default() };
    Opened {
        provider: Arc::new(sandbox.open(&found, &grant, doors).unwrap()),
        identity: Arc::new(Identity {
            provider: provider.to_owned(),
            grant: grant.digest(),
            plugin: found.component.digest.clone(),
            credential: String::new(),
        }),
        terms: Terms::default(),
    }
}

/// What asks the provider of this name, as [`opened`] knows it.
///
/// Nothing is cached, and audit goes to the world's log.
pub fn resolver(world: &World, provider: &str, plugin: &str) -> Resolver {
    let (home, opened) = (world.places(), opened(world, provider, plugin));
    let caller = Caller { user: "tests".into() };
    let audit = Audit::new(&home, Settings::default(), Who::default());
    Resolver::new(Box::new(One(opened)), caller, Policy::default(), Cache::none(), audit)
}

/// What one read of several answered: the bytes of the value, where there is one.
pub type Value = Result<Option<Vec<u8>>, Failure>;

/// Reads many paths of the default provider at once.
pub fn read_many(resolver: &Resolver, paths: &[String]) -> Vec<Value> {
    let targets: Vec<Target<'_>> = paths.iter().map(|path| Target { provider: None, path, version: None }).collect();
    // As the commands have it that read many.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bytes = |secret: Secret| secret.value.expose().to_vec();
    let answers = runtime.block_on(resolver.read_many(&targets));
    answers.into_iter().map(|answer| answer.map(|secret| secret.map(bytes))).collect()
}
