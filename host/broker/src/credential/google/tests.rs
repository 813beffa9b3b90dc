//! Tests of what a person types for a login to Google, and of what files say.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use secrecy::SecretString;

use super::file::{File, Place, Read};
use super::*;

fn refused(text: &str) -> bool {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    check(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()).is_err()
}

#[test]
fn one_way_to_log_in_is_given_with_the_endpoints_that_belong_to_it() {
    for text in [
        "credentials=file:/a.json",
        "service-account=env:KEY",
        "service-account=store://local/key,login-endpoint=https://login.example",
        "credentials=file:/a,subject-endpoint=http://127.0.0.1:1,quota-project=my-project-1",
        "method=metadata",
        "method=metadata,metadata-endpoint=http://127.0.0.1:1",
    ] {
        assert!(!refused(text), "{text}");
    }
    for text in [
        "",
        "quota-project=p",
        "credentials=file:/a,service-account=file:/b",
        "credentials=/a.json",
        "method=metadata,credentials=file:/a",
        "method=metadata,login-endpoint=https://login.example",
        "method=gcloud",
        "credentials=file:/a,metadata-endpoint=http://127.0.0.1:1",
        "credentials=file:/a,login-endpoint=https://login.example/token",
        "credentials=file:/a,login-endpoint=https://u:p@login.example",
        "credentials=file:/a,quota-project=a b",
    ] {
        assert!(refused(text), "{text}");
    }
}

#[test]
fn a_person_is_shown_each_endpoint_of_googles_own_unless_another_one_was_typed() {
    let shown = |text: &str| {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        logs_in_at(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    };
    assert_eq!(shown("service-account=env:K"), [TOKENS]);
    assert_eq!(shown("credentials=env:K"), [TOKENS, EXCHANGE, IMPERSONATION]);
    assert_eq!(shown("method=metadata"), [metadata::ORIGIN]);
    assert!(shown("credentials=env:K,login-endpoint=https://login.example").is_empty());
}

fn read(text: &str) -> Result<Read, String> {
    Read::parse(&SecretString::from(text), false)
}

fn external(source: &str, more: &str) -> String {
    format!(
        r#"{{"type":"external_account","audience":"//iam.googleapis.com/x","subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"https://sts.googleapis.com/v1/token","credential_source":{source}{more}}}"#
    )
}

#[test]
fn a_file_that_logs_nobody_in_is_told_by_what_it_is() {
    for (text, expected) in [
        ("not json canary", "is no JSON file"),
        ("-----BEGIN PRIVATE KEY-----\ncanary", "is a key in PEM"),
        (r#"{"installed":{"client_id":"canary"}}"#, "the id of an OAuth client"),
        (r#"{"type":"impersonated_service_account"}"#, "an impersonation"),
        (r#"{"type":"external_account_authorized_user"}"#, "workforce pool"),
        (r#"{"type":"canary"}"#, "a `type` that this credential does not know"),
        (r#"{"a":"canary"}"#, "has no `type`"),
        (r#"{"type":"service_account"}"#, "has no `private_key`"),
        (r#"{"type":"service_account","private_key":"canary"}"#, "no PKCS #8 key"),
        (r#"{"type":"service_account","private_key":"x","token_uri":"https://evil.example/canary"}"#, "`token_uri`"),
        (r#"{"type":"authorized_user","client_id":"a"}"#, "has no `client_secret`"),
        (r#"{"type":"authorized_user","universe_domain":"canary.example"}"#, "another universe"),
        (&external(r#"{"executable":{"command":"canary"}}"#, ""), "from a program"),
        (&external(r#"{"environment_id":"aws1"}"#, ""), "from a program, AWS"),
        (&external(r#"{"file":"relative/canary"}"#, ""), "does not begin with `/`"),
        (&external("{}", ""), "without a `file` or a `url`"),
        // What `gcloud iam workload-identity-pools create-cred-config --azure` writes.
        (
            &external(r#"{"url":"http://169.254.169.254/metadata/identity/oauth2/token?resource=canary"}"#, ""),
            "metadata server of an Azure VM",
        ),
        (&external(r#"{"file":"/t"}"#, r#","workforce_pool_user_project":"canary""#), "workforce pool"),
        (
            &external(r#"{"file":"/t"}"#, "").replace(
                "//iam.googleapis.com/x",
                "//iam.googleapis.com/locations/global/workforcePools/canary/providers/y",
            ),
            "workforce pool",
        ),
        (
            &external(r#"{"file":"/t"}"#, r#","service_account_impersonation_url":"https://evil.example/canary""#),
            "`service_account_impersonation_url`",
        ),
        (
            &external(r#"{"file":"/t"}"#, "").replace("https://sts.googleapis.com/v1/token", "https://evil.example/"),
            "`token_url`",
        ),
    ] {
        let rule = read(text).map(|_| ()).unwrap_err();
        assert!(rule.contains(expected) && !rule.contains("canary"), "{rule}");
    }
}

#[test]
fn a_persons_login_and_a_workloads_are_read() {
    let user = r#"{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c","quota_project_id":"my-p"}"#;
    let user = read(user).unwrap();
    assert_eq!(user.quota_project.as_deref(), Some("my-p"));
    assert!(matches!(user.file, File::User { client_id, .. } if client_id == "a"));
    let account = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@p.iam.gserviceaccount.com:generateAccessToken";
    let more = format!(r#","service_account_impersonation_url":"{account}""#);
    let source = r#"{"file":"/t","format":{"type":"json","subject_token_field_name":"access_token"}}"#;
    let Ok(Read { file: File::External(found), .. }) = read(&external(source, &more)) else { panic!("no workload") };
    assert_eq!(found.account.as_deref(), Some("a@p.iam.gserviceaccount.com"));
    assert_eq!(found.subject.field.as_deref(), Some("access_token"));
    assert!(matches!(found.subject.place, Place::File(path) if path == "/t"));
}

#[test]
fn how_long_a_token_in_an_accounts_name_lives_is_what_the_file_says() {
    let lifetime = |seconds: &str| {
        let more = format!(r#","service_account_impersonation":{{"token_lifetime_seconds":{seconds}}}"#);
        match read(&external(r#"{"file":"/t"}"#, &more)) {
            Ok(Read { file: File::External(found), .. }) => Ok(found.lifetime),
            Ok(_) => panic!("no workload"),
            Err(rule) => Err(rule),
        }
    };
    assert_eq!((lifetime("600"), lifetime("43200"), lifetime("null")), (Ok(600), Ok(43_200), Ok(3600)));
    for seconds in ["599", "43201", "0", "-1", "900.5", "4294968196", "1e300"] {
        assert!(lifetime(seconds).unwrap_err().contains("600 to 43200"), "{seconds}");
    }
}
