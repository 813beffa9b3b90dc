//! Masking of a stream: what can't become a value any more is given out at once.

use zeroize::Zeroizing;

use super::encoding::{Form, lines, masked};
use super::mark;
use super::search::Search;

/// Values, and lines of values, under so many bytes are not masked: they stand everywhere by chance.
pub const SHORTEST_MASKED: usize = 6;

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
/// The values, and what is held back of the stream, are wiped when dropped, and never printed.
pub struct Masker {
    search: Search,
    mark: Vec<u8>,
    short: Vec<Short>,
    /// What is held back: bytes that may still become a form, and those of the run below that are part of it.
    text: Form,
    /// Where the run of occurrences ends whose mark was the last that was given out, counted from the beginning of `text`.
    run: Option<usize>,
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
        Ok(Self { search, mark, short, text: Form::default(), run: None })
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
        rest
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
        let mut run = self.run;
        let open = self.search.walk(text, is_last, |from, to| {
            run = Some(match run {
                Some(end) if from <= end => end.max(to),
                _ => {
                    given.extend_from_slice(text.get(run.unwrap_or_default()..from).unwrap_or_default());
                    given.extend_from_slice(mark);
                    to
                }
            });
        });
        given.extend_from_slice(text.get(run.unwrap_or_default()..open).unwrap_or_default());
        self.run = run.and_then(|end| end.checked_sub(open));
        self.text.drain(..open);
        given
    }
}

#[cfg(test)]
mod tests;
