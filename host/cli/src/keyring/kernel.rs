//! The kernel's keyring of this user, before the desktop's: a key that was got is kept there for a while, never on disk.
//!
//! The source of each fact is keyrings(7), add_key(2) and keyctl(2). Where the kernel has no keyrings for this process
//! (a container's filter, a kernel without them) nothing is found and nothing kept, which is no error.

use forge_core::sealing::SealingKey;
use linux_keyutils::{Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
use zeroize::Zeroizing;

/// How long a key is kept, in seconds, from when the desktop's keyring gave it; using it does not prolong that.
pub(super) const KEPT: usize = 15 * 60;

fn description(id: &str) -> String {
    format!("forge:sealing-key:{id}")
}

fn ring() -> Result<KeyRing, KeyError> {
    KeyRing::from_special_id(KeyRingIdentifier::User, false)
}

/// The key of this id, if it is kept.
pub(super) fn find(id: &str) -> Option<SealingKey> {
    let key = ring().ok()?.search(&description(id)).ok()?;
    // A byte more than a key has, so that something longer is seen to be none.
    let mut bytes = Zeroizing::new([0; 33]);
    let read = key.read(&mut *bytes).ok()?;
    let bytes: &[u8; 32] = bytes.get(..read)?.try_into().ok()?;
    // What somebody else put there under this name is as good as nothing.
    Some(SealingKey::from_bytes(bytes)).filter(|key| key.id() == id)
}

/// Keeps a key for a while, where that is possible.
pub(super) fn keep(key: &SealingKey) {
    let kept = ring().and_then(|ring| {
        let place = ring.add_key(&description(&key.id()), "nothing yet")?;
        // The bytes come last: whatever stops this before, nothing is left that is open to others or stays for ever.
        guard(&place).and_then(|()| place.update(key.expose())).inspect_err(|_| {
            // A place without its guard and its bytes would stay, and what is found there later would be no key.
            ring.unlink_key(place).unwrap_or_default();
        })
    });
    if let Err(error) = kept {
        tracing::info!("the kernel's keyring does not keep the sealing key: {error}");
    }
}

/// This user's processes may read it, and nobody may do more.
fn guard(place: &Key) -> Result<(), KeyError> {
    let reading = || Permission::VIEW | Permission::READ | Permission::SEARCH;
    let own = reading() | Permission::WRITE | Permission::SETATTR;
    let permissions = KeyPermissionsBuilder::builder().posessor(own).user(reading());
    place.set_perms(permissions.build())?;
    place.set_timeout(KEPT)
}

/// Forgets the key of this id.
pub(super) fn forget(id: &str) {
    if let Ok(key) = ring().and_then(|ring| ring.search(&description(id))) {
        // A key that can't be made to vanish now does so by its time.
        key.invalidate().unwrap_or_default();
    }
}
