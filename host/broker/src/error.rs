//! What stops the broker before or beside a guest's request: a grant, a source, a login, a network.

use forge_core::Kind;

use crate::cause::Cause;
use crate::certificate::CertificateFault;

/// What to do about a server that does not answer in time.
pub(crate) const SLOW: &str = "try again; if it stays, look for a firewall on the way, or at the server's own load";

/// Why the broker can't do what the host asked of it. No text holds a secret, nor what a server answered.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kind of credential is none of [`crate::kinds`].
    #[error("there is no kind of credential `{0}`")]
    UnknownKind(String),
    /// A parameter is missing, unknown or malformed.
    #[error("the credential `{kind}` {rule}")]
    Parameter {
        /// The kind of credential.
        kind: &'static str,
        /// What it has to be.
        rule: String,
    },
    /// A text names no source. It is not repeated: it may be a secret pasted by mistake.
    #[error("a credential comes from `env:NAME`, `file:/PATH`, `prompt` or `store://PROVIDER/PATH`")]
    NotSource,
    /// There is nothing at the source.
    #[error("no credential found at `{place}`")]
    SourceAbsent {
        /// The source as it is written.
        place: String,
    },
    /// The source is there and can't be read.
    #[error("the credential's source `{place}` can't be read: {why}")]
    SourceUnreadable {
        /// The source as it is written.
        place: String,
        /// What stopped it.
        why: String,
    },
    /// The source was read, and what it holds can't be a credential.
    #[error("the credential's source `{place}` {rule}")]
    SourceContent {
        /// The source as it is written.
        place: String,
        /// What its content is or has to be.
        rule: &'static str,
    },
    /// A route breaks a rule that no manifest, setting or grant can widen.
    #[error("the route `{route}` {rule}")]
    Route {
        /// The route as the manifest or the grant writes it.
        route: String,
        /// What it does that it may not.
        rule: String,
    },
    /// The manifest's routes can't be made from settings.
    #[error(transparent)]
    Manifest(#[from] forge_core::grant::Error),
    /// A route leads where the credential may not go.
    #[error("the credential `{kind}` may not be sent to `{origin}`")]
    Audience {
        /// The kind of credential.
        kind: &'static str,
        /// The route's origin.
        origin: String,
    },
    /// The grant's certificates can't be used, or the platform's can't be read.
    #[error("no TLS: {0}")]
    Tls(String),
    /// An origin has no address that may be used.
    #[error("`{origin}` {what}")]
    Network {
        /// The origin.
        origin: String,
        /// Where it leads.
        what: String,
    },
    /// The network between the host and the server failed.
    #[error("`{origin}` {}: {cause}", if cause.is_distrust() { "is not trusted" } else { "can't be reached" })]
    Unreachable {
        /// The origin.
        origin: String,
        /// What stopped it.
        cause: Cause,
    },
    /// The client certificate or its key can't be used.
    #[error(transparent)]
    ClientCertificate(#[from] CertificateFault),
    /// It took longer than the call may.
    #[error("`{origin}` did not answer in time")]
    Timeout {
        /// The origin.
        origin: String,
    },
    /// The server does not accept the credential.
    #[error("`{origin}` answered {status} to the {what} of `{kind}`")]
    Rejected {
        /// The kind of credential.
        kind: &'static str,
        /// The origin.
        origin: String,
        /// `login`, `token lookup` and so on.
        what: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// The server does not know the token that was given to it.
    #[error(
        "`{origin}` does not accept the `{kind}` from `{place}`: it answered {status} to the token's lookup of itself"
    )]
    NotAccepted {
        /// The kind of credential.
        kind: &'static str,
        /// The origin.
        origin: String,
        /// The credential's source as it is written.
        place: String,
        /// The HTTP status.
        status: u16,
    },
    /// The file that logs in is not one that its kind understands.
    #[error("the credentials file at `{place}` {rule}")]
    CredentialFile {
        /// The source of the file as it is written.
        place: String,
        /// What it is or lacks; no text of the file but the names of its fields.
        rule: String,
    },
    /// A token endpoint gave no token, and its code says why.
    #[error("`{origin}` refused the {what} of `{kind}` with what is at `{place}`: {fault}")]
    GrantRefused {
        /// The kind of credential.
        kind: &'static str,
        /// `login` and so on.
        what: &'static str,
        /// The token endpoint's origin.
        origin: String,
        /// The source of the secret as it is written.
        place: String,
        /// What is wrong.
        fault: GrantFault,
    },
    /// A server asks for a token with words that the credential does not answer.
    #[error("`{origin}` asks for a token, and `{kind}` gives none: {rule}")]
    Challenge {
        /// The kind of credential.
        kind: &'static str,
        /// The origin.
        origin: String,
        /// What is wrong with the question.
        rule: String,
    },
    /// A server does not accept a token that was fetched a moment ago.
    #[error("`{origin}` does not accept the token that `{issuer}` gave to `{kind}`: it answered {status}")]
    TokenRefused {
        /// The kind of credential.
        kind: &'static str,
        /// The origin.
        origin: String,
        /// The origin that gave the token.
        issuer: String,
        /// The HTTP status.
        status: u16,
    },
    /// The file that a profile was named in does not tell its key.
    #[error("the profile `{profile}` at `{place}` {rule}")]
    Profile {
        /// The source of the file as it is written.
        place: String,
        /// The profile's name.
        profile: String,
        /// What it is or has; no text of the file but the names of its lines.
        rule: String,
    },
    /// A role is assumed with the code of a device, and nobody gave one.
    #[error("the login needs the code of the device `{device}`")]
    CodeNeeded {
        /// What the account calls the device.
        device: String,
    },
    /// Whoever logs in may not assume a role.
    #[error("`{origin}` lets whoever logs in from `{place}` not assume the role `{role}`")]
    RoleDenied {
        /// The origin.
        origin: String,
        /// The role.
        role: String,
        /// Where the key or the token for it is from.
        place: String,
    },
    /// A machine or a container has no role, so there is no key for it.
    #[error("`{origin}` has no role for what runs here")]
    NoRole {
        /// The origin.
        origin: String,
    },
    /// A login that another program left behind is over, or was never there.
    #[error("there is no login of {program} for `{session}` that still counts")]
    LoginOver {
        /// The program, in words.
        program: &'static str,
        /// What it calls the login.
        session: String,
        /// The command that makes another one.
        command: &'static str,
    },
    /// A program that a person let forge start gave nothing.
    #[error("the program `{program}` {what}")]
    Program {
        /// Its first word.
        program: String,
        /// What it did.
        what: String,
    },
    /// The server does not accept the key that signs.
    #[error("`{origin}` does not accept the `{kind}` from `{place}`: {what}")]
    KeyRefused {
        /// The kind of credential.
        kind: &'static str,
        /// The origin.
        origin: String,
        /// The key's source as it is written.
        place: String,
        /// What is wrong with it.
        what: KeyFault,
    },
    /// The server refused a signature, and its clock says why.
    #[error(
        "`{origin}` does not accept a signature of this time: this machine's clock is {} s {} the server's",
        seconds.unsigned_abs(), if *seconds > 0 { "ahead of" } else { "behind" }
    )]
    ClockSkew {
        /// The origin.
        origin: String,
        /// By how many seconds this machine is ahead; less than 0 where it is behind.
        seconds: i64,
    },
    /// A wrapping token could not be opened, or must not be.
    #[error("the wrapping token at `{place}` {what} (`{origin}`)")]
    Unwrapping {
        /// The origin that was asked.
        origin: String,
        /// The wrapping token's source as it is written.
        place: String,
        /// What is wrong with it.
        what: Unwrapping,
    },
    /// What keeps tokens between commands can't be used now, and what would be spent without it has one use.
    #[error("{}", .0.what)]
    Kept(forge_core::provider::Failure),
    /// The server can't answer the login now.
    #[error("`{origin}` answered {status} to the {what} of `{kind}`")]
    Unavailable {
        /// The kind of credential.
        kind: &'static str,
        /// The origin.
        origin: String,
        /// `login`, `token lookup` and so on.
        what: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// The server answered something that the protocol of the login does not have.
    #[error("`{origin}` answered the {what} of `{kind}` with something else than its protocol has")]
    Protocol {
        /// The kind of credential.
        kind: &'static str,
        /// The origin.
        origin: String,
        /// `login`, `token lookup` and so on.
        what: &'static str,
    },
}

