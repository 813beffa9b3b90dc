//! How an identity of Entra ID logs in: the four ways that Azure's own library knows, over the broker's transport, and the
//! command line of Azure where a person says so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{Secret, TokenCredential};
use azure_identity::{
    ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::assertion::{Assertion, Federated};
use super::challenge::{self, Expected};
use super::cloud::Cloud;
use super::wire::Wire;
use super::{KIND, WHAT, command, refusal};
use crate::client::Transport;
use crate::credential::fetched::{Issuer, Means, Token};
use crate::credential::held::Held;
use crate::credential::kept;
use crate::credential::oauth::{self, Asked};
use crate::credential::question::Question;
use crate::credential::{Errand, Parameters};
use crate::{Error, Source, Sources};

/// Where a virtual machine asks for its identity ("How to use managed identities on an Azure VM to acquire an access token").
pub(super) const METADATA: &str = "http://169.254.169.254";
/// The request that every vault answers with its challenge where it has no token; it changes nothing ("Get Secrets").
const CHALLENGED: &str = "/secrets?api-version=7.4&maxresults=1";
/// What the texts of errors call it.
const QUESTION: &str = "question for its tenant";
/// The longest file of a key and a certificate, in bytes.
const LONGEST_PEM: usize = 64 * 1024;

/// A name that was typed, or stands at a source.
enum Name {
    Typed(String),
    Held(Held),
}

impl Name {
    fn of(parameters: &Parameters, name: &str, sources: &Arc<dyn Sources>) -> Result<Option<Self>, Error> {
        parameters
            .get(name)
            .map(|text| {
                if text.contains(':') {
                    Ok(Self::Held(Held::new(Arc::clone(sources), text.parse()?)))
                } else {
                    Ok(Self::Typed(text.clone()))
                }
            })
            .transpose()
    }

    async fn read(&self, is_one: fn(&str) -> bool, rule: &'static str) -> Result<String, Error> {
        match self {
            Self::Typed(text) => Ok(text.clone()),
            Self::Held(held) => {
                let (reading, _) = held.read().await?;
                let text = reading.text.expose_secret();
                // It goes into a URL or a form in the clear, so a secret that stands in its place must not.
                is_one(text).then(|| text.to_owned()).ok_or_else(|| Error::SourceContent { place: held.place(), rule })
            }
        }
    }
}

/// The file of a key and its certificate, and its last reading.
struct Pem {
    sources: Arc<dyn Sources>,
    source: Source,
    last: Mutex<Option<SecretString>>,
}

impl Pem {
    async fn read(&self) -> Result<SecretString, Error> {
        let text = self.sources.read(&self.source).await?;
        if text.expose_secret().len() > LONGEST_PEM {
            return Err(Error::SourceContent { place: self.source.to_string(), rule: "is longer than 65536 bytes" });
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.clone());
        Ok(text)
    }

    fn last(&self) -> Option<SecretString> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What it logs in with.
enum Way {
    Secret(Held),
    Certificate(Pem),
    Federated(Held),
    Managed,
    Command,
}

/// One identity's login.
pub(super) struct Login {
    transport: Arc<Transport>,
    pub(super) cloud: &'static Cloud,
    /// The vault, whose challenge tells the tenant where nobody else does.
    vault: String,
    /// Where it logs in, and whether a person typed that.
    origin: String,
    pub(super) typed: Option<String>,
    tenant: Option<Name>,
    client: Option<Name>,
    way: Way,
    /// The tenant of the vault's challenge.
    challenged: Mutex<Option<String>>,
}

impl Login {
    pub(super) fn new(
        parameters: &Parameters,
        sources: &Arc<dyn Sources>,
        transport: Arc<Transport>,
        vault: String,
        cloud: &'static Cloud,
    ) -> Result<Self, Error> {
        let held = |name: &str| Ok::<_, Error>(Held::new(Arc::clone(sources), KIND.source(parameters, name)?));
        let way = match super::method(parameters) {
            "certificate" => Way::Certificate(Pem {
                sources: Arc::clone(sources),
                source: KIND.source(parameters, "client-certificate")?,
                last: Mutex::default(),
            }),
            "workload-identity" => Way::Federated(held("federated-token-file")?),
            "managed-identity" => Way::Managed,
            "cli" => Way::Command,
            _ => Way::Secret(held("client-secret")?),
        };
        let typed = parameters.get("login-endpoint").cloned();
        let usual = if matches!(way, Way::Managed) { METADATA } else { cloud.login };
        Ok(Self {
            origin: typed.clone().unwrap_or_else(|| usual.to_owned()),
            tenant: Name::of(parameters, "tenant", sources)?,
            client: Name::of(parameters, "client-id", sources)?,
            transport,
            cloud,
            vault,
            typed,
            way,
            challenged: Mutex::default(),
        })
    }

    /// What a challenge has to agree with.
    pub(super) fn expected(&self) -> Expected<'_> {
        Expected { cloud: self.cloud, login: self.typed.as_deref() }
    }

    /// The tenant that is known without asking anybody now.
    pub(super) async fn known_tenant(&self) -> Option<String> {
        match &self.tenant {
            Some(tenant) => tenant.read(challenge::is_tenant, super::NO_TENANT).await.ok(),
            None => self.challenged.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// The tenant: typed, at a source, or the one that the vault's challenge names once it is found to be sound.
    async fn tenant(&self, errand: &Errand<'_>) -> Result<String, Error> {
        if let Some(tenant) = &self.tenant {
            return tenant.read(challenge::is_tenant, super::NO_TENANT).await;
        }
        if let Some(tenant) = self.known_tenant().await {
            return Ok(tenant);
        }
        let question = Question {
            kind: KIND.name,
            what: QUESTION,
            method: Method::GET,
            origin: &self.vault,
            target: CHALLENGED,
            // Neither a token nor anything of the plugin's request: a server that takes what has no token gains nothing.
            headers: HeaderMap::new(),
            body: b"",
            is_of_metadata: false,
        };
        let answer = question.ask(&self.transport, errand).await?;
        let refuse = |fault: challenge::Fault| self.challenge_error(fault);
        match answer.status {
            401 => {}
            status @ (429 | 500..=599) => {
                return Err(Error::Unavailable { kind: KIND.name, origin: self.vault.clone(), what: QUESTION, status });
            }
            _ => return Err(Error::Protocol { kind: KIND.name, origin: self.vault.clone(), what: QUESTION }),
        }
        let tenant = challenge::tenant(&answer.headers, self.expected()).map_err(refuse)?;
        *self.challenged.lock().unwrap_or_else(PoisonError::into_inner) = Some(tenant.clone());
        Ok(tenant)
    }

    /// That a vault's challenge is not answered.
    pub(super) fn challenge_error(&self, fault: challenge::Fault) -> Error {
        Error::Challenge { kind: KIND.name, origin: self.vault.clone(), rule: fault.rule().to_owned() }
    }

    async fn client(&self) -> Result<String, Error> {
        let client = self.client.as_ref().ok_or_else(|| KIND.error("needs `client-id`, the application's"))?;
        client.read(super::is_client, super::NO_CLIENT).await
    }

    /// Where a person finds what it logs in with.
    fn place(&self) -> String {
        match &self.way {
            Way::Secret(held) | Way::Federated(held) => held.place(),
            Way::Certificate(pem) => pem.source.to_string(),
            Way::Managed => "this machine".to_owned(),
            Way::Command => command::SHOWN.to_owned(),
        }
    }

    /// The library's own credential, made anew for each login: it keeps nothing.
    async fn credential(&self, wire: &Arc<Wire>, errand: &Errand<'_>) -> Result<Arc<dyn TokenCredential>, Error> {
        let client_options = wire.options(self.cloud);
        let malformed = |_| KIND.error("has a `tenant` or a `client-id` that can't be one");
        if matches!(self.way, Way::Managed) {
            let id = match &self.client {
                Some(_) => Some(UserAssignedId::ClientId(self.client().await?)),
                None => None,
            };
            let options = ManagedIdentityCredentialOptions { user_assigned_id: id, client_options };
            let made = ManagedIdentityCredential::new(Some(options));
            return made.map(|made| made as Arc<dyn TokenCredential>).map_err(|_| {
                KIND.error("finds in its environment a machine whose managed identities it does not know")
            });
        }
        let (client, tenant) = (self.client().await?, self.tenant(errand).await?);
        match &self.way {
            Way::Secret(held) => {
                let (reading, _) = held.read().await?;
                let secret = Secret::new(reading.text.expose_secret().to_owned());
                let options = ClientSecretCredentialOptions { client_options };
                ClientSecretCredential::new(&tenant, client, secret, Some(options))
                    .map(|made| made as Arc<dyn TokenCredential>)
                    .map_err(malformed)
            }
            Way::Certificate(pem) => {
                let audience = format!("{}/{tenant}/oauth2/v2.0/token", self.origin);
                let place = pem.source.to_string();
                let assertion = Assertion::of(&pem.read().await?, &client, audience)
                    .map_err(|rule| Error::SourceContent { place, rule })?;
                let options = ClientAssertionCredentialOptions { client_options };
                ClientAssertionCredential::new(tenant, client, assertion, Some(options))
                    .map(|made| made as Arc<dyn TokenCredential>)
                    .map_err(malformed)
            }
            Way::Federated(held) => {
                // The library's own reader keeps a file's token for ten minutes, and reads files past the host's sources.
                let (reading, _) = held.read().await?;
                let options = ClientAssertionCredentialOptions { client_options };
                ClientAssertionCredential::new(tenant, client, Federated(reading.text.clone()), Some(options))
                    .map(|made| made as Arc<dyn TokenCredential>)
                    .map_err(malformed)
            }
            Way::Managed | Way::Command => Err(KIND.error("has no such way to log in")),
        }
    }
}

#[async_trait]
impl Issuer for Login {
    fn origin(&self) -> &str {
        &self.origin
    }

    async fn means(&self) -> Result<Means, Error> {
        let mut means = Means::default();
        for (label, name) in [("tenant", &self.tenant), ("client-id", &self.client)] {
            let Some(Name::Held(held)) = name else { continue };
            match held.read().await {
                // Names are no secrets, and an answer may hold them.
                Ok((reading, _)) => means.prints.push((label, kept::print(&reading.text))),
                Err(Error::SourceAbsent { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        match &self.way {
            Way::Secret(held) => means.add("client-secret", held).await?,
            Way::Certificate(pem) => {
                let text = match pem.last() {
                    Some(text) => text,
                    None => match pem.read().await {
                        Err(Error::SourceAbsent { .. }) => return Ok(means),
                        text => text?,
                    },
                };
                means.prints.push(("client-certificate", kept::print(&text)));
            }
            // It is replaced each hour, and the tokens that it bought are good all the same.
            Way::Federated(_) | Way::Managed | Way::Command => {}
        }
        Ok(means)
    }

    async fn fetch(&self, errand: &Errand<'_>) -> Result<Token, Error> {
        let scope = self.cloud.scope();
        if matches!(self.way, Way::Command) {
            let tenant = match &self.tenant {
                Some(tenant) => Some(tenant.read(challenge::is_tenant, super::NO_TENANT).await?),
                None => None,
            };
            return self.token(command::token(&scope, tenant).await?);
        }
        let is_of_metadata = matches!(self.way, Way::Managed) && self.typed.is_none();
        let wire = Wire::new(&self.transport, &self.origin, is_of_metadata, errand);
        let credential = self.credential(&wire, errand).await?;
        match credential.get_token(&[&scope], None).await {
            Ok(token) => self.token(token),
            Err(_) => Err(match wire.outcome() {
                Some(Ok(told)) => refusal::error(&told, &self.origin, self.place()),
                Some(Err(error)) => error,
                None => Error::Protocol { kind: KIND.name, origin: self.origin.clone(), what: WHAT },
            }),
        }
    }

    async fn is_newer(&self) -> Result<bool, Error> {
        match &self.way {
            Way::Secret(held) | Way::Federated(held) => {
                let (reading, _) = held.read().await?;
                Ok(held.newer_than(reading.edition).await?.is_some())
            }
            Way::Certificate(pem) => {
                let before = pem.last();
                let now = pem.read().await?;
                Ok(before.is_some_and(|before| before.expose_secret() != now.expose_secret()))
            }
            Way::Managed | Way::Command => Ok(false),
        }
    }
}

impl Login {
    /// The library's token as one of the broker's.
    fn token(&self, token: azure_core::credentials::AccessToken) -> Result<Token, Error> {
        let left = token.expires_on.unix_timestamp() - Timestamp::now().as_second();
        let asked = Asked { kind: KIND.name, what: WHAT, origin: &self.origin, place: "" };
        // One that is over already counts for nothing, and is said to live no longer than that.
        let token =
            oauth::bearer(asked, token.token.secret().to_owned(), Some(u64::try_from(left).unwrap_or_default()))?;
        match token.life {
            Some(Duration::ZERO) => Err(oauth::protocol(asked)),
            _ => Ok(token),
        }
    }
}
