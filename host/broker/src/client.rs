//! The wire: one HTTP client per granted origin, built when it is first needed, and answers that are capped while they arrive.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use forge_core::grant::{Grant, NetworkClass};
use forge_core::rate::Rate;
use http::{HeaderMap, Method, header};
use reqwest::dns::Resolve;
use tokio::time::Instant;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::address::Reach;
use crate::budget::{Budget, Spent};
use crate::cause::Cause;
use crate::certificate::CertificateFault;
use crate::dns::{self, Outside, Pinned};
use crate::rate::Bucket;
use crate::tls::{self, Tls};
use crate::{Error, Sources};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an unused connection is kept; longer ones are often closed by the server just as they are used again.
const IDLE: Duration = Duration::from_secs(15);
/// The most headers of an answer, and their longest size together in bytes.
const HEADERS: (usize, usize) = (100, 64 * 1024);

/// What goes out, ready to be written.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
    pub(crate) origin: &'a str,
    pub(crate) headers: HeaderMap,
    pub(crate) body: &'a [u8],
}

/// How long and how big an answer may be.
pub(crate) struct Limits<'a> {
    pub(crate) deadline: Instant,
    /// The longest body in bytes.
    pub(crate) body_max: u64,
    /// The call whose bytes these are; a login has none.
    pub(crate) budget: Option<&'a Budget>,
}

/// What came back: not yet searched, not yet for the guest.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Why nothing whole came back. The texts are the host's libraries' own: no URL, no bytes of an answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The name or the address lies outside the origin's network class.
    Outside(NetworkClass),
    /// No connection.
    Unreachable(Cause),
    /// The server's certificate is not trusted, or the grant's certificates can't be used.
    Untrusted(Cause),
    /// The connection or the answer broke off, or was no HTTP.
    Broken(Cause),
    /// The client certificate, or its key, can't be used.
    Certificate(CertificateFault),
    /// The key of the client certificate can't be had.
    Source(Box<Error>),
    /// The answer is one that the broker does not read.
    Unreadable(&'static str),
    /// The body is longer than the route allows.
    TooLarge,
    /// The call's time is over.
    Timeout,
    /// The call's budget is spent.
    Spent(Spent),
}

/// The clients of one grant.
pub(crate) struct Transport {
    networks: BTreeMap<String, NetworkClass>,
    dns: Option<Arc<dyn Resolve>>,
    tls: Tls,
    /// The origins at which the credential's kind logs in by itself, where they are no server of the provider's.
    logins: Vec<String>,
    bucket: Option<Bucket>,
    /// By origin, and whether it is a metadata server's.
    clients: Mutex<HashMap<(String, bool), reqwest::Client>>,
}

impl Transport {
    pub(crate) fn new(grant: &Grant, dns: Option<Arc<dyn Resolve>>, sources: Arc<dyn Sources>) -> Self {
        let (networks, tls) = (grant.networks.clone(), Tls::new(grant, sources));
        Self { networks, dns, tls, logins: Vec::new(), bucket: None, clients: Mutex::default() }
    }

    /// The same, with the kind's own places of logins: whoever holds a provider's CA does not speak for a cloud, and no
    /// cloud is shown a provider's client certificate.
    pub(crate) fn logging_in_at(self, origins: Vec<String>) -> Self {
        let is_login = |origin: &String| !self.networks.contains_key(origin);
        Self { logins: origins.into_iter().filter(is_login).collect(), ..self }
    }

    /// The same, which sends no more often than this.
    pub(crate) fn at(self, rate: Option<Rate>) -> Self {
        Self { bucket: rate.map(Bucket::new), ..self }
    }

    /// Sends one request once and reads its answer.
    pub(crate) async fn exchange(&self, outgoing: Outgoing<'_>, limits: &Limits<'_>) -> Result<Answer, Failure> {
        // A machine's own metadata server is no backend, and its tokens are not counted.
        if let Some(bucket) = &self.bucket {
            bucket.take(limits.deadline).await.map_err(Failure::Spent)?;
        }
        let class = self.networks.get(outgoing.origin).copied().unwrap_or(NetworkClass::Public);
        self.exchange_within(outgoing, limits, Reach::Network(class)).await
    }

