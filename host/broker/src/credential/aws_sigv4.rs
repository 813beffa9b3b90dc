//! `aws-sigv4`: the signature of each request for AWS, made of an access key over the final bytes.
//!
//! Sources: "AWS Identity and Access Management User Guide, AWS Signature Version 4 for API requests"; "AWS SDKs and Tools
//! Reference Guide, Static credentials" and "Shared config and credentials files".

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use forge_core::setting::origin;
use secrecy::SecretString;

use super::{Credential, CredentialKind, Errand, Injection, Material, Parameters, SharedEndpoint, UsualSources};
use crate::Error;
use crate::client::Answer;
use crate::request::Parsed;

mod caller;
mod chain;
mod endpoint;
mod keys;
mod metadata;
mod partition;
mod profile;
mod refusal;
mod session;
mod shared;
mod sign;
mod sso;
mod sts;

use chain::Chain;
use endpoint::Endpoint;
use keys::{Keys, Reading};
use metadata::Metadata;
use refusal::Refusal;
use sign::{Scope, Unsigned};
use sts::Sts;

/// What a key of an environment is made of: it counts as a whole, or not at all.
const PARTS: [&str; 4] = ["access-key-id", "secret-access-key", "session-token", "profile"];

/// The ways to a key that are no key and no profile.
const METHODS: [&str; 3] = ["container", "instance", "web-identity"];

/// Where a container's endpoint stands, and what it asks for ("AWS SDKs and Tools Reference Guide, Container credential
/// provider").
const CONTAINER_URIS: [&str; 2] =
    ["env:AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "env:AWS_CONTAINER_CREDENTIALS_FULL_URI"];
const CONTAINER_TOKENS: [&str; 2] = [
    "env:AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "file:/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token",
];

/// What goes with a role that a person types.
const OF_ROLE: [&str; 3] = ["external-id", "mfa-serial", "session-name"];

/// aws-config, the chain of AWS' own SDK, is not used: it reads the environment and files by itself, starts what a profile
/// says, knows no code of a device, and has no say in where STS is; what is left of it are five small requests.
pub(crate) static KIND: CredentialKind = CredentialKind {
    sources: &[
        "access-key-id",
        "secret-access-key",
        "session-token",
        "credentials-file",
        "config-file",
        "web-identity-token",
        "container-uri",
        "container-token",
    ],
    settings: &[
        "profile",
        "method",
        "role",
        "external-id",
        "mfa-serial",
        "session-name",
        "region",
        "service",
        "login-endpoint",
        "metadata-endpoint",
        "credential-process",
    ],
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
            is_optional: true,
            ..UsualSources::required(
                "credentials-file",
                &["file:$AWS_SHARED_CREDENTIALS_FILE", "file:~/.aws/credentials"],
            )
        },
        UsualSources {
            with: Some("profile"),
            is_optional: true,
            ..UsualSources::required("config-file", &["file:$AWS_CONFIG_FILE", "file:~/.aws/config"])
        },
        // "Amazon EKS User Guide, IAM roles for service accounts".
        UsualSources {
            method: Some("web-identity"),
            ..UsualSources::required(
                "web-identity-token",
                &["file:/var/run/secrets/eks.amazonaws.com/serviceaccount/token"],
            )
        },
        UsualSources { method: Some("container"), ..UsualSources::required("container-uri", &CONTAINER_URIS) },
        UsualSources {
            method: Some("container"),
            is_optional: true,
            ..UsualSources::required("container-token", &CONTAINER_TOKENS)
        },
    ],
    is_own_origin: |origin| Endpoint::of_origin(origin).is_some(),
    has_own_names: true,
    // Every action on every account's secrets is a `POST /` there ("Smithy, AWS JSON 1.1 protocol").
    shares_endpoints: Some(SharedEndpoint { action: "x-amz-target", targets: &endpoint::TARGETS }),
    derives: partition::DERIVES,
    endpoints: &["login-endpoint", "metadata-endpoint"],
    logs_in_at: |parameters| {
        let own = match parameters.get("method").map(String::as_str) {
            _ if parameters.contains_key("metadata-endpoint") => None,
            Some("instance") => Some(metadata::INSTANCE),
            Some("container") => Some(metadata::CONTAINER),
            _ => None,
        };
        own.map(str::to_owned).into_iter().collect()
    },
    asks_at: |parameters, audience| sts::place(parameters, audience).map(|(origin, _)| origin),
    forbidden: endpoint::forbidden,
    forbidden_route: endpoint::forbidden_route,
    ..CredentialKind::usual(
        "aws-sigv4",
        // The signature, its time and the session's token; `x-amz-target` names the action and is the route's to pin.
        |_, name| name == "authorization" || (name.starts_with("x-amz") && name != "x-amz-target"),
        check,
        open,
    )
};

