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

/// What the file is called while it is a provider: no configured one can have this name.
const SOURCE: &str = "(file)";

pub(crate) async fn run(app: &App, printer: &mut Printer, arguments: &Import) -> Outcome {
    let shown = arguments.file.display().to_string();
    let tried = || format!("can't import `{}`", forge_core::manifest::printable_name(&shown));
    let file = environment::absolute(&arguments.file)?;
    if !file.exists() {
        return Err(not_found("there is no such file")).context(tried);
    }
    check_own(&file).context(tried)?;
    if let Some(tool) = names::Tool::of(&file) {
        return names::import(printer, &file, tool, arguments).context(tried);
    }
    values(app, printer, &file, arguments).await.context(tried)
}

/// Refuses a link: one in a cloned repository can lead to a file whose values its author would like to have imported.
fn check_own(file: &Path) -> Outcome {
    let refuse = |error: std::io::Error| usage(format!("it can't be found: {error}"));
    let real = std::fs::canonicalize(file).map_err(refuse)?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    let here = std::fs::canonicalize(folder).map_err(refuse)?;
    if real.parent() == Some(here.as_path()) && real.file_name() == file.file_name() {
        return Ok(());
    }
    let shown = forge_core::manifest::printable_name(&real.display().to_string());
    Err(usage("it is a link").with_hint(format!("if you mean the file that it leads to, name that: `{shown}`")))
}

async fn values(app: &App, printer: &mut Printer, file: &Path, arguments: &Import) -> Outcome {
    let (provider, to) = prefix(arguments.to.as_deref())?;
    let path = file.to_str().ok_or_else(|| usage("its path is not UTF-8"))?;
    let settings = Settings::from([
        ("file".to_owned(), path.to_owned()),
        ("format".to_owned(), arguments.file_format.clone().unwrap_or_else(|| "auto".to_owned())),
    ]);
    let opener = app.opener().for_many();
    opener.lend(SOURCE, &settings)?;
    let resolver = app.resolver_over(opener);
    let destination = resolver.open(provider.as_deref()).await?.identity.provider.clone();
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
