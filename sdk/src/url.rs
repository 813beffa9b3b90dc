//! The one spelling of a URL that the host accepts: what the `url` crate's parser would print.
//!
//! The host compares a request with the grant byte by byte, so a path has one spelling. In a path a byte is
//! written as `%XX` (upper case) exactly where the parser would write it so, and `%`, `\`, empty segments,
//! `.` and `..` are refused by the host because a server might read them as something else than it did.

use crate::error::Error;

/// The longest path that is built, in bytes of the encoded form; the host refuses a URL over 8 KiB.
const LONGEST: usize = 6 * 1024;

/// A path of one or more segments with `/` between them, such as a secret's, spelt for a URL.
///
/// ```
/// assert_eq!(forge_sdk::url::path("app/db password").unwrap(), "app/db%20password");
/// ```
///
/// # Errors
///
/// `invalid-request` naming the rule: a path is not empty, begins and ends without `/`, has no empty segment,
/// no `.` or `..` as a segment, no `%`, no `\` and no control characters, and isn't longer than 6 KiB.
pub fn path(path: &str) -> Result<String, Error> {
    let mut encoded = String::with_capacity(path.len());
    for (position, part) in path.split('/').enumerate() {
        if position > 0 {
            encoded.push('/');
        }
        push_segment(&mut encoded, part)?;
    }
    Ok(encoded)
}

/// One segment, such as a name in a namespace that has no folders.
///
/// # Errors
///
/// As [`path`], and a segment has no `/`.
pub fn segment(segment: &str) -> Result<String, Error> {
    if segment.contains('/') {
        return Err(refused(segment, "no `/`"));
    }
    path(segment)
}

/// Names and values as a query, without the `?`; values may be any text.
///
/// ```
/// assert_eq!(forge_sdk::url::query(&[("filter", "a b&c")]), "filter=a%20b%26c");
/// ```
#[must_use]
pub fn query(pairs: &[(&str, &str)]) -> String {
    let mut encoded = String::new();
    for (name, value) in pairs {
        if !encoded.is_empty() {
            encoded.push('&');
        }
        push_component(&mut encoded, name);
        encoded.push('=');
        push_component(&mut encoded, value);
    }
    encoded
}

fn push_segment(encoded: &mut String, part: &str) -> Result<(), Error> {
    let rule = if part.is_empty() {
        Some("no empty segment")
    } else if part == "." || part == ".." {
        Some("no segment `.` or `..`")
    } else if part.contains('%') {
        Some("no `%`")
    } else if part.contains('\\') {
        Some(r"no `\`")
    } else if part.chars().any(char::is_control) {
        Some("no control character")
    } else {
        None
    };
    if let Some(rule) = rule {
        return Err(refused(part, rule));
    }
    for byte in part.bytes() {
        // WHATWG URL, "path percent-encode set"; controls were refused above.
        if matches!(byte, b' ' | b'"' | b'#' | b'<' | b'>' | b'?' | b'`' | b'{' | b'}') || !byte.is_ascii() {
            push_triplet(encoded, byte);
        } else {
            encoded.push(char::from(byte));
        }
    }
    if encoded.len() > LONGEST {
        return Err(Error::invalid_request("a path has at most 6 KiB"));
    }
    Ok(())
}

fn push_component(encoded: &mut String, text: &str) {
    for byte in text.bytes() {
        // RFC 3986, section 2.3: what never needs encoding.
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            push_triplet(encoded, byte);
        }
    }
}

fn push_triplet(encoded: &mut String, byte: u8) {
    encoded.push('%');
    for digit in [byte >> 4, byte & 15] {
        encoded.push(char::from(if digit < 10 { b'0' + digit } else { b'A' + digit - 10 }));
    }
}

