//! Components made to order: a built guest with another manifest, and broken ones.

use std::path::Path;

use sha2::Digest as _;

use crate::world::root;

/// The custom section that holds a plugin's manifest (design/contract.md, "The manifest").
const SECTION: &[u8] = b"forge:manifest";
/// Both encodings begin with four bytes of magic and four of version and layer (component-model, Binary.md).
const PREAMBLE: usize = 8;
/// Custom sections have this id in modules and in components.
const CUSTOM: u8 = 0;
/// A core module inside a component; its content is a whole module.
const CORE_MODULE: u8 = 1;
/// A component inside a component, and instances of such.
const COMPONENT: u8 = 4;
const INSTANCE: u8 = 5;

/// The SHA-256 of a file's bytes, in lower-case hexadecimal, as `--sha256` takes it.
pub fn sha256(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The component that holds every attack of `tests/guests`, as `make plugins` built it.
pub fn attacker() -> Vec<u8> {
    built("target/guests/attacker.wasm")
}

/// An official plugin, as `make plugins` built it.
pub fn plugin(name: &str) -> Vec<u8> {
    built(&format!("target/plugins/{name}.wasm"))
}

fn built(file: &str) -> Vec<u8> {
    let path = root().join(file);
    std::fs::read(&path).unwrap_or_else(|_| panic!("`{}` is not there: run `make build` first", path.display()))
}

/// The same component with this manifest, wherever its tools put the old one; appended where it had none.
pub fn pack(component: &[u8], manifest: &str) -> Vec<u8> {
    let (mut packed, found) = replaced(component, manifest.as_bytes(), false);
    if !found {
        push_manifest(&mut packed, manifest.as_bytes());
    }
    packed
}

/// Copies a module or a component section by section, with another manifest in it.
fn replaced(bytes: &[u8], manifest: &[u8], is_module: bool) -> (Vec<u8>, bool) {
    let mut copy = bytes[..PREAMBLE].to_vec();
    let mut found = false;
    let mut at = PREAMBLE;
    while at < bytes.len() {
        let id = bytes[at];
        let (length, content) = number(bytes, at + 1);
        let end = content + length;
        if id == CUSTOM && name(&bytes[content..end]) == SECTION {
            push_manifest(&mut copy, manifest);
            found = true;
        } else if id == CORE_MODULE && !is_module {
            let (module, found_within) = replaced(&bytes[content..end], manifest, true);
            push_section(&mut copy, id, &module);
            found |= found_within;
        } else {
            copy.extend_from_slice(&bytes[at..end]);
        }
        at = end;
    }
    (copy, found)
}

/// A component that holds another one and instantiates it first: whatever that one does happens before any call.
pub fn nest(component: &[u8], inner: &[u8]) -> Vec<u8> {
    let mut nested = component.to_vec();
    let mut components = 0;
    let mut at = PREAMBLE;
    while at < component.len() {
        components += usize::from(component[at] == COMPONENT);
        let (length, content) = number(component, at + 1);
        at = content + length;
    }
    push_section(&mut nested, COMPONENT, inner);
    // One instance, made of the component of this number, with no arguments.
    let mut instance = vec![1, 0];
    push_number(&mut instance, components);
    instance.push(0);
    push_section(&mut nested, INSTANCE, &instance);
    nested
}

/// The name at the beginning of a custom section.
fn name(section: &[u8]) -> &[u8] {
    let (length, at) = number(section, 0);
    &section[at..at + length]
}

fn push_manifest(bytes: &mut Vec<u8>, manifest: &[u8]) {
    let mut section = Vec::new();
    push_number(&mut section, SECTION.len());
    section.extend_from_slice(SECTION);
    section.extend_from_slice(manifest);
    push_section(bytes, CUSTOM, &section);
}

fn push_section(bytes: &mut Vec<u8>, id: u8, content: &[u8]) {
    bytes.push(id);
    push_number(bytes, content.len());
    bytes.extend_from_slice(content);
}

/// An unsigned number in LEB128, and where it ends.
fn number(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let mut number = 0;
    let mut shift = 0;
    loop {
        let byte = bytes[at];
        number |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        at += 1;
        if byte < 0x80 {
            return (number, at);
        }
    }
}

fn push_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
}

/// A component in the text format, made binary.
pub fn from_text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Writes a component and answers its digest.
pub fn write(path: &Path, component: &[u8]) -> String {
    std::fs::write(path, component).unwrap();
    sha256(component)
}
