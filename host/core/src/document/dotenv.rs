//! Dotenv: `NAME=value` on a line each, as `python-dotenv` reads it, with any other `${…}` left as it is.
//!
//! There is no standard. Values are quoted so that `python-dotenv`, the `dotenv` of Node and a shell read the same wherever
//! the three agree on any way of writing the value.

use std::ops::Range;

use zeroize::Zeroizing;

use super::mistake::Why;
use super::scan::has_any;
use super::written::buffer;
use super::{Filling, Found, Syntax};

/// The rules of dotenv.
pub(super) struct Dotenv;

/// One `NAME=value`.
struct Entry {
    name: Range<usize>,
    /// The bytes of the value with its quotes, and what it reads as; `None` where there is no `=`.
    value: Option<(Range<usize>, Zeroizing<String>)>,
}

impl Syntax for Dotenv {
    fn name(&self) -> &'static str {
        "dotenv"
    }

    fn strings(&self, source: &str, wrong: &mut Vec<(usize, Why)>) -> Vec<Found> {
        let mut found = Vec::new();
        let mut reader = Reader { text: source, at: 0 };
        loop {
            let entry = match reader.next() {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                Err(at) => {
                    wrong.push((at, Why::Syntax(self.name())));
                    break;
                }
            };
            if source.get(entry.name.clone()).is_some_and(has_any) {
                wrong.push((entry.name.start, Why::InName));
            }
            if let Some((token, text)) = entry.value.filter(|(_, text)| has_any(text)) {
                found.push(Found { content: token.clone(), token, text: text.to_string() });
            }
        }
        found
    }

    fn within(&self, token: &str, value: &str) -> Option<Zeroizing<String>> {
        let quote = token.chars().next().filter(|first| matches!(first, '"' | '\''))?;
        // In single quotes nothing but a quote and a `\` is special, and a file that is read as text loses each `\r`.
        if value.contains('\0') || (quote == '\'' && value.contains(['\'', '\\', '\r'])) {
            return None;
        }
        let mut written = buffer(value.len() * 2);
        for character in value.chars() {
            push(&mut written, character, quote);
        }
        Some(written)
    }

    fn holds(&self, _: &str, written: &str, text: &str) -> bool {
        let mut reader = Reader { text: written, at: 0 };
        let read = reader.value();
        read.is_ok_and(|(range, read)| range == (0..written.len()) && *read == text)
    }

    fn whole(&self, _: &str, text: &str) -> Result<Zeroizing<String>, &'static str> {
        if text.contains('\0') {
            return Err("a NUL");
        }
        let is_bare = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c);
        let mut written = buffer(text.len() * 2 + 2);
        if text.chars().all(is_bare) {
            written.push_str(text);
            return Ok(written);
        }
        let quote = if text.contains(['\'', '\\', '\r']) { '"' } else { '\'' };
        written.push(quote);
        text.chars().for_each(|character| push(&mut written, character, quote));
        written.push(quote);
        Ok(written)
    }

    fn is_filled(&self, before: &str, after: &str, filled: Filling<'_>) -> bool {
        let (mut reader, mut other) = (Reader { text: before, at: 0 }, Reader { text: after, at: 0 });
        loop {
            let (one, other) = match (reader.next(), other.next()) {
                (Ok(Some(one)), Ok(Some(other))) => (one, other),
                (Ok(None), Ok(None)) => return true,
                _ => return false,
            };
            let is_same = match (one.value, other.value) {
                (None, None) => true,
                (Some((_, one)), Some((_, other))) => {
                    !other.contains('\0') && filled(&one).is_some_and(|filled| *filled == *other)
                }
                _ => false,
            };
            if !is_same || before.get(one.name) != after.get(other.name) {
                return false;
            }
        }
    }
}

/// A character as it stands in these quotes.
fn push(written: &mut String, character: char, quote: char) {
    match character {
        '\n' if quote == '"' => written.push_str("\\n"),
        '\r' if quote == '"' => written.push_str("\\r"),
        '"' | '\\' if quote == '"' => written.extend(['\\', character]),
        _ => written.push(character),
    }
}

