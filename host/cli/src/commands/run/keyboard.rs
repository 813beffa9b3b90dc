//! What is typed at forge's terminal, on its way to the terminal of the program.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use pty_process::OwnedWritePty;
use rustix::process::{Pid, Signal};
use rustix::termios::{self, LocalModes, SpecialCodeIndex};
use tokio::io::AsyncWriteExt as _;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::signals;
use super::terminal::is_in_front;

/// The most bytes that are read at a time.
const READ: usize = 4 << 10;

/// How often it is looked whether forge is in front of its terminal again, where it was sent to the background.
const LOOK: Duration = Duration::from_millis(200);

/// What happens at the keyboard that is not for the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The program is to be stopped, and forge with it.
    Suspend,
    /// Forge is in front of its terminal again.
    Front,
}

/// The way of what is typed.
pub(super) struct Keyboard {
    pub(super) to: OwnedWritePty,
    /// The terminal of the program.
    pub(super) terminal: OwnedFd,
    /// The program.
    pub(super) leader: Pid,
    pub(super) keys: mpsc::Sender<Key>,
}

impl Keyboard {
    /// Passes on what is typed until the terminal ends.
    pub(super) async fn pass(mut self) -> io::Result<()> {
        let typed = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        #[expect(
            deprecated,
            reason = "a file that is owned here stays the same, which is all that its successor asks for"
        )]
        let typed = AsyncFd::new(typed)?;
        let mut read = Zeroizing::new(vec![0; READ]);
        loop {
            let mut ready = typed.readable().await?;
            // Reading from the background stops whoever does.
            if !is_in_front(typed.get_ref()) {
                while !is_in_front(typed.get_ref()) {
                    tokio::time::sleep(LOOK).await;
                }
                self.tell(Key::Front).await;
                ready.clear_ready();
                continue;
            }
            // The terminal is shared with programs that expect a read to wait, so this looks first whether it would.
            if rustix::io::ioctl_fionread(typed.get_ref())? == 0 {
                ready.clear_ready();
                continue;
            }
            let length = typed.get_ref().read(&mut read)?;
            let Some(bytes) = read.get(..length).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
            if self.suspends(bytes) {
                self.tell(Key::Suspend).await;
            } else {
                self.to.write_all(bytes).await?;
            }
        }
    }

    async fn tell(&self, key: Key) {
        // Where nobody listens, forge is at its end.
        self.keys.send(key).await.unwrap_or_default();
    }

    /// Whether this is the key that stops a program, and no program does anything of its own with it.
    ///
    /// The system does not stop whoever leads a terminal's session: nobody there could start it again. Forge can.
    fn suspends(&self, bytes: &[u8]) -> bool {
        let Ok(modes) = termios::tcgetattr(&self.terminal) else { return false };
        let key = modes.special_codes[SpecialCodeIndex::VSUSP];
        if !modes.local_modes.contains(LocalModes::ISIG) || !bytes.contains(&key) || key == 0 {
            return false;
        }
        if termios::tcgetpgrp(&self.terminal).is_ok_and(|group| group != self.leader) {
            return false;
        }
        let status = format!("/proc/{}/status", self.leader.as_raw_nonzero());
        let handled = signals::mask(&status, "SigIgn:") | signals::mask(&status, "SigCgt:");
        !signals::is_in(handled, Signal::TSTP)
    }
}
