//! TLS: whom the broker trusts.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use forge_broker::{Egress, Refusal};
use forge_core::grant::{Grant, NetworkClass};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::setup::{Scripted, get, options, with_token};

/// A certificate authority made for one test.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// Serves `hello` over TLS with a certificate for `name`; answers the port.
fn serve(
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> u16 {
    serve_until(authority, name, versions, 4096)
}

/// The same with a certificate that ends with this year.
fn serve_until(
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    versions: &[&'static rustls::SupportedProtocolVersion],
    last_year: i32,
) -> u16 {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.not_after = rcgen::date_time_ymd(last_year, 12, 31);
    let certificate = parameters.signed_by(&key, authority).unwrap();
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            // A client that does not trust the certificate hangs up here.
            if matches!(tls.read(&mut [0; 4096]), Ok(count) if count > 0) {
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello");
                let _ = tls.flush();
            }
        }
    });
    port
}

async fn ask(port: u16, tls_ca: Option<String>) -> Result<u16, Refusal> {
    let origin = format!("https://vault.example:{port}");
    let grant = Grant { tls_ca, networks: [(origin.clone(), NetworkClass::Loopback)].into(), ..with_token(&origin) };
    let mut options = options();
    options.dns = Some(Scripted::new(&[&["127.0.0.1"]]));
    let egress = Egress::open(&grant, &options).unwrap();
    egress.call().send(get(&origin, "/v1/secret/x")).await.map(|response| response.status)
}

fn refused(outcome: Result<u16, Refusal>) -> String {
    match outcome {
        Err(Refusal::Unreachable(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_providers_own_authority_is_trusted_and_no_other() {
    let (own, other) = (authority(), authority());
    let port = serve(&own, "vault.example", rustls::ALL_VERSIONS);
    assert_eq!(ask(port, Some(own.pem())).await, Ok(200));
    assert!(refused(ask(port, Some(other.pem())).await).contains("not trusted"));
    assert!(refused(ask(port, None).await).contains("not trusted"), "the platform does not know this authority");
    assert_eq!(ask(port, Some(format!("{}{}", other.pem(), own.pem()))).await, Ok(200));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let own = authority();
    let port = serve(&own, "other.example", rustls::ALL_VERSIONS);
    let text = refused(ask(port, Some(own.pem())).await);
    assert!(text.contains("not trusted") && text.contains("another name") && text.contains("other.example"), "{text}");
}

#[tokio::test]
async fn a_certificate_whose_time_is_over_is_refused_by_that_name() {
    let own = authority();
    let port = serve_until(&own, "vault.example", rustls::ALL_VERSIONS, 2001);
    let text = refused(ask(port, Some(own.pem())).await);
    assert!(text.contains("not trusted") && text.contains("has expired"), "{text}");
}

#[tokio::test]
async fn tls_1_2_is_spoken() {
    let own = authority();
    let port = serve(&own, "vault.example", &[&rustls::version::TLS12]);
    assert_eq!(ask(port, Some(own.pem())).await, Ok(200));
}

#[tokio::test]
async fn an_authority_that_is_no_certificate_is_refused_in_words() {
    let port = serve(&authority(), "vault.example", rustls::ALL_VERSIONS);
    for text in ["", "not pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(refused(ask(port, Some(text.to_owned())).await).contains("TLS"), "{text:?}");
    }
}
