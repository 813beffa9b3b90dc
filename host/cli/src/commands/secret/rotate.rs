//! `forge secret rotate`: by the backend's own means, or with a value that is made here or piped in.

use forge_core::Kind;
use forge_core::field;
use forge_core::generator::Recipe;
use forge_core::manifest::printable_name;
use forge_core::policy::Action;
use forge_core::provider::Failure;
use forge_core::reference::Reference;
use forge_core::resolver::Target;
use forge_core::secret::{PutOptions, Secret, SecretVersion, Value, VersionState};
use forge_core::time;
use serde_json::json;

use super::{Named, parsed, set, target};
use crate::app::App;
use crate::arguments::Rotate;
use crate::commands::version;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

/// Versions that are looked at for the old one: it is the newest but one.
const NEWEST: u32 = 10;

/// Where the new value comes from.
enum Origin {
    Backend,
    Recipe(Recipe),
    Input,
}

pub(super) async fn rotate(app: &App, printer: &mut Printer, arguments: Rotate) -> Outcome {
    let reference = parsed(&arguments.reference)?;
    let tried = || format!("can't rotate `{reference}`");
    if reference.version.is_some() {
        return Err(usage("a new version is made, so the reference has none")).context(tried);
    }
    let origin = match arguments.generate.recipe().context(tried)? {
        Some(recipe) => Origin::Recipe(recipe),
        None if arguments.stdin => Origin::Input,
        None => Origin::Backend,
    };
    let expires_at = arguments.expires.as_deref().map(|text| time::deadline(text, time::now())).transpose();
    let expires_at = expires_at.context(tried)?;
    if matches!(origin, Origin::Backend) {
        if expires_at.is_some() {
            return Err(usage("`--expires` is of a value that is made here or piped in")).context(tried);
        }
        return backend(app, printer, &reference, arguments.dry_run).await.context(tried);
    }
    let named = Named::open(app, reference.clone(), Action::Set).await.context(tried)?;
    if arguments.dry_run {
        let what = match &origin {
            Origin::Recipe(recipe) => recipe.to_string(),
            _ => "what is piped in".to_owned(),
        };
        printer.note(&format!("would write {what} as a new version of `{}`", named.resolved));
        return named.dry(printer, "rotate");
    }
    let whole = Target { version: None, ..target(&reference) };
    let old = named.resolver.read(whole).await.context(tried)?;
    let old = old.ok_or_else(|| {
        let hint = format!("`forge secret set {reference} --generate password` makes one");
        not_found("there is no such secret").with_hint(hint)
    });
    let old = old.context(tried)?;
    let (value, by) = match &origin {
        Origin::Recipe(recipe) => (recipe.value().context(tried)?, "generate"),
        _ => (set::value(printer, None, arguments.keep_newline).context(tried)?, "input"),
    };
    let written = write(printer, &named, &old, &value, (by, expires_at)).await.context(tried)?;
    let previous = previous(&named, whole, &old, &written).await;
    if printer.is_json() {
        return printer.object(json!({
            "reference": named.resolved.to_string(),
            "by": by,
            "version": version(&written),
            "previous": previous.as_ref().map(version),
        }));
    }
    let is_named = !written.id.is_empty();
    let new =
        if is_named { format!(": the current version is {}", printable_name(&written.id)) } else { String::new() };
    printer.note(&format!("rotated `{}`{new}", named.resolved));
    match previous {
        Some(previous) => {
            let old = Reference { version: Some(previous.id.clone()), ..named.resolved.clone() };
            let id = printable_name(&previous.id);
            printer.note(&format!("version {id} is still there: `forge secret get '{old}'` reads it"));
        }
        None if !is_named => printer.note("the old value is gone: this backend keeps no versions"),
        None => {}
    }
    Ok(())
}

/// What rotates here, where a backend does not.
fn with_generator(failure: Failure) -> Failure {
    failure.with_hint(
        "`--generate password` writes a value that is made here as a new version, and `--stdin` one that is piped in",
    )
}

