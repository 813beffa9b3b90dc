//! `forge init`: a first `forge.toml`, with what the environment suggests, to be read before it is used.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use forge_core::Kind;
use forge_core::manifest::Manifest;
use forge_core::project::{FILE, LOCAL_FILE};
use forge_core::provider::Failure;
use forge_core::setting::SettingKind;
use serde_json::json;

use crate::app::App;
use crate::arguments::Init;
use crate::environment;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

/// The template without any provider.
const MINIMAL: &str = "minimal";

/// The longest `.gitignore` that is read, in bytes; a longer one is left alone.
const LONGEST_IGNORE: u64 = 1 << 20;

const HEAD: &str = "# What this project wants from forge. Commit this file: it names secrets and holds none.
# Nothing in it counts on anybody's machine before they have seen it and said yes to `forge allow`.
";

const DEFAULT: &str = "
# The provider of bare paths: one of this file's, or `local`, everybody's own sealed store.
# default = \"local\"
";

const PROVIDERS: &str = "
# A provider is a plugin and its settings. Of its credential a project names the kind alone;
# where it is found is said by whoever allows the project: `forge allow --credential NAME=KIND,…`.
";

const TAIL: &str = "
# Other choices, by name: `forge --environment staging …`.
# [environments.staging]
# default = \"local\"

# What programs of this project are to be given, by the variable's name.
# [secrets]
# DATABASE_URL = \"app/db#url\"
# API_KEY = { ref = \"app/api-key\", fallback = [\"store://local/app/api-key\"], required = false }
";

pub(crate) fn run(app: &App, printer: &mut Printer, arguments: &Init) -> Outcome {
    let tried = || format!("can't write `{FILE}`");
    let directory = environment::working_directory().ok_or_else(|| usage("there is no working directory"))?;
    let (text, found) = template(app, arguments.template.as_deref()).context(tried)?;
    create(&directory.join(FILE), &text).context(tried)?;
    let ignored = ignore(&directory);
    if printer.is_json() {
        let ignored = matches!(ignored, Ok(true));
        return printer.object(json!({ "file": directory.join(FILE).display().to_string(), "ignored": ignored }));
    }
    printer.note(&format!("wrote `{FILE}`"));
    for (variable, plugin) in found {
        printer.note(&format!("`{variable}` is set, so there are lines for `{plugin}` in it"));
    }
    match ignored {
        Ok(true) => printer.note(&format!("added `{LOCAL_FILE}` to `.gitignore`")),
        Ok(false) => {}
        Err(error) => printer.warning(&format!("can't add `{LOCAL_FILE}` to `.gitignore`: {error}")),
    }
    printer.note("read it, change it, then `forge allow`");
    Ok(())
}

/// The text of a template, and which variables of which plugins it took from the environment.
fn template(app: &App, name: Option<&str>) -> Outcome<(String, Vec<(String, String)>)> {
    let mut text = format!("{HEAD}{DEFAULT}{PROVIDERS}");
    let mut found = Vec::new();
    let builtins: Vec<&str> = app.plugins.builtins().collect();
    match name {
        Some(MINIMAL) => {}
        Some(name) if builtins.contains(&name) => {
            let plugin = app.plugins.find(name)?;
            text.push_str(&provider(&plugin.component.manifest, "", &mut found));
        }
        Some(_) => {
            let names = builtins.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(not_found("there is no such template").with_hint(format!("there are `{MINIMAL}`, {names}")));
        }
        None => {
            for name in builtins {
                let plugin = app.plugins.find(name)?;
                let mut detected = Vec::new();
                // Offered and not used: a variable that happens to be set is no decision of the project's.
                let lines = provider(&plugin.component.manifest, "# ", &mut detected);
                if !detected.is_empty() {
                    text.push_str(&lines);
                    found.append(&mut detected);
                }
            }
        }
    }
    text.push_str(TAIL);
    Ok((text, found))
}

/// The lines of one provider, each behind `mark`.
fn provider(manifest: &Manifest, mark: &str, found: &mut Vec<(String, String)>) -> String {
    let id = &manifest.id;
    let mut lines = vec![format!("{mark}[providers.{id}]"), format!("{mark}plugin = {}", quoted(id))];
    for setting in manifest.settings.iter().filter(|setting| !setting.discovered) {
        let variable = manifest.detect.get(&setting.name);
        let value = variable.and_then(|name| environment::variable(name));
        // What does not fit is not repeated: an address with a login in it is a secret.
        let value = value.and_then(|value| setting.kind.normalise(&setting.name, &value).ok());
        let is_path = matches!(setting.kind, SettingKind::Directory | SettingKind::File);
        match (value, variable) {
            (Some(value), Some(variable)) if !is_path => {
                lines.push(format!("{mark}settings.{} = {}   # from `{variable}`", setting.name, quoted(&value)));
                found.push((variable.clone(), id.clone()));
            }
            _ => {
                let rule = match &setting.default {
                    Some(default) => format!("otherwise `{default}`"),
                    None if setting.required => "required".to_owned(),
                    None => "may be left out".to_owned(),
                };
                let relative = if is_path { ", below this folder" } else { "" };
                lines.push(format!("# settings.{} = \"\"   # {rule}{relative}", setting.name));
            }
        }
    }
    if let Some(credential) = &manifest.credential {
        lines.push(format!("{mark}credential = {{ kind = {} }}", quoted(&credential.kind)));
    }
    let mut text = String::from("\n");
    for line in lines {
        // Writing to a string can't fail.
        writeln!(text, "{line}").unwrap_or_default();
    }
    text
}

fn quoted(text: &str) -> String {
    toml_edit::value(text).to_string()
}

/// Writes the file where there is none; a link in its place is not followed.
fn create(path: &Path, text: &str) -> Outcome {
    let written =
        OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(Kind::Conflict, "there is one, and it is not overwritten")
            .with_hint("`forge allow` shows what it says"),
        _ => Failure::new(Kind::Internal, error.to_string()),
    })
}

/// Lets git pass over the local file, where there is git; answers whether that was new.
fn ignore(directory: &Path) -> io::Result<bool> {
    let path = directory.join(".gitignore");
    let is_there = path.symlink_metadata().is_ok();
    if !is_there && directory.join(".git").symlink_metadata().is_err() {
        return Ok(false);
    }
    // A link could lead to any file of the user's, and a pipe would make us wait for ever.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    let mut file: File =
        options.read(true).append(true).create(!is_there).custom_flags(flags.bits().cast_signed()).open(&path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > LONGEST_IGNORE {
        return Err(io::Error::other("it is no short regular file"));
    }
    let mut before = Vec::new();
    (&mut file).take(LONGEST_IGNORE).read_to_end(&mut before)?;
    let is_listed = |line: &[u8]| matches!(line.trim_ascii(), line if line == LOCAL_FILE.as_bytes() || line == [b"/", LOCAL_FILE.as_bytes()].concat());
    if before.split(|byte| *byte == b'\n').any(is_listed) {
        return Ok(false);
    }
    let newline = if before.last().is_none_or(|byte| *byte == b'\n') { "" } else { "\n" };
    file.write_all(format!("{newline}{LOCAL_FILE}\n").as_bytes())?;
    Ok(true)
}
