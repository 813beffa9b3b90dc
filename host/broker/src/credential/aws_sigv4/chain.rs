//! The way to a key that somebody gives for a while: a first key, and the roles that are assumed with it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::keys::{Reading, check_id};
use super::metadata::{self, Metadata};
use super::profile::{Base, Files, Found, Role, Way};
use super::session::Session;
use super::sso::Portal;
use super::sts::Sts;
use super::{KIND, profile};
use crate::credential::fetched::{Issuer, Means, Token};
use crate::credential::held::line;
use crate::credential::{Errand, Parameters, kept};
use crate::{Error, Source, Sources};

/// Where the first key is.
pub(super) enum First {
    /// Its parts stand at sources.
    Apart { access_key_id: Source, secret_access_key: Source, session_token: Option<Source> },
    /// A profile of AWS' own tools says.
    Profile { credentials: Option<Source>, config: Option<Source>, name: String },
    /// From the metadata server of the machine.
    Instance,
    /// From the endpoint of the container.
    Container { uri: Source, token: Option<Source> },
    /// For a token at this source.
    WebIdentity { token: Source, role: Role },
}

/// The way to a key, as the person typed it.
pub(super) struct Chain {
    pub(super) sources: Arc<dyn Sources>,
    pub(super) first: First,
    /// The role that the person typed, which is assumed last.
    pub(super) role: Option<Role>,
    pub(super) sts: Option<Sts>,
    pub(super) metadata: Metadata,
    /// Where IAM Identity Center is asked in the place of AWS' own names.
    pub(super) typed: Option<String>,
    /// Whether a profile may start a program.
    pub(super) may_start: bool,
    /// Of this process alone: what a machine, a container or a program gives is another key for another one.
    pub(super) nonce: String,
    /// The code of a device, for the next role that asks for one.
    pub(super) code: Mutex<Option<SecretString>>,
}

/// A temporary key as it is kept: borrowed on its way out, so that no type that owns one can be serialised.
#[derive(Serialize)]
struct Storing<'a> {
    id: &'a str,
    secret: &'a str,
    session: Option<&'a str>,
}

#[derive(Deserialize)]
struct Stored {
    id: String,
    secret: String,
    session: Option<String>,
}

/// A temporary key out of the text that it was kept as.
pub(super) fn reading(text: &SecretString, edition: u64) -> Option<Reading> {
    let Stored { id, secret, session } = serde_json::from_str(text.expose_secret()).ok()?;
    Some(Reading::new(id.into(), secret.into(), session.map(SecretString::from), edition))
}

