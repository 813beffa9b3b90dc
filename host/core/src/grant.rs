//! A grant: what a person allowed one provider, bound to one plugin and to expanded routes.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::manifest::{DirectoryMode, LimitsAsk, Manifest};
use crate::route::{Ability, Route};
use crate::setting::{SettingKind, Settings};

/// Which plugin a grant is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginPin {
    /// The plugin of this id that forge itself carries, whatever its digest.
    Builtin(String),
    /// The plugin with this SHA-256 digest, in lower-case hexadecimal.
    Digest(String),
}

/// In which network an origin may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkClass {
    /// Global addresses only.
    Public,
    /// The private blocks of RFC 1918, RFC 6598 and RFC 4193 as well.
    Private,
    /// This machine only.
    Loopback,
}

impl std::fmt::Display for NetworkClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Loopback => "loopback",
        })
    }
}

/// The credential of a provider: its kind, where the host gets it, and where it may go. Never the credential itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialGrant {
    /// One of the broker's kinds.
    pub kind: String,
    /// Parameters as the person gave them, such as `method = approle`; each source is `env:NAME`, `file:PATH` and so on.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The only origins that the credential may be sent to.
    pub audience: Vec<String>,
    /// Whom the credential speaks for, learnt when the provider was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// Who the host says it is when TLS is set up, for servers that want to know before they listen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    /// The chain in PEM, the provider's own certificate first.
    pub chain: String,
    /// Where the private key is, such as `file:/PATH`. Never the key itself.
    pub key: String,
}

/// A directory that a provider may use, or one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryGrant {
    /// Absolute path of the directory, or of the file with every link on the way to it resolved.
    pub path: String,
    /// Whether it may write there.
    pub mode: DirectoryMode,
    /// Whether the host seals each file.
    pub sealed: bool,
    /// Where one file is granted and not its directory: the name by which the plugin knows it, which is its setting's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What one provider may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The format of this record.
    pub schema_version: u32,
    /// The provider's name.
    pub provider: String,
    /// The plugin.
    pub plugin: PluginPin,
    /// All settings, defaults and discovered ones included.
    pub settings: Settings,
    /// The requests that may go out.
    pub routes: Vec<Route>,
    /// The directories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<DirectoryGrant>,
    /// Patterns of environment variable names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// The credential that the host adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialGrant>,
    /// The network class of each origin.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub networks: BTreeMap<String, NetworkClass>,
    /// Certificates (PEM) to trust in place of the platform's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca: Option<String>,
    /// The certificate that the host shows to every server of this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_certificate: Option<ClientCertificate>,
    /// Whether tokens that its logins give are never kept between processes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_token_cache: bool,
    /// Whether writes and removals were left out.
    #[serde(default)]
    pub read_only: bool,
    /// Limits other than the usual ones.
    #[serde(default)]
    pub limits: LimitsAsk,
    /// What the routes are made of beside the settings.
    #[serde(default, skip_serializing_if = "Derived::is_empty")]
    pub derived: Derived,
    /// The folder of the project whose provider this is; the user's own has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// The version of the grant's format that this forge writes.
pub const SCHEMA_VERSION: u32 = 1;

/// What a manifest asks for once its settings are filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// All settings, defaults included.
    pub settings: Settings,
    /// What the routes are made of beside them.
    pub derived: Derived,
    /// Routes whose `when` holds.
    pub routes: Vec<Route>,
    /// Directories.
    pub directories: Vec<DirectoryGrant>,
    /// Environment name patterns.
    pub environment: Vec<String>,
}

/// Why settings do not fit a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The manifest has no such setting.
    #[error("plugin `{plugin}` has no setting `{name}`")]
    UnknownSetting {
        /// The plugin's id.
        plugin: String,
        /// The setting.
        name: String,
    },
    /// A required setting has no value.
    #[error("setting `{0}` is required")]
    MissingSetting(String),
    /// A value breaks the rule of its kind.
    #[error(transparent)]
    Setting(#[from] crate::setting::Error),
    /// A setting from which a part of the routes follows breaks a rule.
    #[error("{0}")]
    Derived(String),
    /// A route can't be made from these settings.
    #[error("route `{route}` {rule}")]
    Route {
        /// The route as the manifest writes it.
        route: String,
        /// What it has to be.
        rule: String,
    },
    /// The plugin asks for more than the grant holds.
    #[error("plugin `{plugin}` now asks for more than was granted: {what}")]
    NotCovered {
        /// The plugin's id.
        plugin: String,
        /// The first thing that is new.
        what: String,
    },
    /// The grant is for another plugin.
    #[error("the grant of `{provider}` is for another plugin")]
    OtherPlugin {
        /// The provider.
        provider: String,
    },
}

