//! The command line as it is typed.

use std::path::PathBuf;

use clap::{Args, ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::ArgValueCompleter;

use crate::commands::completion::{self, Shell};
use crate::environment;
use crate::failure::usage;
use crate::printer::Printer;

pub(crate) mod audit;
mod cache;
mod export;
mod generate;
mod inject;
mod later;
pub(crate) mod policy;
mod project;
mod redact;
pub(crate) mod run;
pub(crate) mod secret;
mod variables;

pub(crate) use cache::Cache;
pub(crate) use export::{Check, Export};
pub(crate) use inject::Inject;
pub(crate) use later::Later;
pub(crate) use project::{Allow, Init};
pub(crate) use redact::Redact;
pub(crate) use run::Run;
pub(crate) use secret::{Import, Rotate, Secret, Set};
pub(crate) use variables::Variables;

/// Read and write secrets in any backend. Every backend is a sandboxed WebAssembly plugin that never sees your credentials.
#[derive(Debug, Parser)]
#[command(name = "forge", version, disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Arguments<C: Subcommand = Command> {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: C,
}

/// What was typed. Ends the process where that is a question for help; what can't be understood is told here, and its exit
/// code answered.
pub(crate) fn parse() -> Result<Arguments, u8> {
    // The typed command alone is described; manual pages and completion are made of all of them.
    let mut command = Arguments::<Later<Command>>::command();
    if environment::is_typed("--no-color") || environment::wants_no_colours() {
        command = command.color(ColorChoice::Never);
    }
    let matches = command.try_get_matches_from_mut(environment::arguments());
    let parsed = matches.and_then(|mut matches| {
        let command = typed_command(&matches);
        let arguments = Arguments::<Command>::from_arg_matches_mut(&mut matches)?;
        Ok(Arguments { global: Global { command, ..arguments.global }, ..arguments })
    });
    let is_run = run::is_typed();
    match parsed {
        Ok(arguments) => {
            // The process ends before anybody would miss the memory; to free it piece by piece takes longer than a read.
            std::mem::forget(command);
            Ok(arguments)
        }
        Err(error) => match typed_format().filter(|_| error.use_stderr()) {
            Some(format) => {
                let code = told(&error.format(&mut command), format);
                Err(if is_run { run::FAILED } else { code })
            }
            None if is_run && error.use_stderr() => {
                // Where standard error is closed there is nobody left to tell.
                error.format(&mut command).print().unwrap_or_default();
                Err(run::FAILED)
            }
            None => error.format(&mut command).exit(),
        },
    }
}

/// The names of the command and of those below it.
fn typed_command(matches: &clap::ArgMatches) -> String {
    let below = std::iter::successors(matches.subcommand(), |(_, matches)| matches.subcommand());
    below.map(|(name, _)| name).collect::<Vec<_>>().join(" ")
}

/// The format of one object that was asked for in a command line that as a whole can't be understood.
fn typed_format() -> Option<Format> {
    let mut format = environment::is_typed("--json").then_some(Format::Json);
    for (name, typed) in [("json", Format::Json), ("yaml", Format::Yaml)] {
        let words = [format!("--format={name}"), format!("-f{name}"), format!("-f={name}")];
        let apart = ["-f", "--format"].iter().any(|option| environment::are_typed(option, name));
        if apart || words.iter().any(|word| environment::is_typed(word)) {
            format = Some(typed);
        }
    }
    format
}

/// Tells a mistake in the command line as an object; answers the exit code.
fn told(error: &clap::Error, format: Format) -> u8 {
    let text = error.render().to_string();
    let (what, _) = text.split_once("\n\n").unwrap_or((&text, ""));
    // The library's own list names what is not for people, too.
    let (what, _) = what.split_once("\n  [subcommands:").unwrap_or((what, ""));
    // Without any command the library prints its help.
    let what = match what.strip_prefix("error: ") {
        Some(what) => what.split_whitespace().collect::<Vec<_>>().join(" "),
        None => "there is no command".to_owned(),
    };
    let failure = usage(what).with_hint("`forge --help` shows the commands, and `forge COMMAND --help` what one takes");
    Printer::new(&Global { format: Some(format), ..Global::default() }).failure(&failure);
    failure.kind.exit_code()
}

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Global {
    /// Use this configuration instead of the user's
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The provider of bare paths, instead of the default one
    #[arg(short, long, global = true, value_name = "NAME", add = ArgValueCompleter::new(completion::providers))]
    pub(crate) provider: Option<String>,
    /// The environment of the configuration to use; `FORGE_ENVIRONMENT` otherwise
    #[arg(short, long, global = true, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// How to print: lines for people, or one object
    #[arg(short, long, global = true, value_name = "FORMAT", conflicts_with = "json")]
    pub(crate) format: Option<Format>,
    /// Print one JSON object, as `--format json` does
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print only what was asked for
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Show what plugins say, too
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Keep no token of a login on disk; with `provider add`, never for that provider
    #[arg(long, global = true)]
    pub(crate) no_token_cache: bool,
    /// Never ask; fail where a question would be needed
    #[arg(long, global = true)]
    pub(crate) non_interactive: bool,
    /// Read anew what there are copies of, and replace them
    #[arg(long, global = true, conflicts_with = "offline")]
    pub(crate) refresh: bool,
    /// Ask no backend that needs the network: only copies answer for it
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Why, for the audit log
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// The command that was typed, such as `secret get`.
    #[arg(skip)]
    pub(crate) command: String,
    /// Print without colours; so does a `NO_COLOR` variable
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

/// How data and errors are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Table,
    Json,
    Yaml,
    /// For `export` alone, as are those below: its own help tells of them.
    #[value(hide = true)]
    Dotenv,
    #[value(hide = true)]
    Shell,
    #[value(hide = true)]
    Gha,
}

