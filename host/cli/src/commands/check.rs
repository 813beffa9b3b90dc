//! `forge check`: whether everything that programs and files here refer to can be read, without showing any of it.

use std::path::Path;

use forge_core::Kind;
use forge_core::document::Document;
use forge_core::manifest::{printable, printable_name};
use forge_core::provider::Failure;
use forge_core::resolver::references::Wanted;
use serde_json::{Value as Json, json};

use super::inject::{format, read, wanted};
use super::variables::{self, Variable};
use crate::app::App;
use crate::arguments::Check;
use crate::failure::{Context as _, Outcome};
use crate::printer::Printer;

/// How one reference fared.
struct Checked {
    /// The variable, or the place in a file.
    place: String,
    reference: String,
    /// What is wrong with it.
    failure: Option<Failure>,
    /// Whether it has no value and needs none.
    is_absent: bool,
}

pub(crate) async fn run(app: &App, printer: &mut Printer, arguments: &Check) -> Outcome {
    let tried = || "can't check".to_owned();
    let mut documents = Vec::new();
    for file in &arguments.files {
        documents.extend(of_file(file, arguments).context(tried)?);
    }
    let resolver = app.resolver_over(app.opener().for_many());
    let is_typed = !arguments.variables.from.is_empty() || !arguments.variables.only.is_empty();
    // Files are enough to check where no variable is named.
    let has_none = app.config.secrets().is_ok_and(|secrets| secrets.is_empty());
    let variables = match arguments.files.is_empty() || is_typed || !has_none {
        true => variables::chosen(app, &resolver, &arguments.variables).await.context(tried)?,
        false => Vec::new(),
    };
    let answers = variables::answers(&resolver, &variables, &documents).await;
    let all: Vec<Wanted> = variables.iter().map(|variable| variable.wanted.clone()).chain(documents).collect();
    let mut checked = Vec::with_capacity(all.len());
    for (number, (wanted, answer)) in all.into_iter().zip(answers).enumerate() {
        let variable = variables.get(number);
        let is_absent = match variable {
            Some(variable) => variables::is_left_out(&resolver, variable, &answer).await,
            None => false,
        };
        let failure = match (answer, variable) {
            (Ok(value), Some(Variable { name, .. })) => variables::text(name, &value).err(),
            (Ok(_), None) => None,
            (Err(failure), _) => Some(failure).filter(|_| !is_absent),
        };
        checked.push(Checked { place: wanted.place, reference: wanted.reference.to_string(), failure, is_absent });
    }
    report(printer, &checked)
}

/// The references of a file.
fn of_file(file: &Path, arguments: &Check) -> Outcome<Vec<Wanted>> {
    let name = printable_name(&file.display().to_string());
    let tried = || format!("`{name}`");
    let format = format(Some(file), arguments.file_format.as_deref()).context(tried)?;
    let document = Document::parse(read(Some(file)).context(tried)?, format).map_err(|error| error.of_file(&name))?;
    Ok(wanted(&document, &name))
}

fn report(printer: &mut Printer, checked: &[Checked]) -> Outcome {
    if printer.is_json() {
        let references: Vec<Json> = checked.iter().map(Checked::json).collect();
        printer.object(json!({ "references": references }))?;
    } else {
        for one in checked {
            let (status, detail) = match (&one.failure, one.is_absent) {
                (Some(failure), _) => ("FAIL", format!(": {}", failure.what)),
                (None, true) => ("none", " is not there, and need not be".to_owned()),
                (None, false) => ("ok  ", String::new()),
            };
            printer.line(&format!("{status}  {}: `{}`{detail}", one.place, printable(&one.reference)))?;
            if let Some(hint) = one.failure.as_ref().and_then(|failure| failure.hint.as_ref()) {
                printer.line(&format!("      {hint}"))?;
            }
        }
    }
    match checked.iter().filter(|one| one.failure.is_some()).count() {
        0 => Ok(()),
        failed => {
            Err(Failure::new(Kind::CheckFailed, format!("{failed} of {} references have no value", checked.len())))
        }
    }
}

impl Checked {
    fn json(&self) -> Json {
        let status = match (&self.failure, self.is_absent) {
            (Some(_), _) => "failed",
            (None, true) => "absent",
            (None, false) => "ok",
        };
        json!({
            "place": self.place.trim_matches('`'),
            "reference": self.reference,
            "status": status,
            "kind": self.failure.as_ref().map(|failure| failure.kind.token()),
            "message": self.failure.as_ref().map(|failure| &failure.what),
        })
    }
}
