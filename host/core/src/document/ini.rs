//! INI: sections of names and values, read as Python's `configparser` does; nothing can be quoted or escaped in it.

use std::ops::Range;

use zeroize::Zeroizing;

use super::mistake::Why;
use super::scan::has_any;
use super::written::buffer;
use super::{Filling, Found, Syntax};

/// The rules of INI. Each line of a value that goes over several counts for itself.
pub(super) struct Ini;

/// A line that says something.
enum Line {
    /// `[section]`, or what has no value.
    Name(Range<usize>),
    /// `name = value` or `name: value`: the name with its sign, and the value.
    Pair(Range<usize>, Range<usize>),
    /// A line that goes on with the value above it: with its indentation, and without.
    More(Range<usize>, Range<usize>),
}

impl Syntax for Ini {
    fn name(&self) -> &'static str {
        "INI"
    }

    fn strings(&self, source: &str, wrong: &mut Vec<(usize, Why)>) -> Vec<Found> {
        let mut found = Vec::new();
        let text = |range: &Range<usize>| source.get(range.clone()).unwrap_or_default();
        for line in lines(source) {
            let (name, token, value) = match line {
                Line::Name(name) => (name, 0..0, 0..0),
                Line::Pair(name, value) => (name, value.clone(), value),
                Line::More(line, value) => (0..0, line, value),
            };
            // The sign is part of the name here: the first `:` may be that of a reference.
            if has_any(text(&name)) {
                wrong.push((name.start, Why::InName));
            } else if has_any(text(&value)) {
                found.push(Found { token, text: text(&value).to_owned(), content: value });
            }
        }
        found
    }

    fn within(&self, _: &str, _: &str) -> Option<Zeroizing<String>> {
        None
    }

    fn holds(&self, _: &str, written: &str, text: &str) -> bool {
        written == text
    }

    fn whole(&self, token: &str, text: &str) -> Result<Zeroizing<String>, &'static str> {
        let is_break = |c: char| matches!(c, '\n' | '\r');
        let opens = |at: usize| text.get(..at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']));
        if text.contains(is_break) {
            return Err("a line break");
        }
        if text.contains(|c: char| c.is_control() && c != '\t') {
            return Err("a control character");
        }
        let indentation = token.get(..token.len() - token.trim_start().len()).unwrap_or_default();
        if text.is_empty() && !indentation.is_empty() {
            return Err("nothing in it");
        }
        if text.trim().len() != text.len() {
            return Err("blanks at its beginning or end");
        }
        // Readers differ about comments behind a value, and half a value is worse than none.
        if text.match_indices(['#', ';']).any(|(at, _)| opens(at)) {
            return Err("a `#` or `;` that many readers take for a comment");
        }
        let mut written = buffer(indentation.len() + text.len());
        written.push_str(indentation);
        written.push_str(text);
        Ok(written)
    }

    fn is_filled(&self, before: &str, after: &str, filled: Filling<'_>) -> bool {
        let (one, other) = (lines(before), lines(after));
        let is_same = |(one, other): (&Line, &Line)| {
            let same = |one: &Range<usize>, other: &Range<usize>| {
                let texts = (before.get(one.clone()), after.get(other.clone()));
                matches!(texts, (Some(one), Some(other)) if filled(one).is_some_and(|filled| *filled == *other))
            };
            match (one, other) {
                (Line::Name(one), Line::Name(other)) => before.get(one.clone()) == after.get(other.clone()),
                (Line::Pair(name, value), Line::Pair(other, its)) => {
                    before.get(name.clone()) == after.get(other.clone()) && same(value, its)
                }
                (Line::More(_, one), Line::More(_, other)) => same(one, other),
                _ => false,
            }
        };
        one.len() == other.len() && one.iter().zip(&other).all(is_same)
    }
}

/// The lines of a text but for blank ones and comments, by the rules of `configparser` (its `_read`).
fn lines(source: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    // How far the last name is indented: what is indented further goes on with its value.
    let mut indentation = None;
    for line in source.split_inclusive(['\n', '\r']) {
        let text = line.trim();
        let blanks = line.len() - line.trim_start().len();
        let range = start + blanks..start + blanks + text.len();
        let whole = start..range.end;
        start += line.len();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        if indentation.is_some_and(|indentation| blanks > indentation) {
            lines.push(Line::More(whole, range));
            continue;
        }
        // One that is never closed is a section to nobody, and would become one with a value that closes it.
        let is_section = text.starts_with('[');
        indentation = (!is_section).then_some(blanks);
        let sign = if is_section { None } else { text.find(['=', ':']) };
        lines.push(match sign {
            None => Line::Name(range),
            Some(sign) => {
                let behind = text.get(sign + 1..).unwrap_or_default();
                let value = range.end - behind.trim_start().len();
                Line::Pair(range.start..range.start + sign + 1, value..range.end)
            }
        });
    }
    lines
}