impl Format {
    /// Whether it is one of those that `export` alone writes.
    pub(crate) fn is_of_export(self) -> bool {
        matches!(self, Self::Dotenv | Self::Shell | Self::Gha)
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read and write secrets
    #[command(subcommand)]
    Secret(Later<Secret>),
    /// Configure where secrets are
    #[command(subcommand)]
    Provider(Later<Provider>),
    /// Install and inspect plugins
    #[command(subcommand)]
    Plugin(Later<Plugin>),
    /// Put the secrets of a dotenv, JSON or YAML file into a provider, or another tool's names into `forge.toml`
    #[command(
        after_help = "Examples:\n  forge import .env --to app\n  forge import secrets.yaml --to store://prod/app --dry-run\n  forge import secretspec.toml"
    )]
    Import(Later<Import>),
    /// Show the audit log, and prove that nobody changed it
    #[command(subcommand)]
    Audit(Later<audit::Audit>),
    /// Say who may do what, and why
    #[command(subcommand)]
    Policy(Later<policy::Policy>),
    /// Put secrets in the places of `${secret:REF}` in a YAML, JSON, TOML, dotenv, INI or text file
    #[command(
        after_help = "Examples:\n  forge inject -i app.yaml                  # to standard output\n  forge inject -i app.yaml -o app.filled.yaml\n  forge inject -i app.yaml --dry-run        # which secrets, and where\n  forge inject -i .env --in-place\n  kubectl kustomize . | forge inject --file-format yaml | kubectl apply -f -"
    )]
    Inject(Later<Inject>),
    /// Run a program with secrets as its variables, and with their values masked in what it prints
    #[command(
        after_help = "Examples:\n  forge run -- ./server --port 8080\n  forge run --only DATABASE_URL,API_KEY -- psql\n  forge run --from 'store://prod/app/**' --pristine -- env\n  forge run --mount config.yaml --mount-format config.template.yaml -- ./server config.yaml\n  forge run --watch=5m --watch-signal HUP --mount .env -- ./server"
    )]
    Run(Later<Box<Run>>),
    /// Pass standard input on to standard output, with the values of secrets masked
    #[command(
        after_help = "Examples:\n  make deploy 2>&1 | forge redact                        # the secrets of the project here\n  forge redact --secret store://prod/app/db < app.log\n  forge redact --from 'app/**' < app.log > app.clean.log"
    )]
    Redact(Later<Redact>),
    /// Print what programs are given, as a file or a shell reads it
    #[command(
        after_help = "`--format` is `dotenv` (as without it), `shell`, `json`, `yaml`, or `gha` for the steps of GitHub Actions that follow, whose log has the values masked.\n\nExamples:\n  forge export -o .env\n  eval \"$(forge export --format shell --only DATABASE_URL)\"\n  forge export --format json --from 'store://prod/app/**'\n  forge export --format gha"
    )]
    Export(Later<Export>),
    /// Read everything that programs and files here refer to, show none of it, and say what is missing
    #[command(
        after_help = "Examples:\n  forge check                          # what `[secrets]` name\n  forge --environment staging check\n  forge check config/app.yaml .env    # and what these files refer to"
    )]
    Check(Later<Check>),
    /// Show the copies of secrets on disk, and remove them
    #[command(subcommand)]
    Cache(Later<Cache>),
    /// Check what works here, and say what to do about the rest
    #[command(
        after_help = "Examples:\n  forge doctor\n  forge doctor --offline --json\n  forge doctor --move-key keyring   # out of its file, into the desktop's keyring"
    )]
    Doctor {
        /// Move the sealing key into the desktop's keyring or into a file, and check nothing
        #[arg(long, value_name = "PLACE")]
        move_key: Option<Place>,
    },
    /// Print the script that completes forge's words in a shell
    #[command(after_help = "Example:\n  forge completion bash > ~/.local/share/bash-completion/completions/forge")]
    Completion {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages
    #[command(name = "man", after_help = "Example:\n  forge man ~/.local/share/man/man1")]
    Manual {
        /// Where to
        directory: PathBuf,
    },
    /// Write a `forge.toml` for the project in this folder
    Init(Later<Init>),
    /// Show what the project here wants from forge, and allow it
    #[command(
        after_help = "Examples:\n  forge allow\n  forge allow --credential prod=vault-token,token=env:PROD_TOKEN\n  forge allow --refs 'store://prod/app/**'   # references may change within this without a question\n  forge allow --project-hash \"$FORGE_PROJECT_HASH\"   # in a pipeline: exactly what `forge allow --print` printed"
    )]
    Allow(Later<Box<Allow>>),
    /// Compile a component from standard input to standard output, within limits
    #[command(name = forge_sandbox::COMPILE, hide = true)]
    Compile {
        /// Seconds on the processor, and bytes of memory
        limits: Vec<String>,
    },
}

