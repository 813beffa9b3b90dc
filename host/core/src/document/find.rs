//! Which strings of a document have references, and what is wrong with it.

use zeroize::Zeroizing;

use super::mistake::Why;
use super::scan::{Mark, References, marks};
use super::{Found, MOST, Syntax};

/// A string to be filled.
pub(super) struct Slot {
    pub(super) found: Found,
    /// Its marks as they stand in the document, counted from where its content begins; `None` where escapes of the format
    /// hide some of them.
    marks: Option<Vec<Mark>>,
}

impl Slot {
    /// The byte where its first mark stands, or its token where that can't be told.
    pub(super) fn start(&self) -> usize {
        let first = self.marks.as_ref().and_then(|marks| marks.first());
        first.map_or(self.found.token.start, |mark| self.found.content.start + mark.start())
    }

    /// The token with its references written over, and all else of it as it was; `None` where one of them can't be.
    pub(super) fn spliced(
        &self,
        source: &str,
        value: impl Fn(&[u8]) -> Option<Zeroizing<String>>,
    ) -> Option<Zeroizing<String>> {
        let (token, content) = (self.found.token.clone(), self.found.content.start);
        let marks = self.marks.as_ref()?;
        let mut values = Vec::with_capacity(marks.len());
        let mut length = token.len();
        for mark in marks {
            let range = content + mark.range().start..content + mark.range().end;
            let written = match mark {
                Mark::Reference(_) => value(source.as_bytes().get(range.clone())?)?,
                _ => Zeroizing::default(),
            };
            length += written.len();
            values.push((range, written));
        }
        let mut spliced = Zeroizing::new(String::with_capacity(length));
        let mut from = token.start;
        for (range, written) in values {
            spliced.push_str(source.get(from..range.start)?);
            spliced.push_str(&written);
            from = range.end;
        }
        spliced.push_str(source.get(from..token.end)?);
        Some(spliced)
    }
}

/// What is found in a document; places are bytes.
#[derive(Default)]
pub(super) struct Finder {
    pub(super) references: References,
    pub(super) places: Vec<(usize, usize)>,
    pub(super) slots: Vec<Slot>,
    pub(super) wrong: Vec<(usize, Why)>,
}

impl Finder {
    /// Goes over a document of this syntax, or over bytes that have none.
    pub(super) fn find(&mut self, body: &[u8], syntax: Option<&dyn Syntax>) {
        match syntax {
            None => {
                let marks = marks(body);
                self.note(body, &marks, marks.iter().map(Mark::start));
            }
            Some(syntax) => match std::str::from_utf8(body).map(|source| syntax.strings(source, &mut self.wrong)) {
                Err(error) => self.wrong.push((error.valid_up_to(), Why::NotText(syntax.name()))),
                Ok(mut found) => {
                    found.sort_by_key(|found| found.token.start);
                    found.into_iter().for_each(|found| self.slot(found, body));
                }
            },
        }
        if let Some((_, at)) = self.places.get(MOST) {
            self.wrong.push((*at, Why::TooMany(MOST)));
        }
    }

    fn slot(&mut self, found: Found, body: &[u8]) {
        let text = found.text.as_bytes();
        let content = body.get(found.content.clone()).unwrap_or_default();
        let (read, written) = (marks(text), marks(content));
        // What the format spells differently (`\/` of JSON) is found in the text alone.
        let is_same = |(one, other): (&Mark, &Mark)| {
            std::mem::discriminant(one) == std::mem::discriminant(other)
                && text.get(one.range()) == content.get(other.range())
        };
        if read.len() == written.len() && read.iter().zip(&written).all(is_same) {
            self.note(text, &read, written.iter().map(|mark| found.content.start + mark.start()));
            self.slots.push(Slot { found, marks: Some(written) });
        } else {
            self.note(text, &read, read.iter().map(|_| found.token.start));
            self.slots.push(Slot { found, marks: None });
        }
    }

    fn note(&mut self, text: &[u8], marks: &[Mark], starts: impl Iterator<Item = usize>) {
        for (mark, at) in marks.iter().zip(starts) {
            match mark {
                Mark::Escape(_) => {}
                Mark::Open(_) => self.wrong.push((at, Why::Unterminated)),
                Mark::Reference(range) => match self.references.note(text, range) {
                    Ok(number) => self.places.push((number, at)),
                    Err(why) => self.wrong.push((at, why)),
                },
            }
        }
    }
}
