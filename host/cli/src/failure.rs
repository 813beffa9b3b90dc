//! Failures on their way to the user: what was tried stands first.

use forge_core::Kind;
use forge_core::provider::Failure;

/// What a command answers.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Says what was tried.
pub(crate) trait Context<T> {
    /// Puts `tried` before what stopped it.
    fn context(self, tried: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: Into<Failure>> Context<T> for Result<T, E> {
    fn context(self, tried: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| {
            let failure: Failure = error.into();
            Failure { what: format!("{}: {}", tried(), failure.what), ..failure }
        })
    }
}

/// A mistake in what was typed.
pub(crate) fn usage(what: impl Into<String>) -> Failure {
    Failure::new(Kind::InvalidRequest, what)
}

/// Something that is not there.
pub(crate) fn not_found(what: impl Into<String>) -> Failure {
    Failure::new(Kind::NotFound, what)
}
