//! The environment variables that a grant names; a plugin sees no others.

use std::collections::BTreeMap;

use forge_core::setting;
use zeroize::Zeroizing;

/// Variables by name, copied once when the provider is opened.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, Zeroizing<Vec<u8>>>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values of granted variables are secrets.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// Those of `variables` whose names match one of `patterns`, without forge's own.
    pub fn granted(patterns: &[String], variables: impl IntoIterator<Item = (String, Zeroizing<Vec<u8>>)>) -> Self {
        let matches = |name: &str| {
            !setting::is_own_variable(name) && patterns.iter().any(|pattern| setting::is_within(pattern, name))
        };
        Self(variables.into_iter().filter(|(name, _)| matches(name)).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(|value| value.as_slice())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_granted_names_are_copied() {
        let variables =
            ["APP_A", "APP_B", "HOME", "XAPP_A", "FORGE_A"].map(|name| (name.to_owned(), b"\xff".to_vec().into()));
        let granted = Environment::granted(&["APP_*".to_owned(), "HOM".to_owned(), "FORGE_*".to_owned()], variables);
        assert_eq!(granted.names().collect::<Vec<_>>(), ["APP_A", "APP_B"]);
        assert_eq!(granted.get("APP_A"), Some(&b"\xff"[..]));
    }
}