impl Chain {
    /// Of the parameters, which were checked.
    pub(super) fn new(
        parameters: &Parameters,
        sources: Arc<dyn Sources>,
        metadata: Metadata,
        sts: Option<Sts>,
    ) -> Result<Self, Error> {
        let source = |name: &str| KIND.source(parameters, name);
        let optional = |name: &str| parameters.get(name).map(|text| text.parse::<Source>()).transpose();
        let mut role = typed_role(parameters);
        let first = match (parameters.get("method").map(String::as_str), parameters.get("profile")) {
            (Some("instance"), _) => First::Instance,
            (Some("container"), _) => {
                First::Container { uri: source("container-uri")?, token: optional("container-token")? }
            }
            (Some(_), _) => First::WebIdentity {
                token: source("web-identity-token")?,
                role: role.take().ok_or_else(|| KIND.error("needs the `role` that the token is for"))?,
            },
            (None, Some(name)) => First::Profile {
                credentials: optional("credentials-file")?,
                config: optional("config-file")?,
                name: name.clone(),
            },
            (None, None) => First::Apart {
                access_key_id: source("access-key-id")?,
                secret_access_key: source("secret-access-key")?,
                session_token: optional("session-token")?,
            },
        };
        let typed = parameters.get("login-endpoint").cloned();
        let may_start = parameters.get("credential-process").is_some();
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| KIND.error("needs random bytes, and the system gives none"))?;
        let nonce = forge_core::sealing::hex(&nonce);
        Ok(Self { sources, first, role, sts, metadata, typed, may_start, nonce, code: Mutex::default() })
    }

    /// Where a person finds the first key.
    pub(super) fn place(&self) -> String {
        match &self.first {
            First::Apart { access_key_id, .. } => access_key_id.to_string(),
            First::Profile { credentials, config, name } => {
                let file = credentials.as_ref().or(config.as_ref()).map(Source::to_string);
                format!("{} [{name}]", file.unwrap_or_default())
            }
            First::Instance => metadata::INSTANCE.to_owned(),
            First::Container { uri, .. } => uri.to_string(),
            First::WebIdentity { token, .. } => token.to_string(),
        }
    }

    /// The way as it is now: files are read again each time, since other programs write them.
    pub(super) async fn way(&self) -> Result<Way, Error> {
        let mut way = match &self.first {
            First::Apart { access_key_id, secret_access_key, session_token } => {
                let (id, secret) = (self.line(access_key_id).await?, self.line(secret_access_key).await?);
                let session_token = match session_token {
                    Some(source) => Some(self.line(source).await?),
                    None => None,
                };
                let found = Found { access_key_id: id, secret_access_key: secret, session_token };
                Way { base: Base::Key(checked(found, &access_key_id.to_string())?), roles: Vec::new() }
            }
            First::Profile { credentials, config, name } => self.of_profile(credentials, config, name).await?,
            First::Instance => Way { base: Base::Instance, roles: Vec::new() },
            First::Container { .. } => Way { base: Base::Container, roles: Vec::new() },
            First::WebIdentity { token, role } => {
                let token = match token {
                    Source::File(path) => path.clone(),
                    // Only its place is looked at below; what stands at any other source is read by itself.
                    _ => PathBuf::new(),
                };
                Way { base: Base::WebIdentity { token, role: role.clone() }, roles: Vec::new() }
            }
        };
        way.roles.extend(self.role.clone());
        Ok(way)
    }

    async fn of_profile(
        &self,
        credentials: &Option<Source>,
        config: &Option<Source>,
        name: &str,
    ) -> Result<Way, Error> {
        let read = async |source: &Option<Source>| match source {
            Some(source) => match self.sources.read(source).await {
                // Either file may be missing; what then says nothing of the profile is told below.
                Err(Error::SourceAbsent { .. }) => Ok(None),
                text => text.map(Some),
            },
            None => Ok(None),
        };
        let files = Files { credentials: read(credentials).await?, config: read(config).await? };
        let place = self.place();
        let way = files.way(name).map_err(|rule| Error::Profile {
            place: place.split(" [").next().unwrap_or_default().to_owned(),
            profile: name.to_owned(),
            rule,
        })?;
        match way.base {
            // Read at once, so that what is kept of another key is not used for this one.
            Base::Environment => Ok(Way { base: Base::Key(self.of_environment().await?), roles: way.roles }),
            Base::Key(found) => {
                // Each part has to be what a source of its own would have to be.
                let file = credentials.as_ref().or(config.as_ref()).ok_or_else(|| KIND.error("has no file"))?;
                let one = |text: SecretString| line(text, file);
                let found = Found {
                    access_key_id: one(found.access_key_id)?,
                    secret_access_key: one(found.secret_access_key)?,
                    session_token: found.session_token.map(one).transpose()?,
                };
                Ok(Way { base: Base::Key(checked(found, &file.to_string())?), roles: way.roles })
            }
            base => Ok(Way { base, roles: way.roles }),
        }
    }

    async fn line(&self, source: &Source) -> Result<SecretString, Error> {
        line(self.sources.read(source).await?, source)
    }

    /// Goes the whole way.
    async fn go(&self, way: Way, errand: &Errand<'_>) -> Result<Session, Error> {
        let mut place = self.place();
        let mut session = self.first_of(way.base, errand).await?;
        for role in way.roles {
            let key = Reading::new(session.access_key_id, session.secret_access_key, session.session_token, 1);
            let code = match &role.mfa_serial {
                // A code counts once, so the next role with a device needs another.
                Some(device) => {
                    let code = self.code.lock().unwrap_or_else(PoisonError::into_inner).take();
                    Some(code.ok_or_else(|| Error::CodeNeeded { device: device.clone() })?)
                }
                None => None,
            };
            session = self.sts()?.assume(&role, &key, &place, code.as_ref(), errand).await?;
            place = role.arn;
        }
        Ok(session)
    }

    async fn first_of(&self, base: Base, errand: &Errand<'_>) -> Result<Session, Error> {
        match base {
            Base::Key(found) => Ok(Session {
                access_key_id: found.access_key_id,
                secret_access_key: found.secret_access_key,
                session_token: found.session_token,
                expires: None,
            }),
            Base::Environment => Err(KIND.error("has no key in its variables")),
            Base::Instance => self.metadata.of_instance(errand).await,
            Base::Container => match &self.first {
                First::Container { uri, token } => {
                    self.metadata.of_container(&*self.sources, uri, token.as_ref(), errand).await
                }
                _ => self.of_usual_container(errand).await,
            },
            Base::WebIdentity { token, role } => {
                let source = match &self.first {
                    First::WebIdentity { token, .. } => token.clone(),
                    _ => Source::File(token),
                };
                let text = self.sources.read(&source).await?;
                self.sts()?.assume_with(&role, &text, &source.to_string(), errand).await
            }
            Base::Sso(sso) => {
                let portal = Portal {
                    transport: &self.metadata.transport,
                    sources: &*self.sources,
                    folder: self.folder().ok_or_else(|| {
                        KIND.error("needs its `config-file` as a file, beside which the AWS CLI keeps logins")
                    })?,
                    typed: self.typed.as_deref(),
                };
                portal.session(&sso, errand).await
            }
            Base::Process(command) => self.of_process(&command).await,
        }
    }

    /// The key of the usual variables.
    async fn of_environment(&self) -> Result<Found, Error> {
        let variable = |name: &str| Source::Environment(name.to_owned());
        Ok(Found {
            access_key_id: self.line(&variable("AWS_ACCESS_KEY_ID")).await?,
            secret_access_key: self.line(&variable("AWS_SECRET_ACCESS_KEY")).await?,
            session_token: self.found(&variable("AWS_SESSION_TOKEN")).await?,
        })
    }

    /// The key of the container whose endpoint stands in the usual variables.
    async fn of_usual_container(&self, errand: &Errand<'_>) -> Result<Session, Error> {
        let first =
            |places: &[&str]| -> Result<Vec<Source>, Error> { places.iter().map(|place| place.parse()).collect() };
        let (mut uris, tokens) = (first(&super::CONTAINER_URIS)?, first(&super::CONTAINER_TOKENS)?);
        let mut token = None;
        for source in tokens {
            if self.found(&source).await?.is_some() {
                token = Some(source);
                break;
            }
        }
        let last = uris.pop().ok_or_else(|| KIND.error("has no place for a container's endpoint"))?;
        for uri in &uris {
            if self.found(uri).await?.is_some() {
                return self.metadata.of_container(&*self.sources, uri, token.as_ref(), errand).await;
            }
        }
        self.metadata.of_container(&*self.sources, &last, token.as_ref(), errand).await
    }

    /// What stands at a source; `None` where there is nothing.
    async fn found(&self, source: &Source) -> Result<Option<SecretString>, Error> {
        match self.line(source).await {
            Err(Error::SourceAbsent { .. }) => Ok(None),
            line => line.map(Some),
        }
    }

    /// The folder in which AWS' own tools keep their files.
    fn folder(&self) -> Option<PathBuf> {
        let First::Profile { config: Some(Source::File(path)), .. } = &self.first else { return None };
        path.parent().map(PathBuf::from)
    }

    /// What a program of the user's gives ("AWS SDKs and Tools Reference Guide, Process credential provider").
    async fn of_process(&self, command: &str) -> Result<Session, Error> {
        let refuse = |rule: &str| Error::Profile {
            place: self.place().split(" [").next().unwrap_or_default().to_owned(),
            profile: match &self.first {
                First::Profile { name, .. } => name.clone(),
                _ => String::new(),
            },
            rule: rule.to_owned(),
        };
        if !self.may_start {
            return Err(refuse(
                "has a `credential_process`, and a program is started only where `credential-process=allow` says so",
            ));
        }
        let words = words(command).ok_or_else(|| refuse("has a `credential_process` whose quotes don't close"))?;
        // A folder that was cloned must not be where the program is.
        if words.first().is_some_and(|program| program.contains('/') && !program.starts_with('/')) {
            return Err(refuse("has a `credential_process` whose program is named by a relative path"));
        }
        let text = self.sources.output(&words).await?;
        Session::of_json(text.expose_secret().as_bytes(), true)
            .ok_or_else(|| refuse("has a `credential_process` that gives no key in its version 1"))
    }

    fn sts(&self) -> Result<&Sts, Error> {
        self.sts.as_ref().ok_or_else(|| {
            KIND.error(
                "needs `region=…` and `login-endpoint=…`, where roles are assumed: the endpoint's name does not tell",
            )
        })
    }
}

