//! Why a request does not go out: one case per guard of the ladder, in words that hold no value.

use forge_core::grant::{Grant, NetworkClass};
use forge_core::route::Segment;

use crate::request::Parsed;

/// What the broker refused. Names may stand here; values and paths that could hold one may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denial {
    #[error("a method is one of `GET`, `HEAD`, `LIST`, `POST`, `PUT`, `PATCH`, `DELETE`")]
    Method,
    #[error("a `GET`, `HEAD` or `LIST` has no body")]
    Body,
    #[error("the URL is longer than 8192 bytes")]
    TooLong,
    #[error("the URL can't be parsed")]
    NotUrl,
    #[error("the URL is not in the one spelling that a URL parser prints")]
    Spelling,
    #[error("only `https` goes out, and `http` to an origin that was granted with it")]
    Scheme,
    #[error("plain `http` goes only to an origin that was granted with it")]
    PlainHttp,
    #[error("a URL has no login in it")]
    Userinfo,
    #[error("a URL has no fragment")]
    Fragment,
    #[error("a host is named by an address only where that address was granted")]
    AddressLiteral,
    #[error("a host's name has no dot at its end")]
    TrailingDot,
    #[error("a path has no empty segment")]
    EmptySegment,
    #[error("a path has no encoded slash, backslash, percent sign or control character")]
    ForbiddenByte,
    #[error("a `%` in a path is followed by two upper-case digits and stands for UTF-8 that must be encoded")]
    Triplet,
    #[error("a query has literal names, and values in which each `%` is followed by two digits")]
    QuerySpelling,
    #[error("the query parameter `{}` stands there twice", shown(.0))]
    QueryRepeated(String),
    #[error("`{method} {origin}{pattern}` is not granted")]
    NoRoute { method: String, origin: String, pattern: String },
    #[error("`{method} {route}` is granted for {granted}, and this call only {call}")]
    OtherAbility { method: String, route: String, granted: &'static str, call: String },
    #[error("the query parameter `{}` is not granted for `{route}`", shown(.name))]
    QueryName { name: String, route: String },
    #[error("the query parameter `{}` has a value that is not granted for `{route}`", shown(.name))]
    QueryValue { name: String, route: String },
    #[error("the header `{}` is not granted for `{route}`", shown(.name))]
    Header { name: String, route: String },
    #[error("the header `{}` has a value that is not granted for `{route}`", shown(.name))]
    HeaderValue { name: String, route: String },
    #[error("the header `{}` stands there twice", shown(.0))]
    HeaderRepeated(String),
    #[error("the header `{}` is missing, without which nothing is granted for `{route}`", shown(.name))]
    HeaderMissing { name: String, route: String },
    #[error("`{route}` is granted for a body in JSON, and the `content-type` doesn't say that it is")]
    BodyType { route: String },
    #[error("the body for `{route}` can't be checked: {what}")]
    BodyJson { route: String, what: &'static str },
    #[error("the field `{}` stands twice in the body for `{route}`", shown(.field))]
    BodyRepeated { field: String, route: String },
    #[error("the field `{field}` of the body is not granted for `{route}`")]
    BodyField { field: String, route: String },
    #[error("the field `{field}` of the body is not {what}, as it is granted for `{route}`")]
    BodyShape { field: String, route: String, what: &'static str },
    #[error("the field `{field}` of the body has a value that is not granted for `{route}`")]
    BodyValue { field: String, route: String, granted: String, wanted: &'static str },
    #[error("the field `{field}` of the body is missing, without which nothing is granted for `{route}`")]
    BodyMissing { field: String, route: String },
    #[error("the header `{}` is the host's own, and no plugin sends it", shown(.0))]
    Identity(String),
    #[error("the credential `{kind}` {rule}")]
    ForbiddenRoute { kind: &'static str, rule: &'static str },
    #[error("`{origin}` leads to addresses outside the `{class}` network it was granted for")]
    Network { origin: String, class: NetworkClass },
}

impl Denial {
    /// What would allow it: a line of the manifest, or a word to the person who grants.
    pub(crate) fn hint(&self, grant: &Grant) -> Option<String> {
        Some(match self {
            Self::NoRoute { method, .. } if grant.read_only && method != "GET" => {
                format!(
                    "provider `{}` is read-only; add it again without `--read-only` to allow changes",
                    grant.provider
                )
            }
            Self::NoRoute { method, origin, pattern } => format!(
                "the manifest would have to ask for it:\n[[route]]\nability = \"{}\"\nmethods = [\"{method}\"]\nurl = \"{origin}{pattern}\"",
                ability(method)
            ),
            Self::QueryName { name, .. } => {
                format!("the route would have to list it: query = {{ {} = \"any\" }}", shown(name))
            }
            Self::Header { name, .. } | Self::HeaderValue { name, .. } => {
                format!("the route would have to list it: headers = {{ {} = [\"…\"] }}", shown(name))
            }
            Self::BodyField { field, .. } => {
                format!("the route would have to list it: body = {{ \"{field}\" = \"any\" }}")
            }
            Self::BodyValue { field, granted, wanted, .. } => {
                format!("granted is `{granted}`; the route would have to list it: body = {{ \"{field}\" = {wanted} }}")
            }
            Self::Network { .. } => "add the provider again if its server has moved to another network".to_owned(),
            _ => return None,
        })
    }
}

fn ability(method: &str) -> &'static str {
    match method {
        "GET" | "HEAD" | "LIST" => "read",
        "DELETE" => "remove",
        _ => "write",
    }
}

/// A name that the guest chose, as it may be shown: short, and nothing that moves a cursor.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_ascii_graphic() && c != '`' { c } else { '?' }).collect()
}

/// The request's path as a pattern: segments that some granted route spells out are shown, others could hold a value.
pub(crate) fn pattern(request: &Parsed, grant: &Grant) -> String {
    let is_known = |text: &String| {
        let literal = Segment::Literal(text.clone());
        grant.routes.iter().any(|route| route.path.0.contains(&literal))
    };
    let mut shown = String::new();
    for segment in request.segments.iter().take(12) {
        shown.push('/');
        shown.push_str(if is_known(segment) { segment } else { "*" });
    }
    if request.segments.len() > 12 {
        shown.push_str("/**");
    }
    if shown.is_empty() { "/".to_owned() } else { shown }
}

/// The request's origin; of one that was not granted only the last two labels, since the others could hold a value.
pub(crate) fn origin(request: &Parsed, grant: &Grant) -> String {
    if grant.routes.iter().any(|route| route.origin == request.origin) {
        return request.origin.clone();
    }
    let port = request.url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = request.url.host_str().unwrap_or_default();
    let labels: Vec<&str> = host.rsplit('.').collect();
    let host = match labels.as_slice() {
        [top, second, _, ..] if labels.len() != 4 || top.parse::<u8>().is_err() => format!("*.{second:.24}.{top:.24}"),
        _ => shown(host),
    };
    format!("{}://{host}{port}", request.url.scheme())
}
