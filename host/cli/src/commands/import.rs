//! `forge import`: the secrets of a dotenv, JSON or YAML file into a provider, or the names of another tool's project.
//!
//! A file of values is read by the plugin `textfile` in its sandbox, like any provider, so a hostile one meets no parser of
//! the host's. A project of secretspec or fnox holds names and no values that could be read; its names become the
//! `[secrets]` of `forge.toml`.

mod names;

use std::path::Path;

use forge_core::setting::Settings;
use serde_json::json;

use super::secret::copy::{self, Manner};
use super::secret::list::prefix;
use crate::app::App;
use crate::arguments::Import;
use crate::environment;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;
use crate::providers::Opener;

/// What the file is called while it is a provider: no configured one can have this name.
const SOURCE: &str = "(file)";

pub(crate) async fn run(app: &App, printer: &mut Printer, arguments: &Import) -> Outcome {
    let shown = arguments.file.display().to_string();
    let tried = || format!("can't import `{}`", forge_core::manifest::printable_name(&shown));
    let file = environment::absolute(&arguments.file)?;
    if !file.exists() {
        return Err(not_found("there is no such file")).context(tried);
    }
    if let Some(tool) = names::Tool::of(&file) {
        return names::import(printer, &file, tool, arguments).context(tried);
    }
    values(app, printer, &file, arguments).await.context(tried)
}

async fn values(app: &App, printer: &mut Printer, file: &Path, arguments: &Import) -> Outcome {
    let (provider, to) = prefix(arguments.to.as_deref())?;
    let path = file.to_str().ok_or_else(|| usage("its path is not UTF-8"))?;
    let settings = Settings::from([
        ("file".to_owned(), path.to_owned()),
        ("format".to_owned(), arguments.format.clone().unwrap_or_else(|| "auto".to_owned())),
    ]);
    let opener = Opener::new(&app.home, &app.config, &app.plugins, app.global.provider.clone());
    let opener = opener.keeping_tokens(!app.global.no_token_cache);
    opener.lend(SOURCE, &settings)?;
    let resolver = app.resolver_over(opener);
    let destination = resolver.open(provider.as_deref()).await?.name;
    let manner = Manner { overwrite: arguments.overwrite, dry_run: arguments.dry_run };
    let results = copy::below(printer, &resolver, (SOURCE, ""), (&destination, &to), manner).await?;
    if printer.is_json() {
        let secrets: Vec<_> = results
            .iter()
            .map(|one| json!({ "path": one.from.path, "to": one.to.to_string(), "error": one.error }))
            .collect();
        printer.object(json!({ "secrets": secrets, "dry_run": arguments.dry_run }))?;
    }
    copy::whole_of(&results)?;
    if !arguments.dry_run {
        printer.note(&format!("`{destination}` has the values now; the file still holds them"));
    }
    Ok(())
}