/// The words of a command, as AWS' own tools split it: at spaces, but for what stands in quotes.
fn words(command: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = command.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            (_, Some(open)) if character == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            ('\\', None | Some('"')) => word.get_or_insert_default().push(characters.next()?),
            (' ' | '\t', None) => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    (quote.is_none() && !words.is_empty()).then_some(words)
}

fn checked(found: Found, place: &str) -> Result<Found, Error> {
    let refuse = || Error::SourceContent { place: place.to_owned(), rule: super::keys::NO_ID };
    check_id(&found.access_key_id).then_some(found).ok_or_else(refuse)
}

/// The role that a person typed.
pub(super) fn typed_role(parameters: &Parameters) -> Option<Role> {
    let typed = |name: &str| parameters.get(name).cloned();
    Some(Role {
        arn: typed("role")?,
        external_id: typed("external-id"),
        mfa_serial: typed("mfa-serial"),
        session_name: typed("session-name"),
        duration: None,
    })
}

#[async_trait]
impl Issuer for Chain {
    fn origin(&self) -> &str {
        match (&self.first, &self.sts) {
            (First::Instance, _) => self.metadata.typed.as_deref().unwrap_or(metadata::INSTANCE),
            (First::Container { .. }, _) => self.metadata.typed.as_deref().unwrap_or(metadata::CONTAINER),
            (_, Some(sts)) => &sts.origin,
            (_, None) => "AWS",
        }
    }

