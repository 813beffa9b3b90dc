//! Changes of one entry in a JSON or YAML text: the bytes of that entry are replaced, and all others stay.

use std::ops::Range;

use forge_sdk::Error;

use super::line_end;
use super::tree::{Kind, Node, Pair};

/// How the first entry of a file without any is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// In braces.
    Flow,
    /// With a line for each.
    Block,
}

/// What is to stand in the place of some bytes.
type Change = (Range<usize>, String);

/// The text with `value` at `path`.
///
/// # Errors
///
/// `invalid-request` where values can't lie at or below this path, `unsupported` for what is better changed by hand.
pub(super) fn set(text: &str, root: Option<&Node>, style: Style, path: &str, value: &str) -> Result<String, Error> {
    let segments: Vec<&str> = path.split('/').collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return Err(Error::invalid_request("a path has no empty segment, and no `/` at its ends"));
    }
    let Some(mut node) = root else { return Ok(first(text, style, &segments, value)) };
    let mut above: Option<&Pair> = None;
    let mut rest = segments.as_slice();
    while let Some((segment, below)) = rest.split_first() {
        match &node.kind {
            Kind::Mapping { is_flow, pairs } => match pairs.iter().find(|pair| pair.name == *segment) {
                Some(pair) if below.is_empty() => return Ok(changed(text, vec![replaced(text, pair, value)?])),
                Some(pair) => {
                    (node, above, rest) = (&pair.value, Some(pair), below);
                }
                None if node.is_tied => return Err(tied()),
                None if *is_flow => return Ok(changed(text, flow_added(text, node, pairs, rest, value))),
                None => return Ok(changed(text, vec![block_added(text, pairs, rest, value)?])),
            },
            Kind::Null if node.is_tied => return Err(tied()),
            Kind::Null => return Ok(null_filled(text, style, node, above, rest, value)),
            Kind::Text(_) => {
                return Err(Error::invalid_request(
                    "a value stands on the way to this path, so nothing can lie below it",
                ));
            }
            Kind::Other(what) => {
                return Err(Error::unsupported(format!("on the way to this path there is {what}")));
            }
        }
    }
    Err(Error::internal("a path without segments"))
}

/// The text without the entry at `path`, or as it is where there is none.
///
/// # Errors
///
/// `unsupported` for what is better changed by hand.
pub(super) fn remove(text: &str, root: Option<&Node>, path: &str) -> Result<String, Error> {
    let (mut node, mut above): (Option<&Node>, Option<&Pair>) = (root, None);
    let mut segments = path.split('/').peekable();
    while let (Some(Kind::Mapping { is_flow, pairs }), Some(segment)) = (node.map(|node| &node.kind), segments.next()) {
        let Some(at) = pairs.iter().position(|pair| pair.name == segment) else { break };
        let (before, rest) = pairs.split_at(at);
        let Some((pair, after)) = rest.split_first() else { break };
        if segments.peek().is_some() {
            (node, above) = (Some(&pair.value), Some(pair));
            continue;
        }
        if pair.value.is_tied {
            return Err(tied());
        }
        if *is_flow {
            return Ok(changed(text, flow_removed(text, before.last(), pair, after.first())));
        }
        let mut changes = vec![block_removed(text, pair)?];
        if let (true, Some(above)) = (pairs.len() == 1, above) {
            let at = behind_colon(text, above);
            changes.push((at..at, " {}".to_owned()));
        }
        return Ok(changed(text, changes));
    }
    Ok(text.to_owned())
}

fn tied() -> Error {
    Error::unsupported("the value has an anchor, an alias or a tag, so it can only be changed by hand")
}

/// The text with all changes, none of which overlap.
fn changed(text: &str, mut changes: Vec<Change>) -> String {
    // From the end on, so that the places before stay what they are; a later change at one place comes first.
    changes.sort_by_key(|(place, _)| place.start);
    let mut new = text.to_owned();
    for (place, with) in changes.into_iter().rev() {
        if new.get(place.clone()).is_some() {
            new.replace_range(place, &with);
        }
    }
    new
}

/// A text in double quotes, with the escapes that JSON and both versions of YAML share.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for character in json.chars() {
        // YAML breaks lines at some of these and refuses others; in JSON they may be escaped as well.
        if matches!(character, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') {
            quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            quoted.push(character);
        }
    }
    quoted
}

