//! `forge export` and `forge check` as they are typed.

use std::path::PathBuf;

use clap::Args;

use super::Variables;

/// What `export` takes; how it writes is what `--format` says.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) variables: Variables,
    /// Write to a new or existing file of mode 0600, instead of to standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// What `check` takes.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Files with `${secret:REF}`, to be checked with the variables; without `[secrets]` they alone are
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How the files are written, where their names do not tell
    #[arg(long, value_name = "FORMAT", value_parser = super::inject::formats())]
    pub(crate) file_format: Option<String>,
    #[command(flatten)]
    pub(crate) variables: Variables,
}
