//! A program that runs: what it is told, and what is seen of it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use forge_core::masking::Masker;
use pty_process::OwnedWritePty;
use rustix::process::{Pid, Signal, kill_current_process_group, kill_process, kill_process_group};
use rustix::termios;
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::keyboard::{Key, Keyboard};
use super::stream::Stream;
use super::terminal::{self, Raw};

/// How long a program that is to end for a new start may take.
const GRACE: Duration = Duration::from_secs(10);

/// What is seen of a program.
#[derive(Debug)]
pub(super) enum Seen {
    /// It has ended.
    Ended(ExitStatus),
    /// Something at the keyboard that is not for the program.
    Key(Key),
}

/// A program that runs.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    streams: Vec<Stream>,
    /// Terminals of forge's own making, each with the end of forge's whose size it has.
    terminals: Vec<(OwnedFd, OwnedFd)>,
    session: Option<Session>,
}

/// What a program that is alone in front of a terminal of its own has beside that.
#[derive(Debug)]
pub(super) struct Session {
    raw: Raw,
    keys: mpsc::Receiver<Key>,
    keyboard: JoinHandle<io::Result<()>>,
}

impl Session {
    /// Has forge's terminal give each key to the program's from here on.
    pub(super) fn begin(child: &Child, to: OwnedWritePty, terminal: OwnedFd) -> io::Result<Self> {
        let mut raw = Raw::of(io::stdin())?;
        let (tell, keys) = mpsc::channel(1);
        let leader = number(child).ok_or_else(|| io::Error::other("the program has no number"))?;
        let keyboard = tokio::spawn(Keyboard { to, terminal, leader, keys: tell }.pass());
        raw.set();
        Ok(Self { raw, keys, keyboard })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.keyboard.abort();
    }
}

impl Running {
    pub(super) fn new(
        child: Child,
        streams: Vec<Stream>,
        terminals: Vec<(OwnedFd, OwnedFd)>,
        session: Option<Session>,
    ) -> Self {
        Self { child, streams, terminals, session }
    }

    /// What comes next. Nothing is lost where it is not waited for.
    pub(super) async fn next(&mut self) -> io::Result<Seen> {
        let Some(Session { keys, .. }) = &mut self.session else {
            return Ok(Seen::Ended(self.child.wait().await?));
        };
        tokio::select! {
            ended = self.child.wait() => Ok(Seen::Ended(ended?)),
            Some(key) = keys.recv() => Ok(Seen::Key(key)),
        }
    }

    /// Tells the program of a signal that forge got, unless the system told it already.
    pub(super) fn pass(&mut self, signal: Signal) {
        match signal {
            Signal::WINCH => self.resize(),
            Signal::CONT => self.front(),
            // Where both are one group in front of a terminal, its keys reach both.
            Signal::INT | Signal::QUIT if self.session.is_none() && terminal::signals_group() => {}
            Signal::HUP if self.session.is_none() && terminal::is_gone() => {}
            signal => self.send(signal),
        }
    }

    /// Sends the program a signal.
    pub(super) fn send(&self, signal: Signal) {
        if let Some(number) = number(&self.child) {
            // One that has just ended needs none.
            kill_process(number, signal).unwrap_or_default();
        }
    }

    /// Gives the program's terminals the size of forge's.
    fn resize(&self) {
        for (terminal, behind) in &self.terminals {
            if let Some(size) = terminal::size(behind) {
                termios::tcsetwinsize(terminal, size).unwrap_or_default();
            }
        }
        // The system tells whoever is in front of a terminal of its own. Anybody else was told of forge's own size, and
        // perhaps before this one was set.
        if self.session.is_none() && !self.terminals.is_empty() {
            self.send(Signal::WINCH);
        }
    }

    /// Stops the program, and forge's group with it, as the key does for which the terminal had no ear; goes on when
    /// somebody starts the group again.
    pub(super) fn suspend(&mut self) {
        let group = |signal| {
            if let Some(leader) = number(&self.child) {
                kill_process_group(leader, signal).unwrap_or_default();
            }
        };
        let Some(session) = &mut self.session else { return };
        group(Signal::STOP);
        session.raw.restore();
        kill_current_process_group(Signal::TSTP).unwrap_or_default();
        // From here on the group runs again.
        session.raw.set();
        group(Signal::CONT);
        self.resize();
    }

    /// Takes the keys again, where forge has come to the front of its terminal.
    pub(super) fn front(&mut self) {
        if let Some(session) = &mut self.session {
            session.raw.set();
            self.resize();
        }
    }

    /// Has the terminal make lines as usual while something is said there.
    pub(super) fn aside<T>(&mut self, say: impl FnOnce() -> T) -> T {
        let is_raw = self.session.as_ref().is_some_and(|session| session.raw.is_set());
        if let Some(session) = self.session.as_mut().filter(|_| is_raw) {
            session.raw.restore();
            let said = say();
            session.raw.set();
            return said;
        }
        say()
    }

    /// From now on these values are masked, among which all those before have to be.
    pub(super) fn mask(&self, masker: &Masker) {
        self.streams.iter().for_each(|stream| stream.mask(masker.clone()));
    }

    /// Ends the program: as whoever stops it by hand, and by force when it does not end by then.
    pub(super) async fn stop(&mut self) -> io::Result<()> {
        self.send(Signal::TERM);
        // One that was stopped could not end.
        self.send(Signal::CONT);
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }

    /// Waits until all is printed that the program left behind, and gives the terminal back.
    pub(super) async fn finish(mut self) {
        for stream in std::mem::take(&mut self.streams) {
            stream.end().await;
        }
    }
}

/// The number of a program that has not ended.
fn number(child: &Child) -> Option<Pid> {
    child.id().and_then(|number| i32::try_from(number).ok()).and_then(Pid::from_raw)
}

/// What a shell answers for a program that ended so: its exit code, or 128 and the number of the signal.
pub(super) fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
