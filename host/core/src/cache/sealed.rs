//! One copy as a file: whose it is, when it was made and what it holds, sealed under a name that says nothing.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::moment::Moment;
use super::{CacheKey, Copy, Identity};
use crate::policy::Caller;
use crate::sealing::{Error, Place, SealingKey, hex};
use crate::secret::{Attributes, Secret, SecretVersion, Value};

/// The version of the form that this forge writes.
const SCHEMA_VERSION: u32 = 1;

/// How every file's name ends.
pub(super) const ENDING: &str = ".sealed";

/// The characters of a name that all versions of a path have in common, for all callers.
const COMMON: usize = 32;

/// The keys of one user's copies.
pub(super) struct Keys {
    sealing: SealingKey,
    names: Hmac<Sha256>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.sealing.id())
    }
}

/// What a file holds beside the value.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    schema_version: u32,
    user: String,
    provider: String,
    grant: String,
    plugin: String,
    credential: String,
    path: String,
    asked: Option<String>,
    made: Moment,
    content_type: Option<String>,
    version: Option<SecretVersion>,
    tags: Attributes,
    attributes: Attributes,
}

/// A file that opened.
pub(super) struct Opened {
    pub(super) key: CacheKey,
    pub(super) copy: Copy,
}

impl Keys {
    /// The keys of whoever has this sealing key: HKDF-Expand of RFC 5869 (section 2.3) with one block for the names, so
    /// that a name tells nothing of the key that seals.
    pub(super) fn of(sealing: SealingKey) -> Self {
        let mut expand = begun(sealing.expose());
        expand.update(b"forge cache names");
        expand.update(&[1]);
        let derived: Zeroizing<[u8; 32]> = Zeroizing::new(expand.finalize().into_bytes().into());
        Self { names: begun(&derived), sealing }
    }

    /// How the names of all copies of a path begin. Whoever lists the folder learns no name of a secret.
    pub(super) fn beginning(&self, grant: &str, path: &str) -> String {
        let mut name = self.mac(&["path", grant, path]);
        name.truncate(COMMON);
        name
    }

    /// The name of one copy's file, which the whole key decides.
    pub(super) fn name(&self, key: &CacheKey) -> String {
        let CacheKey { caller, identity, path, version } = key;
        let Identity { provider, grant, plugin, credential } = &**identity;
        // A version of the empty name is none, and must not have the name of no version.
        let version = version.as_ref().map_or_else(|| "current".to_owned(), |version| format!("version {version}"));
        let own = self.mac(&["copy", &caller.user, provider, grant, plugin, credential, path, &version]);
        format!("{}-{own}{ENDING}", self.beginning(grant, path))
    }

    fn mac(&self, parts: &[&str]) -> String {
        let mut mac = self.names.clone();
        for part in parts {
            // With their lengths, so that no two lists of parts are the same bytes.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        hex(&mac.finalize().into_bytes())
    }

    /// Seals a copy for the file of this name.
    pub(super) fn seal(&self, name: &str, key: &CacheKey, secret: &Secret, made: Moment) -> Result<Vec<u8>, Error> {
        let CacheKey { caller, identity, path, version } = key.clone();
        let Identity { provider, grant, plugin, credential } = Identity::clone(&identity);
        let Secret { value, content_type, version: has, tags, attributes } = secret;
        let head = Head {
            schema_version: SCHEMA_VERSION,
            user: caller.user.to_string(),
            provider,
            grant,
            plugin,
            credential,
            path,
            asked: version,
            made,
            content_type: content_type.clone(),
            version: has.clone(),
            tags: tags.clone(),
            attributes: attributes.clone(),
        };
        let head = serde_json::to_vec(&head).unwrap_or_default();
        let length = u32::try_from(head.len()).unwrap_or(u32::MAX);
        let mut content = Zeroizing::new(Vec::with_capacity(4 + head.len() + value.len()));
        content.extend_from_slice(&length.to_be_bytes());
        content.extend_from_slice(&head);
        content.extend_from_slice(value.expose());
        self.sealing.seal(place(name), 1, &content)
    }

    /// Opens the file of this name; the error is why it is of no use.
    pub(super) fn open(&self, name: &str, sealed: &[u8]) -> Result<Opened, String> {
        let (content, _) = self.sealing.open(place(name), sealed).map_err(|error| error.to_string())?;
        let damaged = || "it has another form".to_owned();
        let (length, rest) = content.split_at_checked(4).ok_or_else(damaged)?;
        let length = u32::from_be_bytes(length.try_into().map_err(|_| damaged())?);
        let (head, value) = rest.split_at_checked(usize::try_from(length).unwrap_or(usize::MAX)).ok_or_else(damaged)?;
        let head: Head = serde_json::from_slice(head).map_err(|_| damaged())?;
        if head.schema_version != SCHEMA_VERSION {
            return Err(damaged());
        }
        let age: Duration = head.made.age(&Moment::now()).ok_or_else(|| "it was made in the future".to_owned())?;
        let key = CacheKey {
            caller: Caller { user: head.user.into() },
            identity: Arc::new(Identity {
                provider: head.provider,
                grant: head.grant,
                plugin: head.plugin,
                credential: head.credential,
            }),
            path: head.path,
            version: head.asked,
        };
        let secret = Secret {
            value: Value::new(value.to_vec()),
            content_type: head.content_type,
            version: head.version,
            tags: head.tags,
            attributes: head.attributes,
        };
        Ok(Opened { key, copy: Copy { answer: Some(secret), age } })
    }
}

/// Where a copy is sealed for: its name, which its whole key decided. No plugin is the owner, so none can open it.
fn place(name: &str) -> Place<'_> {
    Place { owner: "cache", store: &[0; 16], path: name }
}

/// HMAC-SHA-256 with this key.
fn begun(key: &[u8; 32]) -> Hmac<Sha256> {
    // A block of SHA-256 is longer than the key, so the key stands in it as it is (RFC 2104, section 2).
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::<Sha256>::new((&*block).into())
}
