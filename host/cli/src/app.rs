//! What commands share: where things lie, what is configured, and the resolver over both.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use forge_core::audit::Audit;
use forge_core::cache::Cache;
use forge_core::config::{self, Config};
use forge_core::home::{self, Home};
use forge_core::policy::{Caller, Policy};
use forge_core::resolver::Resolver;
use forge_sandbox::{Builtin, Compiler, Plugins, Sandbox};

use crate::arguments::{Arguments, Command, Global};
use crate::failure::{Context as _, Outcome, usage};
use crate::printer::Printer;
use crate::providers::Opener;
use crate::{commands, environment};

/// The plugins that this program carries: those that stood in `target/plugins` when it was built.
static BUILTINS: &[Builtin] = include!(concat!(env!("OUT_DIR"), "/builtins.rs"));

/// How long a copy of a secret is fresh within one process (seeds: 300 s, 100 entries).
const TIME_TO_LIVE: Duration = Duration::from_secs(300);
const CACHED: usize = 100;

/// The program's own world.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) home: Home,
    pub(crate) config_file: PathBuf,
    pub(crate) config: Config,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) global: Global,
}

/// Runs a command to its end.
pub(crate) fn run(arguments: Arguments, printer: &mut Printer) -> Outcome {
    log(arguments.global.verbose);
    // What only describes the program needs nothing of the user's.
    match arguments.command {
        Command::Completion { shell } => return commands::completion::script(printer, shell),
        Command::Manual { directory } => return commands::completion::manual(printer, &directory),
        _ => {}
    }
    let app = App::new(arguments.global)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        forge_core::provider::Failure::new(forge_core::Kind::Internal, format!("can't start: {error}"))
    })?;
    runtime.block_on(async {
        match arguments.command {
            Command::Secret(command) => commands::secret::run(&app, printer, command).await,
            Command::Provider(command) => commands::provider::run(&app, printer, command).await,
            Command::Plugin(command) => commands::plugin::run(&app, printer, command),
            Command::Doctor { offline } => commands::doctor::run(&app, printer, offline).await,
            // These are answered before there is an `App`.
            Command::Compile { .. } | Command::Completion { .. } | Command::Manual { .. } => Ok(()),
        }
    })
}

/// Forge's own words and its plugins' on standard error: warnings always, the rest at `-v`.
///
/// Crates that handle credentials trace requests, so they stay silent however much is asked for.
fn log(verbose: bool) {
    use tracing::Level;
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::prelude::*;
    let level = if verbose { Level::INFO } else { Level::WARN };
    let ours = ["forge", "forge_core", "forge_broker", "forge_sandbox"];
    let targets = ours.into_iter().fold(Targets::new(), |targets, target| targets.with_target(target, level));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(false);
    tracing_subscriber::registry().with(lines).with(targets).init();
}

impl App {
    pub(crate) fn new(global: Global) -> Outcome<Self> {
        let home = environment::home()?;
        let config_file = global.config.clone().unwrap_or_else(|| home.config_file());
        let tried = || format!("can't use the configuration `{}`", config_file.display());
        let config = match home::read(&config_file, config::LONGEST).context(tried)? {
            Some(bytes) => {
                let text = String::from_utf8(bytes).map_err(|_| usage("it is not UTF-8")).context(tried)?;
                Config::parse(&text).context(tried)?
            }
            None if global.config.is_some() => return Err(usage(format!("{}: there is no such file", tried()))),
            None => Config::default(),
        };
        let plugins = Arc::new(Plugins::new(&home, BUILTINS));
        Ok(Self { home, config_file, config, plugins, global })
    }

    /// Starts the engine.
    pub(crate) fn sandbox(&self) -> Outcome<Sandbox> {
        Ok(Sandbox::start(&self.home, Compiler::new(environment::program()))?)
    }

    /// The way of every operation.
    pub(crate) fn resolver(&self) -> Resolver {
        self.resolver_over(Opener::new(&self.home, &self.config, &self.plugins, self.global.provider.clone()))
    }

    /// The same over providers that are opened elsewhere, too.
    pub(crate) fn resolver_over(&self, opener: Opener) -> Resolver {
        let caller = Caller { user: environment::user() };
        let cache = Cache::new(TIME_TO_LIVE, CACHED);
        Resolver::new(Box::new(opener), caller, Policy, cache, Audit::new(&self.home.data))
    }
}