/// A name as a line of YAML begins with it; bare where no reader takes it for anything else.
fn block_name(name: &str) -> String {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_bare =
        name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_ascii_digit() || matches!(c, '-' | '.'));
    let is_word =
        ["y", "n", "yes", "no", "true", "false", "on", "off", "null"].contains(&name.to_ascii_lowercase().as_str());
    if is_bare && !is_word { name.to_owned() } else { quoted(name) }
}

/// `"a": {"b": "value"}`
fn flow_entry(segments: &[&str], value: &str) -> String {
    let value = quoted(value);
    let (Some((last, rest)), closing) = (segments.split_last(), "}".repeat(segments.len().saturating_sub(1))) else {
        return value;
    };
    let opening: String = rest.iter().map(|segment| format!("{}: {{", quoted(segment))).collect();
    format!("{opening}{}: {value}{closing}", quoted(last))
}

/// A line for each segment, the value on the last one.
fn block_lines(text: &str, indent: &str, segments: &[&str], value: &str) -> String {
    let mut lines = String::new();
    for (depth, segment) in segments.iter().enumerate() {
        let end = if depth + 1 == segments.len() { format!(" {}", quoted(value)) } else { String::new() };
        lines.push_str(&format!("{indent}{}{}:{end}{}", "  ".repeat(depth), block_name(segment), line_end(text)));
    }
    lines
}

fn first(text: &str, style: Style, segments: &[&str], value: &str) -> String {
    let end = line_end(text);
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    match style {
        Style::Flow => format!("{text}{gap}{{{end}  {}{end}}}{end}", flow_entry(segments, value)),
        Style::Block => format!("{text}{gap}{}", block_lines(text, "", segments, value)),
    }
}

/// The entry of a mapping, its value replaced.
fn replaced(text: &str, pair: &Pair, value: &str) -> Result<Change, Error> {
    match &pair.value.kind {
        _ if pair.value.is_tied => Err(tied()),
        Kind::Text(_) | Kind::Null => Ok(put_in_place(text, pair, quoted(value))),
        Kind::Mapping { .. } => {
            Err(Error::invalid_request("other values lie below this path, so it can't be one itself"))
        }
        Kind::Other(what) => Err(Error::unsupported(format!("what stands there is {what}, and no text"))),
    }
}

fn put_in_place(text: &str, pair: &Pair, new: String) -> Change {
    let place = pair.value.place.clone();
    if !place.is_empty() {
        return (place, new);
    }
    let at = behind_colon(text, pair);
    (at..at, format!(" {new}"))
}

/// Where a mapping is wanted and a null stands.
fn null_filled(text: &str, style: Style, node: &Node, above: Option<&Pair>, segments: &[&str], value: &str) -> String {
    let in_braces = || format!("{{{}}}", flow_entry(segments, value));
    match (above, indent(text, above.map_or(0, |pair| pair.name_place.start))) {
        (None, _) if node.place.is_empty() => first(text, style, segments, value),
        (None, _) => changed(text, vec![(node.place.clone(), in_braces())]),
        (Some(pair), Some(indent)) if style == Style::Block && node.place.is_empty() => {
            let lines = block_lines(text, &format!("{indent}  "), segments, value);
            changed(text, vec![new_lines(text, behind_colon(text, pair), lines)])
        }
        (Some(pair), _) => changed(text, vec![put_in_place(text, pair, in_braces())]),
    }
}

/// The byte behind the colon of an entry.
fn behind_colon(text: &str, pair: &Pair) -> usize {
    let end = pair.name_place.end;
    text.get(end..).and_then(|rest| rest.find(':')).map_or(end, |colon| end + colon + 1)
}

/// The end of an entry's value, or its colon where there is none.
fn entry_end(text: &str, pair: &Pair) -> usize {
    pair.value.place.end.max(behind_colon(text, pair))
}

/// The beginning of the line of this byte.
fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
}

/// The end of the line of this byte, its line break included.
fn next_line(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end + 1)
}

/// What stands before this byte on its line, if it is nothing but space.
fn indent(text: &str, at: usize) -> Option<&str> {
    text.get(line_start(text, at)..at).filter(|before| before.bytes().all(|byte| matches!(byte, b' ' | b'\t')))
}

/// Lines behind the line of this byte.
fn new_lines(text: &str, at: usize, lines: String) -> Change {
    let at = next_line(text, at);
    if text.get(..at).is_some_and(|before| before.ends_with('\n')) {
        return (at..at, lines);
    }
    // The last line of the text has no break, and keeps having none.
    let end = line_end(text);
    (at..at, format!("{end}{}", lines.strip_suffix(end).unwrap_or(&lines)))
}

