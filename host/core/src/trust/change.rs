//! What a project means, line by line, and what is new in it since it was allowed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::{CacheConfig, Layer, SecretConfig, written};
use crate::reference::Reference;

/// How much harm a line can do, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Where secrets and credentials go, and which code handles them.
    Provider,
    /// Which provider a bare path means.
    Default,
    /// A variable that programs obey, such as `PATH`: whoever sets it runs code in them.
    Variable,
    /// Which secret a variable gets.
    Reference,
}

/// One side of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The text of the line, in ASCII but for the names that a setting holds.
    pub text: String,
    /// The secrets that it names; empty where it names none.
    pub references: Vec<Reference>,
    /// Whether nothing may stand in their place.
    pub is_required: bool,
}

/// One line that is new, gone or different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// How much harm it can do.
    pub weight: Weight,
    /// Its name from the top, joined by dots.
    pub name: String,
    /// What it was.
    pub before: Option<Side>,
    /// What it is.
    pub after: Option<Side>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "~ {} = {} (was {})", self.name, after.text, before.text),
            (None, Some(after)) => write!(f, "+ {} = {}", self.name, after.text),
            (Some(before), None) => write!(f, "- {} = {}", self.name, before.text),
            (None, None) => Ok(()),
        }
    }
}

/// Variables that loaders, shells and interpreters obey, as beginnings of names: no list of them is complete.
const OBEYED: [&str; 25] = [
    "PATH",
    "LD_",
    "DYLD_",
    "GCONV_PATH",
    "LOCPATH",
    "IFS",
    "ENV",
    "HOME",
    "CDPATH",
    "BASH_",
    "SHELLOPTS",
    "PS4",
    "ZDOTDIR",
    "PROMPT_COMMAND",
    "PYTHON",
    "PERL5",
    "RUBY",
    "NODE_OPTIONS",
    "NODE_PATH",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "GIT_",
    "EDITOR",
    "PAGER",
    "FORGE_",
];

/// Whether loaders, shells or interpreters obey this variable, so that its value chooses what runs. No list of those is
/// complete.
pub fn is_obeyed(variable: &str) -> bool {
    let whole = ["PATH", "ENV", "IFS", "HOME", "PS4"];
    OBEYED.iter().any(|name| if whole.contains(name) { variable == *name } else { variable.starts_with(name) })
}

/// What is different in `after`, the most dangerous first.
pub fn changes(before: &Layer, after: &Layer) -> Vec<Change> {
    let (mut before, after) = (lines(before), lines(after));
    let mut changes = Vec::new();
    for ((weight, name), side) in after {
        let old = before.remove(&(weight, name.clone()));
        if old.as_ref() != Some(&side) {
            changes.push(Change { weight, name, before: old, after: Some(side) });
        }
    }
    let gone = |((weight, name), side)| Change { weight, name, before: Some(side), after: None };
    changes.extend(before.into_iter().map(gone));
    changes.sort_by(|one, other| (one.weight, &one.name).cmp(&(other.weight, &other.name)));
    changes
}

fn lines(layer: &Layer) -> BTreeMap<(Weight, String), Side> {
    let mut lines = BTreeMap::new();
    let mut plain = |weight, name: String, text: &str| {
        // A person compares the texts, so a letter of another script that looks the same must not.
        let text = text.chars().flat_map(|c| if c.is_ascii() { vec![c] } else { c.escape_unicode().collect() });
        lines.insert((weight, name), Side { text: text.collect(), references: Vec::new(), is_required: true });
    };
    for (name, provider) in &layer.providers {
        plain(Weight::Provider, format!("providers.{name}.plugin"), &provider.plugin);
        for (setting, value) in &provider.settings {
            plain(Weight::Provider, format!("providers.{name}.settings.{setting}"), value);
        }
        if let Some(kind) = &provider.credential {
            plain(Weight::Provider, format!("providers.{name}.credential.kind"), kind);
        }
        if let Some(rate) = &provider.rate_limit {
            plain(Weight::Provider, format!("providers.{name}.rate-limit"), &rate.to_string());
        }
        for (field, value) in provider.cache.iter().flat_map(CacheConfig::lines) {
            plain(Weight::Provider, format!("providers.{name}.cache.{field}"), &value);
        }
    }
    for (field, value) in layer.cache.lines() {
        plain(Weight::Default, format!("cache.{field}"), &value);
    }
    // A provider that answers in the place of another one chooses values as much as the other one does.
    let outside = layer.fallback.iter().map(|fallback| (String::new(), fallback));
    let inside = layer
        .environments
        .iter()
        .filter_map(|(name, environment)| Some((format!("environments.{name}."), environment.fallback.as_ref()?)));
    for (above, fallback) in outside.chain(inside) {
        let names = if fallback.is_empty() { "none".to_owned() } else { fallback.join(", else ") };
        plain(Weight::Default, format!("{above}fallback"), &names);
    }
    for (name, provider) in layer.default.iter().map(|provider| ("default".to_owned(), provider)).chain(
        layer.environments.iter().filter_map(|(name, environment)| {
            Some((format!("environments.{name}.default"), environment.default.as_ref()?))
        }),
    ) {
        plain(Weight::Default, name, provider);
    }
    for (name, environment) in &layer.environments {
        // One that says nothing still is a name that can be chosen.
        let is_empty = environment.default.is_none() && environment.fallback.is_none();
        if is_empty && environment.secrets.is_empty() {
            plain(Weight::Default, format!("environments.{name}"), "{}");
        }
    }
    let outside = layer.secrets.iter().map(|(variable, secret)| (String::new(), variable, secret));
    let inside = layer.environments.iter().flat_map(|(name, environment)| {
        environment.secrets.iter().map(move |(variable, secret)| (format!("environments.{name}."), variable, secret))
    });
    for (above, variable, secret) in outside.chain(inside) {
        let weight = if is_obeyed(variable) { Weight::Variable } else { Weight::Reference };
        lines.insert((weight, format!("{above}secrets.{variable}")), side(secret));
    }
    lines
}

fn side(secret: &SecretConfig) -> Side {
    let mut text = secret.reference.to_string();
    for fallback in &secret.fallback {
        text.push_str(&format!(", else {fallback}"));
    }
    if !secret.required {
        text.push_str(", else nothing");
    }
    match secret.cache {
        None => {}
        Some(Duration::ZERO) => text.push_str(", never from a copy"),
        Some(limit) => text.push_str(&format!(", from a copy of at most {}", written(limit))),
    }
    let references = std::iter::once(&secret.reference).chain(&secret.fallback).cloned().collect();
    Side { text, references, is_required: secret.required }
}