/// Where the sealing key can be.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Place {
    Keyring,
    File,
}

/// Commands about providers.
#[derive(Debug, Subcommand)]
pub(crate) enum Provider {
    /// Add a provider: a plugin, its settings, and what it is allowed
    #[command(
        after_help = "Examples:\n  forge provider add bao --plugin vault --set address=http://127.0.0.1:8200 --credential vault-token\n  forge provider add bao --plugin vault --set address=https://bao.internal --tls-ca ca.pem \\\n      --credential vault-token,method=approle,role-id=env:ROLE_ID,secret-id=file:/run/secret-id"
    )]
    Add(Box<Add>),
    /// List the providers
    List,
    /// Show what a provider is allowed
    Info {
        /// The provider
        #[arg(add = ArgValueCompleter::new(completion::providers))]
        name: String,
    },
    /// Prove that a provider works, and show whom its credential speaks for
    Test {
        /// The provider
        #[arg(add = ArgValueCompleter::new(completion::providers))]
        name: String,
    },
    /// Remove a provider and its grant; the secrets stay where they are
    Remove {
        /// The provider
        #[arg(add = ArgValueCompleter::new(completion::providers))]
        name: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// What `provider add` takes.
#[derive(Debug, Default, Args)]
pub(crate) struct Add {
    /// How references will name it
    pub(crate) name: String,
    /// An installed or built-in plugin
    #[arg(long, add = ArgValueCompleter::new(completion::plugins))]
    pub(crate) plugin: String,
    /// A setting of the plugin; `forge plugin info` shows them
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) settings: Vec<String>,
    /// The credential: its kind, and where it is found (`env:NAME`, `file:PATH`, `prompt`, `store://…`)
    #[arg(long, value_name = "KIND[,NAME=SOURCE]...")]
    pub(crate) credential: Option<String>,
    /// Another origin that the credential may be sent to
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) credential_audience: Vec<String>,
    /// Trust the certificates of this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Show this certificate (PEM, those that signed it after it) to the servers, which log in by it or want one
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Where that certificate's private key is (`env:NAME`, `file:PATH`, `prompt`, `store://…`)
    #[arg(long, value_name = "SOURCE", requires = "tls_cert")]
    pub(crate) tls_key: Option<String>,
    /// Leave out everything that writes or deletes
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Send at most so many requests at once, and refill at that rate: `50/s`, `600/m`, `1000/h`
    #[arg(long, value_name = "RATE")]
    pub(crate) rate_limit: Option<String>,
    /// Don't ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Say what would be allowed and written, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Commands about plugins.
#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Install a plugin from a file
    #[command(
        after_help = "Examples:\n  forge plugin install ./vault.wasm\n  forge plugin install ./vault.wasm --yes --sha256 \"$(sha256sum vault.wasm | cut -c -64)\""
    )]
    Install {
        /// The component, or the name of a built-in plugin
        source: String,
        /// Install only if this is its SHA-256
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
        /// The name to install it under, instead of its id
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Don't ask; needs `--sha256`
        #[arg(short, long)]
        yes: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List the plugins
    List,
    /// Show what a plugin is and what it asks for
    Info {
        /// An installed or built-in plugin, or a component's file
        #[arg(add = ArgValueCompleter::new(completion::plugins))]
        name: String,
    },
    /// Remove a plugin that no provider uses
    Remove {
        /// The plugin
        #[arg(add = ArgValueCompleter::new(completion::plugins))]
        name: String,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Hash the installed plugins anew
    Verify {
        /// Only this one
        name: Option<String>,
    },
}
