//! Logins that are under way: each is finished and what it gave is kept, whoever has stopped waiting for it.

use tokio::sync::watch;
use tokio::task::JoinHandle;

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

    /// Begins a login; dropping the handle leaves it running.
    pub(crate) fn begin<T: Send + 'static>(&self, login: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
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
