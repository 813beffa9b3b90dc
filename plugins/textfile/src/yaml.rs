//! YAML files of one document. Aliases are not followed, so that a few lines can't stand for a gigabyte.

use std::ops::Range;

use forge_sdk::Error;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::tree::{DEEPEST, Kind, Node, Pair, check_names};

/// Reads a text; `None` for one without any value.
///
/// # Errors
///
/// `upstream`, naming the line; the parser's own words may repeat what stands there, so they are not used.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Error> {
    let mut reader = Reader { text, parser: Parser::new_from_str(text), index: 0, at: 0 };
    let mut root = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(root),
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            Event::DocumentStart(_) if root.is_some() => {
                return Err(Error::upstream(format!(
                    "a second document begins in line {} of the file, and only files of one are supported",
                    span.start.line()
                )));
            }
            Event::DocumentStart(_) => {
                let (event, span) = reader.next()?;
                root = Some(reader.node(event, span, 0, 0)?);
            }
            _ => return Err(Error::upstream("the file is no YAML document")),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// A place that was met last, in characters and in bytes: the parser counts the former.
    index: usize,
    at: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Error> {
        let refuse = |line| Error::upstream(format!("line {line} of the file is no YAML"));
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(refuse(ScanError::marker(&error).line())),
            None => Err(refuse(1)),
        }
    }

    /// The byte of a character. Parts follow each other, so the way from the last one is short.
    fn byte(&mut self, marker: Marker) -> usize {
        while self.index < marker.index() {
            let Some(character) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) else { break };
            self.at += character.len_utf8();
            self.index += 1;
        }
        while self.index > marker.index() {
            let Some(character) = self.text.get(..self.at).and_then(|before| before.chars().next_back()) else { break };
            self.at -= character.len_utf8();
            self.index -= 1;
        }
        self.at
    }

    /// A value with all below it. `behind` is the end of its name, behind which its own text begins.
    fn node(&mut self, event: Event<'a>, span: Span, behind: usize, depth: usize) -> Result<Node, Error> {
        if depth > DEEPEST {
            return Err(Error::upstream(format!("the file is nested more than {DEEPEST} deep")));
        }
        let start = self.byte(span.start);
        match event {
            Event::Alias(_) => {
                let end = self.byte(span.end);
                Ok(Node { is_tied: true, ..Node::new(start..end, Kind::Other("an alias of another value")) })
            }
            Event::Scalar(value, style, anchor, tag) => {
                let place = self.scalar(behind, start, span, style);
                let is_null =
                    style == ScalarStyle::Plain && matches!(value.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                let kind = match &tag {
                    Some(tag) if !is_text(tag) => Kind::Other("a value with a tag"),
                    None if is_null => Kind::Null,
                    _ => Kind::Text(value.into_owned()),
                };
                Ok(Node { is_tied: anchor != 0 || tag.is_some(), ..Node::new(place, kind) })
            }
            Event::SequenceStart(..) => self.sequence(start, depth),
            Event::MappingStart(anchor, tag) => {
                let node = self.mapping(start, depth)?;
                Ok(Node { is_tied: anchor != 0 || tag.is_some(), ..node })
            }
            _ => Err(Error::upstream("the file is no YAML document")),
        }
    }

    /// The bytes of a scalar. The parser's own end of a quoted one lies behind the comment that follows it, and its
    /// beginning of a block behind the sign that opens it.
    fn scalar(&mut self, behind: usize, start: usize, span: Span, style: ScalarStyle) -> Range<usize> {
        let end = self.byte(span.end);
        let within = self.text.get(start..end).unwrap_or_default();
        match style {
            ScalarStyle::Plain => start..end,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                start..start + quoted_length(within).unwrap_or(within.len())
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let before = self.text.get(behind..start).unwrap_or_default();
                let sign = before.find(['|', '>']).map_or(start, |sign| behind + sign);
                let header_end = self.text.get(sign..).and_then(|rest| rest.find(['\r', '\n']));
                let content_end = start + within.trim_end().len();
                sign..content_end.max(header_end.map_or(content_end, |length| sign + length))
            }
        }
    }

    fn sequence(&mut self, start: usize, depth: usize) -> Result<Node, Error> {
        let mut last = start;
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let end = self.byte(span.start);
                let is_flow = self.text.get(start..).is_some_and(|rest| rest.starts_with('['));
                return Ok(Node::new(start..if is_flow { end + 1 } else { last }, Kind::Other("a list")));
            }
            last = self.node(event, span, last, depth + 1)?.place.end;
        }
    }

    fn mapping(&mut self, start: usize, depth: usize) -> Result<Node, Error> {
        let is_flow = self.text.get(start..).is_some_and(|rest| rest.starts_with('{'));
        let mut pairs: Vec<Pair> = Vec::new();
        let mut is_plain = true;
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let end = self.byte(span.start);
                let last = pairs.last().map_or(start, |pair| pair.value.place.end);
                let place = start..if is_flow { end + 1 } else { last };
                if !is_plain {
                    return Ok(Node::new(place, Kind::Other("a mapping whose names are no text")));
                }
                check_names(self.text, &pairs)?;
                return Ok(Node::new(place, Kind::Mapping { is_flow, pairs }));
            }
            let is_merge = matches!(&event, Event::Scalar(name, ScalarStyle::Plain, ..) if name == "<<");
            let name = self.node(event, span, start, depth + 1)?;
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, name.place.end, depth + 1)?;
            if is_merge {
                value.kind = Kind::Other("a merge of another mapping");
            }
            let (text, is_tied) = match name.kind {
                Kind::Text(text) => (text, name.is_tied),
                // `null:` and `~:` are written like names, and are none.
                _ => (String::new(), true),
            };
            is_plain &= !is_tied;
            pairs.push(Pair { name: text, name_place: name.place, value });
        }
    }
}

fn is_text(tag: &Tag) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == "str"
}

/// How long a text in quotes is that `text` begins with.
fn quoted_length(text: &str) -> Option<usize> {
    let mut characters = text.char_indices();
    let (_, quote) = characters.next().filter(|(_, quote)| matches!(quote, '\'' | '"'))?;
    while let Some((at, character)) = characters.next() {
        if character == '\\' && quote == '"' {
            characters.next();
        } else if character == quote {
            // Two of them are one of the text, in single quotes.
            if quote == '\'' && text.get(at + 1..).is_some_and(|rest| rest.starts_with('\'')) {
                characters.next();
                continue;
            }
            return Some(at + 1);
        }
    }
    None
}
