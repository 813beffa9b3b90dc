//! What the cache has to know of a provider.

use forge_core::cache::{Disk, Identity, Terms};
use forge_core::grant::Grant;
use forge_core::resolver::Mode;
use forge_sandbox::Found;

use super::Opener;
use crate::failure::Outcome;

impl Opener {
    /// The same, whose providers' credentials are read in this mode, too.
    pub(crate) fn in_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// On which terms copies of a provider's secrets are kept.
    pub(super) fn terms(&self, name: &str, grant: &Grant) -> Terms {
        let config = self.config.providers.get(name);
        let is_project = config.is_some_and(|config| config.project().is_some());
        let rules = self.config.caching.rules(config.and_then(|config| config.cache), is_project);
        Terms { rules, is_remote: !grant.routes.is_empty() }
    }

    /// By what copies of a provider's secrets are told from those of others.
    pub(super) fn identity(&self, name: &str, found: &Found, grant: &Grant) -> Identity {
        let Terms { rules, is_remote } = self.terms(name, grant);
        Identity {
            provider: name.to_owned(),
            grant: grant.digest(),
            plugin: found.component.digest.clone(),
            credential: if is_remote && (rules.disk || Disk::has_any(&self.home)) {
                crate::credential::mark(grant)
            } else {
                String::new()
            },
        }
    }

    /// The name of the provider that a name, a plugin's id or an alias means; `None` is the default provider.
    pub(crate) fn name_of(&self, name: Option<&str>) -> Outcome<String> {
        let name = match name.or(self.default.as_deref()) {
            Some(name) => name,
            None => self.config.default_provider()?,
        };
        Ok(self.named(name)?.0.to_owned())
    }
}
