//! AWS' own suite for signers, as the crate of its SDK ships it, through the signer that requests go through.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::PathBuf;

use aws_sigv4::http_request::{PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, UriPathNormalizationMode};
use secrecy::SecretString;
use serde::Deserialize;

use super::*;

/// What a case is signed with.
#[derive(Deserialize)]
struct Context {
    credentials: Keys,
    normalize: bool,
    region: String,
    service: String,
    timestamp: String,
    #[serde(default)]
    omit_session_token: bool,
    sign_body: bool,
}

#[derive(Deserialize)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
}

/// A request as the suite writes it.
struct Written {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// The suite, where cargo keeps the crate's sources.
fn suite() -> PathBuf {
    let compiler = std::process::Command::new("rustc").arg("-vV").output().unwrap();
    let compiler = String::from_utf8(compiler.stdout).unwrap();
    let platform = compiler.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // Sources of other platforms need not be here.
    let metadata = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let signer = packages.iter().find(|package| package["name"] == "aws-sigv4").unwrap();
    PathBuf::from(signer["manifest_path"].as_str().unwrap()).with_file_name("aws-signing-test-suite").join("v4")
}

fn written(text: &str) -> Written {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap();
    let (method, rest) = first.split_once(' ').unwrap();
    let (target, _) = rest.rsplit_once(' ').unwrap();
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        if let Some((name, value)) = line.split_once(':').filter(|_| !line.starts_with(' ')) {
            headers.push((name.to_lowercase(), value.to_owned()));
        } else if let Some((_, value)) = headers.last_mut() {
            // A line that goes on is one with what it goes on.
            value.push(' ');
            value.push_str(line.trim());
        }
    }
    let host = headers.iter().find(|(name, _)| name == "host").unwrap().1.clone();
    headers.retain(|(name, _)| name != "host");
    Written { method: method.to_owned(), url: format!("https://{host}{target}"), headers, body: body.to_owned() }
}

#[test]
fn the_signer_agrees_with_each_case_of_the_signing_test_suite_of_aws() {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(suite()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let mut agreed = Vec::new();
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let read = |file: &str| std::fs::read_to_string(case.join(file));
        // Two cases are about one step of the algorithm and have no keys.
        let Ok(context) = read("context.json") else { continue };
        let context: Context = serde_json::from_str(&context).unwrap();
        let text = |text: &str| SecretString::from(text.to_owned());
        let keys = &context.credentials;
        let token = keys.token.as_deref().map(text);
        let reading = Reading::new(text(&keys.access_key_id), text(&keys.secret_access_key), token, 1);
        let request = written(read("request.txt").unwrap().trim_end());
        // A URL has left its parser by the time it is signed, and no parser prints a space or a letter beyond ASCII.
        if !request.url.bytes().all(|byte| byte.is_ascii_graphic()) {
            continue;
        }
        let mut settings = SigningSettings::default();
        settings.uri_path_normalization_mode = UriPathNormalizationMode::from(context.normalize);
        // The one case that counts on a path that is encoded once, as a single service of AWS wants it.
        if name == "get-space-normalized" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
        }
        if context.omit_session_token {
            settings.session_token_mode = SessionTokenMode::Exclude;
        }
        if context.sign_body {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let time: jiff::Timestamp = context.timestamp.parse().unwrap();
        let scope = Scope { region: context.region, service: context.service };
        let unsigned = Unsigned {
            method: &request.method,
            url: &request.url,
            headers: &request.headers,
            body: request.body.as_bytes(),
        };
        let signed = headers_with(settings, &reading, &scope, &unsigned, SystemTime::from(time)).unwrap();
        let (_, signature) = signed.iter().find(|(name, _)| name == "authorization").unwrap();
        let expected = read("header-signed-request.txt").unwrap();
        let expected = expected.lines().find_map(|line| line.strip_prefix("Authorization:")).unwrap().trim();
        assert_eq!(signature.to_str().unwrap(), expected, "{name}");
        agreed.push(name);
    }
    assert!(agreed.len() >= 35, "only {agreed:?}");
    for name in ["get-vanilla", "get-vanilla-with-session-token", "post-vanilla-query", "post-sts-header-before"] {
        assert!(agreed.iter().any(|known| known == name), "{name}");
    }
}

#[test]
fn nothing_of_a_signature_is_printed_by_a_log() {
    let text = |text: &str| SecretString::from(text.to_owned());
    let token = Some(text("token-canary"));
    let reading = Reading::new(text("AKIDEXAMPLEEXAMPLE"), text("secret-canary"), token, 1);
    let scope = Scope { region: "eu-central-1".to_owned(), service: "secretsmanager".to_owned() };
    let unsigned = Unsigned { method: "POST", url: "https://x.example/", headers: &[], body: b"{}" };
    let signed = headers(&reading, &scope, &unsigned, SystemTime::now()).unwrap();
    assert!(signed.iter().any(|(name, value)| name == "x-amz-security-token" && value == "token-canary"));
    assert!(signed.iter().all(|(_, value)| value.is_sensitive()));
    assert!(!format!("{signed:?}").contains("canary"));
}
