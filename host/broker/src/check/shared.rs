//! Routes at an endpoint that all tenants share: action and target have to be held, since the URL tells neither.
//!
//! A manifest whose author means no harm keeps these rules without effort; one that can't keep them asks for everything
//! that the credential may do there, and a person would have to find that out in a list of fields.

use forge_core::route::Route;
use forge_core::route::body::{Allowed, FieldClass, FieldPath, FieldRule, Step};

use super::Seen;
use crate::credential::SharedEndpoint;

/// The rule that such a route breaks.
pub(super) fn broken(route: &Route, SharedEndpoint { action, targets }: SharedEndpoint, seen: Seen) -> Option<String> {
    if route.headers.get(action).is_none_or(Vec::is_empty) {
        return Some(format!("it has to list in its `headers` the values of `{action}`, which names the action"));
    }
    let Some(body) = &route.body else { return Some("it has to list the fields of its `body`".to_owned()) };
    // Whatever a field of any name or any shape holds, it may also hold what names a target, or another tenant's key.
    if body.fields().any(|(path, _)| path.0.contains(&Step::AnyField)) {
        return Some("its `body` can't have fields of any name, `*`".to_owned());
    }
    if let Some((path, _)) = body.fields().find(|(_, rule)| rule.allowed == Allowed::Class(FieldClass::Json)) {
        return Some(format!("its `body` can't have a field of any shape: `{path}` has to say what is within it"));
    }
    let is_target = |path: &FieldPath| targets.contains(&last_name(path));
    let is_open = |(path, rule): &(&FieldPath, &FieldRule)| is_target(path) && !binds(&rule.allowed, seen);
    if let Some((path, _)) = body.fields().find(is_open) {
        return Some(format!("its `body` has to hold the field `{path}`, which names a target, to names of its own"));
    }
    // What may be left out says nothing about the request that leaves it out.
    let is_bound =
        |(path, rule): (&FieldPath, &FieldRule)| is_target(path) && (rule.required || seen != Seen::Manifest);
    (!body.fields().any(is_bound)).then(|| {
        format!(
            "its `body` has to require a field that names a target, and to hold it to names of its own: one of `{}`",
            targets.join("`, `")
        )
    })
}

/// The field that a path ends in: at whatever depth it stands, the services give it the same meaning.
fn last_name(path: &FieldPath) -> &str {
    let names = path.0.iter().rev().find_map(|step| match step {
        Step::Field(name) => Some(name.as_str()),
        Step::AnyField | Step::Each => None,
    });
    names.unwrap_or_default()
}

/// Whether a field that may have these values says which target is meant.
fn binds(allowed: &Allowed, seen: Seen) -> bool {
    match allowed {
        Allowed::Class(_) => false,
        Allowed::OneOf(_) => true,
        Allowed::Target { .. } if seen == Seen::Grant => true,
        Allowed::Target { names, arns } => {
            // The services begin each name of a hierarchy with a `/`, so it alone is every name.
            names.iter().all(|name| !name.text.trim_matches('/').is_empty())
                && arns.iter().all(|arn| !arn.is_of_any_account() && !arn.is_of_any_name())
        }
    }
}
