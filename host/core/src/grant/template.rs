//! Filling settings into the texts of a manifest, so that a setting stays what it is and never becomes a pattern.

mod body;

use super::derived::Values;
use crate::grant::Error;
use crate::manifest::{Manifest, RouteAsk};
use crate::route::{PathPattern, Route, Segment};
use crate::setting::SettingKind;

/// The longest answer where a route does not say, in bytes.
const RESPONSE_MAX: u64 = 1 << 20;

/// One piece of a text with braces.
enum Piece<'a> {
    Literal(&'a str),
    Setting(&'a str),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut rest = text;
    let mut pieces = Vec::new();
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').ok_or("has a `{` without its `}`")?;
        if !before.is_empty() {
            pieces.push(Piece::Literal(before));
        }
        pieces.push(Piece::Setting(name));
        rest = behind;
    }
    if rest.contains('}') {
        return Err("has a `}` without its `{`".to_owned());
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

/// `text` with each `{setting}` replaced by its value.
pub(super) fn text(text: &str, values: Values<'_>) -> Result<String, String> {
    let mut filled = String::new();
    for piece in pieces(text)? {
        match piece {
            Piece::Literal(literal) => filled.push_str(literal),
            Piece::Setting(name) => {
                filled.push_str(&values.get(name).ok_or_else(|| format!("needs the setting `{name}`"))?);
            }
        }
    }
    Ok(filled)
}

/// Where the origin of a route's URL ends and its path begins.
fn split(url: &str) -> Result<(&str, &str), String> {
    let behind_scheme = match url.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('{') => url.len() - rest.len(),
        _ => 0,
    };
    let host = url.get(behind_scheme..).unwrap_or_default();
    let slash = host.find('/').ok_or("has no path")?;
    url.split_at_checked(behind_scheme + slash).ok_or_else(|| "has no path".to_owned())
}

/// One route with its settings filled in.
pub(super) fn route(manifest: &Manifest, ask: &RouteAsk, values: Values<'_>) -> Result<Route, Error> {
    let refuse = |rule: String| Error::Route { route: crate::manifest::printable(&ask.url), rule };
    let (origin, path) = split(&ask.url).map_err(refuse)?;
    let origin = fill_origin(manifest, origin, values).map_err(refuse)?;
    let path = fill_path(manifest, path, values).map_err(refuse)?;
    Ok(Route {
        ability: ask.ability,
        methods: ask.methods.clone(),
        origin,
        path,
        query: ask.query.clone(),
        headers: ask.headers.clone(),
        body: ask.body.as_ref().map(|ask| body::fill(manifest, ask, values)).transpose().map_err(refuse)?,
        response_max: ask.response_max.map_or(RESPONSE_MAX, |size| size.0),
        // Reading again does no harm, so reads always may be sent again.
        idempotent: ask.idempotent || ask.ability == crate::route::Ability::Read,
        permission: ask.permission.clone(),
    })
}

fn fill_origin(manifest: &Manifest, template: &str, values: Values<'_>) -> Result<String, String> {
    for piece in pieces(template)? {
        let Piece::Setting(name) = piece else { continue };
        // A path or a free text in a host's name would let a setting choose the server.
        let fits = match manifest.setting(name).map(|setting| setting.kind) {
            Some(kind) => matches!(kind, SettingKind::Origin | SettingKind::DnsLabel),
            None => values.follows(name),
        };
        if !fits {
            return Err(format!("may have only `origin` and `dns-label` settings in its host, not `{name}`"));
        }
    }
    let filled = text(template, values)?;
    if filled.contains('*') {
        return Err("may not have a wildcard in its host".to_owned());
    }
    crate::setting::origin(&filled).map_err(str::to_owned)
}

fn fill_path(manifest: &Manifest, template: &str, values: Values<'_>) -> Result<PathPattern, String> {
    let mut filled: Vec<Segment> = Vec::new();
    let pattern_of = |text: &str| text.parse::<PathPattern>().map_err(|rule| format!("is no route: {rule}"));
    let Some(template) = template.strip_prefix('/') else {
        return Err("has no path".to_owned());
    };
    if template.is_empty() {
        return Ok(PathPattern::default());
    }
    for segment in template.split('/') {
        let has_setting = segment.contains('{');
        let value = text(segment, values)?;
        let is_whole_path = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .and_then(|name| manifest.setting(name))
            .is_some_and(|setting| setting.kind == SettingKind::Path);
        // A value that could be read as a pattern, or as several segments where one stands, is not a literal.
        if has_setting && (value.contains('*') || (value.contains('/') && !is_whole_path)) {
            return Err("has a setting that is not one literal segment".to_owned());
        }
        let PathPattern(segments) = pattern_of(&format!("/{value}"))?;
        if filled.last() == Some(&Segment::Rest) {
            return Err("is no route: `**` stands last or not at all".to_owned());
        }
        filled.extend(segments);
    }
    Ok(PathPattern(filled))
}
