//! Tokens that logins gave, kept sealed between commands: one file of mode 0600 for a provider with one credential.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use forge_broker::{Logins, Tokens, Turn};
use forge_core::grant::Grant;
use forge_core::home::{self, Home};
use forge_core::provider::Failure;
use forge_core::sealing::Place;
use zeroize::Zeroizing;

use crate::printer::Printer;

/// The longest sealed entry, in bytes.
const LONGEST: u64 = 64 << 10;

/// The characters of a binding that stand in the name of a file: 64 bits of a digest, and the rest is in the seal.
const MARK: usize = 16;

/// How long the program waits at its end for logins that are under way; each ends by itself before.
const LAST_WAIT: Duration = Duration::from_secs(25);

/// The logins of this process, whichever opener began them.
pub(crate) static LOGINS: LazyLock<Logins> = LazyLock::new(Logins::default);

/// How long the program waits without a word.
const QUIET_WAIT: Duration = Duration::from_millis(100);

/// Lets logins end that were begun and that nobody waits for any more: one may have spent a secret of one use.
pub(crate) async fn finish(printer: &mut Printer) {
    if tokio::time::timeout(QUIET_WAIT, LOGINS.finished()).await.is_ok() {
        return;
    }
    let longest = LAST_WAIT.as_secs();
    printer
        .note(&format!("finishing a login, for {longest} seconds at most: what it gives is kept for the next command"));
    if tokio::time::timeout(LAST_WAIT, LOGINS.finished()).await.is_err() {
        tracing::warn!("a login did not end, and what it gave is lost");
    }
}

/// The files of one provider's tokens: one for each credential that it was tried with.
#[derive(Debug)]
pub(crate) struct TokenFile {
    home: Home,
    provider: String,
}

impl TokenFile {
    /// The files of a grant's provider. They are made when there is a token to keep.
    pub(crate) fn of(home: &Home, grant: &Grant) -> Self {
        match &grant.project {
            // Two projects may have a provider of the same name, and neither may drop the other's token.
            Some(folder) => {
                Self::new(home, &format!("{}-{}", forge_core::project::key(folder.as_ref()), grant.provider))
            }
            None => Self::new(home, &grant.provider),
        }
    }

    /// The files of a provider of the user's, whose name was checked.
    pub(crate) fn new(home: &Home, provider: &str) -> Self {
        Self { home: home.clone(), provider: provider.to_owned() }
    }

    /// Beside the grants: what a secret of one use bought can't be made again, so it is no cache that may be cleared.
    fn folder(&self) -> PathBuf {
        self.home.data.join("tokens")
    }

    /// The file of the token that was got with one credential. A grant that is only tried has another one than the grant
    /// that counts, so that a trial which comes to nothing costs nobody a token.
    fn path(&self, binding: &str) -> PathBuf {
        let mark = binding.get(..MARK).unwrap_or(binding);
        // A dot, because no name of a provider has one: `bao` never takes a file of `bao-2`.
        self.folder().join(format!("{}.{mark}.sealed", self.provider))
    }

    /// The files that are there, in the order of their names.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let beginning = format!("{}.", self.provider);
        let is_own = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&beginning) && name.ends_with(".sealed")
        };
        let entries = std::fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_own).collect();
        paths.sort();
        paths
    }

    /// What a process locks while it logs in. The system ends a lock with its process, however that dies.
    fn lock_path(&self) -> PathBuf {
        self.folder().join(format!("{}.lock", self.provider))
    }

    /// Removes all tokens and their lock; what is not there is removed already.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn remove(&self) -> Result<(), home::Error> {
        self.paths().iter().try_for_each(|path| home::remove(path))?;
        home::remove(&self.lock_path())
    }

    /// Removes all tokens but that of this binding: a grant that was replaced or only tried logs in no more.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn remove_others(&self, binding: &str) -> Result<(), home::Error> {
        let own = self.path(binding);
        self.paths().iter().filter(|path| **path != own).try_for_each(|path| home::remove(path))
    }

    fn locked(&self) -> Result<Option<File>, home::Error> {
        let path = self.lock_path();
        let refuse = |error: std::io::Error| home::Error { what: "lock", path: path.clone(), why: error.to_string() };
        home::make_directory(path.parent().unwrap_or(Path::new("/")))?;
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let file = options.open(&path).map_err(refuse)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(refuse(error)),
        }
    }

    fn sealed(&self, binding: &str, entry: &[u8]) -> Result<(), Failure> {
        let place = format!("{}/{binding}", self.provider);
        let sealed = self.home.sealing_key()?.seal(in_place(&place), 1, entry)?;
        Ok(home::write(&self.path(binding), &sealed)?)
    }
}

/// Where a token is sealed for: this provider with this very credential. No plugin is its owner, so none can open it.
fn in_place(path: &str) -> Place<'_> {
    Place { owner: "token", store: &[0; 16], path }
}