/// Has the backend rotate.
async fn backend(app: &App, printer: &mut Printer, reference: &Reference, dry_run: bool) -> Outcome {
    if reference.field.is_some() {
        return Err(with_generator(usage("a backend rotates whole secrets, so the reference has no field")));
    }
    let named = Named::open(app, reference.clone(), Action::Rotate).await.map_err(|failure| match failure.kind {
        Kind::Unsupported => with_generator(Failure {
            what: format!("its backend rotates nothing by itself: {}", failure.what),
            ..failure
        }),
        _ => failure,
    })?;
    if dry_run {
        printer.note(&format!("would have the backend rotate `{}`", named.resolved));
        return named.dry(printer, "rotate");
    }
    let begun = named.resolver.rotate(target(reference)).await.map_err(|failure| match failure.kind {
        // No rotation was set up for it, or the backend has none for secrets like this one.
        Kind::Unsupported | Kind::WrongState | Kind::InvalidRequest => with_generator(failure),
        _ => failure,
    })?;
    if printer.is_json() {
        return printer.object(json!({
            "reference": named.resolved.to_string(),
            "by": "backend",
            "version": begun.as_ref().map(version),
            "previous": null,
        }));
    }
    let resolved = &named.resolved;
    printer.note(&match begun.filter(|version| !version.id.is_empty()) {
        Some(version) if version.current => {
            format!("rotated `{resolved}`: the current version is {}", printable_name(&version.id))
        }
        Some(version) => format!(
            "the backend rotates `{resolved}`: version {} becomes current when it is done, and `forge secret versions {resolved}` shows whether it is",
            printable_name(&version.id)
        ),
        None => format!("the backend rotates `{resolved}`"),
    });
    Ok(())
}

/// Writes the new value over the version that was read and no other, with what else that one has.
async fn write(
    printer: &mut Printer,
    named: &Named,
    old: &Secret,
    value: &Value,
    (by, expires_at): (&str, Option<u64>),
) -> Outcome<SecretVersion> {
    let merged = match named.reference.field.as_deref() {
        Some(field) => Some(field::put(Some(old), field, value.expose())?),
        // One generated value in the place of several fields would lose all of them.
        None if by == "generate" && field::has_several(old) => {
            return Err(usage("it has several fields, and one value would take the place of them all")
                .with_hint(format!("name the field to rotate: `{}#FIELD`", named.resolved)));
        }
        None => None,
    };
    let value = merged.as_ref().unwrap_or(value);
    let current = old.version.as_ref().filter(|version| !version.id.is_empty());
    if expires_at.is_none()
        && let Some(time) = current.and_then(|version| version.expires_at).and_then(time::rfc3339)
    {
        printer.warning(&format!("the old version expires at {time}, and the new one does not: `--expires` says when"));
    }
    let mut options = PutOptions {
        content_type: if merged.is_some() { old.content_type.clone() } else { field::content_type(old) },
        tags: old.tags.clone(),
        expires_at,
        expected_version: current.map(|version| version.id.clone()),
        ..PutOptions::default()
    };
    let whole = Target { version: None, ..target(&named.reference) };
    if options.expected_version.is_some() {
        match named.resolver.write(whole, value.expose(), &options).await {
            // A backend that can't compare says so before it writes anything.
            Err(failure) if failure.kind == Kind::Unsupported => options.expected_version = None,
            answer => return answer,
        }
    }
    let written = named.resolver.write(whole, value.expose(), &options).await?;
    printer.warning("this backend can't compare: a change that somebody made at the same moment is written over");
    Ok(written)
}

/// The version that was current before, if it can still be read.
async fn previous(named: &Named, whole: Target<'_>, old: &Secret, written: &SecretVersion) -> Option<SecretVersion> {
    let before = old.version.as_ref().filter(|version| !version.id.is_empty() && version.id != written.id)?;
    let opened = named.resolver.open(whole.provider).await.ok()?;
    opened.provider.check_ability(Action::Versions).ok()?;
    let page = named.resolver.versions(whole, None, NEWEST).await.ok()?;
    page.versions.into_iter().find(|version| version.id == before.id && version.state == VersionState::Enabled)
}
