//! Secrets as a file for as long as a program runs: a pipe with a name, whose every reader gets them once.
//!
//! Nothing of it is on a disk. Whoever opens it gets a pipe of their own, so that none takes from another; two that open it in
//! the same instant may share one.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use forge_core::Kind;
use forge_core::home;
use forge_core::manifest::printable_name;
use forge_core::provider::Failure;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::Sender;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::environment;
use crate::failure::{Context as _, Outcome, usage};

/// How long a reader may take; one that opens the file and reads nothing holds a copy of the secrets in memory.
const PATIENCE: Duration = Duration::from_secs(60);

/// The text that is served.
type Text = Arc<Zeroizing<Vec<u8>>>;

/// A file that is there until this is dropped.
#[derive(Debug)]
pub(super) struct Mount {
    path: PathBuf,
    served: Arc<Mutex<Text>>,
    is_pipe: bool,
}

impl Mount {
    /// Serves a text at a path where nothing is, to so many readers.
    ///
    /// # Errors
    /// Something is there, or no file can be made there.
    pub(super) fn make(path: &Path, text: Zeroizing<Vec<u8>>, reads: Option<u32>) -> Outcome<Self> {
        let shown = printable_name(&path.display().to_string());
        let tried = || format!("can't serve secrets at `{shown}`");
        // The program is given its path as it was typed; forge looks for it at the place that was meant.
        let path = environment::absolute(path).context(tried)?;
        let served = Arc::new(Mutex::new(Arc::new(text)));
        match pipe(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(usage("something is there already").with_hint("name a new path")).context(tried);
            }
            Err(error) if has_no_pipes(&error) && reads.is_none() => {
                let text = Arc::clone(&served.lock().unwrap_or_else(PoisonError::into_inner));
                if !home::create(&path, &text).context(tried)? {
                    return Err(usage("something is there already").with_hint("name a new path")).context(tried);
                }
                return Ok(Self { path, served, is_pipe: false });
            }
            Err(error) if has_no_pipes(&error) => {
                return Err(usage("no pipe can be made there, so nobody could count its readers")
                    .with_hint("leave `--mount-reads` out"))
                .context(tried);
            }
            Err(error) => return Err(Failure::new(Kind::InvalidRequest, error.to_string())).context(tried),
        }
        let mount = Self { path: path.clone(), served: Arc::clone(&served), is_pipe: true };
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name("forge-mount".to_owned())
            .spawn(move || serve(&path, &served, reads, &runtime))
            .map_err(|error| Failure::new(Kind::Internal, error.to_string()))
            .context(tried)?;
        Ok(mount)
    }

    /// Serves another text from the next reader on.
    ///
    /// # Errors
    /// It is a file and can't be written.
    pub(super) fn serve(&self, text: Zeroizing<Vec<u8>>) -> Outcome {
        if !self.is_pipe {
            home::rewrite(&self.path, &text)?;
        }
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(text);
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let Ok(metadata) = self.path.symlink_metadata() else { return };
        // What somebody else has put there meanwhile is theirs.
        let is_own = if self.is_pipe { metadata.file_type().is_fifo() } else { metadata.is_file() };
        if is_own {
            std::fs::remove_file(&self.path).unwrap_or_default();
        }
    }
}

/// Hands the text to one reader after the other.
fn serve(path: &Path, served: &Mutex<Text>, reads: Option<u32>, runtime: &Handle) {
    let mut left = reads;
    loop {
        // Waits for a reader.
        let Ok(file) = opened(path) else { return };
        left = left.map(|left| left.saturating_sub(1));
        let is_last = left == Some(0);
        // The next reader finds a pipe of its own, or nothing any more.
        let next = if is_last { std::fs::remove_file(path) } else { replace(path) };
        let text = Arc::clone(&served.lock().unwrap_or_else(PoisonError::into_inner));
        runtime.spawn(hand_out(file, text));
        if is_last || next.is_err() {
            return;
        }
    }
}

/// Gives one reader the text. One that goes away early has what it wanted.
async fn hand_out(file: File, text: Text) {
    if let Ok(mut sender) = Sender::from_file(file) {
        tokio::time::timeout(PATIENCE, sender.write_all(&text)).await.map(drop).unwrap_or_default();
    }
}

/// This end of the pipe, once somebody has opened the other one. A link in its place is not followed: it would lead the
/// secrets elsewhere.
fn opened(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits();
    let file = OpenOptions::new().write(true).custom_flags(flags.cast_signed()).open(path)?;
    let is_pipe = file.metadata()?.file_type().is_fifo();
    if is_pipe { Ok(file) } else { Err(io::ErrorKind::AlreadyExists.into()) }
}

/// Puts a new pipe in the place of one that has found its reader.
fn replace(path: &Path) -> io::Result<()> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", forge_core::sealing::hex(&random)));
    let new = path.with_file_name(name);
    pipe(&new)?;
    std::fs::rename(&new, path).inspect_err(|_| std::fs::remove_file(&new).unwrap_or_default())
}

/// Makes a pipe with a name that this user alone can open.
#[cfg(target_os = "linux")]
fn pipe(path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, Mode, mkfifoat};
    Ok(mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?)
}

/// The same where the library has none: a file takes its place.
#[cfg(not(target_os = "linux"))]
fn pipe(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Whether a place has no pipes at all, such as a disk of another system ("mknod(2)", `EPERM`).
fn has_no_pipes(error: &io::Error) -> bool {
    let known = [rustix::io::Errno::PERM, rustix::io::Errno::OPNOTSUPP, rustix::io::Errno::NOSYS];
    error.kind() == io::ErrorKind::Unsupported
        || error.raw_os_error().is_some_and(|number| known.iter().any(|errno| errno.raw_os_error() == number))
}
