//! The files that Google's tools write for whoever logs in, told apart by their `type` (AIP-4110).

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{IMPERSONATION, is_project};

/// The longest text of a field that is no key, in bytes.
const LONGEST: usize = 2048;

/// Token endpoints that Google's own files name; the second one stands in old files, and both mean the first.
const OWN: [&str; 2] = ["https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token"];

/// How long a token in an account's name may live, in seconds, and how long it does where a file does not say
/// (AIP-4117, `token_lifetime_seconds`; "IAM Service Account Credentials API, generateAccessToken", `lifetime`).
const LIFETIMES: std::ops::RangeInclusive<u32> = 600..=43_200;
const LIFETIME: u32 = 3600;

/// Why a file is none, or none that is understood; no text of the file but the name of a field.
pub(super) type Rule = String;

/// Whoever a file lets log in.
pub(super) enum File {
    /// A service account by its key.
    ServiceAccount { email: String, key_id: String, key: SecretString, project: Option<String> },
    /// A person by a refresh token (AIP-4113).
    User { client_id: String, client_secret: SecretString, refresh_token: SecretString },
    /// A workload elsewhere by the token of another issuer (AIP-4117).
    External(External),
}

/// A workload of another issuer.
pub(super) struct External {
    /// The provider of the pool: `//iam.googleapis.com/projects/…/workloadIdentityPools/…/providers/…`.
    pub(super) audience: String,
    pub(super) subject_token_type: String,
    pub(super) subject: Subject,
    /// The account in whose name it acts.
    pub(super) account: Option<String>,
    /// How long a token in that account's name is asked for, in seconds.
    pub(super) lifetime: u32,
}

/// Where the other issuer's token is.
pub(super) struct Subject {
    pub(super) place: Place,
    /// The field of the JSON that holds it; the token stands there alone without one.
    pub(super) field: Option<String>,
}

/// A file by its path, or a URL with headers.
pub(super) enum Place {
    File(String),
    Url { url: String, headers: Vec<(String, SecretString)> },
}

