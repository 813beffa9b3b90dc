//! The harness itself: an attack or a bad server that is none would prove nothing.

use std::process::{Command, Stdio};
use std::time::Duration;

use forge_tests::component::{attacker, from_text, pack};
use forge_tests::outcome::contains;
use forge_tests::servers::Curl;
use forge_tests::servers::behaviour::LOOT;
use forge_tests::servers::hostile::Hostile;
use forge_tests::servers::openbao::{OpenBao, ROOT};

/// What curl makes of an answer: its exit code, and the bytes it got.
fn curl(server: &Hostile, behaviour: &str, more: &[&str]) -> (i32, Vec<u8>) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--noproxy", "*", "--max-time", "2"]).args(more);
    let output = command.arg(format!("{}/{behaviour}", server.origin())).stdin(Stdio::null()).output().unwrap();
    (output.status.code().unwrap(), output.stdout)
}

#[test]
fn the_hostile_server_does_what_its_paths_say() {
    let server = Hostile::start();
    server.redirects_to("http://127.0.0.1:1/there");
    assert_eq!(curl(&server, "a/b", &[]), (0, LOOT.into()));
    assert_eq!(curl(&server, "redirect", &["-o", "/dev/null", "-w", "%{redirect_url}"]).1, b"http://127.0.0.1:1/there");
    // curl's own codes: 18 broke off, 28 too slow, 52 nothing came, 63 too long, 56 or 27 too many headers, 1 or 8 no HTTP.
    assert_eq!(curl(&server, "truncated", &[]).0, 18);
    assert_eq!(curl(&server, "hang-up", &[]).0, 52);
    assert_eq!(curl(&server, "slow", &[]).0, 28);
    assert_eq!(curl(&server, "slow-head", &[]).0, 28);
    assert_eq!(curl(&server, "endless", &["--max-filesize", "10000000000"]).0, 63);
    assert_eq!(curl(&server, "endless-chunked", &["-o", "/dev/null"]).0, 28);
    assert_ne!(curl(&server, "header-bomb", &[]).0, 0);
    assert_ne!(curl(&server, "long-header", &[]).0, 0);
    assert_ne!(curl(&server, "garbage", &[]).0, 0);
    assert_eq!(curl(&server, "empty-404", &["-w", "%{http_code}"]).1, b"404");
    for status in [503, 503, 200] {
        assert_eq!(
            curl(&server, "flaky-2", &["-o", "/dev/null", "-w", "%{http_code}"]).1,
            status.to_string().into_bytes()
        );
    }
    let (code, folded) = curl(&server, "gzip-bomb", &[]);
    let unfolded = curl(&server, "gzip-bomb", &["--compressed", "-o", "/dev/null", "-w", "%{size_download}"]);
    assert_eq!(code, 0);
    assert!(folded.len() < 1 << 20, "{} bytes", folded.len());
    assert_ne!(unfolded.0, 28);
    assert!(unfold(&folded) > 100 << 20, "the bomb is a dud");
}

/// How long a gzip stream is when it is unfolded, as far as it is sound.
fn unfold(gzip: &[u8]) -> usize {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), gzip).unwrap();
    let input = std::fs::File::open(file.path()).unwrap();
    let output = Command::new("gzip").args(["-dc"]).stdin(input).stderr(Stdio::null()).output().unwrap();
    output.stdout.len()
}

#[test]
fn the_hostile_server_sends_back_what_it_got_in_each_form() {
    let server = Hostile::start();
    for (form, expected) in [
        ("reflect", "abc+\"~1"),
        ("reflect-base64", "YWJjKyJ+MQ=="),
        ("reflect-json", "\"abc+\\\"~1\""),
        ("reflect-url", "abc%2B%22~1"),
    ] {
        let (_, body) = curl(&server, form, &["-H", "x-canary: abc+\"~1"]);
        assert!(contains(&body, expected.as_bytes()), "{form}: {}", String::from_utf8_lossy(&body));
    }
    let (_, head) = curl(&server, "reflect-header", &["-i", "-H", "x-canary: abc+\"~1"]);
    assert!(contains(&head, b"abc+\"~1"));
    let received = server.received();
    assert_eq!(received.len(), 5);
    assert_eq!(received[0].header("x-canary"), Some("abc+\"~1"));
}

#[test]
fn the_real_server_does_what_the_tests_take_for_granted() {
    let server = OpenBao::start();
    server.mount("one", 1);
    server.mount("team/two", 2);
    server.root("POST", "team/two/data/a", r#"{"data":{"b":"c"}}"#).has_status(200);
    assert_eq!(server.root("GET", "team/two/data/a", "").json()["data"]["data"]["b"], "c");
    server.policy("nothing", r#"path "one/*" { capabilities = ["read"] }"#);
    let token = server.token(&["nothing"]);
    server.curl(&token, "GET", "team/two/data/a").send().has_status(403);
    server.curl("s.unknown", "GET", "team/two/data/a").send().has_status(403);
    let (role, secret) = server.approle(&["nothing"], "1s");
    let body = serde_json::json!({ "role_id": role, "secret_id": secret }).to_string();
    let login = Curl::new("POST", &format!("{}/v1/auth/approle/login", server.address())).json(&body).send();
    let token = login.has_status(200).json()["auth"]["client_token"].as_str().unwrap().to_owned();
    server.curl(&token, "GET", "auth/token/lookup-self").send().has_status(200);
    std::thread::sleep(Duration::from_millis(1_500));
    server.curl(&token, "GET", "auth/token/lookup-self").send().has_status(403);
    // The credential is in the answer to a look at it, so whoever lets a guest look gives it away.
    assert!(server.root("GET", "auth/token/lookup-self", "").body.contains(ROOT));
}

#[test]
fn a_server_with_tls_is_trusted_by_its_own_ca_only() {
    let server = OpenBao::start_with_tls();
    server.root("GET", "sys/mounts", "").has_status(200);
    let untrusted = Curl::new("GET", &format!("{}/v1/sys/health", server.address())).send();
    assert_eq!(untrusted.status, 0);
}

#[test]
fn a_packed_component_has_the_new_manifest_once_and_is_otherwise_the_same() {
    let bare = from_text("(component (core module (func)))");
    let packed = pack(&bare, "id = \"one\"");
    assert!(packed.starts_with(&bare));
    let again = pack(&packed, "id = \"another\"");
    assert!(contains(&again, b"another") && !contains(&again, b"\"one\""));
    assert_eq!(pack(&again, "id = \"one\""), packed);
    let packed = pack(&attacker(), "id = \"packed\"");
    assert!(contains(&packed, b"id = \"packed\""));
    let sections = packed.windows(14).filter(|window| window == b"forge:manifest").count();
    assert_eq!(sections, 1);
}
