//! Deleting a secret, taking that back, and removing it for good.

use serde_json::json;

use super::{Named, parsed, target, whole};
use crate::app::App;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

pub(super) async fn delete(app: &App, printer: &mut Printer, text: &str, yes: bool, dry_run: bool) -> Outcome {
    let reference = parsed(text)?;
    let tried = || format!("can't delete `{reference}`");
    whole(&reference, "is deleted").context(tried)?;
    let named = Named::open(app, reference.clone()).await.context(tried)?;
    if dry_run {
        printer.note(&format!("would delete `{}`", named.resolved));
        return named.dry(printer, "delete");
    }
    if !yes && !printer.confirm(&format!("delete `{}`?", named.resolved)) {
        return Err(usage("nobody said yes").with_hint("`--yes` deletes without a question")).context(tried);
    }
    if !named.resolver.delete(target(&reference)).await.context(tried)? {
        return Err(not_found("there is no such secret")).context(tried);
    }
    if printer.is_json() {
        return printer.object(json!({ "reference": named.resolved.to_string(), "deleted": true }));
    }
    printer.note(&format!("deleted `{}`", named.resolved));
    Ok(())
}

pub(super) async fn recover(app: &App, printer: &mut Printer, text: &str, dry_run: bool) -> Outcome {
    let reference = parsed(text)?;
    let tried = || format!("can't recover `{reference}`");
    whole(&reference, "is recovered").context(tried)?;
    let named = Named::open(app, reference.clone()).await.context(tried)?;
    if dry_run {
        printer.note(&format!("would recover `{}`", named.resolved));
        return named.dry(printer, "recover");
    }
    named.resolver.recover(target(&reference)).await.context(tried)?;
    if printer.is_json() {
        return printer.object(json!({ "reference": named.resolved.to_string(), "recovered": true }));
    }
    printer.note(&format!("recovered `{}`", named.resolved));
    Ok(())
}

pub(super) async fn purge(app: &App, printer: &mut Printer, text: &str, yes: bool, dry_run: bool) -> Outcome {
    let reference = parsed(text)?;
    let tried = || format!("can't purge `{reference}`");
    whole(&reference, "is purged").context(tried)?;
    let named = Named::open(app, reference.clone()).await.context(tried)?;
    if dry_run {
        printer.note(&format!("would purge `{}`", named.resolved));
        return named.dry(printer, "purge");
    }
    if !yes && !printer.confirm(&format!("remove `{}` and all its versions for good?", named.resolved)) {
        return Err(usage("nobody said yes").with_hint("`--yes` purges without a question")).context(tried);
    }
    if !named.resolver.purge(target(&reference)).await.context(tried)? {
        return Err(not_found("there is no such secret, and nothing left of one")).context(tried);
    }
    if printer.is_json() {
        return printer.object(json!({ "reference": named.resolved.to_string(), "purged": true }));
    }
    printer.note(&format!("purged `{}`", named.resolved));
    Ok(())
}
