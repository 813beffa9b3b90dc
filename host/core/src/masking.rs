//! The forms in which a secret can stand in a text: the search for them, and the masking of what passes by.

use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use zeroize::Zeroizing;

use self::encoding::{aligned, escaped_slashes, is_kept_in_query, json, percent};

mod encoding;
mod mark;
mod masker;
mod search;

pub use masker::{Masker, NoMark, SHORTEST_MASKED, Short};

/// Secrets shorter than this are not searched for: they would be found everywhere by chance.
pub const SHORTEST: usize = 8;

/// A secret as it is, percent-encoded, JSON-escaped, in hexadecimal and in base64 at each of the three alignments.
///
/// The bytes are wiped when dropped, and never printed.
#[derive(Clone, Default)]
pub struct Forms(Vec<Zeroizing<Vec<u8>>>);

impl std::fmt::Debug for Forms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Forms({} redacted)", self.0.len())
    }
}

impl Forms {
    /// The forms of `secret`; none for one under [`SHORTEST`] bytes.
    pub fn of(secret: &[u8]) -> Self {
        let mut forms = Self::default();
        if secret.len() < SHORTEST {
            return forms;
        }
        forms.push(secret.to_vec());
        forms.push(percent(secret, |byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)));
        forms.push(percent(secret, is_kept_in_query));
        if let Some(inside) = json(secret) {
            forms.push(escaped_slashes(&inside));
            forms.push(inside);
        }
        let hex = crate::sealing::hex(secret);
        forms.push(hex.to_uppercase().into_bytes());
        forms.push(hex.into_bytes());
        for engine in [STANDARD, URL_SAFE] {
            for before in 0..3 {
                forms.push(aligned(&engine, secret, before));
            }
        }
        forms
    }

    /// Adds the forms of another secret.
    pub fn extend(&mut self, other: Self) {
        for form in other.0 {
            self.push(form.to_vec());
        }
    }

    /// Whether any form stands anywhere in `haystack`.
    pub fn found_in(&self, haystack: &[u8]) -> bool {
        self.0.iter().any(|form| contains(haystack, form))
    }

    fn push(&mut self, form: Vec<u8>) {
        let form = Zeroizing::new(form);
        if form.len() >= SHORTEST && !self.0.contains(&form) {
            self.0.push(form);
        }
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((first, _)) = needle.split_first() else { return false };
    let mut rest = haystack;
    // Looking for the first byte alone is quick, and most answers hold few candidates.
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(needle) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form_and_at_every_alignment() {
        let secret = b"s3cr3t/with \"quotes\" & more";
        let forms = Forms::of(secret);
        for prefix in ["", "x", "xy", "xyz"] {
            let mut text = prefix.as_bytes().to_vec();
            text.extend_from_slice(secret);
            text.extend_from_slice(b"tail");
            assert!(forms.found_in(&text));
            assert!(forms.found_in(STANDARD.encode(&text).as_bytes()), "{prefix:?}");
            assert!(forms.found_in(URL_SAFE.encode(&text).as_bytes()), "{prefix:?}");
            assert!(forms.found_in(crate::sealing::hex(&text).as_bytes()));
            assert!(forms.found_in(&serde_json::to_vec(&String::from_utf8_lossy(&text)).unwrap_or_default()));
            assert!(forms.found_in(&percent(&text, |byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))));
        }
        assert!(forms.found_in(b"%22?x=s3cr3t%2Fwith%20%22quotes%22%20%26%20more"));
        assert!(forms.found_in(b"s3cr3t\\/with \\\"quotes\\\" & more"));
        assert!(!forms.found_in(b"s3cr3t/with 'quotes' & more"));
    }

    #[test]
    fn a_short_secret_has_no_forms() {
        assert!(!Forms::of(b"1234567").found_in(b"1234567"));
        assert!(Forms::of(b"12345678").found_in(b"x12345678"));
    }
}
