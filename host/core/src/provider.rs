//! The seam: what every provider can be asked, whoever stands behind it.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::Kind;
use crate::policy::Action;
use crate::secret::{Attributes, Entry, Page, PutOptions, Secret, SecretVersion, VersionPage, VersionState};

/// What stopped a provider. Its texts are the host's own; what a guest said stands in [`Failure::guest`] alone.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// The kind, which decides the exit code.
    pub kind: Kind,
    /// What stopped it and who said so, in the host's words.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
    /// The backend's HTTP status, where there was one.
    pub status: Option<u16>,
    /// The guest's own words, shown at `-v` only.
    pub guest: Option<GuestText>,
}

impl Failure {
    /// A failure without hint, status and guest text.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), hint: None, status: None, guest: None }
    }

    /// That of many reads one has no answer, not even a failure: a mistake of forge's own.
    pub fn lost() -> Self {
        Self::new(Kind::Internal, "a read was lost on its way")
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Failures of core's own rooms, each with the kind that decides the exit code.
macro_rules! failure_from {
    ($($error:path => $kind:expr),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let kind: fn(&$error) -> Kind = $kind;
                Self::new(kind(&error), error.to_string())
            }
        }
    )*};
}

failure_from! {
    crate::home::Error => |_| Kind::Internal,
    crate::reference::Error => |_| Kind::InvalidRequest,
    crate::setting::Error => |_| Kind::InvalidRequest,
    crate::project::directory::Error => |_| Kind::NotGranted,
    crate::trust::PatternError => |_| Kind::InvalidRequest,
    crate::config::Error => |_| Kind::InvalidRequest,
    crate::time::Error => |_| Kind::InvalidRequest,
    crate::manifest::Error => |_| Kind::InvalidRequest,
    crate::sealing::Error => |_| Kind::Integrity,
    crate::generator::Error => |error| match error {
        crate::generator::Error::Random => Kind::Internal,
        _ => Kind::InvalidRequest,
    },
    crate::field::Error => |error| match error {
        crate::field::Error::Missing => Kind::NotFound,
        _ => Kind::InvalidRequest,
    },
    crate::grant::Error => |error| match error {
        crate::grant::Error::NotCovered { .. } | crate::grant::Error::OtherPlugin { .. } => Kind::NotGranted,
        _ => Kind::InvalidRequest,
    },
}

impl From<crate::keyring::Error> for Failure {
    fn from(error: crate::keyring::Error) -> Self {
        Self { hint: error.hint(), ..Self::new(error.kind(), error.to_string()) }
    }
}

impl From<crate::project::Error> for Failure {
    fn from(error: crate::project::Error) -> Self {
        Self { hint: error.hint(), ..Self::new(error.kind(), error.to_string()) }
    }
}

impl From<crate::config::Refusal> for Failure {
    fn from(refusal: crate::config::Refusal) -> Self {
        match refusal {
            crate::config::Refusal::Project(error) => error.into(),
            other => Self::new(Kind::InvalidRequest, other.to_string()),
        }
    }
}

/// Text that a guest wrote: capped and escaped, and still not to be trusted or stored.
#[derive(Clone, PartialEq, Eq)]
pub struct GuestText(String);

impl GuestText {
    /// At most 400 characters of `text`, control and invisible characters escaped.
    pub fn new(text: &str) -> Self {
        let mut shown = String::new();
        for c in text.chars().take(400) {
            if c.is_control() || crate::setting::is_invisible(c) {
                shown.extend(c.escape_unicode());
            } else {
                shown.push(c);
            }
        }
        Self(shown)
    }

    /// The text, for standard error at `-v` and nowhere else.
    pub fn for_terminal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for GuestText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A guest may put a secret into its message, and Debug output ends in logs.
        f.write_str("GuestText(redacted)")
    }
}

