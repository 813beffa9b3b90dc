//! A client certificate: its chain as the grant has it, its private key from a source, and what can be wrong with them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_core::grant::ClientCertificate;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Digest as _;
use zeroize::Zeroizing;

use crate::{Error, Source, Sources, tls};

/// What is wrong with a client certificate or its key. The key itself is never shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// The file holds no certificate in PEM.
    #[error("the client certificate is no PEM with a certificate in it")]
    NotPem,
    /// A certificate can't be read.
    #[error("the client certificate can't be read: {0}")]
    Unreadable(String),
    /// Its time is over.
    #[error("the client certificate expired at {0}")]
    Expired(Timestamp),
    /// Its time has not begun.
    #[error("the client certificate is not valid before {0}")]
    NotYetValid(Timestamp),
    /// The key is protected by a passphrase.
    #[error("the client certificate's key at `{0}` is encrypted")]
    KeyEncrypted(String),
    /// There is no key that can be read.
    #[error("what is at `{0}` is no private key")]
    NotKey(String),
    /// The key is of a kind that TLS can't use.
    #[error("the client certificate's key at `{0}` can't be used: it is no RSA, ECDSA or Ed25519 key that TLS knows")]
    KeyUnusable(String),
    /// The key is another certificate's.
    #[error("the key at `{0}` does not belong to the client certificate")]
    KeyMismatch(String),
}

impl CertificateFault {
    /// What a person can do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NotPem | Self::Unreadable(_) => {
                "give a PEM file with the certificate first, and those that signed it after it"
            }
            Self::Expired(_) => "get a new certificate and add the provider again with it",
            Self::NotYetValid(_) => "set this machine's clock, or wait",
            Self::KeyEncrypted(_) => {
                "take the passphrase off with `openssl pkey`, and keep the key sealed: `--tls-key prompt` or `store://local/…`"
            }
            Self::NotKey(_) | Self::KeyUnusable(_) => {
                "give an unencrypted PEM (PKCS #8, PKCS #1 or SEC 1), or the base64 of its DER on one line"
            }
            Self::KeyMismatch(_) => "give the key that the certificate was made with",
        }
        .to_owned()
    }

    /// Whether it is the certificate's time, and not what was typed.
    pub(crate) fn is_out_of_date(&self) -> bool {
        matches!(self, Self::Expired(_) | Self::NotYetValid(_))
    }
}

/// What a person is shown of a client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateFacts {
    /// SHA-256 of the certificate, in lower-case hexadecimal.
    pub sha256: String,
    /// When its time is over.
    pub not_after: Timestamp,
}

/// The facts of a chain's own certificate, which stands first.
///
/// # Errors
/// [`Error::ClientCertificate`] for anything but a PEM of certificates.
pub fn certificate_facts(chain: &str) -> Result<CertificateFacts, Error> {
    let (own, _) = certificates(chain)?;
    let (_, not_after) = validity(&own)?;
    Ok(CertificateFacts { sha256: forge_core::sealing::hex(&sha2::Sha256::digest(&own)), not_after })
}

/// Checks a client certificate with the key at its source: that they belong together, and that its time is now.
///
/// # Errors
/// [`Error::ClientCertificate`] with what is wrong; whatever stops the reading of the source.
pub async fn check_certificate(certificate: &ClientCertificate, sources: &dyn Sources) -> Result<(), Error> {
    let identity = Identity::read(certificate, sources).await?;
    tls::check(identity)
}

/// A chain and its key, read and not yet known to belong together.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    /// Where the key is.
    pub(crate) place: String,
}

impl Identity {
    /// Reads the key; a certificate whose time is over or has not begun is refused before that.
    pub(crate) async fn read(certificate: &ClientCertificate, sources: &dyn Sources) -> Result<Self, Error> {
        let (own, rest) = certificates(&certificate.chain)?;
        let (not_before, not_after) = validity(&own)?;
        let now = Timestamp::now();
        if now > not_after {
            return Err(CertificateFault::Expired(not_after).into());
        }
        if now < not_before {
            return Err(CertificateFault::NotYetValid(not_before).into());
        }
        let source: Source = certificate.key.parse()?;
        let key = key(&sources.read(&source).await?, &source)?;
        Ok(Self { chain: std::iter::once(own).chain(rest).collect(), key, place: source.to_string() })
    }
}

/// The first certificate of a PEM text, and the others.
fn certificates(pem: &str) -> Result<(CertificateDer<'static>, Vec<CertificateDer<'static>>), CertificateFault> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let mut found = found.map_err(|_| CertificateFault::NotPem)?.into_iter();
    Ok((found.next().ok_or(CertificateFault::NotPem)?, found.collect()))
}

