//! What seals a directory: the user's key, which the first write makes and no read.

use std::path::Path;
use std::sync::OnceLock;

use forge_core::home::Home;
use forge_core::keyring;
use forge_core::provider::Failure;
use forge_core::sealing::SealingKey;

/// The sealing key of a user for one directory, whether it was made already or not.
#[derive(Debug)]
pub struct Seal {
    home: Home,
    key: OnceLock<SealingKey>,
}

impl Seal {
    /// The key of this user, which is looked for now: a person whom a keyring asks may take longer than a call.
    ///
    /// # Errors
    /// The key was made and can't be had. One that was not made is no error.
    pub fn of(home: &Home) -> Result<Self, keyring::Error> {
        let key = home.made_key()?.map_or_else(OnceLock::new, OnceLock::from);
        Ok(Self { home: home.clone(), key })
    }

    /// The key for the store in this directory, which was sealed with one.
    ///
    /// # Errors
    /// It is nowhere, or can't be had.
    pub(super) fn of_store(&self, directory: &Path) -> Result<&SealingKey, Failure> {
        match self.key.get() {
            Some(key) => Ok(key),
            // Another process may have made key and store since this one looked.
            None => match self.home.made_key()? {
                Some(key) => Ok(self.key.get_or_init(|| key)),
                None => Err(self.home.key_is_gone(directory).into()),
            },
        }
    }

    /// The key for a store that is made now.
    ///
    /// # Errors
    /// It can't be made, or can't be had.
    pub(super) fn of_new_store(&self) -> Result<&SealingKey, Failure> {
        match self.key.get() {
            Some(key) => Ok(key),
            None => {
                let key = self.home.sealing_key()?;
                Ok(self.key.get_or_init(|| key))
            }
        }
    }
}