fn check(parameters: &Parameters) -> Result<(), Error> {
    let has = |name: &str| parameters.contains_key(name);
    let any = |names: &[&str]| names.iter().copied().any(has);
    let key = ["access-key-id", "secret-access-key", "session-token"];
    let method = parameters.get("method").map(String::as_str);
    if usize::from(any(&key)) + usize::from(has("profile")) + usize::from(method.is_some()) > 1 {
        return Err(KIND.error("is a `method`, a `profile` or an `access-key-id` with its secret: one of them"));
    }
    // What goes with another way would be typed in vain, and a person would believe that it counts.
    for (names, belongs) in [
        (&["credentials-file", "config-file", "credential-process"][..], has("profile")),
        (&["web-identity-token"], method == Some("web-identity")),
        (&["container-uri", "container-token"], method == Some("container")),
        (&OF_ROLE, has("role")),
    ] {
        if let Some(name) = names.iter().find(|name| has(name) && !belongs) {
            return Err(KIND.error(format!("has a `{name}` without what it belongs to")));
        }
    }
    match (method, parameters.get("profile")) {
        (Some("instance"), _) => {}
        (Some("container"), _) => drop(KIND.source(parameters, "container-uri")?),
        (Some("web-identity"), _) if !has("role") => return Err(KIND.error("needs the `role` that the token is for")),
        (Some("web-identity"), _) if has("mfa-serial") => {
            return Err(KIND.error("takes no code of a device for somebody else's token"));
        }
        (Some("web-identity"), _) => drop(KIND.source(parameters, "web-identity-token")?),
        (Some(_), _) => return Err(KIND.error(format!("has the methods `{}`", METHODS.join("`, `")))),
        (None, Some(name)) => {
            profile::check_name(name)?;
            if !any(&["credentials-file", "config-file"]) {
                return Err(KIND.error("needs `credentials-file` or `config-file`, where its `profile` stands"));
            }
        }
        (None, None) => {
            KIND.source(parameters, "access-key-id")?;
            KIND.source(parameters, "secret-access-key")?;
        }
    }
    chain::check_typed(parameters)?;
    if parameters.get("credential-process").is_some_and(|text| text != "allow") {
        return Err(KIND.error("starts the program that a profile names with `credential-process=allow`, else none"));
    }
    if let Some(region) = parameters.get("region") {
        endpoint::check_region(region)?;
    }
    if let Some(service) = parameters.get("service") {
        endpoint::check_service(service)?;
    }
    let is_origin = |name: &&&str| parameters.get(**name).is_none_or(|text| origin(text).is_ok_and(|one| one == *text));
    match KIND.endpoints.iter().find(|name| !is_origin(name)) {
        Some(name) => {
            Err(KIND.error(format!("needs as `{name}` an origin in lower case, such as `https://sts.example.com`")))
        }
        None => Ok(()),
    }
}

fn open(material: Material) -> Result<Arc<dyn Credential>, Error> {
    check(&material.parameters)?;
    let Material { parameters, audience, sources, transport, tokens, logins } = material;
    // Said now rather than at the first request: what can't be signed for.
    for origin in &audience {
        scope(&parameters, origin)?;
    }
    let sts = Sts::of(&parameters, &audience, &transport);
    let metadata = Metadata { transport, typed: parameters.get("metadata-endpoint").cloned() };
    // A machine and a container give another key for nothing, and perhaps another one to whatever runs here next.
    let tokens =
        tokens.filter(|_| !matches!(parameters.get("method").map(String::as_str), Some("instance" | "container")));
    let chain = Chain::new(&parameters, sources, metadata, sts.clone())?;
    Ok(Arc::new(Sigv4 { keys: Keys::new(chain, tokens, logins), parameters, sts }))
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
    /// `None` where nobody knows a place to ask.
    sts: Option<Sts>,
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
    async fn inject(&self, request: &Parsed, errand: &Errand<'_>) -> Result<Injection, Error> {
        let (reading, is_fresh) = self.keys.read(errand).await?;
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
        errand: &Errand<'_>,
    ) -> Result<Option<Injection>, Error> {
        if used.is_fresh {
            return Ok(None);
        }
        let newer = self.keys.newer_than(used.edition, errand).await?;
        newer.map(|reading| self.injection(request, &reading, true)).transpose()
    }

    async fn doubt(&self, _: &Injection, origin: &str, answer: &Answer, _: &Errand<'_>) -> Option<Error> {
        let refusal = Refusal::of(answer)?;
        Some(refusal.error(origin, self.keys.place(), super::question::ahead(&answer.headers)))
    }

    async fn identity(&self, errand: &Errand<'_>) -> Result<Option<String>, Error> {
        let (reading, _) = self.keys.read(errand).await?;
        match &self.sts {
            Some(sts) => caller::ask(sts, &reading, &self.keys.place(), errand).await.map(Some),
            None => Ok(None),
        }
    }

    async fn attend(&self, errand: &Errand<'_>) -> Result<(), Error> {
        self.keys.read(errand).await.map(drop)
    }

    fn take_code(&self, code: SecretString) {
        self.keys.take_code(code);
    }
}

#[cfg(test)]
mod tests;
