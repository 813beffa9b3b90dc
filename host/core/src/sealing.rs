//! Sealing: what forge itself keeps on disk is encrypted and bound to where it lies.
//!
//! A sealed file is `format (1) | key id (8) | generation (8, big endian) | nonce (24) | ciphertext and tag`.
//! The cipher is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), whose nonces are long enough to be random.
//! The associated data holds everything before the nonce, the owner, the store's id and the file's path,
//! so a file that is edited, moved to another name or brought from another store or plugin does not open.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use sha2::Digest as _;
use zeroize::Zeroizing;

/// The format that this forge writes.
const FORMAT: u8 = 1;

/// Bytes before the nonce.
const HEAD: usize = 1 + 8 + 8;

/// Bytes of a nonce.
const NONCE: usize = 24;

/// The file at the top of a sealed store: its random id (16 bytes), and the id of the key that seals it (8 bytes).
pub const STORE_FILE: &str = ".forge-store";

/// How many bytes sealing adds.
pub const OVERHEAD: usize = HEAD + NONCE + 16;

/// A sealing key: 32 random bytes, known by the first 8 bytes of their hash.
pub struct SealingKey {
    bytes: Zeroizing<[u8; 32]>,
    id: [u8; 8],
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKey({})", hex(&self.id))
    }
}

/// Where a sealed file lies: whatever of this changes, the file does not open.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// For whom it is sealed, such as `builtin:file`: no other plugin opens it, wherever somebody copies it.
    pub owner: &'a str,
    /// The store's random id.
    pub store: &'a [u8; 16],
    /// The path within the store.
    pub path: &'a str,
}

/// Why a sealed file can't be opened, or a key not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Shorter than its own header.
    #[error("it is cut short")]
    Truncated,
    /// The format byte is another one.
    #[error("it has format {0}, and this forge knows format {FORMAT}")]
    Format(u8),
    /// Sealed by another key.
    #[error("it was sealed with key `{found}`, and this store's key is `{expected}`")]
    OtherKey {
        /// The key id in the file.
        found: String,
        /// The key id at hand.
        expected: String,
    },
    /// The tag does not fit: edited, moved, or from another store.
    #[error("its seal is broken: it was edited, moved to another name, or belongs to another store")]
    Broken,
    /// The system has no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

impl SealingKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| Error::Random)?;
        Ok(Self::from_bytes(&bytes))
    }

    /// The key with these bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut hash = sha2::Sha256::new_with_prefix(b"forge sealing key id\0");
        hash.update(bytes);
        let mut id = [0; 8];
        id.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        Self { bytes: Zeroizing::new(*bytes), id }
    }

    /// The key's bytes, to be kept in a file of mode 0600 and nowhere else.
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The key's id in hexadecimal.
    pub fn id(&self) -> String {
        hex(&self.id)
    }

    /// The key's id as it stands in sealed files.
    pub fn id_bytes(&self) -> [u8; 8] {
        self.id
    }

    /// Seals `content` for one place, as the `generation`-th writing of it.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn seal(&self, place: Place<'_>, generation: u64, content: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| Error::Random)?;
        let mut sealed = Vec::with_capacity(content.len() + OVERHEAD);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&generation.to_be_bytes());
        let payload = Payload { msg: content, aad: &associated(&sealed, place) };
        let ciphertext = self.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| Error::Broken)?;
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    /// Opens a file of one place; answers its content and its generation.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<(Zeroizing<Vec<u8>>, u64), Error> {
        let format = *sealed.first().ok_or(Error::Truncated)?;
        if format != FORMAT {
            return Err(Error::Format(format));
        }
        let (head, rest) = sealed.split_at_checked(HEAD).ok_or(Error::Truncated)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE).ok_or(Error::Truncated)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| Error::Truncated)?;
        let id = head.get(1..9).unwrap_or_default();
        if id != self.id {
            return Err(Error::OtherKey { found: hex(id), expected: self.id() });
        }
        let payload = Payload { msg: ciphertext, aad: &associated(head, place) };
        let content = self.cipher().decrypt(&XNonce::from(nonce), payload).map_err(|_| Error::Broken)?;
        Ok((Zeroizing::new(content), generation(sealed).unwrap_or_default()))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.expose().into())
    }
}

/// The generation that a sealed file claims, without opening it.
pub fn generation(sealed: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(sealed.get(9..HEAD)?.try_into().ok()?))
}

fn associated(head: &[u8], place: Place<'_>) -> Vec<u8> {
    let mut data = b"forge sealed file\0".to_vec();
    data.extend_from_slice(head);
    data.extend_from_slice(&(place.owner.len() as u64).to_be_bytes());
    data.extend_from_slice(place.owner.as_bytes());
    data.extend_from_slice(place.store);
    data.extend_from_slice(place.path.as_bytes());
    data
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(*DIGITS.get(usize::from(nibble)).unwrap_or(&b'0'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const STORE: &[u8; 16] = b"0123456789abcdef";
    const PLACE: Place<'static> = Place { owner: "builtin:file", store: STORE, path: "app/db.secret" };

    #[test]
    fn what_was_sealed_opens_in_its_place_alone() {
        let key = SealingKey::generate().unwrap();
        let sealed = key.seal(PLACE, 7, b"hunter2").unwrap();
        let (content, generation) = key.open(PLACE, &sealed).unwrap();
        assert_eq!((content.as_slice(), generation), (b"hunter2".as_slice(), 7));
        let elsewhere = Place { path: "app/db2.secret", ..PLACE };
        assert!(matches!(key.open(elsewhere, &sealed), Err(Error::Broken)));
        let other_owner = Place { owner: "plugin:file", ..PLACE };
        assert!(matches!(key.open(other_owner, &sealed), Err(Error::Broken)));
        let other_store = Place { store: b"0123456789abcdeX", ..PLACE };
        assert!(matches!(key.open(other_store, &sealed), Err(Error::Broken)));
    }

    #[test]
    fn no_byte_can_be_changed_and_none_be_cut_off() {
        let key = SealingKey::generate().unwrap();
        let sealed = key.seal(PLACE, 1, b"hunter2").unwrap();
        for at in 0..sealed.len() {
            let mut edited = sealed.clone();
            edited[at] ^= 1;
            assert!(key.open(PLACE, &edited).is_err(), "byte {at}");
            assert!(key.open(PLACE, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_key_is_named_and_not_tried() {
        let sealed = SealingKey::generate().unwrap().seal(PLACE, 1, b"x").unwrap();
        assert!(matches!(SealingKey::generate().unwrap().open(PLACE, &sealed), Err(Error::OtherKey { .. })));
    }

    #[test]
    fn a_sealed_file_does_not_hold_what_it_seals() {
        let sealed = SealingKey::generate().unwrap().seal(PLACE, 1, b"correct horse battery").unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"correct"));
    }
}
