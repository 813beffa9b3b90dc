//! Google Cloud as drongo plays it, behind a front that checks tokens and checksums (`google.py`).

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{Curl, free_port};

/// How long the server may take until it answers on a busy machine; it usually takes 2 s.
const START: Duration = Duration::from_secs(60);

/// The project that everything lies in.
pub const PROJECT: &str = "my-project";
/// The account whose key the server knows.
pub const ACCOUNT: &str = "forge@my-project.iam.gserviceaccount.com";

/// What each script of [`Google::client`] begins with: Google's own client with the account's key, and a way to answer.
const PRELUDE: &str = r#"
import json, sys
from google.auth.transport.requests import Request
from google.cloud import secretmanager
from google.oauth2 import credentials, service_account
origin, key = sys.argv[1:3]
scopes = ["https://www.googleapis.com/auth/cloud-platform"]
account = service_account.Credentials.from_service_account_info(dict(json.load(open(key)), token_uri=origin + "/token"), scopes=scopes)
# It would send assertions in place of tokens; one who has a token sends that.
account.refresh(Request())
account = credentials.Credentials(account.token)
client = secretmanager.SecretManagerServiceClient(credentials=account, transport="rest", client_options=dict(api_endpoint=origin))
project = "projects/my-project"
def answer(value):
    print(json.dumps(value, default=str))
"#;

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Google {
    child: Child,
    directory: tempfile::TempDir,
    origin: String,
}

impl Default for Google {
    fn default() -> Self {
        Self::start()
    }
}

impl Google {
    /// A server with an empty project and the key of one account.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let mut command = python();
        command.arg(crate::world::root().join("tests/servers/google.py")).arg(directory.path());
        command.arg(port.to_string()).env_clear().env("HOME", directory.path()).env("AUTHLIB_INSECURE_TRANSPORT", "1");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let mut server = Self { child, directory, origin: format!("http://127.0.0.1:{port}") };
        let started = Instant::now();
        while Curl::new("POST", &format!("{}/front", server.origin)).json("{}").send().status != 200 {
            let is_over = started.elapsed() > START || server.child.try_wait().unwrap().is_some();
            assert!(!is_over, "the server did not start: {}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// Changes what the front does, and answers how things are: tokens `issued`, `requests` since the last time, and the
    /// `audience` of the last assertion.
    #[track_caller]
    pub fn front(&self, change: &Json) -> Json {
        Curl::new("POST", &format!("{}/front", self.origin)).json(&change.to_string()).send().has_status(200).json()
    }

    /// The requests to Secret Manager since the last time.
    #[track_caller]
    pub fn requests(&self) -> Vec<String> {
        let told = self.front(&json!({}));
        told["requests"].as_array().unwrap().iter().map(|request| request.as_str().unwrap().to_owned()).collect()
    }

    /// Runs a script with Google's own client, which knows nothing of forge, and answers what it gave to `answer`.
    #[track_caller]
    pub fn client(&self, script: &str) -> Json {
        let mut command = python();
        command.arg("-c").arg(format!("{PRELUDE}{script}")).args([&self.origin, &self.key()]);
        command.env_clear().env("HOME", self.directory.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "Google's client: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Json::Null)
    }

    /// The file of the account's key.
    pub fn key(&self) -> String {
        self.directory.path().join("key.json").to_str().unwrap().to_owned()
    }

    /// The origin of everything, such as `http://127.0.0.1:5000`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The account's credential with its logins at this server.
    pub fn credential(&self) -> String {
        format!("google,service-account=file:{},login-endpoint={}", self.key(), self.origin)
    }

    /// What the server wrote about itself.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Google {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

fn python() -> Command {
    let python = crate::world::root().join("target/servers/bin/python");
    assert!(python.exists(), "`{}` is not there: run `make setup` first", python.display());
    Command::new(python)
}
