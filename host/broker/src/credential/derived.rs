//! What a kind makes of a provider's settings and of its identity for the templates of a manifest.

use forge_core::grant::Derived;
use forge_core::setting::Settings;

use super::KINDS;

/// The names that a kind gives values for, and how it makes them.
#[derive(Clone, Copy)]
pub(crate) struct Derives {
    /// What follows from settings and may stand in a host, such as a domain that follows from a region.
    pub(crate) followed: &'static [&'static str],
    /// What the identity tells, such as an account.
    pub(crate) learnt: &'static [&'static str],
    /// Makes them of the settings that are known, and of the identity where that is; the error is the rule that a setting
    /// breaks.
    pub(crate) make: fn(&Settings, Option<&str>) -> Result<Derived, String>,
}

impl Derives {
    /// None at all.
    pub(crate) const NONE: Self = Self { followed: &[], learnt: &[], make: |settings, _| Derived::none(settings) };

    /// Each of them with the same word as its value: whatever they are, they are literals.
    pub(crate) fn placeholders(&self, word: &str) -> Derived {
        let value = |name: &&str| ((*name).to_owned(), word.to_owned());
        let learnt = |name: &&str| ((*name).to_owned(), Some(word.to_owned()));
        Derived {
            followed: self.followed.iter().map(value).collect(),
            learnt: self.learnt.iter().map(learnt).collect(),
        }
    }
}

/// What a credential of this kind makes of the settings and of the identity that it was learnt to have.
///
/// # Errors
/// The rule that a setting breaks from which something follows.
pub fn derived(kind: &str, settings: &Settings, identity: Option<&str>) -> Result<Derived, String> {
    match KINDS.iter().find(|known| known.name == kind) {
        Some(kind) => (kind.derives.make)(settings, identity),
        None => Derived::none(settings),
    }
}
