//! Faults on the way to a server: microburst, a proxy that is not ours, in front of any origin of this machine.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{Curl, free_port, moto};

/// How long the proxy may take until it answers on a busy machine; it usually takes 1 s.
const START: Duration = Duration::from_secs(60);

/// A running proxy; it ends with this value. Until it is told otherwise it passes everything on as it is.
#[derive(Debug)]
pub struct Faults {
    child: Child,
    directory: tempfile::TempDir,
    origin: String,
    control: String,
}

/// What the proxy did so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Requests that came, or connections where it reads no HTTP.
    pub seen: u64,
    /// Those that a fault met.
    pub faulted: u64,
    /// Those that went on to the server, with or without a fault on the way back.
    pub forwarded: u64,
}

impl Faults {
    /// A proxy that reads HTTP, and speaks it to this origin. The server sees its own name in `Host`, not the proxy's.
    pub fn before(origin: &str) -> Self {
        Self::start(&["--no-resign"], origin, &[])
    }

    /// The same to an origin with TLS, whose certificate this authority signed; what comes to the proxy has none.
    pub fn before_tls(origin: &str, authority: &Path) -> Self {
        Self::start(&["--no-resign"], origin, &[("SSL_CERT_FILE", authority.to_str().unwrap())])
    }

    /// The same to a server that checks signatures over `Host`: the proxy signs anew with this id and secret of a key.
    pub fn before_aws(origin: &str, id: &str, secret: &str) -> Self {
        Self::start(&["--resign"], origin, &[("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)])
    }

    /// A proxy that passes bytes, and knows nothing of what they are: TLS goes through it from end to end.
    pub fn before_bytes(origin: &str) -> Self {
        let control = free_port().to_string();
        Self::start(&["--protocol", "tcp", "--control-port", &control], origin, &[])
    }

    fn start(arguments: &[&str], upstream: &str, variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let control = arguments.iter().skip_while(|argument| **argument != "--control-port").nth(1);
        let scheme = if control.is_some() && upstream.starts_with("https") { "https" } else { "http" };
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let mut command = moto::python();
        command.args(["-m", "microburst", "--upstream", upstream, "--host", "127.0.0.1", "--port", &port.to_string()]);
        command.args(arguments).env_clear().env("HOME", directory.path()).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let control = control.map_or_else(|| port.to_string(), |control| (*control).to_owned());
        // Where `Host` has a dot, it looks whether that is a name of AWS', and reads the models of all its services for that:
        // 5 s of a processor and 450 MB at the first request.
        let (origin, control) = (format!("{scheme}://localhost:{port}"), format!("http://127.0.0.1:{control}"));
        let mut proxy = Self { child, directory, origin, control };
        let started = Instant::now();
        while proxy.control("GET", "health").send().status != 200 {
            let is_over = started.elapsed() > START || proxy.child.try_wait().unwrap().is_some();
            assert!(!is_over, "the proxy did not start: {}", proxy.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        proxy
    }

    /// The origin to give to clients in place of the server's.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// From now on `broken` of every `broken + whole` requests in a row meet this fault, beginning with the next one: an
    /// object with `error`, `latency` in ms, `reset` or `response`, or for bytes `corrupt` or `cut_reply`, as microburst's
    /// documentation has it. Where bytes are passed it counts pieces of connections, so `whole` has to be 0 there.
    #[track_caller]
    pub fn set(&self, broken: u32, whole: u32, fault: &Json) {
        let mut rule = fault.clone();
        rule["sequence"] = json!({ "fail": broken, "pass": whole });
        self.control("POST", "rules").json(&json!([rule]).to_string()).send().has_status(200);
    }

    /// From now on everything is passed on as it is.
    #[track_caller]
    pub fn clear(&self) {
        self.control("POST", "rules").json("[]").send().has_status(200);
    }

    /// What was done so far.
    #[track_caller]
    pub fn passed(&self) -> Passed {
        let told = self.control("GET", "stats").send().has_status(200).json();
        let count = |what: &str| told["requests"][what].as_u64().unwrap();
        Passed { seen: count("total"), faulted: count("faulted"), forwarded: count("forwarded") }
    }

    fn control(&self, method: &str, path: &str) -> Curl {
        Curl::new(method, &format!("{}/_microburst/{path}", self.control))
    }

    /// What the proxy wrote about itself.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}
