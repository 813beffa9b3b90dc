//! TLS: whom an `https` origin is trusted by, set up when the first request needs it.

use std::sync::{Arc, OnceLock};

use forge_core::grant::{ClientCertificate, Grant};
use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use crate::certificate::{CertificateFault, Identity};
use crate::{Error, Sources};

/// The trust of one grant: the provider's own CA and no other, or the platform's roots; and who the host says it is.
pub(crate) struct Tls {
    ca: Option<String>,
    certificate: Option<ClientCertificate>,
    sources: Arc<dyn Sources>,
    /// Reading the platform's roots takes milliseconds, which a plain `http` or a local plugin need not pay.
    made: OnceLock<ClientConfig>,
}

impl Tls {
    pub(crate) fn new(grant: &Grant, sources: Arc<dyn Sources>) -> Self {
        let (ca, certificate) = (grant.tls_ca.clone(), grant.tls_certificate.clone());
        Self { ca, certificate, sources, made: OnceLock::new() }
    }

    /// The set-up, made on the first call.
    ///
    /// The key of a client certificate is read here, so it is never read for a provider that makes no request.
    pub(crate) async fn trusting(&self) -> Result<ClientConfig, Error> {
        if let Some(made) = self.made.get() {
            return Ok(made.clone());
        }
        let identity = match &self.certificate {
            Some(certificate) => Some(Identity::read(certificate, &*self.sources).await?),
            None => None,
        };
        let builder = match &self.ca {
            Some(pem) => builder()?.with_root_certificates(roots(pem)?),
            None => trusting_platform()?,
        };
        let made = http1(as_client(builder, identity)?);
        Ok(self.made.get_or_init(|| made).clone())
    }

    /// The platform's trust, by a host that says of nobody that it is: for what is no server of the provider's.
    pub(crate) fn trusting_the_platform() -> Result<ClientConfig, Error> {
        Ok(http1(as_client(trusting_platform()?, None)?))
    }

    #[cfg(test)]
    pub(crate) fn is_made(&self) -> bool {
        self.made.get().is_some()
    }
}

/// For plain `http`: the client wants a set-up and never uses it, and this one would trust nobody.
pub(crate) fn without_roots() -> Result<ClientConfig, Error> {
    Ok(http1(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth()))
}

/// Checks that a client certificate and its key belong together.
pub(crate) fn check(identity: Identity) -> Result<(), Error> {
    as_client(builder()?.with_root_certificates(RootCertStore::empty()), Some(identity)).map(|_| ())
}

/// Who the host says it is: nobody, or the one of a client certificate.
fn as_client(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: Option<Identity>,
) -> Result<ClientConfig, Error> {
    let Some(Identity { chain, key, place }) = identity else { return Ok(builder.with_no_client_auth()) };
    builder.with_client_auth_cert(chain, key).map_err(|error| {
        let fault = match error {
            rustls::Error::InconsistentKeys(_) => CertificateFault::KeyMismatch(place),
            rustls::Error::InvalidCertificate(error) => {
                CertificateFault::Unreadable(forge_core::manifest::printable(&error.to_string()))
            }
            _ => CertificateFault::KeyUnusable(place),
        };
        fault.into()
    })
}

/// TLS 1.3 and 1.2; rustls knows no older version.
fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(error)
}

fn trusting_platform() -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(error)?;
    Ok(builder()?.dangerous().with_custom_certificate_verifier(Arc::new(verifier)))
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
