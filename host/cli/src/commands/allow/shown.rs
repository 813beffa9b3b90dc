//! What a person is shown before they allow a project: what is dangerous first, then what each provider would be granted.

use std::fmt::Write as _;
use std::path::Path;

use forge_core::config::Layer;
use forge_core::project;
use forge_core::trust::Change;
use serde_json::{Value as Json, json};

use super::{Pending, Request, is_own};
use crate::app::App;
use crate::consent;

/// The whole text.
pub(super) fn summary(request: &Request, pending: &[Pending], kept: &[String], without: &[String]) -> String {
    let mut text = String::new();
    let files: Vec<String> =
        request.files.iter().filter_map(|file| file.file_name()).map(|name| project::shown(Path::new(name))).collect();
    // Writing to a string can't fail.
    let mut line = |written: String| writeln!(text, "{written}").unwrap_or_default();
    line(format!("project `{}` ({})", project::shown(Path::new(&request.directory)), files.join(", ")));
    line(format!("hash    {}", request.hash));
    line(String::new());
    line(match (&request.before, request.changes.is_empty()) {
        (None, true) => "it names no provider and no secret".to_owned(),
        (None, false) => "what it says:".to_owned(),
        (Some(_), true) => "it says what it said when it was allowed".to_owned(),
        (Some(_), false) => "what changed since it was allowed:".to_owned(),
    });
    for change in &request.changes {
        line(format!("  {change}"));
    }
    for pattern in &request.references {
        line(format!("references may change within `{pattern}` without a question"));
    }
    for Pending { name, found, proposed } in pending {
        let shown =
            consent::grant(&proposed.grant, &found.component, found.is_builtin, &proposed.later, &proposed.addresses);
        line(format!("\nprovider `{name}` would be granted:\n\n{}", shown.trim_end_matches('\n')));
    }
    for name in kept {
        line(format!("\nprovider `{name}` keeps the grant it has (`forge provider info {name}` shows it)"));
    }
    for name in without {
        line(format!("\nprovider `{name}` is granted nothing"));
    }
    text
}

/// The changes as JSON.
pub(super) fn changes(changes: &[Change]) -> Json {
    let change = |change: &Change| {
        let text = |side: &Option<forge_core::trust::Side>| side.as_ref().map(|side| side.text.clone());
        json!({ "name": change.name, "before": text(&change.before), "after": text(&change.after) })
    };
    changes.iter().map(change).collect()
}

/// Providers that the project names and nobody configured: that is no harm, and nothing works until somebody does.
pub(super) fn unknown_providers(app: &App, meaning: &Layer) -> Vec<String> {
    let environments = meaning.environments.values();
    let defaults = meaning.default.iter().chain(environments.clone().filter_map(|e| e.default.as_ref()));
    let secrets = meaning.secrets.values().chain(environments.flat_map(|environment| environment.secrets.values()));
    let references = secrets.flat_map(|secret| std::iter::once(&secret.reference).chain(&secret.fallback));
    let mut names: Vec<&String> =
        defaults.chain(references.filter_map(|reference| reference.provider.as_ref())).collect();
    names.sort();
    names.dedup();
    let is_known = |name: &&String| is_own(app, name) || meaning.providers.contains_key(*name);
    let warning = |name: &String| format!("`{name}` is no provider yet; `forge provider add {name}` adds one of yours");
    names.into_iter().filter(|name| !is_known(name)).map(warning).collect()
}
