//! What the cache has to know of a provider.

use forge_core::cache::Terms;
use forge_core::grant::Grant;
use forge_core::resolver::Mode;

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
        let is_remote = !grant.routes.is_empty();
        // Within one process the credential stays what it is.
        let credential = if rules.disk && is_remote { crate::credential::mark(grant) } else { String::new() };
        Terms { rules, credential, is_remote }
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
