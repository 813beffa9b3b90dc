//! Matching: which granted route, if any, a parsed request fits wholly.

mod body;

use forge_core::grant::Grant;
use forge_core::route::{Ability, PathPattern, Route, Segment};

use crate::denial::{self, Denial};
use crate::header;
use crate::request::Parsed;

/// Steps 2 and 3 of the ladder: the first route that the request fits wholly, headers and body included.
///
/// Routes of other `abilities` than those of the running operation don't count. `is_own_header` says which headers are the host's own whatever a route lists; `colon_is_action` is true where the
/// credential's kind says that a `:` in a segment starts an action.
pub(crate) fn find<'grant>(
    grant: &'grant Grant,
    abilities: &[Ability],
    request: &Parsed,
    is_own_header: impl Fn(&str) -> bool,
    colon_is_action: bool,
) -> Result<&'grant Route, Denial> {
    if let Some((name, _)) = request.headers.iter().find(|(name, _)| is_own_header(name)) {
        return Err(Denial::Identity(name.clone()));
    }
    // Two equal headers are read as the first, the last or both joined, depending on who reads them.
    for (at, (name, _)) in request.headers.iter().enumerate() {
        if request.headers.iter().take(at).any(|(known, _)| known == name) {
            return Err(Denial::HeaderRepeated(name.clone()));
        }
    }
    // Where routes differ in headers and body alone, the one whose headers fit is the one that was meant.
    let mut nearest: Option<(u8, Denial)> = None;
    let mut other = None;
    for route in &grant.routes {
        if !leads_to(route, request, colon_is_action) {
            continue;
        }
        let fits = check_query(route, request)
            .map_err(|denial| (0, denial))
            .and_then(|()| check_headers(route, request).map_err(|denial| (1, denial)))
            .and_then(|()| body::check(route, request).map_err(|denial| (2, denial)));
        match fits {
            Ok(()) if abilities.contains(&route.ability) => return Ok(route),
            Ok(()) => other = other.or(Some(route)),
            Err(_) if !abilities.contains(&route.ability) => {}
            Err((rank, _)) if nearest.as_ref().is_some_and(|(known, _)| *known >= rank) => {}
            Err(nearer) => nearest = Some(nearer),
        }
    }
    let other = other.map(|route| Denial::OtherAbility {
        method: request.method.to_string(),
        route: format!("{}{}", route.origin, route.path),
        granted: doing(route.ability),
        call: abilities.iter().map(|ability| does(*ability)).collect::<Vec<_>>().join(" and "),
    });
    Err(other.or(nearest.map(|(_, denial)| denial)).unwrap_or_else(|| Denial::NoRoute {
        method: request.method.to_string(),
        origin: denial::origin(request, grant),
        pattern: denial::pattern(request, grant),
    }))
}

/// What a route is granted for, in the words of a denial.
fn doing(ability: Ability) -> &'static str {
    match ability {
        Ability::Read => "reading",
        Ability::Write => "writing",
        Ability::Remove => "removing",
        Ability::Keys => "using keys",
    }
}

/// What a call does, in the words of a denial.
fn does(ability: Ability) -> &'static str {
    match ability {
        Ability::Read => "reads",
        Ability::Write => "writes",
        Ability::Remove => "removes",
        Ability::Keys => "uses keys",
    }
}

fn leads_to(route: &Route, request: &Parsed, colon_is_action: bool) -> bool {
    route.origin == request.origin
        && route.methods.iter().any(|method| method == request.method.as_str())
        && fits(&route.path, &request.segments, colon_is_action)
}

/// Whether a path's segments fit a pattern, segment by segment: `/api` never fits `/apiary`.
fn fits(pattern: &PathPattern, segments: &[String], colon_is_action: bool) -> bool {
    let wildcard = |segment: &String| !(colon_is_action && segment.contains(':'));
    let mut rest = segments.iter();
    for expected in &pattern.0 {
        if *expected == Segment::Rest {
            return rest.all(wildcard);
        }
        let Some(segment) = rest.next() else { return false };
        let fits = match expected {
            Segment::Literal(text) => segment == text,
            Segment::Any => wildcard(segment),
            Segment::AnyVerb(verb) => {
                segment.split_once(':').is_some_and(|(name, action)| !name.is_empty() && action == verb)
            }
            Segment::Rest => true,
        };
        if !fits {
            return false;
        }
    }
    rest.next().is_none()
}

/// How many segments a pattern begins with that are literal.
pub(crate) fn literals(pattern: &PathPattern) -> usize {
    pattern.0.iter().take_while(|segment| matches!(segment, Segment::Literal(_))).count()
}

fn check_query(route: &Route, request: &Parsed) -> Result<(), Denial> {
    for (name, value) in &request.query {
        let denied = |value: bool| {
            let (name, route) = (name.clone(), route.path.to_string());
            if value { Denial::QueryValue { name, route } } else { Denial::QueryName { name, route } }
        };
        let rule = route.query.get(name).ok_or_else(|| denied(false))?;
        if !rule.allows(value) {
            return Err(denied(true));
        }
    }
    Ok(())
}

fn check_headers(route: &Route, request: &Parsed) -> Result<(), Denial> {
    for (name, value) in &request.headers {
        let permitted = match route.headers.get(name) {
            Some(values) => values.contains(value),
            None if header::ALWAYS.contains(&name.as_str()) => header::is_plain_value(value),
            None => return Err(Denial::Header { name: name.clone(), route: route.path.to_string() }),
        };
        if !permitted {
            return Err(Denial::HeaderValue { name: name.clone(), route: route.path.to_string() });
        }
    }
    // Where the body is held to a rule, a header says which action it is for, and one without it is for any.
    let is_there = |name: &&String| request.headers.iter().any(|(known, _)| known == *name);
    match route.headers.keys().find(|name| route.body.is_some() && !is_there(name)) {
        Some(name) => Err(Denial::HeaderMissing { name: name.clone(), route: route.to_string() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
