//! Azure as the files beside this one play it: a Key Vault that Azure's own Python clients work with, and the endpoint of
//! Entra ID that gives applications their tokens, with its checks by PyJWT.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::identity::{Authority, Signer};
use super::{Curl, Fetched, free_port};

/// How long the server may take until it answers on a busy machine; it usually takes less than 1 s.
const START: Duration = Duration::from_secs(60);

/// The tenant.
pub const TENANT: &str = "11111111-2222-3333-4444-555555555555";
/// The application that logs in.
pub const CLIENT: &str = "aaaaaaaa-0000-0000-0000-000000000001";
/// Its object in the tenant.
pub const OBJECT: &str = "aaaaaaaa-0000-0000-0000-000000000002";
/// Its secret.
pub const SECRET: &str = "s3cr~t.Q8+canary";
/// A secret that it had once.
pub const EXPIRED: &str = "0ld~s3cret";
/// Whom the application trusts to log in for it.
pub const ISSUER: &str = "https://cluster.example";
/// As whom that one speaks.
pub const SUBJECT: &str = "system:serviceaccount:team:app";
/// For whom such a token has to be ("Workload identity federation").
pub const EXCHANGE: &str = "api://AzureADTokenExchange";

/// What each script of [`Azure::client`] begins with: clients of Azure's own with the application's secret, and a way to
/// answer. They know this vault by another name than Azure's, so the check of names is off, as for any such vault.
const PRELUDE: &str = r#"
import datetime, json, sys
from azure.core.exceptions import *
from azure.identity import CertificateCredential, ClientSecretCredential
from azure.keyvault.secrets import SecretClient
origin, tenant, application, secret, pem = sys.argv[1:6]
own = dict(authority=origin, disable_instance_discovery=True)
def client(credential=None):
    credential = credential or ClientSecretCredential(tenant, application, secret, **own)
    return SecretClient(origin, credential, verify_challenge_resource=False)
def answer(value):
    print(json.dumps(value, default=str))
"#;

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Azure {
    child: Child,
    directory: tempfile::TempDir,
    origin: String,
    /// The key with which the application's issuer signs tokens for it.
    pub issuer: Signer,
}

impl Default for Azure {
    fn default() -> Self {
        Self::start()
    }
}

impl Azure {
    /// A server with one application, which may do everything with the secrets.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let server = Authority::new(directory.path()).sign("server", true, 4000);
        let issuer = Signer::new();
        let certificate = application_certificate(directory.path());
        let application = json!({
            "id": CLIENT,
            "object_id": OBJECT,
            "secret": SECRET,
            "expired_secret": EXPIRED,
            "certificates": [certificate],
            "federated": { "key": issuer.public_key(), "issuer": ISSUER, "subject": SUBJECT },
        });
        let configuration = json!({
            "port": port,
            "certificate": server.certificate,
            "key": server.key,
            "tenant": TENANT,
            "applications": [application],
        });
        let file = directory.path().join("configuration.json");
        std::fs::write(&file, configuration.to_string()).unwrap();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let mut command = python(directory.path());
        command.arg(crate::world::root().join("tests/servers/azure/server.py")).arg(file);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let mut azure = Self { child, directory, origin: format!("https://127.0.0.1:{port}"), issuer };
        let started = Instant::now();
        while azure.curl("GET", "control/received").send().status != 200 {
            let is_over = started.elapsed() > START || azure.child.try_wait().unwrap().is_some();
            assert!(!is_over, "the server did not start: {}", azure.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        azure
    }

    /// The vault's origin, such as `https://127.0.0.1:5000`, which is that of the logins as well.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The certificate of the authority that signed the server's own.
    pub fn ca(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// The application's key and certificate, in one file in PEM.
    pub fn application_pem(&self) -> PathBuf {
        self.directory.path().join("application.pem")
    }

    /// Runs a script with Azure's own clients, which know nothing of forge, and answers what it gave to `answer`.
    #[track_caller]
    pub fn client(&self, script: &str) -> Json {
        let mut command = python(self.directory.path());
        command.arg("-c").arg(format!("{PRELUDE}{script}"));
        command.args([&self.origin, TENANT, CLIENT, SECRET]).arg(self.application_pem());
        command.env("REQUESTS_CA_BUNDLE", self.ca()).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "Azure's client: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Json::Null)
    }

    /// Every request so far but those of [`Azure::set`] and its like: `method`, `target`, `token`, `length`, `body`.
    pub fn received(&self) -> Vec<Json> {
        self.curl("GET", "control/received").send().json().as_array().unwrap().clone()
    }

    /// Changes how the server behaves, by the names that `server.py` lists.
    #[track_caller]
    pub fn set(&self, values: &Json) {
        self.curl("POST", "control/set").json(&values.to_string()).send().has_status(200);
    }

    /// From now on no token counts that was given so far.
    pub fn forget_tokens(&self) {
        self.curl("POST", "control/forget").json("{}").send().has_status(200);
    }

    /// Makes as many secrets, `many-00000` and so on.
    pub fn fill(&self, count: u32) {
        self.curl("POST", "control/fill").json(&count.to_string()).send().has_status(200);
    }

    /// A request by curl.
    pub fn curl(&self, method: &str, path: &str) -> Curl {
        Curl::new(method, &format!("{}/{path}", self.origin)).trusting(&self.ca())
    }

    /// What the endpoint of the logins answers to these fields of a form.
    pub fn token(&self, tenant: &str, form: &str) -> Fetched {
        let request = self.curl("POST", &format!("{tenant}/oauth2/v2.0/token"));
        request.header("content-type", "application/x-www-form-urlencoded").body(form).send()
    }

    /// What the server wrote about itself.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Azure {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

/// A certificate as an administrator makes one for an application, by a tool that knows nothing of forge.
fn application_certificate(directory: &Path) -> String {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=application"]);
    command.args(["-keyout", "application.key", "-out", "application.crt"]).current_dir(directory);
    let made = command.stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(made.success(), "openssl made no certificate");
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    let certificate = read("application.crt");
    std::fs::write(directory.join("application.pem"), read("application.key") + &certificate).unwrap();
    certificate
}

fn python(home: &Path) -> Command {
    let python = crate::world::root().join("target/servers/bin/python");
    assert!(python.exists(), "`{}` is not there: run `make setup` first", python.display());
    let mut command = Command::new(python);
    // No files of compiled code beside the sources.
    command.arg("-B").env_clear().env("HOME", home);
    command
}
