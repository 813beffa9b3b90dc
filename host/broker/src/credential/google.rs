//! `google`: a token of Google Cloud, from a service account's key, application default credentials or the metadata server.
//!
//! Sources: "Google Cloud docs, How Application Default Credentials works"; AIP-4110 to AIP-4117 (google.aip.dev/auth).
//! Google's own library for this dials by itself with an HTTP client of its own, past the broker's transport, its address
//! checks and its records, and takes endpoints from a file; so what it does is done here over the broker's own questions.

use std::sync::Arc;

use forge_core::setting::origin;
use http::HeaderName;

use super::{Credential, CredentialKind, Material, Parameters, UsualSources, issued};
use crate::Error;

mod assertion;
mod exchange;
mod file;
mod issuer;
mod location;
mod metadata;
mod paths;
mod refusal;

use issuer::{Issuer, Way};

/// Whose quota a request counts for ("Google Cloud docs, Set the quota project").
const QUOTA_PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");

/// Where Google gives tokens for keys and refresh tokens, for tokens of others, and in an account's name.
const TOKENS: &str = "https://oauth2.googleapis.com";
const EXCHANGE: &str = "https://sts.googleapis.com";
const IMPERSONATION: &str = "https://iamcredentials.googleapis.com";

pub(crate) static KIND: CredentialKind = CredentialKind {
    sources: &["credentials", "service-account"],
    settings: &["method", "login-endpoint", "metadata-endpoint", "subject-endpoint", "quota-project"],
    // AIP-4110: the variable names a file; then where `gcloud auth application-default login` leaves one.
    usual_sources: &[UsualSources {
        unless: &["service-account"],
        ..UsualSources::required(
            "credentials",
            &["file:$GOOGLE_APPLICATION_CREDENTIALS", "file:~/.config/gcloud/application_default_credentials.json"],
        )
    }],
    is_own_origin: paths::is_own_origin,
    has_own_names: true,
    colon_is_action: true,
    derives: location::DERIVES,
    endpoints: &["login-endpoint", "metadata-endpoint", "subject-endpoint"],
    logs_in_at,
    forbidden: paths::forbidden,
    forbidden_route: paths::forbidden_route,
    ..CredentialKind::usual("google", |_, name| name == "authorization" || name.starts_with("x-goog-"), check, open)
};

fn check(parameters: &Parameters) -> Result<(), Error> {
    let has = |name: &str| parameters.contains_key(name);
    let is_metadata = match parameters.get("method").map(String::as_str) {
        None => false,
        Some("metadata") => true,
        Some(_) => return Err(KIND.error("knows the method `metadata`; leave `method` out for a file")),
    };
    let given = ["credentials", "service-account"].into_iter().filter(|name| has(name)).count();
    match (is_metadata, given) {
        (true, 0) => {}
        (true, _) => return Err(KIND.error("asks the metadata server or logs in with a file, not both")),
        (false, 1) => {}
        (false, 0) => {
            return Err(
                KIND.error("needs `credentials` or `service-account`, a source of a file, or `method=metadata`")
            );
        }
        (false, _) => return Err(KIND.error("logs in with `credentials` or with a `service-account`, not both")),
    }
    for name in ["credentials", "service-account"].into_iter().filter(|name| has(name)) {
        KIND.source(parameters, name)?;
    }
    if is_metadata && (has("login-endpoint") || has("subject-endpoint")) {
        return Err(KIND.error("has no other endpoint than `metadata-endpoint` with `method=metadata`"));
    }
    if !is_metadata && has("metadata-endpoint") {
        return Err(KIND.error("has a `metadata-endpoint` with `method=metadata` alone"));
    }
    for name in KIND.endpoints {
        if !parameters.get(*name).is_none_or(|text| origin(text).is_ok_and(|one| one == *text)) {
            return Err(
                KIND.error(format!("needs as `{name}` an origin in lower case, such as `https://login.example.com`"))
            );
        }
    }
    if !parameters.get("quota-project").is_none_or(|text| is_project(text)) {
        return Err(KIND.error("needs as `quota-project` a project's id"));
    }
    Ok(())
}

/// Whether a text is a project's id or number ("Resource Manager docs, Creating and managing projects"), old ones with a domain.
fn is_project(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:".contains(&byte))
}

/// Which of Google's own endpoints a login asks stands in the file, which is read when it is needed: so all are shown.
fn logs_in_at(parameters: &Parameters) -> Vec<String> {
    let has = |name: &str| parameters.contains_key(name);
    if has("login-endpoint") || has("metadata-endpoint") {
        return Vec::new();
    }
    if has("method") {
        return vec![metadata::ORIGIN.to_owned()];
    }
    let own: &[&str] = if has("service-account") { &[TOKENS] } else { &[TOKENS, EXCHANGE, IMPERSONATION] };
    own.iter().map(|origin| (*origin).to_owned()).collect()
}

fn open(material: Material) -> Result<Arc<dyn Credential>, Error> {
    check(&material.parameters)?;
    let Material { parameters, sources, transport, tokens, logins, .. } = material;
    let typed = |name: &str| parameters.get(name).cloned();
    let way = match (parameters.contains_key("method"), typed("service-account")) {
        (true, _) => Way::Metadata { typed: typed("metadata-endpoint") },
        (false, Some(source)) => Way::File { source: source.parse()?, is_key: true },
        (false, None) => Way::File { source: KIND.source(&parameters, "credentials")?, is_key: false },
    };
    let issuer = Issuer::new(way, sources, transport, &parameters);
    Ok(issued::credential(KIND.name, issuer, tokens, logins))
}

#[cfg(test)]
mod tests;
