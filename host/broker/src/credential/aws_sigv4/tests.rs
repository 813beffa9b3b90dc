//! What the parameters of an access key may be, and for what it signs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::credential::{parse_credential, usual_audience, usual_sources};

fn parameters(text: &str) -> Parameters {
    parse_credential(&format!("aws-sigv4,{text}")).unwrap().1
}

const ROLE: &str = "role=arn:aws:iam::111122223333:role/reader";
const KEY: &str = "access-key-id=env:I,secret-access-key=env:S";

#[test]
fn a_key_is_its_two_parts_or_a_profile() {
    for text in [
        KEY.to_owned(),
        format!("{KEY},session-token=env:T"),
        format!("{KEY},region=eu-central-1,service=secretsmanager,login-endpoint=http://127.0.0.1:5000"),
        "profile=dev,credentials-file=file:/c".to_owned(),
        "profile=dev,config-file=file:/c,credential-process=allow".to_owned(),
        format!("{KEY},{ROLE},external-id=x1,mfa-serial=arn:aws:iam::111122223333:mfa/me,session-name=ci"),
        "method=instance".to_owned(),
        format!("method=instance,{ROLE},metadata-endpoint=http://127.0.0.1:1338"),
        "method=container,container-uri=env:U,container-token=env:T".to_owned(),
        format!("method=web-identity,web-identity-token=file:/t,{ROLE}"),
    ] {
        assert!(check(&parameters(&text)).is_ok(), "{text}");
    }
    for text in [
        "access-key-id=env:I".to_owned(),
        "secret-access-key=env:S".to_owned(),
        "profile=dev".to_owned(),
        format!("{KEY},profile=dev,credentials-file=file:/c"),
        format!("{KEY},credentials-file=file:/c"),
        format!("{KEY},region=europe"),
        format!("{KEY},region=eu-central-1.evil.example"),
        format!("{KEY},service=sts"),
        format!("{KEY},service=iam"),
        format!("{KEY},login-endpoint=https://l.example/path"),
        format!("{KEY},method=instance"),
        format!("{KEY},external-id=x1"),
        format!("{KEY},credential-process=allow"),
        format!("{KEY},web-identity-token=file:/t"),
        format!("{KEY},role=reader"),
        format!("{KEY},role=arn:aws:iam::111122223333:user/dev"),
        format!("{KEY},{ROLE},external-id=a b"),
        "profile=dev,config-file=file:/c,credential-process=yes".to_owned(),
        "method=instance,metadata-endpoint=169.254.169.254".to_owned(),
        "method=imds".to_owned(),
        "method=container".to_owned(),
        "method=web-identity,web-identity-token=file:/t".to_owned(),
        format!("method=web-identity,{ROLE}"),
    ] {
        assert!(check(&parameters(&text)).is_err(), "{text}");
    }
}

#[test]
fn a_key_of_the_environment_counts_as_a_whole_or_not_at_all() {
    let names = |text: &str| -> Vec<&str> {
        let given = if text.is_empty() { Parameters::new() } else { parameters(text) };
        usual_sources("aws-sigv4", &given).iter().map(|usual| usual.parameter).collect()
    };
    assert_eq!(names(""), ["access-key-id", "secret-access-key", "session-token"]);
    assert_eq!(names("region=eu-central-1").len(), 3);
    assert_eq!(names("profile=dev"), ["credentials-file", "config-file"]);
    assert_eq!(names("method=container"), ["container-uri", "container-token"]);
    assert_eq!(names("method=web-identity"), ["web-identity-token"]);
    assert_eq!(names("method=instance"), [""; 0]);
    for given in ["access-key-id=env:MINE", KEY, "profile=dev,credentials-file=file:/c,config-file=file:/d"] {
        assert_eq!(names(given), [""; 0], "{given}");
    }
}

#[test]
fn a_key_goes_to_the_names_of_aws_itself_unasked_and_nowhere_else() {
    let audience = |origins: &[&str]| {
        let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        usual_audience("aws-sigv4", &origins).map(|audience| audience.len())
    };
    assert_eq!(audience(&["https://secretsmanager.eu-central-1.amazonaws.com"]), Some(1));
    assert_eq!(
        audience(&["https://secretsmanager.eu-central-1.amazonaws.com", "https://ssm.eu-central-1.amazonaws.com"]),
        Some(2)
    );
    assert_eq!(audience(&["http://127.0.0.1:5000"]), None);
    assert_eq!(audience(&["https://secretsmanager.eu-central-1.amazonaws.com", "https://evil.example"]), None);
}

#[test]
fn region_and_service_are_those_of_the_name_and_elsewhere_those_that_were_typed() {
    let of = |more: &str, origin: &str| scope(&parameters(&format!("{KEY}{more}")), origin);
    let own = "https://secretsmanager.eu-central-1.amazonaws.com";
    let expected = Scope { region: "eu-central-1".to_owned(), service: "secretsmanager".to_owned() };
    assert_eq!(of("", own).unwrap(), expected);
    assert_eq!(of(",region=eu-central-1", own).unwrap(), expected);
    assert!(of(",region=us-east-1", own).is_err());
    assert!(of(",service=ssm", own).is_err());
    let other = "http://127.0.0.1:5000";
    assert_eq!(of(",region=eu-central-1,service=secretsmanager", other).unwrap(), expected);
    assert!(of("", other).unwrap_err().to_string().contains("`region=…`"));
    assert!(of(",region=eu-central-1", other).is_err());
}
