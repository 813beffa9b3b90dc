//! The configuration: what the layers say (system, user, project), and what counts of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::audit::{self, OnFailure};
use crate::policy;
use crate::project;
use crate::rate::Rate;
use crate::reference::Reference;
use crate::setting::Settings;

mod cache;
mod error;
mod raw;

pub(crate) use cache::written;
pub use cache::{CacheConfig, Caching};
pub use error::{At, Error};
pub(crate) use raw::at as place_in;

/// The longest configuration that is read, in bytes.
pub const LONGEST: u64 = 1 << 20;

/// The provider that is there without any configuration.
pub const LOCAL: &str = "local";

/// Whose configuration something stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// The machine's: `/etc/forge/config.toml`.
    System,
    /// The user's own.
    #[default]
    User,
    /// A project's `forge.toml` or `forge.local.toml`, written by whoever wrote the project.
    Project,
}

/// Where something is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Whose file it is.
    pub owner: Owner,
    /// The file.
    pub file: PathBuf,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A folder of a cloned repository can have a name that drives a terminal.
        write!(f, "`{}`", crate::manifest::printable_name(&self.file.display().to_string()))
    }
}

/// One configured provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// The name of an installed plugin.
    pub plugin: String,
    /// Its settings as written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: Settings,
    /// The kind of its credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// How often it may ask its backend; as often as it likes otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<Rate>,
    /// What counts for copies of its secrets in place of `[cache]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheConfig>,
    /// Where it is configured, which is no part of what it means.
    #[serde(skip)]
    pub place: Place,
}

impl ProviderConfig {
    /// The folder of the project that configures it; `None` for a provider of the user's or the system's.
    pub fn project(&self) -> Option<&Path> {
        match self.place.owner {
            Owner::Project => self.place.file.parent(),
            Owner::System | Owner::User => None,
        }
    }
}

/// Another choice of provider and secrets, chosen by name (`--environment NAME`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The provider of a bare path in this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The providers that stand in for the default one while its backend is unavailable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Vec<String>>,
    /// Secrets that differ from those outside of it, by the variable's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretConfig>,
}

/// Where the value of one variable comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretConfig {
    /// The secret.
    #[serde(rename = "ref")]
    pub reference: Reference,
    /// Secrets to read in its place, in turn, while its backend is unavailable: one that denies or has none has answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<Reference>,
    /// Whether its absence is an error.
    pub required: bool,
    /// How old a copy of it may be, where that is less than its provider's copies may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Duration>,
}

/// Where a new sealing key goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// Into the keyring, or nowhere.
    Keyring,
    /// Into a file of mode 0600.
    File,
}

/// What one file, or all files of a project together, mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The provider of a bare path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The providers that stand in for the default one while its backend is unavailable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Vec<String>>,
    /// What it says of copies.
    #[serde(default, skip_serializing_if = "CacheConfig::is_empty")]
    pub cache: CacheConfig,
    /// The providers by name, without the built-in `local`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub providers: BTreeMap<String, ProviderConfig>,
    /// The environments by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environments: BTreeMap<String, Environment>,
    /// What programs are to be given, by the variable's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretConfig>,
    /// Where a new sealing key goes. No part of what a project means: it can't say it.
    #[serde(skip)]
    pub key_place: Option<KeyPlace>,
    /// How the audit log is written, which a project can't say either.
    #[serde(skip)]
    pub audit: AuditConfig,
    /// Who may do what, which a project can't say either: of each file that says something, the machine's first.
    #[serde(skip)]
    pub policies: Vec<policy::Source>,
}

/// What a layer says of the audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditConfig {
    /// What happens where it can't be written.
    pub on_failure: Option<OnFailure>,
    /// Whether each write waits for the disk.
    pub sync: Option<bool>,
    /// How large a file grows, in bytes.
    pub rotate_at: Option<u64>,
}

impl AuditConfig {
    /// This layer with `over` on top of it. Unlike elsewhere, what the lower one says stays: rules that the machine's
    /// administrator made for the log are not the user's to loosen.
    fn under(self, over: Self) -> Self {
        Self {
            on_failure: self.on_failure.or(over.on_failure),
            sync: self.sync.or(over.sync),
            rotate_at: self.rotate_at.or(over.rotate_at),
        }
    }

    fn settings(self) -> audit::Settings {
        let usual = audit::Settings::default();
        audit::Settings {
            on_failure: self.on_failure.unwrap_or(usual.on_failure),
            sync: self.sync.unwrap_or(usual.sync),
            rotate_at: self.rotate_at.unwrap_or(usual.rotate_at),
        }
    }
}

impl Layer {
    /// Reads a configuration file, whose bytes these are.
    ///
    /// # Errors
    /// Where it is wrong, by line, column and name, and never with the text that stands there.
    pub fn parse(bytes: &[u8], place: &Place) -> Result<Self, Error> {
        raw::parse(bytes, place)
    }

