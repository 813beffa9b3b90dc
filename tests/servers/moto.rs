//! AWS as moto plays it: with a user, an access key and a policy, and from then on checking signatures and policies.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::{Curl, free_port};

/// How long the server may take until it answers on a busy machine; it usually takes 1 s.
const START: Duration = Duration::from_secs(60);

/// Where everything lies.
pub const REGION: &str = "eu-central-1";
/// The account that moto plays.
pub const ACCOUNT: &str = "123456789012";

/// Starts the server, with so many secrets in it: to make thousands by requests takes longer than to read them.
const START_SCRIPT: &str = r#"
import sys
from moto.secretsmanager.models import secretsmanager_backends
from moto.server import main
account, region, count = sys.argv[1:4]
backend = secretsmanager_backends[account][region]
# Its own store looks at every secret for each name; a plain one is filled in no time.
store, backend.secrets = backend.secrets, {}
for number in range(int(count)):
    backend._add_secret(f"many/{number:05}", secret_string=f"value {number}")
dict.update(store, backend.secrets)
backend.secrets = store
main(sys.argv[4:])
"#;

/// What each script of [`Moto::boto3`] begins with: clients with the server's key, and a way to answer.
const PRELUDE: &str = r#"
import boto3, json, sys
origin, region, key, secret = sys.argv[1:5]
def client(name, **more):
    keys = dict(aws_access_key_id=key, aws_secret_access_key=secret)
    return boto3.client(name, endpoint_url=origin, region_name=region, **{**keys, **more})
def answer(value):
    print(json.dumps(value, default=str))
"#;

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    directory: tempfile::TempDir,
    origin: String,
    /// The id of the user's access key.
    pub access_key_id: String,
    /// The secret of that key.
    pub secret_access_key: String,
}

impl Moto {
    /// A server whose user `forge` may do these actions on everything.
    pub fn start(actions: &[&str]) -> Self {
        Self::filled(actions, 0)
    }

    /// The same with the secrets `many/00000` and so on in it, so many, of the values `value 0` and so on.
    pub fn filled(actions: &[&str], count: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let mut command = python();
        command.args(["-c", START_SCRIPT, ACCOUNT, REGION, &count.to_string()]);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).env_clear().env("HOME", directory.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let mut server = Self {
            child,
            directory,
            origin: format!("http://127.0.0.1:{port}"),
            access_key_id: "setup".to_owned(),
            secret_access_key: "setup".to_owned(),
        };
        let started = Instant::now();
        while Curl::new("GET", &format!("{}/moto-api/data.json", server.origin)).send().status != 200 {
            let is_over = started.elapsed() > START || server.child.try_wait().unwrap().is_some();
            assert!(!is_over, "moto did not start: {}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        server.begin(actions);
        server
    }

    /// Makes the user and its key, and switches the checks on.
    fn begin(&mut self, actions: &[&str]) {
        let statement = serde_json::json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }]);
        let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
        let made = self.boto3(&format!(
            r#"
iam = client("iam")
iam.create_user(UserName="forge")
iam.put_user_policy(UserName="forge", PolicyName="tests", PolicyDocument={})
made = iam.create_access_key(UserName="forge")["AccessKey"]
answer([made["AccessKeyId"], made["SecretAccessKey"]])
"#,
            serde_json::to_string(&policy).unwrap()
        ));
        self.access_key_id = made[0].as_str().unwrap().to_owned();
        self.secret_access_key = made[1].as_str().unwrap().to_owned();
        self.lets_pass(0);
    }

    /// Lets so many requests pass unchecked, and checks from then on.
    pub fn lets_pass(&self, requests: u32) {
        let switch = Curl::new("POST", &format!("{}/moto-api/reset-auth", self.origin));
        switch.header("content-type", "text/plain").body(&requests.to_string()).send().has_status(200);
    }

    /// Runs a script with boto3, a client that knows nothing of forge, and answers what it gave to `answer`.
    #[track_caller]
    pub fn boto3(&self, script: &str) -> Json {
        let mut command = python();
        command.arg("-c").arg(format!("{PRELUDE}{script}"));
        command.args([&self.origin, REGION, &self.access_key_id, &self.secret_access_key]);
        command.env_clear().env("HOME", self.directory.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "boto3: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Json::Null)
    }

    /// The origin of every service, such as `http://127.0.0.1:5000`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What the server wrote about itself.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

/// The interpreter that the servers and their clients are installed for.
///
/// # Panics
///
/// They are not installed.
pub fn python() -> Command {
    let python = crate::world::root().join("target/servers/bin/python");
    assert!(python.exists(), "`{}` is not there: run `make setup` first", python.display());
    Command::new(python)
}
