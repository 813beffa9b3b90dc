//! How programs write a secret down: as it is, and in the encodings that logs and requests use.

use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use zeroize::Zeroizing;

use super::SHORTEST_MASKED;

/// Bytes of a secret in one form, wiped when dropped.
pub(super) type Form = Zeroizing<Vec<u8>>;

/// Columns at which base64 is broken into lines: RFC 7468 (`openssl`) and RFC 2045 (`base64`).
const WIDTHS: [usize; 2] = [64, 76];

/// What percent-encoding leaves as it is: RFC 3986, "unreserved".
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)
}

/// All forms of a value that are masked; each has [`SHORTEST_MASKED`] bytes or more, and they may repeat.
///
/// The line breaks at a value's end are no part of it: what a program prints stays on lines of its own.
pub(super) fn masked(value: &[u8]) -> Vec<Form> {
    let kept = value.len() - value.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    let value = if kept < SHORTEST_MASKED { value } else { value.get(..kept).unwrap_or_default() };
    let mut forms = Vec::new();
    if value.len() >= SHORTEST_MASKED {
        written(value, &mut forms);
        let hex = Zeroizing::new(crate::sealing::hex(value));
        forms.push(hex.to_uppercase().into_bytes());
        forms.push(hex.as_bytes().to_vec());
        for engine in [STANDARD, URL_SAFE] {
            forms.extend((0..3).map(|before| aligned(&engine, value, before)));
            for width in WIDTHS {
                let whole = Zeroizing::new(aligned(&engine, value, 0));
                forms.extend(whole.chunks(width).map(<[u8]>::to_vec));
            }
        }
    }
    if value.contains(&b'\n') {
        // A terminal begins each line with a carriage return before it.
        forms.push(
            value
                .iter()
                .flat_map(|byte| if *byte == b'\n' { &b"\r\n"[..] } else { std::slice::from_ref(byte) })
                .copied()
                .collect(),
        );
        lines(value).filter(|line| line.len() >= SHORTEST_MASKED).for_each(|line| written(line, &mut forms));
    }
    forms.into_iter().map(Zeroizing::new).filter(|form| form.len() >= SHORTEST_MASKED).collect()
}

/// The lines of a value without what surrounds them: an indentation is no secret.
pub(super) fn lines(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii)
}

/// A text as it is, percent-encoded and JSON-escaped, in the ways that libraries do it.
fn written(text: &[u8], forms: &mut Vec<Vec<u8>>) {
    forms.push(text.to_vec());
    let sets: [fn(u8) -> bool; 4] = [
        is_unreserved,
        // What Python's `quote` does without being told otherwise.
        |byte| is_unreserved(byte) || byte == b'/',
        // ECMA-262, `encodeURIComponent`.
        |byte| is_unreserved(byte) || b"!'()*".contains(&byte),
        is_kept_in_query,
    ];
    for keep in sets {
        let encoded = percent(text, keep);
        // In forms a space is a plus (URL Standard, "application/x-www-form-urlencoded").
        let plus = replaced(&encoded, b"%20", b"+");
        for one in [encoded, plus] {
            forms.push(lower(&one));
            forms.push(one);
        }
    }
    if let Some(inside) = json(text) {
        forms.push(escaped_slashes(&inside));
        forms.push(ascii(&inside, |character| !character.is_ascii()));
        // Go writes these as numbers, so that no browser takes them for markup.
        forms.push(ascii(&inside, |character| matches!(character, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')));
        forms.push(inside);
    }
}

/// What the parser of the URL Standard leaves as it is in a path or a query.
pub(super) fn is_kept_in_query(byte: u8) -> bool {
    !(byte.is_ascii_control() || b" \"#<>?`{}%".contains(&byte) || byte >= 0x80)
}

/// The bytes with all but those to keep as `%XX`.
pub(super) fn percent(secret: &[u8], keep: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(secret.len() * 3);
    for byte in secret {
        if keep(*byte) {
            encoded.push(*byte);
        } else {
            encoded.extend(format!("%{byte:02X}").into_bytes());
        }
    }
    encoded
}

/// Percent-encoded bytes with small digits.
fn lower(encoded: &[u8]) -> Vec<u8> {
    let mut left = 0;
    let lowered = encoded.iter().map(|byte| {
        let is_digit = left > 0;
        left = if *byte == b'%' { 2_usize } else { left.saturating_sub(1) };
        if is_digit { byte.to_ascii_lowercase() } else { *byte }
    });
    lowered.collect()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut result = Vec::with_capacity(bytes.len());
    while let Some((first, behind)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            result.extend_from_slice(to);
            rest = after;
        } else {
            result.push(*first);
            rest = behind;
        }
    }
    result
}

/// A text as it stands within a JSON string; `None` for bytes that are no text.
pub(super) fn json(secret: &[u8]) -> Option<Vec<u8>> {
    let quoted = Zeroizing::new(serde_json::to_vec(std::str::from_utf8(secret).ok()?).ok()?);
    Some(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_vec())
}

/// The inside of a JSON string with `/` written as `\\/`, as some servers do.
pub(super) fn escaped_slashes(inside: &[u8]) -> Vec<u8> {
    replaced(inside, b"/", b"\\/")
}

/// The inside of a JSON string with some characters as `\uXXXX`, those beyond 16 bits as two (RFC 8259, 7).
fn ascii(inside: &[u8], is_escaped: impl Fn(char) -> bool) -> Vec<u8> {
    let mut result = Vec::with_capacity(inside.len() * 2);
    for character in std::str::from_utf8(inside).unwrap_or_default().chars() {
        if is_escaped(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                result.extend(format!("\\u{unit:04x}").into_bytes());
            }
        } else {
            result.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    result
}

/// The characters of base64 that depend on the secret alone, where so many bytes (of three) stand before it.
pub(super) fn aligned(engine: &impl base64::Engine, secret: &[u8], before: usize) -> Vec<u8> {
    let mut bytes = Zeroizing::new(vec![0; before]);
    bytes.reserve_exact(secret.len());
    bytes.extend_from_slice(secret);
    let encoded = Zeroizing::new(engine.encode(&*bytes));
    // Each character stands for six bits.
    let (from, to) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    encoded.as_bytes().get(from..to).unwrap_or_default().to_vec()
}
