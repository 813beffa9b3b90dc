//! What the kind takes as its parameters, and what follows from its audience.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

const ID: &str = "aaaaaaaa-0000-0000-0000-000000000001";

fn of(pairs: &[(&str, &str)]) -> Parameters {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn checked(pairs: &[(&str, &str)]) -> Result<(), Error> {
    crate::check_credential(KIND.name, &of(pairs))
}

#[test]
fn each_method_takes_what_it_needs_and_nothing_else() {
    let (secret, pem, file) =
        (("client-secret", "env:S"), ("client-certificate", "file:/c"), ("federated-token-file", "file:/t"));
    let id = ("client-id", ID);
    for good in [
        &[id, secret][..],
        &[("client-id", "env:I"), ("tenant", "env:T"), secret],
        &[("method", "secret"), id, secret, ("tenant", "contoso.onmicrosoft.com")],
        &[id, pem],
        &[("method", "certificate"), id, pem, ("login-endpoint", "https://login.example")],
        &[("method", "workload-identity"), id, file],
        &[("method", "managed-identity")],
        &[("method", "managed-identity"), id, ("login-endpoint", "http://127.0.0.1:42356")],
        &[("method", "cli"), ("tenant", ID)],
        &[id, secret, ("resource", "https://vault.azure.cn")],
    ] {
        let checked = checked(good);
        assert!(checked.is_ok(), "{good:?}: {checked:?}");
    }
    for bad in [
        &[][..],
        &[id],
        &[secret],
        &[id, secret, pem],
        &[("client-id", "hunter2"), secret],
        &[id, ("client-secret", "hunter2")],
        &[id, secret, ("tenant", "a/../b")],
        &[("method", "cli"), secret],
        &[("method", "cli"), ("login-endpoint", "https://login.example")],
        &[("method", "managed-identity"), ("tenant", ID)],
        &[("method", "password"), id],
        &[id, secret, ("login-endpoint", "http://login.example")],
        &[id, secret, ("login-endpoint", "https://login.example/x")],
        &[id, secret, ("resource", "https://management.azure.com")],
    ] {
        let error = checked(bad).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn what_a_token_is_for_follows_from_the_vaults_name_or_a_persons_word() {
    let login = |pairs: &[(&str, &str)], audience: &[&str]| {
        let audience: Vec<String> = audience.iter().map(|origin| (*origin).to_owned()).collect();
        cloud(&of(pairs), &audience).map(|cloud| cloud.login)
    };
    let china = "https://kv1.vault.azure.cn";
    assert_eq!(login(&[], &[china]).unwrap(), "https://login.chinacloudapi.cn");
    let own = "https://127.0.0.1:8443";
    assert!(login(&[], &[own]).unwrap_err().to_string().contains("`resource=…`"));
    let typed = [("resource", "https://vault.usgovcloudapi.net")];
    assert_eq!(login(&typed, &[own]).unwrap(), "https://login.microsoftonline.us");
    assert!(login(&typed, &[china]).unwrap_err().to_string().contains("another cloud"));
    assert!(login(&[], &[china, "https://kv1.vault.azure.net"]).is_err());
    assert!(login(&[], &[]).is_err());
}

#[test]
fn where_it_logs_in_is_the_clouds_own_place_unless_a_person_says_another() {
    let at = |pairs: &[(&str, &str)]| asks_at(&of(pairs), &["https://kv1.vault.azure.net".to_owned()]);
    assert_eq!(at(&[]).as_deref(), Some("https://login.microsoftonline.com"));
    assert_eq!(at(&[("login-endpoint", "https://l.example")]).as_deref(), Some("https://l.example"));
    assert_eq!(at(&[("method", "managed-identity")]).as_deref(), Some("http://169.254.169.254"));
    assert_eq!(at(&[("method", "cli")]), None);
}
