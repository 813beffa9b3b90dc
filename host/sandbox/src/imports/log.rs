//! `log`: a guest's words for a person at `-v`, counted, cut and escaped.

use forge_core::provider::GuestText;

use crate::bindings::imports::forge::plugin::log;
use crate::limit;
use crate::state::State;

impl log::Host for State {
    async fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.log_lines = self.log_lines.saturating_add(1);
        // A flood is dropped and not an error: a talkative plugin still works.
        if self.log_lines > limit::LOG_LINES {
            return Ok(());
        }
        let cut: String = message.chars().take(limit::LOG_LINE).collect();
        let text = GuestText::new(&cut);
        let level = match level {
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warning",
            log::Level::Error => "error",
        };
        tracing::info!(target: "forge::plugin", "plugin `{}` says ({level}): {}", self.plugin, text.for_terminal());
        Ok(())
    }
}
