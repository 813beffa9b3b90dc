//! What `doctor` looks at of forge's own state: who can write its files, the audit log's chain, and what is configured.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use forge_core::audit::Expected;
use forge_core::config::Owner;
use forge_core::manifest::printable_name;
use forge_core::metrics::{Log, of_log};
use forge_core::provider::Failure;

use super::{Check, Status};
use crate::app::App;
use crate::environment;
use crate::failure::Outcome;
use crate::providers::Opener;

/// The most entries of a directory of forge's that are looked at.
const MOST_ENTRIES: usize = 20_000;

/// How deep directories are looked into.
const DEEPEST: usize = 16;

/// How much of the log is counted, in milliseconds: a day.
const COUNTED: u64 = 24 * 60 * 60 * 1000;

/// The configuration's other layers, and whether somebody else can write one.
pub(super) fn layers(app: &App) -> Vec<Check> {
    let mut checks = Vec::new();
    let system = environment::system_config_file();
    if system.exists() {
        checks.push(Check::new("configuration", Status::Ok, format!("`{}`, the machine's", system.display())));
    }
    let is_open = |file: &&Path| file.metadata().is_ok_and(|metadata| metadata.mode() & 0o022 != 0);
    for file in std::iter::once(app.config_file.as_path()).filter(is_open) {
        let what = format!("`{}` can be written by others, who then choose what references mean", shown(file));
        let hint = Some(format!("`chmod go-w {}`", shown(file)));
        checks.push(Check { hint, ..Check::new("configuration", Status::Failed, what) });
    }
    checks
}

/// The files that forge refuses to use because others could have written them.
pub(super) fn files(app: &App) -> Check {
    const SUBJECT: &str = "files";
    let (mut seen, mut open) = (0, Vec::new());
    for directory in [&app.home.data, &app.home.cache] {
        look(directory, 0, &mut seen, &mut open);
    }
    let Some(first) = open.first() else {
        let detail = match seen {
            0 => "there are none yet".to_owned(),
            _ => "none can be written by others".to_owned(),
        };
        return Check::new(SUBJECT, Status::Ok, detail);
    };
    let rest = if open.len() > 1 { format!(" and {} more", open.len() - 1) } else { String::new() };
    let what = format!("`{}`{rest} can be written by others, or belong to somebody else", shown(first));
    let hint = Some(format!("make them yours alone: `chmod go-w {}`", shown(first)));
    Check { hint, ..Check::new(SUBJECT, Status::Failed, what) }
}

fn look(directory: &Path, depth: usize, seen: &mut usize, open: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        *seen += 1;
        if *seen > MOST_ENTRIES {
            return;
        }
        // Of a link itself: what it leads to is none of forge's.
        let Ok(metadata) = entry.metadata() else { continue };
        let is_open = !metadata.is_symlink() && metadata.mode() & 0o022 != 0;
        if is_open || metadata.uid() != environment::user_number() {
            open.push(entry.path());
        }
        if metadata.is_dir() && depth < DEEPEST {
            look(&entry.path(), depth + 1, seen, open);
        }
    }
}

/// Whether the audit log's chain is whole.
pub(super) fn audit(app: &App) -> Check {
    const SUBJECT: &str = "audit log";
    let report = match app.audit.verify(Expected::default()) {
        Ok(report) => report,
        Err(error) => return Check { hint: None, ..Check::of(SUBJECT, Err(error.into())) },
    };
    if let Some(fault) = &report.fault {
        let what = format!("it is not what forge wrote: {}", fault.fault);
        let hint = Some("`forge audit verify` says where".to_owned());
        return Check { hint, ..Check::new(SUBJECT, Status::Failed, what) };
    }
    match report.head {
        None => Check::new(SUBJECT, Status::Ok, "there are no records yet"),
        Some(_) => {
            let files = if report.files == 1 { "1 file".to_owned() } else { format!("{} files", report.files) };
            Check::new(SUBJECT, Status::Ok, format!("{} records in {files}, in one unbroken chain", report.records))
        }
    }
}

/// What `[secrets]` names, and whether there are such providers; what is in them is `forge check`'s to tell.
pub(super) fn secrets(app: &App, opener: &Opener) -> Option<Check> {
    const SUBJECT: &str = "secrets";
    let secrets = match app.config.secrets() {
        Ok(secrets) if secrets.is_empty() => return None,
        Ok(secrets) => secrets,
        // A project that does not count is told by itself.
        Err(_) => return None,
    };
    let mut wrong = Vec::new();
    for (name, secret) in secrets {
        for reference in std::iter::once(&secret.reference).chain(&secret.fallback) {
            if let Some(Err(failure)) = reference.provider.as_deref().map(|provider| opener.named(provider)) {
                wrong.push(format!("`{name}`: {}", failure.what));
            }
        }
    }
    let required = secrets.values().filter(|secret| secret.required).count();
    let detail = format!("{} named by `[secrets]`, {required} of them required", secrets.len());
    Some(match wrong.first() {
        None => Check::new(SUBJECT, Status::Ok, detail),
        Some(first) => Check::new(SUBJECT, Status::Failed, format!("{detail}; {first}")),
    })
}

/// Whose policies count, for the line about them.
pub(super) fn policies(app: &App) -> String {
    let places: Vec<String> = app.config.policies.iter().map(|source| source.place.to_string()).collect();
    let is_system = app.config.policies.iter().any(|source| source.place.owner == Owner::System);
    let both = if is_system && places.len() > 1 { ", which both have to allow" } else { "" };
    format!("{}{both}", places.join(" and "))
}

/// What the log says of the last day.
pub(super) fn metrics(app: &App) -> Outcome<Log> {
    let files = app.audit.files().map_err(Failure::from)?;
    let since = forge_core::time::now().saturating_sub(COUNTED);
    Ok(of_log(&files, since)?)
}

fn shown(path: &Path) -> String {
    printable_name(&path.display().to_string())
}
