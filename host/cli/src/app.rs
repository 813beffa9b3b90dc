//! What commands share: where things lie, what is configured, and the resolver over both.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use forge_core::audit::{Audit, Who};
use forge_core::cache::{Cache, Disk, Rules};
use forge_core::config::{self, Config, Layer, Owner, Place};
use forge_core::home::{self, Home};
use forge_core::notice::Notices;
use forge_core::policy::{Caller, Policy};
use forge_core::project;
use forge_core::reference::Reference;
use forge_core::resolver::{Manner, Mode, Resolver};
use forge_core::trust;
use forge_sandbox::{Builtin, Calls, Compiler, Plugins, Sandbox};
use tokio::runtime::{Builder, Runtime};

use crate::arguments::{Arguments, Command, Global, Later, Provider};
use crate::credential::Answers;
use crate::failure::{Context as _, Outcome, usage};
use crate::keyring::Desktop;
use crate::printer::Printer;
use crate::providers::Opener;
use crate::{commands, environment};

/// The plugins that this program carries: those that stood in `target/plugins` when it was built.
static BUILTINS: &[Builtin] = include!(concat!(env!("OUT_DIR"), "/builtins.rs"));

/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

/// The program's own world.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) home: Home,
    pub(crate) keyring: Desktop,
    pub(crate) audit: Audit,
    /// What is still to be told of operations that went well.
    pub(crate) notices: Notices,
    pub(crate) policy: Policy,
    pub(crate) config_file: PathBuf,
    pub(crate) config: Config,
    /// The project of the working directory, allowed or not.
    pub(crate) project: Option<project::Found>,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) global: Global,
    /// What was prompted for and nobody has allowed yet.
    pub(crate) answers: Answers,
}

/// Runs a command to its end, and says why it failed; answers the exit code.
pub(crate) fn run(arguments: Arguments, printer: &mut Printer) -> u8 {
    let mut runtime = None;
    let is_run = matches!(arguments.command, Command::Run(_));
    let outcome = begun(arguments, printer, &mut runtime);
    // Said before the wait below, which is longer than anybody looks at nothing.
    let code = outcome.unwrap_or_else(|failure| {
        printer.failure(&failure);
        if is_run { commands::run::exit_code(&failure) } else { failure.kind.exit_code() }
    });
    printer.tell_trouble();
    if let Some(runtime) = runtime {
        runtime.block_on(crate::tokens::finish(printer));
    }
    code
}

/// Runs a command, on the runtime that is left in `begun` where it needs one; answers the exit code.
fn begun(arguments: Arguments, printer: &mut Printer, begun: &mut Option<Runtime>) -> Outcome<u8> {
    log(arguments.global.verbose, printer.is_json());
    if printer.format().is_of_export() && !matches!(arguments.command, Command::Export(_)) {
        return Err(
            usage("that `--format` is of `forge export` alone").with_hint("others print a `table`, `json` or `yaml`")
        );
    }
    // What only describes the program needs nothing of the user's.
    match arguments.command {
        Command::Completion { shell } => return commands::completion::script(printer, shell).map(|()| 0),
        Command::Manual { directory } => return commands::completion::manual(printer, &directory).map(|()| 0),
        _ => {}
    }
    let app = App::new(arguments.global)?;
    printer.watch(&app.audit, &app.notices);
    let is_grant = match &arguments.command {
        Command::Provider(Later(command)) => matches!(command, Provider::Add(_)),
        Command::Allow(_) => true,
        _ => false,
    };
    if app.global.offline && is_grant {
        return Err(usage("can't allow anything with `--offline`: what is allowed is looked up and tried first"));
    }
    // One thread: the calls that are under way at once wait for most of their time, and those of a thousand reads take longer
    // on several threads, which empty the memory of calls for each other.
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
        forge_core::provider::Failure::new(forge_core::Kind::Internal, format!("can't start: {error}"))
    })?;
    begun.insert(runtime).block_on(async {
        match arguments.command {
            Command::Run(Later(arguments)) => return commands::run::run(&app, printer, *arguments).await,
            Command::Secret(Later(command)) => commands::secret::run(&app, printer, command).await,
            Command::Provider(Later(command)) => commands::provider::run(&app, printer, command).await,
            Command::Plugin(Later(command)) => commands::plugin::run(&app, printer, command),
            Command::Audit(Later(command)) => commands::audit::run(&app, printer, command).await,
            Command::Policy(Later(command)) => commands::policy::run(&app, printer, &command),
            Command::Import(Later(arguments)) => commands::import::run(&app, printer, &arguments).await,
            Command::Inject(Later(arguments)) => commands::inject::run(&app, printer, &arguments).await,
            Command::Export(Later(arguments)) => commands::export::run(&app, printer, &arguments).await,
            Command::Check(Later(arguments)) => commands::check::run(&app, printer, &arguments).await,
            Command::Redact(Later(arguments)) => commands::redact::run(&app, printer, &arguments).await,
            Command::Doctor { move_key: Some(place), .. } => commands::doctor::move_key(&app, printer, place),
            Command::Doctor { .. } => commands::doctor::run(&app, printer, app.global.offline).await,
            Command::Cache(Later(command)) => commands::cache::run(&app, printer, &command),
            // These are answered before there is an `App`.
            Command::Compile { .. } | Command::Completion { .. } | Command::Manual { .. } => Ok(()),
            Command::Init(Later(arguments)) => commands::init::run(&app, printer, &arguments),
            Command::Allow(Later(arguments)) => commands::allow::run(&app, printer, &arguments).await,
        }
        .map(|()| 0)
    })
}

