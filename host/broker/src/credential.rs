//! Credentials: the seam that each kind fills, and the list of the kinds.
//!
//! A kind is one file below this one and one line in [`KINDS`]. It owns what no manifest, project or setting can widen:
//! its parameters, its headers, the routes it never opens, and what to do when a server refuses it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use forge_core::grant::CredentialGrant;
use forge_core::masking::Forms;
use forge_core::provider::RequestRecord;
use http::{HeaderName, HeaderValue};
use secrecy::SecretString;
use tokio::time::Instant;

use crate::client::{Answer, Transport};
use crate::request::Parsed;
use crate::tokens::GrantTokens;
use crate::{Error, Logins, Source, Sources};

mod aws_sigv4;
mod azure_ad;
mod basic;
mod bearer;
mod derived;
mod fetched;
mod google;
mod header;
mod held;
mod issued;
mod kept;
mod kind;
mod lifetime;
pub(crate) mod none;
mod oauth;
mod oauth2_client;
mod question;
mod value;
mod vault_token;

pub(crate) use derived::Derives;
pub use derived::derived;
pub(crate) use kind::{CredentialKind, SharedEndpoint, UsualSources};

/// Parameters of a credential by name, as a person gave them; sources are written as `env:NAME` and so on.
pub type Parameters = BTreeMap<String, String>;

/// The kinds there are.
static KINDS: [&CredentialKind; 9] = [
    &aws_sigv4::KIND,
    &azure_ad::KIND,
    &basic::KIND,
    &bearer::KIND,
    &google::KIND,
    &header::KIND,
    &none::KIND,
    &oauth2_client::KIND,
    &vault_token::KIND,
];

/// A parameter that a credential is still without, and where it usually is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// The parameter, such as `token`.
    pub parameter: &'static str,
    /// The sources that are tried, in this order; the caller fills in the home directory for `~` and the variable's
    /// value for `$NAME`.
    pub places: &'static [&'static str],
    /// Whether the credential is one without it.
    pub is_optional: bool,
}

/// What a credential is made of.
pub(crate) struct Material {
    pub(crate) parameters: Parameters,
    pub(crate) audience: Vec<String>,
    pub(crate) sources: Arc<dyn Sources>,
    pub(crate) transport: Arc<Transport>,
    /// Keeps the tokens of this grant's logins between processes, where the user lets it.
    pub(crate) tokens: Option<GrantTokens>,
    /// Lets a login end that was begun.
    pub(crate) logins: Logins,
}

/// On whose time a credential works, and who remembers what it sent.
pub(crate) struct Errand<'a> {
    pub(crate) deadline: Instant,
    pub(crate) records: Option<&'a Arc<Mutex<Vec<RequestRecord>>>>,
}

/// What is added to one request.
#[derive(Default)]
pub(crate) struct Injection {
    /// Marked as sensitive.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// What the answer is searched for.
    pub(crate) secrets: Vec<Arc<Forms>>,
    /// Which edition of the credential this is; each login or reading makes another.
    pub(crate) edition: u64,
    /// Whether it was fetched for this very request, so that fetching it again would change nothing.
    pub(crate) is_fresh: bool,
}

