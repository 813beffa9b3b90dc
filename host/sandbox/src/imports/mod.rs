//! The host's side of every import: one file per interface.

mod clock;
mod environment;
mod files;
mod http;
mod log;
mod random;
mod settings;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::imports::forge::plugin as interfaces;
use crate::bindings::types;
use crate::state::State;

impl types::Host for State {}

/// Which of the imports that need a grant are granted. The others are harmless and always there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Granted {
    pub(crate) http: bool,
    pub(crate) files: bool,
    pub(crate) environment: bool,
}

impl Granted {
    /// Whether an interface may be linked.
    pub(crate) fn holds(self, interface: &str) -> bool {
        match interface {
            "http" => self.http,
            "files" => self.files,
            "environment" => self.environment,
            _ => true,
        }
    }
}

/// Puts the granted interfaces, and no other, where the component finds them: the linker is the grant.
pub(crate) fn link(linker: &mut Linker<State>, granted: Granted) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    interfaces::settings::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    interfaces::log::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    interfaces::clock::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    interfaces::random::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    if granted.http {
        interfaces::http::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    }
    if granted.files {
        interfaces::files::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    }
    if granted.environment {
        interfaces::environment::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    }
    Ok(())
}
