//! What `policy` takes on the command line.

use clap::{Args, Subcommand};
use clap_complete::ArgValueCompleter;
use forge_core::policy::Action;

use crate::commands::completion;

/// Commands about who may do what.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Say whether the policy allows something, and by which rule
    #[command(
        after_help = "Examples:\n  forge policy test get store://prod/app/db\n  forge policy test --user alice --group dev delete store://prod/app/db\n  forge policy test list store://prod/app      # all that lies below\n\nExit code 0 means allowed, 4 denied."
    )]
    Test(Test),
    /// Print the Cedar that the roles mean, and which files count
    #[command(after_help = "Examples:\n  forge policy show\n  forge policy show --schema > forge.cedarschema")]
    Show {
        /// Print what policies are validated against, in Cedar's own language for that
        #[arg(long)]
        schema: bool,
    },
}

/// What `policy test` takes.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Whom to ask for: a name or a number; yourself otherwise
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// A group that they are in, besides those that `/etc/group` says: a name or a number
    #[arg(long = "group", value_name = "GROUP", requires = "user")]
    pub(crate) groups: Vec<String>,
    /// What is to be done: `get`, `set`, `list` and so on, as the audit log calls it
    #[arg(value_parser = action)]
    pub(crate) action: Action,
    /// The secret, or the prefix of a listing
    #[arg(add = ArgValueCompleter::new(completion::references))]
    pub(crate) reference: String,
}

fn action(text: &str) -> Result<Action, String> {
    let known = || Action::ALL.map(Action::token).join("`, `");
    Action::of(text).ok_or_else(|| format!("an action is one of `{}`", known()))
}
