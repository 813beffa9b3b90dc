//! The way out of one provider: its grant, its transport and its credential, opened without touching the network.

use std::sync::Arc;
use std::time::Duration;

use forge_core::grant::Grant;
use forge_core::rate::Rate;
use forge_core::route::Ability;
use reqwest::dns::Resolve;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::client::Transport;
use crate::credential::{self, Credential, CredentialKind, Errand, Material, Parameters};
use crate::retry::Retries;
use crate::tokens::{GrantTokens, Tokens};
use crate::{Call, Error, Logins, Sources, check};

/// How long learning an identity may take.
const IDENTITY: Duration = Duration::from_secs(20);

/// Requests of one provider that are under way at the same time, over all its calls.
const IN_FLIGHT: usize = 8;

/// What the broker needs from the program around it.
#[derive(Clone)]
pub struct Options {
    /// Reads the sources of credentials.
    pub sources: Arc<dyn Sources>,
    /// Keeps the tokens that logins give between processes; without it each process logs in by itself.
    pub tokens: Option<Arc<dyn Tokens>>,
    /// Where logins are counted that are under way; the program waits for them before it ends.
    pub logins: Logins,
    /// Resolves names in place of the system; the address check applies to its answers too.
    pub dns: Option<Arc<dyn Resolve>>,
    /// How often and after how long a request is sent again.
    pub retries: Retries,
    /// How often requests of the provider go out, logins and repeated ones included; each waits for its turn.
    pub rate: Option<Rate>,
}

impl Options {
    /// The system's resolver, the usual retries, and no tokens kept.
    pub fn new(sources: Arc<dyn Sources>) -> Self {
        Self { sources, tokens: None, logins: Logins::default(), dns: None, retries: Retries::default(), rate: None }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("retries", &self.retries).finish_non_exhaustive()
    }
}

/// The way out of one provider. It holds connections and the credential's tokens, and outlives single calls.
pub struct Egress {
    pub(crate) grant: Grant,
    pub(crate) transport: Arc<Transport>,
    pub(crate) kind: &'static CredentialKind,
    pub(crate) parameters: Parameters,
    pub(crate) credential: Arc<dyn Credential>,
    sources: Arc<dyn Sources>,
    pub(crate) retries: Retries,
    pub(crate) in_flight: Semaphore,
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress")
            .field("provider", &self.grant.provider)
            .field("kind", &self.kind.name)
            .finish_non_exhaustive()
    }
}

impl Egress {
    /// Opens the way out that a grant describes: checks the grant, and neither reads a source nor touches the network.
    ///
    /// # Errors
    /// What [`crate::check_grant`] refuses.
    pub fn open(grant: &Grant, options: &Options) -> Result<Arc<Self>, Error> {
        check::check_grant(grant)?;
        let (kind, parameters, audience) = match &grant.credential {
            Some(granted) => (credential::kind(&granted.kind)?, granted.parameters.clone(), granted.audience.clone()),
            None => (&credential::none::KIND, Parameters::new(), Vec::new()),
        };
        let transport = Transport::new(grant, options.dns.clone(), Arc::clone(&options.sources));
        let transport = transport.logging_in_at((kind.logs_in_at)(&parameters));
        let transport = Arc::new(transport.at(options.rate));
        let tokens = options.tokens.as_ref().filter(|_| !grant.no_token_cache);
        check::check_kept(grant, tokens.is_some())?;
        let credential = (kind.open)(Material {
            parameters: parameters.clone(),
            audience,
            sources: Arc::clone(&options.sources),
            transport: Arc::clone(&transport),
            tokens: tokens.map(|tokens| GrantTokens::new(Arc::clone(tokens), grant)),
            logins: options.logins.clone(),
        })?;
        Ok(Arc::new(Self {
            grant: grant.clone(),
            transport,
            kind,
            parameters,
            credential,
            sources: Arc::clone(&options.sources),
            retries: options.retries.clone(),
            in_flight: Semaphore::new(IN_FLIGHT),
        }))
    }

    /// Begins one call of the plugin that reads, with a whole budget whose time runs from now on.
    pub fn call(self: &Arc<Self>) -> Call {
        self.call_for(&[Ability::Read])
    }

    /// Begins one call of the plugin that may use the routes of these abilities and no others.
    ///
    /// The grant says what a provider may ever do; this says what it was asked to do now. A plugin that was asked for
    /// a value can't write one, although its grant has the route.
    pub fn call_for(self: &Arc<Self>, abilities: &'static [Ability]) -> Call {
        Call::new(Arc::clone(self), abilities)
    }

    /// Logs in while a person is there who can be asked for the code of a device, where the login needs one; before a call
    /// that would fail without it, since no call waits for a person.
    ///
    /// # Errors
    /// What the login met; a call meets it as well.
    pub async fn attend(&self) -> Result<(), Error> {
        let attend = async || {
            let errand = Errand { deadline: Instant::now() + IDENTITY, records: None };
            let attended = tokio::time::timeout_at(errand.deadline, self.credential.attend(&errand)).await;
            attended.unwrap_or_else(|_| Err(self.late()))
        };
        match attend().await {
            Err(Error::CodeNeeded { device }) => {
                self.credential.take_code(self.sources.code(&device).await?);
                attend().await
            }
            outcome => outcome,
        }
    }

    /// Whom the credential speaks for, asked of the server, in words for people and as a part of cache keys.
    ///
    /// `None` where there is no credential, or where its kind can't tell. Takes at most 20 seconds.
    ///
    /// # Errors
    /// No credential at its source, one that the server does not accept, or a server that can't be reached.
    pub async fn identity(&self) -> Result<Option<String>, Error> {
        let errand = Errand { deadline: Instant::now() + IDENTITY, records: None };
        let identity = tokio::time::timeout_at(errand.deadline, self.credential.identity(&errand)).await;
        identity.unwrap_or_else(|_| Err(self.late()))
    }

    fn late(&self) -> Error {
        let granted = self.grant.credential.iter().find_map(|granted| granted.audience.first());
        Error::Timeout { origin: granted.cloned().unwrap_or_default() }
    }
}
