//! Which variables a program is given, as it is typed.

use clap::Args;

/// What `run`, `export` and `check` take of the variables.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Variables {
    /// Only these variables
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// A variable for each secret below this prefix, in place of what `[secrets]` name; `REF#*` for each field of a secret
    #[arg(long, value_name = "PREFIX/**")]
    pub(crate) from: Vec<String>,
}
