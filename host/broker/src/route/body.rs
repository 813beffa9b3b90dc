//! Matching a body: every field against the rule of its place, so that nothing travels that no rule names.

use forge_core::route::Route;
use forge_core::route::body::{Allowed, FieldClass, FieldPath, FieldRule, Step};
use forge_core::route::pattern::is_arn;

use crate::denial::{Denial, shown};
use crate::request::Parsed;
use crate::request::json::{Fault, Json};

/// The rules that still count at some place of a body: what is left of each path, and the rule.
type Rules<'rule> = Vec<(&'rule [Step], &'rule FieldRule)>;

/// Whether the body fits the route; one without a rule takes any.
pub(super) fn check(route: &Route, request: &Parsed) -> Result<(), Denial> {
    let Some(rule) = &route.body else { return Ok(()) };
    // A server that reads the same bytes as a form or as XML would find other fields in them.
    let content_type = request.headers.iter().find(|(name, _)| name == "content-type");
    if !content_type.is_some_and(|(_, value)| is_json(value)) {
        return Err(Denial::BodyType { route: route.to_string() });
    }
    let json = request.json().map_err(|fault| match fault {
        Fault::Malformed(what) => Denial::BodyJson { route: route.to_string(), what },
        Fault::Repeated(name) => Denial::BodyRepeated { field: name.clone(), route: route.to_string() },
    })?;
    if !matches!(json, Json::Object(_)) {
        return Err(Denial::BodyJson { route: route.to_string(), what: "it is no object" });
    }
    let rules = rule.fields().map(|(FieldPath(steps), rule)| (steps.as_slice(), rule)).collect();
    Place { route, path: String::new() }.check(json, &rules)
}

/// Whether a content type says that the body is JSON: `application/json`, `application/NAME+json`, and those with a
/// version behind it, `application/NAME-json-1.1`.
fn is_json(content_type: &str) -> bool {
    let (kind, parameter) = content_type.split_once(';').map_or((content_type, ""), |(kind, rest)| (kind, rest.trim()));
    let Some(kind) = kind.trim_end().strip_prefix("application/") else { return false };
    let has_version = |version: &str| !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_json = kind == "json"
        || kind.ends_with("+json")
        || kind.rsplit_once("-json-").is_some_and(|(name, version)| !name.is_empty() && has_version(version));
    is_json && (parameter.is_empty() || parameter.eq_ignore_ascii_case("charset=utf-8"))
}

/// Where in a body the check is, in words for a denial.
struct Place<'route> {
    route: &'route Route,
    path: String,
}

impl Place<'_> {
    fn within(&self, step: &str) -> Self {
        let dot = if self.path.is_empty() || step.starts_with("[]") { "" } else { "." };
        Place { route: self.route, path: format!("{}{dot}{step}", self.path) }
    }

    fn check(&self, value: &Json, rules: &Rules<'_>) -> Result<(), Denial> {
        // Rules of one place end there together or go on together, since a body's rule is refused otherwise.
        if let Some((_, rule)) = rules.iter().find(|(steps, _)| steps.is_empty()) {
            return if allows(&rule.allowed, value) { Ok(()) } else { Err(self.value(rule, value)) };
        }
        let is_list = rules.iter().any(|(steps, _)| steps.first() == Some(&Step::Each));
        match value {
            Json::Object(fields) if !is_list => self.fields(fields, rules),
            Json::List(elements) if is_list => self.elements(elements, rules),
            _ => Err(Denial::BodyShape {
                field: self.path.clone(),
                route: self.route.to_string(),
                what: if is_list { "a list" } else { "an object" },
            }),
        }
    }

    fn fields(&self, fields: &[(String, Json)], rules: &Rules<'_>) -> Result<(), Denial> {
        for (name, value) in fields {
            let by_name = behind(rules, |step| matches!(step, Step::Field(known) if known == name));
            if !by_name.is_empty() {
                self.within(&shown(name)).check(value, &by_name)?;
                continue;
            }
            let by_any = behind(rules, |step| *step == Step::AnyField);
            if by_any.is_empty() {
                let field = self.within(&shown(name)).path;
                return Err(Denial::BodyField { field, route: self.route.to_string() });
            }
            self.within("*").check(value, &by_any)?;
        }
        for (steps, rule) in rules {
            let Some(Step::Field(needed)) = steps.first() else { continue };
            if rule.required && !fields.iter().any(|(name, _)| name == needed) {
                return Err(self.missing(steps));
            }
        }
        Ok(())
    }

    fn elements(&self, elements: &[Json], rules: &Rules<'_>) -> Result<(), Denial> {
        if let (true, Some((steps, _))) = (elements.is_empty(), rules.iter().find(|(_, rule)| rule.required)) {
            return Err(self.missing(steps));
        }
        let each = behind(rules, |step| *step == Step::Each);
        elements.iter().try_for_each(|element| self.within("[]").check(element, &each))
    }

    fn missing(&self, steps: &[Step]) -> Denial {
        let rest = FieldPath(steps.to_vec()).to_string();
        Denial::BodyMissing { field: self.within(&rest).path, route: self.route.to_string() }
    }

    /// The denial of a value, which says what would be allowed and never what was asked.
    fn value(&self, rule: &FieldRule, value: &Json) -> Denial {
        let wanted = match (&rule.allowed, value) {
            (Allowed::Target { .. }, Json::Text(text)) if is_arn(text) => "{ arn = \"…\" }",
            (Allowed::Target { .. }, Json::Text(_)) => "{ name = \"…\" }",
            (Allowed::OneOf(_), Json::Text(_)) => "[\"…\"]",
            (_, Json::Text(_)) => "\"any\"",
            (_, Json::Boolean(_)) => "\"boolean\"",
            (_, Json::Number(_)) => "\"integer\"",
            (_, Json::Null | Json::List(_) | Json::Object(_)) => "\"json\"",
        };
        let (field, route) = (self.path.clone(), self.route.to_string());
        Denial::BodyValue { field, route, granted: rule.to_string(), wanted }
    }
}

/// The rules that go on behind a step.
fn behind<'rule>(rules: &Rules<'rule>, is_next: impl Fn(&Step) -> bool) -> Rules<'rule> {
    let next = |(steps, rule): &(&'rule [Step], &'rule FieldRule)| {
        let (first, rest) = steps.split_first()?;
        is_next(first).then_some((rest, *rule))
    };
    rules.iter().filter_map(next).collect()
}

fn allows(allowed: &Allowed, value: &Json) -> bool {
    match (allowed, value) {
        (Allowed::Class(FieldClass::Json), _) => true,
        (_, Json::Text(text)) => allowed.allows_text(text),
        (Allowed::Class(FieldClass::Any), Json::Number(_) | Json::Boolean(_)) => true,
        (Allowed::Class(FieldClass::Boolean), Json::Boolean(_)) => true,
        (Allowed::Class(FieldClass::Integer), Json::Number(digits)) => {
            let digits = digits.strip_prefix('-').unwrap_or(digits);
            digits.len() <= 19 && digits.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
