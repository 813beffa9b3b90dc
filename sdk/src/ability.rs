//! A trait for each ability; a plugin implements those it has and names them in `plugin!`.

use crate::error::Error;
use crate::secret::{Attributes, Entry, KeyInfo, Page, PutOptions, Secret, SecretVersion, VersionPage, VersionState};

/// Reading secrets: the one ability that every secret plugin has. In `plugin!`: `provider`.
pub trait SecretProvider {
    /// The secret at this path, at this version or the current one; `None` where there is no such secret.
    ///
    /// # Errors
    ///
    /// Anything but absence.
    fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error>;

    /// The cheapest authenticated call that proves that the settings and the credential work.
    ///
    /// Answers the settings that the manifest marks `discovered`, which the host records.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings, the credential or the backend.
    fn check() -> Result<Attributes, Error>;
}

/// Reading many secrets in one call. In `plugin!`: `batch`; the manifest says how many.
pub trait SecretBatch {
    /// One answer for each path, in the order of the paths.
    fn get_many(paths: &[String]) -> Vec<Result<Option<Secret>, Error>>;
}

/// Finding secrets without reading their values. In `plugin!`: `metadata`.
pub trait SecretMetadata {
    /// What is known about the secret at this path; `None` where there is none.
    ///
    /// # Errors
    ///
    /// Anything but absence.
    fn describe(path: &str) -> Result<Option<Entry>, Error>;

    /// The secrets at or below the prefix (whole segments), at most `limit` of them.
    ///
    /// The host calls again with `next` as the cursor until there is none.
    ///
    /// # Errors
    ///
    /// `invalid-request` for a cursor that this plugin did not make, and what the backend said.
    fn list(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error>;
}

/// Writing secrets. In `plugin!`: `writer`.
pub trait SecretWriter {
    /// Writes the value and answers the version that this made.
    ///
    /// # Errors
    ///
    /// `conflict` where `expected_version` isn't the current one, `unsupported` for an option that the backend
    /// can't express, and what the backend said.
    fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error>;
}

/// Removing secrets and taking that back. In `plugin!`: `removal`.
pub trait SecretRemoval {
    /// Removes the secret, recoverably where the backend can; `true` where there was one.
    ///
    /// # Errors
    ///
    /// Anything but absence.
    fn delete(path: &str, options: &Attributes) -> Result<bool, Error>;

    /// Takes the last removal back.
    ///
    /// # Errors
    ///
    /// `not-found`, `wrong-state` where it isn't removed, `unsupported` where the backend can't.
    fn recover(path: &str) -> Result<(), Error>;

    /// Removes the secret and all its versions for good; `true` where there was anything.
    ///
    /// # Errors
    ///
    /// `unsupported` where the backend has no such thing, and what it said.
    fn purge(path: &str) -> Result<bool, Error>;
}

/// Versions, rollback and their states. In `plugin!`: `history`.
pub trait SecretHistory {
    /// The versions of the secret, newest first, at most `limit` of them.
    ///
    /// # Errors
    ///
    /// What the backend said.
    fn versions(path: &str, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Error>;

    /// Makes an old version current, by the backend's own means or by writing it anew.
    ///
    /// # Errors
    ///
    /// `not-found` for a version that isn't there, and what the backend said.
    fn restore(path: &str, version: &str) -> Result<SecretVersion, Error>;

    /// Sets the state of one version.
    ///
    /// # Errors
    ///
    /// `unsupported` for a state that the backend doesn't have, and what it said.
    fn set_state(path: &str, version: &str, state: VersionState) -> Result<(), Error>;
}

/// The backend's own rotation. In `plugin!`: `rotation`.
pub trait SecretRotation {
    /// Starts a rotation and answers the new version where the backend tells it at once.
    ///
    /// # Errors
    ///
    /// What the backend said.
    fn rotate(path: &str) -> Result<Option<SecretVersion>, Error>;
}

/// Keys that wrap the data keys of forge. In `plugin!`: `keys`.
pub trait KeyProvider {
    /// Wraps `plaintext` with the key; `context` is authenticated and needed again to unwrap.
    ///
    /// # Errors
    ///
    /// `not-found` for a key that isn't there, and what the backend said.
    fn encrypt(key: &str, plaintext: &[u8], context: &Attributes) -> Result<Vec<u8>, Error>;

    /// Unwraps what `encrypt` answered.
    ///
    /// # Errors
    ///
    /// `invalid-request` for bytes that this key did not wrap with this context, and what the backend said.
    fn decrypt(key: &str, ciphertext: &[u8], context: &Attributes) -> Result<Vec<u8>, Error>;

    /// Makes a new version of the key; what older versions wrapped can still be unwrapped.
    ///
    /// # Errors
    ///
    /// What the backend said.
    fn rotate_key(key: &str) -> Result<KeyInfo, Error>;

    /// What is known about the key.
    ///
    /// # Errors
    ///
    /// `not-found`, and what the backend said.
    fn describe_key(key: &str) -> Result<KeyInfo, Error>;
}
