//! References in files: `${secret:REF}` in the strings of YAML, JSON, TOML, dotenv, INI and plain text.
//!
//! A document is filled in two steps, so that whoever fills it reads all secrets at once between them: [`Document::parse`]
//! tells what it refers to, and [`Document::filled`] puts the values in. Nothing but the strings with references changes,
//! by a byte, and a value is written as its place needs, so that it stays exactly this string: what was written is read
//! again and compared before anything of it is given out. `$${secret:` stands for `${secret:`; all else that has a `$` stays.

mod dotenv;
mod find;
mod ini;
mod json;
mod mistake;
mod scan;
mod toml;
mod typed;
mod written;
mod yaml;

use std::ops::Range;

use zeroize::Zeroizing;

pub(crate) use self::mistake::lines_of;
pub use self::mistake::{Error, Mistake, Place, Why};
pub use self::scan::OPENING;
pub use self::typed::resolve;

use self::find::{Finder, Slot};
use self::mistake::Lines;
use self::scan::References;
use crate::reference::Reference;
use crate::secret::Value;

/// The longest document, in bytes: what people write by hand is a thousandth of it.
pub const LONGEST: usize = 16 << 20;

/// The longest document with its values, in bytes: a line that names a long secret often must not fill the memory.
pub const LONGEST_FILLED: usize = 64 << 20;

/// The most references of a document.
pub const MOST: usize = 10_000;

/// How deep a document may be nested.
const DEEPEST: usize = 128;

/// The mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2, also of several documents.
    Yaml,
    /// JSON (RFC 8259).
    Json,
    /// TOML 1.1.
    Toml,
    /// `NAME=value` on a line each, as `python-dotenv` reads it.
    Dotenv,
    /// Sections of names and values, as Python's `configparser` reads them.
    Ini,
    /// Anything: references are bytes among bytes.
    Text,
}

impl Format {
    /// What can be said in place of a file's name.
    pub const NAMES: [&'static str; 6] = ["yaml", "json", "toml", "dotenv", "ini", "text"];

    /// The format of that name, one of [`Format::NAMES`].
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "yaml" => Self::Yaml,
            "json" => Self::Json,
            "toml" => Self::Toml,
            "dotenv" => Self::Dotenv,
            "ini" => Self::Ini,
            "text" => Self::Text,
            _ => return None,
        })
    }

    /// The format that a file's name tells, without its folders: by its ending, or `.env` and `.env.local`.
    ///
    /// An ending that is no format's (`nginx.conf`) tells nothing: what it says may have rules of its own.
    pub fn of_file(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        if name == ".env" || name.starts_with(".env.") {
            return Some(Self::Dotenv);
        }
        Some(match name.rsplit_once('.')?.1 {
            "yaml" | "yml" => Self::Yaml,
            "json" => Self::Json,
            "toml" => Self::Toml,
            "env" => Self::Dotenv,
            "ini" => Self::Ini,
            "txt" => Self::Text,
            _ => return None,
        })
    }

    /// The rules of a format of text; plain bytes have none.
    fn syntax(self) -> Option<&'static dyn Syntax> {
        match self {
            Self::Yaml => Some(&yaml::Yaml),
            Self::Json => Some(&json::Json),
            Self::Toml => Some(&toml::Toml),
            Self::Dotenv => Some(&dotenv::Dotenv),
            Self::Ini => Some(&ini::Ini),
            Self::Text => None,
        }
    }

    fn shown(self) -> &'static str {
        self.syntax().map_or("text", Syntax::name)
    }
}

/// A string of a document that has something to fill in, or something like it.
struct Found {
    /// Its bytes, with quotes.
    token: Range<usize>,
    /// Where among them its text stands.
    content: Range<usize>,
    /// What it reads as.
    text: String,
}

/// What puts values into the texts of a document.
type Filling<'a> = &'a dyn Fn(&str) -> Option<Zeroizing<String>>;

/// The rules of one format.
trait Syntax: Sync {
    /// How people call it.
    fn name(&self) -> &'static str;

    /// Each string with the beginning of a reference. What is wrong with the document goes to `wrong`, by its byte.
    fn strings(&self, source: &str, wrong: &mut Vec<(usize, Why)>) -> Vec<Found>;

    /// A value as it is written among the other text of this token; `None` where the token has to be written anew.
    fn within(&self, token: &str, value: &str) -> Option<Zeroizing<String>>;

    /// Whether what was written in the place of this token, by itself, reads as this text.
    fn holds(&self, token: &str, written: &str, text: &str) -> bool;

    /// What takes the place of a token so that it reads as this text, or what of the text can't be written there.
    fn whole(&self, token: &str, text: &str) -> Result<Zeroizing<String>, &'static str>;

    /// Whether one document reads as the other with its strings filled.
    fn is_filled(&self, before: &str, after: &str, filled: Filling<'_>) -> bool;
}

/// A document that was read, with its references.
pub struct Document {
    bytes: Vec<u8>,
    /// How many bytes of these stand before the text.
    skipped: usize,
    format: Format,
    references: References,
    places: Vec<(usize, Place)>,
    slots: Vec<Slot>,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A file with references may hold values, too.
        f.debug_struct("Document").field("format", &self.format).field("places", &self.places).finish_non_exhaustive()
    }
}

