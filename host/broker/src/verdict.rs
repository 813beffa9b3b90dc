//! Verdicts: what stopped a request, what the guest hears of it, and what the host remembers.

use forge_core::Kind;
use forge_core::grant::Grant;

use crate::Error;
use crate::budget::Spent;
use crate::client::Failure;
use crate::denial::Denial;

/// What a guest hears when it gets no answer: the cases of `http.failure` in `wit/http.wit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request is not granted.
    Denied(String),
    /// There is no credential, or its login failed.
    Credential(String),
    /// The server sent the credential back.
    CredentialReflected,
    /// No connection, or no whole answer.
    Unreachable(String),
    /// The call's time is over.
    Timeout,
    /// The answer is longer than its route allows.
    TooLarge,
    /// The call's budget is spent.
    Budget,
}

/// What the broker refused during a call: it has the last word over whatever the guest makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The kind, which decides the exit code.
    pub kind: Kind,
    /// What was refused, in the host's words.
    pub what: String,
    /// What would allow it.
    pub hint: Option<String>,
}

/// What stopped a request on the ladder.
pub(crate) enum Stop {
    Denied(Denial),
    Credential(Error),
    Reflected(String),
    Failed(String, Failure),
}

impl From<Spent> for Stop {
    fn from(spent: Spent) -> Self {
        Self::Failed(String::new(), Failure::Spent(spent))
    }
}

impl Stop {
    /// The token that audit records.
    pub(crate) fn token(&self) -> &'static str {
        match self {
            Self::Denied(_) | Self::Failed(_, Failure::Outside(_)) => "denied",
            Self::Credential(_) => "credential",
            Self::Reflected(_) => "credential-reflected",
            Self::Failed(_, Failure::Certificate(_) | Failure::Source(_)) => "credential",
            Self::Failed(_, Failure::Spent(Spent::Rate(_))) => "rate-limited",
            Self::Failed(_, Failure::Spent(_)) => "budget",
            Self::Failed(_, Failure::TooLarge) => "too-large",
            Self::Failed(_, Failure::Timeout) => "timeout",
            Self::Failed(..) => "unreachable",
        }
    }

    /// Whether a request that went out may have been done all the same, since no whole answer came.
    pub(crate) fn leaves_open(&self) -> bool {
        matches!(
            self,
            Self::Failed(_, Failure::Broken(_) | Failure::Unreadable(_) | Failure::TooLarge | Failure::Timeout)
        )
    }

    /// Its rank (the lowest is the worst), what the host says of it, and what the guest hears.
    pub(crate) fn judged(self, grant: &Grant) -> (u8, Verdict, Refusal) {
        let unreachable = |origin: &str, what: String, hint| {
            let what = format!("`{origin}` {what}");
            (6, Verdict { kind: Kind::Unavailable, what: what.clone(), hint }, Refusal::Unreachable(what))
        };
        match self {
            Self::Reflected(origin) => {
                let what = format!("`{origin}` sent the credential back, and the plugin was not given that answer");
                let hint = Some("find out what answers there; replace the credential if others can see it".to_owned());
                (0, Verdict { kind: Kind::CredentialReflected, what, hint }, Refusal::CredentialReflected)
            }
            Self::Denied(denial) => {
                let (what, hint) = (denial.to_string(), denial.hint(grant));
                (1, Verdict { kind: Kind::NotGranted, what: what.clone(), hint }, Refusal::Denied(what))
            }
            Self::Failed(origin, Failure::Outside(class)) => {
                Self::Denied(Denial::Network { origin, class }).judged(grant)
            }
            Self::Credential(error) => {
                let what = error.to_string();
                // Where the host looks for credentials is nothing that a guest has to know.
                let told = Refusal::Credential("the host has no credential for this request".to_owned());
                (2, Verdict { kind: error.kind(), what, hint: error.hint() }, told)
            }
            Self::Failed(_, Failure::Spent(Spent::Rate(rate))) => {
                let name = &grant.provider;
                let what = format!(
                    "the rate limit of `{name}`, {rate}, leaves no room for another request in the time that one call has"
                );
                let hint = Some(format!("try again later, or raise the `rate-limit` of `{name}` in its configuration"));
                (3, Verdict { kind: Kind::RateLimited, what, hint }, Refusal::Timeout)
            }
            Self::Failed(_, Failure::Spent(spent)) => {
                let what = format!("the plugin used up its budget: {spent}");
                (3, Verdict { kind: Kind::PluginFault, what, hint: None }, Refusal::Budget)
            }
            Self::Failed(origin, Failure::TooLarge) => {
                let what = format!("the answer of `{origin}` is longer than its route allows");
                (4, Verdict { kind: Kind::TooLarge, what, hint: None }, Refusal::TooLarge)
            }
            Self::Failed(origin, Failure::Timeout) => {
                let what = format!("`{origin}` did not answer in the time that one call has");
                let hint = Some(crate::error::SLOW.to_owned());
                (5, Verdict { kind: Kind::Timeout, what, hint }, Refusal::Timeout)
            }
            Self::Failed(_, Failure::Certificate(fault)) => Self::Credential(fault.into()).judged(grant),
            Self::Failed(_, Failure::Source(error)) => Self::Credential(*error).judged(grant),
            Self::Failed(origin, Failure::Unreachable(cause)) => {
                unreachable(&origin, format!("can't be reached: {cause}"), cause.hint(&origin))
            }
            Self::Failed(origin, Failure::Untrusted(cause)) => {
                unreachable(&origin, format!("is not trusted: {cause}"), cause.hint(&origin))
            }
            Self::Failed(origin, Failure::Broken(cause)) => {
                unreachable(&origin, format!("broke off: {cause}"), cause.hint(&origin))
            }
            Self::Failed(origin, Failure::Unreadable(what)) => unreachable(&origin, what.to_owned(), None),
        }
    }
}