/// One outgoing request as audit records it: no query, no header, no body.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RequestRecord {
    /// `GET` and so on.
    pub method: String,
    /// Scheme, host and port.
    pub origin: String,
    /// The pattern of the granted route, not the path itself; empty where no route matched.
    pub route: String,
    /// The answer's status, where there was an answer.
    pub status: Option<u16>,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// How long it took, retries included, in milliseconds.
    pub milliseconds: u64,
    /// How many times it was sent.
    pub attempts: u32,
    /// `ok`, or the token of what stopped it.
    pub outcome: &'static str,
    /// What its route says that the right for it is called. A manifest's word, so it is no part of the audit.
    #[serde(skip)]
    pub permission: Option<String>,
    /// It went out on a route that changes something, and no whole answer came: nobody knows here whether it was done.
    #[serde(skip)]
    pub is_open: bool,
}

/// What happened during one operation, collected for audit.
#[derive(Debug, Default)]
pub struct CallLog {
    requests: Mutex<Vec<RequestRecord>>,
}

impl CallLog {
    /// Adds one outgoing request.
    pub fn push(&self, record: RequestRecord) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    /// All requests so far, in the order in which they ended; the log is empty afterwards.
    pub fn take(&self) -> Vec<RequestRecord> {
        std::mem::take(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A configured source of secrets. What a backend has no ability for is refused with [`Kind::Unsupported`] before anything is sent.
#[async_trait]
pub trait SecretProvider: Send + Sync + std::fmt::Debug {
    /// Whether it can do this at all, known without asking it: a [`Kind::Unsupported`] before a value is read or typed.
    fn check_ability(&self, action: Action) -> Result<(), Failure>;

    /// The secret, or `None` when there is no such secret or version.
    async fn get(&self, log: &CallLog, path: &str, version: Option<&str>) -> Result<Option<Secret>, Failure>;

    /// How many secrets one call of [`SecretProvider::get_many`] takes; 1 where there is no reading of many at once.
    fn batch_max(&self) -> usize {
        1
    }

    /// The current versions of at most [`SecretProvider::batch_max`] secrets, each path named once: one answer for each
    /// path, in the order of the paths.
    async fn get_many(&self, log: &CallLog, paths: &[&str]) -> Result<Vec<Result<Option<Secret>, Failure>>, Failure> {
        let mut answers = Vec::with_capacity(paths.len());
        for path in paths {
            answers.push(self.get(log, path, None).await);
        }
        Ok(answers)
    }

    /// Proves that settings and credential work; answers the settings that the manifest marks as discovered.
    async fn check(&self, log: &CallLog) -> Result<Attributes, Failure>;

    /// Everything but the value, or `None`.
    async fn describe(&self, log: &CallLog, path: &str) -> Result<Option<Entry>, Failure>;

    /// One page of the secrets at and below `prefix`.
    async fn list(
        &self,
        log: &CallLog,
        prefix: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page, Failure>;

    /// Writes a secret; answers its new version.
    async fn put(
        &self,
        log: &CallLog,
        path: &str,
        value: &[u8],
        options: &PutOptions,
    ) -> Result<SecretVersion, Failure>;

    /// Deletes a secret, recoverably where the backend can; answers whether there was one.
    async fn delete(&self, log: &CallLog, path: &str) -> Result<bool, Failure>;

    /// Takes the last deletion back.
    async fn recover(&self, log: &CallLog, path: &str) -> Result<(), Failure>;

    /// Removes a secret and all its versions for good; answers whether there was anything.
    async fn purge(&self, log: &CallLog, path: &str) -> Result<bool, Failure>;

    /// One page of a secret's versions, newest first.
    async fn versions(
        &self,
        log: &CallLog,
        path: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<VersionPage, Failure>;

    /// Makes an old version current; answers the version that is current now.
    async fn restore(&self, log: &CallLog, path: &str, version: &str) -> Result<SecretVersion, Failure>;

    /// Has the backend rotate a secret by its own means; answers the new version where it tells it at once.
    async fn rotate(&self, log: &CallLog, path: &str) -> Result<Option<SecretVersion>, Failure>;

    /// Sets the state of one version.
    async fn set_state(&self, log: &CallLog, path: &str, version: &str, state: VersionState) -> Result<(), Failure>;
}
