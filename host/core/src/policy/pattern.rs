//! Which secrets a rule is about: a provider and a pattern of paths, which becomes a condition of Cedar, exactly.

use std::fmt::Write as _;

use percent_encoding::percent_decode_str;

use crate::reference::is_name;

/// The longest pattern, in bytes: as long as a reference.
const LONGEST: usize = 4096;

/// `store://PROVIDER/PATH`, where PATH may end in `/**` (everything below), or have `*` in its segments (any text without a
/// `/`). PROVIDER may be `*`, which is any. A star of a secret's own name is written `%2A`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// `None` is any.
    provider: Option<String>,
    paths: Paths,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Paths {
    /// Everything below this path; below nothing is everything.
    Below(String),
    /// The texts of each segment between its stars: one text is a segment without a star.
    Segments(Vec<Vec<String>>),
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not of this form.
    #[error("a pattern is `store://PROVIDER/PATH`, with `/**` at its end or `*` in its segments")]
    Form,
    /// `**` and `*` together would need more than a condition of Cedar can say exactly.
    #[error("`**` stands for itself at a pattern's end, with no other `*` before it")]
    Stars,
    /// As in a reference.
    #[error("a pattern has no empty segment, no `.` and no `..`, and a `%` stands before two hexadecimal digits")]
    Segment,
}

impl std::str::FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > LONGEST {
            return Err(Error::Form);
        }
        let (provider, path) =
            text.strip_prefix("store://").and_then(|rest| rest.split_once('/')).ok_or(Error::Form)?;
        let provider = match provider {
            "*" => None,
            name if is_name(name) => Some(name.to_owned()),
            _ => return Err(Error::Form),
        };
        let above = if path == "**" { Some("") } else { path.strip_suffix("/**") };
        let segments = |path: &str| path.split('/').map(pieces).collect::<Result<Vec<_>, Error>>();
        let paths = match above {
            Some(above) if above.contains('*') => return Err(Error::Stars),
            Some("") if path == "**" => Paths::Below(String::new()),
            Some(above) => Paths::Below(segments(above)?.concat().join("/")),
            None if path.contains("**") => return Err(Error::Stars),
            None => Paths::Segments(segments(path)?),
        };
        Ok(Self { provider, paths })
    }
}

/// The texts of a segment between its stars.
fn pieces(segment: &str) -> Result<Vec<String>, Error> {
    if matches!(segment, "" | "." | "..") {
        return Err(Error::Segment);
    }
    segment.split('*').map(decoded).collect()
}

fn decoded(text: &str) -> Result<String, Error> {
    for (at, _) in text.match_indices('%') {
        let digits = text.as_bytes().get(at + 1..at + 3);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err(Error::Segment);
        }
    }
    let text = percent_decode_str(text).decode_utf8().map_err(|_| Error::Segment)?;
    let is_odd = text.contains('/') || text.chars().any(char::is_control) || matches!(&*text, "." | "..");
    if is_odd { Err(Error::Segment) } else { Ok(text.into_owned()) }
}

impl Pattern {
    /// The one provider; `None` is any.
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// Whether it is about all secrets of its provider.
    pub fn is_whole(&self) -> bool {
        matches!(&self.paths, Paths::Below(path) if path.is_empty())
    }

    /// The condition on a path in Cedar; `None` where every path fulfils it.
    ///
    /// A `*` of Cedar's `like` crosses a `/`, so it alone would let `app/*` in to `app/team/root`. Here a path has to have
    /// as many `/` as the pattern, too: then each `/` of the pattern takes one of the path's, and none is left for a star.
    ///
    /// `folded` compares without regard to the case of ASCII letters, as some backends do with names.
    pub fn condition(&self, folded: bool) -> Option<String> {
        let attribute = if folded { "resource.lower" } else { "resource.path" };
        let text = |text: &str| quoted(&if folded { text.to_ascii_lowercase() } else { text.to_owned() });
        match &self.paths {
            Paths::Below(path) if path.is_empty() => None,
            Paths::Below(path) => Some(format!("{attribute} like \"{}/*\"", text(path))),
            Paths::Segments(segments) if segments.iter().all(|pieces| pieces.len() == 1) => {
                // `like` and not `==`: the text is then quoted in one way everywhere.
                let path: Vec<String> = segments.iter().flatten().map(|piece| text(piece)).collect();
                Some(format!("{attribute} like \"{}\"", path.join("/")))
            }
            Paths::Segments(segments) => {
                let like = |pieces: &Vec<String>| pieces.iter().map(|piece| text(piece)).collect::<Vec<_>>().join("*");
                let like: Vec<String> = segments.iter().map(like).collect();
                let deeper = vec!["*"; segments.len() + 1].join("/");
                Some(format!("{attribute} like \"{}\" && !({attribute} like \"{deeper}\")", like.join("/")))
            }
        }
    }
}

