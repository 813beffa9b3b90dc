//! `environment`: the variables whose names were granted.

use crate::bindings::imports::forge::plugin::environment;
use crate::state::State;

impl environment::Host for State {
    async fn get(&mut self, name: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.environment.get(&name).map(<[u8]>::to_vec))
    }

    async fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.environment.names().cloned().collect())
    }
}
