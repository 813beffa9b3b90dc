//! Servers on this machine, one of each per test: the real OpenBao, AWS as moto plays it, Google as drongo does, an own Azure, an
//! OAuth 2 server, a desktop's keyring, one that does whatever its path says, and a proxy that breaks what goes through it.

pub mod azure;
pub mod behaviour;
pub mod faults;
pub mod google;
pub mod hostile;
pub mod identity;
pub mod keyring;
pub mod metadata;
pub mod moto;
pub mod oidc;
pub mod openbao;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// A port of this machine that was free a moment ago, and that no other test of this process was given.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        // The system gives a port again as soon as it is free, which it is until the server that it is meant for listens.
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

/// An answer as `curl` got it: a client that knows nothing of forge.
#[derive(Debug)]
pub struct Fetched {
    /// The HTTP status; 0 where there was no answer.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// One request by `curl`.
#[derive(Debug)]
pub struct Curl {
    arguments: Vec<String>,
}

impl Curl {
    /// A request of this method and URL.
    pub fn new(method: &str, url: &str) -> Self {
        let fixed = [
            "--silent",
            "--max-time",
            "20",
            "--noproxy",
            "*",
            "--write-out",
            "\n%{http_code}",
            "--request",
            method,
            url,
        ];
        Self { arguments: fixed.map(str::to_owned).to_vec() }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend(["--header".to_owned(), format!("{name}: {value}")]);
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: &str) -> Self {
        self.body(body).header("content-type", "application/json")
    }

    /// With a body of any kind.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.arguments.extend(["--data-binary".to_owned(), body.to_owned()]);
        self
    }

    /// With further arguments of `curl`.
    #[must_use]
    pub fn arguments(mut self, more: Vec<String>) -> Self {
        self.arguments.extend(more);
        self
    }

    /// Trusting these certificates.
    #[must_use]
    pub fn trusting(mut self, certificates: &std::path::Path) -> Self {
        self.arguments.extend(["--cacert".to_owned(), certificates.to_str().unwrap().to_owned()]);
        self
    }

    /// Sends it.
    pub fn send(self) -> Fetched {
        let output = Command::new("curl").args(&self.arguments).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        Fetched { status: status.parse().unwrap(), body: body.to_owned() }
    }
}

impl Fetched {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON: {error}: {self:?}"))
    }

    /// Expects this status.
    #[track_caller]
    pub fn has_status(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// A file that `make setup` installed below `target/servers`.
fn installed(pattern: &str) -> PathBuf {
    let lib = crate::world::root().join("target/servers/lib");
    let mut pythons = std::fs::read_dir(&lib).into_iter().flatten().flatten();
    let found =
        pythons.find_map(|python| Some(python.path().join("site-packages").join(pattern)).filter(|path| path.exists()));
    found.unwrap_or_else(|| panic!("`{pattern}` is not below `{}`: run `make setup` first", lib.display()))
}
