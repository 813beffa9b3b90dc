//! The rules of credential kinds, checked on manifests at install and on grants whenever one is opened.

use forge_core::grant::{Asks, Grant};
use forge_core::manifest::Manifest;
use forge_core::route::Route;
use forge_core::setting::{SettingKind, Settings};

use crate::credential::{self, CredentialKind, Parameters};
use crate::{Error, header};

mod shared;

/// Checks what a manifest asks for against the rules of its credential's kind, before anything is installed.
///
/// # Errors
/// An unknown kind; a route that names a header of the host's own; a route that reaches, or with a wildcard too far to
/// the left could reach, a route that the kind forbids; one at an endpoint of all tenants that pins no action, or whose
/// body names no target.
pub fn check_manifest(manifest: &Manifest) -> Result<(), Error> {
    let kind = match &manifest.credential {
        Some(ask) => credential::kind(&ask.kind)?,
        None => &credential::none::KIND,
    };
    // Settings are literals wherever they stand, so any value shows which routes the templates make.
    let mut every = manifest.clone();
    let asked = std::mem::take(&mut every.routes);
    let settings: Settings =
        manifest.settings.iter().map(|ask| (ask.name.clone(), placeholder(ask.kind).to_owned())).collect();
    let derived = kind.derives.placeholders(placeholder(SettingKind::String));
    for mut route in asked {
        let seen = if route.when.values().any(String::is_empty) { Seen::Unset } else { Seen::Manifest };
        route.when.clear();
        every.routes = vec![route];
        let asks = Asks::expand_with(&every, &settings, &|_| Ok(derived.clone()))?;
        asks.routes.iter().try_for_each(|route| check_route(route, kind, &Parameters::new(), seen))?;
    }
    Ok(())
}

fn placeholder(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::String | SettingKind::DnsLabel | SettingKind::PathSegment | SettingKind::Path => "placeholder",
        SettingKind::NamePattern => "PLACEHOLDER",
        SettingKind::Integer => "1",
        SettingKind::Boolean => "true",
        SettingKind::Origin => "https://placeholder.invalid",
        SettingKind::Directory | SettingKind::File => "/placeholder",
    }
}

/// Checks a grant: its credential's kind and parameters, its routes against the kind's rules, and that each origin lies in
/// the credential's audience.
///
/// # Errors
/// The first rule that is broken, with the route or the parameter that breaks it.
pub fn check_grant(grant: &Grant) -> Result<(), Error> {
    if let Some(certificate) = &grant.tls_certificate {
        certificate.key.parse::<crate::Source>()?;
        crate::certificate::certificate_facts(&certificate.chain)?;
    }
    let Some(granted) = &grant.credential else {
        let none = &credential::none::KIND;
        return grant.routes.iter().try_for_each(|route| check_route(route, none, &Parameters::new(), Seen::Grant));
    };
    let kind = credential::kind(&granted.kind)?;
    credential::check_credential(&granted.kind, &granted.parameters)?;
    if (kind.needs_certificate)(&granted.parameters) && grant.tls_certificate.is_none() {
        return Err(
            kind.error("logs in with the client certificate of the provider: `--tls-cert FILE --tls-key SOURCE`")
        );
    }
    check_kept(grant, !grant.no_token_cache)?;
    for route in &grant.routes {
        check_route(route, kind, &granted.parameters, Seen::Grant)?;
        let is_within = granted.audience.contains(&route.origin) || (kind.is_own_origin)(&route.origin);
        if kind.has_audience && !is_within {
            return Err(Error::Audience { kind: kind.name, origin: route.origin.clone() });
        }
    }
    Ok(())
}

/// Refuses a login whose token has to be kept where none is.
pub(crate) fn check_kept(grant: &Grant, are_kept: bool) -> Result<(), Error> {
    let Some(granted) = grant.credential.as_ref().filter(|_| !are_kept) else { return Ok(()) };
    let kind = credential::kind(&granted.kind)?;
    if (kind.needs_tokens_kept)(&granted.parameters) {
        return Err(kind.error(
            "opens a `secret-id-wrapped` once and for all, so its token has to be kept: leave out `--no-token-cache`, or log in with a `secret-id`",
        ));
    }
    Ok(())
}

/// In what a route is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// A manifest, with a word in the place of each setting: what is open in it is so whatever the settings are.
    Manifest,
    /// The same, for a route that counts only while some setting is left empty: what the setting would hold may be left out.
    Unset,
    /// A grant, which a person saw: an unset prefix has made its patterns as wide as that person wanted.
    Grant,
}

fn check_route(route: &Route, kind: &CredentialKind, parameters: &Parameters, seen: Seen) -> Result<(), Error> {
    let refuse = |rule: String| Err(Error::Route { route: format!("{}{}", route.origin, route.path), rule });
    let is_own = |name: &&String| header::is_own(name) || (kind.is_own_header)(parameters, name);
    if let Some(name) = route.headers.keys().find(is_own) {
        return refuse(format!("names the header `{name}`, which is the host's own"));
    }
    if let Some(name) = route.query.keys().find(|name| name.is_empty() || name.contains(['%', '+', '&', '=', ';', '#']))
    {
        return refuse(format!("names the query parameter `{}`, which can't be matched", crate::denial::shown(name)));
    }
    if let Some(name) = route.query.keys().find(|name| header::is_own_query(name)) {
        return refuse(format!("names the query parameter `{name}`, which says who asks or what the method means"));
    }
    if let Some(rule) = kind.shares_endpoints.and_then(|shared| shared::broken(route, shared, seen)) {
        return refuse(format!("goes to an endpoint that all tenants share, so {rule}"));
    }
    match (kind.forbidden_route)(route) {
        Some(rule) => refuse(format!("can't be granted: the credential `{}` {rule}", kind.name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
