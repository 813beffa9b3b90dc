//! `clock`: the time of the host.

use crate::bindings::imports::forge::plugin::clock;
use crate::state::State;

impl clock::Host for State {
    async fn now(&mut self) -> wasmtime::Result<u64> {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
