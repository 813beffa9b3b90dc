//! Why a configuration can't be used, and where in it.

/// Where in a file something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The line, counted from 1.
    pub line: usize,
    /// The character in the line, counted from 1.
    pub column: usize,
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a configuration can't be used. The line itself is never shown: it may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// Not TOML.
    #[error("{at}: {what}")]
    Syntax {
        /// Where.
        at: At,
        /// What the parser expected.
        what: String,
    },
    /// A field that a configuration does not have.
    #[error("{at}: `{name}` is no field of a configuration")]
    Unknown {
        /// Where.
        at: At,
        /// Its name from the top, joined by dots.
        name: String,
    },
    /// A field that only a configuration of one's own may have: a cloned repository must not choose whom its user trusts.
    #[error("{at}: `{name}` can't be set by a project, only in your own configuration or by `forge allow`")]
    NotForProjects {
        /// Where.
        at: At,
        /// Its name from the top, joined by dots.
        name: String,
    },
    /// A credential's source or parameter.
    #[error("{at}: `{name}` says more than the kind of the credential; its source is chosen by whoever allows it")]
    Source {
        /// Where.
        at: At,
        /// Its name from the top, joined by dots.
        name: String,
    },
    /// A value that breaks a rule.
    #[error("{at}: `{name}` {rule}")]
    Rule {
        /// Where.
        at: At,
        /// Its name from the top, joined by dots.
        name: String,
        /// What it has to be.
        rule: String,
    },
    /// `local` is what is there without configuration.
    #[error("{at}: `local` is the built-in store and can't be configured; choose another name")]
    Local {
        /// Where.
        at: At,
    },
}
