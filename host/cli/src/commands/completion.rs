//! Completion of words in a shell, and the manual pages: made from the command line's own description.
//!
//! The shell's script asks the program, which completes names from configuration and listings. No value is read for it.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use clap::{CommandFactory as _, ValueEnum};
use clap_complete::CompletionCandidate;
use clap_complete::env::{CompleteEnv, EnvCompleter, Fish, Zsh};
use forge_core::Kind;
use forge_core::config::LOCAL;
use forge_core::provider::Failure;
use forge_core::reference::Reference;
use forge_core::resolver::Target;

use crate::app::App;
use crate::arguments::{Arguments, Command, Global};
use crate::failure::Outcome;
use crate::printer::Printer;

/// The variable by which the shell's script asks.
const ASKED: &str = "_FORGE_COMPLETE";

/// How long a shell waits for names; a backend that takes longer completes nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most names that are offered at once.
const MOST: u32 = 500;

/// A shell whose words can be completed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Shell {
    /// Put it into `~/.local/share/bash-completion/completions/forge`
    Bash,
    /// Put it as `_forge` into a directory of `$fpath`
    Zsh,
    /// Put it into `~/.config/fish/completions/forge.fish`
    Fish,
}

/// Answers the shell and ends the process, if it is a shell that asks.
pub(crate) fn answer() {
    CompleteEnv::with_factory(Arguments::<Command>::command).var(ASKED).complete();
}

/// Prints the script that a shell reads.
pub(crate) fn script(printer: &mut Printer, shell: Shell) -> Outcome {
    let shell: &dyn EnvCompleter = match shell {
        // Bash alone splits references, so its script is our own.
        Shell::Bash => return printer.data(include_bytes!("completion/forge.bash")),
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    shell.write_registration(ASKED, "forge", "forge", "forge", &mut script).map_err(internal)?;
    printer.data(&script)
}

/// Writes one manual page for each command into a directory.
pub(crate) fn manual(printer: &mut Printer, directory: &Path) -> Outcome {
    std::fs::create_dir_all(directory).map_err(internal)?;
    clap_mangen::generate_to(Arguments::<Command>::command(), directory).map_err(internal)?;
    printer.note(&format!("wrote the manual pages into `{}`", directory.display()));
    Ok(())
}

fn internal(error: std::io::Error) -> Failure {
    Failure::new(Kind::Internal, error.to_string())
}

fn app() -> Option<App> {
    App::new(Global { non_interactive: true, quiet: true, ..Global::default() }).ok()
}

/// Names of providers that begin like this.
pub(crate) fn providers(current: &OsStr) -> Vec<CompletionCandidate> {
    let (Some(app), Some(current)) = (app(), current.to_str()) else { return Vec::new() };
    let names = std::iter::once(LOCAL).chain(app.config.providers.keys().map(String::as_str));
    names.filter(|name| name.starts_with(current)).map(CompletionCandidate::new).collect()
}

/// Names of plugins that begin like this.
pub(crate) fn plugins(current: &OsStr) -> Vec<CompletionCandidate> {
    let (Some(app), Some(current)) = (app(), current.to_str()) else { return Vec::new() };
    let installed = app.plugins.installed().unwrap_or_default();
    let names = app.plugins.builtins().map(str::to_owned).chain(installed.into_keys());
    names.filter(|name| name.starts_with(current)).map(CompletionCandidate::new).collect()
}

/// References that begin like this: providers first, then the names that the provider lists.
pub(crate) fn references(current: &OsStr) -> Vec<CompletionCandidate> {
    let (Some(app), Some(current)) = (app(), current.to_str()) else { return Vec::new() };
    let starts = |name: &str| format!("store://{name}/");
    let names = std::iter::once(LOCAL).chain(app.config.providers.keys().map(String::as_str)).map(starts);
    let mut offered: Vec<String> = names.filter(|one| !current.is_empty() && one.starts_with(current)).collect();
    let provider = match current.strip_prefix("store://").map(|rest| rest.split_once('/')) {
        Some(Some((name, _))) => Some(name.to_owned()),
        // The provider's own name is still being typed.
        Some(None) => return offered.into_iter().map(CompletionCandidate::new).collect(),
        None => None,
    };
    let folder = current.rsplit_once('/').map_or("", |(folder, _)| folder);
    let folder =
        folder.strip_prefix("store://").map_or(folder, |rest| rest.split_once('/').map_or("", |(_, path)| path));
    let listed = listed(&app, provider.as_deref(), folder).unwrap_or_default();
    let shown = listed
        .into_iter()
        .map(|path| Reference { provider: provider.clone(), path, version: None, field: None }.to_string());
    offered.extend(shown.filter(|one| one.starts_with(current)));
    // A provider that was typed whole is offered once more by its own name, and is no completion then.
    offered.retain(|one| one != current);
    offered.into_iter().map(CompletionCandidate::new).collect()
}

fn listed(app: &App, provider: Option<&str>, folder: &str) -> Option<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        let resolver = app.resolver();
        let target = Target { provider, path: folder, version: None };
        let page = tokio::time::timeout(PATIENCE, resolver.list(target, None, MOST)).await.ok()?.ok()?;
        Some(page.entries.into_iter().map(|entry| entry.path).collect())
    })
}
