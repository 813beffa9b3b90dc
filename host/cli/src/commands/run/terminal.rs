//! The terminal that forge itself runs in: which of its ends go there, its size, and its modes while a program has it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::getpgrp;
use rustix::termios::{self, OptionalActions, OutputModes, Termios, Winsize};

/// A terminal, to be told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device(rustix::fs::Dev);

/// The terminal at this end, if it is one.
pub(super) fn device(end: impl AsFd) -> Option<Device> {
    termios::isatty(&end).then(|| rustix::fs::fstat(&end).ok()).flatten().map(|status| Device(status.st_rdev))
}

/// Whether keys that are typed at this terminal are meant for this process, and its modes are this one's to set: whoever
/// does that from the background is stopped by the system ("termios(3)", `SIGTTOU`).
pub(super) fn is_in_front(terminal: impl AsFd) -> bool {
    // Where it is nobody's controlling terminal there is no background.
    termios::tcgetpgrp(terminal).map_or(true, |group| group == getpgrp())
}

/// Whether Ctrl-C at the terminal of this process reaches every process of its group by itself.
pub(super) fn signals_group() -> bool {
    let ends: [&dyn AsFd; 3] = [&io::stdin(), &io::stdout(), &io::stderr()];
    ends.into_iter().any(|end| termios::tcgetpgrp(end.as_fd()).is_ok_and(|group| group == getpgrp()))
}

/// Whether a terminal at one of the ends of this process was taken away, so that the system told the whole group.
pub(super) fn is_gone() -> bool {
    let ends: [&dyn AsFd; 3] = [&io::stdin(), &io::stdout(), &io::stderr()];
    ends.into_iter().any(|end| matches!(termios::tcgetpgrp(end.as_fd()), Err(rustix::io::Errno::IO)))
}

/// The size of a terminal.
pub(super) fn size(terminal: impl AsFd) -> Option<Winsize> {
    termios::tcgetwinsize(terminal).ok()
}

/// Gives a new terminal the modes of the one behind it, so that keys erase and end a line as they do there.
pub(super) fn prepare(new: impl AsFd, behind: impl AsFd, is_controlling: bool) -> io::Result<()> {
    let mut modes = termios::tcgetattr(behind)?;
    if !is_controlling {
        // The one behind it goes on making line breaks, and it would make them twice.
        modes.output_modes.remove(OutputModes::OPOST);
    }
    Ok(termios::tcsetattr(new, OptionalActions::Now, &modes)?)
}

/// The terminal while its keys go to a program with a terminal of its own, which makes lines and signals of them. Dropping it
/// gives the terminal back as it was, whatever ends forge.
#[derive(Debug)]
pub(super) struct Raw {
    terminal: OwnedFd,
    modes: Termios,
    is_set: bool,
}

impl Raw {
    /// Keeps the modes of this terminal, and sets none yet.
    pub(super) fn of(terminal: impl AsFd) -> io::Result<Self> {
        let modes = termios::tcgetattr(&terminal)?;
        Ok(Self { terminal: terminal.as_fd().try_clone_to_owned()?, modes, is_set: false })
    }

    /// From now on each key is given as it is, if the terminal is this process'.
    pub(super) fn set(&mut self) {
        let mut raw = self.modes.clone();
        raw.make_raw();
        self.is_set =
            is_in_front(&self.terminal) && termios::tcsetattr(&self.terminal, OptionalActions::Now, &raw).is_ok();
    }

    /// Gives the terminal back as it was.
    pub(super) fn restore(&mut self) {
        // A shell that took it back has set its own modes.
        if std::mem::take(&mut self.is_set) && is_in_front(&self.terminal) {
            // Where the terminal is gone there is nothing to give back.
            termios::tcsetattr(&self.terminal, OptionalActions::Now, &self.modes).unwrap_or_default();
        }
    }

    /// Whether a line break of forge's own needs a carriage return.
    pub(super) fn is_set(&self) -> bool {
        self.is_set
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.restore();
    }
}
