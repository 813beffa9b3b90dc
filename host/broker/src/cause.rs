//! Why there was no connection or no whole answer: told by types, named for people, each with what to do.

use std::error::Error as StdError;
use std::io::ErrorKind;

use rustls::{AlertDescription, CertificateError};

use crate::dns::Unresolved;

/// What stood between the host and a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// Nobody listens at the port.
    #[error("the connection was refused")]
    Refused,
    /// The name has no address.
    #[error("its name was not found")]
    NameNotFound,
    /// Nothing answered the attempt to connect.
    #[error("there was no connection within 3 s")]
    ConnectTimeout,
    /// The network has no way there.
    #[error("there is no way to its network")]
    NoRoute,
    /// The connection ended before the answer did.
    #[error("the connection was cut before the answer was whole")]
    Cut,
    /// Nobody who is trusted here has signed the server's certificate.
    #[error("nobody who is trusted here has signed its certificate")]
    UnknownAuthority,
    /// The server's certificate is over.
    #[error("its certificate has expired")]
    Expired,
    /// The server's certificate has not begun.
    #[error("its certificate is not valid yet")]
    NotYetValid,
    /// The server's certificate is for other names.
    #[error("its certificate is for another name{}", names(.0))]
    WrongName(Vec<String>),
    /// The server's certificate is refused for another reason.
    #[error("its certificate is refused: {0}")]
    Certificate(String),
    /// The server does not accept the client's certificate, or the lack of one (RFC 8446, section 6.2).
    #[error("it does not accept this side's certificate, or wants one")]
    ClientRefused,
    /// Something else than TLS is spoken at the port.
    #[error("it does not speak TLS")]
    NotTls,
    /// Anything else, in the words of the library that met it.
    #[error("{0}")]
    Other(String),
}

fn names(names: &[String]) -> String {
    let shown: Vec<String> =
        names.iter().take(4).map(|name| forge_core::manifest::printable(name).chars().take(128).collect()).collect();
    if shown.is_empty() { String::new() } else { format!(": {}", shown.join(", ")) }
}

impl Cause {
    /// What a person can do about it.
    pub fn hint(&self, origin: &str) -> Option<String> {
        Some(match self {
            Self::Refused => format!("is the server running, and is `{origin}` its address and port?"),
            Self::NameNotFound => format!(
                "is `{origin}` spelt right? a name that only a private network knows needs its VPN or name server"
            ),
            Self::ConnectTimeout | Self::NoRoute => {
                "look for a VPN that is off, a firewall on the way, or another port".to_owned()
            }
            Self::Cut => "try again; if it stays, look at the server's own log".to_owned(),
            Self::UnknownAuthority => {
                "if the server has a private authority, add the provider again with `--tls-ca FILE`".to_owned()
            }
            Self::Expired => "renew the server's certificate, or set this machine's clock".to_owned(),
            Self::NotYetValid => "set this machine's clock".to_owned(),
            Self::WrongName(_) => "use a name in the address that stands in the server's certificate".to_owned(),
            Self::ClientRefused => {
                "add the provider again with a certificate that the server accepts: `--tls-cert FILE --tls-key SOURCE`"
                    .to_owned()
            }
            Self::NotTls => "is its address one with `http://`, or its port another one?".to_owned(),
            Self::Certificate(_) | Self::Other(_) => return None,
        })
    }

    /// Whether it may be gone at the next attempt.
    pub(crate) fn may_pass(&self) -> bool {
        !matches!(self, Self::ClientRefused | Self::NotTls)
    }

    /// Whether it is the server that is not trusted, rather than a connection that failed.
    pub(crate) fn is_distrust(&self) -> bool {
        matches!(
            self,
            Self::UnknownAuthority | Self::Expired | Self::NotYetValid | Self::WrongName(_) | Self::Certificate(_)
        )
    }

    /// What one error of a chain says; `None` where the ones below it may say more.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        if error.is::<Unresolved>() {
            return Some(Self::NameNotFound);
        }
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(of_tls(tls));
        }
        match error.downcast_ref::<std::io::Error>()?.kind() {
            ErrorKind::ConnectionRefused => Some(Self::Refused),
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => Some(Self::NoRoute),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Some(Self::Cut),
            _ => None,
        }
    }
}

fn of_tls(error: &rustls::Error) -> Cause {
    use CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            Certificate::UnknownIssuer => Cause::UnknownAuthority,
            Certificate::Expired | Certificate::ExpiredContext { .. } => Cause::Expired,
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => Cause::NotYetValid,
            Certificate::NotValidForName => Cause::WrongName(Vec::new()),
            Certificate::NotValidForNameContext { presented, .. } => Cause::WrongName(presented.clone()),
            other => Cause::Certificate(forge_core::manifest::printable(&other.to_string())),
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => Cause::ClientRefused,
        rustls::Error::InvalidMessage(_) => Cause::NotTls,
        other => Cause::Other(forge_core::manifest::printable(&other.to_string())),
    }
}
