//! Routes at an endpoint that all tenants share: action and target have to be held, since the URL tells neither.
//!
//! A manifest whose author means no harm keeps these rules without effort; one that can't keep them asks for everything
//! that the credential may do there, and a person would have to find that out in a list of fields.

use forge_core::route::Route;
use forge_core::route::body::{Allowed, FieldPath, FieldRule, Step};

use super::Seen;
use crate::credential::SharedEndpoint;

/// The rule that such a route breaks.
pub(super) fn broken(route: &Route, SharedEndpoint { action, targets }: SharedEndpoint, seen: Seen) -> Option<String> {
    if route.headers.get(action).is_none_or(Vec::is_empty) {
        return Some(format!("it has to list in its `headers` the values of `{action}`, which names the action"));
    }
    let Some(body) = &route.body else { return Some("it has to list the fields of its `body`".to_owned()) };
    // A field of any name is also the one that names a target, or another tenant's key.
    if body.fields().any(|(path, _)| path.0.first() == Some(&Step::AnyField)) {
        return Some("its `body` can't have fields of any name, `*`".to_owned());
    }
    let is_open = |(path, rule): &(&FieldPath, &FieldRule)| {
        targets.contains(&path.to_string().as_str()) && !binds(&rule.allowed, seen)
    };
    if let Some((path, _)) = body.fields().find(is_open) {
        return Some(format!("its `body` has to hold the field `{path}`, which names a target, to names of its own"));
    }
    let is_bound = body.fields().any(|(_, rule)| binds(&rule.allowed, seen));
    (!is_bound).then(|| "its `body` has to hold a field to names of its own: by a setting, or by texts".to_owned())
}

/// Whether a field that may have these values says which target is meant.
fn binds(allowed: &Allowed, seen: Seen) -> bool {
    match allowed {
        Allowed::Class(_) => false,
        Allowed::OneOf(_) => true,
        Allowed::Target { .. } if seen == Seen::Grant => true,
        Allowed::Target { names, arns } => {
            names.iter().all(|name| !name.text.is_empty()) && !arns.iter().any(|arn| arn.is_of_any_account())
        }
    }
}