/// A text within a pattern of Cedar's `like`, where a star stands for itself ("Cedar, Syntax: like").
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' | '*' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            // By its number: what can't be seen, or looks like something else, is seen in `policy show`.
            _ => write!(quoted, "\\u{{{:x}}}", u32::from(character)).unwrap_or_default(),
        }
    }
    quoted
}

/// The plainest reading of a pattern, to compare the compiled one with.
#[cfg(test)]
pub(super) fn matches(pattern: &Pattern, provider: &str, path: &str, folded: bool) -> bool {
    let folded = |text: &str| if folded { text.to_ascii_lowercase() } else { text.to_owned() };
    let path = folded(path);
    let is_provider = pattern.provider().is_none_or(|name| name == provider);
    let is_path = match &pattern.paths {
        Paths::Below(above) if above.is_empty() => true,
        Paths::Below(above) => path.strip_prefix(&folded(above)).is_some_and(|rest| rest.starts_with('/')),
        Paths::Segments(segments) => {
            let of_path: Vec<&str> = path.split('/').collect();
            let fits = |(pieces, text): (&Vec<String>, &&str)| {
                let pieces: Vec<String> = pieces.iter().map(|piece| folded(piece)).collect();
                fits(&pieces, text)
            };
            of_path.len() == segments.len() && segments.iter().zip(&of_path).all(fits)
        }
    };
    is_provider && is_path
}

/// Whether a text is these pieces with anything between them: by trying every place of each.
#[cfg(test)]
fn fits(pieces: &[String], text: &str) -> bool {
    match pieces {
        [] => false,
        [last] => text == last,
        [first, rest @ ..] => text.strip_prefix(first.as_str()).is_some_and(|text| {
            let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.any(|at| fits(rest, text.get(at..).unwrap_or_default()))
        }),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_a_condition_could_not_say_exactly_is_no_pattern() {
        for (text, error) in [
            ("dev/app", Error::Form),
            ("store://dev", Error::Form),
            ("store://Dev/app", Error::Form),
            ("store:///app", Error::Form),
            ("store://dev/", Error::Segment),
            ("store://dev//app", Error::Segment),
            ("store://dev/app/../root", Error::Segment),
            ("store://dev/app/", Error::Segment),
            ("store://dev/%2e%2e/x", Error::Segment),
            ("store://dev/a%2fb", Error::Segment),
            ("store://dev/a%b", Error::Segment),
            ("store://dev/a\u{7}", Error::Segment),
            ("store://dev//**", Error::Segment),
            ("store://dev/*/b/**", Error::Stars),
            ("store://dev/**/b", Error::Stars),
            ("store://dev/a**", Error::Stars),
        ] {
            assert_eq!(text.parse::<Pattern>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_star_stays_within_its_segment_and_two_go_below() {
        let is = |pattern: &str, path: &str| matches(&pattern.parse().unwrap(), "dev", path, false);
        for (pattern, path, expected) in [
            ("store://dev/app/*", "app/db", true),
            ("store://dev/app/*", "app/team/root", false),
            ("store://dev/app/*", "app", false),
            ("store://dev/*/db", "app/db", true),
            ("store://dev/*/db", "app/x/db", false),
            ("store://dev/app/db-*", "app/db-1", true),
            ("store://dev/app/**", "app/a/b", true),
            ("store://dev/app/**", "app", false),
            ("store://dev/app/**", "apple/b", false),
            ("store://*/**", "x", true),
            ("store://prod/**", "x", false),
            ("store://dev/a%2Ab", "a*b", true),
            ("store://dev/a%2Ab", "axb", false),
        ] {
            assert_eq!(is(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_text_of_a_secrets_own_ends_no_string_of_cedars() {
        let pattern: Pattern = "store://dev/a\"\\%2A\u{202e}*".parse().unwrap();
        assert_eq!(
            pattern.condition(false).unwrap(),
            r#"resource.path like "a\"\\\*\u{202e}*" && !(resource.path like "*/*")"#
        );
    }
}
