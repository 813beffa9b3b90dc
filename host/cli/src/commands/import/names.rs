//! The names that another tool's project declares, as the `[secrets]` of this project's `forge.toml`.
//!
//! Sources: secretspec's documentation, "secretspec.toml reference" (`[profiles.NAME]`, `required`, `description`);
//! fnox's documentation, "Configuration reference" (`[secrets]`, `[profiles.NAME.secrets]`, `if_missing`).

use std::collections::BTreeMap;
use std::path::Path;

use forge_core::config::{Layer, Owner, Place};
use forge_core::home;
use forge_core::manifest::{printable, printable_name};
use forge_core::project::FILE;
use forge_core::reference::{Reference, is_name};
use serde_json::json;
use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::arguments::Import;
use crate::commands::secret::list::prefix;
use crate::environment;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

/// The longest project file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// The most names of one project.
const MOST: usize = 10_000;

/// A tool whose project file declares names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Secretspec,
    Fnox,
}

/// Names by environment; `None` is outside of any.
type Names = BTreeMap<Option<String>, BTreeMap<String, bool>>;

impl Tool {
    /// The tool that a file of this name belongs to.
    pub(super) fn of(file: &Path) -> Option<Self> {
        match file.file_name()?.to_str()? {
            "secretspec.toml" => Some(Self::Secretspec),
            "fnox.toml" | ".fnox.toml" => Some(Self::Fnox),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Secretspec => "secretspec",
            Self::Fnox => "fnox",
        }
    }

    /// Whether a name's absence is an error, in this tool's words.
    fn is_required(self, declared: &Item) -> bool {
        let field = |name| declared.as_table_like().and_then(|table| table.get(name));
        match self {
            // A name is required unless it says otherwise or has a default.
            Self::Secretspec => field("required").and_then(Item::as_bool).unwrap_or(field("default").is_none()),
            Self::Fnox => field("if_missing").and_then(Item::as_str) == Some("error"),
        }
    }

    fn names(self, document: &DocumentMut) -> Names {
        let mut names = Names::new();
        let mut add = |environment: Option<String>, secrets: Option<&dyn TableLike>| {
            for (name, declared) in secrets.into_iter().flat_map(TableLike::iter) {
                names.entry(environment.clone()).or_default().insert(name.to_owned(), self.is_required(declared));
            }
        };
        let profiles = document.get("profiles").and_then(Item::as_table_like);
        if self == Self::Fnox {
            add(None, document.get("secrets").and_then(Item::as_table_like));
        }
        for (profile, item) in profiles.into_iter().flat_map(TableLike::iter) {
            let secrets = match self {
                Self::Secretspec => Some(item),
                Self::Fnox => item.as_table_like().and_then(|table| table.get("secrets")),
            };
            let environment = (profile != "default").then(|| profile.to_owned());
            add(environment, secrets.and_then(Item::as_table_like));
        }
        names
    }
}

pub(super) fn import(printer: &mut Printer, file: &Path, tool: Tool, arguments: &Import) -> Outcome {
    if arguments.overwrite || arguments.file_format.is_some() {
        return Err(usage(format!(
            "a project of {} holds names alone: no `--overwrite`, no `--file-format`",
            tool.name()
        )));
    }
    let text = home::read(file, LONGEST)?.ok_or_else(|| not_found("there is no such file"))?;
    let theirs = parsed(text)?;
    let names = tool.names(&theirs);
    if names.values().map(BTreeMap::len).sum::<usize>() > MOST {
        return Err(usage(format!("it declares more than {MOST} names")));
    }
    let directory = environment::working_directory().ok_or_else(|| usage("there is no working directory"))?;
    let place = directory.join(FILE);
    let ours = home::read(&place, LONGEST)?;
    let ours = ours.ok_or_else(|| {
        not_found(format!("there is no `{FILE}` here to put the names into")).with_hint("`forge init` writes one")
    })?;
    let mut document = parsed(ours).context(|| format!("can't use `{FILE}`"))?;
    let (provider, path) = prefix(arguments.to.as_deref())?;
    let mut added = Vec::new();
    for (environment, secrets) in &names {
        for (name, required) in secrets {
            // The name is a path below the prefix and nothing more: it could be written like another provider's reference.
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            let reference = Reference { provider: provider.clone(), path, version: None, field: None };
            if insert(&mut document, environment.as_deref(), name, &reference, *required)? {
                added.push((environment.clone(), name.clone(), reference));
            }
        }
    }
    let changed = document.to_string();
    // What forge could not read afterwards is not written: a name of the other tool's may be none here.
    let project = Place { owner: Owner::Project, file: place.clone() };
    Layer::parse(changed.as_bytes(), &project).context(|| format!("`{FILE}` can't hold these names"))?;
    if !arguments.dry_run && !added.is_empty() {
        // It is meant to be committed, and holds no secret: it keeps its mode.
        home::rewrite(&place, changed.as_bytes())?;
    }
    if printer.is_json() {
        let added: Vec<_> = added
            .iter()
            .map(|(environment, name, reference)| {
                json!({ "name": name, "environment": environment, "reference": reference.to_string() })
            })
            .collect();
        return printer.object(json!({ "names": added, "dry_run": arguments.dry_run }));
    }
    for (environment, name, reference) in &added {
        let environment = environment.as_ref().map_or(String::new(), |name| format!(" in `{}`", printable(name)));
        printer.note(&format!("{} = `{reference}`{environment}", printable_name(name)));
    }
    let done = if arguments.dry_run { "would be added" } else { "added" };
    printer.note(&format!("{} names {done} to `{FILE}`; values stay where {} keeps them", added.len(), tool.name()));
    if !arguments.dry_run && !added.is_empty() {
        printer.note("`forge allow` comes next");
    }
    Ok(())
}

