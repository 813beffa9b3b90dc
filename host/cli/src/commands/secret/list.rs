//! `forge secret list`: names, never values.

use forge_core::Kind;
use forge_core::provider::Failure;
use forge_core::resolver::{Resolver, Target};
use forge_core::secret::Entry;
use serde_json::json;

use super::parsed;
use crate::app::App;
use crate::commands::version;
use crate::failure::{Context as _, Outcome};
use crate::printer::Printer;

/// Names of one page of a listing.
const PAGE: u32 = 1_000;

/// Pages of one listing: a server can nest folders without end, and a plugin can page without end.
const PAGES: u32 = 1_000;

/// A prefix as it is typed: the provider, and the path that everything listed lies at or below.
pub(crate) fn prefix(text: Option<&str>) -> Outcome<(Option<String>, String)> {
    let Some(text) = text else { return Ok((None, String::new())) };
    // `store://prod` alone has no path, and here that means all of it.
    match text.strip_prefix("store://").map(|rest| rest.trim_end_matches('/')) {
        Some(name) if forge_core::reference::is_name(name) => Ok((Some(name.to_owned()), String::new())),
        _ => {
            let reference = parsed(text.trim_end_matches('/'))?;
            Ok((reference.provider, reference.path))
        }
    }
}

/// Walks through all pages of a listing.
pub(crate) async fn each(resolver: &Resolver, target: Target<'_>, mut act: impl FnMut(Entry) -> Outcome) -> Outcome {
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = resolver.list(target, cursor.as_deref(), PAGE).await?;
        page.entries.into_iter().try_for_each(&mut act)?;
        if page.next.is_none() {
            return Ok(());
        }
        if page.next == cursor {
            let what = "the plugin's listing goes in a circle, so it is not whole";
            return Err(Failure::new(Kind::PluginFault, what));
        }
        cursor = page.next;
    }
    Err(Failure::new(Kind::PluginFault, format!("the plugin's listing does not end within {PAGES} pages")))
}

pub(super) async fn list(app: &App, printer: &mut Printer, text: Option<&str>) -> Outcome {
    let (provider, path) = prefix(text)?;
    let resolver = app.resolver();
    let mut secrets = Vec::new();
    let target = Target { provider: provider.as_deref(), path: &path, version: None };
    let shown = each(&resolver, target, |entry| {
        if printer.is_json() {
            secrets.push(json!({ "path": entry.path, "version": entry.version.as_ref().map(version) }));
            return Ok(());
        }
        printer.line(&forge_core::manifest::printable_name(&entry.path))
    });
    shown.await.context(|| "can't list".to_owned())?;
    if printer.is_json() { printer.object(json!({ "secrets": secrets })) } else { Ok(()) }
}
