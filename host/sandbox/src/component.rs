//! Looking into a component before any of it runs: format, imports, exports, manifest.

use forge_core::manifest::{Manifest, SECTION};
use sha2::Digest as _;
use wasmparser::{Chunk, Encoding, Parser, Payload, Validator, WasmFeatures};

use crate::error::{Error, LONGEST_COMPONENT};

/// The version of the contract that this forge speaks.
pub const CONTRACT: &str = "0.1.0";

/// A component that was looked into, and not yet compiled.
#[derive(Clone, Debug)]
pub struct Component {
    /// SHA-256 in lower-case hexadecimal: what the plugin is known by.
    pub digest: String,
    /// What it says of itself and asks for.
    pub manifest: Manifest,
    /// The interfaces it imports, such as `forge:plugin/http@0.1.0`.
    pub imports: Vec<String>,
    /// The interfaces it exports.
    pub exports: Vec<String>,
}

impl Component {
    /// Whether it exports an interface of the contract, such as `secret-writer`.
    pub fn has(&self, interface: &str) -> bool {
        self.exports.iter().any(|export| named(export) == Some((interface, CONTRACT)))
    }
}

/// The SHA-256 of a component in lower-case hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    forge_core::sealing::hex(&sha2::Sha256::digest(bytes))
}

/// Looks into a component whose bytes nobody vouches for.
///
/// # Errors
/// Whatever makes it no plugin, by the first rule it breaks.
pub fn inspect(bytes: &[u8]) -> Result<Component, Error> {
    let component = read(bytes, digest(bytes))?;
    let features = WasmFeatures::default();
    // Validation is cheap, names the byte, and keeps what is malformed away from the compiler.
    Validator::new_with_features(features)
        .validate_all(bytes)
        .map_err(|error| Error::Invalid { offset: error.offset() })?;
    component.imports.iter().try_for_each(|import| check_import(import))?;
    for export in &component.exports {
        if let Some((_, version)) = named(export)
            && version != CONTRACT
        {
            return Err(Error::Contract { found: export.clone() });
        }
    }
    if !component.has("secret-provider") {
        return Err(Error::NoProvider);
    }
    forge_broker::check_manifest(&component.manifest)?;
    Ok(component)
}

