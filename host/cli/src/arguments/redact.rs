//! `forge redact` as it is typed.

use clap::Args;
use clap_complete::ArgValueCompleter;

use crate::commands::completion;

/// What `redact` takes; without either of both it masks what the configuration's `[secrets]` name.
#[derive(Debug, Args)]
pub(crate) struct Redact {
    /// Mask the value of this secret, and each text in it where that is a map; without this option and `--from`, the
    /// secrets that `[secrets]` name
    #[arg(long = "secret", value_name = "REFERENCE", add = ArgValueCompleter::new(completion::references))]
    pub(crate) secrets: Vec<String>,
    /// Mask the values of all secrets below this prefix
    #[arg(long, value_name = "PREFIX/**")]
    pub(crate) from: Vec<String>,
}
