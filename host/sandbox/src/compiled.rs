//! The compile cache: machine code of plugins, trusted only as far as its MAC.
//!
//! An entry is `machine code | magic | MAC`. The MAC (BLAKE3 under a key of this user) covers the magic,
//! the plugin's digest, the engine's identity and the code, so an entry that was edited, renamed, or made by
//! another engine is thrown away and the plugin compiled again from bytes that are hashed anew.
//! Whoever can write the cache directory but not read the key (a shared or restored cache) gains nothing by it.
//!
//! The code is checked on its way into a file in memory, which is then sealed and mapped: what was checked is what runs,
//! whoever writes into the cache meanwhile, and half a megabyte is copied once and not twice.

use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{Read as _, Seek as _, Write};
use std::path::PathBuf;

use forge_core::home::{self, Home};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compiler::{Compiler, LONGEST_CODE};
use crate::error::Error;

const MAGIC: &[u8; 16] = b"forge-compiled-3";
const MAC: usize = 32;

/// What follows the code.
const TAIL: usize = MAGIC.len() + MAC;

/// How much of an entry is read at once: little memory to touch, and enough for BLAKE3 to hash several parts in parallel.
const PIECE: usize = 64 << 10;

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
        let loaded = match home::open_private(&path) {
            Ok(Some(file)) => self.mapped(engine, digest, &file).or_else(|| self.copied(engine, digest, &file)),
            Ok(None) => return None,
            Err(_) => None,
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
        deserialize(engine, Code::Bytes(&code)).ok_or(Error::Uncompilable)
    }

    fn keep(&self, digest: &str, code: &[u8]) {
        match self.hasher(digest, code.len() as u64) {
            Ok(mut hasher) => {
                let mac = hasher.update(code).finalize();
                let entry = [code, MAGIC.as_slice(), mac.as_bytes()].concat();
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

    /// What makes the MAC, fed with all but the code, which has `length` bytes.
    ///
    /// The keyed mode of BLAKE3 is a MAC ("BLAKE3: one function, fast everywhere", section 2.5), and checks machine code
    /// in a tenth of the time that HMAC-SHA256 takes where the processor has no instructions for SHA.
    fn hasher(&self, digest: &str, length: u64) -> Result<blake3::Hasher, home::Error> {
        let key = home::secret_file(&self.key_file)?;
        let mut hasher = blake3::Hasher::new_keyed(&key);
        for part in [MAGIC.as_slice(), digest.as_bytes(), self.engine_id.as_bytes()] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hasher.update(&length.to_be_bytes());
        Ok(hasher)
    }

    /// An entry's code, mapped from a file in memory that nobody can change any more.
    #[cfg(target_os = "linux")]
    fn mapped(&self, engine: &Engine, digest: &str, entry: &File) -> Option<Component> {
        use rustix::fs::{MemfdFlags, SealFlags};
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut code = File::from(rustix::fs::memfd_create("forge-compiled", flags).ok()?);
        self.verified(digest, entry, &mut code)?;
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&code, seals).ok()?;
        deserialize(engine, Code::Sealed(&code))
    }

    #[cfg(not(target_os = "linux"))]
    fn mapped(&self, _: &Engine, _: &str, _: &File) -> Option<Component> {
        None
    }

    /// An entry's code, handed over as bytes: where there are no such files, or `/proc` is not there.
    fn copied(&self, engine: &Engine, digest: &str, entry: &File) -> Option<Component> {
        let mut code = Vec::new();
        self.verified(digest, entry, &mut code)?;
        deserialize(engine, Code::Bytes(&code))
    }

    /// Copies the code of an entry piece by piece and checks what was copied; `None` unless its MAC fits.
    fn verified(&self, digest: &str, mut entry: &File, code: &mut dyn Write) -> Option<()> {
        entry.rewind().ok()?;
        let length = entry.metadata().ok()?.len();
        let mut left = length.checked_sub(TAIL as u64).filter(|length| *length <= LONGEST_CODE)?;
        let mut hasher = self.hasher(digest, left).ok()?;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let want = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            let piece = piece.get_mut(..want)?;
            entry.read_exact(piece).ok()?;
            hasher.update(piece);
            code.write_all(piece).ok()?;
            left = left.checked_sub(piece.len() as u64)?;
        }
        let mut tail = [0; TAIL];
        entry.read_exact(&mut tail).ok()?;
        let (magic, tag) = tail.split_at_checked(MAGIC.len())?;
        let tag = <[u8; MAC]>::try_from(tag).ok()?;
        // Compared in constant time.
        (magic == MAGIC && hasher.finalize() == tag).then_some(())
    }
}

