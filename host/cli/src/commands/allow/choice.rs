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
    /// Client certificates, and where their keys are.
    own_certificates: BTreeMap<String, Vec<String>>,
    own_keys: BTreeMap<String, Vec<String>>,
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
            own_certificates: pairs("--tls-cert", &arguments.tls_cert)?,
            own_keys: pairs("--tls-key", &arguments.tls_key)?,
            read_only: arguments.read_only.clone(),
            without: arguments.without.clone(),
        };
        for (option, choices) in [
            ("--credential", &choices.credentials),
            ("--tls-ca", &choices.certificates),
            ("--tls-cert", &choices.own_certificates),
            ("--tls-key", &choices.own_keys),
        ] {
            if let Some(name) = choices.iter().find(|(_, typed)| typed.len() > 1).map(|(name, _)| name) {
                return Err(usage(format!("`{option}` names `{name}` twice")));
            }
        }
        let names =
            choices.maps().into_iter().flat_map(|map| map.keys()).chain(&choices.read_only).chain(&choices.without);
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
        // One is nothing without the other, as with `provider add`.
        let (certificates, keys) = (&choices.own_certificates, &choices.own_keys);
        if let Some(name) = certificates.keys().find(|name| !keys.contains_key(*name)) {
            return Err(usage(format!("`--tls-cert` for `{name}` needs a `--tls-key {name}=SOURCE`")));
        }
        if let Some(name) = keys.keys().find(|name| !certificates.contains_key(*name)) {
            return Err(usage(format!("`--tls-key` for `{name}` needs a `--tls-cert {name}=FILE`")));
        }
        Ok(choices)
    }

    fn maps(&self) -> [&BTreeMap<String, Vec<String>>; 5] {
        [&self.credentials, &self.audiences, &self.certificates, &self.own_certificates, &self.own_keys]
    }

    /// Whether nothing was chosen.
    pub(super) fn is_empty(&self) -> bool {
        self.maps().iter().all(|map| map.is_empty()) && self.read_only.is_empty() && self.without.is_empty()
    }

    /// Whether something was chosen for this provider.
    pub(super) fn concern(&self, name: &str) -> bool {
        self.maps().iter().any(|map| map.contains_key(name)) || self.read_only.iter().any(|other| other == name)
    }

    /// The credential, as `provider add` takes it.
    pub(super) fn credential(&self, name: &str) -> Option<String> {
        self.credentials.get(name)?.first().cloned()
    }

    /// The origins that it may be sent to besides.
    pub(super) fn audience(&self, name: &str) -> Vec<String> {
        self.audiences.get(name).cloned().unwrap_or_default()
    }

    /// The file of certificates to trust.
    pub(super) fn tls_ca(&self, name: &str) -> Option<PathBuf> {
        self.certificates.get(name)?.first().map(PathBuf::from)
    }

    /// The file of the client certificate.
    pub(super) fn tls_cert(&self, name: &str) -> Option<PathBuf> {
        self.own_certificates.get(name)?.first().map(PathBuf::from)
    }

    /// Where the client certificate's key is, as `provider add` takes it.
    pub(super) fn tls_key(&self, name: &str) -> Option<String> {
        self.own_keys.get(name)?.first().cloned()
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