/// Whose quota the requests of this file's user count for.
pub(super) struct Read {
    pub(super) file: File,
    pub(super) quota_project: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    r#type: Option<String>,
    client_email: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<String>,
    project_id: Option<String>,
    token_uri: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    refresh_token: Option<String>,
    quota_project_id: Option<String>,
    universe_domain: Option<String>,
    audience: Option<String>,
    subject_token_type: Option<String>,
    token_url: Option<String>,
    service_account_impersonation_url: Option<String>,
    service_account_impersonation: RawImpersonation,
    workforce_pool_user_project: Option<serde::de::IgnoredAny>,
    credential_source: Option<RawSource>,
    installed: Option<serde::de::IgnoredAny>,
    web: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawImpersonation {
    token_lifetime_seconds: Option<serde_json::Number>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawSource {
    file: Option<String>,
    url: Option<String>,
    headers: std::collections::BTreeMap<String, String>,
    format: RawFormat,
    executable: Option<serde::de::IgnoredAny>,
    environment_id: Option<String>,
    certificate: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawFormat {
    r#type: Option<String>,
    subject_token_field_name: Option<String>,
}

impl Read {
    /// Reads a file. `is_typed` is whether a person typed the login's endpoint, which then counts in place of the file's.
    ///
    /// # Errors
    /// What the file is, or what it has or lacks.
    pub(super) fn parse(text: &SecretString, is_typed: bool) -> Result<Self, Rule> {
        let text = text.expose_secret();
        let raw: Raw = serde_json::from_str(text).map_err(|_| match text.trim_start().starts_with("-----BEGIN") {
            true => "is a key in PEM and not the JSON file that it came in".to_owned(),
            false => "is no JSON file of Google's".to_owned(),
        })?;
        if raw.universe_domain.as_deref().is_some_and(|domain| domain != "googleapis.com") {
            return Err("is of another universe than `googleapis.com`, which this credential does not know".to_owned());
        }
        let is_own = |uri: &Option<String>| uri.as_deref().is_none_or(|uri| OWN.contains(&uri));
        if !is_typed && !is_own(&raw.token_uri) {
            return Err(
                "names another `token_uri` than Google's, which only counts as a typed `login-endpoint=ORIGIN`"
                    .to_owned(),
            );
        }
        let quota_project = raw.quota_project_id.clone().filter(|project| is_project(project));
        let kind = raw.r#type.clone();
        let file = match kind.as_deref() {
            Some("service_account") => service_account(raw)?,
            Some("authorized_user") => File::User {
                client_id: field(raw.client_id, "client_id")?,
                client_secret: SecretString::from(field(raw.client_secret, "client_secret")?),
                refresh_token: SecretString::from(field(raw.refresh_token, "refresh_token")?),
            },
            Some("external_account") => File::External(external(raw, is_typed)?),
            Some("external_account_authorized_user") => return Err(other("the login of a person of a workforce pool")),
            Some("impersonated_service_account") => return Err(other("an impersonation that `gcloud` recorded")),
            Some("gdch_service_account") => return Err(other("an account of Google Distributed Cloud")),
            Some(_) => return Err("has a `type` that this credential does not know".to_owned()),
            None if raw.installed.is_some() || raw.web.is_some() => return Err(other("the id of an OAuth client")),
            None => return Err("has no `type`, so it is no credentials file of Google's".to_owned()),
        };
        Ok(Self { file, quota_project })
    }
}

fn other(what: &str) -> Rule {
    format!(
        "is {what}, and not a service account's key, application default credentials or workload identity federation"
    )
}

fn service_account(raw: Raw) -> Result<File, Rule> {
    let key = SecretString::from(raw.private_key.ok_or_else(|| missing("private_key"))?);
    super::assertion::pair(&key)?;
    let email = field(raw.client_email, "client_email")?;
    if !is_account(&email) {
        return Err("has a `client_email` that is no account's".to_owned());
    }
    let project = raw.project_id.filter(|project| is_project(project));
    Ok(File::ServiceAccount { email, key_id: field(raw.private_key_id, "private_key_id")?, key, project })
}

fn external(raw: Raw, is_typed: bool) -> Result<External, Rule> {
    const URL: &str = "https://sts.googleapis.com/v1/token";
    // "//iam.googleapis.com/locations/LOCATION/workforcePools/POOL/providers/PROVIDER": people, whose exchange has other fields.
    if raw.workforce_pool_user_project.is_some()
        || raw.audience.as_deref().is_some_and(|audience| audience.contains("/workforcePools/"))
    {
        return Err(other("the login of a person of a workforce pool"));
    }
    if !is_typed && raw.token_url.as_deref() != Some(URL) {
        return Err(
            "names another `token_url` than Google's, which only counts as a typed `login-endpoint=ORIGIN`".to_owned()
        );
    }
    let account =
        match raw.service_account_impersonation_url {
            None => None,
            Some(url) => Some(impersonated(&url).ok_or(
                "names another `service_account_impersonation_url` than Google's own for one account".to_owned(),
            )?),
        };
    let lifetime = match raw.service_account_impersonation.token_lifetime_seconds {
        None => LIFETIME,
        Some(seconds) => seconds
            .as_u64()
            .and_then(|seconds| u32::try_from(seconds).ok())
            .filter(|seconds| LIFETIMES.contains(seconds))
            .ok_or_else(|| "has a `token_lifetime_seconds` that is not from 600 to 43200".to_owned())?,
    };
    let source = raw.credential_source.ok_or_else(|| missing("credential_source"))?;
    if source.executable.is_some() || source.environment_id.is_some() || source.certificate.is_some() {
        return Err("gets its token from a program, AWS or a certificate: only one from a file or a URL is understood"
            .to_owned());
    }
    let field_name = source.format.subject_token_field_name;
    let field_of_token = match source.format.r#type.as_deref() {
        None | Some("text") => None,
        Some("json") => Some(field(field_name, "subject_token_field_name")?),
        Some(_) => return Err("has a `format` of another type than `text` or `json`".to_owned()),
    };
    let place = match (source.file, source.url) {
        (Some(path), None) if path.starts_with('/') => Place::File(field(Some(path), "file")?),
        (Some(_), None) => {
            return Err("names the `file` of its token by a path that does not begin with `/`".to_owned());
        }
        (None, Some(url)) if is_of_metadata(&url) => {
            return Err("gets its token from the metadata server of an Azure VM, which no login of Google's asks here: let something there write it to a `file`".to_owned());
        }
        (None, Some(url)) => {
            let headers = source.headers.into_iter().map(|(name, value)| (name, SecretString::from(value)));
            Place::Url { url: field(Some(url), "url")?, headers: headers.collect() }
        }
        _ => return Err("has a `credential_source` without a `file` or a `url`".to_owned()),
    };
    Ok(External {
        audience: field(raw.audience, "audience")?,
        subject_token_type: field(raw.subject_token_type, "subject_token_type")?,
        subject: Subject { place, field: field_of_token },
        account,
        lifetime,
    })
}

/// Whether a URL leads to a machine's own metadata server, whose address is link-local ("Azure Instance Metadata Service").
fn is_of_metadata(url: &str) -> bool {
    match url::Url::parse(url).ok().as_ref().and_then(url::Url::host) {
        Some(url::Host::Ipv4(address)) => address.is_link_local(),
        _ => false,
    }
}

/// The account of an impersonation's URL, which is Google's own ("IAM Service Account Credentials API, generateAccessToken").
fn impersonated(url: &str) -> Option<String> {
    let rest = url.strip_prefix(IMPERSONATION)?.strip_prefix("/v1/projects/-/serviceAccounts/")?;
    let account = rest.strip_suffix(":generateAccessToken")?;
    is_account(account).then(|| account.to_owned())
}

/// Whether a text can be an account's e-mail address: it stands in paths and is shown.
fn is_account(text: &str) -> bool {
    text.len() <= 254
        && text.contains('@')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@.-_".contains(&byte))
}

fn missing(name: &str) -> Rule {
    format!("has no `{name}`")
}

fn field(text: Option<String>, name: &str) -> Result<String, Rule> {
    let text = text.filter(|text| !text.is_empty()).ok_or_else(|| missing(name))?;
    if text.len() > LONGEST || !text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        return Err(format!("has a `{name}` that is none"));
    }
    Ok(text)
}
