//! `environment`: the variables whose names were granted.

use crate::bindings::imports::forge::plugin::environment;
use crate::state::State;

impl environment::Host for State {
    async fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.environment.get(&name).cloned())
    }

    async fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.environment.names().cloned().collect())
    }
}