/// Why a token endpoint gives no token (RFC 6749, section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantFault {
    /// `invalid_client`.
    #[error("it does not know this client, or not with this secret")]
    Client,
    /// `invalid_grant`.
    #[error("it does not accept what should buy a token: it is wrong, expired or revoked")]
    Grant,
    /// `unauthorized_client`.
    #[error("this client may not log in in this way")]
    Unauthorized,
    /// `unsupported_grant_type`.
    #[error("it has no login of this kind")]
    Unsupported,
    /// `invalid_scope`.
    #[error("it does not give tokens for this scope")]
    Scope,
    /// `invalid_target` (RFC 8707, section 2).
    #[error("it does not give tokens for this resource")]
    Target,
    /// `invalid_request`.
    #[error("it finds something missing, or too much, in the request for a token")]
    Request,
    /// A code of the server's own beyond the standard: the secret.
    #[error("the secret is not one of this client's")]
    Secret,
    /// The secret's time is over.
    #[error("the secret has expired")]
    Expired,
    /// The directory in which the client should be.
    #[error("it knows no such tenant")]
    Tenant,
    /// The client itself.
    #[error("there is no such client in the tenant")]
    Unknown,
    /// A signed assertion in the place of a secret.
    #[error("the certificate is not one of this client's, or the assertion is not signed by it")]
    Assertion,
    /// The time in an assertion.
    #[error("the assertion's time is not now, by the server's clock")]
    Time,
    /// The token of another issuer in the place of a secret.
    #[error("the client does not trust the issuer or the subject of that token")]
    Federation,
}

