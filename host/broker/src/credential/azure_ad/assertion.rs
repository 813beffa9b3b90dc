//! The signed assertion with which an application logs in by its certificate ("Microsoft identity platform application
//! authentication certificate credentials"; RFC 7523).

use async_trait::async_trait;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::Digest as _;

/// For how many seconds an assertion counts: 5 to 10 minutes are advised.
const LIFE: i64 = 300;
/// By how many seconds it begins earlier, for a clock that is a little ahead.
const EARLIER: i64 = 30;

/// An application's key and certificate, and for whom they sign.
pub(super) struct Assertion {
    key: RsaKeyPair,
    /// SHA-256 of the certificate, in base64url.
    thumbprint: String,
    client: String,
    /// The endpoint that gives the token.
    audience: String,
}

impl std::fmt::Debug for Assertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assertion").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

impl Assertion {
    /// What one PEM text holds: an unencrypted RSA key and its certificate, in any order.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(super) fn of(pem: &SecretString, client: &str, audience: String) -> Result<Self, &'static str> {
        let text = pem.expose_secret().as_bytes();
        let certificate = CertificateDer::from_pem_slice(text).map_err(|_| "holds no certificate in PEM")?;
        let key = match PrivateKeyDer::from_pem_slice(text) {
            Ok(PrivateKeyDer::Pkcs8(key)) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(key)) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            Ok(_) => return Err("holds a key that is not RSA, and the login takes no other"),
            Err(_) => return Err("holds no unencrypted key in PEM beside its certificate"),
        };
        let key = key.map_err(|_| "holds a key that is not RSA of 2048 bits or more, and the login takes no other")?;
        let thumbprint = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(&certificate));
        Ok(Self { key, thumbprint, client: client.to_owned(), audience })
    }

    /// A new assertion, which is used once.
    ///
    /// # Errors
    /// The machine has no random numbers.
    fn sign(&self, now: i64) -> Result<String, ring::error::Unspecified> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| ring::error::Unspecified)?;
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": self.audience,
            "iss": self.client,
            "sub": self.client,
            "iat": now,
            "nbf": now - EARLIER,
            "exp": now + LIFE,
            "jti": forge_core::sealing::hex(&id),
        });
        let part = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.sign(Timestamp::now().as_second())
            .map_err(|_| azure_core::Error::with_message(azure_core::error::ErrorKind::Credential, "no signature"))
    }
}

/// The token of another issuer, which an application trusts to speak for it ("Workload identity federation").
pub(super) struct Federated(pub(super) SecretString);

impl std::fmt::Debug for Federated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Federated(redacted)")
    }
}

#[async_trait]
impl ClientAssertion for Federated {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.0.expose_secret().to_owned())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_no_key_and_certificate_is_told_by_what_it_lacks() {
        let certified = rcgen::generate_simple_self_signed(["application".to_owned()]).unwrap();
        let (certificate, elliptic) = (certified.cert.pem(), certified.signing_key.serialize_pem());
        let rule = |pem: &str| Assertion::of(&SecretString::from(pem), "c", String::new()).err();
        assert_eq!(rule(""), Some("holds no certificate in PEM"));
        assert_eq!(rule(&elliptic), Some("holds no certificate in PEM"));
        assert_eq!(rule(&certificate), Some("holds no unencrypted key in PEM beside its certificate"));
        assert!(rule(&(elliptic + &certificate)).unwrap().contains("not RSA"));
    }

    #[test]
    fn a_token_of_another_issuer_is_never_printed() {
        assert!(!format!("{:?}", Federated("canary".into())).contains("canary"));
    }
}
