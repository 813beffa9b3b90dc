//! References in the values of a program: one call that puts secrets into anything that `serde` can write and read.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Tree;
use zeroize::Zeroizing;

use super::json::wipe;
use super::mistake::Why;
use super::scan::{Mark, References, has_any, marks};
use crate::Kind;
use crate::provider::Failure;
use crate::resolver::Resolver;
use crate::resolver::references::{Wanted, all_or_failure};
use crate::secret::Value;

/// A copy of `value` in which each `${secret:REF}` of a string is the secret it names, read through `resolver`.
///
/// All secrets are read at once, each once. A string stays a string, and a secret is never looked at for references.
/// What JSON can't write has no place in `value`: numbers that are not finite, and names that are no text.
///
/// # Errors
/// A string that holds something like a reference that is none, a reference in a name, a secret that can't be read (all of
/// them, each by the JSON pointer of its place), one that is not UTF-8, or a text that `T` does not take.
pub async fn resolve<T: Serialize + DeserializeOwned>(resolver: &Resolver, value: &T) -> Result<T, Failure> {
    let unwritable = |_| Failure::new(Kind::InvalidRequest, "the value can't be written as JSON");
    let mut tree = serde_json::to_value(value).map_err(unwritable)?;
    let filled = fill(resolver, &mut tree).await;
    // The parser's own words may repeat a secret: `invalid value: string "…"`.
    let refused = |_| Failure::new(Kind::InvalidRequest, "a secret stands where something else than text is wanted");
    let typed = filled.and_then(|()| T::deserialize(&tree).map_err(refused));
    wipe(&mut tree);
    typed
}

async fn fill(resolver: &Resolver, tree: &mut Tree) -> Result<(), Failure> {
    let (mut references, mut wanted) = (References::default(), Vec::new());
    find(tree, &mut String::new(), &mut references, &mut wanted)?;
    let values = all_or_failure(&wanted, resolver.read_wanted(&wanted).await)?;
    let text = |(wanted, value): (&Wanted, &Value)| {
        let refused = |_| Failure::new(Kind::InvalidRequest, format!("{}: {}", wanted.place, Why::Binary("JSON")));
        std::str::from_utf8(value.expose()).map(str::to_owned).map(Zeroizing::new).map_err(refused)
    };
    let texts = wanted.iter().zip(&values).map(text).collect::<Result<Vec<_>, _>>()?;
    let texts: Vec<&str> = texts.iter().map(|text| text.as_str()).collect();
    replace(tree, &references, &texts);
    Ok(())
}

fn find(tree: &Tree, at: &mut String, references: &mut References, wanted: &mut Vec<Wanted>) -> Result<(), Failure> {
    let wrong = |at: &str, why: Why| Err(Failure::new(Kind::InvalidRequest, format!("`{at}`: {why}")));
    match tree {
        Tree::String(text) if has_any(text) => {
            for mark in marks(text.as_bytes()) {
                match mark {
                    Mark::Escape(_) => {}
                    Mark::Open(_) => return wrong(at, Why::Unterminated),
                    Mark::Reference(range) => match references.note(text.as_bytes(), &range) {
                        Ok(number) if number == wanted.len() => {
                            let reference = references.all().get(number).cloned();
                            wanted.extend(reference.map(|reference| Wanted::new(at.clone(), reference)));
                        }
                        Ok(_) => {}
                        Err(why) => return wrong(at, why),
                    },
                }
            }
        }
        Tree::Array(list) => {
            for (number, below) in list.iter().enumerate() {
                within(&number.to_string(), below, at, references, wanted)?;
            }
        }
        Tree::Object(fields) => {
            for (name, below) in fields {
                if has_any(name) {
                    return wrong(at, Why::InName);
                }
                within(&name.replace('~', "~0").replace('/', "~1"), below, at, references, wanted)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// What stands below a name; `at` is its JSON pointer (RFC 6901).
fn within(
    name: &str,
    below: &Tree,
    at: &mut String,
    references: &mut References,
    wanted: &mut Vec<Wanted>,
) -> Result<(), Failure> {
    let length = at.len();
    at.push('/');
    at.push_str(name);
    find(below, at, references, wanted)?;
    at.truncate(length);
    Ok(())
}

fn replace(tree: &mut Tree, references: &References, values: &[&str]) {
    match tree {
        Tree::String(text) if has_any(text) => {
            if let Some(mut filled) = references.filled_text(text, values) {
                *text = std::mem::take(&mut *filled);
            }
        }
        Tree::Array(list) => list.iter_mut().for_each(|below| replace(below, references, values)),
        Tree::Object(fields) => fields.values_mut().for_each(|below| replace(below, references, values)),
        _ => {}
    }
}
