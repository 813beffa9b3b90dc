//! An OAuth 2 server that knows nothing of forge: npm's oidc-provider, with a client for each place of a secret.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::{Curl, free_port};

/// How long the server may take until it answers on a busy machine; it usually takes 1 s.
const START: Duration = Duration::from_secs(60);

/// The client that sends its secret in the header; its id has what a form encodes.
pub const IN_HEADER: &str = "app in:header";
/// The client that sends it in the body.
pub const IN_BODY: &str = "app-in-body";

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Oidc {
    child: Child,
    origin: String,
}

impl Oidc {
    /// A server both of whose clients have this secret.
    pub fn start(secret: &str) -> Self {
        let modules = crate::world::root().join("target/servers/node/node_modules");
        assert!(modules.exists(), "`{}` is not there: run `make setup` first", modules.display());
        let port = free_port();
        let mut command = Command::new("node");
        command.arg(crate::world::root().join("tests/servers/oidc.mjs")).arg(port.to_string()).arg(modules);
        command.env("CLIENT_SECRET", secret).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Self { child: command.spawn().unwrap(), origin: format!("http://127.0.0.1:{port}") };
        let started = Instant::now();
        while Curl::new("GET", &format!("{}/.well-known/openid-configuration", server.origin)).send().status != 200 {
            let is_over = started.elapsed() > START || server.child.try_wait().unwrap().is_some();
            assert!(!is_over, "oidc-provider did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// The origin, such as `http://127.0.0.1:3000`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What the server says of a token ("RFC 7662"), asked by the client that sends its secret in the body.
    #[track_caller]
    pub fn introspect(&self, token: &str, secret: &str) -> Json {
        let curl = Curl::new("POST", &format!("{}/token/introspection", self.origin));
        let text = |name: &str, value: &str| ["--data-urlencode".to_owned(), format!("{name}={value}")];
        let fields = [text("token", token), text("client_id", IN_BODY), text("client_secret", secret)];
        curl.arguments(fields.concat()).send().has_status(200).json()
    }
}

impl Drop for Oidc {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}
