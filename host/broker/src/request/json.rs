//! JSON as a body is checked and sent: read strictly once, so that it has one meaning, and printed again by the host.
//!
//! A reader for one purpose: `serde_json` keeps the last of two fields with one name, wipes nothing, and lets an object
//! pose as a number where numbers keep their digits. What is read here is RFC 8259 and nothing beside it.

use std::fmt::Write as _;

use zeroize::Zeroizing;

/// How deep values may lie: more than a plugin that reads its own input with `serde_json` (128) can build.
const DEEPEST: usize = 160;

/// How many values a body may have, which bounds the memory that one of a few bytes each takes.
const MOST: usize = 100_000;

/// The longest number, in characters: twice what 64 bits or a double ever need.
const LONGEST_NUMBER: usize = 64;

/// A value, its texts and numbers wiped when it is dropped: they may be what is being written.
pub(crate) enum Json {
    Null,
    Boolean(bool),
    /// As it was written, digit by digit.
    Number(Zeroizing<String>),
    Text(Zeroizing<String>),
    List(Vec<Self>),
    /// In the order of the body; each name stands there once.
    Object(Vec<(String, Self)>),
}

/// Why a body has no one meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not JSON, or too much of it.
    Malformed(&'static str),
    /// The name that stands twice in one object.
    Repeated(String),
}

const CUT: Fault = Fault::Malformed("it is cut short");
const OTHER: Fault = Fault::Malformed("it has something in it that JSON has not");

impl Json {
    /// Reads a whole body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(body).map_err(|_| Fault::Malformed("it is not UTF-8"))?;
        let mut reader = Reader { text, at: 0, values: 0 };
        let value = reader.value(0)?;
        reader.space();
        if reader.at < text.len() {
            return Err(Fault::Malformed("there is more behind its end"));
        }
        Ok(value)
    }

    /// The value as the host writes it: without spaces, each text in the one spelling with the fewest escapes.
    pub(crate) fn to_bytes(&self, most: usize) -> Zeroizing<Vec<u8>> {
        // What is printed is never longer than what was read, so the buffer never moves and leaves no copy behind.
        let mut text = String::with_capacity(most);
        self.print(&mut text);
        Zeroizing::new(text.into_bytes())
    }

    fn print(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) => print_text(text, out),
            Self::List(values) => {
                out.push('[');
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    value.print(out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    print_text(name, out);
                    out.push(':');
                    value.print(out);
                }
                out.push('}');
            }
        }
    }
}

