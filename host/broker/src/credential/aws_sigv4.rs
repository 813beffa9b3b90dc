//! `aws-sigv4`: the signature of each request for AWS, made of an access key over the final bytes.
//!
//! Sources: "AWS Identity and Access Management User Guide, AWS Signature Version 4 for API requests"; "AWS SDKs and Tools
//! Reference Guide, Static credentials" and "Shared config and credentials files".

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use forge_core::setting::origin;
use http::HeaderMap;

use super::{Credential, CredentialKind, Errand, Injection, Material, Parameters, SharedEndpoint, UsualSources};
use crate::Error;
use crate::client::Answer;
use crate::request::Parsed;

mod caller;
mod endpoint;
mod keys;
mod partition;
mod profile;
mod refusal;
mod sign;

use caller::Caller;
use endpoint::Endpoint;
use keys::{Keys, Reading};
use refusal::Refusal;
use sign::{Scope, Unsigned};

/// What a key of an environment is made of: it counts as a whole, or not at all.
const PARTS: [&str; 4] = ["access-key-id", "secret-access-key", "session-token", "profile"];

pub(crate) static KIND: CredentialKind = CredentialKind {
    name: "aws-sigv4",
    sources: &["access-key-id", "secret-access-key", "session-token", "credentials-file"],
    settings: &["profile", "region", "service", "login-endpoint"],
    either: &[],
    // "AWS SDKs and Tools Reference Guide, Static credentials" and "Location of the shared files".
    usual_sources: &[
        UsualSources { unless: &PARTS, ..UsualSources::required("access-key-id", &["env:AWS_ACCESS_KEY_ID"]) },
        UsualSources { unless: &PARTS, ..UsualSources::required("secret-access-key", &["env:AWS_SECRET_ACCESS_KEY"]) },
        UsualSources {
            unless: &PARTS,
            is_optional: true,
            ..UsualSources::required("session-token", &["env:AWS_SESSION_TOKEN"])
        },
        UsualSources {
            with: Some("profile"),
            ..UsualSources::required("credentials-file", &["file:~/.aws/credentials"])
        },
    ],
    has_audience: true,
    is_own_origin: |origin| Endpoint::of_origin(origin).is_some(),
    colon_is_action: false,
    // Every action on every account's secrets is a `POST /` there ("Smithy, AWS JSON 1.1 protocol").
    shares_endpoints: Some(SharedEndpoint { action: "x-amz-target", targets: &endpoint::TARGETS }),
    derives: partition::DERIVES,
    endpoints: &["login-endpoint"],
    logs_in_at: |_| Vec::new(),
    asks_at: |parameters, audience| caller::place(parameters, audience).map(|(origin, _)| origin),
    needs_certificate: |_| false,
    needs_tokens_kept: |_| false,
    check,
    // The signature, its time and the session's token; `x-amz-target` names the action and is the route's to pin.
    is_own_header: |_, name| name == "authorization" || (name.starts_with("x-amz") && name != "x-amz-target"),
    forbidden: endpoint::forbidden,
    forbidden_route: endpoint::forbidden_route,
    open,
};

fn check(parameters: &Parameters) -> Result<(), Error> {
    let has = |name: &str| parameters.contains_key(name);
    if let Some(name) = parameters.get("profile") {
        if ["access-key-id", "secret-access-key", "session-token"].into_iter().any(has) {
            return Err(KIND.error("is a `profile` or an `access-key-id` with its secret, not both"));
        }
        profile::check_name(name)?;
        KIND.source(parameters, "credentials-file")?;
    } else {
        KIND.source(parameters, "access-key-id")?;
        KIND.source(parameters, "secret-access-key")?;
        if has("credentials-file") {
            return Err(KIND.error("needs a `profile` to look for in its `credentials-file`"));
        }
    }
    if let Some(region) = parameters.get("region") {
        endpoint::check_region(region)?;
    }
    if let Some(service) = parameters.get("service") {
        endpoint::check_service(service)?;
    }
    if !parameters.get("login-endpoint").is_none_or(|text| origin(text).is_ok_and(|one| one == *text)) {
        return Err(KIND.error("needs as `login-endpoint` an origin in lower case, such as `https://sts.example.com`"));
    }
    Ok(())
}

