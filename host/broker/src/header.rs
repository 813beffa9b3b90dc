//! Headers: the few that a guest may send, the ones that no manifest can name, and the few that a guest gets back.

use http::HeaderMap;

/// Headers that every guest may send, each once.
pub(crate) const ALWAYS: [&str; 4] = ["accept", "content-type", "if-match", "if-none-match"];

/// The longest value of such a header, in bytes.
const LONGEST: usize = 256;

/// Headers that say who asks, where the request goes, how it is framed or what its method means, or that would hide
/// an echoed credential from the search (an encoding, a piece of the answer). No manifest can name them.
const OWN: [&str; 37] = [
    // Who asks (RFC 9110, RFC 6265, and what common gateways read).
    "authorization",
    "cookie",
    "cookie2",
    "x-api-key",
    "api-key",
    "apikey",
    "x-access-token",
    "x-csrf-token",
    "remote-user",
    "x-xsrf-token",
    "private-token",
    "x-consul-token",
    "metadata",
    "metadata-flavor",
    "x-aws-ec2-metadata-token",
    // Where it goes and from whom it seems to come.
    "host",
    "forwarded",
    "via",
    "x-real-ip",
    "true-client-ip",
    "x-client-ip",
    "x-original-url",
    "x-rewrite-url",
    "origin",
    "referer",
    // How it is framed (RFC 9110, section 7.6.1; RFC 9112).
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    // What would hide an echo from the search.
    "accept-encoding",
    "content-encoding",
    "range",
];

/// The same by how their names begin.
const OWN_PREFIXES: [&str; 12] = [
    "proxy-",
    "sec-",
    "x-vault-",
    "x-goog-",
    "x-ms-authorization",
    "x-forwarded-",
    // `X-HTTP-Method`, `X-HTTP-Request` and whatever else some server takes for another method.
    "x-http-",
    "x-method-override",
    "if-range",
    "x-envoy-",
    "x-auth-",
    "x-remote-",
];

/// Whether a header is the host's own whatever the credential: no plugin may send it.
pub(crate) fn is_own(name: &str) -> bool {
    // Every JSON route of AWS must pin its action, and only that one.
    (name.starts_with("x-amz-") && name != "x-amz-target")
        || OWN.contains(&name)
        || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Query parameters that say who asks or what the method means (presigned URLs, API keys, tunnelled methods).
const OWN_QUERY: [&str; 18] = [
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "key",
    "oauth_token",
    "password",
    "sig",
    "signature",
    "token",
    "upload_protocol",
    "quotauser",
    "_method",
    "$httpmethod",
    "x-http-method-override",
    "callback",
];

/// Whether no manifest can name a query parameter. Some servers read these names in any case.
pub(crate) fn is_own_query(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    OWN_QUERY.contains(&name.as_str())
        || ["x-amz-", "x-goog-", "x-vault-"].iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a value fits a header that every guest may send: printable ASCII without spaces around it.
pub(crate) fn is_plain_value(value: &str) -> bool {
    value.len() <= LONGEST && value.trim() == value && value.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// Whether a header of an answer reaches the guest.
///
/// A list of what may pass is short and safe; cookies, challenges (the host answers those), hop-by-hop headers and
/// everything unknown stay with the host.
fn is_passed_on(name: &str) -> bool {
    const PASSED_ON: [&str; 14] = [
        "content-type",
        "etag",
        "last-modified",
        "location",
        "retry-after",
        "date",
        "expires",
        "cache-control",
        "link",
        "warning",
        "x-amzn-errortype",
        "x-total-count",
        "x-next-page",
        "x-vault-index",
    ];
    PASSED_ON.contains(&name)
        || name.starts_with("x-ratelimit-")
        || name.starts_with("ratelimit-")
        || name.ends_with("request-id")
        || name.ends_with("requestid")
}

/// The headers that reach the guest, in the answer's order.
pub(crate) fn passed_on(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut passed = Vec::new();
    for (name, value) in headers {
        // A value that is not printable ASCII has no meaning in these headers.
        if let (true, Ok(value)) = (is_passed_on(name.as_str()), value.to_str()) {
            passed.push((name.as_str().to_owned(), value.to_owned()));
        }
    }
    passed
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_says_who_asks_or_what_the_method_means_is_the_hosts_own() {
        for name in [
            "authorization",
            "cookie",
            "host",
            "proxy-authorization",
            "x-amz-security-token",
            "x-amz-date",
            "x-vault-token",
            "x-vault-namespace",
            "x-vault-wrap-ttl",
            "x-goog-user-project",
            "metadata-flavor",
            "x-http-method-override",
            "x-method-override",
            "x-http-method",
            "x-http-request",
            "x-http-verb",
            "connection",
            "transfer-encoding",
            "content-length",
            "accept-encoding",
            "x-forwarded-for",
            "x-original-url",
            "range",
            "te",
        ] {
            assert!(is_own(name), "{name}");
        }
        for name in ["x-amz-target", "accept", "content-type", "if-match", "x-request-id"] {
            assert!(!is_own(name), "{name}");
        }
    }

    #[test]
    fn cookies_challenges_and_unknown_headers_stay_with_the_host() {
        let mut headers = HeaderMap::new();
        for name in
            ["set-cookie", "www-authenticate", "connection", "x-echo", "content-type", "retry-after", "x-request-id"]
        {
            headers.insert(name, "v".parse().unwrap());
        }
        headers.insert("etag", http::HeaderValue::from_bytes(b"\xff").unwrap());
        let mut names: Vec<String> = passed_on(&headers).into_iter().map(|(name, _)| name).collect();
        names.sort();
        assert_eq!(names, ["content-type", "retry-after", "x-request-id"]);
    }

    #[test]
    fn a_value_that_could_end_its_line_is_not_plain() {
        for value in ["a\r\nb", "a\nb", "a\0", " a", "a ", "caf\u{e9}", &"a".repeat(257)] {
            assert!(!is_plain_value(value), "{value:?}");
        }
        assert!(is_plain_value("application/json; charset=utf-8"));
    }
}
