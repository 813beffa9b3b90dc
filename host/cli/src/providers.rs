//! From a provider's name to a provider that can be asked: configuration, grant, plugin, doors.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use forge_broker::{Egress, Options};
use forge_core::audit::Audit;
use forge_core::cache::Cache;
use forge_core::config::{Config, LOCAL, Owner, ProviderConfig};
use forge_core::grant::{Asks, Grant, PluginPin, SCHEMA_VERSION};
use forge_core::home::{self, Home};
use forge_core::manifest::{DirectoryMode, LimitsAsk, Manifest};
use forge_core::policy::{Action, Caller, Policy};
use forge_core::project::directory;
use forge_core::provider::Failure;
use forge_core::reference::Reference;
use forge_core::resolver::{Manner, Mode, Opened, Providers, Resolver, Target};
use forge_core::setting::Settings;
use forge_core::trust;
use forge_core::{Kind, field};
use forge_sandbox::{Calls, Compiler, Doors, Found, Plugins, Provider, Sandbox};
use zeroize::Zeroizing;

use crate::credential::{Answers, Reader};
use crate::failure::{Context as _, Outcome, not_found};
use crate::tokens::TokenFile;
use crate::{environment, grants};

mod copies;
mod lent;

/// The plugin behind the provider `local`.
const LOCAL_PLUGIN: &str = "file";

/// The plugin that reads a file of values.
const FILE_PLUGIN: &str = "textfile";

/// Calls that a command over many secrets has places for: those that it has under way at once, each of which may wait for
/// a credential that another provider holds, which may wait for one of its own.
const PLACES: u32 = 64;

/// Opens providers for one command.
#[derive(Clone, Debug)]
pub(crate) struct Opener {
    home: Home,
    config: Arc<Config>,
    plugins: Arc<Plugins>,
    policy: Policy,
    audit: Audit,
    default: Option<String>,
    /// Grants that are allowed and not recorded yet.
    unrecorded: Arc<BTreeMap<String, Grant>>,
    /// Whether tokens of logins are kept for the next command.
    keeps_tokens: bool,
    /// Whether a login may ask whoever sits at the terminal for the code of a device.
    asks: bool,
    /// What the sandbox is started for.
    calls: Calls,
    /// What was prompted for and is not recorded yet.
    answers: Answers,
    sandbox: Arc<OnceLock<Sandbox>>,
    /// What copies are used for, and whether the network is.
    mode: Mode,
    /// Providers that are open already: each page of a listing and each step of a `set` goes through the same login.
    opened: Arc<Mutex<HashMap<String, Opened>>>,
    egresses: Arc<Mutex<HashMap<String, Arc<Egress>>>>,
    /// The providers whose credentials are being read just now, so that none waits for itself.
    chain: Vec<String>,
}

impl Opener {
    pub(crate) fn new(
        home: &Home,
        config: &Config,
        plugins: &Arc<Plugins>,
        policy: &Policy,
        audit: &Audit,
        default: Option<String>,
    ) -> Self {
        Self {
            home: home.clone(),
            config: Arc::new(config.clone()),
            plugins: Arc::clone(plugins),
            policy: policy.clone(),
            audit: audit.clone(),
            default,
            unrecorded: Arc::default(),
            keeps_tokens: true,
            asks: false,
            calls: Calls::Few,
            mode: Mode::Usual,
            answers: Answers::default(),
            sandbox: Arc::default(),
            opened: Arc::default(),
            egresses: Arc::default(),
            chain: Vec::new(),
        }
    }

    /// The same, which keeps tokens of logins for the next command or does not.
    pub(crate) fn keeping_tokens(self, keeps_tokens: bool) -> Self {
        Self { keeps_tokens, ..self }
    }

    /// The same, whose logins ask a person for what only they can read, or don't.
    pub(crate) fn asking(self, asks: bool) -> Self {
        Self { asks, ..self }
    }

    pub(crate) fn asks(&self) -> bool {
        self.asks
    }

    /// The same, for a command that goes over many secrets.
    pub(crate) fn for_many(self) -> Self {
        Self { calls: Calls::Many { at_once: PLACES }, ..self }
    }

    /// The same, which knows grants that were allowed a moment ago and are recorded with others.
    pub(crate) fn with_grants(self, grants: &BTreeMap<String, Grant>) -> Self {
        Self { unrecorded: Arc::new(grants.clone()), ..self }
    }

