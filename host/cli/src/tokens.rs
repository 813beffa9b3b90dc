//! Tokens that logins gave, kept sealed between commands: one file of mode 0600 for a provider.

use std::path::PathBuf;

use forge_broker::Tokens;
use forge_core::Kind;
use forge_core::grant::Grant;
use forge_core::home::{self, Home};
use forge_core::sealing::Place;
use zeroize::Zeroizing;

/// The longest sealed entry, in bytes.
const LONGEST: u64 = 64 << 10;

/// The file of one provider's token.
#[derive(Debug)]
pub(crate) struct TokenFile {
    home: Home,
    provider: String,
}

impl TokenFile {
    /// The file of a grant's provider. It is made when there is a token to keep.
    pub(crate) fn of(home: &Home, grant: &Grant) -> Self {
        match &grant.project {
            // Two projects may have a provider of the same name, and neither may drop the other's token.
            Some(folder) => {
                Self::new(home, &format!("{}-{}", forge_core::project::key(folder.as_ref()), grant.provider))
            }
            None => Self::new(home, &grant.provider),
        }
    }

    /// The file of a provider of the user's, whose name was checked.
    pub(crate) fn new(home: &Home, provider: &str) -> Self {
        Self { home: home.clone(), provider: provider.to_owned() }
    }

    /// Beside the grants: what a secret of one use bought can't be made again, so it is no cache that may be cleared.
    fn path(&self) -> PathBuf {
        self.home.data.join("tokens").join(format!("{}.sealed", self.provider))
    }

    /// Removes the file; one that is not there is removed already.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn remove(&self) -> Result<(), home::Error> {
        match std::fs::remove_file(self.path()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(home::Error { what: "remove", path: self.path(), why: error.to_string() })
            }
            _ => Ok(()),
        }
    }

    fn opened(&self, binding: &str) -> Result<Option<Zeroizing<Vec<u8>>>, forge_core::provider::Failure> {
        let Some(sealed) = home::read_private(&self.path(), LONGEST)? else { return Ok(None) };
        let place = format!("{}/{binding}", self.provider);
        Ok(Some(self.home.sealing_key()?.open(in_place(&place), &sealed)?.0))
    }

    fn sealed(&self, binding: &str, entry: &[u8]) -> Result<(), forge_core::provider::Failure> {
        let place = format!("{}/{binding}", self.provider);
        let sealed = self.home.sealing_key()?.seal(in_place(&place), 1, entry)?;
        Ok(home::write(&self.path(), &sealed)?)
    }
}

/// Where a token is sealed for: this provider with this very credential. No plugin is its owner, so none can open it.
fn in_place(path: &str) -> Place<'_> {
    Place { owner: "token", store: &[0; 16], path }
}

impl Tokens for TokenFile {
    fn load(&self, binding: &str) -> Option<Zeroizing<Vec<u8>>> {
        match self.opened(binding) {
            Ok(entry) => entry,
            Err(failure) => {
                tracing::info!("the kept token of `{}` is of no use: {}", self.provider, failure.what);
                // Of another grant, edited, or sealed by a key that is gone: of no use to anybody. A file that can't be
                // read just now may hold the only thing that a one-time secret bought.
                if failure.kind == Kind::Integrity
                    && let Err(error) = self.remove()
                {
                    tracing::warn!("{error}");
                }
                None
            }
        }
    }

    fn save(&self, binding: &str, entry: &[u8]) {
        // The command has what it needs; only the next one has to log in again.
        if let Err(failure) = self.sealed(binding, entry) {
            tracing::warn!("the token of `{}` can't be kept: {}", self.provider, failure.what);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file() -> (tempfile::TempDir, TokenFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        let home = Home { config: path.join("c"), data: path.join("d"), cache: path.join("k") };
        (directory, TokenFile::new(&home, "bao"))
    }

    #[test]
    fn an_entry_is_sealed_private_and_opens_under_its_own_binding_alone() {
        let (_directory, file) = file();
        assert!(file.load("one").is_none());
        file.save("one", b"s.canary-token");
        assert_eq!(file.load("one").unwrap().as_slice(), b"s.canary-token");
        let bytes = std::fs::read(file.path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"s.canary"));
        assert_eq!(file.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        // A grant that was changed drops what another one kept.
        assert!(file.load("two").is_none());
        assert!(!file.path().exists());
    }

    #[test]
    fn an_entry_of_another_provider_does_not_open() {
        let (_directory, file) = file();
        file.save("one", b"s.canary-token");
        let other = TokenFile::new(&file.home, "other");
        std::fs::copy(file.path(), other.path()).unwrap();
        assert!(other.load("one").is_none());
        assert!(file.load("one").is_some());
    }

    #[test]
    fn whoever_reads_while_others_write_gets_a_whole_entry() {
        let (_directory, file) = file();
        file.save("one", &[0; 4096]);
        std::thread::scope(|scope| {
            for writer in 1..4_u8 {
                let file = &file;
                scope.spawn(move || (0..20).for_each(|_| file.save("one", &[writer; 4096])));
            }
            for _ in 0..50 {
                let entry = file.load("one").unwrap();
                assert!(entry.len() == 4096 && entry.iter().all(|byte| Some(byte) == entry.first()));
            }
        });
    }
}
