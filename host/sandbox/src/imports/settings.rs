//! `settings`: the provider's settings, in the spelling that its routes are made of.

use crate::bindings::imports::forge::plugin::settings;
use crate::state::State;

impl settings::Host for State {
    async fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.settings.get(&name).cloned())
    }
}
