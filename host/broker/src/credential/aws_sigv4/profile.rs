//! The file that AWS' own tools share: one profile's access key out of it, and what a profile may not be.
//!
//! Source: "AWS SDKs and Tools Reference Guide, Shared config and credentials files", "Format of the shared files".

use secrecy::{ExposeSecret as _, SecretString};

use super::KIND;
use crate::Error;
use crate::denial::shown;

/// What a profile holds.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) access_key_id: SecretString,
    pub(super) secret_access_key: SecretString,
    pub(super) session_token: Option<SecretString>,
}

/// Lines that say nothing about where a key comes from: how the tools print, and what other programs note beside a key.
const HARMLESS: [&str; 7] =
    ["region", "output", "cli_pager", "aws_expiration", "x_security_token_expires", "x_principal_arn", "expiration"];

/// What a profile may say that is another way to get a key, as the beginning of the line, with what a person does instead.
const ELSEWHERE: [(&str, &str); 7] = [
    ("sso_", "run `aws configure export-credentials` and name what it gives"),
    ("role_arn", "assume the role with the AWS CLI and name the temporary key"),
    ("source_profile", "name the profile that holds the key"),
    ("credential_source", "name the key by its sources"),
    ("credential_process", "run that program and name what it gives; forge starts none for a profile"),
    ("web_identity_token_file", "assume the role with the AWS CLI and name the temporary key"),
    ("mfa_serial", "get a session with the AWS CLI and name the temporary key"),
];

/// Checks the name of a profile.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = (1..=128).contains(&name.len())
        && name.trim() == name
        && name.chars().all(|c| c.is_ascii_graphic() || c == ' ')
        && !name.contains(['[', ']', '#', ';']);
    if is_plain { Ok(()) } else { Err(KIND.error("needs as `profile` the name of one, such as `default`")) }
}

/// The key of the profile of this name.
///
/// # Errors
/// A sentence that names lines and nothing that stands behind their `=`.
pub(super) fn find(text: &SecretString, name: &str) -> Result<Found, String> {
    let mut is_ours = false;
    let mut count = 0;
    let mut parts: [Option<SecretString>; 3] = [None, None, None];
    for line in text.expose_secret().lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = trimmed.strip_prefix('[') {
            let section = header.split_once(']').ok_or("has a `[` without its `]`")?.0.trim();
            // The tools' other file writes `[profile NAME]`, and a person may have named that one.
            is_ours = section == name || section.strip_prefix("profile ").is_some_and(|rest| rest.trim() == name);
            count += u32::from(is_ours);
            continue;
        }
        if !is_ours {
            continue;
        }
        let (key, value) = trimmed.split_once('=').ok_or("has a line in it without a `=`")?;
        let key = key.trim().to_ascii_lowercase();
        let place = match key.as_str() {
            "aws_access_key_id" => 0,
            "aws_secret_access_key" => 1,
            "aws_session_token" => 2,
            _ if HARMLESS.contains(&key.as_str()) => continue,
            _ => return Err(refusal(&key)),
        };
        let slot = parts.get_mut(place).ok_or("is not readable")?;
        if slot.replace(SecretString::from(value.trim())).is_some() {
            return Err(format!("has `{key}` twice"));
        }
    }
    match (count, parts) {
        (0, _) => Err("is not there".to_owned()),
        (1, [Some(access_key_id), Some(secret_access_key), session_token]) => {
            Ok(Found { access_key_id, secret_access_key, session_token })
        }
        (1, _) => Err("has no `aws_access_key_id` with its `aws_secret_access_key`".to_owned()),
        // The tools merge them or take either, so whose key this would be nobody can tell.
        _ => Err("stands there twice".to_owned()),
    }
}

fn refusal(key: &str) -> String {
    let instead = ELSEWHERE.iter().find(|(beginning, _)| key.starts_with(beginning));
    match instead {
        Some((_, instead)) => format!("has `{}`, which is not read here: {instead}", shown(key)),
        None => format!("has `{}`, which is not known here: put the key into a profile of its own", shown(key)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const KEYS: &str = "aws_access_key_id = AKIDEXAMPLEEXAMPLE\naws_secret_access_key=canary/With=Signs\n";

    fn found(text: &str, name: &str) -> Result<Found, String> {
        find(&SecretString::from(text), name)
    }

    #[test]
    fn the_key_of_one_profile_is_read_and_those_of_others_are_not() {
        let text =
            format!("# mine\n[other]\naws_access_key_id = X\nrole_arn = y\n\n[ dev ]\nregion = x\n{KEYS}; end\n");
        let dev = found(&text, "dev").unwrap();
        assert_eq!(dev.access_key_id.expose_secret(), "AKIDEXAMPLEEXAMPLE");
        assert_eq!(dev.secret_access_key.expose_secret(), "canary/With=Signs");
        assert!(dev.session_token.is_none());
        let text = format!("[profile dev]\n{KEYS}AWS_SESSION_TOKEN = t=\n");
        assert_eq!(found(&text, "dev").unwrap().session_token.unwrap().expose_secret(), "t=");
    }

    #[test]
    fn another_way_to_a_key_is_refused_by_its_name_and_says_what_to_do() {
        for line in [
            "role_arn = arn:aws:iam::1:role/x",
            "source_profile = other",
            "sso_start_url = https://x",
            "sso_session = x",
            "credential_process = /bin/evil canary",
            "credential_source = Environment",
            "web_identity_token_file = /x",
            "mfa_serial = x",
            "something_new = x",
        ] {
            let error = found(&format!("[dev]\n{KEYS}{line}\n"), "dev").unwrap_err();
            let name = line.split(' ').next().unwrap();
            assert!(error.contains(&format!("`{name}`")) && error.contains(": "), "{error}");
            assert!(!error.contains("canary") && !error.contains("/bin/evil"), "{error}");
        }
    }

    #[test]
    fn a_profile_that_can_not_be_told_is_refused() {
        for (text, rule) in [
            (String::new(), "not there"),
            (format!("[dev]\n{KEYS}[prod]\n{KEYS}[dev]\n"), "twice"),
            (format!("[dev]\n{KEYS}[profile dev]\n{KEYS}"), "twice"),
            (format!("[dev]\n{KEYS}{KEYS}"), "twice"),
            ("[dev]\naws_access_key_id = AKIDEXAMPLEEXAMPLE\n".to_owned(), "no `aws_access_key_id`"),
            ("[dev\n".to_owned(), "`]`"),
            ("[dev]\nhunter2\n".to_owned(), "without a `=`"),
        ] {
            let error = found(&text, "dev").unwrap_err();
            assert!(error.contains(rule) && !error.contains("hunter2") && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn the_name_of_a_profile_is_plain() {
        for name in ["", " a", "a]", "a\nb", "[a", &"a".repeat(200)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("dev account-2").is_ok());
    }
}