    /// This layer with `over` on top of it: the same provider or secret is replaced as a whole.
    #[must_use]
    pub fn under(mut self, over: Self) -> Self {
        // Stand-ins belong to a default provider: whoever chooses another one chooses those of that one, too.
        self.fallback = if over.default.is_some() { over.fallback } else { over.fallback.or(self.fallback) };
        self.default = over.default.or(self.default);
        self.cache = self.cache.under(over.cache);
        self.key_place = over.key_place.or(self.key_place);
        self.audit = self.audit.under(over.audit);
        // Each has to allow what is done: the user's can take something away from what the machine's allows, and add nothing.
        self.policies.extend(over.policies);
        self.providers.extend(over.providers);
        self.secrets.extend(over.secrets);
        for (name, over) in over.environments {
            let environment = self.environments.entry(name).or_default();
            let below = environment.fallback.take();
            environment.fallback = if over.default.is_some() { over.fallback } else { over.fallback.or(below) };
            environment.default = over.default.or(environment.default.take());
            environment.secrets.extend(over.secrets);
        }
        self
    }
}

/// A project that is there and does not count, because nobody allowed it as it is, or because it is wrong.
#[derive(Clone, Debug)]
pub struct Withheld {
    /// What it says, where it can be read.
    pub layer: Option<Layer>,
    /// Why it does not count.
    pub why: project::Error,
}

/// What is configured: all layers that count.
#[derive(Clone, Debug)]
pub struct Config {
    default: Result<Chosen, Refusal>,
    /// The providers by name, without the built-in `local`.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// What counts for copies of secrets.
    pub caching: Caching,
    limits: Vec<(Reference, Duration)>,
    secrets: Result<BTreeMap<String, SecretConfig>, Refusal>,
    /// Where a new sealing key goes; `None` is the keyring where there is one, and else a file.
    pub key_place: Option<KeyPlace>,
    /// How the audit log is written.
    pub audit: audit::Settings,
    /// Who may do what: each of them has to allow what is done.
    pub policies: Vec<policy::Source>,
    /// The project that does not count, if there is one.
    pub withheld: Option<Box<Withheld>>,
}

/// The provider of a bare path.
#[derive(Clone, Debug)]
struct Chosen {
    name: String,
    /// The providers that stand in for it.
    fallback: Vec<String>,
}

/// Why a name has no meaning here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What was asked for would use a project that does not count.
    #[error(transparent)]
    Project(#[from] project::Error),
    /// No layer has such an environment.
    #[error("there is no environment `{0}` in any configuration")]
    Environment(String),
    /// The default names no provider.
    #[error("`default` names the provider `{0}`, which is not configured")]
    Default(String),
    /// A provider that is to stand in is none.
    #[error("`fallback` names the provider `{0}`, which is not configured")]
    Fallback(String),
}

impl Default for Config {
    fn default() -> Self {
        Self::of(Layer::default(), Layer::default(), None, None)
    }
}

impl Config {
    /// What counts of the layers: a project's before the user's before the system's.
    ///
    /// A project that gives a name of the user's or the system's another meaning is withheld: a cloned repository
    /// must not be able to put itself in the place of a provider that the user trusts.
    pub fn of(
        system: Layer,
        user: Layer,
        project: Option<Result<Layer, Box<Withheld>>>,
        environment: Option<&str>,
    ) -> Self {
        let own = system.under(user);
        let (project, withheld) = match project {
            None => (Layer::default(), None),
            Some(Err(withheld)) => {
                // That it could never count is worth more to know than that nobody allowed it.
                let why = withheld.layer.as_ref().and_then(|layer| shadowed(&own, layer)).unwrap_or(withheld.why);
                (Layer::default(), Some(Box::new(Withheld { layer: withheld.layer, why })))
            }
            Some(Ok(layer)) => match shadowed(&own, &layer) {
                None => (layer, None),
                Some(why) => (Layer::default(), Some(Box::new(Withheld { layer: Some(layer), why }))),
            },
        };
        let caching = Caching { own: own.cache, project: project.cache };
        let all = own.under(project);
        let default = default_of(&all, withheld.as_deref(), environment);
        let audit = all.audit.settings();
        let secrets = secrets_of(&all, withheld.as_deref(), environment);
        let limits = limits_of(&all, environment);
        let (key_place, policies) = (all.key_place, all.policies);
        Self { default, providers: all.providers, caching, limits, secrets, key_place, audit, policies, withheld }
    }

    /// The provider of a bare path.
    ///
    /// # Errors
    /// A project that does not count may choose it, or it is no provider.
    pub fn default_provider(&self) -> Result<&str, Refusal> {
        self.default.as_ref().map(|default| default.name.as_str()).map_err(Clone::clone)
    }

