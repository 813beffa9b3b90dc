//! What routes are made of beside the settings of a new provider, before and after its credential told whom it speaks for.

use std::collections::{BTreeMap, BTreeSet};

use forge_core::grant::{Asks, Derived, Grant};
use forge_core::manifest::Manifest;
use forge_core::route::Route;
use forge_core::setting::Settings;

use crate::failure::{Outcome, usage};

/// What the kind of the plugin's credential makes of settings, and of the identity where that is known.
pub(super) fn derive(manifest: &Manifest, identity: Option<&str>) -> impl Fn(&Settings) -> Result<Derived, String> {
    move |settings| match &manifest.credential {
        Some(ask) => forge_broker::derived(&ask.kind, settings, identity),
        None => Derived::none(settings),
    }
}

/// Refuses settings with which the plugin asks for no request of those that it knows.
pub(super) fn check_routes(manifest: &Manifest, asks: &Asks, later: &[(String, Route)]) -> Outcome {
    if manifest.routes.is_empty() || !asks.routes.is_empty() || !later.is_empty() {
        return Ok(());
    }
    let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in manifest.routes.iter().flat_map(|route| &route.when) {
        known.entry(name).or_default().insert(value);
    }
    let is_known = |name: &str, values: &BTreeSet<&str>| {
        asks.settings.get(name).is_some_and(|value| values.contains(value.as_str()))
    };
    // What only some routes depend on is not what keeps all of them away.
    let is_everywhere = |name: &str| manifest.routes.iter().all(|route| route.when.contains_key(name));
    known.retain(|name, values| is_everywhere(name) && !is_known(name, values));
    let rule = |(name, values): (&str, BTreeSet<&str>)| {
        let values: Vec<&str> = values.into_iter().collect();
        format!("`{name}` can be `{}`", values.join("` or `"))
    };
    let rules: Vec<String> = known.into_iter().map(rule).collect();
    let failure = usage(format!("plugin `{}` can do nothing with these settings", manifest.id));
    Err(if rules.is_empty() { failure } else { failure.with_hint(rules.join(", ")) })
}

/// Makes the routes anew with what the identity told; answers what a person must know where it told nothing.
///
/// That was shown before as what it is, such as `{account}`, so nobody is asked again. An origin never has it in it.
pub(super) fn settle(manifest: &Manifest, grant: &mut Grant) -> Outcome<Vec<String>> {
    if grant.derived.unknown().next().is_none() {
        return Ok(Vec::new());
    }
    let identity = grant.credential.as_ref().and_then(|credential| credential.identity.as_deref());
    let asks = Asks::expand_with(manifest, &grant.settings, &derive(manifest, identity))?;
    (grant.routes, grant.derived) = (asks.routes, asks.derived);
    super::restrict(grant);
    forge_broker::check_grant(grant)?;
    let unknown = grant.derived.unknown().filter(|name| !grant.settings.contains_key(*name));
    let note = |name: &str| {
        let says =
            if manifest.setting(name).is_some() { format!(": `--set {name}=…` says it") } else { String::new() };
        format!("`{{{name}}}` is not known, so nothing that has it in its name is granted{says}")
    };
    Ok(unknown.map(note).collect())
}