    /// The same, which knows what a person has just answered.
    pub(crate) fn knowing(self, answers: &Answers) -> Self {
        Self { answers: answers.clone(), ..self }
    }

    pub(crate) fn answers(&self) -> &Answers {
        &self.answers
    }

    /// The configured provider that a name, a plugin's id or an alias means; `None` is the built-in `local`.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> Outcome<(&'a str, Option<&'a ProviderConfig>)> {
        if name == LOCAL {
            return Ok((LOCAL, None));
        }
        if let Some(config) = self.config.provider(name)? {
            return Ok((name, Some(config)));
        }
        // Ids and aliases of built-in plugins alone: any other manifest could claim a name to be handed its secrets.
        let uses = |config: &ProviderConfig| {
            self.plugins.find(&config.plugin).is_ok_and(|found| {
                let manifest = &found.component.manifest;
                found.is_builtin && (manifest.id == name || manifest.aliases.iter().any(|alias| alias == name))
            })
        };
        let mut users = self.config.providers.iter().filter(|(_, config)| uses(config));
        match (users.next(), users.next()) {
            (Some((name, config)), None) => Ok((name, Some(config))),
            (Some((one, config)), Some((other, another))) => Err(crate::failure::usage(format!(
                "`{name}` means several providers: `{one}` ({}), `{other}` ({}) and perhaps others; name one of them",
                config.place, another.place
            ))),
            _ => match &self.config.withheld {
                // The project that does not count would give the name its meaning.
                Some(withheld) if withheld.layer.iter().flat_map(|layer| layer.providers.values()).any(uses) => {
                    Err(withheld.why.clone().into())
                }
                _ => Err(not_found(format!("there is no provider `{name}`"))
                    .with_hint("`forge provider list` shows the providers, `forge provider add` adds one")),
            },
        }
    }

    /// The grant of a provider as it counts for its plugin now, and that plugin.
    pub(crate) fn granted(&self, name: &str) -> Outcome<(Grant, Found)> {
        let (name, config) = self.named(name)?;
        let Some(config) = config else {
            let found = self.plugins.find(LOCAL_PLUGIN)?;
            return Ok((local_grant(&self.home, &found.component.manifest)?, found));
        };
        let found = self.plugins.find(&config.plugin)?;
        let grant = self.recorded(name, config)?;
        let tried = || format!("can't use `{name}` of {}", config.place);
        let grant =
            grant.for_plugin(&found.component.manifest, &found.component.digest, found.is_builtin).context(tried);
        let grant = grant.map_err(|failure| failure.with_hint(again(name, config)))?;
        check_unchanged(name, config, &found.component.manifest, &grant)?;
        Ok((grant, found))
    }

    fn recorded(&self, name: &str, config: &ProviderConfig) -> Outcome<Grant> {
        if let Some(grant) = self.unrecorded.get(name) {
            return Ok(grant.clone());
        }
        // A project's grants lie apart: neither the user's provider nor another project's of the same name is meant.
        let file = match config.project() {
            Some(project) => trust::grants(&self.home, project).join(format!("{name}.json")),
            None => self.home.grant_file(name),
        };
        let place = &config.place;
        let refused = |kind, what| Failure::new(kind, what).with_hint(again(name, config));
        let Some(text) = home::read_private(&file, grants::LONGEST)? else {
            let what =
                format!("nothing is granted to `{name}`: it is configured in {place}, and nobody has allowed it yet");
            return Err(refused(Kind::NotGranted, what));
        };
        let grant: Grant = serde_json::from_slice(&text)
            .map_err(|_| refused(Kind::Integrity, format!("the grant of `{name}` of {place} is damaged")))?;
        let is_its_own = grant.provider == name && grant.project.as_deref().map(Path::new) == config.project();
        if grant.schema_version != SCHEMA_VERSION || !is_its_own {
            let what = format!("the grant of `{name}` of {place} is of another version or another provider");
            return Err(refused(Kind::Integrity, what));
        }
        Ok(grant)
    }

    /// A provider made of a plugin and a grant that need not be recorded yet.
    pub(crate) fn assemble(&self, found: &Found, grant: &Grant) -> Outcome<Provider> {
        let directory = match grant.directories.as_slice() {
            [] => None,
            [directory] => Some(self.directory(grant, directory)?),
            _ => return Err(Failure::new(Kind::NotGranted, "a plugin has at most one directory")),
        };
        let egress = if grant.routes.is_empty() { None } else { Some(self.egress(grant)?) };
        let granted = self.environment(grant)?;
        let sandbox = match self.sandbox.get() {
            Some(sandbox) => sandbox,
            None => {
                let started = Sandbox::start(&self.home, Compiler::new(environment::program()), self.calls)?;
                self.sandbox.get_or_init(|| started)
            }
        };
        Ok(sandbox.open(found, grant, Doors { egress, directory, environment: granted })?)
    }

    /// Lends one file to this command alone, to be read: a provider that no configuration knows and nothing records.
    ///
    /// `name` is no name that a configured provider can have. The person who typed the file's path is the grant.
    pub(crate) fn lend(&self, name: &str, settings: &Settings) -> Outcome {
        let found = self.plugins.find(FILE_PLUGIN)?;
        let mut grant = own_grant(name, settings, &found.component.manifest)?;
        grant.read_only = true;
        grant.directories.iter_mut().for_each(|directory| directory.mode = DirectoryMode::Read);
        self.start(name, &found, &grant).map(drop)
    }

    /// Refuses to test a provider that is not recorded yet, where the policy would not have it tested afterwards.
    pub(crate) fn check_policy(&self, name: &str) -> Outcome {
        let decision = self.policy.decide(Action::Check, name, "");
        let failure = || Failure::new(Kind::AccessDenied, decision.why()).with_hint(decision.hint());
        if decision.is_allowed { Ok(()) } else { Err(failure()) }
    }

    /// Makes a provider and keeps it for the rest of the command.
    fn start(&self, name: &str, found: &Found, grant: &Grant) -> Outcome<Opened> {
        let opened = Opened {
            provider: Arc::new(self.assemble(found, grant)?),
            identity: Arc::new(self.identity(name, found, grant)),
            terms: self.terms(name, grant),
        };
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), opened.clone());
        Ok(opened)
    }

    /// The provider of this name, if it was started already.
    fn started(&self, name: &str) -> Option<Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The way out of a grant, with sources that this command reads: one for each provider, so that it logs in once.
    pub(crate) fn egress(&self, grant: &Grant) -> Outcome<Arc<Egress>> {
        if let Some(egress) = self.egresses.lock().unwrap_or_else(PoisonError::into_inner).get(&grant.provider) {
            return Ok(Arc::clone(egress));
        }
        let mut options = Options::new(Arc::new(self.reader(grant)));
        options.logins = crate::tokens::LOGINS.clone();
        options.rate = self.config.providers.get(&grant.provider).and_then(|config| config.rate_limit);
        if self.keeps_tokens {
            options.tokens = Some(Arc::new(TokenFile::of(&self.home, grant)));
        }
        let egress = Egress::open(grant, &options)?;
        let mut egresses = self.egresses.lock().unwrap_or_else(PoisonError::into_inner);
        egresses.insert(grant.provider.clone(), Arc::clone(&egress));
        Ok(egress)
    }

    /// Reads the sources of a grant.
    pub(crate) fn reader(&self, grant: &Grant) -> Reader {
        let mut inner = self.clone();
        inner.chain.push(grant.provider.clone());
        Reader::new(&self.home, inner)
    }

    /// Reads a secret that another provider's credential is: with policy and audit, and never in a circle.
    pub(crate) async fn credential(&self, reference: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        let reference: Reference =
            reference.parse().map_err(|error: forge_core::reference::Error| error.to_string())?;
        let name = reference.provider.as_deref().unwrap_or(LOCAL);
        let (name, config) = self.named(name).map_err(|failure| failure.what)?;
        let is_project = |name: &String| self.config.providers.get(name).is_some_and(|c| c.project().is_some());
        // A project could take the place of a provider of the user's that is gone, and choose what others log in with.
        if let Some(config) = config.filter(|config| config.project().is_some())
            && !self.chain.last().is_some_and(is_project)
        {
            return Err(format!(
                "`{name}` is configured in {}, and can't be where your own providers log in from",
                config.place
            ));
        }
        if self.chain.iter().any(|waiting| waiting == name) {
            return Err(format!("the credentials of `{}` wait for each other", self.chain.join("`, `")));
        }
        let caller = Caller { user: environment::user().into() };
        let cache = Cache::none();
        let manner = Manner { mode: self.mode, ..Manner::default() };
        let resolver = Resolver::new(Box::new(self.clone()), caller, self.policy.clone(), cache, self.audit.clone());
        let resolver = resolver.in_manner(manner);
        let target = Target { provider: Some(name), path: &reference.path, version: reference.version.as_deref() };
        let secret = resolver.read(target).await.map_err(|failure| failure.what)?;
        let value = secret.map(|secret| field::take(&secret, reference.field.as_deref())).transpose();
        let value = value.map_err(|error| error.to_string())?;
        Ok(value.map(|value| value.expose().to_vec().into()))
    }
}

