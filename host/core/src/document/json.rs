//! JSON: strings are found by their quotes in a text that `serde_json` has read, and only between them is anything written.

use serde_json::Value as Tree;
use zeroize::Zeroizing;

use super::mistake::Why;
use super::scan::has_any;
use super::written::{escaped, quoted};
use super::{Filling, Found, Syntax};

/// The rules of JSON (RFC 8259).
pub(super) struct Json;

impl Syntax for Json {
    fn name(&self) -> &'static str {
        "JSON"
    }

    fn strings(&self, source: &str, wrong: &mut Vec<(usize, Why)>) -> Vec<Found> {
        // The parser's own limit is 128 levels.
        match serde_json::from_str::<Tree>(source) {
            Ok(mut tree) => wipe(&mut tree),
            Err(error) => {
                wrong.push((byte(source, &error), why(source)));
                return Vec::new();
            }
        }
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(start) = source.get(from..).and_then(|rest| rest.find('"')).map(|at| from + at) {
            let end = end_of(source, start);
            from = end;
            let token = source.get(start..end).unwrap_or_default();
            // Without an escape a string stands there as it reads.
            if !token.contains('\\') && !has_any(token) {
                continue;
            }
            let Ok(text) = serde_json::from_str::<String>(token) else { continue };
            if !has_any(&text) {
                continue;
            }
            if source.get(end..).is_some_and(|rest| rest.trim_start().starts_with(':')) {
                wrong.push((start, Why::InName));
            } else {
                found.push(Found { token: start..end, content: start..end, text });
            }
        }
        found
    }

    fn within(&self, _: &str, value: &str) -> Option<Zeroizing<String>> {
        Some(escaped(value))
    }

    fn holds(&self, _: &str, written: &str, text: &str) -> bool {
        serde_json::from_str(written).map(Zeroizing::<String>::new).is_ok_and(|read| *read == text)
    }

    fn whole(&self, _: &str, text: &str) -> Result<Zeroizing<String>, &'static str> {
        Ok(quoted(text))
    }

    fn is_filled(&self, before: &str, after: &str, filled: Filling<'_>) -> bool {
        let trees = (serde_json::from_str(before), serde_json::from_str(after));
        let (Ok(mut before), Ok(mut after)) = trees else { return false };
        let is_same = same(&before, &after, filled);
        wipe(&mut before);
        wipe(&mut after);
        is_same
    }
}

/// Where a string ends that begins here, in a text that is JSON: behind the first quote that no `\` precedes.
fn end_of(source: &str, start: usize) -> usize {
    let bytes = source.as_bytes();
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') => return at + 1,
            Some(_) => at += 1,
            None => return bytes.len(),
        }
    }
}

/// The byte that an error of the parser's is about.
fn byte(source: &str, error: &serde_json::Error) -> usize {
    let before = source.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
    (before + error.column().saturating_sub(1)).min(source.len())
}

/// Why the parser refused: it has no token for its limit, so the depth is counted.
fn why(source: &str) -> Why {
    let (mut depth, mut deepest, mut at) = (0_usize, 0, 0);
    while let Some(byte) = source.as_bytes().get(at) {
        match byte {
            b'"' => {
                at = end_of(source, at);
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        at += 1;
    }
    if deepest >= super::DEEPEST { Why::TooDeep(super::DEEPEST) } else { Why::Syntax("JSON") }
}

/// Whether two trees are the same but for what is filled in.
pub(super) fn same(before: &Tree, after: &Tree, filled: Filling<'_>) -> bool {
    match (before, after) {
        (Tree::String(before), Tree::String(after)) if has_any(before) => {
            filled(before).is_some_and(|filled| *filled == *after)
        }
        (Tree::Array(before), Tree::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(before, after)| same(before, after, filled))
        }
        (Tree::Object(before), Tree::Object(after)) => {
            let is_same = |((name, before), (other, after)): ((&String, &Tree), (&String, &Tree))| {
                name == other && same(before, after, filled)
            };
            before.len() == after.len() && before.iter().zip(after).all(is_same)
        }
        (before, after) => before == after,
    }
}

/// Wipes every string of a tree: some of them are secrets.
pub(super) fn wipe(tree: &mut Tree) {
    match tree {
        Tree::String(text) => zeroize::Zeroize::zeroize(text),
        Tree::Array(list) => list.iter_mut().for_each(wipe),
        Tree::Object(fields) => fields.values_mut().for_each(wipe),
        _ => {}
    }
}
