//! What `init` and `allow` take on the command line.

use clap::Args;

/// What `init` takes.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// `minimal`, or a built-in plugin to begin with
    #[arg(long, value_name = "NAME")]
    pub(crate) template: Option<String>,
}

/// What `allow` takes.
#[derive(Debug, Args)]
pub(crate) struct Allow {
    /// Print the hash of what the project means, and allow nothing
    #[arg(long)]
    pub(crate) print: bool,
    /// Allow it without a question if this is its hash
    #[arg(long, value_name = "HASH", conflicts_with = "print")]
    pub(crate) project_hash: Option<String>,
    /// Accept later changes of references within this pattern without a question
    #[arg(long, value_name = "PATTERN", conflicts_with = "print")]
    pub(crate) refs: Vec<String>,
    /// Where a provider's credential is found, instead of its usual place
    #[arg(long, value_name = "PROVIDER=KIND[,NAME=SOURCE]...", conflicts_with = "print")]
    pub(crate) credential: Vec<String>,
    /// Another origin that a provider's credential may be sent to
    #[arg(long, value_name = "PROVIDER=ORIGIN", conflicts_with = "print")]
    pub(crate) credential_audience: Vec<String>,
    /// Trust the certificates of this PEM file for a provider, and no others
    #[arg(long, value_name = "PROVIDER=FILE", conflicts_with = "print")]
    pub(crate) tls_ca: Vec<String>,
    /// Show the servers of a provider the certificate of this PEM file
    #[arg(long, value_name = "PROVIDER=FILE", conflicts_with = "print")]
    pub(crate) tls_cert: Vec<String>,
    /// Where the private key of that certificate is: `env:NAME`, `file:PATH`, `prompt` or `store://…`
    #[arg(long, value_name = "PROVIDER=SOURCE", conflicts_with = "print")]
    pub(crate) tls_key: Vec<String>,
    /// Leave out everything that writes or deletes for this provider
    #[arg(long, value_name = "PROVIDER", conflicts_with = "print")]
    pub(crate) read_only: Vec<String>,
    /// Grant nothing to this provider
    #[arg(long, value_name = "PROVIDER", conflicts_with = "print")]
    pub(crate) without: Vec<String>,
    /// Take back what the project was allowed
    #[arg(long, conflicts_with_all = ["print", "project_hash", "refs", "credential", "credential_audience", "tls_ca", "tls_cert", "tls_key", "read_only", "without", "yes"])]
    pub(crate) revoke: bool,
    /// Don't ask: allow whatever it says
    #[arg(short, long, conflicts_with = "print")]
    pub(crate) yes: bool,
}