/// A credential in use.
#[async_trait]
pub(crate) trait Credential: Send + Sync {
    /// Step 5 of the ladder: what to add to this request.
    async fn inject(&self, request: &Parsed, errand: &Errand<'_>) -> Result<Injection, Error>;

    /// Whether an answer is one to a credential that the server does not accept, or may be: then it is renewed, or doubted.
    fn is_refusal(&self, answer: &Answer) -> bool {
        matches!(answer.status, 401 | 403)
    }

    /// Whether an answer says that its server is asked too often, where its backend has other words for that than 429.
    fn is_throttled(&self, _answer: &Answer) -> bool {
        false
    }

    /// After such an answer: another injection if the used one has expired and there is a newer one, else `None`.
    async fn renew(
        &self,
        request: &Parsed,
        used: &Injection,
        status: u16,
        errand: &Errand<'_>,
    ) -> Result<Option<Injection>, Error>;

    /// After such an answer of `origin` that renewing did not change: what is wrong with the credential itself, if its server says that
    /// it does not know it; `None` where only this request is denied, or where nobody can tell.
    async fn doubt(&self, _used: &Injection, _origin: &str, _answer: &Answer, _errand: &Errand<'_>) -> Option<Error> {
        None
    }

    /// Logs in where that needs a person, who is there now: else [`Error::CodeNeeded`] says what to ask for.
    async fn attend(&self, _errand: &Errand<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Takes the code that a person read off a device.
    fn take_code(&self, _code: SecretString) {}

    /// Whom it speaks for, asked of the server; `None` where its kind can't tell.
    async fn identity(&self, errand: &Errand<'_>) -> Result<Option<String>, Error>;
}

/// The names of the kinds of credential.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name)
}

/// The kind of this name.
pub(crate) fn kind(name: &str) -> Result<&'static CredentialKind, Error> {
    let known = KINDS.iter().copied().find(|kind| kind.name == name);
    known.ok_or_else(|| Error::UnknownKind(crate::denial::shown(name)))
}

/// The parameters that a credential is still without, and the sources that are tried for them when a person names none:
/// `token` at `["env:VAULT_TOKEN", "file:~/.vault-token"]`.
///
/// None where they are given, and for a kind or a method that has no usual sources.
pub fn usual_sources(kind: &str, parameters: &Parameters) -> Vec<Usual> {
    let Some(kind) = KINDS.iter().find(|known| known.name == kind) else { return Vec::new() };
    let method = parameters.get("method").map(String::as_str);
    let has = |name: &&str| parameters.contains_key(*name);
    let counts = |usual: &&UsualSources| {
        usual.method == method && !has(&usual.parameter) && usual.with.iter().all(has) && !usual.unless.iter().any(has)
    };
    let usual = |usual: &UsualSources| Usual {
        parameter: usual.parameter,
        places: usual.places,
        is_optional: usual.is_optional,
    };
    kind.usual_sources.iter().filter(counts).map(usual).collect()
}

/// The origins among these to which a credential of this kind may go although no person named them: those that are its
/// backend's own, or for a kind whose backend has no names of its own the only one there is.
///
/// `None` where a person has to say which.
pub fn usual_audience(kind: &str, origins: &[String]) -> Option<Vec<String>> {
    let kind = KINDS.iter().find(|known| known.name == kind)?;
    let own: Vec<String> = origins.iter().filter(|origin| (kind.is_own_origin)(origin)).cloned().collect();
    match origins {
        _ if kind.has_own_names => (own.len() == origins.len()).then_some(own),
        [one] => Some(vec![one.clone()]),
        _ => None,
    }
}

/// The origin beside its audience to which a credential goes, to ask whom it speaks for; a person has to be shown it.
pub fn identity_origin(credential: &CredentialGrant) -> Option<String> {
    let kind = KINDS.iter().find(|known| known.name == credential.kind)?;
    let origin = (kind.asks_at)(&credential.parameters, &credential.audience)?;
    (!credential.audience.contains(&origin)).then_some(origin)
}

/// The origins that a person typed for logins; each is one of the grant's, whose network is recorded.
pub fn typed_origins(credential: &CredentialGrant) -> Vec<String> {
    let kind = KINDS.iter().find(|known| known.name == credential.kind);
    let typed = kind.iter().flat_map(|kind| kind.endpoints).filter_map(|name| credential.parameters.get(*name));
    // A kind checks what was typed, so what is none here is never sent anywhere.
    typed.filter_map(|text| url::Url::parse(text).ok()).map(|url| url.origin().ascii_serialization()).collect()
}

/// The origins beside its audience at which a credential logs in; a person has to be shown them.
pub fn login_origins(credential: &CredentialGrant) -> Vec<String> {
    let kind = KINDS.iter().find(|known| known.name == credential.kind);
    let mut origins = typed_origins(credential);
    origins.extend(kind.iter().flat_map(|kind| (kind.logs_in_at)(&credential.parameters)));
    let mut shown: Vec<String> = Vec::new();
    for origin in origins {
        if !credential.audience.contains(&origin) && !shown.contains(&origin) {
            shown.push(origin);
        }
    }
    shown
}

/// All sources that are tried without being named, of every kind: places that hold credentials, whoever uses them.
pub fn every_usual_source() -> impl Iterator<Item = &'static str> {
    KINDS.iter().flat_map(|kind| kind.usual_sources).flat_map(|usual| usual.places).copied()
}

/// The same of one kind.
pub fn every_usual_source_of(kind: &str) -> impl Iterator<Item = &'static str> {
    let kind = KINDS.iter().find(|known| known.name == kind);
    kind.into_iter().flat_map(|kind| kind.usual_sources).flat_map(|usual| usual.places).copied()
}

/// Whether this value of a parameter is a source, for which a person may also write `prompt` and relative paths.
pub fn is_source_parameter(kind: &str, name: &str, value: &str) -> bool {
    KINDS.iter().any(|known| known.name == kind && known.is_source(name, value))
}

