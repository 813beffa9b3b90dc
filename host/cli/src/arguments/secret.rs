//! `forge secret` as it is typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::ArgValueCompleter;

use super::Later;
use super::generate::Generate;
use crate::commands::completion;

/// Commands about secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum Secret {
    /// Print a secret
    #[command(
        after_help = "Examples:\n  forge secret get app/db\n  forge secret get store://prod/app/db#password\n  forge secret get 'store://prod/app/db?version=3'"
    )]
    Get(Later<Get>),
    /// Write a secret; the value comes from a file, from standard input, from a hidden prompt, or is made here
    #[command(
        after_help = "Examples:\n  forge secret set app/db                      # asks for the value\n  forge secret set app/db --generate password --length 40\n  openssl rand -hex 32 | forge secret set app/db\n  forge secret set app/key --from-file key.pem --tag team=web --expires 90d\n  forge secret set store://prod/app/db#password   # one field; the others stay"
    )]
    Set(Later<Box<Set>>),
    /// List the names of secrets, never their values
    #[command(
        after_help = "Examples:\n  forge secret list\n  forge secret list app\n  forge secret list store://prod/app"
    )]
    List(Later<List>),
    /// Show what is known of a secret, without its value
    #[command(
        after_help = "Examples:\n  forge secret describe app/db\n  forge --json secret describe store://prod/app/db"
    )]
    Describe(Later<Name>),
    /// List the versions of a secret, newest first
    #[command(after_help = "Example:\n  forge secret versions app/db")]
    Versions(Later<Name>),
    /// Make an old version current again
    #[command(after_help = "Example:\n  forge secret rollback app/db --to 3")]
    Rollback(Later<Rollback>),
    /// Delete a secret, recoverably where its backend can
    #[command(after_help = "Examples:\n  forge secret delete app/db\n  forge secret delete app/db --yes")]
    Delete(Later<Removal>),
    /// Take the last deletion of a secret back
    #[command(after_help = "Example:\n  forge secret recover app/db")]
    Recover(Later<Change>),
    /// Remove a secret and all its versions for good
    #[command(after_help = "Example:\n  forge secret purge app/db --yes")]
    Purge(Later<Removal>),
    /// Give a secret a new value: by its backend's own rotation, or one that is made here or piped in
    #[command(
        after_help = "Examples:\n  forge secret rotate store://prod/app/db                       # by the backend's own rotation\n  forge secret rotate app/db --generate password --length 40 --exclude '/@:'\n  forge secret rotate store://prod/app/db#password --generate hex   # one field; the others stay\n  ./new-password | forge secret rotate app/db --stdin"
    )]
    Rotate(Later<Box<Rotate>>),
    /// Make a version readable again
    #[command(after_help = "Example:\n  forge secret enable 'app/db?version=3'")]
    Enable(Later<State>),
    /// Make a version unreadable until it is enabled
    #[command(after_help = "Example:\n  forge secret disable 'app/db?version=3'")]
    Disable(Later<State>),
    /// Copy secrets from one place to another, of any two providers
    #[command(
        after_help = "Examples:\n  forge secret copy app/db store://prod/app/db\n  forge secret copy 'store://old/app/**' store://prod/app --dry-run"
    )]
    Copy(Later<Copy>),
}

/// What `secret get` takes.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// `store://PROVIDER/PATH[?version=V][#FIELD]`, or a path of the default provider
    #[arg(add = ArgValueCompleter::new(completion::references))]
    pub(crate) reference: String,
    /// Write the value to a new or existing file of mode 0600 instead
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Print binary values to a terminal, too
    #[arg(long)]
    pub(crate) raw: bool,
}

/// What `secret list` takes.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only what lies at or below this path
    #[arg(add = ArgValueCompleter::new(completion::references))]
    pub(crate) prefix: Option<String>,
}

/// What a command takes that shows something of one secret.
#[derive(Debug, Args)]
pub(crate) struct Name {
    /// `store://PROVIDER/PATH`, or a path of the default provider
    #[arg(add = ArgValueCompleter::new(completion::references))]
    pub(crate) reference: String,
}

/// What a command takes that changes one secret without a question.
#[derive(Debug, Args)]
pub(crate) struct Change {
    #[command(flatten)]
    pub(crate) name: Name,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What `secret rollback` takes.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) name: Name,
    /// The version, as `forge secret versions` names it
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What `secret rotate` takes.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// `store://PROVIDER/PATH[#FIELD]`, or a path of the default provider
    #[arg(add = ArgValueCompleter::new(completion::references))]
    pub(crate) reference: String,
    #[command(flatten)]
    pub(crate) generate: Generate,
    /// Take the value from standard input, or from a hidden prompt at a terminal
    #[arg(long, conflicts_with = "generate")]
    pub(crate) stdin: bool,
    /// Keep the newline at the end of standard input
    #[arg(long, requires = "stdin")]
    pub(crate) keep_newline: bool,
    /// When the new version expires: a time such as `2027-01-31T00:00:00Z`, or after `90d`, `12h`
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What a command takes that removes a secret.
#[derive(Debug, Args)]
pub(crate) struct Removal {
    #[command(flatten)]
    pub(crate) name: Name,
    /// Don't ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What a command takes that changes the state of one version.
#[derive(Debug, Args)]
pub(crate) struct State {
    /// `store://PROVIDER/PATH[?version=V]`; without a version the current one
    #[arg(add = ArgValueCompleter::new(completion::references))]
    pub(crate) reference: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What `secret copy` takes.
#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// `store://PROVIDER/PATH`, or `PREFIX/**` for everything below it
    #[arg(add = ArgValueCompleter::new(completion::references))]
    pub(crate) from: String,
    /// Where it goes; below it with `PREFIX/**`
    #[arg(add = ArgValueCompleter::new(completion::references))]
    pub(crate) to: String,
    /// Replace what is there
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What `import` takes.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A dotenv, JSON or YAML file, or a `secretspec.toml` or `fnox.toml`
    pub(crate) file: PathBuf,
    /// Where they go: `store://PROVIDER[/PREFIX]`, or a prefix of the default provider
    #[arg(long, value_name = "PREFIX", add = ArgValueCompleter::new(completion::references))]
    pub(crate) to: Option<String>,
    /// `dotenv`, `json` or `yaml`, where the file's name does not tell
    #[arg(long, value_name = "FORMAT")]
    pub(crate) file_format: Option<String>,
    /// Replace what is there
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What `secret set` takes.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// `store://PROVIDER/PATH[#FIELD]`, or a path of the default provider
    #[arg(add = ArgValueCompleter::new(completion::references))]
    pub(crate) reference: String,
    /// Read the value from this file, byte for byte
    #[arg(long, value_name = "FILE", conflicts_with = "generate")]
    pub(crate) from_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) generate: Generate,
    /// Keep the newline at the end of standard input
    #[arg(long)]
    pub(crate) keep_newline: bool,
    /// A tag or label, where the backend has them
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<String>,
    /// The media type of the value, where the backend keeps one
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// When it expires: a time such as `2027-01-31T00:00:00Z`, or after `90d`, `12h`
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// What this backend alone keeps, as its plugin's guide names it; a name that ends in `-at` has a time
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    pub(crate) attributes: Vec<String>,
    /// Fail unless this is the current version; an empty one means that there must be none yet
    #[arg(long, value_name = "VERSION")]
    pub(crate) expected_version: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
