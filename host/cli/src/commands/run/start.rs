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
use rustix::termios;
use tokio::process::Command;

use super::environment::Variables;
use super::running::{Running, Session};
use super::stream::{Source, Stream};
use super::terminal;

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
    pub(super) fn command(&self) -> std::process::Command {
        let mut words = self.words.iter();
        let name = words.next().cloned().unwrap_or_default();
        // With its path the system starts it without a copy of this process before it, which has secrets and open files.
        let mut command = match self.path(&name) {
            Some(path) => std::process::Command::new(path),
            None => std::process::Command::new(&name),
        };
        command.arg0(&name).args(words).env_clear().envs(&self.variables);
        command
    }

    /// Where the program is, by its own `PATH` ("execvp(3)"); `None` where that is for the system to say.
    fn path(&self, name: &OsStr) -> Option<PathBuf> {
        if name.is_empty() || name.as_bytes().contains(&b'/') {
            return None;
        }
        let folders = std::env::split_paths(self.variables.get(OsStr::new("PATH"))?);
        let mut files = folders.map(|folder| Path::new(".").join(folder).join(name));
        files.find(|file| file.is_file() && access(file, Access::EXEC_OK).is_ok())
    }
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
    Ok(Running::new(Command::from(program.command()).spawn()?, Vec::new(), Vec::new(), None))
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
    let mut command = Command::from(program.command());
    let (child, session) = if is_session {
        let Made { read, write, control, other } = make(&out, true)?;
        begun.ways.push((Box::pin(read), own(&out)?));
        begun.terminals.push((control.try_clone()?, own(&out)?.into()));
        let mut command = pty_process::Command::from(command);
        if let Some(end) = error_end {
            command = command.stderr(end);
        }
        let child = command.spawn(other).map_err(known)?;
        let session = Session::begin(&child, write, control)?;
        (child, Some(session))
    } else {
        let end = begun.end(&out, at_out.is_some())?;
        match error_end {
            Some(error_end) => command.stderr(error_end),
            None => command.stderr(end.try_clone()?),
        };
        command.stdout(end);
        (command.spawn()?, None)
    };
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