/// A path is a name, not a value, so it may be told; but control characters must not reach a terminal.
fn refused(part: &str, rule: &str) -> Error {
    Error::invalid_request(format!("a path has {rule} here, and `{}` breaks that", part.escape_debug()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::ErrorKind;

    /// What the host demands: the parser prints the URL as it is, and writes the same path for this name.
    fn has_the_one_spelling(url: &str, name: &str) -> bool {
        let parsed = ::url::Url::parse(url).unwrap();
        let mut written = ::url::Url::parse("https://x.example/").unwrap();
        written.path_segments_mut().unwrap().clear().extend(["v1"]).extend(name.split('/'));
        parsed.as_str() == url && parsed.path() == written.path()
    }

    /// Numbers that are the same in each run, so that a failure can be met again (splitmix64).
    fn numbers(mut state: u64) -> impl Iterator<Item = u64> {
        std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        })
    }

    fn decoded(text: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            } else {
                bytes.push(byte);
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_character_up_to_two_bytes_is_spelt_as_the_parser_spells_it_or_refused() {
        for character in '\0'..='\u{7ff}' {
            let name = format!("a{character}b");
            let refused = character.is_control() || matches!(character, '%' | '\\');
            match path(&name) {
                Ok(encoded) => {
                    assert!(!refused, "{character:?} must be refused");
                    let url = format!("https://x.example/v1/{encoded}");
                    assert!(has_the_one_spelling(&url, &name), "{url}");
                    assert_eq!(decoded(&encoded), name);
                }
                Err(error) => {
                    assert!(refused, "{character:?} can be expressed");
                    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
                }
            }
        }
    }

    #[test]
    fn random_paths_are_spelt_as_the_parser_spells_them() {
        let mut numbers = numbers(7);
        let mut spelt = 0;
        for _ in 0..20_000 {
            let length = numbers.next().unwrap() % 12 + 1;
            let text: String = (0..length)
                .filter_map(|_| {
                    let number = numbers.next().unwrap();
                    // Mostly ASCII, where the rules are.
                    let code = if number.is_multiple_of(4) { (number >> 8) % 0x11_0000 } else { (number >> 8) % 0x80 };
                    char::from_u32(u32::try_from(code).unwrap())
                })
                .collect();
            if let Ok(encoded) = path(&text) {
                spelt += 1;
                let url = format!("http://x.example:8200/v1/{encoded}?{}", query(&[("q", &text)]));
                assert!(has_the_one_spelling(&url, &text), "{text:?} became {url}");
                assert_eq!(decoded(&encoded), text);
            }
        }
        assert!(spelt > 1000, "the test must meet paths that can be expressed, and met {spelt}");
    }

    #[test]
    fn each_rule_that_a_path_breaks_is_named() {
        let rules = [
            ("", "empty segment"),
            ("/a", "empty segment"),
            ("a/", "empty segment"),
            ("a//b", "empty segment"),
            ("a/./b", "`.` or `..`"),
            ("a/../b", "`.` or `..`"),
            ("a%2Fb", "no `%`"),
            (r"a\b", r"no `\`"),
            ("a\nb", "control character"),
            ("a\u{85}b", "control character"),
        ];
        for (text, rule) in rules {
            let error = path(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains(rule), "{text:?} gave {}", error.message());
            assert!(!error.message().contains('\n'), "a control character must not be repeated raw");
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_refused() {
        assert!(path(&"a".repeat(LONGEST)).is_ok());
        assert!(path(&"a".repeat(LONGEST + 1)).is_err());
        assert!(path(&"é".repeat(LONGEST / 6 + 1)).is_err(), "the encoded length counts");
    }

    #[test]
    fn a_segment_has_no_slash() {
        assert_eq!(segment("a b").unwrap(), "a%20b");
        assert!(segment("a/b").unwrap_err().message().contains("no `/`"));
    }

    #[test]
    fn a_value_of_a_query_can_not_become_another_parameter() {
        let encoded = query(&[("q", "a&list=true#f?%41+é"), ("list", "false")]);
        assert_eq!(encoded, "q=a%26list%3Dtrue%23f%3F%2541%2B%C3%A9&list=false");
        let url = ::url::Url::parse(&format!("https://x.example/?{encoded}")).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs, [("q".into(), "a&list=true#f?%41+é".into()), ("list".into(), "false".into())]);
    }
}
