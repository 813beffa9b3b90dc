//! What a program prints on its way to where forge prints, with the values masked.
//!
//! Each stream has a thread of its own, so that one that nobody reads stops neither the other nor the signals. What there
//! is to read it learns from the command's thread, on which the runtime is, and which waits for it at the end.

use std::fs::File;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use forge_core::masking::Masker;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use zeroize::Zeroizing;

/// The most bytes that are read at a time.
const READ: usize = 64 << 10;

/// How long a stream stands still before the beginning of a word is shown that may become a value.
const STILL: Duration = Duration::from_millis(20);

/// How long a stream that a program has left behind with its own children has to be silent to be left as well.
const SILENCE: Duration = Duration::from_millis(100);

/// How long such a stream is passed on at most, and how much of it, in bytes: what the program itself wrote fits in.
const LAST: Duration = Duration::from_secs(2);
const LAST_BYTES: usize = 4 << 20;

/// Where a stream comes from.
pub(super) type Source = Pin<Box<dyn AsyncRead + Send>>;

/// A stream that is passed on.
pub(super) struct Stream {
    /// The masker of what comes next, where the values have changed.
    next: Arc<Mutex<Option<Masker>>>,
    /// When the program has ended.
    ended: watch::Sender<Option<Instant>>,
    done: oneshot::Receiver<()>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}

impl Stream {
    /// Passes a stream on from here on.
    pub(super) fn begin(source: Source, to: File, masker: Masker) -> std::io::Result<Self> {
        let (ended, has_ended) = watch::channel(None);
        let (tell, done) = oneshot::channel();
        let next = Arc::new(Mutex::new(None));
        let passing = Passing { source, to, masker, next: Arc::clone(&next), ended: has_ended };
        let runtime = Handle::current();
        std::thread::Builder::new().name("forge-output".to_owned()).spawn(move || {
            runtime.block_on(passing.pass());
            // Nobody waits any more where forge ends without it.
            tell.send(()).unwrap_or_default();
        })?;
        Ok(Self { next, ended, done })
    }

    /// From now on these values are masked, among which all those before have to be.
    pub(super) fn mask(&self, masker: Masker) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(masker);
    }

    /// Waits until everything is passed on that the program has printed before it ended.
    pub(super) async fn end(self) {
        self.ended.send_replace(Some(Instant::now()));
        self.done.await.unwrap_or_default();
    }
}

struct Passing {
    source: Source,
    to: File,
    masker: Masker,
    next: Arc<Mutex<Option<Masker>>>,
    ended: watch::Receiver<Option<Instant>>,
}

impl Passing {
    async fn pass(mut self) {
        let mut read = Zeroizing::new(vec![0; READ]);
        let mut last = 0;
        loop {
            let length = tokio::select! {
                biased;
                // A terminal whose program is gone ends with an error.
                length = self.source.read(&mut read) => length.unwrap_or_default(),
                () = sleep(STILL), if self.masker.is_holding() => {
                    let ahead = self.masker.ahead();
                    if self.to.write_all(&ahead).is_err() {
                        return;
                    }
                    continue;
                }
                () = silence(&mut self.ended) => break,
            };
            let Some(bytes) = read.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
            self.renew();
            let masked = self.masker.push(bytes);
            // The program learns from its own next write that nobody reads.
            if !masked.is_empty() && self.to.write_all(&masked).is_err() {
                return;
            }
            if let Some(ended) = *self.ended.borrow() {
                last += length;
                if last > LAST_BYTES && ended.elapsed() > LAST {
                    break;
                }
            }
        }
        self.to.write_all(&self.masker.finish()).unwrap_or_default();
    }

    fn renew(&mut self) {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut next) = next {
            next.follow(&mut self.masker);
            self.masker = next;
        }
    }
}

/// Ends when the program has ended and nothing comes any more; begun anew with each read.
async fn silence(ended: &mut watch::Receiver<Option<Instant>>) {
    // Without one, forge itself ends.
    if let Ok(Some(ended)) = ended.wait_for(Option::is_some).await.map(|ended| *ended) {
        sleep_until((Instant::now() + SILENCE).min(ended + LAST)).await;
    }
}