impl Asks {
    /// Fills `given` into what the manifest asks for.
    ///
    /// # Errors
    /// A setting that is unknown, missing or malformed; a route that its settings don't fit.
    pub fn expand(manifest: &Manifest, given: &Settings) -> Result<Self, Error> {
        Self::expand_with(manifest, given, &Derived::none)
    }

    /// The same, where the credential's kind makes values of settings and of its identity.
    ///
    /// # Errors
    /// As [`Asks::expand`], and [`Error::Derived`].
    pub fn expand_with(manifest: &Manifest, given: &Settings, derive: Derive<'_>) -> Result<Self, Error> {
        let settings = fill(manifest, given, derive)?;
        let derived = derive(&settings).map_err(Error::Derived)?;
        let mut asks = Self { settings, derived, ..Self::default() };
        for ask in &manifest.routes {
            let holds = |(name, value): (&String, &String)| asks.settings.get(name) == Some(value);
            if ask.when.iter().all(holds) {
                let route = crate::grant::template::route(manifest, ask, asks.values())?;
                asks.routes.push(route);
            }
        }
        for ask in &manifest.directories {
            if let Some(path) = asks.settings.get(&ask.setting) {
                let is_file = manifest.setting(&ask.setting).is_some_and(|setting| setting.kind == SettingKind::File);
                let (path, file) = if is_file {
                    (resolved(&ask.setting, path)?, Some(ask.setting.clone()))
                } else {
                    (path.clone(), None)
                };
                asks.directories.push(DirectoryGrant { path, mode: ask.mode, sealed: ask.sealed, file });
            }
        }
        for ask in &manifest.environment {
            asks.environment.extend(asks.settings.get(&ask.setting).cloned());
        }
        Ok(asks)
    }

    /// The routes that these settings do not grant yet, and that what `check` discovers may add; each with its condition.
    ///
    /// # Errors
    /// As [`Asks::expand`].
    pub fn discoverable(&self, manifest: &Manifest) -> Result<Vec<(String, Route)>, Error> {
        let mut routes = Vec::new();
        for ask in &manifest.routes {
            let unknown = |name: &String| {
                !self.settings.contains_key(name) && manifest.setting(name).is_some_and(|s| s.discovered)
            };
            let may_hold = |(name, value): (&String, &String)| unknown(name) || self.settings.get(name) == Some(value);
            if ask.when.keys().any(unknown) && ask.when.iter().all(may_hold) {
                let condition: Vec<String> = ask.when.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                routes.push((condition.join(", "), template::route(manifest, ask, self.values())?));
            }
        }
        Ok(routes)
    }

    fn values(&self) -> Values<'_> {
        Values { settings: &self.settings, derived: &self.derived }
    }

    /// The origins of all routes, each once, in order.
    pub fn origins(&self) -> Vec<String> {
        let mut origins: Vec<String> = self.routes.iter().map(|route| route.origin.clone()).collect();
        origins.sort();
        origins.dedup();
        origins
    }
}

/// Where a file really lies, which is what is granted.
///
/// It is looked up again whenever the grant is used: a link that a hostile repository puts in the place of the file, or of
/// a folder on the way, then leads to what nobody granted, and the grant doesn't hold.
fn resolved(setting: &str, path: &str) -> Result<String, Error> {
    let refuse = |rule| Error::Setting(crate::setting::Error { name: setting.to_owned(), rule });
    let path = Path::new(path);
    let name = path.file_name().ok_or_else(|| refuse("must be the path of a file"))?;
    let real = match std::fs::canonicalize(path) {
        Ok(real) if real.is_dir() => return Err(refuse("must be the path of a file, and leads to a directory")),
        Ok(real) => real,
        Err(_) if path.is_symlink() => return Err(refuse("is a link that leads to no file that can be reached")),
        // A file that is still to be written, in a folder that may be too.
        Err(_) => {
            let folder = path.parent().unwrap_or(Path::new("/"));
            std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()).join(name)
        }
    };
    real.into_os_string().into_string().map_err(|_| refuse("must lead to a file whose path is UTF-8"))
}

