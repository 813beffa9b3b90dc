//! Ways that profiles say their keys are got by.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;

const KEYS: &str = "aws_access_key_id = AKIDEXAMPLEEXAMPLE\naws_secret_access_key=canary/With=Signs\n";
const ROLE: &str = "role_arn = arn:aws:iam::111122223333:role/reader\n";

fn way(credentials: &str, config: &str, name: &str) -> Result<Way, String> {
    let text = |text: &str| (!text.is_empty()).then(|| SecretString::from(text));
    Files { credentials: text(credentials), config: text(config) }.way(name)
}

fn key(way: Way) -> Found {
    match way.base {
        Base::Key(found) => found,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn the_key_of_one_profile_is_read_and_those_of_others_are_not() {
    let text = format!("# mine\n[other]\naws_access_key_id = X\nrole_arn = y\n\n[ dev ]\nregion = x\n{KEYS}; end\n");
    let dev = key(way(&text, "", "dev").unwrap());
    assert_eq!(dev.access_key_id.expose_secret(), "AKIDEXAMPLEEXAMPLE");
    assert_eq!(dev.secret_access_key.expose_secret(), "canary/With=Signs");
    assert!(dev.session_token.is_none());
    let text = format!("[profile dev]\n{KEYS}AWS_SESSION_TOKEN = t=\n");
    assert_eq!(key(way("", &text, "dev").unwrap()).session_token.unwrap().expose_secret(), "t=");
}

#[test]
fn of_both_files_the_one_for_credentials_counts_first() {
    let config = format!("[profile dev]\nregion = x\n{}", KEYS.replace("AKIDEXAMPLEEXAMPLE", "OTHER"));
    let dev = key(way(&format!("[dev]\n{KEYS}"), &config, "dev").unwrap());
    assert_eq!(dev.access_key_id.expose_secret(), "AKIDEXAMPLEEXAMPLE");
}

#[test]
fn a_key_is_taken_out_of_one_file_as_a_whole() {
    let old = format!("[profile dev]\n{KEYS}aws_session_token = old\n");
    let new = KEYS.replace("AKIDEXAMPLEEXAMPLE", "AKIDNEWNEWNEWNEW1");
    let dev = key(way(&format!("[dev]\n{new}"), &old, "dev").unwrap());
    assert_eq!(dev.access_key_id.expose_secret(), "AKIDNEWNEWNEWNEW1");
    assert!(dev.session_token.is_none());
    // A program counts before a key beside it in the file for configuration, and behind one in the other file.
    let both = format!("{old}credential_process = /bin/x # y\n");
    assert!(matches!(way("", &both, "dev").unwrap().base, Base::Process(command) if command == "/bin/x # y"));
    assert!(matches!(way(&format!("[dev]\n{new}"), &both, "dev").unwrap().base, Base::Key(_)));
}

#[test]
fn a_source_with_a_key_of_its_own_gives_that_key_and_not_its_role() {
    let config = format!(
        "[profile a]\n{ROLE}source_profile = b\n[profile b]\n{}source_profile = c\n{KEYS}",
        ROLE.replace("reader", "hop")
    );
    let way = way("", &config, "a").unwrap();
    assert!(matches!(way.base, Base::Key(_)));
    assert_eq!(way.roles.len(), 1);
    assert!(way.roles[0].arn.ends_with("role/reader"));
}

#[test]
fn a_key_beside_a_session_for_other_services_is_a_key() {
    assert!(matches!(way("", &format!("[profile a]\nsso_session = s\n{KEYS}"), "a").unwrap().base, Base::Key(_)));
}

#[test]
fn roles_are_assumed_from_the_last_profile_to_the_first() {
    let config = format!(
        "[profile a]\n{ROLE}source_profile = b\nexternal_id = x1\nmfa_serial = arn:aws:iam::1:mfa/me\n\
         [profile b]\n{}source_profile = c\nduration_seconds = 900\n",
        ROLE.replace("reader", "hop")
    );
    let way = way(&format!("[c]\n{KEYS}"), &config, "a").unwrap();
    assert!(matches!(way.base, Base::Key(_)));
    let arns: Vec<&str> = way.roles.iter().map(|role| role.arn.as_str()).collect();
    assert_eq!(arns, ["arn:aws:iam::111122223333:role/hop", "arn:aws:iam::111122223333:role/reader"]);
    assert_eq!(way.roles.iter().map(|role| role.duration).collect::<Vec<_>>(), [Some(900), None]);
    assert_eq!(way.roles.last().unwrap().external_id.as_deref(), Some("x1"));
    assert_eq!(way.roles.last().unwrap().mfa_serial.as_deref(), Some("arn:aws:iam::1:mfa/me"));
}

#[test]
fn a_role_that_names_its_own_profile_is_assumed_with_the_key_beside_it() {
    let way = way(&format!("[a]\n{ROLE}source_profile = a\n{KEYS}"), "", "a").unwrap();
    assert!(matches!(way.base, Base::Key(_)) && way.roles.len() == 1);
}

#[test]
fn the_other_ways_to_a_key_are_told_apart() {
    let of = |lines: &str| {
        way(
            "",
            &format!("[profile a]\n{lines}[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://x\n"),
            "a",
        )
    };
    assert!(matches!(of(&format!("{ROLE}credential_source = Ec2InstanceMetadata\n")).unwrap().base, Base::Instance));
    assert!(matches!(of(&format!("{ROLE}credential_source = EcsContainer\n")).unwrap().base, Base::Container));
    assert!(matches!(of(&format!("{ROLE}credential_source = Environment\n")).unwrap().base, Base::Environment));
    assert!(
        matches!(of("credential_process = /bin/x y\n").unwrap().base, Base::Process(command) if command == "/bin/x y")
    );
    let web = of(&format!("{ROLE}web_identity_token_file = /run/token\n")).unwrap();
    assert!(matches!(web.base, Base::WebIdentity { token, .. } if token.as_os_str() == "/run/token"));
    let sso = |session: &str, cached_as: &str| {
        let text = format!("{session}sso_account_id = 111122223333\nsso_role_name = r\n");
        matches!(of(&text).unwrap().base, Base::Sso(sso) if sso.cached_as == cached_as && sso.region == "eu-west-1")
    };
    assert!(sso("sso_session = s\n", "s"));
    assert!(sso("sso_start_url = https://x\nsso_region = eu-west-1\n", "https://x"));
}

#[test]
fn a_profile_that_can_not_be_told_is_refused_without_its_values() {
    for (text, rule) in [
        (String::new(), "not there"),
        (format!("[dev]\n{KEYS}[prod]\n{KEYS}[dev]\n"), "twice"),
        (format!("[dev]\n{KEYS}{KEYS}"), "twice"),
        ("[dev]\naws_access_key_id = AKIDEXAMPLEEXAMPLE\n".to_owned(), "no `aws_access_key_id`"),
        (format!("[dev]\n{ROLE}"), "without a `source_profile`"),
        (format!("[dev]\n{ROLE}source_profile = canary\n"), "not there"),
        (format!("[dev]\n{ROLE}source_profile = a\n[a]\n{ROLE}source_profile = dev\n"), "names itself"),
        (format!("[dev]\n{ROLE}source_profile = a\ncredential_source = Environment\n"), "more than one"),
        (format!("[dev]\n{ROLE}credential_source = canary\n"), "not known"),
        (format!("[dev]\n{ROLE}web_identity_token_file = canary\n"), "absolute"),
        (format!("[dev]\n{ROLE}source_profile = dev\nduration_seconds = canary\n{KEYS}"), "no number"),
        (format!("[dev]\nrole_arn = canary\n{KEYS}"), "no ARN"),
        ("[dev]\nsso_session = canary\nsso_account_id = 1\n".to_owned(), "not there"),
        ("[dev]\nsso_account_id = canary\nsso_region = x\n".to_owned(), "no `sso_start_url`"),
        ("[dev]\nlogin_session = canary\n".to_owned(), "`login_session`"),
    ] {
        let error = way(&text, "", "dev").unwrap_err();
        assert!(error.contains(rule) && !error.contains("canary"), "{error}");
    }
}

#[test]
fn the_name_of_a_profile_is_plain() {
    for name in ["", " a", "a]", "a\nb", "[a", &"a".repeat(200)] {
        assert!(check_name(name).is_err(), "{name}");
    }
    assert!(check_name("dev account-2").is_ok());
}