/// Reads a component that was inspected when it was installed, and whose digest still is the same.
pub(crate) fn read(bytes: &[u8], digest: String) -> Result<Component, Error> {
    if bytes.len() as u64 > LONGEST_COMPONENT {
        return Err(Error::TooLong);
    }
    check_format(bytes)?;
    let (mut packed, mut linked, mut imports, mut exports) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // What the parser is inside of: the component itself is not on this stack.
    let mut inside = Vec::new();
    for payload in sections(bytes) {
        let invalid = |error: wasmparser::BinaryReaderError| Error::Invalid { offset: error.offset() };
        match payload? {
            Payload::ModuleSection { .. } => inside.push(Encoding::Module),
            Payload::ComponentSection { .. } => inside.push(Encoding::Component),
            Payload::End(_) => drop(inside.pop()),
            Payload::CustomSection(section) if section.name() == SECTION => match inside.as_slice() {
                [] => packed.push(section.data()),
                [Encoding::Module] => linked.push(section.data()),
                // What lies deeper belongs to somebody else's component that was built in.
                _ => {}
            },
            Payload::ComponentImportSection(section) if inside.is_empty() => {
                for import in section {
                    imports.push(import.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if inside.is_empty() => {
                for export in section {
                    exports.push(export.map_err(invalid)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    // The linker leaves the SDK's section in the core module; packing writes it outside, where it counts first.
    let manifests = if packed.is_empty() { linked } else { packed };
    let [manifest] = manifests.as_slice() else {
        return Err(Error::ManifestCount(manifests.len()));
    };
    Ok(Component { digest, manifest: Manifest::parse(manifest)?, imports, exports })
}

/// The sections of a component and of all that is inside it, without the functions: each read of a secret comes by here,
/// and has no use for them.
fn sections(bytes: &[u8]) -> impl Iterator<Item = Result<Payload<'_>, Error>> {
    let (mut parser, mut left, mut outside) = (Parser::new(0), bytes, Vec::new());
    let mut is_done = false;
    let mut next = move || {
        let invalid = |error: wasmparser::BinaryReaderError| Error::Invalid { offset: error.offset() };
        let Chunk::Parsed { payload, consumed } = parser.parse(left, true).map_err(invalid)? else {
            return Err(Error::NotAComponent("it is cut short"));
        };
        left = left.get(consumed..).unwrap_or_default();
        match &payload {
            Payload::CodeSectionStart { size, unchecked_range, .. } => {
                parser.skip_section();
                let size = usize::try_from(*size).unwrap_or(usize::MAX);
                left = left.get(size..).ok_or(Error::Invalid { offset: unchecked_range.start })?;
            }
            Payload::ModuleSection { parser: inner, .. } | Payload::ComponentSection { parser: inner, .. } => {
                outside.push(std::mem::replace(&mut parser, inner.clone()));
            }
            Payload::End(_) => match outside.pop() {
                Some(outer) => parser = outer,
                None => return Ok((payload, true)),
            },
            _ => {}
        }
        Ok((payload, false))
    };
    std::iter::from_fn(move || {
        if is_done {
            return None;
        }
        let answer = next();
        is_done = answer.as_ref().map_or(true, |(_, is_last)| *is_last);
        Some(answer.map(|(payload, _)| payload))
    })
}

/// Tells what a file is by its first bytes, so that each wrong kind gets its own sentence.
fn check_format(bytes: &[u8]) -> Result<(), Error> {
    if wasmtime::Engine::detect_precompiled(bytes).is_some() || bytes.starts_with(b"\x7fELF") {
        return Err(Error::Precompiled);
    }
    if bytes.len() < 8 {
        return Err(Error::NotAComponent("it is cut short"));
    }
    if !bytes.starts_with(b"\0asm") {
        let is_text =
            bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| matches!(byte, b'(' | b';'));
        return Err(Error::NotAComponent(if is_text { "it is the text format" } else { "it has another format" }));
    }
    // Version and layer: a core module has layer 0, a component layer 1 (component-model, Binary.md).
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => Ok(()),
        Some(Ok(Payload::Version { encoding: Encoding::Module, .. })) => {
            Err(Error::NotAComponent("it is a core module"))
        }
        _ => Err(Error::NotAComponent("its version is unknown")),
    }
}

/// Interface and version of a name such as `forge:plugin/http@0.1.0`.
pub(crate) fn named(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("forge:plugin/")?.split_once('@')
}

/// Refuses what no plugin may import, by a sentence that says what to do.
fn check_import(import: &str) -> Result<(), Error> {
    const KNOWN: [&str; 8] = ["types", "http", "settings", "log", "clock", "random", "files", "environment"];
    let forbidden = |rule| Error::ForbiddenImport { import: forge_core::manifest::printable(import), rule };
    if import.starts_with("wasi:sockets") {
        return Err(forbidden(
            "plugins have no sockets and no name lookup; use `forge:plugin/http` and ask for routes",
        ));
    }
    if import.starts_with("wasi:http") {
        return Err(forbidden("the one way out is `forge:plugin/http`, whose routes the manifest asks for"));
    }
    if import.starts_with("wasi:") {
        return Err(forbidden(
            "WASI is not offered; build for `wasm32-unknown-unknown` with `wasm-component-ld` as the linker, as `sdk/README.md` says",
        ));
    }
    match named(import) {
        Some((interface, CONTRACT)) if KNOWN.contains(&interface) => Ok(()),
        Some((_, version)) if version != CONTRACT => {
            Err(Error::Contract { found: forge_core::manifest::printable(import) })
        }
        _ => Err(forbidden("the contract has no such interface")),
    }
}
