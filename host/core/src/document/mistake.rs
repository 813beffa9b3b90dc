//! What is wrong with a document, and where: by line and column, and never with what stands there.

use std::fmt;

use crate::Kind;
use crate::provider::Failure;

/// The most mistakes that are told one by one: a file of rubbish does not fill the terminal.
const MOST_TOLD: usize = 100;

/// A place in a document; a byte-order mark counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The character within the line, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The file is not of its format.
    #[error("this can't be read as {0}")]
    Syntax(&'static str),
    /// The file is not UTF-8.
    #[error("the file is not UTF-8 from here on, and {0} is")]
    NotText(&'static str),
    /// A bracket in a bracket in a bracket.
    #[error("the file is nested deeper than {0} levels")]
    TooDeep(usize),
    /// More references than are read at once.
    #[error("the file has more than {0} references")]
    TooMany(usize),
    /// `${secret:` without a `}` on the same line.
    #[error("`${{secret:` is opened here and no `}}` closes it on this line")]
    Unterminated,
    /// What stands between the braces names no secret.
    #[error("this names no secret: {0}")]
    Reference(#[from] crate::reference::Error),
    /// A reference in a name of the structure, where a value would change what the file means.
    #[error("a reference stands in a value, and not in a name")]
    InName,
    /// A reference where the format has no string.
    #[error("a reference stands in a string, and this is none: put it in quotes")]
    NoString,
    /// A value that is not UTF-8, for a format of text.
    #[error("the value is not UTF-8, and {0} holds text alone")]
    Binary(&'static str),
    /// A value that the format, or the place in it, has no way to write.
    #[error("the value has {what}, and {format} has no way to write that here")]
    Unfit {
        /// The format.
        format: &'static str,
        /// What it can't write.
        what: &'static str,
    },
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub place: Place,
    /// What.
    pub why: Why,
}

/// Why a document can't be read, or not be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// These places of it are wrong: all of them, in their order.
    #[error("{}", told(.0))]
    Mistakes(Vec<Mistake>),
    /// It is longer than documents are.
    #[error("it is longer than {} MiB", .0 >> 20)]
    TooLong(usize),
    /// With its values it would be longer than documents are.
    #[error("with its values it would be longer than {} MiB", .0 >> 20)]
    TooLongFilled(usize),
    /// What was written did not read as it should: nothing of it was given out.
    #[error("what was written as {0} does not read as it should, so nothing is given out")]
    Differs(&'static str),
    /// Not as many values as references.
    #[error("there are not as many values as references")]
    Values,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Differs(_) | Error::Values => Kind::Internal,
            _ => Kind::InvalidRequest,
        };
        Self::new(kind, error.to_string())
    }
}

impl Error {
    /// The same with the file's name before each place, as compilers write it.
    pub fn of_file(self, file: &str) -> Failure {
        match &self {
            Self::Mistakes(mistakes) => {
                let lines = mistakes.iter().map(|mistake| format!("{file}:{}: {}", mistake.place, mistake.why));
                Failure::new(Kind::InvalidRequest, lines_of("places are wrong", lines))
            }
            _ => self.into(),
        }
    }
}

fn told(mistakes: &[Mistake]) -> String {
    lines_of("places are wrong", mistakes.iter().map(|mistake| format!("{}: {}", mistake.place, mistake.why)))
}

/// One line as it is, and several below each other under their number and `what` they are: the first hundred of them.
pub(crate) fn lines_of(what: &str, lines: impl ExactSizeIterator<Item = String>) -> String {
    let all = lines.len();
    let mut told: Vec<String> = lines.take(MOST_TOLD).collect();
    if all > MOST_TOLD {
        told.push(format!("and {} more", all - MOST_TOLD));
    }
    match told.as_slice() {
        [one] => one.clone(),
        several => {
            let lines: String = several.iter().map(|line| format!("\n  {line}")).collect();
            format!("{all} {what}{lines}")
        }
    }
}

/// Turns places in bytes into lines and columns; each way is short where the places come in order.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    place: Place,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, place: Place { line: 1, column: 1 } }
    }

    /// The place of a byte.
    pub(super) fn place(&mut self, byte: usize) -> Place {
        if byte < self.at {
            *self = Self::new(self.text);
        }
        for passed in self.text.get(self.at..byte).unwrap_or_default() {
            match passed {
                b'\n' => self.place = Place { line: self.place.line + 1, column: 1 },
                // Bytes that go on with a character are none of their own.
                0x80..=0xbf => {}
                _ => self.place.column += 1,
            }
        }
        self.at = byte;
        self.place
    }
}