impl Document {
    /// Reads a document and finds its references.
    ///
    /// # Errors
    /// It is longer than [`LONGEST`], is not of this format, or some of its references are none: all that is wrong with
    /// it, by line and column.
    pub fn parse(bytes: Vec<u8>, format: Format) -> Result<Self, Error> {
        if bytes.len() > LONGEST {
            return Err(Error::TooLong(LONGEST));
        }
        let skipped = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let body = bytes.get(skipped..).unwrap_or_default();
        let mut finder = Finder::default();
        finder.find(body, format.syntax());
        let mut lines = Lines::new(body);
        if !finder.wrong.is_empty() {
            finder.wrong.sort_by_key(|(at, _)| *at);
            let mistake = |(at, why)| Mistake { place: lines.place(at), why };
            return Err(Error::Mistakes(finder.wrong.into_iter().map(mistake).collect()));
        }
        let places = finder.places.into_iter().map(|(number, at)| (number, lines.place(at))).collect();
        Ok(Self { skipped, format, references: finder.references, places, slots: finder.slots, bytes })
    }

    /// What it refers to, each secret once however often it stands there, in the order of the document.
    pub fn references(&self) -> &[Reference] {
        self.references.all()
    }

    /// Where references stand, in the order of the document: each with its number among [`Document::references`].
    pub fn places(&self) -> &[(usize, Place)] {
        &self.places
    }

    /// The document with these values, one for each of [`Document::references`] in the same order.
    ///
    /// # Errors
    /// A value that the format can't hold, by each place where it was to stand; or it would be longer than
    /// [`LONGEST_FILLED`].
    pub fn filled(&self, values: &[Value]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if values.len() != self.references().len() {
            return Err(Error::Values);
        }
        let values: Vec<&[u8]> = values.iter().map(Value::expose).collect();
        let added: usize =
            self.places.iter().filter_map(|(number, _)| values.get(*number)).map(|value| value.len()).sum();
        if self.bytes.len() + added > LONGEST_FILLED {
            return Err(Error::TooLongFilled(LONGEST_FILLED));
        }
        let differs = Error::Differs(self.format.shown());
        let Some(syntax) = self.format.syntax() else {
            return self.references.filled(&self.bytes, &values).ok_or(differs);
        };
        let texts = self.texts(&values, syntax)?;
        let filled = self.assembled(self.tokens(syntax, &texts)?)?;
        let after = filled.get(self.skipped..).and_then(|after| std::str::from_utf8(after).ok());
        let (Ok(before), Some(after)) = (std::str::from_utf8(self.body()), after) else {
            return Err(differs);
        };
        let proof = |text: &str| self.references.filled_text(text, &texts);
        // Nobody is handed a file that means something else, whatever was overlooked above.
        if self.slots.is_empty() || syntax.is_filled(before, after, &proof) { Ok(filled) } else { Err(differs) }
    }

    fn body(&self) -> &[u8] {
        self.bytes.get(self.skipped..).unwrap_or_default()
    }

    /// The values as text.
    fn texts<'a>(&self, values: &[&'a [u8]], syntax: &dyn Syntax) -> Result<Vec<&'a str>, Error> {
        let read: Vec<Option<&str>> = values.iter().map(|value| std::str::from_utf8(value).ok()).collect();
        let is_binary = |number: usize| read.get(number).is_none_or(Option::is_none);
        let binary = self.places.iter().filter(|(number, _)| is_binary(*number));
        let mistakes: Vec<Mistake> =
            binary.map(|(_, place)| Mistake { place: *place, why: Why::Binary(syntax.name()) }).collect();
        if mistakes.is_empty() { Ok(read.into_iter().flatten().collect()) } else { Err(Error::Mistakes(mistakes)) }
    }

    /// What takes the place of each slot's token.
    fn tokens(&self, syntax: &dyn Syntax, values: &[&str]) -> Result<Vec<Zeroizing<String>>, Error> {
        let (mut tokens, mut mistakes) = (Vec::with_capacity(self.slots.len()), Vec::new());
        let mut lines = Lines::new(self.body());
        let source = std::str::from_utf8(self.body()).unwrap_or_default();
        for slot in &self.slots {
            let Some(text) = self.references.filled_text(&slot.found.text, values) else {
                return Err(Error::Differs(syntax.name()));
            };
            let token = source.get(slot.found.token.clone()).unwrap_or_default();
            let spliced = slot.spliced(source, |spelling| {
                let value = values.get(self.references.number(spelling)?)?;
                syntax.within(token, value)
            });
            match spliced.filter(|spliced| syntax.holds(token, spliced, &text)) {
                Some(spliced) => tokens.push(spliced),
                None => match syntax.whole(token, &text) {
                    Ok(whole) => tokens.push(whole),
                    Err(what) => {
                        let why = Why::Unfit { format: syntax.name(), what };
                        mistakes.push(Mistake { place: lines.place(slot.start()), why });
                    }
                },
            }
        }
        if mistakes.is_empty() { Ok(tokens) } else { Err(Error::Mistakes(mistakes)) }
    }

    /// The document with other tokens; all between them is as it was.
    fn assembled(&self, tokens: Vec<Zeroizing<String>>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let added: usize = tokens.iter().map(|token| token.len()).sum();
        if self.bytes.len() + added > LONGEST_FILLED {
            return Err(Error::TooLongFilled(LONGEST_FILLED));
        }
        // Of its full length at once: a buffer that grows leaves copies behind that nobody wipes.
        let mut filled = Zeroizing::new(Vec::with_capacity(self.bytes.len() + added));
        let mut from = 0;
        for (slot, token) in self.slots.iter().zip(tokens) {
            let place = slot.found.token.start + self.skipped..slot.found.token.end + self.skipped;
            filled.extend_from_slice(self.bytes.get(from..place.start).unwrap_or_default());
            filled.extend_from_slice(token.as_bytes());
            from = place.end;
        }
        filled.extend_from_slice(self.bytes.get(from..).unwrap_or_default());
        Ok(filled)
    }
}

#[cfg(test)]
mod tests;
