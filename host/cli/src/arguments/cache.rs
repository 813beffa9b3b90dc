//! What `cache` takes on the command line.

use clap::Subcommand;

/// Commands about the copies of secrets on disk.
#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// Show the copies on disk, how old they are, and how many reads copies answered
    #[command(after_help = "Examples:\n  forge cache status\n  forge cache status --json")]
    Status,
    /// Remove copies from the disk
    #[command(
        after_help = "Examples:\n  forge cache clear                      # all of them\n  forge cache clear store://prod/app/db\n  forge cache clear 'store://prod/app/**' --dry-run"
    )]
    Clear {
        /// Only the copies of this secret, or of all below a prefix: `app/db`, `store://prod/app/**`
        #[arg(value_name = "REF|PREFIX/**")]
        pattern: Option<String>,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}
