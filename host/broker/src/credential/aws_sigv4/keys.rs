//! Access keys as their sources hold them: read once, and again when a server refuses them.

use std::sync::Arc;

use forge_core::masking::Forms;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use super::{KIND, profile};
use crate::credential::Parameters;
use crate::credential::held::line;
use crate::{Error, Source, Sources};

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

/// Where the parts of an access key are.
enum Place {
    Apart { access_key_id: Source, secret_access_key: Source, session_token: Option<Source> },
    Profile { file: Source, name: String },
}

/// The place of an access key, and its last reading.
pub(super) struct Keys {
    sources: Arc<dyn Sources>,
    place: Place,
    last: Mutex<Option<Arc<Reading>>>,
}

impl Keys {
    pub(super) fn new(parameters: &Parameters, sources: Arc<dyn Sources>) -> Result<Self, Error> {
        let place = match parameters.get("profile") {
            Some(name) => Place::Profile { file: KIND.source(parameters, "credentials-file")?, name: name.to_owned() },
            None => Place::Apart {
                access_key_id: KIND.source(parameters, "access-key-id")?,
                secret_access_key: KIND.source(parameters, "secret-access-key")?,
                session_token: parameters.get("session-token").map(|text| text.parse()).transpose()?,
            },
        };
        Ok(Self { sources, place, last: Mutex::const_new(None) })
    }

    /// Where a person finds the key.
    pub(super) fn place(&self) -> String {
        match &self.place {
            Place::Apart { access_key_id, .. } => access_key_id.to_string(),
            Place::Profile { file, name } => format!("{file} [{name}]"),
        }
    }

    /// The last reading, or the first one; and whether it was made just now.
    pub(super) async fn read(&self) -> Result<(Arc<Reading>, bool), Error> {
        let mut last = self.last.lock().await;
        if let Some(reading) = &*last {
            return Ok((Arc::clone(reading), false));
        }
        let reading = Arc::new(self.reading(1).await?);
        *last = Some(Arc::clone(&reading));
        Ok((reading, true))
    }

    /// After the edition `used` was refused: a newer reading, if the sources hold something else by now.
    pub(super) async fn newer_than(&self, used: u64) -> Result<Option<Arc<Reading>>, Error> {
        let mut last = self.last.lock().await;
        if let Some(reading) = last.as_ref().filter(|reading| reading.edition != used) {
            return Ok(Some(Arc::clone(reading)));
        }
        let reading = Arc::new(self.reading(used.saturating_add(1)).await?);
        if last.as_ref().is_some_and(|known| known.is(&reading)) {
            return Ok(None);
        }
        *last = Some(Arc::clone(&reading));
        Ok(Some(reading))
    }

    async fn reading(&self, edition: u64) -> Result<Reading, Error> {
        match &self.place {
            Place::Apart { access_key_id, secret_access_key, session_token } => {
                let token = match session_token {
                    Some(source) => Some(self.line(source).await?),
                    None => None,
                };
                let (id, secret) = (self.line(access_key_id).await?, self.line(secret_access_key).await?);
                let refuse = || Error::SourceContent { place: access_key_id.to_string(), rule: NO_ID };
                check_id(&id).then_some(()).ok_or_else(refuse)?;
                Ok(Reading::new(id, secret, token, edition))
            }
            Place::Profile { file, name } => {
                let text = self.sources.read(file).await?;
                let place = file.to_string();
                let found = profile::find(&text, name).map_err(|rule| Error::Profile {
                    place: place.clone(),
                    profile: name.clone(),
                    rule,
                })?;
                // Each part has to be what a source of its own would have to be.
                let one = |text: SecretString| line(text, file);
                let (id, secret) = (one(found.access_key_id)?, one(found.secret_access_key)?);
                let refuse = || Error::SourceContent { place: place.clone(), rule: NO_ID };
                check_id(&id).then_some(()).ok_or_else(refuse)?;
                Ok(Reading::new(id, secret, found.session_token.map(one).transpose()?, edition))
            }
        }
    }

    async fn line(&self, source: &Source) -> Result<SecretString, Error> {
        line(self.sources.read(source).await?, source)
    }
}

const NO_ID: &str = "holds no access key's id, which has 16 to 128 letters and digits";

/// Whether a text can be an access key's id ("AWS STS API Reference, Credentials"): it travels in a header in the clear, so
/// a secret that stands in its place must not.
fn check_id(id: &SecretString) -> bool {
    let text = id.expose_secret();
    (16..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