fn parsed(bytes: Vec<u8>) -> Outcome<DocumentMut> {
    let text = String::from_utf8(bytes).map_err(|_| usage("it is not UTF-8"))?;
    // The parser's own words would show the line, which may hold a secret.
    text.parse::<DocumentMut>().map_err(|_| usage("it is no TOML"))
}

/// Adds one name, if it is not there; answers whether it was added.
fn insert(
    document: &mut DocumentMut,
    environment: Option<&str>,
    name: &str,
    reference: &Reference,
    required: bool,
) -> Outcome<bool> {
    let no_table = || usage(format!("`{FILE}` has something else where `[secrets]` belongs"));
    let mut table: &mut dyn TableLike = document.as_table_mut();
    let path: Vec<&str> = match environment {
        Some(environment) if !is_name(environment) => {
            return Err(usage(format!("`{}` can't be an environment's name here", printable(environment))));
        }
        Some(environment) => vec!["environments", environment, "secrets"],
        None => vec!["secrets"],
    };
    let last = path.len() - 1;
    for (at, part) in path.into_iter().enumerate() {
        let next = table.entry(part).or_insert_with(|| {
            let mut made = Table::new();
            made.set_implicit(at < last);
            Item::Table(made)
        });
        table = next.as_table_like_mut().ok_or_else(no_table)?;
    }
    if table.contains_key(name) {
        return Ok(false);
    }
    let value: Value = if required {
        reference.to_string().into()
    } else {
        let fields: [(&str, Value); 2] = [("ref", reference.to_string().into()), ("required", false.into())];
        InlineTable::from_iter(fields).into()
    };
    table.insert(name, Item::Value(value));
    Ok(true)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn names(tool: Tool, text: &str) -> Vec<(String, String, bool)> {
        let names = tool.names(&text.parse().unwrap());
        let flat = names.into_iter().flat_map(|(environment, secrets)| {
            let environment = environment.unwrap_or_default();
            secrets.into_iter().map(move |(name, required)| (environment.clone(), name, required))
        });
        flat.collect()
    }

    fn one(environment: &str, name: &str, required: bool) -> (String, String, bool) {
        (environment.to_owned(), name.to_owned(), required)
    }

    #[test]
    fn the_names_of_a_secretspec_project_are_found_with_their_profiles() {
        let text = "[project]\nname = \"x\"\n[profiles.default]\nA = { description = \"a\" }\nB = { required = false }\n\
                    C = { default = \"x\" }\n[profiles.staging]\nA = { required = true }\n";
        let expected = [one("", "A", true), one("", "B", false), one("", "C", false), one("staging", "A", true)];
        assert_eq!(names(Tool::Secretspec, text), expected);
    }

    #[test]
    fn the_names_of_a_fnox_project_are_found_with_their_profiles() {
        let text = "[providers.age]\ntype = \"age\"\n[secrets]\nA = { provider = \"age\", value = \"x\" }\n\
                    B = { if_missing = \"error\" }\n[profiles.prod.secrets]\nC = { provider = \"age\" }\n";
        assert_eq!(names(Tool::Fnox, text), [one("", "A", false), one("", "B", true), one("prod", "C", false)]);
    }

    #[test]
    fn a_name_that_is_there_stays_as_it_is_and_comments_do_too() {
        let mut document: DocumentMut = "# mine\n[secrets]\nA = \"mine\" # kept\n".parse().unwrap();
        let reference: Reference = "B".parse().unwrap();
        assert!(!insert(&mut document, None, "A", &reference, true).unwrap());
        assert!(insert(&mut document, None, "B", &reference, false).unwrap());
        assert!(insert(&mut document, Some("staging"), "B", &reference, true).unwrap());
        assert_eq!(
            document.to_string(),
            "# mine\n[secrets]\nA = \"mine\" # kept\nB = { ref = \"B\", required = false }\n\n\
             [environments.staging.secrets]\nB = \"B\"\n"
        );
        let mut other: DocumentMut = "secrets = 1\n".parse().unwrap();
        assert!(insert(&mut other, None, "A", &reference, true).is_err());
    }
}
