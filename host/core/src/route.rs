//! Routes: which requests a provider may make, as its grant holds them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub mod body;
pub mod pattern;

use body::BodyRule;

/// What a route is for; `--read-only` drops all but [`Ability::Read`] from a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ability {
    /// Reading values, listings and metadata, and the check.
    Read,
    /// Writing values.
    Write,
    /// Deleting, recovering, purging.
    Remove,
    /// Using keys.
    Keys,
}

/// What one segment of a request's path may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Exactly this, in the canonical percent-encoding.
    Literal(String),
    /// `*`: any one segment.
    Any,
    /// `*:verb`: one segment that ends in `:verb`.
    AnyVerb(String),
    /// `**`: zero or more segments; only the last one of a pattern.
    Rest,
}

/// A path as a pattern, written `/v1/secret/data/**`; `/` has no segments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PathPattern(pub Vec<Segment>);

impl std::fmt::Display for PathPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        for segment in &self.0 {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Any => f.write_str("/*")?,
                Segment::AnyVerb(verb) => write!(f, "/*:{verb}")?,
                Segment::Rest => f.write_str("/**")?,
            }
        }
        Ok(())
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.to_string()
    }
}

impl TryFrom<String> for PathPattern {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse()
    }
}

impl std::str::FromStr for PathPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err("a path pattern begins with `/`");
        };
        if rest.is_empty() {
            return Ok(Self::default());
        }
        let mut segments = Vec::new();
        for segment in rest.split('/') {
            if segments.last() == Some(&Segment::Rest) {
                return Err("`**` stands last or not at all");
            }
            segments.push(match segment {
                "" => return Err("a path pattern has no empty segment and no trailing slash"),
                "." | ".." => return Err("a path pattern has no `.` and no `..`"),
                "*" => Segment::Any,
                "**" => Segment::Rest,
                _ => match segment.strip_prefix("*:") {
                    Some(verb) if !verb.is_empty() && verb.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                        Segment::AnyVerb(verb.to_owned())
                    }
                    _ if segment.contains('*') => return Err("`*` stands for a whole segment, or before `:verb`"),
                    _ => Segment::Literal(literal(segment)?),
                },
            });
        }
        Ok(Self(segments))
    }
}

/// The canonical encoding of a literal segment: what the URL parser prints for it.
fn literal(segment: &str) -> Result<String, &'static str> {
    const RULE: &str = "a literal segment has no `% \\ ? # { }` and no control characters";
    if segment.contains(['\\', '?', '#', '{', '}']) || segment.chars().any(char::is_control) {
        return Err(RULE);
    }
    let url = url::Url::parse(&format!("https://a/{segment}")).map_err(|_| RULE)?;
    let printed = url.path().strip_prefix('/').unwrap_or_default().to_owned();
    // A grant is read back from its file, where the literal is encoded already and must not change again.
    let plain = |byte: u8| byte.is_ascii() && !byte.is_ascii_control();
    if printed.is_empty() || printed.contains('/') || !printed.bytes().all(plain) {
        return Err(RULE);
    }
    Ok(printed)
}

/// What the value of a query parameter may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum QueryRule {
    /// `"integer"` or `"any"`.
    Class(QueryClass),
    /// One of these values.
    OneOf(Vec<String>),
}

/// A class of values of a query parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueryClass {
    /// One to nineteen decimal digits.
    Integer,
    /// Any value of at most 2048 bytes.
    Any,
}

impl QueryRule {
    /// Whether a decoded value satisfies this rule.
    pub fn allows(&self, value: &str) -> bool {
        match self {
            Self::Class(QueryClass::Integer) => {
                (1..=19).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit())
            }
            Self::Class(QueryClass::Any) => value.len() <= 2048,
            Self::OneOf(values) => values.iter().any(|permitted| permitted == value),
        }
    }
}

/// One granted route: a request that matches it may go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// What the route is for.
    pub ability: Ability,
    /// The permitted methods, upper case.
    pub methods: Vec<String>,
    /// The origin in its one spelling.
    pub origin: String,
    /// The permitted paths.
    pub path: PathPattern,
    /// The permitted query parameters, each at most once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, QueryRule>,
    /// Permitted headers beyond those that every plugin may send, lower case, with their permitted values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Vec<String>>,
    /// What the body may be: then it has to be JSON, and each listed header has to be there. `None` is any body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyRule>,
    /// The longest answer in bytes.
    pub response_max: u64,
    /// Whether the same request may be sent again after a failure.
    pub idempotent: bool,
    /// What the backend calls the right that such a request needs. It decides nothing: a denial is told with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<String>,
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}{}", self.methods.join("|"), self.origin, self.path)?;
        if !self.query.is_empty() {
            let names: Vec<&str> = self.query.keys().map(String::as_str).collect();
            write!(f, " ?{}", names.join("&"))?;
        }
        for (name, values) in &self.headers {
            write!(f, " {name}: {}", values.join("|"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_survives_print_and_parse() {
        for text in ["/", "/v1/secret/data/**", "/a/*/b", "/v1/projects/x/secrets/*:access", "/caf\u{e9}/a b"] {
            let pattern: PathPattern = text.parse().unwrap();
            assert_eq!(pattern.to_string().parse::<PathPattern>().unwrap(), pattern, "{text}");
        }
    }

    #[test]
    fn a_pattern_that_means_two_things_is_refused() {
        for text in ["", "v1", "/a//b", "/a/", "/**/a", "/a*", "/../a", "/a?b", "/a\\b", "/a/{b}"] {
            assert!(text.parse::<PathPattern>().is_err(), "{text}");
        }
    }
}
