//! YAML: `saphyr-parser` tells where each scalar stands and in which style; aliases are passed over, never followed.

mod block;

use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};
use zeroize::Zeroizing;

use super::mistake::Why;
use super::scan::{OPENING, find, has_any};
use super::written::{buffer, escaped, is_special, quoted};
use super::{DEEPEST, Filling, Found, Syntax};

/// The rules of YAML 1.2, written so that readers of 1.1 take it for the same.
pub(super) struct Yaml;

/// Plain scalars of letters that YAML 1.1 or 1.2 reads as something else than text.
const WORDS: [&str; 9] = ["y", "n", "yes", "no", "true", "false", "on", "off", "null"];

impl Syntax for Yaml {
    fn name(&self) -> &'static str {
        "YAML"
    }

    fn strings(&self, source: &str, wrong: &mut Vec<(usize, Why)>) -> Vec<Found> {
        let parser = Parser::new_from_str(source);
        let mut walk = Walk { source, parser, index: 0, at: 0, last: 0, found: Vec::new(), wrong };
        if let Err(mistake) = walk.go() {
            walk.wrong.push(mistake);
        }
        walk.found
    }

    fn within(&self, token: &str, value: &str) -> Option<Zeroizing<String>> {
        match token.as_bytes().first() {
            Some(b'"') => return Some(escaped(value)),
            Some(b'|' | b'>') if !block::takes(token, value) => return None,
            _ if value.contains(is_special) => return None,
            _ => {}
        }
        Some(if token.starts_with('\'') { doubled(value, "") } else { Zeroizing::new(value.to_owned()) })
    }

    fn holds(&self, token: &str, written: &str, text: &str) -> bool {
        match token.as_bytes().first() {
            Some(b'"' | b'\'') => reads_as(written, text),
            // What a block takes is such that it changes neither indentation nor folding.
            Some(b'|' | b'>') => true,
            _ => written == text && stays_text(text),
        }
    }

    fn whole(&self, token: &str, text: &str) -> Result<Zeroizing<String>, &'static str> {
        if token.starts_with(['|', '>']) {
            return Ok(block::written(token, text));
        }
        if !token.starts_with(['"', '\'']) && !text.contains(is_special) {
            return Ok(if stays_text(text) { Zeroizing::new(text.to_owned()) } else { doubled(text, "'") });
        }
        Ok(quoted(text))
    }

    fn is_filled(&self, before: &str, after: &str, filled: Filling<'_>) -> bool {
        let (mut before, mut after) = (Parser::new_from_str(before), Parser::new_from_str(after));
        loop {
            let (Some(Ok((before, _))), Some(Ok((after, _)))) = (before.next_event(), after.next_event()) else {
                return false;
            };
            match (before, after) {
                (Event::StreamEnd, Event::StreamEnd) => return true,
                (Event::Scalar(text, _, anchor, tag), Event::Scalar(now, style, other, its)) if has_any(&text) => {
                    let is_text = style != ScalarStyle::Plain || stays_text(&now);
                    let is_same = filled(&text).is_some_and(|filled| *filled == *now);
                    if !is_same || !is_text || anchor != other || tag != its {
                        return false;
                    }
                }
                (before, after) if before != after => return false,
                _ => {}
            }
        }
    }
}

/// A text in single quotes: two of them are one of the text.
fn doubled(text: &str, quote: &str) -> Zeroizing<String> {
    let mut written = buffer(text.len() * 2 + 2);
    written.push_str(quote);
    for character in text.chars() {
        let count = if character == '\'' { 2 } else { 1 };
        (0..count).for_each(|_| written.push(character));
    }
    written.push_str(quote);
    written
}

