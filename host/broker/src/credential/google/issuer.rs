//! Who gives a token of Google's for what a file holds, or for where this machine is.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use forge_core::manifest::printable;
use forge_core::masking::Forms;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::file::{File, Read};
use super::metadata::Metadata;
use super::{KIND, QUOTA_PROJECT, TOKENS, assertion, refusal};
use crate::client::{Answer, Transport};
use crate::credential::fetched::{self, Means, Token};
use crate::credential::issued::Bearer;
use crate::credential::oauth::{self, Asked};
use crate::credential::question::{self, Question};
use crate::credential::{Errand, Injection, Parameters};
use crate::{Error, GrantFault, Source, Sources};

/// How far two clocks may be apart before an assertion counts as not yet made, or as over, in seconds.
const SKEW: u64 = 300;

/// What the texts of errors call the request for a token.
const WHAT: &str = "login";

/// How the login is done.
pub(super) enum Way {
    Metadata {
        typed: Option<String>,
    },
    /// A file, and whether it has to be a service account's key.
    File {
        source: Source,
        is_key: bool,
    },
}

/// Gives the tokens of one credential.
pub(super) struct Issuer {
    way: Way,
    pub(super) sources: Arc<dyn Sources>,
    pub(super) transport: Arc<Transport>,
    login_endpoint: Option<String>,
    pub(super) subject_endpoint: Option<String>,
    quota_project: Option<String>,
    /// The file as it was read last.
    last: Mutex<Option<Arc<Read>>>,
    /// What bought the last token beside what the file holds: assertions, other issuers' tokens.
    sent: Mutex<Vec<Arc<Forms>>>,
}

/// "Using OAuth 2.0 to access Google APIs, tokeninfo". Only these fields are read.
#[derive(Deserialize)]
struct Holder {
    email: Option<String>,
    azp: Option<String>,
}

impl Issuer {
    pub(super) fn new(way: Way, sources: Arc<dyn Sources>, transport: Arc<Transport>, parameters: &Parameters) -> Self {
        let typed = |name: &str| parameters.get(name).cloned();
        Self {
            way,
            sources,
            transport,
            login_endpoint: typed("login-endpoint"),
            subject_endpoint: typed("subject-endpoint"),
            quota_project: typed("quota-project"),
            last: Mutex::default(),
            sent: Mutex::default(),
        }
    }

    /// The endpoint that a person typed, or Google's own.
    pub(super) fn login_at<'a>(&'a self, own: &'a str) -> &'a str {
        self.login_endpoint.as_deref().unwrap_or(own)
    }

    /// What this file is or lacks.
    pub(super) fn file_error(&self, place: &str, rule: impl Into<String>) -> Error {
        Error::CredentialFile { place: place.to_owned(), rule: rule.into() }
    }

    /// Remembers what goes out, so that answers are searched for it.
    pub(super) fn sends(&self, secret: &SecretString) {
        let forms = Arc::new(Forms::of(secret.expose_secret().as_bytes()));
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(forms);
    }

    /// Reads the file anew.
    async fn read(&self, source: &Source, is_key: bool) -> Result<(Arc<Read>, String), Error> {
        let text = self.sources.read(source).await?;
        let place = source.to_string();
        let refuse = |rule: String| self.file_error(&place, rule);
        let read = Read::parse(&text, self.login_endpoint.is_some()).map_err(refuse)?;
        if is_key && !matches!(read.file, File::ServiceAccount { .. }) {
            return Err(refuse(
                "is no service account's key; as application default credentials it is `credentials=`".to_owned(),
            ));
        }
        let read = Arc::new(read);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&read));
        Ok((read, crate::credential::kept::print(&text)))
    }

    /// Whose quota requests count for: the typed project, or the file's.
    async fn quota_project(&self) -> Result<Option<String>, Error> {
        if self.quota_project.is_some() {
            return Ok(self.quota_project.clone());
        }
        let Way::File { source, is_key } = &self.way else { return Ok(None) };
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read = match last {
            Some(read) => read,
            None => match self.read(source, *is_key).await {
                Ok((read, _)) => read,
                // A token that it bought may still live.
                Err(Error::SourceAbsent { .. }) => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        Ok(read.quota_project.clone())
    }

    /// Asks for a token with a form.
    pub(super) async fn post(
        &self,
        what: &'static str,
        own: &str,
        target: &str,
        fields: &[(&str, &str)],
        place: &str,
        errand: &Errand<'_>,
    ) -> Result<Token, Error> {
        let asked = Asked { kind: KIND.name, what, origin: self.login_at(own), place };
        let answer = self.form(asked, target, fields, errand).await?;
        // An assertion has this machine's time in it, so a clock that is off is why it is refused.
        let is_signed = fields.iter().any(|(name, _)| *name == "assertion");
        oauth::token(asked, &answer).map_err(|error| {
            let ahead = question::ahead(&answer.headers).filter(|ahead| ahead.unsigned_abs() > SKEW);
            match (&error, ahead) {
                (Error::GrantRefused { fault: GrantFault::Grant, .. }, Some(seconds)) if is_signed => {
                    Error::ClockSkew { origin: asked.origin.to_owned(), seconds }
                }
                _ => error,
            }
        })
    }

    async fn form(
        &self,
        asked: Asked<'_>,
        target: &str,
        fields: &[(&str, &str)],
        errand: &Errand<'_>,
    ) -> Result<Answer, Error> {
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (ACCEPT, HeaderValue::from_static("application/json")),
        ];
        let body = oauth::form(fields);
        let question = Question {
            kind: asked.kind,
            what: asked.what,
            method: Method::POST,
            origin: asked.origin,
            target,
            headers: HeaderMap::from_iter(headers),
            body: body.as_bytes(),
            is_of_metadata: false,
        };
        question.ask(&self.transport, errand).await
    }

    async fn holder(&self, token: &SecretString, place: &str, errand: &Errand<'_>) -> Result<String, Error> {
        let asked = Asked { kind: KIND.name, what: "token lookup", origin: self.login_at(TOKENS), place };
        let answer = self.form(asked, "/tokeninfo", &[("access_token", token.expose_secret())], errand).await?;
        oauth::check(asked, &answer)?;
        let holder: Holder = serde_json::from_slice(&answer.body).map_err(|_| oauth::protocol(asked))?;
        let unnamed = || Some(format!("a person, by the client {}", holder.azp.as_ref()?));
        let text = holder.email.clone().or_else(unnamed).ok_or_else(|| oauth::protocol(asked))?;
        Ok(text.chars().take(254).collect())
    }
}