/// Reads a text from its beginning on; where it can't go on, it answers the byte.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes over characters while they fit; answers them.
    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = rest.get(..rest.find(|c| !fits(c)).unwrap_or(rest.len())).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// The next entry; lines without one are passed over.
    fn next(&mut self) -> Result<Option<Entry>, usize> {
        loop {
            self.take_while(char::is_whitespace);
            if self.rest().is_empty() {
                return Ok(None);
            }
            if !self.rest().starts_with('#') {
                return self.entry().map(Some);
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn entry(&mut self) -> Result<Entry, usize> {
        let before = self.at;
        // `export` may be a name as well.
        if !(self.take("export") && !self.take_while(is_blank).is_empty() && !self.rest().starts_with('=')) {
            self.at = before;
        }
        let start = self.at;
        if self.rest().starts_with('\'') {
            self.quoted('\'')?;
        } else {
            self.take_while(|c| !matches!(c, '=' | '#') && !c.is_whitespace());
        }
        let name = start..self.at;
        if name.is_empty() {
            return Err(start);
        }
        self.take_while(is_blank);
        let mut value = None;
        if self.take("=") {
            self.take_while(is_blank);
            value = Some(self.value()?);
        }
        let end = self.at;
        self.take_while(is_blank);
        if self.rest().starts_with('#') {
            self.take_while(|c| c != '\n');
        }
        self.take("\r");
        if !self.rest().is_empty() && !self.take("\n") {
            return Err(end);
        }
        Ok(Entry { name, value })
    }

    /// A value: its bytes, and what it reads as.
    fn value(&mut self) -> Result<(Range<usize>, Zeroizing<String>), usize> {
        let start = self.at;
        let read = match self.rest().chars().next() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            _ => Zeroizing::new(self.plain().to_owned()),
        };
        Ok((start..self.at, read))
    }

    /// A value without quotes: to the end of the line, or to a `#` with a blank before it.
    fn plain(&mut self) -> &'a str {
        let start = self.at;
        let line = self.take_while(|c| !matches!(c, '\n' | '\r'));
        let opens = |at: &usize| line.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with(is_blank));
        let end = line.match_indices('#').map(|(at, _)| at).find(opens).unwrap_or(line.len());
        let value = line.get(..end).unwrap_or_default().trim_end();
        self.at = start + value.len();
        value
    }

    /// A value in quotes, with the escapes that `python-dotenv` knows; any other `\` stands for itself.
    fn quoted(&mut self, quote: char) -> Result<Zeroizing<String>, usize> {
        let start = self.at;
        self.at += 1;
        let rest = self.rest();
        let mut value = buffer(rest.find(quote).unwrap_or_default());
        let mut characters = rest.char_indices();
        while let Some((at, character)) = characters.next() {
            if character == quote {
                self.at += at + 1;
                return Ok(value);
            }
            if character != '\\' {
                value.push(character);
                continue;
            }
            let escaped = characters.next().map(|(_, escaped)| escaped);
            match escaped {
                Some(same @ ('\\' | '\'')) => value.push(same),
                Some('"') if quote == '"' => value.push('"'),
                Some('n') if quote == '"' => value.push('\n'),
                Some('r') if quote == '"' => value.push('\r'),
                Some('t') if quote == '"' => value.push('\t'),
                Some('a') if quote == '"' => value.push('\u{7}'),
                Some('b') if quote == '"' => value.push('\u{8}'),
                Some('f') if quote == '"' => value.push('\u{c}'),
                Some('v') if quote == '"' => value.push('\u{b}'),
                other => {
                    value.push('\\');
                    value.extend(other);
                }
            }
        }
        Err(start)
    }
}

fn is_blank(character: char) -> bool {
    character != '\n' && character != '\r' && character.is_whitespace()
}
