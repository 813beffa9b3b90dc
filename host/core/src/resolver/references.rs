//! From references to values: each secret is read once, however many fields of it are wanted, and all failures are told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

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

    /// What is asked for at this turn: first the reference itself, then what stands in for it.
    fn turn(&self, number: usize) -> Option<&Reference> {
        match number.checked_sub(1) {
            None => Some(&self.reference),
            Some(number) => self.fallback.get(number),
        }
    }
}

impl Resolver {
    /// The values that references mean, in their order.
    ///
    /// All are read at once ([`Resolver::read_many`]), a secret once for all its fields and for all names that its provider
    /// goes by. A secret, version or field that is not there is a [`Kind::NotFound`], and so is a field that is JSON null.
    /// What stands in for a reference is read where its backend is unavailable, and never where it denied or has no such
    /// secret: both are answers.
    pub async fn read_wanted(&self, wanted: &[Wanted]) -> Vec<Result<Value, Failure>> {
        let lost = || Err(Failure::new(Kind::Internal, "a read was lost on its way"));
        let mut answers: Vec<Result<Value, Failure>> = wanted.iter().map(|_| lost()).collect();
        let mut places: Vec<usize> = (0..wanted.len()).collect();
        for turn in 0.. {
            let asked = |place: &usize| Some((*place, wanted.get(*place)?.turn(turn)?));
            let (asked, references): (Vec<usize>, Vec<&Reference>) = places.iter().filter_map(asked).unzip();
            if asked.is_empty() {
                break;
            }
            for (place, answer) in asked.iter().zip(self.read_references(&references).await) {
                if let Some(slot) = answers.get_mut(*place) {
                    *slot = answer;
                }
            }
            places = asked;
            places.retain(|place| matches!(answers.get(*place), Some(Err(failure)) if is_away(failure)));
        }
        answers
    }

    /// The values of references, each secret read once.
    async fn read_references(&self, references: &[&Reference]) -> Vec<Result<Value, Failure>> {
        let mut providers: HashMap<Option<&str>, String> = HashMap::new();
        let mut numbers = HashMap::new();
        let (mut targets, mut places) = (Vec::new(), Vec::with_capacity(references.len()));
        for Reference { provider, path, version, .. } in references {
            let (provider, version) = (provider.as_deref(), version.as_deref());
            let name = match providers.entry(provider) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    // One that can't be opened is told by its read.
                    let opened = self.open(provider).await.map(|opened| opened.name);
                    place.insert(opened.unwrap_or_else(|_| provider.unwrap_or_default().to_owned()))
                }
            };
            let name = name.clone();
            let number = *numbers.entry((name, path, version)).or_insert_with(|| {
                targets.push(Target { provider, path, version });
                targets.len() - 1
            });
            places.push(number);
        }
        let secrets = self.read_many(&targets).await;
        let lost = || Failure::new(Kind::Internal, "a read was lost on its way");
        let value = |(reference, number): (&&Reference, &usize)| match secrets.get(*number) {
            Some(Ok(Some(secret))) => taken(secret, reference),
            Some(Ok(None)) => Err(Failure::new(Kind::NotFound, "there is no such secret or version")),
            Some(Err(failure)) => Err(failure.clone()),
            None => Err(lost()),
        };
        references.iter().zip(&places).map(value).collect()
    }
}

/// Whether a backend could not be asked, so that something else may answer for it.
fn is_away(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::Unavailable | Kind::Timeout)
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
