//! The environment variables that a grant names; a plugin sees no others.

use std::collections::BTreeMap;

/// Variables by name, copied once when the provider is opened.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values of granted variables are secrets.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// Those of `variables` whose names match one of `patterns`: a name, or a beginning followed by `*`.
    pub fn granted(patterns: &[String], variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let matches = |name: &str| {
            patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(beginning) => name.starts_with(beginning),
                None => name == pattern,
            })
        };
        Self(variables.into_iter().filter(|(name, _)| matches(name)).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&String> {
        self.0.get(name)
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
        let variables = ["APP_A", "APP_B", "HOME", "XAPP_A"].map(|name| (name.to_owned(), "x".to_owned()));
        let granted = Environment::granted(&["APP_*".to_owned(), "HOM".to_owned()], variables);
        assert_eq!(granted.names().collect::<Vec<_>>(), ["APP_A", "APP_B"]);
    }
}
