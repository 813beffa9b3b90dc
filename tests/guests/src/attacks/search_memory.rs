//! Searches all of its own memory for the credential that the host has just used for it.
//!
//! The needle comes in two halves (`search-memory/FIRST/SECOND`), and the halves are never put together, so the only
//! place where both stand side by side is one that the host wrote.

use forge_sdk::{Error, http, settings};

use crate::{Loot, granted, text};

/// Makes a request with the credential, then looks for it.
pub(super) fn run(rest: &str) -> Loot {
    let Some((first, second)) = rest.split_once('/') else {
        return Err(Error::invalid_request("the needle comes in two halves"));
    };
    let answer = http::get(granted("/v1/secret/data/harmless")?).send()?;
    // The setting is read so that a test can plant the needle, and see that the search finds it.
    let planted = settings::get("target");
    let found = is_in_memory(first.as_bytes(), second.as_bytes());
    // What came from the host is used after the search, so that it is not gone before.
    let seen = answer.body().len() + planted.map_or(0, |planted| planted.len());
    text(format!("{} after {seen} bytes", if found { "found" } else { "not found" }))
}

#[cfg(target_arch = "wasm32")]
fn is_in_memory(first: &[u8], second: &[u8]) -> bool {
    const PAGE: usize = 64 << 10;
    let length = core::arch::wasm32::memory_size::<0>() * PAGE;
    // Address 0 is a byte like any other here, and no reference may point to it, so the search begins at 1.
    (1..length).any(|start| begins(start, length, first) && begins(start + first.len(), length, second))
}

/// Whether these bytes stand at this address.
#[cfg(target_arch = "wasm32")]
fn begins(start: usize, length: usize, bytes: &[u8]) -> bool {
    start + bytes.len() <= length && bytes.iter().enumerate().all(|(offset, byte)| byte_at(start + offset) == *byte)
}

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "an attacker reads memory that Rust never gave it")]
fn byte_at(address: usize) -> u8 {
    // SAFETY: the callers stay below the size of the linear memory, all of which can be read, and it can't shrink.
    // The read is volatile because the compiler knows of no object there.
    unsafe { core::ptr::read_volatile(core::ptr::with_exposed_provenance::<u8>(address)) }
}

/// Only a component has a memory of its own to search.
#[cfg(not(target_arch = "wasm32"))]
fn is_in_memory(_first: &[u8], _second: &[u8]) -> bool {
    false
}
