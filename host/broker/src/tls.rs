//! TLS: whom an `https` origin is trusted by, set up when the first request needs it.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use crate::Error;

/// The trust of one grant: the provider's own CA and no other, or the platform's roots.
pub(crate) struct Tls {
    ca: Option<String>,
    /// Reading the platform's roots takes milliseconds, which a plain `http` or a local plugin need not pay.
    made: OnceLock<ClientConfig>,
}

impl Tls {
    pub(crate) fn new(ca: Option<String>) -> Self {
        Self { ca, made: OnceLock::new() }
    }

    /// The set-up, made on the first call.
    pub(crate) fn trusting(&self) -> Result<ClientConfig, Error> {
        if let Some(made) = self.made.get() {
            return Ok(made.clone());
        }
        let made = match &self.ca {
            Some(pem) => trusting(roots(pem)?)?,
            None => trusting_platform()?,
        };
        Ok(self.made.get_or_init(|| made).clone())
    }

    #[cfg(test)]
    pub(crate) fn is_made(&self) -> bool {
        self.made.get().is_some()
    }
}

/// For plain `http`: the client wants a set-up and never uses it, and this one would trust nobody.
pub(crate) fn without_roots() -> Result<ClientConfig, Error> {
    trusting(RootCertStore::empty())
}

/// TLS 1.3 and 1.2; rustls knows no older version.
fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(error)
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, Error> {
    Ok(http1(builder()?.with_root_certificates(roots).with_no_client_auth()))
}

fn trusting_platform() -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(error)?;
    let builder = builder()?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(http1(builder.with_no_client_auth()))
}

fn http1(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

fn error(error: impl std::fmt::Display) -> Error {
    Error::Tls(forge_core::manifest::printable(&error.to_string()))
}

/// The certificates of a PEM text.
fn roots(pem: &str) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| Error::Tls("the provider's CA is not PEM".to_owned()))?;
        roots.add(certificate).map_err(error)?;
    }
    if roots.is_empty() {
        return Err(Error::Tls("the provider's CA holds no certificate".to_owned()));
    }
    Ok(roots)
}
