//! `forge inject` as it is typed.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use forge_core::document::Format;

/// What `inject` takes.
#[derive(Debug, Args)]
pub(crate) struct Inject {
    /// The file with the references; without it, or with `-`, standard input
    #[arg(short, long = "in", value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Write to a new or existing file of mode 0600, instead of to standard output
    #[arg(short, long, value_name = "FILE", conflicts_with = "in_place")]
    pub(crate) out: Option<PathBuf>,
    /// Write to the file itself, which keeps its mode and loses its references
    #[arg(long, requires = "input")]
    pub(crate) in_place: bool,
    /// How the file is written, where its name does not tell
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    pub(crate) file_format: Option<String>,
    /// Don't ask before writing to the file itself
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Say which secrets would be read and where they would stand, and read none
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// The formats of files with references.
pub(super) fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(Format::NAMES)
}
