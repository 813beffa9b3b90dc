//! The keys of the audit log, derived from the user's sealing key: one for the chain, one for its head, one for values.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::sealing::{SealingKey, hex};

/// Bytes of a MAC of the chain: HMAC-SHA-256 (RFC 2104, FIPS 180-4), whole.
pub(super) const MAC: usize = 32;

/// Bytes of a value's HMAC that the log holds: the half that RFC 2104, section 5 allows, which nobody guesses either.
const VALUE: usize = 16;

/// A MAC of the chain.
pub(super) type Tag = [u8; MAC];

/// The three keys, each with its HMAC begun, so that a record costs no derivation.
pub(super) struct Keys {
    id: String,
    chain: Hmac<Sha256>,
    head: Hmac<Sha256>,
    value: Hmac<Sha256>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.id)
    }
}

impl Keys {
    /// The audit keys of whoever has this sealing key.
    ///
    /// Each is HKDF-Expand of RFC 5869 (section 2.3) with one block: a sealing key is uniform already, and who learns one
    /// of the three learns neither the others nor the key that seals secrets.
    pub(super) fn of(key: &SealingKey) -> Self {
        let derived = |label: &str| {
            let mut expand = begun(key.expose());
            expand.update(label.as_bytes());
            expand.update(&[1]);
            let derived: Zeroizing<Tag> = Zeroizing::new(expand.finalize().into_bytes().into());
            begun(&derived)
        };
        Self {
            id: key.id(),
            chain: derived("forge audit chain"),
            head: derived("forge audit head"),
            value: derived("forge audit value"),
        }
    }

    /// The id of the sealing key that they come from.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The MAC of a record's text behind a record with the MAC `before`.
    pub(super) fn chained(&self, before: &Tag, text: &[u8]) -> Tag {
        let mut mac = self.chain.clone();
        mac.update(before);
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    /// Whether this is the MAC of a record's text behind a record with the MAC `before`.
    pub(super) fn is_chained(&self, before: &Tag, text: &[u8], tag: &Tag) -> bool {
        let mut mac = self.chain.clone();
        mac.update(before);
        mac.update(text);
        mac.verify_slice(tag).is_ok()
    }

    /// The seal of the head's text.
    pub(super) fn head(&self, text: &[u8]) -> Tag {
        let mut mac = self.head.clone();
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    /// Whether this is the seal of the head's text.
    pub(super) fn is_head(&self, text: &[u8], tag: &Tag) -> bool {
        let mut mac = self.head.clone();
        mac.update(text);
        mac.verify_slice(tag).is_ok()
    }

    /// What stands in the log for a value: the beginning of its HMAC, in hexadecimal. Without the key nobody can try
    /// values until one fits.
    pub(super) fn value(&self, value: &[u8]) -> String {
        let mut mac = self.value.clone();
        mac.update(value);
        let tag: Tag = mac.finalize().into_bytes().into();
        hex(tag.get(..VALUE).unwrap_or_default())
    }
}

fn begun(key: &[u8; 32]) -> Hmac<Sha256> {
    // A block of SHA-256 is longer than the key, so the key is taken as it is, padded with zeros (RFC 2104, section 2).
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::<Sha256>::new((&*block).into())
}

/// A MAC from its 64 lower-case hexadecimal digits: one spelling, so that no other text passes for it.
pub(super) fn tag(text: &[u8]) -> Option<Tag> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != MAC || !rest.is_empty() {
        return None;
    }
    let mut tag = [0; MAC];
    for (byte, [high, low]) in tag.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(tag)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_begun_hmac_is_the_one_of_rfc_4231() {
        // RFC 4231, section 4.3 (test case 2) has a key of 4 bytes, which zeros pad to what we take.
        let mut key = [0; 32];
        key.iter_mut().zip(b"Jefe").for_each(|(to, from)| *to = *from);
        let mut mac = begun(&key);
        mac.update(b"what do ya want for nothing?");
        let tag: Tag = mac.finalize().into_bytes().into();
        assert_eq!(hex(&tag), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own_and_a_mac_one_spelling() {
        let keys = Keys::of(&SealingKey::from_bytes(&[7; 32]));
        let zero = [0; MAC];
        assert_ne!(keys.chained(&zero, b""), keys.head(&zero));
        assert!(!hex(&keys.head(b"x")).starts_with(&keys.value(b"x")));
        let text = hex(&keys.head(b"x"));
        assert_eq!(tag(text.as_bytes()), Some(keys.head(b"x")));
        assert_eq!(tag(text.to_uppercase().as_bytes()), None);
        assert_eq!(tag(text.get(1..).unwrap().as_bytes()), None);
    }
}
