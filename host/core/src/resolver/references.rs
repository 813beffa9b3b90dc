//! From references to values: each secret is read once, however many fields of it are wanted, and all failures are told.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::copies::is_away;
use super::fallback::{Turn, found};
use super::{Resolver, Target};
use crate::Kind;
use crate::document::lines_of;
use crate::field;
use crate::manifest::printable;
use crate::provider::Failure;
use crate::reference::Reference;
use crate::secret::{Secret, Value};

/// A reference and where it was written, for whoever has to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The place as a person finds it: `app.yaml:3:9`, or the name of a variable. Nothing of it is secret.
    pub place: String,
    /// What stands there.
    pub reference: Reference,
    /// What is read in its place, in this order, while a backend is unavailable.
    pub fallback: Vec<Reference>,
}

impl Wanted {
    /// A reference that nothing stands in for.
    pub fn new(place: impl Into<String>, reference: Reference) -> Self {
        Self { place: place.into(), reference, fallback: Vec::new() }
    }
}

impl Resolver {
    /// The values that references mean, in their order.
    ///
    /// All are read at once ([`Resolver::read_many`]), a secret once for all its fields and for all names that its provider
    /// goes by. A secret, version or field that is not there is a [`Kind::NotFound`], and so is a field that is JSON null.
    /// What stands in for a reference is read where its backend is unavailable, and never where it denied or has no such
    /// secret: both are answers. A reference with stand-ins of its own has no others.
    pub async fn read_wanted(&self, wanted: &[Wanted]) -> Vec<Result<Value, Failure>> {
        let all: Vec<(&Reference, Option<&str>)> = wanted.iter().map(|wanted| (&wanted.reference, None)).collect();
        let mut answers = self.read_references(&all).await;
        let is_open = |answer: &Result<Value, Failure>| answer.as_ref().is_err_and(is_away);
        let mut open: Vec<(usize, &Wanted)> =
            wanted.iter().enumerate().filter(|(place, _)| answers.get(*place).is_some_and(is_open)).collect();
        for turn in 0.. {
            let stand_in = |(place, wanted): (usize, &Wanted)| {
                Some((place, wanted.reference.to_string(), self.stand_in(wanted, turn)?.into_owned()))
            };
            let asked: Vec<(usize, String, Reference)> = open.iter().copied().filter_map(stand_in).collect();
            if asked.is_empty() {
                break;
            }
            let references: Vec<(&Reference, Option<&str>)> =
                asked.iter().map(|(_, name, reference)| (reference, Some(name.as_str()))).collect();
            let mut still = Vec::new();
            for ((place, name, reference), answer) in asked.iter().zip(self.read_references(&references).await) {
                let Some(slot) = answers.get_mut(*place) else { continue };
                let Err(first) = slot else { continue };
                *slot = match self.turned(first, name, &reference.to_string(), answer) {
                    Turn::Answered(value) => Ok(value),
                    Turn::Failed(failure, goes_on) => {
                        still.extend(goes_on.then_some(*place));
                        Err(failure)
                    }
                };
            }
            open.retain(|(place, _)| still.binary_search(place).is_ok());
        }
        answers
    }

    /// What is read in the place of a reference at this turn.
    fn stand_in<'w>(&self, wanted: &'w Wanted, turn: usize) -> Option<Cow<'w, Reference>> {
        if !wanted.fallback.is_empty() {
            return wanted.fallback.get(turn).map(Cow::Borrowed);
        }
        let Reference { provider, path, version, .. } = &wanted.reference;
        let target = Target { provider: provider.as_deref(), path, version: version.as_deref() };
        let provider = self.manner.fallback.get(turn).filter(|_| self.is_stood_in_for(target))?;
        Some(Cow::Owned(Reference { provider: Some(provider.clone()), ..wanted.reference.clone() }))
    }

    /// The values of references, each secret read once, and in whose place.
    async fn read_references(&self, references: &[(&Reference, Option<&str>)]) -> Vec<Result<Value, Failure>> {
        let mut providers: HashMap<Option<&str>, String> = HashMap::new();
        let mut numbers = HashMap::new();
        let (mut targets, mut places) = (Vec::new(), Vec::with_capacity(references.len()));
        for (Reference { provider, path, version, .. }, in_place_of) in references {
            let (provider, version) = (provider.as_deref(), version.as_deref());
            let name = match providers.entry(provider) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    // One that can't be opened is told by its read.
                    let opened = self.open(provider).await.map(|opened| opened.identity.provider.clone());
                    place.insert(opened.unwrap_or_else(|_| provider.unwrap_or_default().to_owned()))
                }
            };
            let name = name.clone();
            let number = *numbers.entry((name, path, version)).or_insert_with(|| {
                targets.push((Target { provider, path, version }, *in_place_of));
                targets.len() - 1
            });
            places.push(number);
        }
        let secrets = self.read_all(&targets).await;
        let value = |((reference, _), number): (&(&Reference, _), &usize)| match secrets.get(*number) {
            Some(Ok(secret)) => found(secret.as_ref()).and_then(|secret| taken(secret, reference)),
            Some(Err(failure)) => Err(failure.clone()),
            None => Err(Failure::lost()),
        };
        references.iter().zip(&places).map(value).collect()
    }
}

fn taken(secret: &Secret, reference: &Reference) -> Result<Value, Failure> {
    let told = |error: field::Error| {
        let failure = Failure::from(error);
        match &reference.field {
            Some(field) => Failure { what: format!("field `{}`: {}", printable(field), failure.what), ..failure },
            None => failure,
        }
    };
    field::take(secret, reference.field.as_deref()).map_err(told)
}

/// All values, or one failure that tells each place without one.
///
/// Its kind is that of the first failure that is more than a secret that is missing; its hint is of the same one.
///
/// # Errors
/// At least one value is missing.
pub fn all_or_failure(wanted: &[Wanted], answers: Vec<Result<Value, Failure>>) -> Result<Vec<Value>, Failure> {
    let (mut values, mut failures) = (Vec::with_capacity(answers.len()), Vec::new());
    for (wanted, answer) in wanted.iter().zip(answers) {
        match answer {
            Ok(value) => values.push(value),
            Err(failure) => failures.push((wanted, failure)),
        }
    }
    let is_worse = |(_, failure): &&(&Wanted, Failure)| failure.kind != Kind::NotFound;
    let Some((_, told)) = failures.iter().find(is_worse).or(failures.first()) else {
        return Ok(values);
    };
    let line = |(wanted, failure): &(&Wanted, Failure)| {
        format!("{}: can't read `{}`: {}", wanted.place, wanted.reference, failure.what)
    };
    Err(Failure { what: lines_of("references have no value", failures.iter().map(line)), ..told.clone() })
}