fn print_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            // Writing to a string can't fail.
            control if control < ' ' => write!(out, "\\u{:04x}", u32::from(control)).unwrap_or_default(),
            plain => out.push(plain),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    text: &'a str,
    /// The next byte; always at the beginning of a character.
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The text from `start` to where the reader stands.
    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn space(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    /// Passes over bytes, all of which are ASCII, and answers how many.
    fn skip(&mut self, is_one: impl Fn(u8) -> bool) -> usize {
        let start = self.at;
        while self.peek().is_some_and(&is_one) {
            self.at += 1;
        }
        self.at - start
    }

    /// Passes over this byte, if it is the next one.
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        self.space();
        match self.peek() {
            Some(found) if found == byte => self.at += 1,
            Some(_) => return Err(OTHER),
            None => return Err(CUT),
        }
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Json, Fault> {
        if depth > DEEPEST {
            return Err(Fault::Malformed("it is nested too deep"));
        }
        self.values += 1;
        if self.values > MOST {
            return Err(Fault::Malformed("it has too many values"));
        }
        self.space();
        match self.peek().ok_or(CUT)? {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Json::Text),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", Json::Boolean(true)),
            b'f' => self.word("false", Json::Boolean(false)),
            b'n' => self.word("null", Json::Null),
            _ => Err(OTHER),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, Fault> {
        if !self.text.get(self.at..).unwrap_or_default().starts_with(word) {
            return Err(OTHER);
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Json, Fault> {
        const RULE: Fault = Fault::Malformed("a number in it is not written as JSON writes numbers");
        let start = self.at;
        let is_digit = |byte: u8| byte.is_ascii_digit();
        self.takes(b'-');
        // A zero that others follow is octal to some and decimal to others.
        if !self.takes(b'0') && self.skip(is_digit) == 0 {
            return Err(RULE);
        }
        if self.takes(b'.') && self.skip(is_digit) == 0 {
            return Err(RULE);
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _ = self.takes(b'+') || self.takes(b'-');
            if self.skip(is_digit) == 0 {
                return Err(RULE);
            }
        }
        let digits = self.since(start);
        if digits.len() > LONGEST_NUMBER || self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            return Err(RULE);
        }
        Ok(Json::Number(Zeroizing::new(digits.to_owned())))
    }

    fn list(&mut self, depth: usize) -> Result<Json, Fault> {
        self.expect(b'[')?;
        let mut values = Vec::new();
        self.space();
        if self.takes(b']') {
            return Ok(Json::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.space();
            if self.takes(b']') {
                return Ok(Json::List(values));
            }
            self.expect(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Fault> {
        self.expect(b'{')?;
        let mut fields = Vec::new();
        self.space();
        if self.takes(b'}') {
            return Ok(Json::Object(fields));
        }
        loop {
            self.space();
            if self.peek().is_some_and(|byte| byte != b'"') {
                return Err(OTHER);
            }
            let name = self.string()?;
            self.expect(b':')?;
            fields.push((name.to_string(), self.value(depth + 1)?));
            self.space();
            if self.takes(b'}') {
                break;
            }
            self.expect(b',')?;
        }
        // Which of two a server takes depends on the server, so whatever was checked, the other one could count.
        let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let repeated = names.windows(2).find_map(|pair| match pair {
            [one, other] if one == other => Some((*one).to_owned()),
            _ => None,
        });
        repeated.map_or(Ok(Json::Object(fields)), |name| Err(Fault::Repeated(name)))
    }

    /// A text with its escapes taken back, so that a name has one spelling whatever it is written with.
    fn string(&mut self) -> Result<Zeroizing<String>, Fault> {
        self.expect(b'"')?;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut is_escaped = false;
        let end = rest.bytes().position(|byte| {
            let ends = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            ends
        });
        // No text is longer than it is written, so this one is never moved and leaves no copy behind.
        let mut text = Zeroizing::new(String::with_capacity(end.ok_or(CUT)?));
        loop {
            let start = self.at;
            while self.peek().is_some_and(|byte| byte >= b' ' && !matches!(byte, b'"' | b'\\')) {
                self.at += 1;
            }
            text.push_str(self.since(start));
            match self.peek().ok_or(CUT)? {
                b'"' => break,
                b'\\' => text.push(self.escape()?),
                _ => return Err(Fault::Malformed("a text in it has a control character")),
            }
        }
        self.at += 1;
        Ok(text)
    }

    fn escape(&mut self) -> Result<char, Fault> {
        const RULE: Fault = Fault::Malformed("a text in it has an escape that stands for no character");
        self.at += 1;
        let letter = self.peek().ok_or(CUT)?;
        let plain = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                let unit = self.unit().ok_or(RULE)?;
                // RFC 8259, section 7: two units, high and low, for what lies beyond the first plane.
                let units = match unit {
                    0xd800..=0xdbff if self.takes(b'\\') && self.takes(b'u') => [unit, self.unit().ok_or(RULE)?],
                    0xd800..=0xdfff => return Err(RULE),
                    _ => [unit, 0],
                };
                let count = if matches!(unit, 0xd800..=0xdbff) { 2 } else { 1 };
                let mut decoded = char::decode_utf16(units.into_iter().take(count));
                return decoded.next().and_then(Result::ok).ok_or(RULE);
            }
            _ => return Err(RULE),
        };
        self.at += 1;
        Ok(plain)
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u16> {
        let digits =
            self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        self.at += 4;
        u16::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests;
