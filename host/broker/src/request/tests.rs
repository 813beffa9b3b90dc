//! Step 1 of the ladder: each refusal by its name, over many spellings.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use forge_core::grant::PluginPin;
use forge_core::route::{Ability, Route};

use super::*;

/// A grant with one route per origin; the path does not matter here.
pub(crate) fn grant(origins: &[&str]) -> Grant {
    let route = |origin: &&str| Route {
        ability: Ability::Read,
        methods: vec!["GET".to_owned()],
        origin: (*origin).to_owned(),
        path: "/**".parse().unwrap(),
        query: Default::default(),
        headers: Default::default(),
        body: None,
        response_max: 1024,
        idempotent: true,
        permission: None,
    };
    Grant {
        schema_version: 1,
        provider: "test".to_owned(),
        plugin: PluginPin::Builtin("test".to_owned()),
        settings: Default::default(),
        routes: origins.iter().map(route).collect(),
        directories: Vec::new(),
        environment: Vec::new(),
        credential: None,
        networks: Default::default(),
        tls_ca: None,
        tls_certificate: None,
        no_token_cache: false,
        read_only: false,
        limits: Default::default(),
        derived: forge_core::grant::Derived::default(),
        project: None,
    }
}

fn get(url: &str) -> Result<Parsed, Denial> {
    let request = Request { method: "GET".to_owned(), url: url.to_owned(), ..Request::default() };
    parse(request, &grant(&["https://a.example", "http://127.0.0.1:8200"]))
}

fn denial(url: &str) -> Denial {
    get(url).err().unwrap_or_else(|| panic!("{url} should have been refused"))
}

