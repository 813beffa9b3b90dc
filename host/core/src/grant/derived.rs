//! Values for templates that no setting gives: what the kind of a credential makes of settings and of its identity.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::setting::Settings;

/// Values for the templates of a manifest beside its settings; a setting of the same name counts instead.
///
/// The kind of the credential makes them, so that neither a plugin nor a project chooses them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Derived {
    /// What follows from settings, such as a domain from a region; it may stand in a host.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub followed: Settings,
    /// What the credential's identity tells, such as an account, once it is known; it never stands in a host.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub learnt: BTreeMap<String, Option<String>>,
}

/// Makes them of the settings that are known so far; the error is the rule that a setting breaks.
pub type Derive<'a> = &'a dyn Fn(&Settings) -> Result<Derived, String>;

impl Derived {
    /// None: for what has no credential, or one of a kind that makes none.
    ///
    /// # Errors
    /// Never; it has the shape of [`Derive`].
    pub fn none(_: &Settings) -> Result<Self, String> {
        Ok(Self::default())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.followed.is_empty() && self.learnt.is_empty()
    }

    /// The names of what the identity has not told yet.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.learnt.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str())
    }
}

/// What the names in a template's braces stand for.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) settings: &'a Settings,
    pub(super) derived: &'a Derived,
}

impl<'a> Values<'a> {
    /// The value of a name. What the identity has not told yet stands for itself, in braces, which no name of a backend has.
    pub(super) fn get(self, name: &str) -> Option<Cow<'a, str>> {
        let given = self.settings.get(name).or_else(|| self.derived.followed.get(name));
        given.map(|value| Cow::Borrowed(value.as_str())).or_else(|| {
            let learnt = self.derived.learnt.get(name)?;
            Some(learnt.as_deref().map_or_else(|| Cow::Owned(format!("{{{name}}}")), Cow::Borrowed))
        })
    }

    /// Whether a name is derived, from settings or otherwise.
    pub(super) fn derives(self, name: &str) -> bool {
        self.follows(name) || self.derived.learnt.contains_key(name)
    }

    /// Whether a name follows from settings.
    pub(super) fn follows(self, name: &str) -> bool {
        self.derived.followed.contains_key(name)
    }
}
