//! Identities for logins: certificates of an authority made for one test, tokens that a key signed, and a stand-in for
//! the one question that Vault asks of Kubernetes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SigningKey as _,
};
use serde_json::{Value as Json, json};

/// A certificate authority of one test, whose files lie in one directory.
#[derive(Debug)]
pub struct Authority {
    directory: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key as files in PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key, PKCS #8.
    pub key: PathBuf,
}

impl Authority {
    /// An authority whose files go to this directory; `authority.pem` is its certificate.
    pub fn new(directory: &Path) -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "authority of a test");
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        std::fs::create_dir_all(directory).unwrap();
        std::fs::write(directory.join("authority.pem"), issuer.pem()).unwrap();
        Self { directory: directory.to_owned(), issuer }
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.directory.join("authority.pem")
    }

    /// A certificate for a server at 127.0.0.1, or for a client of this name, that ends with this year.
    pub fn sign(&self, name: &str, is_server: bool, last_year: i32) -> Identity {
        let key = KeyPair::generate().unwrap();
        let names = if is_server { vec!["127.0.0.1".to_owned()] } else { vec![name.to_owned()] };
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.not_after = rcgen::date_time_ymd(last_year, 12, 31);
        let usage = if is_server { ExtendedKeyUsagePurpose::ServerAuth } else { ExtendedKeyUsagePurpose::ClientAuth };
        parameters.extended_key_usages = vec![usage];
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let path = |ending: &str| self.directory.join(format!("{name}-{last_year}.{ending}.pem"));
        let identity = Identity { certificate: path("certificate"), key: path("key") };
        std::fs::write(&identity.certificate, certificate.pem()).unwrap();
        std::fs::write(&identity.key, key.serialize_pem()).unwrap();
        identity
    }
}

/// A key that signs JSON Web Tokens (RFC 7519, EdDSA of RFC 8037).
#[derive(Debug)]
pub struct Signer {
    key: KeyPair,
}

impl Default for Signer {
    fn default() -> Self {
        Self::new()
    }
}

impl Signer {
    /// A new key.
    pub fn new() -> Self {
        Self { key: KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap() }
    }

    /// The public key in PEM.
    pub fn public_key(&self) -> String {
        self.key.public_key_pem()
    }

    /// A token with these claims.
    pub fn token(&self, claims: &Json) -> String {
        let signed = unsigned(&json!({ "alg": "EdDSA", "typ": "JWT" }), claims);
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()).unwrap());
        format!("{signed}.{signature}")
    }
}

fn unsigned(header: &Json, claims: &Json) -> String {
    let part = |part: &Json| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// What a pod finds in its file: a token of the service account `app` of the namespace `team`.
pub fn service_account_token() -> String {
    let claims = json!({
        "iss": "https://kubernetes.default.svc",
        "sub": "system:serviceaccount:team:app",
        "iat": 1_600_000_000,
        "nbf": 1_600_000_000,
        "exp": 4_102_444_800_u64,
        "kubernetes.io": { "namespace": "team", "serviceaccount": { "name": "app", "uid": "uid-of-app" } },
    });
    // Vault does not check the signature: it asks Kubernetes.
    format!("{}.{}", unsigned(&json!({ "alg": "ES256", "typ": "JWT" }), &claims), URL_SAFE_NO_PAD.encode([7; 64]))
}

/// Answers TokenReview (Kubernetes API, authentication.k8s.io/v1): only this token is one of the account `app`.
///
/// Answers the address; the thread ends with the test's process.
pub fn token_review(known: &str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let known = known.to_owned();
    std::thread::spawn(move || listener.incoming().for_each(|stream| review(stream.unwrap(), &known)));
    address
}

fn review(stream: TcpStream, known: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    let mut first = String::new();
    while reader.read_line(&mut line).unwrap_or_default() > 2 {
        if first.is_empty() {
            first.clone_from(&line);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    assert!(first.starts_with("POST /apis/authentication.k8s.io/v1/tokenreviews "), "{first}");
    let asked: Json = serde_json::from_slice(&body).unwrap();
    let status = if asked["spec"]["token"] == known {
        let user = json!({
            "username": "system:serviceaccount:team:app",
            "uid": "uid-of-app",
            "groups": ["system:serviceaccounts", "system:serviceaccounts:team"],
        });
        json!({ "authenticated": true, "user": user })
    } else {
        json!({ "authenticated": false, "error": "invalid bearer token" })
    };
    let answer =
        json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status }).to_string();
    let head = format!(
        "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(answer.as_bytes())).unwrap_or_default();
}