/// Settings with defaults filled in, each in its one spelling.
fn fill(manifest: &Manifest, given: &Settings, derive: Derive<'_>) -> Result<Settings, Error> {
    if let Some(name) = given.keys().find(|name| manifest.setting(name).is_none()) {
        return Err(Error::UnknownSetting { plugin: manifest.id.clone(), name: name.clone() });
    }
    let mut settings = Settings::new();
    for ask in &manifest.settings {
        let value = match (given.get(&ask.name), &ask.default) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => {
                let derived = derive(&settings).map_err(Error::Derived)?;
                let values = Values { settings: &settings, derived: &derived };
                template::text(default, values).map_err(|rule| Error::Route { route: default.clone(), rule })?
            }
            (None, None) if ask.required => return Err(Error::MissingSetting(ask.name.clone())),
            (None, None) => continue,
        };
        settings.insert(ask.name.clone(), ask.kind.normalise(&ask.name, &value)?);
    }
    Ok(settings)
}

impl Grant {
    /// The grant as it counts for this plugin now.
    ///
    /// A built-in plugin of a newer forge may use new routes at the granted origins; any other plugin is bound to its digest.
    ///
    /// # Errors
    /// [`Error::OtherPlugin`] for another id or digest, [`Error::NotCovered`] for asks beyond the grant.
    pub fn for_plugin(&self, manifest: &Manifest, digest: &str, is_builtin: bool) -> Result<Self, Error> {
        match &self.plugin {
            PluginPin::Digest(pinned) if pinned == digest => Ok(self.clone()),
            PluginPin::Builtin(id) if is_builtin && *id == manifest.id => self.widened(manifest),
            _ => Err(Error::OtherPlugin { provider: self.provider.clone() }),
        }
    }

    fn widened(&self, manifest: &Manifest) -> Result<Self, Error> {
        let not_covered = |what: String| Error::NotCovered { plugin: manifest.id.clone(), what };
        let known: Settings = self
            .settings
            .iter()
            .filter(|(name, _)| manifest.setting(name).is_some())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut asks = Asks::expand_with(manifest, &known, &|_| Ok(self.derived.clone()))?;
        if self.read_only {
            asks.directories.iter_mut().for_each(|directory| directory.mode = DirectoryMode::Read);
        }
        if let Some(origin) = asks.origins().into_iter().find(|origin| !self.networks.contains_key(origin)) {
            return Err(not_covered(format!("the origin {origin}")));
        }
        if let Some(directory) = asks.directories.iter().find(|directory| !self.directories.contains(directory)) {
            let what = if directory.file.is_some() { "file" } else { "directory" };
            return Err(not_covered(format!("the {what} `{}`", directory.path)));
        }
        if let Some(names) = asks.environment.iter().find(|names| !self.environment.contains(names)) {
            return Err(not_covered(format!("the environment variables `{names}`")));
        }
        let asked = manifest.credential.as_ref().map(|ask| ask.kind.as_str());
        let granted = self.credential.as_ref().map(|grant| grant.kind.as_str());
        if asked.is_some() && granted.is_some() && asked != granted {
            return Err(not_covered("another kind of credential".to_owned()));
        }
        if self.read_only {
            asks.routes.retain(|route| route.ability == Ability::Read);
        }
        if let Some(route) = asks.routes.iter().find(|route| !self.bounds(route)) {
            return Err(not_covered(format!("other fields or targets in the body of `{route}`")));
        }
        let mut grant = self.clone();
        grant.routes = asks.routes;
        grant.settings = asks.settings;
        Ok(grant)
    }

    /// Whether a route stays within what was granted at its origin.
    ///
    /// Where each granted route says what its body may be, the origin is shared by all tenants: what a person allowed is
    /// not the origin but the targets that those bodies name, and one of them has to hold the new route's body wholly.
    fn bounds(&self, route: &Route) -> bool {
        let mut granted = self.routes.iter().filter(|granted| granted.origin == route.origin).peekable();
        let is_within = |granted: &Route| match (&granted.body, &route.body) {
            (None, _) => true,
            (Some(granted), Some(body)) => granted.covers(body),
            (Some(_), None) => false,
        };
        granted.peek().is_none() || granted.any(is_within)
    }

    /// A stable digest of everything that this grant says, for caches and audit: SHA-256 in hexadecimal.
    pub fn digest(&self) -> String {
        use sha2::Digest as _;
        let text = serde_json::to_vec(self).unwrap_or_default();
        crate::sealing::hex(&sha2::Sha256::digest(text))
    }
}

mod derived;
mod template;

use derived::Values;
pub use derived::{Derive, Derived};

#[cfg(test)]
mod tests;
