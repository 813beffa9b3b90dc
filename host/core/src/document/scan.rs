//! `${secret:REF}` in a text: where each begins and ends, and the text with values in their places.

use std::collections::HashMap;
use std::ops::Range;

use zeroize::Zeroizing;

use super::mistake::Why;
use crate::reference::Reference;

/// How a reference begins.
pub const OPENING: &str = "${secret:";

/// What a text has that is not text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// `$${secret:`, which stands for `${secret:`: the place of its first `$`.
    Escape(usize),
    /// `${secret:REF}`, from the `$` to behind the `}`.
    Reference(Range<usize>),
    /// `${secret:` and no `}` on its line.
    Open(usize),
}

impl Mark {
    /// Its first byte.
    pub(super) fn start(&self) -> usize {
        match self {
            Self::Escape(at) | Self::Open(at) => *at,
            Self::Reference(range) => range.start,
        }
    }

    /// Its bytes; of an escape only the `$` that goes.
    pub(super) fn range(&self) -> Range<usize> {
        match self {
            Self::Escape(at) | Self::Open(at) => *at..*at + 1,
            Self::Reference(range) => range.clone(),
        }
    }
}

/// Whether a text holds the beginning of a reference, escaped or not.
pub(super) fn has_any(text: &str) -> bool {
    text.contains(OPENING)
}

/// The marks of a text, in order.
pub(super) fn marks(text: &[u8]) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut from = 0;
    while let Some(at) = find(text, from) {
        let behind = at + OPENING.len();
        from = behind;
        if at > 0 && text.get(at - 1) == Some(&b'$') {
            marks.push(Mark::Escape(at - 1));
            continue;
        }
        let rest = text.get(behind..).unwrap_or_default();
        match rest.iter().position(|byte| matches!(byte, b'}' | b'\n' | b'\r')) {
            Some(length) if rest.get(length) == Some(&b'}') => {
                from = behind + length + 1;
                marks.push(Mark::Reference(at..from));
            }
            _ => marks.push(Mark::Open(at)),
        }
    }
    marks
}

/// The next `${secret:` from a place on.
pub(super) fn find(text: &[u8], from: usize) -> Option<usize> {
    let mut from = from;
    loop {
        let rest = text.get(from..)?;
        let at = from + rest.iter().position(|byte| *byte == b'$')?;
        if text.get(at..).is_some_and(|rest| rest.starts_with(OPENING.as_bytes())) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// What stands between the braces.
fn inner<'a>(text: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    text.get(range.start + OPENING.len()..range.end.saturating_sub(1)).unwrap_or_default()
}

/// The references of a document, each once, and which of them each spelling means.
#[derive(Default)]
pub(super) struct References {
    all: Vec<Reference>,
    numbers: HashMap<Reference, usize>,
    spellings: HashMap<Vec<u8>, usize>,
}

impl References {
    /// Notes what stands in this range.
    pub(super) fn note(&mut self, text: &[u8], range: &Range<usize>) -> Result<usize, Why> {
        let spelling = inner(text, range);
        if let Some(number) = self.spellings.get(spelling) {
            return Ok(*number);
        }
        let text = std::str::from_utf8(spelling).map_err(|_| crate::reference::Error::Encoding)?;
        let reference: Reference = text.parse()?;
        let next = self.all.len();
        let number = *self.numbers.entry(reference.clone()).or_insert(next);
        if number == next {
            self.all.push(reference);
        }
        self.spellings.insert(spelling.to_vec(), number);
        Ok(number)
    }

    /// The number of the reference that is spelled so, with its braces.
    pub(super) fn number(&self, spelling: &[u8]) -> Option<usize> {
        self.spellings.get(inner(spelling, &(0..spelling.len()))).copied()
    }

    /// Each once, in the order of the document.
    pub(super) fn all(&self) -> &[Reference] {
        &self.all
    }

    /// The text with values in the places of its references and without the `$` of its escapes.
    ///
    /// `None` where it has a reference that was never noted. A value is never looked at for references.
    pub(super) fn filled<V: AsRef<[u8]>>(&self, text: &[u8], values: &[V]) -> Option<Zeroizing<Vec<u8>>> {
        let marks = marks(text);
        // Of its full length at once: a buffer that grows leaves copies behind that nobody wipes.
        let mut numbers = Vec::with_capacity(marks.len());
        let mut length = text.len();
        for mark in &marks {
            let value = match mark {
                Mark::Reference(range) => values.get(*self.spellings.get(inner(text, range))?)?.as_ref(),
                Mark::Escape(_) => &[],
                Mark::Open(_) => return None,
            };
            length += value.len();
            numbers.push(value);
        }
        let mut filled = Zeroizing::new(Vec::with_capacity(length));
        let mut from = 0;
        for (mark, value) in marks.iter().zip(numbers) {
            let range = mark.range();
            filled.extend_from_slice(text.get(from..range.start)?);
            filled.extend_from_slice(value);
            from = range.end;
        }
        filled.extend_from_slice(text.get(from..)?);
        Some(filled)
    }

    /// The same of a text in UTF-8, with values that are.
    pub(super) fn filled_text(&self, text: &str, values: &[&str]) -> Option<Zeroizing<String>> {
        let mut filled = self.filled(text.as_bytes(), values)?;
        String::from_utf8(std::mem::take(&mut *filled)).ok().map(Zeroizing::new)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn filled(text: &str, values: &[&str]) -> Option<String> {
        let mut references = References::default();
        for mark in marks(text.as_bytes()) {
            if let Mark::Reference(range) = mark {
                references.note(text.as_bytes(), &range).unwrap();
            }
        }
        references.filled_text(text, values).map(|text| text.to_string())
    }

    #[test]
    fn values_take_the_places_of_references_and_are_never_looked_at_again() {
        assert_eq!(filled("<${secret:a}|${secret:b}>", &["1", "2"]).unwrap(), "<1|2>");
        assert_eq!(filled("${secret:a}${secret:a}", &["x"]).unwrap(), "xx");
        assert_eq!(filled("${secret:a}", &["${secret:a}$${secret:b}"]).unwrap(), "${secret:a}$${secret:b}");
        assert_eq!(
            filled("${secret:store://local/a#f?version=1}${secret:store://local/a?version=1#f}", &["x"]).unwrap(),
            "xx"
        );
    }

    #[test]
    fn only_what_would_be_a_reference_needs_an_escape() {
        assert_eq!(filled("$${secret:a}", &[]).unwrap(), "${secret:a}");
        assert_eq!(filled("$$${secret:a}", &[]).unwrap(), "$${secret:a}");
        assert_eq!(filled("$${secret:${secret:a}", &["x"]).unwrap(), "${secret:x");
        for other in ["${OTHER}", "$${OTHER}", "$$", "${secret}", "$ {secret:a}", "", "$"] {
            assert_eq!(filled(other, &[]).unwrap(), other);
        }
    }

    #[test]
    fn a_reference_ends_on_its_line() {
        assert_eq!(marks(b"a ${secret:b\n}"), [Mark::Open(2)]);
        assert_eq!(marks(b"${secret:"), [Mark::Open(0)]);
        assert_eq!(marks(b"${secret:a ${secret:b}"), [Mark::Reference(0..22)]);
    }
}