/// A key in PEM, or the base64 of its DER on one line, as a hidden prompt takes it.
fn key(text: &SecretString, source: &Source) -> Result<PrivateKeyDer<'static>, CertificateFault> {
    let text = text.expose_secret();
    let not_key = || CertificateFault::NotKey(source.to_string());
    // "RFC 7468, section 11" and, for the older form, "RFC 1421, section 4.6.1.1".
    let is_encrypted =
        |line: &str| line.trim() == "-----BEGIN ENCRYPTED PRIVATE KEY-----" || line.trim() == "Proc-Type: 4,ENCRYPTED";
    if text.lines().any(is_encrypted) {
        return Err(CertificateFault::KeyEncrypted(source.to_string()));
    }
    if text.trim_start().starts_with("-----BEGIN") {
        return PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| not_key());
    }
    let der = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| not_key())?);
    let key = PrivateKeyDer::try_from(der.as_slice()).map_err(|_| not_key())?;
    Ok(key.clone_key())
}

/// From when to when a certificate is valid (RFC 5280, section 4.1).
fn validity(certificate: &[u8]) -> Result<(Timestamp, Timestamp), CertificateFault> {
    times(certificate).ok_or_else(|| CertificateFault::Unreadable("it has no time in which it is valid".to_owned()))
}

fn times(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (body, _) = element(certificate, SEQUENCE)?;
    let body = element(body, VERSION).map_or(body, |(_, rest)| rest);
    let (_, body) = element(body, 0x02)?;
    let (_, body) = element(body, SEQUENCE)?;
    let (_, body) = element(body, SEQUENCE)?;
    let (validity, _) = element(body, SEQUENCE)?;
    let (not_before, rest) = time(validity)?;
    Some((not_before, time(rest)?.0))
}

/// One element of DER with this tag: its content, and what follows it (X.690, section 8.1).
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    if *found == tag { rest.split_at_checked(length) } else { None }
}

/// A time, and what follows it (RFC 5280, section 4.1.2.5): `YYMMDDHHMMSSZ` up to 2049, `YYYYMMDDHHMMSSZ` after it.
fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (text, rest, century) = match (element(bytes, 0x17), element(bytes, 0x18)) {
        (Some((text, rest)), _) if text.len() == 13 => (text, rest, None),
        (_, Some((text, rest))) if text.len() == 15 => (text.get(2..)?, rest, Some(number(text.get(..2)?)?)),
        _ => return None,
    };
    if text.last() != Some(&b'Z') {
        return None;
    }
    let mut pairs = text.chunks_exact(2).map(number);
    let mut next = || pairs.next().flatten();
    let year = next()?;
    let century = century.unwrap_or(if year < 50 { 20 } else { 19 });
    let year = i16::from(century) * 100 + i16::from(year);
    let civil = DateTime::new(year, next()?, next()?, next()?, next()?, next()?.min(59), 0).ok()?;
    // "99991231235959Z" stands for no end, and lies a day beyond what can be counted here.
    let time = civil.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp());
    Some((time, rest))
}

fn number(digits: &[u8]) -> Option<i8> {
    std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn made(from: i32, to: i32) -> (String, String) {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        (parameters.not_before, parameters.not_after) = (date_time_ymd(from, 1, 2), date_time_ymd(to, 3, 4));
        let key = KeyPair::generate().unwrap();
        (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn the_time_of_a_certificate_is_read_in_both_of_its_forms() {
        for (from, to) in [(1975, 2049), (2020, 2050), (2051, 4096)] {
            let (chain, _) = made(from, to);
            let (own, _) = certificates(&chain).unwrap();
            let (not_before, not_after) = validity(&own).unwrap();
            assert_eq!(not_before.to_string(), format!("{from}-01-02T00:00:00Z"));
            assert_eq!(not_after.to_string(), format!("{to}-03-04T00:00:00Z"));
        }
    }

    #[test]
    fn a_certificate_that_is_cut_short_or_edited_has_no_time_and_breaks_nothing() {
        let (chain, _) = made(2020, 2060);
        let (own, _) = certificates(&chain).unwrap();
        for at in 0..own.len() {
            // Whatever is read, nothing is read beyond the end.
            let _ = times(own.get(..at).unwrap());
            let mut edited = own.to_vec();
            *edited.get_mut(at).unwrap() ^= 0x80;
            let _ = times(&edited);
        }
        assert_eq!(times(own.get(..40).unwrap()), None);
        for pem in ["", "no PEM", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            assert_eq!(certificates(pem).unwrap_err(), CertificateFault::NotPem);
        }
    }

    fn read(text: &str) -> Result<PrivateKeyDer<'static>, CertificateFault> {
        key(&SecretString::from(text), &Source::Environment("K".to_owned()))
    }

    #[test]
    fn a_key_is_read_from_pem_and_from_one_line_and_an_encrypted_one_is_named() {
        let (_, pem) = made(2020, 2060);
        let der = read(&pem).unwrap();
        assert_eq!(read(&STANDARD.encode(der.secret_der())).unwrap(), der);
        for text in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIC\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIC\n-----END RSA PRIVATE KEY-----\n",
        ] {
            assert_eq!(read(text).unwrap_err(), CertificateFault::KeyEncrypted("env:K".to_owned()));
        }
        for text in ["", "hunter2", "aGVsbG8=", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(read(text).unwrap_err(), CertificateFault::NotKey("env:K".to_owned()));
        }
    }
}