    /// The same with the fixed origin of a cloud's metadata server, at the addresses that no plugin's request ever goes to.
    pub(crate) async fn exchange_with_metadata_server(
        &self,
        outgoing: Outgoing<'_>,
        limits: &Limits<'_>,
    ) -> Result<Answer, Failure> {
        self.exchange_within(outgoing, limits, Reach::Metadata).await
    }

    async fn exchange_within(
        &self,
        outgoing: Outgoing<'_>,
        limits: &Limits<'_>,
        reach: Reach,
    ) -> Result<Answer, Failure> {
        let client = tokio::time::timeout_at(limits.deadline, self.client(outgoing.origin, reach));
        let client = client.await.map_err(|_| Failure::Timeout)??;
        let mut request = reqwest::Request::new(outgoing.method.clone(), outgoing.url.clone());
        *request.headers_mut() = outgoing.headers;
        if !outgoing.body.is_empty() {
            *request.body_mut() = Some(outgoing.body.to_vec().into());
        }
        let exchange = async {
            let response = client.execute(request).await.map_err(failure)?;
            receive(response, limits).await
        };
        // One clock over connecting, waiting and reading: a server that drips bytes gains no time by it.
        tokio::time::timeout_at(limits.deadline, exchange).await.map_err(|_| Failure::Timeout)?
    }

    async fn client(&self, origin: &str, reach: Reach) -> Result<reqwest::Client, Failure> {
        let place = (origin.to_owned(), reach == Reach::Metadata);
        let known = self.clients.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        if let Some(client) = known {
            return Ok(client);
        }
        // The connector never asks a resolver about an address, so an origin that is one is checked here.
        let literal = match dns::host(origin).map_err(|error| Failure::Untrusted(Cause::Other(error.to_string())))? {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        if literal.is_some_and(|address| !reach.permits(address)) {
            return Err(match reach {
                Reach::Network(class) => Failure::Outside(class),
                Reach::Metadata => Failure::Unreachable(Cause::Other(dns::NoMetadata.to_string())),
            });
        }
        let is_https = origin.starts_with("https://");
        let tls = match is_https {
            false => tls::without_roots(),
            true if self.logins.iter().any(|login| login == origin) => Tls::trusting_the_platform(),
            true => self.tls.trusting().await,
        };
        let tls = tls.map_err(|error| match error {
            Error::ClientCertificate(fault) => Failure::Certificate(fault),
            Error::Tls(_) => Failure::Untrusted(Cause::Other(error.to_string())),
            other => Failure::Source(Box::new(other)),
        })?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(is_https)
            .http1_only()
            .http1_max_headers(HEADERS.0)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // A proxy in the environment would resolve names by itself, past the address check.
            .no_proxy()
            // Another crate's features may switch these on; a bomb must not unfold, nor an echo hide.
            .no_gzip()
            .no_deflate()
            .no_brotli()
            .no_zstd()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("forge/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Pinned { inner: dns::or_system(self.dns.as_ref()), reach }))
            .build()
            .map_err(|error| Failure::Untrusted(Cause::Other(innermost(&error))))?;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(clients.entry(place).or_insert(client).clone())
    }
}

/// Step 7 of the ladder: reads an answer, counting while it arrives.
async fn receive(mut response: reqwest::Response, limits: &Limits<'_>) -> Result<Answer, Failure> {
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    check_headers(&headers)?;
    let announced = response.content_length();
    if announced.is_some_and(|length| length > limits.body_max) {
        return Err(Failure::TooLarge);
    }
    let capacity = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let mut body = Zeroizing::new(Vec::with_capacity(capacity));
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if let Some(budget) = limits.budget {
            budget.receive(chunk.len() as u64).map_err(Failure::Spent)?;
        }
        if (body.len() + chunk.len()) as u64 > limits.body_max {
            return Err(Failure::TooLarge);
        }
        append(&mut body, &chunk);
    }
    Ok(Answer { status, headers, body })
}

/// Appends, and wipes the old buffer where a bigger one is needed: growing in place would leave a copy behind.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let needed = body.len() + chunk.len();
    if needed > body.capacity() {
        let mut bigger = Zeroizing::new(Vec::with_capacity(needed.max(body.capacity() * 2)));
        bigger.extend_from_slice(body);
        *body = bigger;
    }
    body.extend_from_slice(chunk);
}