#[async_trait]
impl fetched::Issuer for Issuer {
    fn origin(&self) -> &str {
        match &self.way {
            Way::Metadata { typed } => typed.as_deref().unwrap_or(super::metadata::ORIGIN),
            Way::File { .. } => self.login_at(TOKENS),
        }
    }

    async fn means(&self) -> Result<Means, Error> {
        let mut means = Means::default();
        means.forms.clone_from(&self.sent.lock().unwrap_or_else(PoisonError::into_inner));
        let Way::File { source, is_key } = &self.way else { return Ok(means) };
        let read = match source {
            // Another provider's secret costs requests to read.
            Source::Reference(_) => self.last.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            _ => match self.read(source, *is_key).await {
                Ok((read, print)) => {
                    means.prints.push(("file", print));
                    Some(read)
                }
                Err(Error::SourceAbsent { .. }) => None,
                Err(error) => return Err(error),
            },
        };
        let secrets: &[&SecretString] = match read.as_ref().map(|read| &read.file) {
            Some(File::ServiceAccount { key, .. }) => &[key],
            Some(File::User { client_secret, refresh_token, .. }) => &[client_secret, refresh_token],
            Some(File::External(_)) | None => &[],
        };
        means.forms.extend(secrets.iter().map(|text| Arc::new(Forms::of(text.expose_secret().as_bytes()))));
        Ok(means)
    }

    async fn fetch(&self, errand: &Errand<'_>) -> Result<Token, Error> {
        let (source, is_key) = match &self.way {
            Way::Metadata { typed } => {
                return Metadata { transport: &self.transport, typed: typed.as_deref() }.token(errand).await;
            }
            Way::File { source, is_key } => (source, is_key),
        };
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (read, _) = self.read(source, *is_key).await?;
        let place = source.to_string();
        match &read.file {
            File::ServiceAccount { email, key_id, key, .. } => {
                let audience = format!("{}/token", self.login_at(TOKENS));
                let assertion = assertion::signed(email, key_id, key, &audience, Timestamp::now().as_second())
                    .map_err(|rule| self.file_error(&place, rule))?;
                self.sends(&assertion);
                // "RFC 7523, section 2.1".
                let fields = [
                    ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                    ("assertion", assertion.expose_secret()),
                ];
                self.post(WHAT, TOKENS, "/token", &fields, &place, errand).await
            }
            File::User { client_id, client_secret, refresh_token } => {
                // "RFC 6749, section 6".
                let fields = [
                    ("grant_type", "refresh_token"),
                    ("client_id", client_id.as_str()),
                    ("client_secret", client_secret.expose_secret()),
                    ("refresh_token", refresh_token.expose_secret()),
                ];
                self.post(WHAT, TOKENS, "/token", &fields, &place, errand).await
            }
            File::External(external) => self.exchange(external, &place, errand).await,
        }
    }

    /// The file is read anew for each fetch.
    async fn is_newer(&self) -> Result<bool, Error> {
        Ok(false)
    }
}

#[async_trait]
impl Bearer for Issuer {
    /// In words, by what needs no right of the token's.
    async fn identity(&self, token: &SecretString, errand: &Errand<'_>) -> Result<Option<String>, Error> {
        let (source, is_key) = match &self.way {
            Way::Metadata { typed } => {
                let metadata = Metadata { transport: &self.transport, typed: typed.as_deref() };
                return metadata.identity(errand).await.map(Some);
            }
            Way::File { source, is_key } => (source, is_key),
        };
        let (read, _) = self.read(source, *is_key).await?;
        let text = match &read.file {
            File::ServiceAccount { email, project, .. } => match project {
                Some(project) => format!("{email} (project: {project})"),
                None => email.clone(),
            },
            File::User { .. } => self.holder(token, &source.to_string(), errand).await?,
            File::External(external) => match &external.account {
                Some(account) => format!("{account} (for {})", external.audience),
                None => external.audience.clone(),
            },
        };
        Ok(Some(printable(&text)))
    }

    /// Adds whose quota the request counts for, where somebody said so.
    async fn completed(&self, mut injection: Injection) -> Result<Injection, Error> {
        if let Some(project) = self.quota_project().await? {
            let value = HeaderValue::from_str(&project).map_err(|_| KIND.error("has a quota project that is none"))?;
            injection.headers.push((QUOTA_PROJECT, value));
        }
        Ok(injection)
    }

    fn is_throttled(&self, answer: &Answer) -> bool {
        refusal::is_throttled(answer)
    }
}
