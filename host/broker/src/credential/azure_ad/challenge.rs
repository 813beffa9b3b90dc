//! The challenge of a vault: whom it wants to have given the token, and what for ("Azure Key Vault, Authentication, requests
//! and responses").
//!
//! The adversary is a server that wants a token for something else, or a client's secret sent to a place of its own: a
//! challenge never chooses where a credential goes or what it is for. It tells the tenant, once both are what they have to be.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use url::Url;

use super::cloud::Cloud;

/// The longest challenge that is read, in bytes; the usual one has about 150.
const LONGEST: usize = 4096;

/// What a challenge has to agree with.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) cloud: &'static Cloud,
    /// Where a person said that it logs in.
    pub(super) login: Option<&'a str>,
}

/// Why a challenge is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is none, or it can't be read.
    None,
    /// It asks for a token for something else than the vaults of this cloud.
    Resource,
    /// It asks for a token of somebody else.
    Authority,
}

impl Fault {
    /// The words for people.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::None => "it names neither a tenant nor a resource",
            Self::Resource => "it wants a token for something else than this cloud's vaults, which would be theft",
            Self::Authority => "it names a place to log in that is not this cloud's own",
        }
    }
}

/// The tenant that a challenge names.
pub(super) fn tenant(headers: &HeaderMap, expected: Expected<'_>) -> Result<String, Fault> {
    let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let bearer = texts.filter(|text| text.len() <= LONGEST).find_map(|text| {
        let (scheme, rest) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(rest)
    });
    let bearer = bearer.ok_or(Fault::None)?;
    let resource = parameter(bearer, "resource").or_else(|| parameter(bearer, "scope")).ok_or(Fault::None)?;
    let resource = resource.strip_suffix("/.default").unwrap_or(resource);
    if resource.strip_suffix('/').unwrap_or(resource) != expected.cloud.resource {
        return Err(Fault::Resource);
    }
    let authority = parameter(bearer, "authorization").or_else(|| parameter(bearer, "authorization_uri"));
    let authority = Url::parse(authority.ok_or(Fault::None)?).map_err(|_| Fault::Authority)?;
    let origin = authority.origin().ascii_serialization();
    let is_own = expected.cloud.is_login(&origin) || expected.login == Some(origin.as_str());
    if !is_own || !authority.username().is_empty() || authority.password().is_some() {
        return Err(Fault::Authority);
    }
    let tenant = authority.path_segments().and_then(|mut segments| segments.next()).unwrap_or_default();
    is_tenant(tenant).then(|| tenant.to_owned()).ok_or(Fault::None)
}

/// Whether a text can name a tenant: by its id, or by one of its domains.
pub(super) fn is_tenant(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (1..=253).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('.')
}

/// A parameter of a challenge (RFC 9110, section 11.2), quoted or not; these have no commas and no escapes in them.
fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut found = text.split(',').filter_map(|part| part.trim().split_once('=')).filter(|(known, _)| *known == name);
    let (_, value) = found.next()?;
    // One that stands there twice means two things.
    found.next().is_none().then(|| value.trim_matches('"'))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn read(challenge: &str, login: Option<&str>) -> Result<String, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
        tenant(&headers, Expected { cloud: Cloud::of_resource("https://vault.azure.net").unwrap(), login })
    }

    #[test]
    fn a_challenge_of_the_vaults_own_cloud_tells_the_tenant() {
        for challenge in [
            r#"Bearer authorization="https://login.microsoftonline.com/7a1c-b", resource="https://vault.azure.net""#,
            r#"Bearer authorization="https://login.windows.net/7a1c-b", resource="https://vault.azure.net/", error="x""#,
            r#"bearer scope="https://vault.azure.net/.default",authorization_uri=https://login.microsoftonline.com/7a1c-b"#,
        ] {
            assert_eq!(read(challenge, None).unwrap(), "7a1c-b", "{challenge}");
        }
        let own = r#"Bearer authorization="https://127.0.0.1:9/7a1c-b", resource="https://vault.azure.net""#;
        assert_eq!(read(own, None), Err(Fault::Authority));
        assert_eq!(read(own, Some("https://127.0.0.1:9")).unwrap(), "7a1c-b");
    }

    #[test]
    fn a_challenge_for_another_resource_is_theft_and_one_of_another_login_is_refused() {
        let with = |authority: &str, resource: &str| {
            read(&format!(r#"Bearer authorization="{authority}", resource="{resource}""#), None)
        };
        let (good, vaults) = ("https://login.microsoftonline.com/t", "https://vault.azure.net");
        for resource in [
            "https://management.azure.com",
            "https://graph.microsoft.com",
            "https://vault.azure.cn",
            "https://vault.azure.net.evil.example",
            "https://evil.vault.azure.net",
            "http://vault.azure.net",
            "",
        ] {
            assert_eq!(with(good, resource), Err(Fault::Resource), "{resource}");
        }
        for authority in [
            "https://login.evil.example/t",
            "http://login.microsoftonline.com/t",
            "https://login.microsoftonline.com.evil.example/t",
            "https://login.microsoftonline.com@evil.example/t",
            "https://u:p@login.microsoftonline.com/t",
            "https://login.microsoftonline.com:8443/t",
            "https://login.microsoftonline.us/t",
            "t",
        ] {
            assert_eq!(with(authority, vaults), Err(Fault::Authority), "{authority}");
        }
        for tenant in ["", "%2e%2e", "..", "a b"] {
            let authority = format!("https://login.microsoftonline.com/{tenant}");
            assert!(with(&authority, vaults).is_err(), "{tenant}");
        }
    }

    #[test]
    fn what_is_no_challenge_or_says_two_things_is_none() {
        for challenge in [
            "Basic realm=x",
            "Bearer",
            "Bearer ",
            r#"Bearer resource="https://vault.azure.net""#,
            r#"Bearer authorization="https://login.microsoftonline.com/t""#,
            r#"Bearer resource="https://vault.azure.net", resource="https://graph.microsoft.com", authorization="https://login.microsoftonline.com/t""#,
        ] {
            assert_eq!(read(challenge, None), Err(Fault::None), "{challenge}");
        }
    }
}
