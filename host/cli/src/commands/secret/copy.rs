//! `forge secret copy`: from any provider to any other, one secret or everything below a prefix.

use forge_core::Kind;
use forge_core::provider::Failure;
use forge_core::reference::Reference;
use forge_core::resolver::{Resolver, Target};
use forge_core::secret::{PutOptions, SecretVersion};
use serde_json::json;

use super::{Named, list, parsed, target, whole};
use crate::app::App;
use crate::commands::version;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

/// How a copy is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) overwrite: bool,
    pub(super) dry_run: bool,
}

pub(super) async fn copy(app: &App, printer: &mut Printer, from: &str, to: &str, manner: Manner) -> Outcome {
    match from.strip_suffix("/**") {
        Some(prefix) => many(app, printer, prefix, to, manner).await,
        None => {
            let (from, to) = (parsed(from)?, parsed(to)?);
            let tried = || format!("can't copy `{from}` to `{to}`");
            whole(&to, "is written").context(tried)?;
            if from.field.is_some() {
                return Err(usage("whole secrets are copied, so the reference has no field")).context(tried);
            }
            let source = Named::open(app, from.clone()).await.context(tried)?;
            let destination = Named::open(app, to.clone()).await.context(tried)?;
            if source.resolved == destination.resolved {
                return Err(usage("both are the same secret")).context(tried);
            }
            let written =
                one(&source.resolver, &source.resolved, &destination.resolved, manner).await.context(tried)?;
            if printer.is_json() {
                return printer.object(json!({
                    "from": source.resolved.to_string(),
                    "to": destination.resolved.to_string(),
                    "version": written.as_ref().map(version),
                    "dry_run": manner.dry_run,
                }));
            }
            let done = if manner.dry_run { "would copy" } else { "copied" };
            printer.note(&format!("{done} `{}` to `{}`", source.resolved, destination.resolved));
            Ok(())
        }
    }
}

/// Copies one secret; `None` where it would only have been copied.
async fn one(resolver: &Resolver, from: &Reference, to: &Reference, manner: Manner) -> Outcome<Option<SecretVersion>> {
    // Asked first, so that nothing is read for nothing; the write below asks again where the backend can compare.
    let is_there = resolver.describe(target(to)).await;
    let is_taken = match is_there {
        Ok(known) => known.is_some(),
        // A backend without metadata is asked for the secret itself.
        Err(failure) if failure.kind == Kind::Unsupported => resolver.read(target(to)).await?.is_some(),
        Err(failure) => return Err(failure),
    };
    if is_taken && !manner.overwrite {
        return Err(Failure::new(Kind::Conflict, format!("`{to}` is there already"))
            .with_hint("`--overwrite` replaces it with a new version"));
    }
    let secret = resolver.read(target(from)).await?;
    let secret = secret.ok_or_else(|| not_found("there is no such secret or version"))?;
    if manner.dry_run {
        return Ok(None);
    }
    // The natural value travels: a map's default field is a matter of the backend that stores maps.
    let value = forge_core::field::take(&secret, None)?;
    let mut options = PutOptions {
        content_type: secret.content_type.clone(),
        tags: secret.tags.clone(),
        expires_at: secret.version.as_ref().and_then(|version| version.expires_at),
        expected_version: (!is_taken).then(String::new),
        ..PutOptions::default()
    };
    match resolver.write(target(to), value.expose(), &options).await {
        Err(failure) if failure.kind == Kind::Unsupported && options.expected_version.is_some() => {
            // This backend can't compare; what was asked above has to do.
            options.expected_version = None;
            resolver.write(target(to), value.expose(), &options).await.map(Some)
        }
        answer => answer.map(Some),
    }
}

async fn many(app: &App, printer: &mut Printer, from: &str, to: &str, manner: Manner) -> Outcome {
    let (provider, from) = list::prefix(Some(from))?;
    let (to_provider, to) = list::prefix(Some(to.trim_end_matches("/**")))?;
    let tried = || format!("can't copy what lies below `{}`", forge_core::manifest::printable(&from));
    let resolver = app.resolver();
    let source = resolver.open(provider.as_deref()).await.context(tried)?.name;
    let destination = resolver.open(to_provider.as_deref()).await.context(tried)?.name;
    let mut paths = Vec::new();
    let target = Target { provider: Some(&source), path: &from, version: None };
    list::each(&resolver, target, |entry| {
        paths.push(entry.path);
        Ok(())
    })
    .await
    .context(tried)?;
    if paths.is_empty() {
        return Err(not_found("there is nothing")).context(tried);
    }
    let named = |provider: &String, path: String| Reference {
        provider: Some(provider.clone()),
        path,
        version: None,
        field: None,
    };
    let (count, mut failed, mut results) = (paths.len(), 0_usize, Vec::new());
    for (at, path) in paths.into_iter().enumerate() {
        printer.progress(at, count, "copying");
        let rest = path.strip_prefix(&from).unwrap_or(&path).trim_start_matches('/');
        let below = [to.as_str(), rest].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/");
        let (one_from, one_to) = (named(&source, path.clone()), named(&destination, below));
        let outcome = if one_from == one_to {
            Err(usage("both are the same secret"))
        } else {
            one(&resolver, &one_from, &one_to, manner).await
        };
        printer.end_progress();
        let error = outcome.as_ref().err().map(|failure| failure.kind.token());
        results.push(json!({ "from": one_from.to_string(), "to": one_to.to_string(), "error": error }));
        match outcome {
            Ok(_) if manner.dry_run => printer.note(&format!("would copy `{one_from}` to `{one_to}`")),
            Ok(_) => printer.note(&format!("copied `{one_from}` to `{one_to}`")),
            Err(failure) => {
                failed += 1;
                printer.warning(&format!("can't copy `{one_from}` to `{one_to}`: {}", failure.what));
            }
        }
    }
    if printer.is_json() {
        printer.object(json!({ "copies": results, "dry_run": manner.dry_run }))?;
    }
    if failed > 0 {
        let what = format!("{failed} of {count} secrets were not copied");
        return Err(Failure::new(Kind::Partial, what)).context(tried);
    }
    Ok(())
}
