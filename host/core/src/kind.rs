//! The kinds of failure, one stable token each, which audit, JSON and exit codes share.

use serde::{Deserialize, Serialize};

/// What kind of failure stopped an operation.
///
/// The token of [`Kind::token`] is stable: it stands in audit records and in `--json` output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// There is no such secret, version, field, provider or plugin.
    NotFound,
    /// The policy or the backend refuses this caller.
    AccessDenied,
    /// The backend does not accept the credential, or there is none.
    Unauthenticated,
    /// What was asked is malformed, or breaks a rule that the backend has.
    InvalidRequest,
    /// Somebody else wrote first, or the name is taken.
    Conflict,
    /// The secret or the version is in a state that does not allow this.
    WrongState,
    /// The value or the answer is over a limit.
    TooLarge,
    /// The backend has no such operation.
    Unsupported,
    /// The backend asked to slow down.
    RateLimited,
    /// The backend can't be reached, or says that it can't answer now.
    Unavailable,
    /// It took longer than allowed.
    Timeout,
    /// The backend answered something that its protocol does not have.
    Upstream,
    /// The plugin broke: a trap, a limit, an import that does not fit.
    PluginFault,
    /// The plugin asked for something that its grant does not hold.
    NotGranted,
    /// A server sent a credential back, and the plugin was not given that answer.
    CredentialReflected,
    /// A digest, a MAC or a seal does not fit its content.
    Integrity,
    /// A check found something that does not work.
    CheckFailed,
    /// The person who was asked broke it off.
    Interrupted,
    /// Some of it was done and some was not.
    Partial,
    /// Forge's own fault, or the machine's (a disk that is full, a directory that can't be read).
    Internal,
}

impl Kind {
    /// The stable token of this kind, such as `access-denied`.
    pub fn token(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::AccessDenied => "access-denied",
            Self::Unauthenticated => "unauthenticated",
            Self::InvalidRequest => "invalid-request",
            Self::Conflict => "conflict",
            Self::WrongState => "wrong-state",
            Self::TooLarge => "too-large",
            Self::Unsupported => "unsupported",
            Self::RateLimited => "rate-limited",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Upstream => "upstream",
            Self::PluginFault => "plugin-fault",
            Self::NotGranted => "not-granted",
            Self::CredentialReflected => "credential-reflected",
            Self::Integrity => "integrity",
            Self::CheckFailed => "check-failed",
            Self::Interrupted => "interrupted",
            Self::Partial => "partial",
            Self::Internal => "internal",
        }
    }

    /// The exit code of a command that this kind ended (the table of the README).
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::InvalidRequest | Self::TooLarge | Self::Unsupported => 2,
            Self::NotFound => 3,
            Self::AccessDenied => 4,
            Self::Unauthenticated => 5,
            Self::RateLimited | Self::Unavailable | Self::Timeout | Self::Upstream => 6,
            Self::PluginFault => 7,
            Self::NotGranted => 8,
            Self::Conflict | Self::WrongState => 9,
            Self::CheckFailed => 10,
            Self::CredentialReflected | Self::Integrity => 11,
            Self::Partial => 12,
            // As a shell counts the end by this signal, which is what Ctrl-C is wherever nothing is asked.
            Self::Interrupted => 130,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.token())
    }
}
