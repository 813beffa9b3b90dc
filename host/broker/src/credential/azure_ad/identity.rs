//! Whom a token speaks for, as its claims say ("Access token claims reference").
//!
//! Nobody checks their signature here: the token came over TLS from the place that gives it, and they are only shown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

#[derive(Deserialize)]
struct Claims {
    tid: String,
    oid: String,
    /// The application, in tokens of version 1.0 and of version 2.0.
    appid: Option<String>,
    azp: Option<String>,
}

/// The words for people: `OBJECT (tenant: TENANT, application: APPLICATION)`; `None` for a token that can't be read.
pub(super) fn of(token: &SecretString) -> Option<String> {
    let mut parts = token.expose_secret().split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let Claims { tid, oid, appid, azp } = claims;
    // They are shown and kept, and each is a GUID.
    let is_id = |text: &str| text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let application = appid.or(azp).filter(|id| is_id(id));
    if !is_id(&tid) || !is_id(&oid) {
        return None;
    }
    Some(match application {
        Some(application) => format!("{oid} (tenant: {tid}, application: {application})"),
        None => format!("{oid} (tenant: {tid})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(claims: &str) -> Option<String> {
        of(&SecretString::from(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))))
    }

    #[test]
    fn claims_that_are_ids_are_shown_and_nothing_else_is() {
        let (tenant, object) = ("11111111-2222-3333-4444-555555555555", "aaaaaaaa-0000-0000-0000-000000000002");
        let claims = format!(r#"{{"tid":"{tenant}","oid":"{object}","appid":"{tenant}","name":"x"}}"#);
        assert_eq!(told(&claims), Some(format!("{object} (tenant: {tenant}, application: {tenant})")));
        let claims = format!(r#"{{"tid":"{tenant}","oid":"{object}","appid":"\u001b[31m"}}"#);
        assert_eq!(told(&claims), Some(format!("{object} (tenant: {tenant})")));
        for claims in [format!(r#"{{"tid":"{tenant}","oid":"\u001b[31m"}}"#), "{}".to_owned(), "hunter2".to_owned()] {
            assert_eq!(told(&claims), None, "{claims}");
        }
        assert_eq!(of(&SecretString::from("opaque")), None);
    }
}