fn block_added(text: &str, pairs: &[Pair], segments: &[&str], value: &str) -> Result<Change, Error> {
    let (Some(first), Some(last)) = (pairs.first(), pairs.last()) else {
        return Err(Error::internal("a mapping of lines without any"));
    };
    let indent = indent(text, first.name_place.start).ok_or_else(tied)?;
    let at = entry_end(text, last);
    Ok(new_lines(text, at, block_lines(text, indent, segments, value)))
}

fn block_removed(text: &str, pair: &Pair) -> Result<Change, Error> {
    indent(text, pair.name_place.start).ok_or_else(tied)?;
    Ok((line_start(text, pair.name_place.start)..next_line(text, entry_end(text, pair)), String::new()))
}

fn flow_added(text: &str, node: &Node, pairs: &[Pair], segments: &[&str], value: &str) -> Vec<Change> {
    let entry = flow_entry(segments, value);
    let Some(last) = pairs.last() else {
        let inside = node.place.start + 1..node.place.end.saturating_sub(1);
        let is_blank = text.get(inside.clone()).is_some_and(|inside| inside.trim().is_empty());
        // The whole of a file has its entries on lines of their own.
        if is_blank && indent(text, node.place.start) == Some("") {
            let end = line_end(text);
            return vec![(inside, format!("{end}  {entry}{end}"))];
        }
        return vec![(inside.start..inside.start, entry)];
    };
    let end = entry_end_in_braces(last);
    let comma = comma_behind(text, end, node.place.end);
    let behind = comma.map_or(end, |comma| comma + 1);
    // An entry that begins its line is followed by one that does, behind the comment of the first.
    let own_line =
        indent(text, last.name_place.start).filter(|_| line_start(text, last.name_place.start) > node.place.start);
    if let Some(indent) = own_line {
        let line = next_line(text, behind);
        let rest = text.get(behind..line).unwrap_or_default();
        let line_ends_first = line < node.place.end && !rest.contains("/*");
        let at = if line_ends_first { behind + rest.trim_end_matches(['\n', '\r']).len() } else { behind };
        let trailing = if comma.is_some() { "," } else { "" };
        let entry = format!("{}{indent}{entry}{trailing}", line_end(text));
        return match comma {
            None if at == end => vec![(end..end, format!(",{entry}"))],
            None => vec![(end..end, ",".to_owned()), (at..at, entry)],
            Some(_) => vec![(at..at, entry)],
        };
    }
    let separator = if comma.is_some() { " " } else { ", " };
    vec![(behind..behind, format!("{separator}{entry}"))]
}

fn entry_end_in_braces(pair: &Pair) -> usize {
    pair.value.place.end.max(pair.name_place.end)
}

fn flow_removed(text: &str, before: Option<&Pair>, pair: &Pair, after: Option<&Pair>) -> Vec<Change> {
    let end = entry_end_in_braces(pair);
    let own_comma = comma_behind(text, end, after.map_or(text.len(), |after| after.name_place.start));
    let whole = tidied(text, pair.name_place.start..own_comma.map_or(end, |comma| comma + 1));
    let mut changes = vec![(whole, String::new())];
    // The last of several takes the comma before it along, unless people end their lists with one.
    if let (None, None, Some(before)) = (after, own_comma, before) {
        let comma = comma_behind(text, entry_end_in_braces(before), pair.name_place.start);
        changes.extend(comma.map(|comma| (comma..comma + 1, String::new())));
    }
    changes
}

/// The bytes of an entry with its line where nothing else stands there, otherwise with the space behind it.
fn tidied(text: &str, place: Range<usize>) -> Range<usize> {
    let line_end = next_line(text, place.end);
    let rest = text.get(place.end..line_end).unwrap_or_default();
    if rest.trim().is_empty() && rest.ends_with('\n') && indent(text, place.start).is_some() {
        return line_start(text, place.start)..line_end;
    }
    let spaces = rest.len() - rest.trim_start_matches(' ').len();
    place.start..place.end + spaces
}

/// The comma between `from` and `to`, comments passed over.
fn comma_behind(text: &str, from: usize, to: usize) -> Option<usize> {
    let mut rest = text.get(from..to)?;
    loop {
        rest = rest.trim_start();
        let at = to - rest.len();
        rest = match rest.as_bytes() {
            [b',', ..] => return Some(at),
            [b'/', b'*', ..] => rest.split_once("*/")?.1,
            [b'/', b'/', ..] | [b'#', ..] => rest.split_once('\n')?.1,
            _ => return None,
        };
    }
}
