//! How a program is started, and where its ends go.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use forge_core::masking::Masker;
use pty_process::{OwnedReadPty, OwnedWritePty, Pts};
use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::termios;
use tokio::process::Command;

use super::environment::Variables;
use super::running::{Running, Session};
use super::stream::{Source, Stream};
use super::terminal;

/// The word that this program is started with to become another one at the head of a terminal's session.
const SESSION: &str = "__session";

/// What is started.
#[derive(Debug)]
pub(super) struct Program {
    /// Its name or path, and its arguments.
    pub(super) words: Vec<OsString>,
    /// Its whole environment.
    pub(super) variables: Variables,
}

impl Program {
    /// The same as a command of the standard library, which asks no shell.
    ///
    /// # Errors
    /// There is no such program, or it can't be executed.
    pub(super) fn command(&self) -> io::Result<std::process::Command> {
        let (name, arguments) = self.split();
        // With its path the system starts it without a copy of this process before it, which has secrets and open files.
        let mut command = std::process::Command::new(self.path(name)?);
        command.arg0(name).args(arguments).env_clear().envs(&self.variables);
        Ok(command)
    }

    /// This program, which becomes that one at the head of a terminal's session: the way there is forge's own code, and of
    /// another process.
    fn in_session(&self) -> io::Result<std::process::Command> {
        let (name, arguments) = self.split();
        let mut command = std::process::Command::new(crate::environment::program());
        command.arg(SESSION).arg(self.path(name)?).arg(name).args(arguments).env_clear().envs(&self.variables);
        Ok(command)
    }

    fn split(&self) -> (&OsStr, &[OsString]) {
        self.words.split_first().map_or((OsStr::new(""), &[]), |(name, arguments)| (name.as_os_str(), arguments))
    }

    /// Where the program is, by its own `PATH` ("execvp(3)").
    fn path(&self, name: &OsStr) -> io::Result<PathBuf> {
        let usual = OsString::from("/bin:/usr/bin");
        let folders = self.variables.get(OsStr::new("PATH")).unwrap_or(&usual);
        let files: Vec<PathBuf> = match name.as_bytes().contains(&b'/') {
            true => vec![name.into()],
            false if name.is_empty() => Vec::new(),
            false => std::env::split_paths(folders).map(|folder| Path::new(".").join(folder).join(name)).collect(),
        };
        let mut refused = None;
        for file in files {
            let found = file.metadata().and_then(|found| {
                access(&file, Access::EXEC_OK)?;
                if found.is_dir() { Err(Errno::ACCESS.into()) } else { Ok(()) }
            });
            match found {
                Ok(()) => return Ok(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }
}

/// Becomes the program of a session: the other side of what this program starts for one. `None` where it was not started for
/// that; otherwise why it has not become it, and its name.
pub(super) fn becomes(mut words: impl Iterator<Item = OsString>) -> Option<(io::Error, OsString)> {
    words.next().filter(|word| word == SESSION)?;
    let (path, name) = (words.next()?, words.next()?);
    let leads = setsid().and_then(|_| ioctl_tiocsctty(io::stdin()));
    let error = match leads {
        Ok(()) => std::process::Command::new(path).arg0(&name).args(words).exec(),
        Err(error) => error.into(),
    };
    Some((error, name))
}

/// A terminal of forge's own making, whose other end is for the program.
struct Made {
    read: OwnedReadPty,
    write: OwnedWritePty,
    /// This end once more, to set its size.
    control: OwnedFd,
    other: Pts,
}

/// A stream before it is passed on: where it comes from, and where it goes.
type Way = (Source, File);

/// What was begun before a program is started.
#[derive(Default)]
struct Begun {
    ways: Vec<Way>,
    /// Terminals of forge's own making, each with the end of forge's whose size it has.
    terminals: Vec<(OwnedFd, OwnedFd)>,
}

/// Starts a program whose output is not looked at.
pub(super) fn plain(program: &Program) -> io::Result<Running> {
    Ok(Running::new(Command::from(program.command()?).spawn()?, Vec::new(), Vec::new(), None))
}

/// Starts a program whose output is masked: each of its two outputs by a terminal where forge's own end is one, and by a pipe
/// elsewhere, so that a program does what it would do without forge.
///
/// Where keys are typed at the terminal that the output goes to, the program gets a session of its own, as at any terminal.
/// Elsewhere it stays in forge's group, beside the other programs of a pipeline, and reads what forge would.
pub(super) fn masked(program: &Program, masker: &Masker) -> io::Result<Running> {
    let (typed, out, error) = (io::stdin(), io::stdout(), io::stderr());
    let (at_typed, at_out, at_error) = (terminal::device(&typed), terminal::device(&out), terminal::device(&error));
    let is_session = at_out.is_some() && at_out == at_typed && terminal::is_in_front(&typed);
    // One terminal for both outputs where it is the same, or their order would be lost.
    let is_shared = at_out.is_some() && at_out == at_error;
    let mut begun = Begun::default();
    let error_end = if is_shared { None } else { Some(begun.end(&error, at_error.is_some())?) };
    let mut command = Command::from(if is_session { program.in_session()? } else { program.command()? });
    let mut keys = None;
    let end = if is_session {
        let Made { read, write, control, other } = make(&out, true)?;
        begun.ways.push((Box::pin(read), own(&out)?));
        begun.terminals.push((control.try_clone()?, own(&out)?.into()));
        keys = Some((write, control));
        let end = other.as_fd().try_clone_to_owned()?;
        command.stdin(end.try_clone()?);
        end
    } else {
        begun.end(&out, at_out.is_some())?
    };
    match error_end {
        Some(error_end) => command.stderr(error_end),
        None => command.stderr(end.try_clone()?),
    };
    let child = command.stdout(end).spawn()?;
    // Its ends are the program's alone from here on, so that their last one closes with it.
    drop(command);
    let session = keys.map(|(write, control)| Session::begin(&child, write, control)).transpose()?;
    let streams = begun.ways.into_iter().map(|(source, to)| Stream::begin(source, to, masker.clone()));
    Ok(Running::new(child, streams.collect::<io::Result<_>>()?, begun.terminals, session))
}

impl Begun {
    /// The program's end of a new stream to this end of forge's.
    fn end(&mut self, to: impl AsFd, is_terminal: bool) -> io::Result<OwnedFd> {
        if is_terminal {
            let Made { read, control, other, .. } = make(&to, false)?;
            self.ways.push((Box::pin(read), own(&to)?));
            self.terminals.push((control, own(&to)?.into()));
            return other.as_fd().try_clone_to_owned();
        }
        let (from, end) = io::pipe()?;
        self.ways.push((Box::pin(tokio::net::unix::pipe::Receiver::from_owned_fd(from.into())?), own(&to)?));
        Ok(end.into())
    }
}

/// A new terminal in the place of the one behind it.
fn make(behind: impl AsFd, is_controlling: bool) -> io::Result<Made> {
    let (terminal, other) = pty_process::open().map_err(known)?;
    let control = terminal.as_fd().try_clone_to_owned()?;
    terminal::prepare(&other, &behind, is_controlling)?;
    if let Some(size) = terminal::size(&behind) {
        termios::tcsetwinsize(&control, size)?;
    }
    let (read, write) = terminal.into_split();
    Ok(Made { read, write, control, other })
}

fn known(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(error) => error.into(),
        other => io::Error::other(other.to_string()),
    }
}

/// An end of forge's own once more.
fn own(end: impl AsFd) -> io::Result<File> {
    Ok(File::from(end.as_fd().try_clone_to_owned()?))
}