fn check_headers(headers: &HeaderMap) -> Result<(), Failure> {
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > HEADERS.0 || size > HEADERS.1 {
        return Err(Failure::Unreadable("answered with more headers than 100 or 64 KiB"));
    }
    // No encoding was offered. An encoded answer could carry the credential past the search to a guest that decodes it.
    let is_other_than = |name: header::HeaderName, usual: &str| {
        headers.get_all(name).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(usual.as_bytes()))
    };
    if is_other_than(header::CONTENT_ENCODING, "identity") || is_other_than(header::TRANSFER_ENCODING, "chunked") {
        return Err(Failure::Unreadable("answered with an encoding that was not offered"));
    }
    Ok(())
}

/// What a failure of the HTTP client means.
fn failure(error: reqwest::Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut known = None;
    while let Some(found) = cause {
        if let Some(Outside(class)) = found.downcast_ref() {
            return Failure::Outside(*class);
        }
        known = known.or_else(|| Cause::of(found));
        // An I/O error names as its source not what it wraps, but the source of that.
        let wrapped = found.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = wrapped.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| found.source());
    }
    let (is_connect, is_timeout) = (error.is_connect(), error.is_timeout());
    match known {
        Some(known) if known.is_distrust() => Failure::Untrusted(known),
        // The only clock of the client's own is that of connecting.
        None if is_timeout => Failure::Unreachable(Cause::ConnectTimeout),
        Some(known) if is_connect || !known.may_pass() => Failure::Unreachable(known),
        Some(known) => Failure::Broken(known),
        None if is_connect => Failure::Unreachable(Cause::Other(innermost(&error))),
        None => Failure::Broken(Cause::Other(innermost(&error))),
    }
}

/// The words of the first cause, which name neither URL nor content.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    forge_core::manifest::printable(&cause.to_string())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const PUBLIC: Reach = Reach::Network(NetworkClass::Public);

    struct Nothing;

    #[async_trait::async_trait]
    impl Sources for Nothing {
        async fn read(&self, source: &crate::Source) -> Result<secrecy::SecretString, Error> {
            Err(Error::SourceAbsent { place: source.to_string() })
        }
    }

    fn transport(origins: &[&str]) -> Transport {
        Transport::new(&crate::request::tests::grant(origins), None, Arc::new(Nothing))
    }

    #[tokio::test]
    async fn only_https_pays_for_reading_roots() {
        let transport = transport(&["http://vault.example", "https://vault.example"]);
        transport.client("http://vault.example", PUBLIC).await.unwrap();
        assert!(!transport.tls.is_made());
        transport.client("https://vault.example", PUBLIC).await.unwrap();
        assert!(transport.tls.is_made());
    }

    #[tokio::test]
    async fn a_providers_ca_and_certificate_count_at_its_own_servers_and_not_where_its_kind_logs_in() {
        let mut grant = crate::request::tests::grant(&["https://vault.example", "https://typed.example"]);
        grant.tls_ca = Some("no certificate".to_owned());
        grant.networks = ["https://vault.example", "https://typed.example"]
            .map(|origin| (origin.to_owned(), NetworkClass::Public))
            .into();
        let logins = ["https://login.example", "https://vault.example"].map(str::to_owned).to_vec();
        let transport = Transport::new(&grant, None, Arc::new(Nothing)).logging_in_at(logins);
        transport.client("https://login.example", PUBLIC).await.unwrap();
        // What a person typed, or granted, is a server of the provider's, whatever else it is.
        for origin in ["https://vault.example", "https://typed.example", "https://other.example"] {
            assert!(matches!(transport.client(origin, PUBLIC).await, Err(Failure::Untrusted(_))), "{origin}");
        }
    }

    #[tokio::test]
    async fn a_client_is_made_once_per_origin() {
        let transport = transport(&["http://a.example", "http://b.example"]);
        for origin in ["http://a.example", "http://b.example", "http://a.example"] {
            transport.client(origin, PUBLIC).await.unwrap();
        }
        assert_eq!(transport.clients.lock().unwrap().len(), 2);
    }

    #[test]
    fn a_body_grows_without_losing_a_byte() {
        let mut body = Zeroizing::new(Vec::new());
        let chunks: Vec<Vec<u8>> = (0..50_u8).map(|n| vec![n; usize::from(n) * 7]).collect();
        chunks.iter().for_each(|chunk| append(&mut body, chunk));
        assert_eq!(*body, chunks.concat());
    }
}
