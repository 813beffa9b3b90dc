//! Patterns of references: within them a project's references may change without a question.

use serde::{Deserialize, Serialize};

use super::change::{Change, Weight};
use crate::reference::Reference;

/// All secrets of a provider below a path: `store://prod/app/**`, or `store://prod/**` for all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    provider: String,
    /// The path and a `/`, or nothing.
    prefix: String,
}

/// Why a text is no pattern of references.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pattern of references is `store://PROVIDER/PATH/**`, or `store://PROVIDER/**`")]
pub struct Error;

impl TryFrom<String> for Pattern {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl std::str::FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let above = text.strip_suffix("/**").filter(|above| !above.contains('*')).ok_or(Error)?;
        if let Some(name) = above.strip_prefix("store://").filter(|name| crate::reference::is_name(name)) {
            return Ok(Self { provider: name.to_owned(), prefix: String::new() });
        }
        let reference: Reference = above.parse().map_err(|_| Error)?;
        match reference {
            Reference { provider: Some(provider), path, version: None, field: None } => {
                Ok(Self { provider, prefix: format!("{path}/") })
            }
            // A bare path means another provider wherever the default is another one.
            _ => Err(Error),
        }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.prefix.trim_end_matches('/').to_owned();
        let above = Reference { provider: Some(self.provider.clone()), path, version: None, field: None };
        write!(f, "{}/**", above.to_string().trim_end_matches('/'))
    }
}

impl Pattern {
    fn holds(&self, provider: &str, path: &str) -> bool {
        self.provider == provider && path.len() > self.prefix.len() && path.starts_with(&self.prefix)
    }
}

/// Whether a change only leads variables that are there to other secrets within the patterns.
///
/// A new variable is a new input of the programs that get it. One that is gone may uncover the same variable of another
/// environment, and one that is no longer required lets a program run without it. A bare path means another secret
/// wherever the default is another one.
pub(super) fn covers(patterns: &[Pattern], change: &Change) -> bool {
    let (Weight::Reference, Some(before), Some(after)) = (change.weight, &change.before, &change.after) else {
        return false;
    };
    let is_within = |reference: &Reference| {
        let provider = reference.provider.as_ref();
        provider.is_some_and(|provider| patterns.iter().any(|pattern| pattern.holds(provider, &reference.path)))
    };
    before.is_required == after.is_required && after.references.iter().all(is_within)
}