impl Tokens for TokenFile {
    fn load(&self, binding: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        // A file that can't be read just now, or whose key can't be had, may hold the only thing that a one-time secret
        // bought.
        let Some(sealed) = home::read_private(&self.path(binding), LONGEST)? else { return Ok(None) };
        let key = self.home.made_key().inspect_err(|error| {
            tracing::info!("the kept token of `{}` can't be opened now: {error}", self.provider);
        })?;
        let place = format!("{}/{binding}", self.provider);
        match key.map(|key| key.open(in_place(&place), &sealed)) {
            Some(Ok((entry, _))) => Ok(Some(entry)),
            // Edited, or sealed by a key that is gone. The next login replaces it.
            broken => {
                let why = broken.and_then(Result::err).map_or("its key is gone".to_owned(), |error| error.to_string());
                tracing::info!("the kept token of `{}` is of no use: {why}", self.provider);
                Ok(None)
            }
        }
    }

    fn is_ready(&self) -> Result<(), Failure> {
        Ok(self.home.sealing_key().map(drop)?)
    }

    fn save(&self, binding: &str, entry: &[u8]) {
        // The command has what it needs; only the next one has to log in again.
        if let Err(failure) = self.sealed(binding, entry) {
            tracing::warn!("the token of `{}` can't be kept: {}", self.provider, failure.what);
        }
    }

    fn turn(&self) -> Option<Turn> {
        match self.locked() {
            Ok(file) => file.map(|file| Box::new(file) as Turn),
            // A disk that can't be written: nothing is kept there either, so there is nothing to wait for.
            Err(error) => {
                tracing::info!("logins of `{}` don't wait for each other: {error}", self.provider);
                Some(Box::new(()))
            }
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
        let home = Home { config: path.join("c"), data: path.join("d"), cache: path.join("k"), keyring: None };
        (directory, TokenFile::new(&home, "bao"))
    }

    #[test]
    fn an_entry_is_sealed_private_and_opens_under_its_own_binding_alone() {
        let (_directory, file) = file();
        assert!(file.load("one").unwrap().is_none());
        file.save("one", b"s.canary-token");
        assert_eq!(file.load("one").unwrap().unwrap().as_slice(), b"s.canary-token");
        let bytes = std::fs::read(file.path("one")).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"s.canary"));
        assert_eq!(file.path("one").metadata().unwrap().permissions().mode() & 0o777, 0o600);
        // Not even where somebody gave it the other one's name.
        std::fs::copy(file.path("one"), file.path("two")).unwrap();
        assert!(file.load("two").unwrap().is_none());
    }

    #[test]
    fn a_grant_that_is_only_tried_does_not_touch_the_token_of_the_one_that_counts() {
        let (_directory, file) = file();
        file.save("one", b"s.counts");
        assert!(file.load("two").unwrap().is_none());
        file.save("two", b"s.tried");
        assert_eq!(file.load("one").unwrap().unwrap().as_slice(), b"s.counts");
        let other = TokenFile::new(&file.home, "bao-2");
        other.save("one", b"s.of-another-provider");
        file.remove_others("two").unwrap();
        assert!(file.load("one").unwrap().is_none() && file.load("two").unwrap().is_some());
        file.remove().unwrap();
        assert!(file.paths().is_empty() && other.load("one").unwrap().is_some());
    }

    #[test]
    fn an_entry_whose_key_can_not_be_had_now_is_an_error_and_stays() {
        let (_directory, file) = file();
        file.save("one", b"s.canary-token");
        let key = std::fs::read(file.home.sealing_key_file()).unwrap();
        let marker = b"{\"schema_version\":1,\"kept_in\":\"secret-service\",\"key_id\":\"0123456789abcdef\"}";
        home::write(&file.home.sealing_key_file(), marker).unwrap();
        let failure = file.load("one").unwrap_err();
        assert_eq!(failure.kind, forge_core::Kind::Unavailable);
        assert_eq!(file.is_ready().unwrap_err().what, failure.what);
        assert!(file.path("one").exists());
        home::write(&file.home.sealing_key_file(), &key).unwrap();
        assert!(file.is_ready().is_ok());
        assert_eq!(file.load("one").unwrap().unwrap().as_slice(), b"s.canary-token");
    }

    #[test]
    fn an_entry_of_another_provider_does_not_open() {
        let (_directory, file) = file();
        file.save("one", b"s.canary-token");
        let other = TokenFile::new(&file.home, "other");
        std::fs::copy(file.path("one"), other.path("one")).unwrap();
        assert!(other.load("one").unwrap().is_none());
        assert!(file.load("one").unwrap().is_some());
    }

    #[test]
    fn one_process_at_a_time_has_its_turn_and_a_removed_provider_leaves_no_lock() {
        let (_directory, file) = file();
        let turn = file.turn().unwrap();
        assert!(file.turn().is_none());
        assert!(TokenFile::new(&file.home, "other").turn().is_some(), "another provider waited as well");
        drop(turn);
        assert!(file.turn().is_some());
        file.remove().unwrap();
        assert!(!file.lock_path().exists());
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
                let entry = file.load("one").unwrap().unwrap();
                assert!(entry.len() == 4096 && entry.iter().all(|byte| Some(byte) == entry.first()));
            }
        });
    }
}
