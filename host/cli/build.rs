//! Puts the official plugins into the program: whatever `make plugins` left in `target/plugins`, whichever backends those are.

#![expect(clippy::disallowed_methods, reason = "cargo talks to a build script through the environment")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use sha2::{Digest as _, Sha256};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-env-changed=FORGE_PLUGINS");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..");
    let folder = env::var_os("FORGE_PLUGINS").map_or_else(|| root.join("target/plugins"), PathBuf::from);
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut components: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
        Err(_) => Vec::new(),
    };
    components.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    components.sort();
    if components.is_empty() {
        return Err(format!("no plugins in `{}`: run `make plugins` first", folder.display()).into());
    }
    let mut list = String::from("&[\n");
    for path in components {
        println!("cargo::rerun-if-changed={}", path.display());
        let path = path.canonicalize()?;
        let id = path.file_stem().and_then(|stem| stem.to_str()).ok_or("a plugin's file name is not UTF-8")?;
        let digest: String = Sha256::digest(fs::read(&path)?).iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(
            list,
            "    forge_sandbox::Builtin {{ id: {id:?}, bytes: include_bytes!({path:?}), digest: {digest:?} }},"
        )?;
    }
    list.push(']');
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("builtins.rs"), list)?;
    link_unwinder();
    Ok(())
}

/// Takes the unwinder into the program where the C compiler has it at hand: to load it as a library of its own takes each
/// command longer than to decrypt its secret.
fn link_unwinder() {
    const UNWINDER: &str = "libgcc_eh.a";
    let is_gnu = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux")
        && env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|libc| libc == "gnu");
    // The compiler at hand makes code for this machine, and knows nothing of another's libraries.
    if !is_gnu || env::var("HOST") != env::var("TARGET") {
        return;
    }
    let found = Command::new("cc").arg(format!("-print-file-name={UNWINDER}")).output();
    let path = found.ok().and_then(|found| String::from_utf8(found.stdout).ok()).unwrap_or_default();
    // A file that the compiler does not have is answered by its bare name.
    if let Some(folder) = Path::new(path.trim()).parent().filter(|folder| folder.is_absolute()) {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}
