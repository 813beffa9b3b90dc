//! What is known of a secret and of its versions, and the way back to an old one.

use forge_core::Kind;
use forge_core::manifest::{printable, printable_name};
use forge_core::policy::Action;
use forge_core::provider::Failure;
use forge_core::reference::Reference;
use forge_core::resolver::Resolver;
use forge_core::secret::{Attributes, SecretVersion, VersionState};
use forge_core::time::rfc3339;
use serde_json::json;

use super::{Named, pairs, parsed, target, whole};
use crate::app::App;
use crate::commands::version;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

/// Versions of one page.
const PAGE: u32 = 100;

/// Pages of one history: a plugin can page without end.
const PAGES: u32 = 1_000;

pub(super) async fn describe(app: &App, printer: &mut Printer, text: &str) -> Outcome {
    let reference = parsed(text)?;
    let tried = || format!("can't describe `{reference}`");
    whole(&reference, "describes").context(tried)?;
    let named = Named::open(app, reference.clone(), Action::Describe).await.context(tried)?;
    let Some(entry) = named.resolver.describe(target(&reference)).await.context(tried)? else {
        return Err(not_found("there is no such secret")).context(tried);
    };
    if printer.is_json() {
        return printer.object(json!({
            "reference": named.resolved.to_string(),
            "path": entry.path,
            "version": entry.version.as_ref().map(version),
            "tags": pairs(&entry.tags),
            "attributes": pairs(&readable(&entry.attributes)),
        }));
    }
    printer.line(&format!("reference  {}", named.resolved))?;
    if let Some(current) = &entry.version {
        printer.line(&format!("version    {} ({})", printable_name(&current.id), state(current.state)))?;
        for (name, time) in [("created", current.created_at), ("expires", current.expires_at)] {
            if let Some(time) = time.and_then(rfc3339) {
                printer.line(&format!("{name:<10} {time}"))?;
            }
        }
    }
    for (name, list) in [("tag", &entry.tags), ("also", &readable(&entry.attributes))] {
        for (key, value) in list {
            printer.line(&format!("{name:<10} {} = {}", printable_name(key), printable_name(value)))?;
        }
    }
    Ok(())
}

/// Attributes with their times as people read them: those whose names end in `-at`, as the contract says.
fn readable(attributes: &Attributes) -> Attributes {
    let time = |name: &str, value: &str| name.ends_with("-at").then(|| value.parse().ok().and_then(rfc3339)).flatten();
    attributes.iter().map(|(name, value)| (name.clone(), time(name, value).unwrap_or_else(|| value.clone()))).collect()
}

fn state(state: VersionState) -> &'static str {
    match state {
        VersionState::Enabled => "enabled",
        VersionState::Disabled => "disabled",
        VersionState::Deleted => "deleted",
        VersionState::Destroyed => "destroyed",
    }
}

pub(super) async fn versions(app: &App, printer: &mut Printer, text: &str) -> Outcome {
    let reference = parsed(text)?;
    let tried = || format!("can't list the versions of `{reference}`");
    whole(&reference, "has versions").context(tried)?;
    let named = Named::open(app, reference.clone(), Action::Versions).await.context(tried)?;
    let versions = all(&named).await.context(tried)?;
    if versions.is_empty() {
        return Err(not_found("there is no such secret")).context(tried);
    }
    if printer.is_json() {
        let versions: Vec<_> = versions.iter().map(version).collect();
        return printer.object(json!({ "reference": named.resolved.to_string(), "versions": versions }));
    }
    for one in &versions {
        let created = one.created_at.and_then(rfc3339).unwrap_or_else(|| "-".to_owned());
        let mark = if one.current { "*" } else { " " };
        let labels = one.labels.iter().map(|label| format!(" {}", printable(label))).collect::<String>();
        printer.line(&format!("{mark} {:<12} {created:<26} {}{labels}", printable_name(&one.id), state(one.state)))?;
    }
    Ok(())
}

