//! The user's configuration: which providers there are. What was written becomes what is meant in this one place.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::setting::Settings;

/// The longest configuration that is read, in bytes.
pub const LONGEST: u64 = 1 << 20;

/// The provider that is there without any configuration.
pub const LOCAL: &str = "local";

/// What is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The provider of a bare path.
    pub default: String,
    /// The providers by name, without the built-in `local`.
    pub providers: BTreeMap<String, ProviderConfig>,
}

/// One configured provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderConfig {
    /// The name of an installed plugin.
    pub plugin: String,
    /// Its settings as written.
    pub settings: Settings,
    /// The kind of its credential.
    pub credential: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    default: Option<String>,
    #[serde(default)]
    providers: BTreeMap<String, RawProvider>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProvider {
    plugin: String,
    #[serde(default)]
    settings: BTreeMap<String, RawValue>,
    credential: Option<RawCredential>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCredential {
    kind: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawValue {
    Text(String),
    Integer(i64),
    Boolean(bool),
}

/// Why a configuration can't be used. The line itself is never shown: it may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not TOML, or not the fields that a configuration has.
    #[error("line {line}: {what}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What the parser expected.
        what: String,
    },
    /// A name with other characters than names have.
    #[error("`{0}` can't be a provider's name: lower-case letters, digits, `-` and `_`")]
    Name(String),
    /// The default names no provider.
    #[error("`default` names the provider `{0}`, which is not configured")]
    Default(String),
    /// `local` is what is there without configuration.
    #[error("`local` is the built-in store and can't be configured; choose another name")]
    Local,
}

impl Default for Config {
    fn default() -> Self {
        Self { default: LOCAL.to_owned(), providers: BTreeMap::new() }
    }
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Where it is wrong, without the text that stands there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let raw: Raw = toml::from_str(text).map_err(|error| Error::Syntax {
            line: crate::manifest::line_of(text, &error),
            what: describe(error.message()),
        })?;
        let mut providers = BTreeMap::new();
        for (name, provider) in raw.providers {
            if name == LOCAL {
                return Err(Error::Local);
            }
            if !crate::reference::is_name(&name) {
                return Err(Error::Name(crate::manifest::printable(&name)));
            }
            let settings = provider.settings.into_iter().map(|(name, value)| {
                let value = match value {
                    RawValue::Text(text) => text,
                    RawValue::Integer(number) => number.to_string(),
                    RawValue::Boolean(flag) => flag.to_string(),
                };
                (name, value)
            });
            let credential = provider.credential.map(|credential| credential.kind);
            providers
                .insert(name, ProviderConfig { plugin: provider.plugin, settings: settings.collect(), credential });
        }
        let default = raw.default.unwrap_or_else(|| LOCAL.to_owned());
        if default != LOCAL && !providers.contains_key(&default) {
            return Err(Error::Default(crate::manifest::printable(&default)));
        }
        Ok(Self { default, providers })
    }
}

/// A parser's message without what it quotes in backticks or quotation marks from the file's values.
fn describe(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    // `invalid type: string "…"` quotes the value, which may be a secret pasted into the wrong place.
    match first.split_once(": string \"") {
        Some((before, after)) => {
            let expected = after.rsplit_once("\", ").map_or("", |(_, expected)| expected);
            crate::manifest::printable(&format!("{before}: a string, {expected}"))
        }
        None => crate::manifest::printable(first),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_read_with_its_settings_as_text() {
        let config = Config::parse(
            "default = \"prod\"\n[providers.prod]\nplugin = \"vault\"\nsettings = { address = \"https://v\", kv-version = 2 }\ncredential = { kind = \"vault-token\" }\n",
        )
        .unwrap();
        let provider = config.providers.get("prod").unwrap();
        assert_eq!(provider.settings.get("kv-version").unwrap(), "2");
        assert_eq!(provider.credential.as_deref(), Some("vault-token"));
        assert_eq!(config.default, "prod");
    }

    #[test]
    fn an_error_names_the_line_and_never_what_stands_there() {
        for text in [
            "\n[providers.a]\nplugin = \"vault\"\ntoken = \"hunter2hunter2\"\n",
            "\n\n\ndefault = hunter2hunter2\n",
            "\n\n\nproviders = \"hunter2hunter2\"\n",
            "\n\n\n[providers]\na = \"hunter2hunter2\"\n",
        ] {
            let error = Config::parse(text).unwrap_err();
            assert!(matches!(error, Error::Syntax { line: 4.., .. }), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        assert_eq!(Config::parse("default = \"x\""), Err(Error::Default("x".to_owned())));
        assert_eq!(Config::parse("[providers.local]\nplugin = \"file\""), Err(Error::Local));
        assert!(matches!(Config::parse("[providers.\"A b\"]\nplugin = \"file\""), Err(Error::Name(_))));
    }
}
