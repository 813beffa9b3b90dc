//! `azure-ad`: a token of Entra ID (formerly Azure AD) for the vaults of Azure's clouds.
//!
//! The logins are those of Azure's own library, `azure_identity`, over the broker's transport. Sources: "Microsoft identity
//! platform, OAuth 2.0 client credentials flow", "Managed identities for Azure resources", "Workload identity federation" and
//! "Azure Key Vault, Authentication, requests and responses".

use std::sync::Arc;

use async_trait::async_trait;
use forge_core::setting::origin;
use secrecy::SecretString;

use super::issued::{self, Bearer};
use super::{Credential, CredentialKind, Errand, Material, Parameters, UsualSources};
use crate::client::Answer;
use crate::{Error, Source};

mod assertion;
mod challenge;
mod cloud;
mod command;
mod identity;
mod login;
mod paths;
mod refusal;
mod wire;

use cloud::Cloud;
use login::{Login, METADATA};

/// What the texts of errors call the request for a token.
const WHAT: &str = "login";

const NO_TENANT: &str = "holds no tenant, which is an id or a domain";
const NO_CLIENT: &str = "holds no application's id, which has 36 hexadecimal digits and dashes";

/// The usual place of the token that Kubernetes gives a pod ("Azure AD Workload Identity, mutating webhook").
const FEDERATED: &str = "file:/var/run/secrets/azure/tokens/azure-identity-token";

/// "Azure Identity, environment variables": where the clients of each language look.
const TENANT: UsualSources =
    UsualSources { is_optional: true, ..UsualSources::required("tenant", &["env:AZURE_TENANT_ID"]) };
const CLIENT: UsualSources = UsualSources::required("client-id", &["env:AZURE_CLIENT_ID"]);
const SECRET: UsualSources = UsualSources::required("client-secret", &["env:AZURE_CLIENT_SECRET"]);

pub(crate) static KIND: CredentialKind = CredentialKind {
    sources: &["client-secret", "client-certificate", "federated-token-file"],
    settings: &["method", "login-endpoint", "resource"],
    either: &["tenant", "client-id"],
    usual_sources: &[
        TENANT,
        CLIENT,
        UsualSources { unless: &["client-certificate"], ..SECRET },
        UsualSources { method: Some("secret"), ..TENANT },
        UsualSources { method: Some("secret"), ..CLIENT },
        UsualSources { method: Some("secret"), ..SECRET },
        UsualSources { method: Some("certificate"), ..TENANT },
        UsualSources { method: Some("certificate"), ..CLIENT },
        UsualSources {
            method: Some("certificate"),
            ..UsualSources::required("client-certificate", &["file:$AZURE_CLIENT_CERTIFICATE_PATH"])
        },
        UsualSources { method: Some("workload-identity"), ..TENANT },
        UsualSources { method: Some("workload-identity"), ..CLIENT },
        UsualSources {
            method: Some("workload-identity"),
            ..UsualSources::required("federated-token-file", &["file:$AZURE_FEDERATED_TOKEN_FILE", FEDERATED])
        },
    ],
    // A vault's name is in the name of its host, so no endpoint is shared.
    is_own_origin: |origin| Cloud::of_origin(origin).is_some(),
    has_own_names: true,
    endpoints: &["login-endpoint"],
    asks_at,
    forbidden: paths::forbidden,
    forbidden_route: paths::forbidden_route,
    ..CredentialKind::usual("azure-ad", |_, name| name == "authorization" || name.starts_with("x-ms-"), check, open)
};

/// The way in which it logs in.
fn method(parameters: &Parameters) -> &str {
    let usual = if parameters.contains_key("client-certificate") { "certificate" } else { "secret" };
    parameters.get("method").map_or(usual, String::as_str)
}

