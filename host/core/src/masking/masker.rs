//! Masking of a stream: what can't become a value any more is given out at once.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::encoding::{Form, lines, masked};
use super::mark;
use super::search::Search;

/// Values, and lines of values, under so many bytes are not masked: they stand everywhere by chance.
pub const SHORTEST_MASKED: usize = 6;

/// The most bytes of what may become a value that are given out ahead: a third of the shortest.
const MOST_AHEAD: usize = 2;

/// A value of which something is not masked, because it is too short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// The value's name.
    pub name: String,
    /// Whether that is all of it; otherwise lines of it, where they stand alone.
    pub is_whole: bool,
}

/// Why values can't be masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the values begin and end with every character that could stand in their place")]
pub struct NoMark;

/// Masks values in a stream of bytes, however they are cut.
///
/// Every occurrence of a form of a value is masked: as it is, each of its lines, percent-encoded, JSON-escaped, in
/// hexadecimal and in base64 at each alignment. Occurrences that overlap or touch become one mark, which is `***` unless a
/// form could be completed with that. So what comes out never holds a value of [`SHORTEST_MASKED`] bytes or more.
///
/// The values, and what is held back of the stream, are wiped when dropped, and never printed. Clones share the values, and
/// each is for a stream of its own.
#[derive(Clone)]
pub struct Masker {
    search: Arc<Search>,
    mark: Vec<u8>,
    short: Vec<Short>,
    /// What is held back: bytes that may still become a form, and those of the run below that are part of it.
    text: Form,
    /// Where the run of occurrences ends whose mark was the last that was given out, counted from the beginning of `text`.
    run: Option<usize>,
    /// How many of the first bytes of `text` were given out ahead of what they may become.
    shown: usize,
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masker({} forms redacted)", self.search.forms().len())
    }
}

impl Masker {
    /// Masks these values, each with a name for people.
    ///
    /// # Errors
    /// [`NoMark`]: of some hundred binary values that begin and end with every byte.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, NoMark> {
        let (mut forms, mut short) = (Vec::new(), Vec::new());
        for (name, value) in values {
            forms.extend(masked(value));
            let is_whole = value.len() < SHORTEST_MASKED;
            // Brackets on lines of their own give nothing away.
            let is_short = |line: &[u8]| line.len() < SHORTEST_MASKED && line.iter().any(u8::is_ascii_alphanumeric);
            if is_whole || (value.contains(&b'\n') && lines(value).any(is_short)) {
                short.push(Short { name: name.to_owned(), is_whole });
            }
        }
        let search = Search::new(forms);
        let mark = mark::choose(search.forms()).ok_or(NoMark)?.into_bytes();
        Ok(Self { search: Arc::new(search), mark, short, text: Form::default(), run: None, shown: 0 })
    }

    /// The values of which something is not masked, in the order in which they were given.
    pub fn short(&self) -> &[Short] {
        &self.short
    }

    /// Takes the next bytes of the stream; answers all that is certain now.
    ///
    /// Held back is the longest end of the stream that may still become a form, and nothing else.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.append(bytes);
        self.give(false)
    }

    /// The end of the stream; answers what was held back. Another stream can follow.
    pub fn finish(&mut self) -> Vec<u8> {
        let rest = self.give(true);
        self.run = None;
        self.shown = 0;
        rest
    }

    /// For a stream that stands still: answers what is held back of it if that is at most two bytes, as where
    /// somebody types and has to see each letter. Where a value comes of it after all, the rest of that is masked.
    pub fn ahead(&mut self) -> Vec<u8> {
        if !self.is_holding() {
            return Vec::new();
        }
        let ahead = self.text.get(self.covered()..).unwrap_or_default().to_vec();
        self.shown = self.text.len();
        ahead
    }

    /// Whether [`Masker::ahead`] has something to answer.
    pub fn is_holding(&self) -> bool {
        self.text.len() <= MOST_AHEAD && self.covered() < self.text.len()
    }

    /// Goes on in the stream of another masker, all of whose values are among this one's as well.
    pub fn follow(&mut self, other: &mut Self) {
        self.append(&std::mem::take(&mut other.text));
        self.run = other.run.take();
        self.shown = std::mem::take(&mut other.shown);
    }

    /// How many of the first bytes held back are given out already, as they are or by their mark.
    fn covered(&self) -> usize {
        self.run.unwrap_or_default().max(self.shown)
    }

    /// Adds to what is held back. A vector that grows by itself would leave its old bytes in memory.
    fn append(&mut self, bytes: &[u8]) {
        let length = self.text.len() + bytes.len();
        if length > self.text.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
            larger.extend_from_slice(&self.text);
            self.text = larger;
        }
        self.text.extend_from_slice(bytes);
    }

    /// Masks what is certain of the text and takes it out.
    fn give(&mut self, is_last: bool) -> Vec<u8> {
        let (text, mark) = (&self.text, &self.mark);
        let mut given = Vec::with_capacity(text.len());
        let (mut run, shown) = (self.run, self.shown);
        let open = self.search.walk(text, is_last, |from, to| {
            run = Some(match run {
                Some(end) if from <= end => end.max(to),
                _ => {
                    given.extend_from_slice(text.get(run.unwrap_or_default().max(shown)..from).unwrap_or_default());
                    given.extend_from_slice(mark);
                    to
                }
            });
        });
        given.extend_from_slice(text.get(run.unwrap_or_default().max(shown)..open).unwrap_or_default());
        self.run = run.and_then(|end| end.checked_sub(open));
        self.shown = shown.saturating_sub(open);
        self.text.drain(..open);
        given
    }
}

#[cfg(test)]
mod tests;
