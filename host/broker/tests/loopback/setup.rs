//! Grants, sources and resolvers for the tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use forge_broker::{Addrs, Egress, Error, Name, Options, Request, Resolve, Resolving, Retries, Source, Sources};
use forge_core::grant::{CredentialGrant, Grant, NetworkClass, PluginPin, SCHEMA_VERSION};
use forge_core::manifest::LimitsAsk;
use forge_core::route::{Ability, QueryClass, QueryRule, Route};
use secrecy::SecretString;

/// The credential of most tests.
pub(crate) const TOKEN: &str = "s.canary/Token+0123456789";

/// Sources by their text; a test may change one while the egress is open.
#[derive(Clone, Default)]
pub(crate) struct Known(pub(crate) Arc<Mutex<BTreeMap<String, String>>>);

impl Known {
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        let known = Self::default();
        pairs.iter().for_each(|(source, text)| known.put(source, text));
        known
    }

    pub(crate) fn put(&self, source: &str, text: &str) {
        self.0.lock().unwrap().insert(source.to_owned(), text.to_owned());
    }
}

#[async_trait]
impl Sources for Known {
    async fn read(&self, source: &Source) -> Result<SecretString, Error> {
        let found = self.0.lock().unwrap().get(&source.to_string()).cloned();
        found.map(SecretString::from).ok_or_else(|| Error::SourceAbsent { place: source.to_string() })
    }
}

pub(crate) fn route(origin: &str, methods: &[&str], path: &str) -> Route {
    Route {
        ability: Ability::Read,
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        origin: origin.to_owned(),
        path: path.parse().unwrap(),
        query: [("version".to_owned(), QueryRule::Class(QueryClass::Integer))].into(),
        headers: BTreeMap::new(),
        body: None,
        response_max: 1 << 20,
        idempotent: methods.iter().all(|method| *method == "GET"),
        permission: None,
    }
}

/// A grant for `origin` on this machine: reads of `/v1/secret/**` that may be repeated, writes that may not.
pub(crate) fn grant(origin: &str) -> Grant {
    Grant {
        schema_version: SCHEMA_VERSION,
        provider: "test".to_owned(),
        plugin: PluginPin::Builtin("test".to_owned()),
        settings: BTreeMap::new(),
        routes: vec![route(origin, &["GET"], "/v1/secret/**"), route(origin, &["POST"], "/v1/secret/**")],
        directories: Vec::new(),
        environment: Vec::new(),
        credential: None,
        networks: [(origin.to_owned(), NetworkClass::Loopback)].into(),
        tls_ca: None,
        tls_certificate: None,
        no_token_cache: false,
        read_only: false,
        limits: LimitsAsk { wall_ms: Some(10_000), ..LimitsAsk::default() },
        derived: forge_core::grant::Derived::default(),
        project: None,
    }
}

/// The same with a credential.
pub(crate) fn with_credential(origin: &str, kind: &str, parameters: &[(&str, &str)]) -> Grant {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let audience = vec![origin.to_owned()];
    Grant {
        credential: Some(CredentialGrant { kind: kind.to_owned(), parameters, audience, identity: None }),
        ..grant(origin)
    }
}

/// The same with a Vault token in `env:T`.
pub(crate) fn with_token(origin: &str) -> Grant {
    with_credential(origin, "vault-token", &[("token", "env:T")])
}

/// Options with quick retries and the token in `env:T`.
pub(crate) fn options() -> Options {
    options_of(Known::of(&[("env:T", TOKEN)]))
}

pub(crate) fn options_of(known: Known) -> Options {
    let mut options = Options::new(Arc::new(known));
    options.retries = Retries {
        pauses: vec![Duration::from_millis(2), Duration::from_millis(4)],
        throttled: vec![Duration::from_millis(2); 3],
    };
    options
}

pub(crate) fn open(grant: &Grant) -> Arc<Egress> {
    Egress::open(grant, &options()).unwrap()
}

pub(crate) fn get(origin: &str, path: &str) -> Request {
    Request { method: "GET".to_owned(), url: format!("{origin}{path}"), ..Request::default() }
}

pub(crate) fn post(origin: &str, path: &str, body: &str) -> Request {
    Request { method: "POST".to_owned(), body: body.as_bytes().to_vec(), ..get(origin, path) }
}

/// A resolver that gives its answers one after the other, and the last one from then on.
pub(crate) struct Scripted(Mutex<Vec<Vec<&'static str>>>);

impl Scripted {
    pub(crate) fn new(answers: &[&[&'static str]]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(answers.iter().rev().map(|answer| answer.to_vec()).collect())))
    }
}

impl Resolve for Scripted {
    fn resolve(&self, _: Name) -> Resolving {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop() } else { answers.first().cloned() };
        let found: Vec<SocketAddr> =
            answer.into_iter().flatten().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect();
        Box::pin(async move { Ok(Box::new(found.into_iter()) as Addrs) })
    }
}