/// Machine code whose origin is known.
#[derive(Clone, Copy)]
enum Code<'a> {
    Bytes(&'a [u8]),
    /// A file in memory that holds the code alone and was sealed against writing.
    #[cfg(target_os = "linux")]
    Sealed(&'a File),
}

/// Makes a component of machine code that this process compiled itself or whose MAC it has just verified.
#[expect(unsafe_code, reason = "the engine runs whatever machine code it is given; the callers vouch for it")]
#[cfg_attr(
    target_os = "linux",
    expect(clippy::disallowed_methods, reason = "the file is sealed: it can't change between check and use")
)]
fn deserialize(engine: &Engine, code: Code<'_>) -> Option<Component> {
    // SAFETY: the code comes from `Engine::precompile_component`: either a moment ago, or from a cache entry whose MAC
    // was verified over exactly these bytes. A sealed file can't be written or cut any more (memfd_create(2), "File
    // sealing"), and the link in `/proc` leads to no other file.
    let loaded = unsafe {
        match code {
            Code::Bytes(bytes) => Component::deserialize(engine, bytes),
            #[cfg(target_os = "linux")]
            Code::Sealed(file) => {
                Component::deserialize_file(engine, format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file)))
            }
        }
    };
    loaded.ok()
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
        let engine = crate::engine::running(crate::Calls::Few).unwrap();
        let place = |name: &str| directory.join(name);
        let home = Home { config: place("config"), data: place("data"), cache: place("cache"), keyring: None };
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
        let code = &entry[..entry.len() - TAIL];
        // Open: with the key at hand, a MAC for the victim's digest makes the engine load the attacker's code.
        let forged = cache.hasher(VICTIM, code.len() as u64).unwrap().update(code).finalize();
        home::write(&cache.entry(VICTIM), &[code, MAGIC.as_slice(), forged.as_bytes()].concat()).unwrap();
        assert!(cache.load(&engine, VICTIM).is_some());
        // Closed: the entry as the attacker has it, renamed; and one whose code was changed under its own MAC.
        home::write(&cache.entry(VICTIM), &entry).unwrap();
        assert!(cache.load(&engine, VICTIM).is_none());
        assert!(!cache.entry(VICTIM).exists(), "what did not fit is thrown away");
        for at in [0, code.len() / 2, code.len() - 1, code.len(), entry.len() - 1] {
            let mut changed = entry.clone();
            changed[at] ^= 1;
            home::write(&cache.entry(ATTACKER), &changed).unwrap();
            assert!(cache.load(&engine, ATTACKER).is_none());
        }
        for cut in [0, TAIL - 1, TAIL, entry.len() - 1] {
            home::write(&cache.entry(ATTACKER), &entry[..cut]).unwrap();
            assert!(cache.load(&engine, ATTACKER).is_none());
        }
        // And the plugin itself is compiled again and served.
        compile(&cache, VICTIM);
        assert!(cache.load(&engine, VICTIM).is_some());
    }

    #[test]
    fn an_entry_that_can_not_be_mapped_is_checked_and_copied() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, cache) = cache(directory.path());
        compile(&cache, VICTIM);
        let path = cache.entry(VICTIM);
        assert!(cache.copied(&engine, VICTIM, &File::open(&path).unwrap()).is_some());
        assert!(cache.copied(&engine, ATTACKER, &File::open(&path).unwrap()).is_none());
        let mut changed = std::fs::read(&path).unwrap();
        changed[0] ^= 1;
        home::write(&path, &changed).unwrap();
        assert!(cache.copied(&engine, VICTIM, &File::open(&path).unwrap()).is_none());
    }

    /// Whoever shares the cache may write into an entry in place, after it was checked and while its code runs.
    #[test]
    fn what_is_written_into_an_entry_after_its_check_does_not_reach_what_runs() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, cache) = cache(directory.path());
        compile(&cache, VICTIM);
        let path = cache.entry(VICTIM);
        let component = cache.mapped(&engine, VICTIM, &File::open(&path).unwrap()).unwrap();
        let before = component.serialize().unwrap();
        let entry = File::options().write(true).open(&path).unwrap();
        entry.set_len(0).unwrap();
        assert_eq!(component.serialize().unwrap(), before);
    }

    /// A component that makes one instance of a module with two tables (core spec, "Binary Format"; component-model,
    /// Binary.md: section 1 holds a module, section 2 makes an instance of it without arguments).
    const TWO_TABLES: &[u8] = b"\0asm\x0d\0\x01\0\
        \x01\x11\0asm\x01\0\0\0\x04\x07\x02\x70\0\x01\x70\0\x01\
        \x02\x04\x01\0\0\0";

    #[tokio::test]
    async fn what_runs_in_a_sandbox_for_few_calls_runs_in_one_for_many() {
        let code = crate::engine::compiling().unwrap().precompile_component(TWO_TABLES).unwrap();
        for calls in [crate::Calls::Few, crate::Calls::Many { at_once: 8 }] {
            let engine = crate::engine::running(calls).unwrap();
            let component = deserialize(&engine, Code::Bytes(&code)).unwrap();
            let mut store = wasmtime::Store::new(&engine, ());
            store.set_epoch_deadline(1_000);
            let linker = wasmtime::component::Linker::new(&engine);
            linker.instantiate_async(&mut store, &component).await.unwrap();
        }
    }

    #[test]
    fn a_precompiled_file_would_be_loaded_if_inspection_did_not_refuse_it() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, _) = cache(directory.path());
        let code = crate::engine::compiling().unwrap().precompile_component(COMPONENT).unwrap();
        assert!(deserialize(&engine, Code::Bytes(&code)).is_some());
        assert!(matches!(crate::inspect(&code), Err(Error::Precompiled)));
    }
}
