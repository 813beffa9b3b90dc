//! How a person names a secret: `store://provider/path?version=3#field`, or a bare path.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What a segment must escape to survive between `/`, `?` and `#`.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What a version must escape besides, to stay the one parameter.
const VERSION: &AsciiSet = &SEGMENT.add(b'&').add(b'=');

/// What a field must escape; its slashes make it a JSON pointer.
const FIELD: &AsciiSet = &SEGMENT.remove(b'/');

/// The longest reference that is read, in bytes; beyond it nothing that a person typed is left.
const LONGEST: usize = 4096;

/// A secret's name, parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    /// The provider named; `None` means the default one.
    pub provider: Option<String>,
    /// The path within the provider: segments joined by `/`, percent-decoded.
    pub path: String,
    /// The version asked for; `None` means the current one.
    pub version: Option<String>,
    /// A top-level name, or a JSON pointer when it begins with `/`.
    pub field: Option<String>,
}

/// Why a text is not a reference. The text itself is not repeated: it may be a value pasted by mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Over 4096 bytes.
    #[error("the reference is longer than {LONGEST} bytes")]
    TooLong,
    /// Nothing names a secret.
    #[error("the reference has no path")]
    NoPath,
    /// The provider's name is missing or has other characters than names have.
    #[error("`store://` must be followed by a provider's name: lower-case letters, digits, `-` and `_`")]
    Provider,
    /// `user@host` or `host:port` where a provider's name stands.
    #[error("a reference names a provider, not a host: no `@` and no `:` before the path")]
    Authority,
    /// An empty segment, `.` or `..`.
    #[error("a path has no empty segment, no `.` and no `..`")]
    Segment,
    /// A `%` that two hexadecimal digits don't follow, or bytes that are not UTF-8.
    #[error(
        "a `%` must be followed by two hexadecimal digits, and the decoded path must be UTF-8 without control characters"
    )]
    Encoding,
    /// A parameter other than `version`, or `version` twice or empty.
    #[error("the only parameter is `version`, given once and not empty")]
    Parameter,
    /// A scheme other than `store`.
    #[error("the only scheme is `store://`")]
    Scheme,
    /// `#` with nothing behind it.
    #[error("`#` must be followed by a field")]
    Field,
}

/// Whether a text can be the name of a provider: 1 to 64 lower-case letters, digits, `-` and `_`.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

fn decode(text: &str) -> Result<String, Error> {
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let digits = bytes.get(at + 1..at + 3);
        if *byte == b'%' && !digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)) {
            return Err(Error::Encoding);
        }
    }
    let text = percent_decode_str(text).decode_utf8().map_err(|_| Error::Encoding)?;
    if text.chars().any(char::is_control) {
        return Err(Error::Encoding);
    }
    Ok(text.into_owned())
}

impl std::str::FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > LONGEST {
            return Err(Error::TooLong);
        }
        let (provider, rest) = match text.split_once("://") {
            Some(("store", rest)) => {
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (name, rest) = rest.split_at(end);
                if name.contains(['@', ':']) {
                    return Err(Error::Authority);
                }
                if !is_name(name) {
                    return Err(Error::Provider);
                }
                (Some(name.to_owned()), rest.strip_prefix('/').unwrap_or(rest))
            }
            // A path may hold `://` only behind a `/`, as in `urls/https://…`, which has an empty segment anyway.
            Some((scheme, _)) if !scheme.contains(['/', '?', '#']) => return Err(Error::Scheme),
            _ => (None, text),
        };
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (rest, None),
        };
        let (path, mut query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let mut field = fragment;
        // `#FIELD?version=V` is what people type; RFC 3986 would make it all one fragment.
        if let Some((before, after)) = fragment.and_then(|f| f.rsplit_once('?'))
            && after.starts_with("version=")
        {
            if query.is_some() {
                return Err(Error::Parameter);
            }
            (field, query) = (Some(before), Some(after));
        }
        let version = match query {
            None => None,
            Some(query) => match query.split_once('=') {
                Some(("version", value)) if !value.is_empty() && !value.contains(['&', '=']) => Some(decode(value)?),
                _ => return Err(Error::Parameter),
            },
        };
        let field = match field {
            None => None,
            Some("") => return Err(Error::Field),
            Some(field) => Some(decode(field)?),
        };
        if path.is_empty() {
            return Err(Error::NoPath);
        }
        let mut segments = Vec::new();
        for segment in path.split('/') {
            let segment = decode(segment)?;
            if matches!(segment.as_str(), "" | "." | "..") || segment.contains('/') {
                return Err(Error::Segment);
            }
            segments.push(segment);
        }
        Ok(Self { provider, path: segments.join("/"), version, field })
    }
}

impl TryFrom<String> for Reference {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(provider) = &self.provider {
            write!(f, "store://{provider}/")?;
        }
        for (at, segment) in self.path.split('/').enumerate() {
            let slash = if at == 0 { "" } else { "/" };
            write!(f, "{slash}{}", utf8_percent_encode(segment, SEGMENT))?;
        }
        if let Some(version) = &self.version {
            write!(f, "?version={}", utf8_percent_encode(version, VERSION))?;
        }
        if let Some(field) = &self.field {
            write!(f, "#{}", utf8_percent_encode(field, FIELD))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn the_canonical_order_and_the_typed_order_mean_the_same() {
        let reference = parsed("store://prod/app/db?version=3#password");
        assert_eq!(reference, parsed("store://prod/app/db#password?version=3"));
        assert_eq!(reference.provider.as_deref(), Some("prod"));
        assert_eq!(reference.path, "app/db");
        assert_eq!(reference.version.as_deref(), Some("3"));
        assert_eq!(reference.field.as_deref(), Some("password"));
    }

    #[test]
    fn what_is_printed_is_parsed_to_the_same_reference() {
        for text in [
            "a",
            "app/db",
            "store://p/a%20b/%C3%A9?version=1%262#x",
            "store://p-1/a#/b/0/c~1d",
            "caf\u{e9}/\u{1f511}",
            "a%25b",
            "a%3Fb%23c",
            "store://p/a#odd%3Fversion%3D1",
            "a:b",
        ] {
            let reference = parsed(text);
            assert_eq!(parsed(&reference.to_string()), reference, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_reference_is_refused_by_its_reason() {
        for (text, error) in [
            ("", Error::NoPath),
            ("store://prod", Error::NoPath),
            ("store://prod/", Error::NoPath),
            ("store:///db", Error::Provider),
            ("store://Prod/db", Error::Provider),
            ("store://user@prod/db", Error::Authority),
            ("store://prod:80/db", Error::Authority),
            ("https://example.com/db", Error::Scheme),
            ("a//b", Error::Segment),
            ("/a", Error::Segment),
            ("a/", Error::Segment),
            ("a/../b", Error::Segment),
            ("a/%2e%2E/b", Error::Segment),
            ("a%2fb", Error::Segment),
            ("a%", Error::Encoding),
            ("a%0a", Error::Encoding),
            ("a%ff", Error::Encoding),
            ("a?x=1", Error::Parameter),
            ("a?version=", Error::Parameter),
            ("a?version=1&version=2", Error::Parameter),
            ("a?version=1#b?version=2", Error::Parameter),
            ("a#", Error::Field),
        ] {
            assert_eq!(text.parse::<Reference>(), Err(error), "{text}");
        }
        assert_eq!("a".repeat(LONGEST + 1).parse::<Reference>(), Err(Error::TooLong));
    }
}