async fn all(named: &Named) -> Outcome<Vec<SecretVersion>> {
    let mut versions = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = named.resolver.versions(target(&named.reference), cursor.as_deref(), PAGE).await?;
        versions.extend(page.versions);
        if page.next.is_none() {
            return Ok(versions);
        }
        if page.next == cursor {
            break;
        }
        cursor = page.next;
    }
    Err(Failure::new(Kind::PluginFault, "the plugin's list of versions does not end"))
}

pub(super) async fn rollback(app: &App, printer: &mut Printer, text: &str, to: &str, dry_run: bool) -> Outcome {
    let mut reference = parsed(text)?;
    let tried = || format!("can't roll `{text}` back", text = printable(text));
    whole(&reference, "is rolled back").context(tried)?;
    if to.is_empty() {
        return Err(usage("an empty version names none")).context(tried);
    }
    let shown = reference.clone();
    reference.version = Some(to.to_owned());
    let tried = || format!("can't roll `{shown}` back to version {}", printable_name(to));
    let named = Named::open(app, reference, Action::Rollback).await.context(tried)?;
    if dry_run {
        printer.note(&format!("would make `{}` current", named.resolved));
        return named.dry(printer, "rollback");
    }
    let now = match named.resolver.rollback(target(&named.reference)).await {
        Err(failure) if failure.kind == Kind::NotFound => {
            Err(missing(&named.resolver, &named.reference, failure).await)
        }
        answer => answer,
    };
    let now = now.context(tried)?;
    if printer.is_json() {
        return printer.object(json!({ "reference": named.without_version().to_string(), "version": version(&now) }));
    }
    printer.note(&format!(
        "`{}` is what version {} was; the current version is {}",
        named.without_version(),
        printable_name(to),
        printable_name(&now.id)
    ));
    Ok(())
}

/// What is missing where a version was named: `failure` as it is, or the version alone, where the secret is there.
pub(super) async fn missing(resolver: &Resolver, reference: &Reference, failure: Failure) -> Failure {
    if reference.version.is_none() {
        return failure;
    }
    let whole = Reference { version: None, field: None, ..reference.clone() };
    // Where this can't be told, what was said before is true all the same.
    match resolver.describe(target(&whole)).await {
        Ok(Some(_)) => {
            let shows = format!("`forge secret versions {whole}` shows which there are");
            not_found("there is no such version").with_hint(shows)
        }
        _ => failure,
    }
}

/// Enables or disables one version: the one named, or the current one.
pub(super) async fn set_state(
    app: &App,
    printer: &mut Printer,
    text: &str,
    state: VersionState,
    dry_run: bool,
) -> Outcome {
    let mut reference = parsed(text)?;
    let verb = if state == VersionState::Enabled { "enable" } else { "disable" };
    let tried = || format!("can't {verb} `{}`", printable(text));
    if reference.field.is_some() {
        return Err(usage(format!("a version is {verb}d whole, so the reference has no field"))).context(tried);
    }
    let mut named = Named::open(app, reference.clone(), Action::SetState).await.context(tried)?;
    if reference.version.is_none() {
        let known = named.resolver.describe(target(&reference)).await.context(tried)?;
        let known = known.ok_or_else(|| not_found("there is no such secret")).context(tried)?;
        let current = known.version.map(|version| version.id).filter(|id| !id.is_empty());
        reference.version = Some(
            current
                .ok_or_else(|| usage("name the version with `?version=V`: the backend tells none"))
                .context(tried)?,
        );
    }
    named.resolved.version.clone_from(&reference.version);
    named.reference = reference;
    if dry_run {
        printer.note(&format!("would {verb} `{}`", named.resolved));
        return named.dry(printer, verb);
    }
    named.resolver.set_state(target(&named.reference), state).await.context(tried)?;
    if printer.is_json() {
        return printer.object(json!({ "reference": named.resolved.to_string(), "state": state }));
    }
    printer.note(&format!("{verb}d `{}`", named.resolved));
    Ok(())
}
