//! The signals that forge gets for the program that it runs.

use std::future::poll_fn;
use std::path::Path;
use std::task::Poll;

use forge_core::home;
use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind};

/// What is passed on, or watched for the sake of a terminal.
const WATCHED: [Signal; 8] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2, Signal::WINCH, Signal::CONT];

/// What says of this process which signals it ignores ("proc_pid_status(5)", `SigIgn`).
const STATUS: &str = "/proc/self/status";

/// The most of that which is read, in bytes.
const LONGEST_STATUS: u64 = 64 << 10;

/// Signals that were sent to this process, from the making of this on.
#[derive(Debug)]
pub(super) struct Signals(Vec<(Signal, unix::Signal)>);

impl Signals {
    /// From now on no signal of these ends this process.
    ///
    /// One that it was started to ignore (`nohup`) stays ignored, here and in the program.
    pub(super) fn new() -> std::io::Result<Self> {
        let ignored = mask(STATUS, "SigIgn:");
        let watched = WATCHED.into_iter().filter(|signal| !is_in(ignored, *signal));
        let streams = watched.map(|signal| Ok((signal, unix::signal(SignalKind::from_raw(signal.as_raw()))?)));
        Ok(Self(streams.collect::<std::io::Result<_>>()?))
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            for (signal, stream) in &mut self.0 {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready(*signal);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// The signal of this name, one of those that can be typed.
pub(super) fn named(name: &str) -> Option<Signal> {
    Some(match name {
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "QUIT" => Signal::QUIT,
        "TERM" => Signal::TERM,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        _ => return None,
    })
}

/// A set of signals that the system tells of a process, by the name of its line; none where it tells nothing.
pub(super) fn mask(status: &str, line: &str) -> u64 {
    let status = home::read(Path::new(status), LONGEST_STATUS).ok().flatten().unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let set = status.lines().find_map(|text| text.strip_prefix(line));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or_default()
}

/// Whether a signal is in such a set.
pub(super) fn is_in(mask: u64, signal: Signal) -> bool {
    u32::try_from(signal.as_raw() - 1).ok().and_then(|bit| mask.checked_shr(bit)).is_some_and(|rest| rest & 1 == 1)
}
