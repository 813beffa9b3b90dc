//! Where plugins run: the engine, the plugin store, the compile cache, and the host's side of the contract.
//!
//! This is the only crate that names wasmtime. It runs guest code and sees no credential:
//! requests leave through [`forge_broker`], which holds the credentials and runs no guest code.

mod bindings;
mod call;
mod compiled;
mod compiler;
mod component;
mod convert;
mod directory;
mod engine;
mod environment;
mod error;
mod imports;
mod limit;
mod plugins;
mod provider;
mod state;

use std::sync::Arc;

use forge_broker::Egress;
use forge_core::grant::Grant;
use forge_core::home::Home;
use wasmtime::Engine;
use wasmtime::component::Linker;

pub use compiler::{COMPILE, Compiler, compile};
pub use component::{CONTRACT, Component, digest, inspect};
pub use directory::{Directory, Seal};
pub use engine::Calls;
pub use environment::Environment;
pub use error::{Error, LONGEST_COMPONENT};
pub use plugins::{Builtin, Found, Installed, Plugins, short};
pub use provider::Provider;

use crate::compiled::CompileCache;
use crate::imports::Granted;
use crate::limit::Limits;
use crate::state::Lent;

/// The engine and what it has compiled.
pub struct Sandbox {
    engine: Engine,
    cache: CompileCache,
    compiler: Compiler,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// What a provider is lent besides its plugin, made by the command line from the grant.
#[derive(Debug, Default)]
pub struct Doors {
    /// The way out, where the grant has routes.
    pub egress: Option<Arc<Egress>>,
    /// The granted directory.
    pub directory: Option<Directory>,
    /// The granted variables.
    pub environment: Environment,
}

impl Sandbox {
    /// Starts the engine.
    ///
    /// # Errors
    /// [`Error::Engine`] on a machine that the engine does not run on.
    pub fn start(home: &Home, compiler: Compiler, calls: Calls) -> Result<Self, Error> {
        let engine = engine::running(calls).map_err(|_| Error::Engine)?;
        let cache = CompileCache::new(home, &engine);
        Ok(Self { engine, cache, compiler })
    }

    /// Compiles a plugin into the cache, so that its first call need not.
    ///
    /// # Errors
    /// The engine refuses it, or it asks for more than any plugin may have.
    pub fn prepare(&self, found: &Found) -> Result<(), Error> {
        self.load(found).map(drop)
    }

    /// Forgets the compiled form of a plugin that was removed.
    pub fn forget(&self, digest: &str) {
        self.cache.forget(digest);
    }

    fn load(&self, found: &Found) -> Result<wasmtime::component::Component, Error> {
        Limits::check(&found.component.manifest)?;
        let digest = &found.component.digest;
        let compiled = match self.cache.load(&self.engine, digest) {
            Some(compiled) => compiled,
            None => self.cache.compile(&self.engine, &self.compiler, digest, &found.bytes)?,
        };
        let limits = Limits::of(&found.component.manifest.limits);
        // What a component has from its first moment counts as well, and is known before that.
        if let Some(required) = compiled.resources_required() {
            let bytes = required.max_initial_memory_size.unwrap_or_default().saturating_mul(64 << 10);
            if bytes > limits.memory as u64 {
                return Err(Error::Limit {
                    plugin: found.component.manifest.id.clone(),
                    what: format!("{bytes} bytes of memory from the start"),
                    most: format!("{} MiB", limits.memory >> 20),
                });
            }
        }
        Ok(compiled)
    }

    /// Makes a provider of a plugin, its grant, and the doors that the grant opens.
    ///
    /// # Errors
    /// An import that the grant does not hold is named.
    pub fn open(&self, found: &Found, grant: &Grant, doors: Doors) -> Result<Provider, Error> {
        let component = &found.component;
        let granted = Granted {
            http: !grant.routes.is_empty(),
            files: !grant.directories.is_empty(),
            environment: !grant.environment.is_empty(),
        };
        let held = |import: &&String| component::named(import).is_some_and(|(interface, _)| granted.holds(interface));
        let not_granted =
            |import: &String| Error::ImportNotGranted { plugin: component.manifest.id.clone(), import: import.clone() };
        if let Some(import) = component.imports.iter().find(|import| !held(import)) {
            return Err(not_granted(import));
        }
        let compiled = self.load(found)?;
        let mut linker = Linker::new(&self.engine);
        imports::link(&mut linker, granted).map_err(|_| Error::Engine)?;
        let pre =
            linker.instantiate_pre(&compiled).map_err(|_| not_granted(&"an interface of another shape".to_owned()))?;
        let lent = Lent {
            plugin: component.manifest.id.as_str().into(),
            settings: Arc::new(grant.settings.clone()),
            directory: doors.directory.map(Arc::new),
            environment: Arc::new(doors.environment),
            limits: Limits::of(&grant.limits),
        };
        let engine = self.engine.clone();
        Ok(Provider::new(provider::Inner {
            engine,
            pre,
            component: component.clone(),
            lent,
            egress: doors.egress,
            is_builtin: found.is_builtin,
        }))
    }
}
