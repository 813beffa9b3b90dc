//! What a person chooses for the providers of a project, each choice as `PROVIDER=WHAT`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use forge_core::config::Layer;

use crate::arguments::Allow;
use crate::failure::{Outcome, usage};

/// The choices by provider.
#[derive(Debug, Default)]
pub(super) struct Choices {
    credentials: BTreeMap<String, Vec<String>>,
    audiences: BTreeMap<String, Vec<String>>,
    certificates: BTreeMap<String, Vec<String>>,
    /// Providers that may only read.
    pub(super) read_only: Vec<String>,
    /// Providers that get nothing.
    pub(super) without: Vec<String>,
}

impl Choices {
    /// The choices that were typed; each must name a provider of the project.
    pub(super) fn of(arguments: &Allow, meaning: &Layer) -> Outcome<Self> {
        let choices = Self {
            credentials: pairs("--credential", &arguments.credential)?,
            audiences: pairs("--credential-audience", &arguments.credential_audience)?,
            certificates: pairs("--tls-ca", &arguments.tls_ca)?,
            read_only: arguments.read_only.clone(),
            without: arguments.without.clone(),
        };
        for (option, choices) in [("--credential", &choices.credentials), ("--tls-ca", &choices.certificates)] {
            if let Some(name) = choices.iter().find(|(_, typed)| typed.len() > 1).map(|(name, _)| name) {
                return Err(usage(format!("`{option}` names `{name}` twice")));
            }
        }
        let maps = [&choices.credentials, &choices.audiences, &choices.certificates];
        let names = maps.iter().flat_map(|map| map.keys()).chain(&choices.read_only).chain(&choices.without);
        for name in names {
            if !meaning.providers.contains_key(name) {
                let shown = forge_core::manifest::printable(name);
                let known: Vec<String> = meaning.providers.keys().map(|name| format!("`{name}`")).collect();
                let failure = usage(format!("`{shown}` is no provider of the project"));
                return Err(if known.is_empty() {
                    failure
                } else {
                    failure.with_hint(format!("it has {}", known.join(", ")))
                });
            }
        }
        Ok(choices)
    }

    /// Whether nothing was chosen.
    pub(super) fn is_empty(&self) -> bool {
        let maps = [&self.credentials, &self.audiences, &self.certificates];
        maps.iter().all(|map| map.is_empty()) && self.read_only.is_empty() && self.without.is_empty()
    }

    /// Whether something was chosen for this provider.
    pub(super) fn concern(&self, name: &str) -> bool {
        let maps = [&self.credentials, &self.audiences, &self.certificates];
        maps.iter().any(|map| map.contains_key(name)) || self.read_only.iter().any(|other| other == name)
    }

    /// The credential, as `provider add` takes it.
    pub(super) fn credential(&self, name: &str) -> Option<String> {
        self.credentials.get(name)?.first().cloned()
    }

    /// The origins that it may be sent to besides.
    pub(super) fn audience(&self, name: &str) -> Vec<String> {
        self.audiences.get(name).cloned().unwrap_or_default()
    }

    /// The file of certificates.
    pub(super) fn tls_ca(&self, name: &str) -> Option<PathBuf> {
        self.certificates.get(name)?.first().map(PathBuf::from)
    }
}

fn pairs(option: &str, typed: &[String]) -> Outcome<BTreeMap<String, Vec<String>>> {
    let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in typed {
        // What is typed may be a secret in the wrong place, so it is not repeated.
        match text.split_once('=') {
            Some((name, what)) if forge_core::reference::is_name(name) && !what.is_empty() => {
                pairs.entry(name.to_owned()).or_default().push(what.to_owned());
            }
            _ => return Err(usage(format!("`{option}` takes PROVIDER=…, with a provider of the project"))),
        }
    }
    Ok(pairs)
}
