//! The signature itself, made by the signer of AWS' own SDK.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::{HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;

use super::KIND;
use super::keys::Reading;
use crate::Error;
use crate::credential::value::sensitive;

/// For what a signature counts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) region: String,
    pub(super) service: String,
}

/// A request as it will stand on the wire, but for what the transport adds and no signature covers.
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) headers: &'a [(String, String)],
    pub(super) body: &'a [u8],
}

/// The headers that sign a request: its time, the session's token where there is one, and the signature.
pub(super) fn headers(
    reading: &Reading,
    scope: &Scope,
    request: &Unsigned<'_>,
    time: SystemTime,
) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    headers_with(SigningSettings::default(), reading, scope, request, time)
}

fn headers_with(
    settings: SigningSettings,
    reading: &Reading,
    scope: &Scope,
    request: &Unsigned<'_>,
    time: SystemTime,
) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    // Its words may repeat a header's value, so they are dropped.
    let refuse = || KIND.error("can't sign this request");
    let token = reading.session_token.as_ref().map(|token| token.expose_secret().to_owned());
    let keys = Credentials::new(
        reading.access_key_id.expose_secret(),
        reading.secret_access_key.expose_secret(),
        token,
        None,
        "forge",
    );
    let identity = keys.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&scope.region)
        .name(&scope.service)
        .time(time)
        .settings(settings)
        .build()
        .map_err(|_| refuse())?;
    let parameters = SigningParams::from(parameters);
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let signable = SignableRequest::new(request.method, request.url, headers, SignableBody::Bytes(request.body));
    let (signed, _) = sign(signable.map_err(|_| refuse())?, &parameters).map_err(|_| refuse())?.into_parts();
    let mut headers = Vec::new();
    for header in signed.into_parts().0 {
        let value = sensitive("", header.value()).ok_or_else(refuse)?;
        headers.push((HeaderName::from_static(header.name()), value));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