fn open(material: Material) -> Result<Arc<dyn Credential>, Error> {
    check(&material.parameters)?;
    let Material { parameters, audience, sources, transport, .. } = material;
    // Said now rather than at the first request: what can't be signed for.
    for origin in &audience {
        scope(&parameters, origin)?;
    }
    let caller = Caller::of(&parameters, &audience, transport);
    Ok(Arc::new(Sigv4 { keys: Keys::new(&parameters, sources)?, parameters, caller }))
}

/// For which region and service a request to this origin is signed.
///
/// At AWS' own names both follow from the name, so that neither a setting nor a plugin chooses them; elsewhere a person
/// typed them with the credential.
fn scope(parameters: &Parameters, origin: &str) -> Result<Scope, Error> {
    let typed = |name: &str| parameters.get(name).map(String::as_str);
    if let Some(endpoint) = Endpoint::of_origin(origin) {
        let agrees = |name: &str, own: &str| typed(name).is_none_or(|text| text == own);
        if !agrees("region", &endpoint.region) || !agrees("service", &endpoint.service) {
            return Err(KIND.error(format!("is for another region or service than `{origin}`")));
        }
        return Ok(Scope { region: endpoint.region, service: endpoint.service });
    }
    let missing = |name: &str| KIND.error(format!("needs `{name}=…`, which the name of `{origin}` does not tell"));
    Ok(Scope {
        region: typed("region").ok_or_else(|| missing("region"))?.to_owned(),
        service: typed("service").ok_or_else(|| missing("service"))?.to_owned(),
    })
}

/// An access key, and for which requests it signs.
struct Sigv4 {
    keys: Keys,
    parameters: Parameters,
    caller: Option<Caller>,
}

impl Sigv4 {
    fn injection(&self, request: &Parsed, reading: &Reading, is_fresh: bool) -> Result<Injection, Error> {
        let scope = scope(&self.parameters, &request.origin)?;
        let unsigned = Unsigned {
            method: request.method.as_str(),
            url: request.url.as_str(),
            headers: &request.headers,
            body: &request.body,
        };
        Ok(Injection {
            headers: sign::headers(reading, &scope, &unsigned, SystemTime::now())?,
            secrets: reading.forms.clone(),
            edition: reading.edition,
            is_fresh,
        })
    }
}

#[async_trait]
impl Credential for Sigv4 {
    async fn inject(&self, request: &Parsed, _: &Errand<'_>) -> Result<Injection, Error> {
        let (reading, is_fresh) = self.keys.read().await?;
        self.injection(request, &reading, is_fresh)
    }

    /// AWS' JSON services answer 400 as well to a key or a signature that they don't accept.
    fn is_refusal(&self, answer: &Answer) -> bool {
        Refusal::of(answer).is_some()
    }

    /// And 400 to one that came too often.
    fn is_throttled(&self, answer: &Answer) -> bool {
        refusal::is_throttled(answer)
    }

    async fn renew(
        &self,
        request: &Parsed,
        used: &Injection,
        _: u16,
        _: &Errand<'_>,
    ) -> Result<Option<Injection>, Error> {
        if used.is_fresh {
            return Ok(None);
        }
        let newer = self.keys.newer_than(used.edition).await?;
        newer.map(|reading| self.injection(request, &reading, true)).transpose()
    }

    async fn doubt(&self, _: &Injection, origin: &str, answer: &Answer, _: &Errand<'_>) -> Option<Error> {
        let refusal = Refusal::of(answer)?;
        Some(refusal.error(origin, self.keys.place(), ahead(&answer.headers)))
    }

    async fn identity(&self, errand: &Errand<'_>) -> Result<Option<String>, Error> {
        let (reading, _) = self.keys.read().await?;
        match &self.caller {
            Some(caller) => caller.ask(&reading, &self.keys.place(), errand).await.map(Some),
            None => Ok(None),
        }
    }
}

/// By how many seconds this machine's clock is ahead of the server's (RFC 9110, section 6.6.1).
fn ahead(headers: &HeaderMap) -> Option<i64> {
    let date = headers.get(http::header::DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    Some(jiff::Timestamp::now().as_second().saturating_sub(theirs.as_second()))
}

#[cfg(test)]
mod tests;
