//! Access keys: as their sources hold them, or given for a while by whoever gives such keys.

use std::sync::Arc;

use forge_core::masking::Forms;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use super::KIND;
use super::chain::{self, Chain};
use super::profile::{Base, Way};
use crate::credential::Errand;
use crate::credential::fetched::{Edition, Fetched, Issuer};
use crate::tokens::GrantTokens;
use crate::{Error, Logins};

/// An access key as it was read.
pub(super) struct Reading {
    pub(super) access_key_id: SecretString,
    pub(super) secret_access_key: SecretString,
    /// There is one where the key is temporary.
    pub(super) session_token: Option<SecretString>,
    /// What answers are searched for. The access key's id names a key and opens nothing.
    pub(super) forms: Vec<Arc<Forms>>,
    /// Counted from 1; each reading that found something else is another edition.
    pub(super) edition: u64,
}

impl Reading {
    pub(super) fn new(
        access_key_id: SecretString,
        secret_access_key: SecretString,
        session_token: Option<SecretString>,
        edition: u64,
    ) -> Self {
        let secrets = [Some(&secret_access_key), session_token.as_ref()];
        let forms = secrets.into_iter().flatten().map(|text| Arc::new(Forms::of(text.expose_secret().as_bytes())));
        Self { forms: forms.collect(), access_key_id, secret_access_key, session_token, edition }
    }

    fn is(&self, other: &Self) -> bool {
        let texts = |reading: &Self| {
            let token = reading.session_token.as_ref().map(|token| token.expose_secret().to_owned());
            let parts = [&reading.access_key_id, &reading.secret_access_key];
            zeroize::Zeroizing::new(
                [parts.map(|part| part.expose_secret()).join("\n"), token.unwrap_or_default()].join("\n"),
            )
        };
        *texts(self) == *texts(other)
    }
}

/// The way to a key, and its last reading.
pub(super) struct Keys {
    chain: Arc<Chain>,
    fetched: Fetched,
    last: Mutex<Last>,
}

/// What is known of the key.
#[derive(Default)]
enum Last {
    /// Nothing yet.
    #[default]
    Unread,
    /// It stands at its sources.
    Held(Arc<Reading>),
    /// Somebody gives it for a while.
    Given(Option<Arc<Reading>>),
}

impl Keys {
    pub(super) fn new(chain: Chain, tokens: Option<GrantTokens>, logins: Logins) -> Self {
        let chain = Arc::new(chain);
        let fetched = Fetched::new(KIND.name, Arc::clone(&chain) as Arc<dyn Issuer>, tokens, logins);
        Self { chain, fetched, last: Mutex::default() }
    }

    /// Where a person finds the key.
    pub(super) fn place(&self) -> String {
        self.chain.place()
    }

    /// Takes the code of a device, for the next login that asks for one.
    pub(super) fn take_code(&self, code: SecretString) {
        *self.chain.code.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(code);
    }

    /// The key; and whether it was read or given just now.
    pub(super) async fn read(&self, errand: &Errand<'_>) -> Result<(Arc<Reading>, bool), Error> {
        let mut last = self.last.lock().await;
        if matches!(*last, Last::Unread) {
            match self.held(1).await? {
                Some(reading) => {
                    let reading = Arc::new(reading);
                    *last = Last::Held(Arc::clone(&reading));
                    return Ok((reading, true));
                }
                None => *last = Last::Given(None),
            }
        }
        if let Last::Held(reading) = &*last {
            return Ok((Arc::clone(reading), false));
        }
        // Others may have the last key meanwhile.
        drop(last);
        let (edition, is_fresh) = self.fetched.current(errand).await?;
        Ok((self.given(&edition).await?, is_fresh))
    }

    /// After the edition `used` was refused: another key, if there is one by now.
    pub(super) async fn newer_than(&self, used: u64, errand: &Errand<'_>) -> Result<Option<Arc<Reading>>, Error> {
        let mut last = self.last.lock().await;
        let Last::Held(known) = &*last else {
            drop(last);
            let edition = self.fetched.newer_than(used, errand).await?;
            return self.given(&edition).await.map(Some);
        };
        if known.edition != used {
            return Ok(Some(Arc::clone(known)));
        }
        // A profile that names a role by now is read by the next process.
        let Some(reading) = self.held(used.saturating_add(1)).await? else { return Ok(None) };
        if known.is(&reading) {
            return Ok(None);
        }
        let reading = Arc::new(reading);
        *last = Last::Held(Arc::clone(&reading));
        Ok(Some(reading))
    }

    /// The key at its sources; `None` where it has to be got from somebody.
    async fn held(&self, edition: u64) -> Result<Option<Reading>, Error> {
        match self.chain.way().await? {
            Way { base: Base::Key(found), roles } if roles.is_empty() => {
                Ok(Some(Reading::new(found.access_key_id, found.secret_access_key, found.session_token, edition)))
            }
            _ => Ok(None),
        }
    }

    /// A key that was given, read out of its text once.
    async fn given(&self, edition: &Edition) -> Result<Arc<Reading>, Error> {
        let mut last = self.last.lock().await;
        if let Last::Given(Some(known)) = &*last
            && known.edition == edition.number
        {
            return Ok(Arc::clone(known));
        }
        let mut reading =
            chain::reading(&edition.text, edition.number).ok_or_else(|| KIND.error("was kept as something else"))?;
        reading.forms.extend(edition.forms.iter().cloned());
        let reading = Arc::new(reading);
        *last = Last::Given(Some(Arc::clone(&reading)));
        Ok(reading)
    }
}

pub(super) const NO_ID: &str = "holds no access key's id, which has 16 to 128 letters and digits";

/// Whether a text can be an access key's id ("AWS STS API Reference, Credentials"): it travels in a header in the clear, so
/// a secret that stands in its place must not.
pub(super) fn check_id(id: &SecretString) -> bool {
    let text = id.expose_secret();
    (16..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
