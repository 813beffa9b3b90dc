//! What can go wrong in a plugin, in the words of the contract.

use std::fmt;

use crate::secret::Attributes;

/// What went wrong, as the host and its exit codes understand it (`error-kind` in `wit/types.wit`).
///
/// A secret that isn't there is `Ok(None)`, not an error, wherever the contract has an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Something the call needs isn't there (a key, the secret to recover).
    NotFound,
    /// The backend knows who asks, and says no.
    AccessDenied,
    /// The backend doesn't know who asks.
    Unauthenticated,
    /// What was asked can't be: a path, a version, an option.
    InvalidRequest,
    /// The compare of a compare-and-set failed.
    Conflict,
    /// The secret is in a state that forbids this, such as deleted.
    WrongState,
    /// The value, or an answer, is larger than allowed.
    TooLarge,
    /// The backend has no such thing.
    Unsupported,
    /// Asked too often.
    RateLimited,
    /// Not reachable, or not ready; a later attempt may work.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The host refused the request.
    DeniedByHost,
    /// The backend answered something that can't be understood.
    Upstream,
    /// A fault of the plugin itself.
    Internal,
}

impl ErrorKind {
    /// The name that the contract gives this kind.
    #[must_use]
    pub fn name(self) -> &'static str {
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
            Self::DeniedByHost => "denied-by-host",
            Self::Upstream => "upstream",
            Self::Internal => "internal",
        }
    }
}

/// What a code of a backend means: the code, the kind, and words of the plugin's own, since a backend's may hold anything.
pub type Code = (&'static str, ErrorKind, &'static str);

/// An error of a plugin's call.
///
/// The message is for a person who asked for details: lower case, no full stop, what was typed in backticks,
/// and never a value of a secret or a body that the backend sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    status: Option<u16>,
    code: Option<String>,
    retry_after_ms: Option<u32>,
    attributes: Attributes,
}

/// A constructor for each kind, so that a plugin reads `Error::conflict("…")`.
macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(message: impl Into<String>) -> Self {
            Self::new(ErrorKind::$kind, message)
        }
    )*};
}

impl Error {
    /// An error of this kind with these words.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            code: None,
            retry_after_ms: None,
            attributes: Attributes::new(),
        }
    }

    constructors! {
        /// Something the call needs isn't there.
        not_found => NotFound;
        /// What was asked can't be.
        invalid_request => InvalidRequest;
        /// The compare of a compare-and-set failed.
        conflict => Conflict;
        /// The secret is in a state that forbids this.
        wrong_state => WrongState;
        /// The value is larger than allowed.
        too_large => TooLarge;
        /// The backend has no such thing.
        unsupported => Unsupported;
        /// The backend answered something that can't be understood.
        upstream => Upstream;
        /// A fault of the plugin itself.
        internal => Internal;
    }

    /// The kind that an HTTP status stands for (RFC 9110, section 15).
    ///
    /// 400 and 422 are `invalid-request`, 401 `unauthenticated`, 403 `access-denied`, 404 `not-found`, 409 and 412
    /// `conflict`, 413 `too-large`, 429 `rate-limited`, 408, 502, 503 and 504 `unavailable`, and any other `upstream`.
    #[must_use]
    pub fn from_status(status: u16) -> Self {
        let kind = match status {
            400 | 422 => ErrorKind::InvalidRequest,
            401 => ErrorKind::Unauthenticated,
            403 => ErrorKind::AccessDenied,
            404 => ErrorKind::NotFound,
            409 | 412 => ErrorKind::Conflict,
            413 => ErrorKind::TooLarge,
            429 => ErrorKind::RateLimited,
            408 | 502 | 503 | 504 => ErrorKind::Unavailable,
            _ => ErrorKind::Upstream,
        };
        Self { status: Some(status), ..Self::new(kind, format!("the backend answered {status}")) }
    }

    /// The error of a backend's code, in the words that the table has for it; `None` for a code that it does not have.
    #[must_use]
    pub fn from_code(codes: &[Code], code: &str) -> Option<Self> {
        let (code, kind, words) = codes.iter().find(|(known, ..)| *known == code)?;
        Some(Self::new(*kind, *words).with_code(*code))
    }

    /// The same error with other words.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// The same error with the HTTP status that it came from.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same error with the backend's own code, such as `ResourceNotFoundException`.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same error with the time to wait before another attempt, in milliseconds.
    #[must_use]
    pub fn with_retry_after_ms(mut self, milliseconds: u32) -> Self {
        self.retry_after_ms = Some(milliseconds);
        self
    }

    /// The same error with one more attribute.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What went wrong, for a person.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The HTTP status it came from.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The backend's own code.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// How long to wait before another attempt, in milliseconds.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u32> {
        self.retry_after_ms
    }

    /// Anything else that is known.
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind.name(), self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_the_kind_that_the_contract_names() {
        let expected = [
            (400, ErrorKind::InvalidRequest),
            (408, ErrorKind::Unavailable),
            (401, ErrorKind::Unauthenticated),
            (403, ErrorKind::AccessDenied),
            (404, ErrorKind::NotFound),
            (409, ErrorKind::Conflict),
            (412, ErrorKind::Conflict),
            (413, ErrorKind::TooLarge),
            (418, ErrorKind::Upstream),
            (422, ErrorKind::InvalidRequest),
            (429, ErrorKind::RateLimited),
            (500, ErrorKind::Upstream),
            (502, ErrorKind::Unavailable),
            (503, ErrorKind::Unavailable),
            (504, ErrorKind::Unavailable),
            (302, ErrorKind::Upstream),
        ];
        for (status, kind) in expected {
            let error = Error::from_status(status);
            assert_eq!((error.kind(), error.status()), (kind, Some(status)));
        }
    }

    #[test]
    fn an_error_prints_its_kind_and_its_words() {
        assert_eq!(Error::conflict("`1` isn't current").to_string(), "conflict: `1` isn't current");
    }
}
