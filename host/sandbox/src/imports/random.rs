//! `random`: bytes of the system's generator.

use crate::bindings::imports::forge::plugin::random;
use crate::limit;
use crate::state::State;

impl random::Host for State {
    async fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        // A guest that asks for four gigabytes would make the host allocate them.
        if len > limit::RANDOM {
            return Err(wasmtime::Error::msg("more random bytes than one request may ask for"));
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
        getrandom::fill(&mut bytes).map_err(|_| wasmtime::Error::msg("the system gives no random bytes"))?;
        Ok(bytes)
    }
}
