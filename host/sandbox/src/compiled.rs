//! The compile cache: machine code of plugins, trusted only as far as its MAC.
//!
//! An entry is `magic | MAC | machine code`. The MAC (BLAKE3 under a key of this user) covers the magic,
//! the plugin's digest, the engine's identity and the code, so an entry that was edited, renamed, or made by
//! another engine is thrown away and the plugin compiled again from bytes that are hashed anew.
//! Whoever can write the cache directory but not read the key (a shared or restored cache) gains nothing by it.

use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use forge_core::home::{self, Home};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compiler::{Compiler, LONGEST_CODE};
use crate::error::Error;

const MAGIC: &[u8; 16] = b"forge-compiled-2";
const MAC: usize = 32;

/// The longest entry, in bytes.
const LONGEST: u64 = LONGEST_CODE + (MAGIC.len() + MAC) as u64;

/// The compile cache of one engine.
#[derive(Debug)]
pub(crate) struct CompileCache {
    directory: PathBuf,
    key_file: PathBuf,
    engine_id: String,
}

/// Feeds what a `Hash` writes into SHA-256: the engine's identity has to be the same in every process.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        // Only the whole digest is used.
        0
    }
}

impl CompileCache {
    pub(crate) fn new(home: &Home, engine: &Engine) -> Self {
        let mut hasher = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.write(env!("CARGO_PKG_VERSION").as_bytes());
        hasher.write(std::env::consts::ARCH.as_bytes());
        let engine_id = forge_core::sealing::hex(&hasher.0.finalize());
        let directory = home.cache.join("compiled").join(engine_id.get(..16).unwrap_or_default());
        Self { directory, key_file: home.data.join("keys").join("compiled.key"), engine_id }
    }

    fn entry(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{digest}.bin"))
    }

    /// The compiled plugin, if the cache has it and its MAC fits.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.entry(digest);
        let found = home::read_private(&path, LONGEST).and_then(|entry| match entry {
            Some(entry) => self.verified(digest, &entry).map(|is_ours| is_ours.then_some(entry)),
            None => Ok(None),
        });
        let loaded = match found {
            Ok(Some(entry)) => deserialize(engine, entry.get(MAGIC.len() + MAC..).unwrap_or_default()),
            Ok(None) if !path.exists() => return None,
            Ok(None) | Err(_) => None,
        };
        if loaded.is_none() {
            tracing::warn!("the compiled plugin {digest} did not fit its MAC or this engine: it is compiled again");
            // What stays behind is overwritten below in any case.
            std::fs::remove_file(&path).unwrap_or_default();
        }
        loaded
    }

    /// Compiles a component and keeps the result.
    ///
    /// # Errors
    /// What [`Compiler::compile`] says. A cache that can't be written costs time, not the plugin.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        compiler: &Compiler,
        digest: &str,
        component: &[u8],
    ) -> Result<Component, Error> {
        let code = compiler.compile(component)?;
        self.keep(digest, &code);
        deserialize(engine, &code).ok_or(Error::Uncompilable)
    }

    fn keep(&self, digest: &str, code: &[u8]) {
        match self.mac(digest, code) {
            Ok(mac) => {
                let entry = [MAGIC.as_slice(), mac.as_bytes(), code].concat();
                if let Err(error) = home::write(&self.entry(digest), &entry) {
                    tracing::warn!("{error}");
                }
            }
            Err(error) => tracing::warn!("{error}"),
        }
    }

    /// Forgets a plugin that was removed.
    pub(crate) fn forget(&self, digest: &str) {
        std::fs::remove_file(self.entry(digest)).unwrap_or_default();
    }

    /// The keyed mode of BLAKE3 is a MAC ("BLAKE3: one function, fast everywhere", section 2.5), and checks machine code
    /// in a tenth of the time that HMAC-SHA256 takes where the processor has no instructions for SHA.
    fn mac(&self, digest: &str, code: &[u8]) -> Result<blake3::Hash, home::Error> {
        let key = home::secret_file(&self.key_file)?;
        let mut hasher = blake3::Hasher::new_keyed(&key);
        for part in [MAGIC.as_slice(), digest.as_bytes(), self.engine_id.as_bytes(), code] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Ok(hasher.finalize())
    }

    fn verified(&self, digest: &str, entry: &[u8]) -> Result<bool, home::Error> {
        let Some((tag, code)) = entry.strip_prefix(MAGIC.as_slice()).and_then(|rest| rest.split_at_checked(MAC)) else {
            return Ok(false);
        };
        let mac = self.mac(digest, code)?;
        // Compared in constant time.
        Ok(<[u8; MAC]>::try_from(tag).is_ok_and(|tag| mac == tag))
    }
}

/// Makes a component of machine code that this process compiled itself or whose MAC it has just verified.
#[expect(unsafe_code, reason = "the engine runs whatever machine code it is given; the callers vouch for it")]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: `code` comes from `Engine::precompile_component`: either a moment ago, or from a cache entry
    // whose MAC was verified over exactly this buffer, which nobody can change in between as a mapped file could be.
    unsafe { Component::deserialize(engine, code) }.ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// The smallest component (component-model, Binary.md): magic, version and layer, and nothing inside.
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const VICTIM: &str = "aa";
    const ATTACKER: &str = "bb";

    fn cache(directory: &std::path::Path) -> (Engine, CompileCache) {
        let engine = crate::engine::running().unwrap();
        let place = |name: &str| directory.join(name);
        let home = Home { config: place("config"), data: place("data"), cache: place("cache") };
        let cache = CompileCache::new(&home, &engine);
        (engine, cache)
    }

    fn compile(cache: &CompileCache, digest: &str) {
        let code = crate::engine::compiling().unwrap().precompile_component(COMPONENT).unwrap();
        cache.keep(digest, &code);
    }

    #[test]
    fn the_mac_alone_stands_between_somebody_elses_machine_code_and_its_execution() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, cache) = cache(directory.path());
        compile(&cache, ATTACKER);
        let entry = std::fs::read(cache.entry(ATTACKER)).unwrap();
        let code = &entry[MAGIC.len() + MAC..];
        // Open: with the key at hand, a MAC for the victim's digest makes the engine load the attacker's code.
        let forged = *cache.mac(VICTIM, code).unwrap().as_bytes();
        home::write(&cache.entry(VICTIM), &[MAGIC.as_slice(), forged.as_slice(), code].concat()).unwrap();
        assert!(cache.load(&engine, VICTIM).is_some());
        // Closed: the entry as the attacker has it, renamed; and one whose code was changed under its own MAC.
        home::write(&cache.entry(VICTIM), &entry).unwrap();
        assert!(cache.load(&engine, VICTIM).is_none());
        assert!(!cache.entry(VICTIM).exists(), "what did not fit is thrown away");
        let mut changed = entry.clone();
        *changed.last_mut().unwrap() ^= 1;
        home::write(&cache.entry(ATTACKER), &changed).unwrap();
        assert!(cache.load(&engine, ATTACKER).is_none());
        // And the plugin itself is compiled again and served.
        compile(&cache, VICTIM);
        assert!(cache.load(&engine, VICTIM).is_some());
    }

    #[test]
    fn a_precompiled_file_would_be_loaded_if_inspection_did_not_refuse_it() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, _) = cache(directory.path());
        let code = crate::engine::compiling().unwrap().precompile_component(COMPONENT).unwrap();
        assert!(deserialize(&engine, &code).is_some());
        assert!(matches!(crate::inspect(&code), Err(Error::Precompiled)));
    }
}
