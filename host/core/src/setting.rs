//! Settings of a provider: what a manifest may ask for, and the one spelling of each value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Setting names and values, normalised by [`SettingKind::normalise`].
pub type Settings = BTreeMap<String, String>;

/// What a setting's value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettingKind {
    /// Printable text of at most 1024 bytes.
    String,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// `https://host[:port]` (or `http://`), without path, query or login.
    Origin,
    /// One label of a host name.
    DnsLabel,
    /// One segment of a path.
    PathSegment,
    /// One to eight segments, joined by `/`.
    Path,
    /// An absolute path of a directory on this machine.
    Directory,
    /// An absolute path of a file on this machine.
    File,
    /// A name, or the beginning of names followed by one `*`.
    NamePattern,
}

/// Why a value does not fit its setting. The value is not repeated: it may be a secret pasted by mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("setting `{name}` {rule}")]
pub struct Error {
    /// The setting.
    pub name: String,
    /// What its value has to be.
    pub rule: &'static str,
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || is_invisible(c))
}

/// Characters that make a text look like another one: direction overrides, zero width, line separators.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn is_segment(text: &str) -> bool {
    // A `*` or a brace in a literal could be taken for a pattern where the grant is read again.
    !matches!(text, "" | "." | "..")
        && text.len() <= 200
        && is_printable(text)
        && !text.contains(['/', '\\', '%', '*', '{', '}', '?', '#', ':'])
}

/// Parses an origin and prints it in its one spelling: lower case, no default port, no trailing slash.
///
/// # Errors
/// A sentence that says what an origin has to be.
pub fn origin(text: &str) -> Result<String, &'static str> {
    const RULE: &str = "must be an origin such as `https://vault.example.com:8200`, without path, query or login";
    let url = url::Url::parse(text).map_err(|_| RULE)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a login; name a credential instead");
    }
    let plain = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.host_str().is_some_and(|h| !h.is_empty() && !h.ends_with('.') && !h.contains('*'));
    if !plain {
        return Err(RULE);
    }
    Ok(url.origin().ascii_serialization())
}

/// How the names of forge's own variables begin.
const OWN_VARIABLES: [&str; 2] = ["FORGE_", "_FORGE_"];

/// Whether a variable is forge's own, which no plugin is lent.
pub fn is_own_variable(name: &str) -> bool {
    OWN_VARIABLES.iter().any(|own| name.starts_with(own))
}

/// Whether a name is the pattern's, or begins as a pattern with a `*` at its end does.
pub fn is_within(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

/// Whether a pattern takes in variables of forge's own.
fn takes_in_own(pattern: &str) -> bool {
    let beginning = pattern.strip_suffix('*');
    is_own_variable(pattern) || beginning.is_some_and(|text| OWN_VARIABLES.iter().any(|own| own.starts_with(text)))
}

impl SettingKind {
    /// The one spelling of `value`, which is what routes are made of and what the plugin reads.
    ///
    /// # Errors
    /// The name of the setting and the rule that the value breaks.
    pub fn normalise(self, name: &str, value: &str) -> Result<String, Error> {
        let refuse = |rule| Error { name: name.to_owned(), rule };
        let check = |holds: bool, rule| if holds { Ok(value.to_owned()) } else { Err(refuse(rule)) };
        match self {
            Self::String => {
                check(value.len() <= 1024 && is_printable(value), "must be printable and at most 1024 bytes")
            }
            Self::Integer => {
                value.parse::<i64>().map(|number| number.to_string()).map_err(|_| refuse("must be a whole number"))
            }
            Self::Boolean => check(matches!(value, "true" | "false"), "must be `true` or `false`"),
            Self::Origin => origin(value).map_err(refuse),
            Self::DnsLabel => check(
                (1..=63).contains(&value.len())
                    && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                    && !value.starts_with('-')
                    && !value.ends_with('-'),
                "must be one label of a host name: lower-case letters, digits and inner `-`",
            ),
            Self::PathSegment => {
                check(is_segment(value), "must be one segment of a path, without `/ \\ % * ? # : { }`")
            }
            Self::Path => {
                let trimmed = value.trim_matches('/');
                let fits = trimmed.split('/').count() <= 8 && trimmed.split('/').all(is_segment);
                if fits {
                    Ok(trimmed.to_owned())
                } else {
                    Err(refuse("must be one to eight segments, without `\\ % * ? # : { }`"))
                }
            }
            Self::Directory | Self::File => check(
                std::path::Path::new(value).is_absolute()
                    && is_printable(value)
                    && !std::path::Path::new(value).components().any(|part| part == std::path::Component::ParentDir),
                "must be an absolute path without `..`",
            ),
            Self::NamePattern if takes_in_own(value) && value != "*" => {
                Err(refuse("must leave out the variables of forge itself, `FORGE_…`"))
            }
            Self::NamePattern => check(
                // A `*` alone would be every variable, credentials of other programs included.
                !value.is_empty()
                    && value != "*"
                    && value.len() <= 200
                    && value.trim_end_matches('*').bytes().all(|b| b.is_ascii_graphic() && b != b'*' && b != b'=')
                    && value.matches('*').count() <= 1,
                "must be a name, or the beginning of names followed by one `*`",
            ),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        for text in ["https://Vault.Example.com:443/", "HTTPS://vault.example.com", "https://vault.example.com"] {
            assert_eq!(origin(text).unwrap(), "https://vault.example.com");
        }
        assert_eq!(origin("http://127.0.0.1:8200").unwrap(), "http://127.0.0.1:8200");
        assert_eq!(origin("http://[::1]:8200/").unwrap(), "http://[::1]:8200");
    }

    #[test]
    fn what_is_more_than_an_origin_is_refused() {
        for text in [
            "vault:8200",
            "ftp://a",
            "https://u:p@a",
            "https://a/b",
            "https://a?x",
            "https://a#x",
            "https://a.",
            "https://*.a",
            "",
            "file:///etc/passwd",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_setting_cannot_hold_a_pattern_or_climb() {
        for text in ["", "*", "a/**", "a/../b", "a//b", "a%2fb", "{x}", "a:b", "1/2/3/4/5/6/7/8/9", "a\u{202e}b"] {
            assert!(SettingKind::Path.normalise("mount", text).is_err(), "{text}");
        }
        assert_eq!(SettingKind::Path.normalise("mount", "/team/kv/").unwrap(), "team/kv");
    }

    #[test]
    fn a_name_pattern_takes_in_neither_everything_nor_variables_of_forge() {
        for text in ["", "*", "A*B", "**", "A**", "A=B", "A B", "FORGE_X", "FORGE_*", "FOR*", "F*", "_*", "_FORGE_X"] {
            assert!(SettingKind::NamePattern.normalise("names", text).is_err(), "{text}");
        }
        for text in ["APP_*", "A", "FORGER", "FORGERY_*", "G*"] {
            assert_eq!(SettingKind::NamePattern.normalise("names", text).unwrap(), text);
        }
        assert!(
            is_within("APP_*", "APP_") && is_within("A", "A") && !is_within("A", "AB") && !is_within("APP_*", "APP")
        );
    }

    #[test]
    fn an_error_about_a_setting_does_not_repeat_its_value() {
        let error = SettingKind::Origin.normalise("address", "https://root:hunter2@vault").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
