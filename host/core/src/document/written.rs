//! Text in double quotes, which JSON, TOML and YAML escape alike as far as they have to.

use std::fmt::Write as _;

use zeroize::Zeroizing;

/// Whether some reader of some format has a rule of its own for this character: control characters, what YAML 1.1 takes for
/// the end of a line, and what is no character.
pub(super) fn is_special(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// A text as it stands between double quotes: the escapes here are the ones that RFC 8259, TOML and YAML have in common.
pub(super) fn escaped(text: &str) -> Zeroizing<String> {
    write(text, "")
}

/// The same with its quotes.
pub(super) fn quoted(text: &str) -> Zeroizing<String> {
    write(text, "\"")
}

fn write(text: &str, quote: &str) -> Zeroizing<String> {
    let length = |character: char| match character {
        '"' | '\\' => 2,
        other if is_special(other) => 6,
        other => other.len_utf8(),
    };
    // Of its full length at once: a buffer that grows leaves copies behind that nobody wipes.
    let mut written = Zeroizing::new(String::with_capacity(text.chars().map(length).sum::<usize>() + 2));
    written.push_str(quote);
    for character in text.chars() {
        match character {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            other if is_special(other) => write!(written, "\\u{:04X}", u32::from(other)).unwrap_or_default(),
            other => written.push(other),
        }
    }
    written.push_str(quote);
    written
}

/// A text of this length at most, to be written piece by piece.
pub(super) fn buffer(length: usize) -> Zeroizing<String> {
    Zeroizing::new(String::with_capacity(length))
}
