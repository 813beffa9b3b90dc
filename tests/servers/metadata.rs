//! What AWS gives to whatever runs on its machines, played: the metadata server of EC2 in version 2, and a container's endpoint.
//!
//! No such server can be had off those machines. What it plays is written down in "Amazon EC2 User Guide, Use the Instance
//! Metadata Service" and "AWS SDKs and Tools Reference Guide, Container credential provider", and boto3 has to get its keys
//! from it as well.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use super::moto::python;

/// It knows one role, whose key stands in its arguments, and refuses whatever the documents say is refused.
const SCRIPT: &str = r#"
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
key, secret, token = sys.argv[1:4]
ROLES = "/latest/meta-data/iam/security-credentials/"
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def reply(self, status, text=""):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_PUT(self):
        life = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        fits = life.isdigit() and 1 <= int(life) <= 21600 and "X-Forwarded-For" not in self.headers
        if self.path != "/latest/api/token" or not fits:
            return self.reply(400)
        self.reply(200, "session-of-the-machine")
    def do_GET(self):
        given = dict(AccessKeyId=key, SecretAccessKey=secret, Token=token, Expiration="2099-01-02T03:04:05Z")
        if self.path == "/v2/credentials/task":
            allowed = self.headers.get("Authorization") == "token-of-the-task"
            return self.reply(200, json.dumps(given)) if allowed else self.reply(401)
        if self.headers.get("X-aws-ec2-metadata-token") != "session-of-the-machine":
            return self.reply(401)
        if self.path == ROLES:
            return self.reply(200, "app-role")
        if self.path == ROLES + "app-role":
            return self.reply(200, json.dumps(dict(given, Code="Success", Type="AWS-HMAC", LastUpdated="2026-01-01T00:00:00Z")))
        self.reply(404)
    def log_message(self, *arguments):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Metadata {
    child: Child,
    /// Its origin, such as `http://127.0.0.1:1338`.
    pub origin: String,
}

impl Metadata {
    /// A server that gives this key: its id, its secret and its session's token.
    pub fn start(key: [&str; 3]) -> Self {
        let mut command = python();
        command.args(["-c", SCRIPT]).args(key).env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, origin: format!("http://127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}
