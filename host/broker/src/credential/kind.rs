//! What a kind of credential is, before there is one: its parameters, its headers, and the rules that nothing widens.

use std::sync::Arc;

use forge_core::route::Route;

use super::{Credential, Derives, Material, Parameters};
use crate::request::Parsed;
use crate::{Error, Source};

/// What a kind of credential is, before there is one.
pub(crate) struct CredentialKind {
    pub(crate) name: &'static str,
    /// Names of the parameters that are sources, and of the ones that are not.
    pub(crate) sources: &'static [&'static str],
    pub(crate) settings: &'static [&'static str],
    /// Names of the parameters that may be either: a value with a `:` in it is a source.
    pub(crate) either: &'static [&'static str],
    /// Sources that are tried when a person names none; `~` is the home directory, and `file:$NAME` the file that a variable
    /// names.
    pub(crate) usual_sources: &'static [UsualSources],
    /// Whether it goes only to the origins recorded with it.
    pub(crate) has_audience: bool,
    /// Whether an origin is its backend's own by its name, so that it goes there without a person's word.
    pub(crate) is_own_origin: fn(&str) -> bool,
    /// Whether its backend's servers are known by their names, so that any other origin takes a person's word.
    pub(crate) has_own_names: bool,
    /// Whether a `:` in a path segment starts an action, as in Google's APIs.
    pub(crate) colon_is_action: bool,
    /// Where its audience serves all tenants at the same URLs: what tells actions and targets apart there.
    pub(crate) shares_endpoints: Option<SharedEndpoint>,
    /// What it gives the templates of a manifest beside the settings.
    pub(crate) derives: Derives,
    /// The settings that name a server to log in to, by an origin or a URL that a person types.
    pub(crate) endpoints: &'static [&'static str],
    /// The origins that it logs in to where a person types none: the backend's own.
    pub(crate) logs_in_at: fn(&Parameters) -> Vec<String>,
    /// The origin beside its audience at which it asks whom it speaks for.
    pub(crate) asks_at: fn(&Parameters, &[String]) -> Option<String>,
    /// Whether it logs in with the provider's client certificate, so that there has to be one.
    pub(crate) needs_certificate: fn(&Parameters) -> bool,
    /// Whether its first login spends what it logs in with, so that nothing is left for a second process.
    pub(crate) needs_tokens_kept: fn(&Parameters) -> bool,
    /// Checks the parameters; their names have been checked already, and sources for being sources.
    pub(crate) check: fn(&Parameters) -> Result<(), Error>,
    /// Whether the credential itself travels in this header.
    pub(crate) is_own_header: fn(&Parameters, &str) -> bool,
    /// The rule that a request breaks, whatever the grant says; the number is how many segments its route spells out.
    pub(crate) forbidden: fn(&Parsed, usize) -> Option<&'static str>,
    /// The rule that a route breaks.
    pub(crate) forbidden_route: fn(&Route) -> Option<&'static str>,
    /// Makes the credential, without reading a source.
    pub(crate) open: fn(Material) -> Result<Arc<dyn Credential>, Error>,
}

/// What tells actions and targets apart at a URL that all tenants share.
#[derive(Clone, Copy)]
pub(crate) struct SharedEndpoint {
    /// The header that names the action.
    pub(crate) action: &'static str,
    /// The fields of a body that name a target or a key, or hold a list of those, at whatever depth: `SecretId`, `Names`.
    pub(crate) targets: &'static [&'static str],
}

/// Where a parameter is usually found.
pub(crate) struct UsualSources {
    /// The `method` for which this counts; `None` where none is given.
    pub(crate) method: Option<&'static str>,
    /// The parameter that has to be given, for this to count.
    pub(crate) with: Option<&'static str>,
    /// The parameters of which none may be given, besides its own.
    pub(crate) unless: &'static [&'static str],
    /// Whether the credential is one without it, so that nothing is missing where there is nothing.
    pub(crate) is_optional: bool,
    pub(crate) parameter: &'static str,
    pub(crate) places: &'static [&'static str],
}

impl UsualSources {
    /// Places of a parameter that a credential without a `method` can't do without.
    pub(crate) const fn required(parameter: &'static str, places: &'static [&'static str]) -> Self {
        Self { method: None, with: None, unless: &[], is_optional: false, parameter, places }
    }
}

impl CredentialKind {
    /// A kind that knows no backend: it goes to the origins recorded with it and nowhere else, tries no source unasked, and
    /// forbids nothing beyond the grant. In which headers it travels, and how it is checked and opened, each kind says.
    pub(super) const fn usual(
        name: &'static str,
        is_own_header: fn(&Parameters, &str) -> bool,
        check: fn(&Parameters) -> Result<(), Error>,
        open: fn(Material) -> Result<Arc<dyn Credential>, Error>,
    ) -> Self {
        Self {
            name,
            sources: &[],
            settings: &[],
            either: &[],
            usual_sources: &[],
            has_audience: true,
            is_own_origin: |_| false,
            has_own_names: false,
            colon_is_action: false,
            shares_endpoints: None,
            derives: Derives::NONE,
            endpoints: &[],
            logs_in_at: |_| Vec::new(),
            asks_at: |_, _| None,
            needs_certificate: |_| false,
            needs_tokens_kept: |_| false,
            check,
            is_own_header,
            forbidden: |_, _| None,
            forbidden_route: |_| None,
            open,
        }
    }

    /// A rule of this kind that its parameters break.
    pub(crate) fn error(&self, rule: impl Into<String>) -> Error {
        Error::Parameter { kind: self.name, rule: rule.into() }
    }

    pub(super) fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.sources.iter().chain(self.either).chain(self.settings).copied()
    }

    pub(super) fn is_source(&self, name: &str, value: &str) -> bool {
        self.sources.contains(&name) || (self.either.contains(&name) && value.contains(':'))
    }

    pub(super) fn parameter_names(&self) -> String {
        let names: Vec<String> = self.parameters().map(|name| format!("`{name}`")).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    /// The source of a parameter, or the rule that there has to be one.
    pub(crate) fn source(&self, parameters: &Parameters, name: &str) -> Result<Source, Error> {
        parameters.get(name).ok_or_else(|| self.error(format!("needs `{name}`, a source")))?.parse()
    }
}
