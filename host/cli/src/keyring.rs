//! The keyring that the sealing key may be in: the desktop's, with the kernel's before it.

mod bus;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(not(target_os = "linux"))]
#[path = "keyring/no_kernel.rs"]
mod kernel;
mod secret_service;
mod wire;

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use forge_core::config::KeyPlace;
use forge_core::keyring::{Keyring, Trouble};
use forge_core::sealing::SealingKey;

use crate::environment;
use bus::Socket;
use secret_service::SecretService;

/// How long a keyring may take to show that it is there, when a key is made and it need not be.
const LOOKING: Duration = Duration::from_secs(3);

/// How long it may take over what has to be done.
const WORKING: Duration = Duration::from_secs(10);

/// How long a person and all calls around their answer may take together; `secret_service` counts the parts.
const AT_MOST: Duration = Duration::from_secs(300);

/// How long the kernel keeps a key that the desktop's keyring gave, in minutes.
pub(crate) const KEPT_MINUTES: usize = kernel::KEPT / 60;

/// The desktop's keyring. It costs nothing until it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Desktop {
    /// What the configuration says of new keys.
    place: Option<KeyPlace>,
    /// Whether questions are allowed, if somebody is there.
    may_ask: bool,
    uses_cache: bool,
    /// The key that this process found: whoever needs it next, such as audit behind the store, asks nobody again.
    found: Arc<Mutex<Option<SealingKey>>>,
}

impl Desktop {
    pub(crate) fn new(place: Option<KeyPlace>, may_ask: bool) -> Self {
        Self { place, may_ask, uses_cache: true, found: Arc::default() }
    }

    /// The same that asks the desktop itself, whatever the kernel keeps.
    pub(crate) fn without_cache(&self) -> Self {
        Self { uses_cache: false, ..self.clone() }
    }

    /// Whether a key could be moved there now, without a question.
    pub(crate) fn is_ready(&self) -> Result<(), Trouble> {
        let sockets = sockets(false);
        if sockets.is_empty() {
            return Err(Trouble::Unreachable("there is no session bus".to_owned()));
        }
        on_its_own(LOOKING, move || {
            SecretService::open(&sockets, environment::user_number(), false, LOOKING)?.is_ready()
        })
    }

    /// Does something with the keyring, of which a person may be asked.
    fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut SecretService) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let may_ask = self.may_ask && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let at_most = if may_ask { AT_MOST } else { WORKING };
        let sockets = sockets(true);
        on_its_own(at_most, move || {
            act(&mut SecretService::open(&sockets, environment::user_number(), may_ask, WORKING)?)
        })
    }
}

/// Works on a thread of its own: connecting to a socket whose owner does not listen can't be bounded otherwise.
fn on_its_own<T: Send + 'static>(
    at_most: Duration,
    act: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    let (answer, answered) = mpsc::channel();
    // Nobody waits for the answer any more where it comes too late.
    std::thread::spawn(move || answer.send(act()).unwrap_or_default());
    answered.recv_timeout(at_most).unwrap_or(Err(Trouble::Timeout(at_most.as_secs())))
}

/// Where the session bus may be: where the environment says, and for a key that is there already where systemd has it.
fn sockets(must_find: bool) -> Vec<Socket> {
    if let Some(address) = environment::variable("DBUS_SESSION_BUS_ADDRESS").filter(|address| !address.is_empty()) {
        return bus::sockets(&address);
    }
    let runtime = environment::variable("XDG_RUNTIME_DIR").filter(|path| path.starts_with('/'));
    let usual = must_find.then(|| format!("/run/user/{}", environment::user_number()));
    runtime.or(usual).into_iter().map(|folder| Socket::Path(format!("{folder}/bus").into())).collect()
}

impl Keyring for Desktop {
    fn name(&self) -> &'static str {
        "secret-service"
    }

    fn keep_new(&self, key: &SealingKey) -> Result<bool, Trouble> {
        match self.place {
            Some(KeyPlace::File) => return Ok(false),
            Some(KeyPlace::Keyring) => return self.keep(key).map(|()| true),
            None => {}
        }
        let sockets = sockets(false);
        if sockets.is_empty() {
            return Ok(false);
        }
        let bytes = SealingKey::from_bytes(key.expose());
        let kept = on_its_own(LOOKING, move || {
            SecretService::open(&sockets, environment::user_number(), false, LOOKING)?.keep(&bytes)
        });
        match kept {
            Ok(()) => {
                self.remember(key);
                Ok(true)
            }
            Err(trouble @ Trouble::Unreachable(_)) => {
                tracing::info!("the sealing key goes into a file: {trouble}");
                Ok(false)
            }
            // Whoever has a keyring may take it for granted that the key is there.
            Err(trouble) => {
                tracing::warn!("the sealing key goes into a file: {trouble}");
                Ok(false)
            }
        }
    }

    fn keep(&self, key: &SealingKey) -> Result<(), Trouble> {
        let bytes = SealingKey::from_bytes(key.expose());
        self.with(move |keyring| keyring.keep(&bytes))?;
        self.remember(key);
        Ok(())
    }

    fn find(&self, id: &str) -> Result<SealingKey, Trouble> {
        if self.uses_cache {
            let found = self.found().as_ref().filter(|key| key.id() == id).map(copy);
            if let Some(key) = found {
                return Ok(key);
            }
            if let Some(key) = kernel::find(id) {
                *self.found() = Some(copy(&key));
                return Ok(key);
            }
        }
        let wanted = id.to_owned();
        let key = self.with(move |keyring| keyring.find(&wanted))?;
        self.remember(&key);
        Ok(key)
    }

    fn forget(&self, id: &str) -> Result<(), Trouble> {
        kernel::forget(id);
        *self.found() = None;
        let id = id.to_owned();
        self.with(move |keyring| keyring.forget(&id))
    }
}

impl Desktop {
    fn found(&self) -> MutexGuard<'_, Option<SealingKey>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, key: &SealingKey) {
        if self.uses_cache {
            kernel::keep(key);
            *self.found() = Some(copy(key));
        }
    }
}

fn copy(key: &SealingKey) -> SealingKey {
    SealingKey::from_bytes(key.expose())
}
