//! Block scalars of YAML, `|` and `>`: where they stand, and how lines are put into them.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::document::scan::OPENING;
use crate::document::written::{buffer, is_special, quoted};

/// The token of a block scalar from its sign to the end of its last line that is not blank, and its lines alone.
///
/// The parser's own place, `of_parser`, begins with the first line of the text, or with the sign where an anchor or a tag
/// stands before it (`is_sign`). `last` is the end of what stands before.
pub(super) fn token(source: &str, last: usize, of_parser: Range<usize>, is_sign: bool) -> (Range<usize>, Range<usize>) {
    let Range { start, end } = of_parser;
    let at = |place: usize| source.get(place..).unwrap_or_default();
    let sign = if is_sign { start } else { sign_before(source, last, start).unwrap_or(start) };
    let header = line_of(at(sign)).len();
    let filled = source.get(sign..end).unwrap_or_default().trim_end().len();
    // Blanks at the end of the last line are part of its text.
    let length = filled + line_of(at(sign + filled)).len();
    let length = length.max(header);
    (sign..sign + length, sign + header..sign + length)
}

/// A text up to the end of its line.
fn line_of(text: &str) -> &str {
    let line = text.split('\n').next().unwrap_or_default();
    line.strip_suffix('\r').unwrap_or(line)
}

/// The sign on the line before a block's first one that is not blank.
fn sign_before(source: &str, last: usize, start: usize) -> Option<usize> {
    let before = source.get(last..start)?.trim_end();
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = before.get(line_start..)?;
    let is_sign = |at: &usize| {
        let is_apart =
            line.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t', '\u{feff}']));
        is_apart && line.get(*at..).is_some_and(is_header)
    };
    let sign = line.match_indices(['|', '>']).map(|(at, _)| at).find(is_sign)?;
    Some(last + line_start + sign)
}

/// Whether a line is the sign of a block with what may stand behind it.
fn is_header(line: &str) -> bool {
    let (_, rest) = indicators(line);
    rest.trim().is_empty() || (rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#'))
}

/// What stands directly behind a sign, and the rest of its line.
fn indicators(line: &str) -> (&str, &str) {
    let rest = line.get(1..).unwrap_or_default();
    let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '+' | '-')).unwrap_or(rest.len());
    rest.split_at(end)
}

/// Whether a value can stand among the lines of a block as it is: it makes no line, and none blank, and indents none.
pub(super) fn takes(token: &str, value: &str) -> bool {
    let is_simple = !value.is_empty() && !value.contains(is_special) && value.trim().len() == value.len();
    // On a line that is not indented, `---` would end the document.
    is_simple && !token.contains(&format!("\n{OPENING}"))
}

/// A block anew: as lines, where these mean the text whoever reads them, and in double quotes where they might not.
///
/// A folded block becomes a literal one, in which each line stands as it is.
pub(super) fn written(token: &str, text: &str) -> Zeroizing<String> {
    if let Some(written) = lines(token, text) {
        return written;
    }
    let quoted = quoted(text);
    let (_, comment) = indicators(line_of(token));
    let mut written = buffer(quoted.len() + comment.len());
    written.push_str(&quoted);
    written.push_str(comment);
    written
}

fn lines(token: &str, text: &str) -> Option<Zeroizing<String>> {
    let header = line_of(token);
    let (indicators, comment) = indicators(header);
    // A number counts from what the block stands in, which is not known here.
    if indicators.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let body = if indicators.contains('-') { text } else { text.strip_suffix('\n')? };
    // A beginning with a blank would tell another indentation, and lines of blanks may be no text at the end.
    let is_plain = |line: &str| !line.contains(is_special) && (line.is_empty() || !line.trim().is_empty());
    let is_even = !body.starts_with([' ', '\n']) && !body.ends_with('\n') && !body.is_empty();
    if !is_even || !body.split('\n').all(is_plain) {
        return None;
    }
    let old = token.get(header.len()..)?.lines().find(|line| !line.trim().is_empty())?;
    let indentation = old.get(..old.len() - old.trim_start_matches(' ').len()).filter(|blanks| !blanks.is_empty())?;
    let end = if token.contains("\r\n") { "\r\n" } else { "\n" };
    let count = body.split('\n').count();
    let mut written = buffer(header.len() + body.len() + count * (indentation.len() + end.len()));
    ["|", indicators, comment].into_iter().for_each(|part| written.push_str(part));
    for line in body.split('\n') {
        written.push_str(end);
        if !line.is_empty() {
            written.push_str(indentation);
            written.push_str(line);
        }
    }
    Some(written)
}