/// Forge's own words and its plugins' on standard error: warnings always, the rest at `-v`.
///
/// Where one object is wanted, standard error holds nothing else, unless `-v` asks for it. Crates that handle credentials
/// trace requests, so they stay silent however much is asked for.
fn log(verbose: bool, is_json: bool) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::prelude::*;
    let level = match (verbose, is_json) {
        (true, _) => LevelFilter::INFO,
        (false, true) => return,
        (false, false) => LevelFilter::WARN,
    };
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
        let mut home = environment::home()?;
        let config_file = global.config.clone().unwrap_or_else(|| home.config_file());
        let place = Place { owner: Owner::User, file: config_file.clone() };
        let user = layer(home::read(&config_file, config::LONGEST), &place)?;
        if user.is_none() && global.config.is_some() {
            return Err(usage(format!("can't use the configuration {place}: there is no such file")));
        }
        let place = Place { owner: Owner::System, file: environment::system_config_file().to_owned() };
        let system = layer(home::read_owned(&place.file, config::LONGEST, 0), &place)?;
        let project = environment::working_directory().and_then(|directory| {
            project::find(&directory, environment::home_directory().as_deref(), environment::user_number())
        });
        let trusted = project.as_ref().map(|found| trust::check(&home, found));
        let chosen = global.environment.clone().or_else(|| environment::variable("FORGE_ENVIRONMENT"));
        let chosen = chosen.filter(|name| !name.is_empty());
        let config = Config::of(system.unwrap_or_default(), user.unwrap_or_default(), trusted, chosen.as_deref());
        let plugins = Arc::new(Plugins::new(&home, BUILTINS));
        let keyring = Desktop::new(config.key_place, !global.non_interactive);
        home.keyring = Some(Arc::new(keyring.clone()));
        let audit = Audit::new(&home, config.audit, who(&global)?);
        let notices = Notices::default();
        let policy = match config.policies.as_slice() {
            [] => Policy::default(),
            sources => Policy::new(sources, environment::principal(), global.reason.as_deref()),
        };
        Ok(Self {
            home,
            keyring,
            audit,
            policy,
            notices,
            config_file,
            config,
            project,
            plugins,
            global,
            answers: Answers::default(),
        })
    }

    /// Starts the engine.
    pub(crate) fn sandbox(&self) -> Outcome<Sandbox> {
        Ok(Sandbox::start(&self.home, Compiler::new(environment::program()), Calls::Few)?)
    }

    /// What opens the providers of this command.
    pub(crate) fn opener(&self) -> Opener {
        let (policy, default) = (&self.policy, self.global.provider.clone());
        let opener = Opener::new(&self.home, &self.config, &self.plugins, policy, &self.audit, default);
        opener.keeping_tokens(!self.global.no_token_cache).in_mode(self.mode())
    }

    fn mode(&self) -> Mode {
        match (self.global.offline, self.global.refresh) {
            (true, _) => Mode::Offline,
            (false, true) => Mode::Refresh,
            (false, false) => Mode::Usual,
        }
    }

    /// For how long copies of a provider's secrets count.
    pub(crate) fn cache_rules(&self, provider: &str) -> Rules {
        let config = self.config.providers.get(provider);
        let is_project = config.is_some_and(|config| config.project().is_some());
        self.config.caching.rules(config.and_then(|config| config.cache), is_project)
    }

    /// The way of every operation.
    pub(crate) fn resolver(&self) -> Resolver {
        self.resolver_over(self.opener())
    }

    /// The same over providers that are opened elsewhere, too.
    pub(crate) fn resolver_over(&self, opener: Opener) -> Resolver {
        let caller = Caller { user: environment::user().into() };
        let cache = Cache::new(self.config.caching.entries()).with_disk(Disk::new(&self.home, &self.notices));
        let manner = self.manner(&opener);
        Resolver::new(Box::new(opener), caller, self.policy.clone(), cache, self.audit.clone()).in_manner(manner)
    }

    fn manner(&self, opener: &Opener) -> Manner {
        // Who names a provider means that one, and what stands in for the default one does not stand in for it. What is
        // wrong with the default provider is told by who asks for it.
        let fallback = match &self.global.provider {
            Some(_) => Vec::new(),
            None => self.config.fallback().unwrap_or_default().to_vec(),
        };
        let limit = |(reference, limit): &(Reference, Duration)| {
            Some(((opener.name_of(reference.provider.as_deref()).ok()?, reference.path.clone()), *limit))
        };
        let limits = self.config.limits().iter().filter_map(limit).collect();
        Manner { mode: self.mode(), fallback, limits, notices: self.notices.clone(), ..Manner::default() }
    }
}

/// Who asks, for the audit log.
fn who(global: &Global) -> Outcome<Who> {
    let is_wrong = |reason: &String| {
        let is_long = reason.chars().count() > LONGEST_REASON;
        is_long || reason.is_empty() || *reason != forge_core::manifest::printable_name(reason)
    };
    if global.reason.as_ref().is_some_and(is_wrong) {
        return Err(usage(format!("`--reason` takes one printable line of at most {LONGEST_REASON} characters")));
    }
    Ok(Who {
        user: environment::user(),
        program: format!("forge {} {}", env!("CARGO_PKG_VERSION"), global.command),
        parent: environment::parent(),
        reason: global.reason.clone(),
    })
}

/// What a file means that was read; `None` where there is no file.
fn layer(read: Result<Option<Vec<u8>>, home::Error>, place: &Place) -> Outcome<Option<Layer>> {
    let tried = || format!("can't use the configuration {place}");
    read.context(tried)?.map(|bytes| Layer::parse(&bytes, place).context(tried)).transpose()
}
