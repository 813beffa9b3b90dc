//! What JSON and YAML files are made of, with the place of each part in the text.

use std::collections::BTreeSet;
use std::ops::Range;

use forge_sdk::Error;

use super::{Entries, Value, line_at};

/// The deepest nesting: a file of brackets alone must not use up the stack.
pub(super) const DEEPEST: usize = 64;

/// A value, and the bytes that it takes.
pub(super) struct Node {
    pub(super) place: Range<usize>,
    pub(super) kind: Kind,
    /// Other parts of the file may depend on it (an anchor), or its meaning on what stands before it (a tag).
    pub(super) is_tied: bool,
}

/// What a value is.
pub(super) enum Kind {
    Text(String),
    /// Nothing, or a null: as good as absent, and it may be replaced.
    Null,
    /// Names and values: in braces, or with a line for each.
    Mapping {
        is_flow: bool,
        pairs: Vec<Pair>,
    },
    /// What can't be shown as text, in words.
    Other(&'static str),
}

/// A name and its value.
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) name_place: Range<usize>,
    pub(super) value: Node,
}

impl Node {
    pub(super) fn new(place: Range<usize>, kind: Kind) -> Self {
        Self { place, kind, is_tied: false }
    }

    /// All values below this one by their paths. A name that no path can have is left out.
    ///
    /// # Errors
    ///
    /// `upstream` where the whole is no mapping.
    pub(super) fn entries(&self) -> Result<Entries, Error> {
        let mut entries = Entries::new();
        match &self.kind {
            Kind::Null => {}
            Kind::Mapping { pairs, .. } => collect("", pairs, &mut entries),
            Kind::Text(_) | Kind::Other(_) => return Err(no_mapping()),
        }
        Ok(entries)
    }
}

/// The whole of a file has to have names.
pub(super) fn no_mapping() -> Error {
    Error::upstream("the file holds no names and values, but one value or a list")
}

fn collect(prefix: &str, pairs: &[Pair], entries: &mut Entries) {
    for pair in pairs.iter().filter(|pair| !pair.name.is_empty() && !pair.name.contains('/')) {
        let path = format!("{prefix}{}", pair.name);
        match &pair.value.kind {
            Kind::Text(text) => entries.push((path, Value::Text(text.clone()))),
            Kind::Other(what) => entries.push((path, Value::Other(what))),
            Kind::Null => {}
            Kind::Mapping { pairs, .. } => collect(&format!("{path}/"), pairs, entries),
        }
    }
}

/// Refuses a mapping in which a name stands twice: readers disagree about which value counts.
///
/// # Errors
///
/// `upstream`, naming the name and the line where it stands again.
pub(super) fn check_names(text: &str, pairs: &[Pair]) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    for pair in pairs {
        if !names.insert(&pair.name) {
            let line = line_at(text, pair.name_place.start);
            return Err(Error::upstream(format!("`{}` stands in the file twice, again in line {line}", pair.name)));
        }
    }
    Ok(())
}