/// Whether a plain scalar is text to every reader, and in every place where one can stand.
fn stays_text(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./:@+=-".contains(c))
        && !text.ends_with(':')
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether a scalar in quotes reads as this text.
fn reads_as(written: &str, text: &str) -> bool {
    let mut parser = Parser::new_from_str(written);
    let mut is_read = false;
    loop {
        match parser.next_event() {
            Some(Ok((Event::Scalar(read, ..), _))) if !is_read => {
                let read = Zeroizing::new(read.into_owned());
                if *read != text {
                    return false;
                }
                is_read = true;
            }
            Some(Ok((Event::StreamEnd, _))) => return is_read,
            Some(Ok((Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, _))) => {}
            _ => return false,
        }
    }
}

/// A list or a mapping that is open.
struct Level {
    /// In a mapping, whether a name comes next; `None` in a list.
    name_next: Option<bool>,
    /// Whether it is, or is part of, a name.
    in_name: bool,
}

struct Walk<'a, 'b> {
    source: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// A place that was met last, in characters and in bytes: the parser counts the former.
    index: usize,
    at: usize,
    /// The end of the last scalar that was met.
    last: usize,
    found: Vec<Found>,
    wrong: &'b mut Vec<(usize, Why)>,
}

impl Walk<'_, '_> {
    /// Goes over all of it, or to where it can't be read.
    fn go(&mut self) -> Result<(), (usize, Why)> {
        let mut levels: Vec<Level> = Vec::new();
        loop {
            let (event, span) = match self.parser.next_event() {
                Some(Ok(next)) => next,
                Some(Err(error)) => return Err(self.refused(&error)),
                None => return Err((0, Why::Syntax("YAML"))),
            };
            let is_node = matches!(
                event,
                Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..)
            );
            let in_name = is_node
                && levels.last_mut().is_some_and(|level| {
                    let is_name = level.name_next == Some(true);
                    level.name_next = level.name_next.map(|next| !next);
                    is_name || level.in_name
                });
            match event {
                Event::Scalar(text, style, anchor, tag) if !text.is_empty() => {
                    self.scalar(&text, style, anchor != 0 || tag.is_some(), span, in_name);
                }
                Event::SequenceStart(..) => levels.push(Level { name_next: None, in_name }),
                Event::MappingStart(..) => levels.push(Level { name_next: Some(true), in_name }),
                Event::SequenceEnd | Event::MappingEnd => drop(levels.pop()),
                Event::StreamEnd => break,
                _ => {}
            }
            if levels.len() > DEEPEST {
                return Err((self.byte(span.start), Why::TooDeep(DEEPEST)));
            }
        }
        self.between(self.last..self.source.len());
        Ok(())
    }

    /// Where the parser gave up, and why. Within brackets a reference without quotes is no YAML.
    fn refused(&mut self, error: &ScanError) -> (usize, Why) {
        let at = self.byte(*error.marker());
        let reference = at.saturating_sub(1);
        if self.source.get(reference..).is_some_and(|rest| rest.starts_with(OPENING)) {
            return (reference, Why::NoString);
        }
        // One that is never closed ends with the `:` of a name.
        match self.source.get(..=at).and_then(|before| before.strip_suffix(OPENING)) {
            Some(before) => (before.len(), Why::Unterminated),
            None => (at, Why::Syntax("YAML")),
        }
    }

    /// The byte of a character. Parts follow each other, so the way from the last one is short.
    fn byte(&mut self, marker: Marker) -> usize {
        if self.index > marker.index() {
            let passed = self.source.get(..self.at).unwrap_or_default().chars().rev();
            self.at -= passed.take(self.index - marker.index()).map(char::len_utf8).sum::<usize>();
        } else {
            let coming = self.source.get(self.at..).unwrap_or_default().chars();
            self.at += coming.take(marker.index() - self.index).map(char::len_utf8).sum::<usize>();
        }
        self.index = marker.index();
        self.at
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, has_properties: bool, span: Span, in_name: bool) {
        let mut start = self.byte(span.start);
        let end = self.byte(span.end);
        if has_properties {
            start = self.behind_properties(start);
        }
        let (token, content) = match style {
            ScalarStyle::Plain => (start..end, start..end),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                let within = self.source.get(start..end).unwrap_or_default();
                let end = start + quoted_length(within).unwrap_or(within.len());
                (start..end, start..end)
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                block::token(self.source, self.last, start..end, has_properties)
            }
        };
        self.between(self.last..token.start);
        self.last = token.end;
        if !has_any(text) {
            return;
        }
        if in_name {
            self.wrong.push((token.start, Why::InName));
        } else {
            self.found.push(Found { token, content, text: text.to_owned() });
        }
    }

    /// Passes over anchor and tag, and over the comments behind them: the parser's beginning of a scalar lies before.
    fn behind_properties(&self, start: usize) -> usize {
        let mut at = start;
        loop {
            let rest = self.source.get(at..).unwrap_or_default();
            let length = match rest.chars().next() {
                Some('&' | '!') => rest.find(char::is_whitespace).unwrap_or(rest.len()),
                Some('#') => rest.find('\n').unwrap_or(rest.len()),
                Some(c) if c.is_whitespace() => c.len_utf8(),
                _ => return at,
            };
            at += length;
        }
    }

    /// Looks for references between two scalars: what stands in a comment is left alone, and all else was to be a value.
    fn between(&mut self, gap: Range<usize>) {
        let text = self.source.get(gap.clone()).unwrap_or_default();
        let mut from = 0;
        while let Some(at) = find(text.as_bytes(), from) {
            from = at + OPENING.len();
            let before = text.get(..at).unwrap_or_default();
            let line = before.rfind('\n').map_or(before, |end| before.get(end + 1..).unwrap_or_default());
            let opens = |(at, _): (usize, &str)| {
                line.get(..at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']))
            };
            if !line.match_indices('#').any(opens) {
                self.wrong.push((gap.start + at, Why::NoString));
            }
        }
    }
}

/// How long a text in quotes is that `text` begins with.
fn quoted_length(text: &str) -> Option<usize> {
    let quote = *text.as_bytes().first()?;
    let mut at = 1;
    loop {
        match *text.as_bytes().get(at)? {
            b'\\' if quote == b'"' => at += 2,
            // Two of them are one of the text, in single quotes.
            byte if byte == quote && quote == b'\'' && text.as_bytes().get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}
