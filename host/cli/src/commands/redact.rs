//! `forge redact`: a filter that masks the values of secrets in what passes through it.

use std::collections::BTreeSet;
use std::io::{self, Read as _};

use forge_core::Kind;
use forge_core::manifest::printable;
use forge_core::masking::{Masker, SHORTEST_MASKED};
use forge_core::provider::Failure;
use forge_core::reference::Reference;
use forge_core::resolver::Resolver;
use forge_core::resolver::references::Wanted;
use forge_core::secret::Value;
use serde_json::Value as Json;
use zeroize::Zeroizing;

use super::secret::parsed;
use super::variables::{is_absent, listed};
use crate::app::App;
use crate::arguments::Redact;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

/// The most bytes that are read at a time.
const READ: usize = 64 << 10;

/// A value to be masked, and its name for people.
pub(super) type Named = (String, Zeroizing<Vec<u8>>);

/// References of which one at least has to have a value.
struct OneOf {
    /// The first is what was asked for, the others are its fallbacks: a program may have been given any of them.
    references: Vec<Reference>,
    is_required: bool,
}

pub(crate) async fn run(app: &App, printer: &mut Printer, typed: &Redact) -> Outcome {
    let tried = || "can't redact".to_owned();
    if printer.is_json() {
        return Err(usage("what passes through is no object, so there is none to print")).context(tried);
    }
    let resolver = app.resolver_over(app.opener().for_many());
    let wanted = wanted(app, &resolver, typed).await.context(tried)?;
    let values = values(&resolver, &wanted).await.context(tried)?;
    let masker = Masker::new(values.iter().map(|(name, value)| (name.as_str(), value.as_slice())));
    drop(values);
    let mut masker = masker.map_err(|error| usage(error.to_string())).context(tried)?;
    warn(printer, &masker);
    pass(printer, &mut masker)
}

/// Tells what is too short to be masked.
pub(super) fn warn(printer: &mut Printer, masker: &Masker) {
    for short in masker.short() {
        let what = if short.is_whole { "the value" } else { "a line" };
        printer.warning(&format!(
            "{what} of `{}` has under {SHORTEST_MASKED} bytes and is not masked",
            printable(&short.name)
        ));
    }
}

/// Passes standard input on, each read as soon as it is there.
fn pass(printer: &mut Printer, masker: &mut Masker) -> Outcome {
    let mut input = io::stdin().lock();
    let mut read = Zeroizing::new(vec![0; READ]);
    loop {
        let bytes = match input.read(&mut read) {
            Ok(0) => break,
            Ok(length) => read.get(..length).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let failure = Failure::new(Kind::Internal, format!("can't read standard input: {error}"));
                // What came before the failure is passed on all the same.
                printer.pass(&masker.finish())?;
                return Err(failure);
            }
        };
        let masked = masker.push(bytes);
        if !masked.is_empty() && !printer.pass(&masked)? {
            return Ok(());
        }
    }
    printer.data(&masker.finish())
}

/// What was typed, or what the configuration names.
async fn wanted(app: &App, resolver: &Resolver, typed: &Redact) -> Outcome<Vec<OneOf>> {
    let mut wanted = Vec::new();
    for text in &typed.secrets {
        wanted.push(OneOf { references: vec![parsed(text)?], is_required: true });
    }
    for text in &typed.from {
        let listed = listed(resolver, text).await?;
        // One that is gone before it is read has no value to be masked.
        wanted.extend(listed.into_iter().map(|(_, one)| OneOf { references: vec![one], is_required: false }));
    }
    if !typed.secrets.is_empty() || !typed.from.is_empty() {
        return Ok(wanted);
    }
    let secrets = app.config.secrets()?;
    if secrets.is_empty() {
        return Err(usage("no secrets are named, and there are no `[secrets]` in any configuration")
            .with_hint("name some with `--secret REFERENCE` or `--from PREFIX/**`"));
    }
    wanted.extend(secrets.values().map(|secret| OneOf {
        references: std::iter::once(&secret.reference).chain(&secret.fallback).cloned().collect(),
        is_required: secret.required,
    }));
    Ok(wanted)
}

/// Reads all that is wanted; what is missing is told of at once.
async fn values(resolver: &Resolver, wanted: &[OneOf]) -> Outcome<Vec<Named>> {
    let all = wanted.iter().flat_map(|wanted| &wanted.references);
    let read: Vec<Wanted> = all.map(|reference| Wanted::new("", reference.clone())).collect();
    let mut answers = resolver.read_wanted(&read).await.into_iter();
    let (mut values, mut missing) = (Vec::new(), BTreeSet::new());
    for wanted in wanted {
        let mut is_there = false;
        for reference in &wanted.references {
            let lost = || Err(Failure::lost());
            let answer = answers.next().unwrap_or_else(lost);
            if !is_absent(resolver, reference, &answer).await {
                let value = answer.context(|| format!("can't read `{reference}`"))?;
                is_there = true;
                add_value(&mut values, reference.to_string(), &value);
            }
        }
        if let Some(first) = wanted.references.first().filter(|_| wanted.is_required && !is_there) {
            missing.insert(format!("`{first}`"));
        }
    }
    if missing.is_empty() {
        return Ok(values);
    }
    let missing: Vec<String> = missing.into_iter().collect();
    Err(not_found(format!("there is no such secret: {}", missing.join(", "))))
}

/// Adds a value, and each text in it where it is a JSON object.
pub(super) fn add_value(values: &mut Vec<Named>, name: String, value: &Value) {
    if let Ok(document @ Json::Object(_)) = serde_json::from_slice(value.expose()) {
        texts(values, &name, document);
    }
    values.push((name, Zeroizing::new(value.expose().to_vec())));
}

/// Adds the texts of a document, which programs are given one by one; its nesting is limited by its parser.
fn texts(values: &mut Vec<Named>, name: &str, document: Json) {
    match document {
        Json::String(text) => values.push((name.to_owned(), Zeroizing::new(text.into_bytes()))),
        Json::Array(list) => list.into_iter().for_each(|one| texts(values, name, one)),
        Json::Object(fields) => {
            for (field, one) in fields {
                let mark = if name.contains('#') { '/' } else { '#' };
                texts(values, &format!("{name}{mark}{field}"), one);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
