//! The same object as JSON, in YAML: texts always quoted, so that no reader takes one for a number, a date or a `no`.
//!
//! What is written means the same in YAML 1.1 and 1.2 (yaml.org, "Double-Quoted Style" and the resolution of plain scalars).

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Words that a YAML 1.1 reader takes for something else than a text when they are not quoted.
const TAKEN: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// The longest key that stands before its colon, in characters of what is written: YAML lets a reader give up after 1,024
/// (yaml.org, "Implicit Keys").
const LONGEST_KEY: usize = 1_000;

/// An object as a YAML document, with its last newline.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

/// Writes a value whose lines stand this far in.
fn block(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let key = key(name);
                if key.len() > LONGEST_KEY {
                    start(indent, &format!("? {key}\n"), text);
                    start(indent, ":", text);
                } else {
                    start(indent, &format!("{key}:"), text);
                }
                match nested(value, indent) {
                    Some(lines) => text.push_str(&format!("\n{lines}")),
                    None => line(value, text),
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                start(indent, "-", text);
                match nested(item, indent) {
                    // Its first line follows the dash, where the others stand below it.
                    Some(lines) => text.push_str(&format!(" {}", lines.trim_start_matches(' '))),
                    None => line(item, text),
                }
            }
        }
        _ => line(value, text),
    }
}

fn start(indent: usize, mark: &str, text: &mut String) {
    // Writing to a text can't fail.
    write!(text, "{:indent$}{mark}", "").unwrap_or_default();
}

fn nested(value: &Value, indent: usize) -> Option<String> {
    let has_lines = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    has_lines.then(|| {
        let mut lines = String::new();
        block(value, indent + 2, &mut lines);
        lines
    })
}

fn line(value: &Value, text: &mut String) {
    let scalar = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => self::number(number),
        Value::String(string) => quoted(string),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
    };
    text.push_str(&format!(" {scalar}\n"));
}

fn key(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'));
    if is_plain && !TAKEN.contains(&name) { name.to_owned() } else { quoted(name) }
}

/// A number: YAML 1.1 knows an exponent only behind a point, and with its sign.
fn number(number: &Number) -> String {
    let text = number.to_string();
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else { return text };
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    format!("{digits}{point}e{sign}{exponent}")
}

/// A text in double quotes, with an escape for whatever some reader may not take as it is.
fn quoted(string: &str) -> String {
    let mut quoted = String::from("\"");
    for c in string.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            ' '..='~' => quoted.push(c),
            c if c.is_alphanumeric() => quoted.push(c),
            c => write!(quoted, "\\U{:08X}", u32::from(c)).unwrap_or_default(),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_and_objects_stand_below_each_other_and_words_that_mean_something_else_are_quoted() {
        let object = json!({ "a": 1, "no": "no", "b c": [], "list": [{ "x": null, "y": [true, [1]] }, {}, "s: #"] });
        let expected = "a: 1\n\"no\": \"no\"\n\"b c\": []\nlist:\n  - x: null\n    \"y\":\n      - true\n      - - 1\n  - {}\n  - \"s: #\"\n";
        assert_eq!(document(&object), expected);
    }

    #[test]
    fn a_key_that_is_too_long_for_its_colon_is_announced() {
        for (length, long) in [(998, false), (999, true), (5_000, true)] {
            // Its quotes count, too.
            let name = "A".repeat(length);
            let object = json!({ "list": [{ (name.as_str()): 1, "b": 2 }], (name.as_str()): { "c": [3] } });
            let expected = if long {
                format!("list:\n  - ? \"{name}\"\n    : 1\n    b: 2\n? \"{name}\"\n:\n  c:\n    - 3\n")
            } else {
                format!("list:\n  - \"{name}\": 1\n    b: 2\n\"{name}\":\n  c:\n    - 3\n")
            };
            assert_eq!(document(&object), expected);
        }
    }

    #[test]
    fn a_number_with_an_exponent_has_a_point_and_a_sign() {
        for (json, yaml) in
            [("1e5", "1.0e+5"), ("-1.5E-7", "-1.5e-7"), ("2e+3", "2.0e+3"), ("0.25", "0.25"), ("-7", "-7")]
        {
            let number: Number = json.parse().unwrap_or_else(|_| Number::from(0));
            assert_eq!(self::number(&number), yaml);
        }
    }
}