/// Whether a text can be an application's id.
fn is_client(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn check(parameters: &Parameters) -> Result<(), Error> {
    let method = method(parameters);
    let (needs, takes): (&[&str], &[&str]) = match method {
        "secret" => (&["client-id", "client-secret"], &["tenant", "login-endpoint"]),
        "certificate" => (&["client-id", "client-certificate"], &["tenant", "login-endpoint"]),
        "workload-identity" => (&["client-id", "federated-token-file"], &["tenant", "login-endpoint"]),
        "managed-identity" => (&[], &["client-id", "login-endpoint"]),
        "cli" => (&[], &["tenant"]),
        _ => {
            return Err(KIND
                .error("has the methods `secret`, `certificate`, `managed-identity`, `workload-identity` and `cli`"));
        }
    };
    check_name(parameters, "tenant", challenge::is_tenant, "an id or a domain")?;
    check_name(parameters, "client-id", is_client, "an application's id of 36 hexadecimal digits and dashes")?;
    if let Some(text) = parameters.get("login-endpoint") {
        let is_own = origin(text).is_ok_and(|one| one == *text);
        // The library sends an application's secret over TLS alone.
        if !is_own || !(text.starts_with("https://") || method == "managed-identity") {
            return Err(
                KIND.error("needs as `login-endpoint` an origin in lower case, such as `https://login.example.com`")
            );
        }
    }
    if parameters.get("resource").is_some_and(|resource| Cloud::of_resource(resource).is_none()) {
        return Err(KIND.error(
            "is for the `resource` of a cloud's vaults: `https://vault.azure.net`, `https://vault.azure.cn` or `https://vault.usgovcloudapi.net`",
        ));
    }
    let is_known = |name: &str| needs.contains(&name) || takes.contains(&name) || matches!(name, "method" | "resource");
    if let Some(name) = parameters.keys().find(|name| !is_known(name)) {
        return Err(KIND.error(format!("has no `{name}` where it logs in by `method={method}`")));
    }
    if let Some(name) = needs.iter().find(|name| !parameters.contains_key(**name)) {
        return Err(KIND.error(format!("needs `{name}` where it logs in by `method={method}`")));
    }
    Ok(())
}

fn check_name(parameters: &Parameters, name: &str, is_one: fn(&str) -> bool, what: &str) -> Result<(), Error> {
    match parameters.get(name) {
        Some(source) if source.contains(':') => source.parse::<Source>().map(|_| ()),
        Some(text) if !is_one(text) => Err(KIND.error(format!("needs as `{name}` {what}, or its source"))),
        _ => Ok(()),
    }
}

/// The cloud whose tokens go to these origins.
///
/// At a vault's own name it follows from that, so that neither a setting nor a plugin chooses what a token is for; elsewhere
/// a person typed it with the credential.
fn cloud(parameters: &Parameters, audience: &[String]) -> Result<&'static Cloud, Error> {
    let typed = parameters.get("resource").and_then(|resource| Cloud::of_resource(resource));
    let mut found = None;
    for origin in audience {
        let missing = || {
            KIND.error(format!(
                "needs `resource=…`, such as `https://vault.azure.net`, which the name of `{origin}` does not tell"
            ))
        };
        let own = Cloud::of_origin(origin).or(typed).ok_or_else(missing)?;
        if typed.is_some_and(|typed| typed != own) || found.is_some_and(|found: &Cloud| found != own) {
            return Err(KIND.error(format!("is for another cloud than that of `{origin}`")));
        }
        found = Some(own);
    }
    found.ok_or_else(|| KIND.error("has no origin that it may be sent to"))
}

/// Where it logs in, where nobody typed that: the cloud's own place, or this machine's.
fn asks_at(parameters: &Parameters, audience: &[String]) -> Option<String> {
    if let Some(typed) = parameters.get("login-endpoint") {
        return Some(typed.clone());
    }
    match method(parameters) {
        "cli" => None,
        "managed-identity" => Some(METADATA.to_owned()),
        _ => cloud(parameters, audience).ok().map(|cloud| cloud.login.to_owned()),
    }
}

fn open(material: Material) -> Result<Arc<dyn Credential>, Error> {
    check(&material.parameters)?;
    let Material { parameters, audience, sources, transport, tokens, logins } = material;
    let cloud = cloud(&parameters, &audience)?;
    let vault = audience.first().cloned().unwrap_or_default();
    // `az login` and a machine's new identity change whom a token speaks for, and nothing here would tell that a kept one is
    // another's; both keep their tokens themselves.
    let tokens = tokens.filter(|_| !matches!(method(&parameters), "cli" | "managed-identity"));
    let login = Login::new(&parameters, &sources, transport, vault, cloud)?;
    Ok(issued::credential(KIND.name, login, tokens, logins))
}

#[async_trait]
impl Bearer for Login {
    async fn identity(&self, token: &SecretString, _: &Errand<'_>) -> Result<Option<String>, Error> {
        Ok(identity::of(token))
    }

    /// Whoever is told to come later was not heard, so even a write may go out again ("Azure Key Vault throttling guidance").
    fn is_throttled(&self, answer: &Answer) -> bool {
        answer.status == 429
    }

    async fn doubt(&self, origin: &str, answer: &Answer, usual: Option<Error>) -> Option<Error> {
        if answer.status != 401 {
            return None;
        }
        match challenge::tenant(&answer.headers, self.expected()) {
            Err(challenge::Fault::None) => usual,
            Err(fault) => Some(self.challenge_error(fault)),
            Ok(tenant) => match self.known_tenant().await {
                Some(known) if !known.eq_ignore_ascii_case(&tenant) && !known.contains('.') => Some(Error::Challenge {
                    kind: KIND.name,
                    origin: origin.to_owned(),
                    rule: format!("it belongs to the tenant `{tenant}`, and this login to `{known}`"),
                }),
                _ => usual,
            },
        }
    }
}

#[cfg(test)]
mod tests;
