//! A guest's request, parsed once: policy, signing and the wire use this one object and nothing else.

use std::sync::OnceLock;

use forge_core::grant::Grant;
use forge_core::route::Route;
use http::Method;
use percent_encoding::percent_decode_str;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::denial::Denial;

pub(crate) mod json;

use json::{Fault, Json};

/// The longest URL in bytes.
const LONGEST: usize = 8 * 1024;

/// A request as the guest gave it: hostile until it has been parsed.
#[derive(Clone, Default)]
pub struct Request {
    /// `GET` and so on, upper case.
    pub method: String,
    /// The URL in the one spelling that the URL parser prints.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A path can hold a name and a query a value; the method alone tells enough in a log.
        write!(f, "Request({:.7} redacted, {} bytes)", self.method, self.body.len())
    }
}

/// An answer as the guest gets it: capped, its headers picked, and free of the credential.
#[derive(Clone, Default)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body as it came: never decompressed.
    pub body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Response({}, {} bytes redacted)", self.status, self.body.len())
    }
}

/// A request that has one meaning.
pub(crate) struct Parsed {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) origin: String,
    /// The path's segments in their canonical encoding; `/` has none.
    pub(crate) segments: Vec<String>,
    /// Query names as they stand, and values decoded once.
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// The body as JSON, once a route has asked for it.
    pub(crate) json: OnceLock<Result<Json, Fault>>,
}

impl Parsed {
    /// The body as JSON, read once for all routes.
    pub(crate) fn json(&self) -> Result<&Json, &Fault> {
        self.json.get_or_init(|| Json::parse(&self.body)).as_ref()
    }

    /// Where the route holds the body to a rule, what is sent from here on is what was checked, in the host's own words.
    pub(crate) fn settle_body(&mut self, route: &Route) {
        let checked = self.json.take();
        if let (Some(_), Some(Ok(json))) = (&route.body, checked) {
            self.body = json.to_bytes(self.body.len());
        }
    }

    /// What counts as sent: URL, headers and body, in bytes.
    pub(crate) fn size(&self) -> u64 {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        (self.url.as_str().len() + headers + self.body.len()) as u64
    }
}

/// Step 1 of the ladder: gives the request its one meaning, or refuses it.
pub(crate) fn parse(request: Request, grant: &Grant) -> Result<Parsed, Denial> {
    let body = Zeroizing::new(request.body);
    let method = method(&request.method)?;
    // Servers disagree on what a body of these means, so it would be checked by none.
    if !body.is_empty() && matches!(method.as_str(), "GET" | "HEAD" | "LIST") {
        return Err(Denial::Body);
    }
    if request.url.len() > LONGEST {
        return Err(Denial::TooLong);
    }
    let url = Url::parse(&request.url).map_err(|_| Denial::NotUrl)?;
    // The parser repairs `%2e%2e`, backslashes, tabs, odd digits and default ports without a word.
    // What it had to repair could mean something else to whoever reads the text next.
    if url.as_str() != request.url {
        return Err(Denial::Spelling);
    }
    let origin = url.origin().ascii_serialization();
    let is_granted = grant.routes.iter().any(|route| route.origin == origin);
    check_authority(&url, is_granted)?;
    let segments = segments(&url)?;
    let query = query(&url)?;
    let headers = request.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    Ok(Parsed { method, url, origin, segments, query, headers, body, json: OnceLock::new() })
}

fn method(text: &str) -> Result<Method, Denial> {
    const METHODS: [&str; 7] = ["GET", "HEAD", "LIST", "POST", "PUT", "PATCH", "DELETE"];
    if !METHODS.contains(&text) {
        return Err(Denial::Method);
    }
    Method::from_bytes(text.as_bytes()).map_err(|_| Denial::Method)
}

fn check_authority(url: &Url, is_granted: bool) -> Result<(), Denial> {
    match url.scheme() {
        "https" => {}
        "http" if is_granted => {}
        "http" => return Err(Denial::PlainHttp),
        _ => return Err(Denial::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Denial::Userinfo);
    }
    if url.fragment().is_some() {
        return Err(Denial::Fragment);
    }
    match url.host() {
        // The resolver never sees an address, so only a person may name one.
        Some(Host::Ipv4(_) | Host::Ipv6(_)) if !is_granted => Err(Denial::AddressLiteral),
        Some(Host::Domain(name)) if name.ends_with('.') => Err(Denial::TrailingDot),
        Some(_) => Ok(()),
        None => Err(Denial::NotUrl),
    }
}

/// The path's segments, each proven to be in its one encoding.
fn segments(url: &Url) -> Result<Vec<String>, Denial> {
    let path = url.path().strip_prefix('/').ok_or(Denial::NotUrl)?;
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let mut decoded = Vec::new();
    for segment in path.split('/') {
        if segment.is_empty() {
            return Err(Denial::EmptySegment);
        }
        let text = percent_decode_str(segment).decode_utf8().map_err(|_| Denial::Triplet)?;
        // A server that decodes before it splits would see another path than the one that was matched.
        if text.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | '%')) {
            return Err(Denial::ForbiddenByte);
        }
        decoded.push(text.into_owned());
    }
    // Encoding what was decoded must give the same text: then no triplet is lower case, none stands for a byte
    // that could stand for itself (`/v1/%61uth`), and no `%` stands alone.
    let mut again = Url::parse("https://a/").map_err(|_| Denial::NotUrl)?;
    again.path_segments_mut().map_err(|()| Denial::NotUrl)?.clear().extend(&decoded);
    if again.path() != url.path() {
        return Err(Denial::Triplet);
    }
    Ok(path.split('/').map(str::to_owned).collect())
}

/// Query parameters: names literal and unrepeated, values decoded once, `+` left as it is.
fn query(url: &Url) -> Result<Vec<(String, String)>, Denial> {
    let Some(query) = url.query() else { return Ok(Vec::new()) };
    let mut parameters: Vec<(String, String)> = Vec::new();
    // Some servers split at `;` too and would read a parameter that nobody checked.
    if query.contains(';') {
        return Err(Denial::QuerySpelling);
    }
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name.is_empty() || name.contains(['%', '+']) || !is_decodable(value) {
            return Err(Denial::QuerySpelling);
        }
        if parameters.iter().any(|(known, _)| known == name) {
            return Err(Denial::QueryRepeated(name.to_owned()));
        }
        let value = percent_decode_str(value).decode_utf8().map_err(|_| Denial::QuerySpelling)?;
        parameters.push((name.to_owned(), value.into_owned()));
    }
    Ok(parameters)
}

/// Whether each `%` is followed by two hexadecimal digits.
fn is_decodable(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| rest.as_bytes().get(..2).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)))
}

#[cfg(test)]
pub(crate) mod tests;