/// Reads `KIND[,NAME=VALUE]...`, as `--credential` takes it; a part that is a source alone is the kind's main one.
///
/// Sources are not checked yet: `prompt`, `file:~/…` and relative paths are the command line's to fill in, before
/// [`check_credential`].
///
/// # Errors
/// An unknown kind or parameter, or one given twice. Values are not repeated.
pub fn parse_credential(text: &str) -> Result<(String, Parameters), Error> {
    let mut parts = text.split(',');
    let kind = kind(parts.next().unwrap_or_default())?;
    let mut parameters = Parameters::new();
    for part in parts {
        let named = part.split_once('=').filter(|(name, _)| kind.parameters().any(|known| known == *name));
        let is_source = part == "prompt" || ["env:", "file:", "store:"].iter().any(|scheme| part.starts_with(scheme));
        let (name, value) = match (named, kind.sources.first()) {
            (Some((name, value)), _) => (name, value),
            (None, Some(main)) if is_source => (*main, part),
            _ => return Err(kind.error(format!("has the parameters {}", kind.parameter_names()))),
        };
        if parameters.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(kind.error(format!("has the parameter `{name}` only once")));
        }
    }
    Ok((kind.name.to_owned(), parameters))
}

/// Checks a credential's parameters: their names, that sources are sources, and the kind's own rules.
///
/// # Errors
/// The first parameter that is unknown, missing or malformed. Values are not repeated.
pub fn check_credential(kind: &str, parameters: &Parameters) -> Result<(), Error> {
    let kind = self::kind(kind)?;
    for (name, value) in parameters {
        if kind.is_source(name, value) {
            value.parse::<Source>()?;
        } else if !kind.parameters().any(|known| known == name) {
            return Err(kind.error(format!("has the parameters {}", kind.parameter_names())));
        }
    }
    (kind.check)(parameters)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        parse_credential(text).unwrap().1.into_iter().collect()
    }

    #[test]
    fn a_source_without_a_name_is_the_kinds_main_one() {
        for (text, name, value) in [
            ("vault-token,env:T", "token", "env:T"),
            ("vault-token,token=env:T", "token", "env:T"),
            ("vault-token,file:/run/a=b", "token", "file:/run/a=b"),
            ("header,store://local/key", "value", "store://local/key"),
            ("vault-token,prompt", "token", "prompt"),
        ] {
            assert_eq!(parsed(text), [(name.to_owned(), value.to_owned())], "{text}");
        }
    }

    #[test]
    fn a_secret_typed_where_a_source_belongs_is_not_repeated() {
        for text in ["vault-token,hvs.CAESIJ", "vault-token,tokn=hvs.CAESIJ", "none,hvs.CAESIJ"] {
            let error = parse_credential(text).unwrap_err().to_string();
            assert!(!error.contains("CAESIJ"), "{error}");
        }
        let parameters = Parameters::from([("token".to_owned(), "hvs.CAESIJ".to_owned())]);
        let error = check_credential("vault-token", &parameters).unwrap_err().to_string();
        assert!(!error.contains("CAESIJ"), "{error}");
    }

    #[test]
    fn an_unknown_kind_and_a_parameter_given_twice_are_refused() {
        assert!(matches!(parse_credential("vault"), Err(Error::UnknownKind(_))));
        assert!(matches!(parse_credential("vault-token,env:A,token=env:B"), Err(Error::Parameter { .. })));
    }

    #[test]
    fn a_credential_of_a_cloud_goes_to_no_single_origin_unasked_that_is_not_the_clouds_own() {
        let audience = |kind: &str, origin: &str| usual_audience(kind, &[origin.to_owned()]);
        for (kind, own) in [
            ("google", "https://secretmanager.googleapis.com"),
            ("azure-ad", "https://team.vault.azure.net"),
            ("aws-sigv4", "https://secretsmanager.eu-central-1.amazonaws.com"),
        ] {
            assert_eq!(audience(kind, "https://evil.example"), None, "{kind}");
            assert_eq!(audience(kind, own), Some(vec![own.to_owned()]), "{kind}");
        }
        // A backend without names of its own is where the person's one setting says.
        assert!(audience("vault-token", "https://vault.example").is_some());
        for kind in KINDS {
            let names_any = (kind.is_own_origin)("https://secretmanager.googleapis.com")
                || (kind.is_own_origin)("https://team.vault.azure.net")
                || kind.shares_endpoints.is_some();
            assert_eq!(kind.has_own_names, names_any, "{}", kind.name);
        }
    }

    #[test]
    fn the_usual_sources_are_sources() {
        for (kind, usual) in KINDS.iter().flat_map(|kind| kind.usual_sources.iter().map(move |usual| (kind, usual))) {
            for place in usual.places {
                assert!(is_source_parameter(kind.name, usual.parameter, place), "{}", usual.parameter);
            }
        }
        assert!(every_usual_source().count() >= 2);
        for source in every_usual_source() {
            // The command line fills in both: the home directory, and the file that a variable names.
            let source = source.replace('~', "/home/u").replace("file:$", "file:/");
            assert!(source.parse::<Source>().is_ok(), "{source}");
        }
    }
}
