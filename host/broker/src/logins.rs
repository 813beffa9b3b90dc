//! Logins that are under way: each is finished and what it gave is kept, whoever has stopped waiting for it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Error;

/// How long a login may take, whoever waits for it: a call's time may be over, and a secret of one use spent.
pub(crate) const LONGEST: Duration = Duration::from_secs(20);

/// Whoever waits longer than a login takes meets only a process that was stopped.
const _: () = assert!(crate::tokens::WAIT.as_secs() > LONGEST.as_secs());

/// The logins of a process that are under way.
///
/// A login may spend a secret of one use, so it is a task of its own: neither the deadline of the call that wanted it
/// nor the end of that call stops it. A program that ends waits for [`Logins::finished`] before it drops its runtime.
#[derive(Clone, Debug, Default)]
pub struct Logins(watch::Sender<usize>);

impl Logins {
    /// Waits until no login is under way. Each ends by a deadline of its own, after at most 20 seconds.
    pub async fn finished(&self) {
        // The sender is alive as long as this value, so there is no other end of the wait.
        drop(self.0.subscribe().wait_for(|count| *count == 0).await);
    }

    /// Does a login at `origin` on a time of its own: the caller may leave, and what the login gives is kept all the same.
    ///
    /// # Errors
    /// The login's own, and a timeout after 20 seconds. A panic of the login is one of the call that wanted it.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        origin: &str,
        login: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let late = |_| Err(Error::Timeout { origin: origin.to_owned() });
        match self.begin(tokio::time::timeout(LONGEST, login)).await {
            Ok(outcome) => outcome.unwrap_or_else(late),
            Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
            Err(_) => Err(Error::Timeout { origin: origin.to_owned() }),
        }
    }

    /// Begins a login; dropping the handle leaves it running.
    fn begin<T: Send + 'static>(&self, login: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.0.send_modify(|count| *count += 1);
        let under_way = UnderWay(self.0.clone());
        tokio::spawn(async move {
            let outcome = login.await;
            drop(under_way);
            outcome
        })
    }
}

/// Counts one login for as long as its task is there, whether it ends or panics.
struct UnderWay(watch::Sender<usize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