impl GrantFault {
    fn hint(self, place: &str) -> String {
        match self {
            Self::Client => format!("check the client's id, and put its secret at `{place}`; it may have expired"),
            Self::Grant => format!("put a new one at `{place}`; a clock that is off makes one wrong as well"),
            Self::Unauthorized => "allow the client this login at its server, or use another one".to_owned(),
            Self::Scope => "check the scope: it is the server's to say which ones there are".to_owned(),
            Self::Secret => format!("put the value of a secret of this client at `{place}`, and not the id of one"),
            Self::Expired => format!("make a new secret for this client, and put it at `{place}`"),
            Self::Tenant => "check `tenant`: an id or a domain of the cloud that it logs in to".to_owned(),
            Self::Unknown => "check `client-id`, and that `tenant` is the one in which it is registered".to_owned(),
            Self::Assertion => {
                format!("register the certificate at `{place}` with this client, key and certificate together")
            }
            Self::Time => "set this machine's clock, and let it follow a time server".to_owned(),
            Self::Federation => "let the client trust the issuer and the subject of the token".to_owned(),
            Self::Unsupported | Self::Target | Self::Request => {
                "check the token endpoint and the credential's other parameters".to_owned()
            }
        }
    }
}

/// What is wrong with a key that signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The server does not know it, or it is not active.
    #[error("it knows no active key of this id")]
    Unknown,
    /// It was given for a while, and that is over.
    #[error("its session has expired")]
    Expired,
    /// What was signed with it is not what the server makes of the same request.
    #[error("the signature is not the one that belongs to the key's id")]
    Signature,
}

/// What is wrong with a wrapping token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwrapping {
    /// The server does not know it any more.
    #[error("was opened before, or has expired")]
    Spent,
    /// It wraps something else than what this login makes.
    #[error("does not wrap what its auth method makes as a secret id")]
    Elsewhere,
    /// Forge itself has opened it.
    #[error("was opened by forge before, and the login that it bought is over")]
    Own,
}

