//! The signed assertion with which a service account's key asks for a token (RFC 7523; AIP-4112).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

/// What the token is for: everything that the account's roles allow; they, and the grant, say what that is.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// How long an assertion counts, in seconds: as long as Google lets it.
const LIFE: i64 = 3600;

/// Signs an assertion for the token endpoint `audience` at this time, in seconds since 1970.
///
/// The audience is the very endpoint that it is sent to: one that a person typed can't use it at Google's own.
///
/// # Errors
/// The rule that the key breaks.
pub(super) fn signed(
    account: &str,
    key_id: &str,
    key: &SecretString,
    audience: &str,
    now: i64,
) -> Result<SecretString, &'static str> {
    let pair = pair(key)?;
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key_id });
    let claims = json!({ "iss": account, "scope": SCOPE, "aud": audience, "iat": now, "exp": now + LIFE });
    let part = |part: serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| "has a `private_key` that can't sign")?;
    Ok(SecretString::from(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

/// The key pair of a PEM text.
///
/// # Errors
/// The rule that it breaks.
pub(super) fn pair(key: &SecretString) -> Result<RsaKeyPair, &'static str> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(key.expose_secret().as_bytes())
        .map_err(|_| "has a `private_key` that is no PKCS #8 key in PEM")?;
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
        .map_err(|_| "has a `private_key` that is no RSA key of 2048 bits or more")
}
