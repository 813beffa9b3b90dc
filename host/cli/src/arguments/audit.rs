//! What `audit` takes on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use forge_core::audit::Mark;

/// Commands about the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Show the last records, and those that come
    #[command(
        after_help = "Examples:\n  forge audit tail -n 50\n  forge audit tail --follow --provider prod --outcome access-denied\n  forge audit tail --everything --json"
    )]
    Tail(Tail),
    /// Follow the whole chain, and say where it breaks
    #[command(
        after_help = "Examples:\n  forge audit verify\n  forge audit verify --all --head \"$(cat /mnt/elsewhere/head)\"   # as `forge audit head` printed it"
    )]
    Verify {
        /// A head that was kept elsewhere: the log must still hold that record, unchanged
        #[arg(long, value_name = "COUNT:MAC")]
        head: Option<Mark>,
        /// Take it for an error, too, that an old file is not here any more
        #[arg(long)]
        all: bool,
    },
    /// Print the end of the chain, to be kept where nobody can change it
    #[command(after_help = "Example:\n  forge audit head | ssh elsewhere 'cat >> heads'")]
    Head,
    /// Print what the log holds for a value, which is read from a file, a pipe or a hidden prompt
    #[command(after_help = "Example:\n  forge audit hash < leaked.txt   # then `grep` the log for what it prints")]
    Hash {
        /// Read the value from this file
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
        /// The newline at the end of what is piped in belongs to the value
        #[arg(long)]
        keep_newline: bool,
    },
}

/// What `audit tail` takes.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// How many records
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) lines: usize,
    /// Go on with those that come, until it is broken off
    #[arg(long)]
    pub(crate) follow: bool,
    /// Only this operation or change, such as `get` or `provider-add`
    #[arg(long, value_name = "NAME")]
    pub(crate) operation: Option<String>,
    /// Only with this outcome: `ok`, or the kind of a failure
    #[arg(long, value_name = "KIND")]
    pub(crate) outcome: Option<String>,
    /// Beginnings and requests as well, not only how each operation ended
    #[arg(long)]
    pub(crate) everything: bool,
}