    async fn means(&self) -> Result<Means, Error> {
        let way = self.way().await?;
        // Whoever points the profile at another key or role does not want the old one's session.
        let written = way.written();
        let is_of_here = matches!(way.base, Base::Instance | Base::Container | Base::Process(_));
        let nonce = if is_of_here { self.nonce.as_str() } else { "" };
        let print = kept::print(&SecretString::from(format!("{nonce} {}", written.as_str())));
        let forms = match &way.base {
            Base::Key(found) => {
                let key = Reading::new(
                    found.access_key_id.clone(),
                    found.secret_access_key.clone(),
                    found.session_token.clone(),
                    1,
                );
                key.forms
            }
            _ => Vec::new(),
        };
        Ok(Means { prints: vec![("way", print)], forms })
    }

    async fn fetch(&self, errand: &Errand<'_>) -> Result<Token, Error> {
        let session = self.go(self.way().await?, errand).await?;
        let storing = Storing {
            id: session.access_key_id.expose_secret(),
            secret: session.secret_access_key.expose_secret(),
            session: session.session_token.as_ref().map(|token| token.expose_secret()),
        };
        let mut text = Zeroizing::new(Vec::with_capacity(8192));
        serde_json::to_writer(&mut *text, &storing).map_err(|_| KIND.error("can't be kept"))?;
        let text = std::str::from_utf8(&text).map_err(|_| KIND.error("can't be kept"))?;
        let left = session.expires.map(|expires| expires.duration_since(Timestamp::now()));
        // One that is over already is not used again, whatever the clocks say.
        let life = left.map(|left| Duration::try_from(left).unwrap_or_default());
        Ok(Token { text: SecretString::from(text), life })
    }

    /// The sources are read at each fetch.
    async fn is_newer(&self) -> Result<bool, Error> {
        Ok(false)
    }
}

/// Checks the role that a person typed.
pub(super) fn check_typed(parameters: &Parameters) -> Result<(), Error> {
    match typed_role(parameters) {
        Some(role) => profile::check_role(&role).map_err(|rule| KIND.error(rule)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_would_and_nothing_in_it_is_run_by_one() {
        let of = |text: &str| words(text).unwrap_or_default();
        assert_eq!(of("/bin/a  b 'c d' \"e \\\" f\" g\\ h"), ["/bin/a", "b", "c d", "e \" f", "g h"]);
        assert_eq!(of("a ; rm -rf $HOME `x` ''"), ["a", ";", "rm", "-rf", "$HOME", "`x`", ""]);
        for text in ["a 'b", "a \\", "", "  "] {
            assert!(words(text).is_none(), "{text}");
        }
    }
}
