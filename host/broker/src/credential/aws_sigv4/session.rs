//! A key that somebody gave for a while, as each of those who give one writes it.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

use super::refusal::element;

/// A temporary key and when it ends.
pub(super) struct Session {
    pub(super) access_key_id: SecretString,
    pub(super) secret_access_key: SecretString,
    pub(super) session_token: Option<SecretString>,
    /// `None` where it does not say.
    pub(super) expires: Option<Timestamp>,
}

/// "Amazon EC2 User Guide, Retrieve security credentials from instance metadata"; "Amazon ECS Developer Guide, Task IAM
/// role"; "AWS SDKs and Tools Reference Guide, Process credential provider", which calls the token otherwise.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    access_key_id: String,
    secret_access_key: String,
    #[serde(alias = "SessionToken")]
    token: Option<String>,
    expiration: Option<String>,
    /// Only of a process.
    version: Option<u64>,
    /// Only of a machine at EC2: `Success`, or why there is no key.
    code: Option<String>,
}

/// "IAM Identity Center Portal API Reference, GetRoleCredentials".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Portal {
    role_credentials: PortalKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortalKey {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    /// In milliseconds since 1970.
    expiration: i64,
}

impl Session {
    /// What a metadata server, a container's endpoint or a process answered; `None` for anything else.
    pub(super) fn of_json(body: &[u8], is_process: bool) -> Option<Self> {
        let written: Written = serde_json::from_slice(body).ok()?;
        if is_process && written.version != Some(1) || written.code.is_some_and(|code| code != "Success") {
            return None;
        }
        // What says no end is a key that does not end; what says one that can't be read is no answer.
        let expires = written.expiration.map(|text| text.parse()).transpose().ok()?;
        Some(Self {
            access_key_id: written.access_key_id.into(),
            secret_access_key: written.secret_access_key.into(),
            session_token: written.token.filter(|token| !token.is_empty()).map(SecretString::from),
            expires,
        })
    }

    /// What the portal of IAM Identity Center answered.
    pub(super) fn of_portal(body: &[u8]) -> Option<Self> {
        let Portal { role_credentials: key } = serde_json::from_slice(body).ok()?;
        Some(Self {
            access_key_id: key.access_key_id.into(),
            secret_access_key: key.secret_access_key.into(),
            session_token: Some(key.session_token.into()),
            expires: Some(Timestamp::from_millisecond(key.expiration).ok()?),
        })
    }

    /// What STS answered ("AWS STS API Reference, Credentials").
    pub(super) fn of_sts(body: &[u8]) -> Option<Self> {
        let xml = std::str::from_utf8(body).ok()?;
        let text = |name: &str| element(xml, name).map(SecretString::from);
        Some(Self {
            access_key_id: text("AccessKeyId")?,
            secret_access_key: text("SecretAccessKey")?,
            session_token: Some(text("SessionToken")?),
            expires: Some(element(xml, "Expiration")?.parse().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn told(session: Option<Session>) -> Option<(String, String, Option<String>, Option<String>)> {
        let session = session?;
        let text = |secret: &SecretString| secret.expose_secret().to_owned();
        Some((
            text(&session.access_key_id),
            text(&session.secret_access_key),
            session.session_token.as_ref().map(text),
            session.expires.map(|time| time.to_string()),
        ))
    }

    fn expected(
        token: Option<&str>,
        expires: Option<&str>,
    ) -> Option<(String, String, Option<String>, Option<String>)> {
        Some(("ASIA".to_owned(), "s".to_owned(), token.map(str::to_owned), expires.map(str::to_owned)))
    }

    #[test]
    fn each_giver_of_a_key_is_read_in_its_own_words() {
        let at = Some("2030-01-02T03:04:05Z");
        let machine = br#"{"Code":"Success","AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t","Expiration":"2030-01-02T03:04:05Z","Type":"AWS-HMAC"}"#;
        assert_eq!(told(Session::of_json(machine, false)), expected(Some("t"), at));
        let process = br#"{"Version":1,"AccessKeyId":"ASIA","SecretAccessKey":"s","SessionToken":"t","Expiration":"2030-01-02T05:04:05+02:00"}"#;
        assert_eq!(told(Session::of_json(process, true)), expected(Some("t"), at));
        let lasting = br#"{"Version":1,"AccessKeyId":"ASIA","SecretAccessKey":"s"}"#;
        assert_eq!(told(Session::of_json(lasting, true)), expected(None, None));
        let portal = br#"{"roleCredentials":{"accessKeyId":"ASIA","secretAccessKey":"s","sessionToken":"t","expiration":1893553445000}}"#;
        assert_eq!(told(Session::of_portal(portal)), expected(Some("t"), at));
        let sts = b"<R><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2030-01-02T03:04:05Z</Expiration></Credentials></R>";
        assert_eq!(told(Session::of_sts(sts)), expected(Some("t"), at));
    }

    #[test]
    fn what_is_no_key_is_none() {
        for body in [
            &br#"{"Code":"Failed","AccessKeyId":"ASIA","SecretAccessKey":"s"}"#[..],
            br#"{"AccessKeyId":"ASIA","SecretAccessKey":"s","Expiration":"soon"}"#,
            br#"{"AccessKeyId":"ASIA"}"#,
            b"<html>",
        ] {
            assert!(Session::of_json(body, false).is_none());
        }
        let unversioned = br#"{"AccessKeyId":"ASIA","SecretAccessKey":"s"}"#;
        assert!(Session::of_json(unversioned, false).is_some() && Session::of_json(unversioned, true).is_none());
        assert!(Session::of_sts(b"<AccessKeyId>ASIA</AccessKeyId>").is_none());
    }
}
