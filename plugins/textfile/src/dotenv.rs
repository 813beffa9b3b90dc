//! Files of the kind dotenv: `NAME=value` on a line each, as `python-dotenv` reads them, with `${…}` left as it is.
//!
//! There is no standard. Names are written and values quoted so that `python-dotenv`, the `dotenv` of Node and a shell
//! read the same wherever the three agree on any way of writing the value.

use std::ops::Range;

use forge_sdk::Error;

use super::{Entries, Value, line_at, line_end};

/// An entry, and where it stands.
struct Found {
    name: String,
    value: Option<String>,
    /// From its first to its last line, the end of that line included.
    lines: Range<usize>,
    /// From behind the `=`, or behind the name where there is none, to the end of the value; comments stay outside.
    body: Range<usize>,
}

/// Reads a text from its beginning on.
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
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn error(&self, what: &str) -> Error {
        Error::upstream(format!("line {} of the file can't be read: {what}", line_at(self.text, self.at)))
    }

    /// The next entry; lines without one are passed over.
    fn next(&mut self) -> Result<Option<Found>, Error> {
        loop {
            let start = self.at;
            if self.rest().is_empty() {
                return Ok(None);
            }
            self.take_while(is_blank);
            if self.rest().starts_with('#') {
                self.take_while(|c| c != '\n');
            }
            if self.take("\r\n") || self.take("\n") || self.rest().is_empty() {
                continue;
            }
            return self.entry(start).map(Some);
        }
    }

    fn entry(&mut self, start: usize) -> Result<Found, Error> {
        let before = self.at;
        // `export` may be a name as well.
        if !(self.take("export") && !self.take_while(is_blank).is_empty() && !self.rest().starts_with('=')) {
            self.at = before;
        }
        let name = match self.rest().chars().next() {
            Some('\'') => self.quoted('\'', false)?,
            _ => self.take_while(|c| !matches!(c, '=' | '#' | '\n') && !c.is_whitespace()).to_owned(),
        };
        if name.is_empty() {
            return Err(self.error("there is no name before the `=`"));
        }
        let name_end = self.at;
        self.take_while(is_blank);
        let mut body = name_end..name_end;
        let value = if self.take("=") {
            body.start = self.at;
            self.take_while(is_blank);
            let value = match self.rest().chars().next() {
                Some('\'') => self.quoted('\'', false)?,
                Some('"') => self.quoted('"', true)?,
                _ => self.plain().to_owned(),
            };
            body.end = self.at;
            Some(value)
        } else {
            None
        };
        self.take_while(is_blank);
        if self.rest().starts_with('#') {
            self.take_while(|c| c != '\n');
        }
        self.take("\r");
        if !self.rest().is_empty() && !self.take("\n") {
            return Err(self.error("there is something behind the value"));
        }
        Ok(Found { name, value, lines: start..self.at, body })
    }

    /// A value without quotes: to the end of the line, or to a `#` with a space before it.
    fn plain(&mut self) -> &'a str {
        let start = self.at;
        let line = self.take_while(|c| !matches!(c, '\n' | '\r'));
        let mut end = line.len();
        for (at, _) in line.match_indices('#') {
            let before = line.get(..at).unwrap_or_default();
            if before.is_empty() || before.ends_with(is_blank) {
                end = at;
                break;
            }
        }
        let value = line.get(..end).unwrap_or_default().trim_end();
        self.at = start + value.len();
        value
    }

    /// A value in quotes, with the escapes that `python-dotenv` knows; any other `\` stands for itself.
    fn quoted(&mut self, quote: char, has_all_escapes: bool) -> Result<String, Error> {
        let opening = Self { text: self.text, at: self.at };
        self.at += quote.len_utf8();
        let mut value = String::new();
        let mut characters = self.rest().char_indices();
        while let Some((at, character)) = characters.next() {
            if character == quote {
                self.at += at + quote.len_utf8();
                return Ok(value);
            }
            if character != '\\' {
                value.push(character);
                continue;
            }
            let escaped = characters.next().map(|(_, escaped)| escaped);
            match escaped {
                Some('\\') => value.push('\\'),
                Some('\'') => value.push('\''),
                Some('"') if has_all_escapes => value.push('"'),
                Some('n') if has_all_escapes => value.push('\n'),
                Some('r') if has_all_escapes => value.push('\r'),
                Some('t') if has_all_escapes => value.push('\t'),
                Some('a') if has_all_escapes => value.push('\u{7}'),
                Some('b') if has_all_escapes => value.push('\u{8}'),
                Some('f') if has_all_escapes => value.push('\u{c}'),
                Some('v') if has_all_escapes => value.push('\u{b}'),
                other => {
                    value.push('\\');
                    value.extend(other);
                }
            }
        }
        Err(opening.error("a quote is opened there and never closed"))
    }
}

fn is_blank(character: char) -> bool {
    character != '\n' && character != '\r' && character.is_whitespace()
}

fn found(text: &str) -> Result<Vec<Found>, Error> {
    let mut reader = Reader { text, at: 0 };
    let mut all: Vec<Found> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    while let Some(next) = reader.next()? {
        if !names.insert(next.name.clone()) {
            let line = line_at(text, next.lines.start);
            return Err(Error::upstream(format!("`{}` stands in the file twice, again in line {line}", next.name)));
        }
        all.push(next);
    }
    Ok(all)
}

/// All entries; a name without `=` has no value and is none.
pub(super) fn entries(text: &str) -> Result<Entries, Error> {
    let entry = |found: Found| Some((found.name, Value::Text(found.value?)));
    Ok(found(text)?.into_iter().filter_map(entry).collect())
}

/// The text with this value, in the place of the old one or at the end.
pub(super) fn set(text: &str, name: &str, value: &str) -> Result<String, Error> {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !name.starts_with(is_start) || !name.chars().all(|c| is_start(c) || c.is_ascii_digit() || matches!(c, '.' | '-'))
    {
        return Err(Error::invalid_request(
            "a name in a dotenv file has letters, digits, `_`, `.` and `-`, and begins with a letter or `_`",
        ));
    }
    let quoted = quoted(value);
    if let Some(found) = found(text)?.into_iter().find(|found| found.name == name) {
        let equals = if found.value.is_some() { "" } else { "=" };
        let (before, after) = (text.get(..found.body.start), text.get(found.body.end..));
        return Ok([before.unwrap_or_default(), equals, &quoted, after.unwrap_or_default()].concat());
    }
    let end = line_end(text);
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    Ok(format!("{text}{gap}{name}={quoted}{end}"))
}

/// The text without this entry's lines.
pub(super) fn remove(text: &str, name: &str) -> Result<String, Error> {
    let lines = found(text)?.into_iter().find(|found| found.name == name).map(|found| found.lines);
    let Some(lines) = lines else { return Ok(text.to_owned()) };
    Ok([text.get(..lines.start).unwrap_or_default(), text.get(lines.end..).unwrap_or_default()].concat())
}

/// The value as it is written: bare, in single quotes, or in double quotes where the others can't hold it.
fn quoted(value: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c);
    if value.chars().all(is_bare) {
        return value.to_owned();
    }
    // In single quotes nothing but a quote and a `\` is special, and a file that is read as text loses each `\r`.
    if !value.contains(['\'', '\\', '\r']) {
        return format!("'{value}'");
    }
    let mut quoted = String::from("\"");
    for character in value.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '"' | '\\' => quoted.extend(['\\', character]),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