#[test]
fn a_plain_url_has_its_parts() {
    let parsed = get("https://a.example/v1/secret/data/caf%C3%A9%20x?version=3&q=a%26b+c").unwrap();
    assert_eq!(parsed.origin, "https://a.example");
    assert_eq!(parsed.segments, ["v1", "secret", "data", "caf%C3%A9%20x"]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(parsed.query, [pair("version", "3"), pair("q", "a&b+c")]);
    assert!(get("https://a.example/").unwrap().segments.is_empty());
}

#[test]
fn what_the_parser_would_repair_is_refused() {
    for url in [
        "HTTPS://a.example/x",
        "https://A.example/x",
        "https://a.example:443/x",
        "https://a.example",
        "https:/a.example/x",
        "https:a.example/x",
        "https://a.example\\x",
        "https://a.example/a\\b",
        "https://a.example/a/../b",
        "https://a.example/./b",
        "https://a.example/a/%2e%2e/b",
        "https://a.example/a/%2E%2E/b",
        "https://a.example/a/.%2e/b",
        "https://a.example/a/%2e",
        " https://a.example/x",
        "https://a.example/x ",
        "https://a.example/a\tb",
        "https://a.exa\nmple/x",
        "https://a.example/a b",
        "https://a.example/caf\u{e9}",
        "https://a.example/a\"b",
        "https://a.example/a<b",
        "https://a.example/{a}",
        "https://0x7f.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0177.0.0.1/x",
        "https://\u{ff41}.example/x",
        "https://a\u{3002}example/x",
        "https://a.example/x?a=b c",
        "https://a.example/x?caf\u{e9}",
        "https://%61.example/x",
        "https://@a.example/x",
        "https://:@a.example/x",
        "https://[::0001]/x",
        "https://[::ffff:127.0.0.1]/x",
    ] {
        assert_eq!(denial(url), Denial::Spelling, "{url:?}");
    }
}

#[test]
fn what_is_no_url_is_refused() {
    for url in [
        "",
        "/v1/secret",
        "a.example/x",
        "https://",
        "https:// /",
        "https://a b/",
        "https://[::1/x",
        "//a.example/x",
        "https://a.example:99999/",
    ] {
        assert_eq!(denial(url), Denial::NotUrl, "{url:?}");
    }
}

#[test]
fn other_schemes_than_https_are_refused_and_http_only_where_it_was_granted() {
    for url in ["ftp://a.example/x", "file:///etc/passwd", "ws://a.example/x", "wss://a.example/x"] {
        assert_eq!(denial(url), Denial::Scheme, "{url}");
    }
    assert_eq!(denial("http://a.example/x"), Denial::PlainHttp);
    assert_eq!(denial("http://127.0.0.1:8201/x"), Denial::PlainHttp);
    assert!(get("http://127.0.0.1:8200/x").is_ok());
}

#[test]
fn a_login_in_a_url_is_refused() {
    for url in ["https://user@a.example/x", "https://user:pass@a.example/x", "https://a.example%40evil@b.example/x"] {
        assert_eq!(denial(url), Denial::Userinfo, "{url}");
    }
}

#[test]
fn a_fragment_is_refused() {
    for url in ["https://a.example/x#y", "https://a.example/x#", "https://a.example/x?a=b#"] {
        assert_eq!(denial(url), Denial::Fragment, "{url}");
    }
}

#[test]
fn a_host_named_by_an_address_is_refused_unless_that_very_origin_was_granted() {
    for url in [
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest",
        "https://[::1]/x",
        "https://[fd00:ec2::254]/x",
        "https://1.1.1.1/x",
    ] {
        assert_eq!(denial(url), Denial::AddressLiteral, "{url}");
    }
    assert!(get("http://127.0.0.1:8200/v1/x").is_ok());
}

#[test]
fn a_dot_at_the_end_of_a_host_is_refused() {
    assert_eq!(denial("https://a.example./x"), Denial::TrailingDot);
}

#[test]
fn an_empty_segment_and_a_slash_at_the_end_are_refused() {
    for url in ["https://a.example//x", "https://a.example/a//b", "https://a.example/a/", "https://a.example//"] {
        assert_eq!(denial(url), Denial::EmptySegment, "{url}");
    }
}

#[test]
fn a_path_with_an_encoded_separator_or_control_character_is_refused() {
    for url in [
        "https://a.example/a%00b",
        "https://a.example/a%2Fb",
        "https://a.example/a%2fb",
        "https://a.example/a%5Cb",
        "https://a.example/a%25b",
        "https://a.example/a%252Fb",
        "https://a.example/a%0Ab",
        "https://a.example/a%0Db",
        "https://a.example/a%09b",
        "https://a.example/a%7Fb",
        "https://a.example/%25",
        "https://a.example/a%C2%85b",
    ] {
        assert_eq!(denial(url), Denial::ForbiddenByte, "{url}");
    }
}

#[test]
fn a_path_with_a_percent_sign_that_is_not_its_one_spelling_is_refused() {
    for url in [
        "https://a.example/v1/%61uth",
        "https://a.example/%7Euser",
        "https://a.example/a%2Db",
        "https://a.example/caf%c3%a9",
        "https://a.example/a%3Ab",
        "https://a.example/a%3Bb",
        "https://a.example/a%40b",
        "https://a.example/%FF",
        "https://a.example/%C3",
        "https://a.example/a%41",
        "https://a.example/%2E%2E%2E",
    ] {
        assert_eq!(denial(url), Denial::Triplet, "{url}");
    }
    // A bare `%` decodes to itself, and a percent sign may not stand in a path at all.
    for url in ["https://a.example/a%", "https://a.example/a%2", "https://a.example/a%zz", "https://a.example/100%"] {
        assert_eq!(denial(url), Denial::ForbiddenByte, "{url}");
    }
}

#[test]
fn every_path_that_passes_has_one_spelling_for_what_it_decodes_to() {
    // Each byte, raw and as a triplet in either case: at most one spelling of each decoded path may pass.
    let mut passed: std::collections::BTreeMap<Vec<u8>, String> = std::collections::BTreeMap::new();
    for byte in 0..=u8::MAX {
        let mut spellings = vec![format!("a%{byte:02X}b"), format!("a%{byte:02x}b")];
        spellings.extend(byte.is_ascii().then(|| format!("a{}b", char::from(byte))));
        spellings.dedup();
        for spelling in spellings {
            let url = format!("https://a.example/{spelling}");
            let Ok(parsed) = get(&url) else { continue };
            if parsed.segments.len() != 1 || !parsed.query.is_empty() {
                continue;
            }
            let meaning: Vec<u8> = percent_encoding::percent_decode_str(&spelling).collect();
            assert_eq!(passed.insert(meaning, spelling.clone()), None, "{spelling} has another spelling");
        }
    }
    assert!(passed.len() > 70, "ordinary characters should pass");
}

#[test]
fn a_query_is_read_by_everyone_alike_or_refused() {
    for query in
        ["", "&", "a=1&", "&a=1", "a=1&&b=2", "=1", "a=1;b=2", "a;b", "%61=1", "a+b=1", "a=%", "a=%zz", "a=%2", "a=%FF"]
    {
        assert_eq!(denial(&format!("https://a.example/x?{query}")), Denial::QuerySpelling, "{query:?}");
    }
    assert_eq!(denial("https://a.example/x?a=1&a=2"), Denial::QueryRepeated("a".to_owned()));
    assert_eq!(get("https://a.example/x?list").unwrap().query, [("list".to_owned(), String::new())]);
}

#[test]
fn a_url_over_eight_kibibytes_is_refused() {
    let url = format!("https://a.example/{}", "a".repeat(8 * 1024));
    assert_eq!(denial(&url), Denial::TooLong);
    assert!(get(url.get(..8 * 1024).unwrap()).is_ok());
}

#[test]
fn other_methods_and_bodies_of_reads_are_refused() {
    let send = |method: &str, body: &[u8]| {
        let url = "https://a.example/x".to_owned();
        parse(
            Request { method: method.to_owned(), url, headers: Vec::new(), body: body.to_vec() },
            &grant(&["https://a.example"]),
        )
    };
    for method in ["CONNECT", "TRACE", "OPTIONS", "get", "Get", "", "GET ", "PURGE", "GET\r\nX"] {
        assert_eq!(send(method, b"").err(), Some(Denial::Method), "{method:?}");
    }
    for method in ["GET", "HEAD", "LIST"] {
        assert_eq!(send(method, b"x").err(), Some(Denial::Body), "{method}");
        assert!(send(method, b"").is_ok(), "{method}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        assert!(send(method, b"x").is_ok(), "{method}");
    }
}

#[test]
fn debug_output_holds_neither_path_nor_body_nor_header() {
    let request = Request {
        method: "POST".to_owned(),
        url: "https://a.example/hunter2?x=hunter2".to_owned(),
        headers: vec![("accept".to_owned(), "hunter2".to_owned())],
        body: b"hunter2".to_vec(),
    };
    let response = Response { status: 200, headers: request.headers.clone(), body: b"hunter2".to_vec().into() };
    for text in [format!("{request:?}"), format!("{response:?}")] {
        assert!(!text.contains("hunter2") && !text.contains("104, 117"), "{text}");
    }
}