    /// The providers that stand in for the default one while its backend is unavailable, in their order.
    ///
    /// # Errors
    /// As [`Config::default_provider`], and one of them is no provider.
    pub fn fallback(&self) -> Result<&[String], Refusal> {
        self.default.as_ref().map(|default| default.fallback.as_slice()).map_err(Clone::clone)
    }

    /// The secrets whose copies may be only so old, whatever is said of their provider.
    pub fn limits(&self) -> &[(Reference, Duration)] {
        &self.limits
    }

    /// What programs are to be given in the environment that was chosen, by the variable's name.
    ///
    /// # Errors
    /// A project that does not count may name some, or there is no such environment.
    pub fn secrets(&self) -> Result<&BTreeMap<String, SecretConfig>, Refusal> {
        self.secrets.as_ref().map_err(Clone::clone)
    }

    /// The provider of this name; `None` is no provider.
    ///
    /// # Errors
    /// A project that does not count gives the name a meaning, or may give it one.
    pub fn provider(&self, name: &str) -> Result<Option<&ProviderConfig>, Refusal> {
        let found = self.providers.get(name);
        match &self.withheld {
            Some(withheld) if withheld.means(name, found.is_some()) => Err(withheld.why.clone().into()),
            _ => Ok(found),
        }
    }
}

impl Withheld {
    /// Whether this project gives a provider's name a meaning. One that can't be read may mean any name not known otherwise.
    fn means(&self, name: &str, is_known: bool) -> bool {
        match &self.layer {
            Some(layer) => layer.providers.contains_key(name),
            None => !is_known && name != LOCAL,
        }
    }
}

/// The first provider of a project that has the name of one of the user's or the system's.
fn shadowed(own: &Layer, project: &Layer) -> Option<project::Error> {
    project.providers.iter().find_map(|(name, provider)| {
        let other = own.providers.get(name)?;
        Some(project::Error::Shadows { name: name.clone(), place: provider.place.clone(), other: other.place.clone() })
    })
}

fn default_of(all: &Layer, withheld: Option<&Withheld>, environment: Option<&str>) -> Result<Chosen, Refusal> {
    if let Some(withheld) = withheld {
        // What the project would say of the default; one that can't be read may say anything.
        let says = withheld.layer.as_ref().is_none_or(|layer| {
            let is_chosen = environment.is_some_and(|name| layer.environments.contains_key(name));
            layer.default.is_some() || layer.fallback.is_some() || is_chosen
        });
        if says {
            return Err(withheld.why.clone().into());
        }
    }
    let chosen = match environment {
        None => None,
        Some(name) => {
            let unknown = || Refusal::Environment(crate::manifest::printable(name));
            Some(all.environments.get(name).ok_or_else(unknown)?)
        }
    };
    let (own, own_fallback) = chosen.map_or((None, None), |chosen| (chosen.default.as_ref(), chosen.fallback.as_ref()));
    // What stands in for one default provider does not stand in for another.
    let fallback = own_fallback.or(all.fallback.as_ref().filter(|_| own.is_none())).cloned().unwrap_or_default();
    let name = own.or(all.default.as_ref()).cloned().unwrap_or_else(|| LOCAL.to_owned());
    let check = |name: &String, refusal: fn(String) -> Refusal| {
        if name == LOCAL || all.providers.contains_key(name) {
            return Ok(());
        }
        Err(match withheld {
            Some(withheld) if withheld.means(name, false) => withheld.why.clone().into(),
            _ => refusal(name.clone()),
        })
    };
    check(&name, Refusal::Default)?;
    fallback.iter().try_for_each(|name| check(name, Refusal::Fallback))?;
    Ok(Chosen { name, fallback })
}

/// What is said of copies of single secrets. A project that does not count says nothing, and takes nothing away.
fn limits_of(all: &Layer, environment: Option<&str>) -> Vec<(Reference, Duration)> {
    let environment = environment.and_then(|name| all.environments.get(name));
    let secrets = all.secrets.values().chain(environment.iter().flat_map(|environment| environment.secrets.values()));
    secrets.filter_map(|secret| Some((secret.reference.clone(), secret.cache?))).collect()
}

/// The secrets of all environments with those of the chosen one over them.
fn secrets_of(
    all: &Layer,
    withheld: Option<&Withheld>,
    environment: Option<&str>,
) -> Result<BTreeMap<String, SecretConfig>, Refusal> {
    if let Some(withheld) = withheld {
        // One that can't be read may name any.
        let says = withheld.layer.as_ref().is_none_or(|layer| {
            !layer.secrets.is_empty() || environment.is_some_and(|name| layer.environments.contains_key(name))
        });
        if says {
            return Err(withheld.why.clone().into());
        }
    }
    let mut secrets = all.secrets.clone();
    if let Some(name) = environment {
        let unknown = || Refusal::Environment(crate::manifest::printable(name));
        secrets.extend(all.environments.get(name).ok_or_else(unknown)?.secrets.clone());
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests;
