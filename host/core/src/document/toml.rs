//! TOML: the `toml` crate tells where each string stands.

use ::toml::de::{DeString, DeTable, DeValue};
use ::toml::{Spanned, map::Map};
use zeroize::Zeroizing;

use super::mistake::Why;
use super::scan::has_any;
use super::written::{buffer, escaped, is_special, quoted};
use super::{DEEPEST, Filling, Found, Syntax};

/// The rules of TOML 1.1.
pub(super) struct Toml;

type Table<'a> = Map<Spanned<DeString<'a>>, Spanned<DeValue<'a>>>;

impl Syntax for Toml {
    fn name(&self) -> &'static str {
        "TOML"
    }

    fn strings(&self, source: &str, wrong: &mut Vec<(usize, Why)>) -> Vec<Found> {
        let table = match DeTable::parse(source) {
            Ok(table) => table,
            Err(error) => {
                wrong.push((error.span().map_or(0, |span| span.start), Why::Syntax(self.name())));
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        go_over(table.get_ref(), 0, &mut found, wrong);
        found
    }

    fn within(&self, token: &str, value: &str) -> Option<Zeroizing<String>> {
        if token.starts_with('"') {
            return Some(escaped(value));
        }
        // Nothing can be escaped in single quotes. Three of them hold lines, in the way that any file ends its own.
        let holds_lines = token.starts_with("'''");
        let is_plain = |c: char| c != '\'' && (!is_special(c) || c == '\t' || (holds_lines && c == '\n'));
        if !value.chars().all(is_plain) {
            return None;
        }
        let mut written = buffer(value.len());
        written.push_str(value);
        Some(written)
    }

    fn holds(&self, _: &str, written: &str, text: &str) -> bool {
        let read = DeValue::parse(written);
        read.is_ok_and(|read| matches!(read.into_inner(), DeValue::String(read) if read == text))
    }

    fn whole(&self, _: &str, text: &str) -> Result<Zeroizing<String>, &'static str> {
        Ok(quoted(text))
    }

    fn is_filled(&self, before: &str, after: &str, filled: Filling<'_>) -> bool {
        match (DeTable::parse(before), DeTable::parse(after)) {
            (Ok(before), Ok(after)) => same_table(before.get_ref(), after.get_ref(), filled),
            _ => false,
        }
    }
}

fn go_over(table: &Table<'_>, depth: usize, found: &mut Vec<Found>, wrong: &mut Vec<(usize, Why)>) {
    for (name, value) in table {
        if has_any(name.get_ref()) {
            wrong.push((name.span().start, Why::InName));
        }
        go_into(value, depth, found, wrong);
    }
}

fn go_into(value: &Spanned<DeValue<'_>>, depth: usize, found: &mut Vec<Found>, wrong: &mut Vec<(usize, Why)>) {
    // A name of dots within a table within a list: the parser's limit counts each kind for itself.
    if depth >= DEEPEST {
        wrong.push((value.span().start, Why::TooDeep(DEEPEST)));
        return;
    }
    match value.get_ref() {
        DeValue::String(text) if has_any(text) => {
            found.push(Found { token: value.span(), content: value.span(), text: text.clone().into_owned() });
        }
        DeValue::Array(list) => list.iter().for_each(|value| go_into(value, depth + 1, found, wrong)),
        DeValue::Table(table) => go_over(table, depth + 1, found, wrong),
        _ => {}
    }
}

fn same_table(before: &Table<'_>, after: &Table<'_>, filled: Filling<'_>) -> bool {
    let is_same = |((name, before), (other, after)): ((&Spanned<DeString<'_>>, &_), (&Spanned<DeString<'_>>, &_))| {
        name.get_ref() == other.get_ref() && same(before, after, filled)
    };
    before.len() == after.len() && before.iter().zip(after).all(is_same)
}

fn same(before: &Spanned<DeValue<'_>>, after: &Spanned<DeValue<'_>>, filled: Filling<'_>) -> bool {
    match (before.get_ref(), after.get_ref()) {
        (DeValue::String(before), DeValue::String(after)) if has_any(before) => {
            filled(before).is_some_and(|filled| *filled == *after)
        }
        (DeValue::String(before), DeValue::String(after)) => before == after,
        (DeValue::Integer(before), DeValue::Integer(after)) => {
            (before.as_str(), before.radix()) == (after.as_str(), after.radix())
        }
        (DeValue::Float(before), DeValue::Float(after)) => before.as_str() == after.as_str(),
        (DeValue::Boolean(before), DeValue::Boolean(after)) => before == after,
        (DeValue::Datetime(before), DeValue::Datetime(after)) => before == after,
        (DeValue::Array(before), DeValue::Array(after)) => {
            before.len() == after.len()
                && before.iter().zip(after.iter()).all(|(before, after)| same(before, after, filled))
        }
        (DeValue::Table(before), DeValue::Table(after)) => same_table(before, after, filled),
        _ => false,
    }
}