#[async_trait]
impl Providers for Opener {
    async fn open(&self, name: Option<&str>) -> Result<Opened, Failure> {
        let name = match name.or(self.default.as_deref()) {
            Some(name) => name,
            None => self.config.default_provider()?,
        };
        // What was lent to this command has no configuration to be found in.
        if let Some(opened) = self.started(name) {
            return Ok(opened);
        }
        let (name, _) = self.named(name)?;
        if let Some(opened) = self.started(name) {
            return Ok(opened);
        }
        let (grant, found) = self.granted(name)?;
        self.start(name, &found, &grant)
    }
}

/// The command that grants a provider again.
fn again(name: &str, config: &ProviderConfig) -> String {
    let shows = "shows what it would be allowed, and asks";
    match config.place.owner {
        Owner::User => format!("`forge provider remove {name}`, then `forge provider add {name} …` {shows}"),
        Owner::Project => format!("`forge allow` {shows}"),
        Owner::System => {
            let settings: Vec<String> =
                config.settings.iter().map(|(name, value)| format!(" --set {name}={value}")).collect();
            format!("`forge provider add {name} --plugin {}{}` {shows}", config.plugin, settings.concat())
        }
    }
}

/// A configuration that was changed behind the grant's back asks for something that nobody allowed.
fn check_unchanged(name: &str, config: &ProviderConfig, manifest: &Manifest, grant: &Grant) -> Outcome {
    let given = match config.project() {
        Some(project) => directory::resolved(manifest, &config.settings, project)
            .context(|| format!("can't use `{name}` of {}", config.place))?,
        None => config.settings.clone(),
    };
    let changed = given.iter().find(|(setting, value)| {
        let normalised = manifest.setting(setting).and_then(|ask| ask.kind.normalise(setting, value).ok());
        normalised.as_ref() != grant.settings.get(*setting)
    });
    let kind = grant.credential.as_ref().map(|credential| &credential.kind);
    // `none` is a kind of its own in a file and no credential in a grant, and less than was asked for is no change.
    let is_other = kind.is_some() && config.credential.is_some() && config.credential.as_ref() != kind;
    let what = match changed {
        Some((setting, _)) => {
            format!("setting `{setting}` of `{name}` in {} is not the one that was granted", config.place)
        }
        None if is_other => {
            format!("the credential of `{name}` in {} is not of the kind that was granted", config.place)
        }
        None => return Ok(()),
    };
    Err(Failure::new(Kind::NotGranted, what).with_hint(again(name, config)))
}

/// What the embedded store is allowed: its own directory, sealed, and nothing else.
fn local_grant(home: &Home, manifest: &Manifest) -> Outcome<Grant> {
    let path = home.local_store().display().to_string();
    let settings = Settings::from([("path".to_owned(), path)]);
    own_grant(LOCAL, &settings, manifest).context(|| "can't use the local store".to_owned())
}

/// What a built-in plugin of this machine is allowed without a question: the directory or the file of its settings, and nothing else.
fn own_grant(provider: &str, settings: &Settings, manifest: &Manifest) -> Outcome<Grant> {
    let asks = Asks::expand(manifest, settings)?;
    Ok(Grant {
        schema_version: SCHEMA_VERSION,
        provider: provider.to_owned(),
        plugin: PluginPin::Builtin(manifest.id.clone()),
        settings: asks.settings,
        routes: Vec::new(),
        directories: asks.directories,
        environment: Vec::new(),
        credential: None,
        networks: BTreeMap::new(),
        tls_ca: None,
        tls_certificate: None,
        no_token_cache: false,
        read_only: false,
        limits: LimitsAsk::default(),
        derived: asks.derived,
        project: None,
    })
}