impl Error {
    /// The kind of failure, which decides audit token and exit code.
    pub fn kind(&self) -> Kind {
        match self {
            Self::UnknownKind(_) | Self::Parameter { .. } | Self::NotSource | Self::Route { .. } | Self::Tls(_) => {
                Kind::InvalidRequest
            }
            Self::Manifest(_) => Kind::InvalidRequest,
            Self::SourceAbsent { .. }
            | Self::SourceUnreadable { .. }
            | Self::SourceContent { .. }
            | Self::Rejected { .. }
            | Self::NotAccepted { .. }
            | Self::CredentialFile { .. }
            | Self::GrantRefused { .. }
            | Self::TokenRefused { .. }
            | Self::Profile { .. }
            | Self::CodeNeeded { .. }
            | Self::NoRole { .. }
            | Self::LoginOver { .. }
            | Self::Program { .. }
            | Self::KeyRefused { .. }
            | Self::ClockSkew { .. }
            | Self::Unwrapping { .. } => Kind::Unauthenticated,
            Self::ClientCertificate(fault) if fault.is_out_of_date() => Kind::Unauthenticated,
            Self::ClientCertificate(_) => Kind::InvalidRequest,
            Self::RoleDenied { .. } => Kind::AccessDenied,
            Self::Audience { .. } | Self::Challenge { .. } | Self::Network { .. } => Kind::NotGranted,
            Self::Unreachable { .. } | Self::Unavailable { .. } => Kind::Unavailable,
            Self::Timeout { .. } => Kind::Timeout,
            Self::Protocol { .. } => Kind::Upstream,
            Self::Kept(failure) => failure.kind,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnknownKind(_) => {
                let known: Vec<String> = crate::kinds().map(|kind| format!("`{kind}`")).collect();
                format!("use one of {}", known.join(", "))
            }
            Self::SourceAbsent { place } => match place.strip_prefix("env:") {
                Some(name) => format!("set `{name}`, or name another source with `--credential`"),
                None => "name another source with `--credential`".to_owned(),
            },
            Self::SourceContent { .. } => "put the credential alone there, on one line".to_owned(),
            Self::Audience { origin, .. } => format!("if it may, say so with `--credential-audience {origin}`"),
            Self::Rejected { status: 401 | 403, .. } => {
                "renew the credential: it is expired, revoked or not valid there".to_owned()
            }
            Self::Rejected { .. } => "check the role and the secret that log in".to_owned(),
            Self::NotAccepted { place, .. } => format!(
                "it is expired, revoked or another server's: put a new one at `{place}` (a token whose policies keep it from `auth/token/lookup-self` gets this answer too)"
            ),
            Self::CredentialFile { .. } => "name another file, or make it anew with its maker's own tools".to_owned(),
            Self::GrantRefused { fault, place, .. } => fault.hint(place),
            Self::Challenge { .. } => {
                "find out what answers there before you trust it; a server of your own needs its words for it, such as `login-endpoint=ORIGIN`".to_owned()
            }
            Self::TokenRefused { issuer, .. } => {
                format!("is it a token for this server? check the scope, and that `{issuer}` is whom it trusts")
            }
            Self::CodeNeeded { .. } => {
                "run `forge provider test` for this provider in a terminal: it asks for the code, and keeps the session while it lives"
                    .to_owned()
            }
            Self::RoleDenied { role, .. } => format!(
                "allow `sts:AssumeRole` on `{role}` there, and let the role trust it: with the external id and the code of a device that its trust policy asks for"
            ),
            Self::NoRole { .. } => "give the machine or the task a role, or name another way to a key with `--credential`".to_owned(),
            Self::LoginOver { session, command, .. } => format!("run `{command}` for `{session}`, then try again"),
            Self::Program { program, .. } => format!("run `{program}` by itself: it has to print a key as JSON and end well"),
            Self::Profile { .. } => "name another `profile`, or the parts of the key by their sources".to_owned(),
            Self::KeyRefused { what: KeyFault::Unknown, place, .. } => format!(
                "put a key at `{place}` that is active; a temporary one needs its session's token beside it"
            ),
            Self::KeyRefused { what: KeyFault::Expired, place, .. } => {
                format!("get a new session, and put its key and token at `{place}`")
            }
            Self::KeyRefused { what: KeyFault::Signature, place, .. } => {
                format!("the id at `{place}` and the secret are not of the same key, or one of them was cut off")
            }
            Self::ClockSkew { .. } => "set this machine's clock, and let it follow a time server".to_owned(),
            Self::Unwrapping { what: Unwrapping::Own, place, .. } => format!("put a new wrapping token at `{place}`"),
            Self::Unwrapping { .. } => {
                "somebody else may have opened it: find out who (the server's audit log tells) before you trust what it held, then ask for a new one"
                    .to_owned()
            }
            Self::ClientCertificate(fault) => fault.hint(),
            Self::Unreachable { origin, cause } => return cause.hint(origin),
            Self::Kept(failure) => return failure.hint.clone(),
            Self::Timeout { .. } => SLOW.to_owned(),
            Self::Network { .. } => "add the provider again if its server has moved to another network".to_owned(),
            Self::Unavailable { status: 503, .. } => "the server may be sealed or starting; try again later".to_owned(),
            _ => return None,
        })
    }
}

impl From<Error> for forge_core::provider::Failure {
    fn from(error: Error) -> Self {
        Self { hint: error.hint(), ..Self::new(error.kind(), error.to_string()) }
    }
}
