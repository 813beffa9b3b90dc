//! Whether the secrets of a program that runs have changed.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep_until};
use zeroize::Zeroizing;

use super::content::{Content, Wish};
use super::signals;
use crate::arguments::Run;
use crate::failure::Outcome;

/// How many older contents are masked beside that of now.
const MOST_OLDER: usize = 16;

/// What follows from a look at the secrets.
pub(super) enum Then {
    /// They could not be read, which is told once.
    Warn(String),
    /// They have changed: the program is told. The file with them holds this.
    Signal(Signal, Option<Zeroizing<Vec<u8>>>),
    /// They have changed: the program is started anew.
    Restart(Option<Zeroizing<Vec<u8>>>),
}

/// A look that is on its way.
type Look<'a> = Pin<Box<dyn Future<Output = Outcome<Content>> + 'a>>;

/// Looks at the secrets again and again.
pub(super) struct Watch<'a> {
    wish: &'a Wish<'a>,
    interval: Option<Duration>,
    signal: Option<Signal>,
    /// When they are looked at next.
    next: Instant,
    /// A look that has begun.
    look: Option<Look<'a>>,
    /// What the program has.
    current: Content,
    /// What it had before, and may still print.
    older: Vec<Content>,
    /// Whether it was told that they can't be read.
    is_told: bool,
}

impl<'a> Watch<'a> {
    /// Looks at what was read just now, as often as was typed; never, where nothing was.
    pub(super) fn new(wish: &'a Wish<'a>, typed: &Run, current: Content) -> Self {
        let signal = typed.watch_signal.as_deref().and_then(signals::named);
        let next = Instant::now() + typed.watch.unwrap_or_default();
        Self { wish, interval: typed.watch, signal, next, look: None, current, older: Vec::new(), is_told: false }
    }

    /// The next thing to be done about them. Nothing is lost where it is not waited for.
    pub(super) async fn next(&mut self) -> Then {
        let Some(interval) = self.interval else { return std::future::pending().await };
        loop {
            sleep_until(self.next).await;
            let wish = self.wish;
            let read = self.look.get_or_insert_with(|| Box::pin(wish.look())).await;
            self.look = None;
            // Counted from the end of a look: a backend that is slow is not asked without a pause.
            self.next = Instant::now() + interval;
            match read {
                Ok(content) => {
                    self.is_told = false;
                    if self.current.values != content.values {
                        return self.changed(content);
                    }
                }
                Err(failure) if !self.is_told => {
                    self.is_told = true;
                    return Then::Warn(format!("can't look for changed secrets: {}", failure.what));
                }
                Err(_) => {}
            }
        }
    }

    fn changed(&mut self, mut content: Content) -> Then {
        let mounted = content.mounted.take();
        let before = std::mem::replace(&mut self.current, content);
        let Some(signal) = self.signal else { return Then::Restart(mounted) };
        self.older.push(before);
        if self.older.len() > MOST_OLDER {
            self.older.remove(0);
        }
        Then::Signal(signal, mounted)
    }

    /// What the program has now.
    pub(super) fn current(&self) -> &Content {
        &self.current
    }

    /// All that the program may print.
    pub(super) fn contents(&self) -> Vec<&Content> {
        self.older.iter().chain([&self.current]).collect()
    }
}
