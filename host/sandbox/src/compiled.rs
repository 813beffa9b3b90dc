//! The compile cache: machine code of plugins, trusted only as far as its MAC.
//!
//! An entry is `magic | MAC | machine code`. The MAC (HMAC-SHA256 under a key of this user) covers the magic,
//! the plugin's digest, the engine's identity and the code, so an entry that was edited, renamed, or made by
//! another engine is thrown away and the plugin compiled again from bytes that are hashed anew.
//! Whoever can write the cache directory but not read the key (a shared or restored cache) gains nothing by it.

use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use forge_core::home::{self, Home};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::Error;

const MAGIC: &[u8; 16] = b"forge-compiled-1";
const MAC: usize = 32;

/// The longest entry, in bytes: machine code is some times larger than a component.
const LONGEST: u64 = 512 << 20;

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
    /// [`Error::Uncompilable`]. A cache that can't be written costs time, not the plugin.
    pub(crate) fn compile(&self, engine: &Engine, digest: &str, component: &[u8]) -> Result<Component, Error> {
        let code = engine.precompile_component(component).map_err(|_| Error::Uncompilable)?;
        match self.mac(digest, &code) {
            Ok(mac) => {
                let tag = mac.finalize().into_bytes();
                let entry = [MAGIC.as_slice(), tag.as_slice(), code.as_slice()].concat();
                if let Err(error) = home::write(&self.entry(digest), &entry) {
                    tracing::warn!("{error}");
                }
            }
            Err(error) => tracing::warn!("{error}"),
        }
        deserialize(engine, &code).ok_or(Error::Uncompilable)
    }

    /// Forgets a plugin that was removed.
    pub(crate) fn forget(&self, digest: &str) {
        std::fs::remove_file(self.entry(digest)).unwrap_or_default();
    }

    fn mac(&self, digest: &str, code: &[u8]) -> Result<Hmac<Sha256>, home::Error> {
        let key = home::secret_file(&self.key_file)?;
        let refuse = |_| home::Error { what: "use", path: self.key_file.clone(), why: "it is no key".to_owned() };
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).map_err(refuse)?;
        for part in [MAGIC.as_slice(), digest.as_bytes(), self.engine_id.as_bytes(), code] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Ok(mac)
    }

    fn verified(&self, digest: &str, entry: &[u8]) -> Result<bool, home::Error> {
        let Some((tag, code)) = entry.strip_prefix(MAGIC.as_slice()).and_then(|rest| rest.split_at_checked(MAC)) else {
            return Ok(false);
        };
        Ok(self.mac(digest, code)?.verify_slice(tag).is_ok())
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
        let engine = crate::engine::engine().unwrap();
        let place = |name: &str| directory.join(name);
        let home = Home { config: place("config"), data: place("data"), cache: place("cache") };
        let cache = CompileCache::new(&home, &engine);
        (engine, cache)
    }

    #[test]
    fn the_mac_alone_stands_between_somebody_elses_machine_code_and_its_execution() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, cache) = cache(directory.path());
        cache.compile(&engine, ATTACKER, COMPONENT).unwrap();
        let entry = std::fs::read(cache.entry(ATTACKER)).unwrap();
        let code = &entry[MAGIC.len() + MAC..];
        // Open: with the key at hand, a MAC for the victim's digest makes the engine load the attacker's code.
        let forged = cache.mac(VICTIM, code).unwrap().finalize().into_bytes();
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
        cache.compile(&engine, VICTIM, COMPONENT).unwrap();
        assert!(cache.load(&engine, VICTIM).is_some());
    }

    #[test]
    fn a_precompiled_file_would_be_loaded_if_inspection_did_not_refuse_it() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, _) = cache(directory.path());
        let code = engine.precompile_component(COMPONENT).unwrap();
        assert!(deserialize(&engine, &code).is_some());
        assert!(matches!(crate::inspect(&code), Err(Error::Precompiled)));
    }
}
