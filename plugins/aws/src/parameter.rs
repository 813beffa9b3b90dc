//! Parameter Store (AWS Systems Manager API Reference, version 2014-11-06): parameters of text, with numbered versions.

pub(crate) mod batch;
mod form;
pub(crate) mod history;
pub(crate) mod listing;
pub(crate) mod read;
pub(crate) mod removal;
pub(crate) mod write;

use forge_sdk::http::Response;
use forge_sdk::{Error, settings};
use serde::Serialize;

use crate::call;

/// There is no parameter of this name.
const NOT_FOUND: &str = "ParameterNotFound";
/// There is no version of this number or label.
const NO_VERSION: &str = "ParameterVersionNotFound";
/// There is a parameter of this name.
const EXISTS: &str = "ParameterAlreadyExists";
/// There is nothing of this name that could have tags.
const NO_RESOURCE: &str = "InvalidResourceId";

/// The longest name, in characters: 1,011 with the 100 that the longest ARN has before it ("PutParameter", `Name`).
const LONGEST: usize = 900;

fn ask(action: &str, body: &impl Serialize) -> Result<Response, Error> {
    call::ask_for(&format!("AmazonSSM.{action}"), body)
}

/// The granted beginning of names, as people write it: `app/`, or `/app/` as the service spells a hierarchy.
fn prefix() -> String {
    settings::get("prefix").unwrap_or_default()
}

/// The name of a parameter: a path of several segments is a hierarchy, and begins with `/` ("PutParameter", parameter
/// `Name`). One of a single segment does where the granted prefix does, or where a listing gave it so: with the `/` it may
/// be another parameter.
///
/// # Errors
///
/// `invalid-request`, saying the rule.
fn name(path: &str) -> Result<String, Error> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "/_.-".contains(character);
    let bare = path.strip_prefix('/').unwrap_or(path);
    if bare.is_empty() || bare.len() > LONGEST || !bare.chars().all(fits) || bare.split('/').count() > 15 {
        let words = "a parameter has a name of ASCII letters, digits and `_.-`, in at most 15 segments";
        return Err(Error::invalid_request(words));
    }
    let begins = path.contains('/') || prefix().starts_with('/');
    Ok(if begins { format!("/{bare}") } else { bare.to_owned() })
}

/// The name of a parameter that is to be written: those of the service's own are only read.
///
/// # Errors
///
/// `invalid-request`, saying the rule.
fn name_to_write(path: &str) -> Result<String, Error> {
    let name = name(path)?;
    // "AWS Systems Manager API Reference, PutParameter", parameter `Name`: in whatever case.
    let first = name.trim_start_matches('/').get(..3).map(str::to_ascii_lowercase);
    if matches!(first.as_deref(), Some("aws" | "ssm")) {
        let words = "a parameter whose name begins with `aws` or `ssm` is the service's own, which nobody writes";
        return Err(Error::invalid_request(words));
    }
    Ok(name)
}

/// The path of a parameter, as a reference names it and as [`name`] takes it: one of a single segment keeps its `/`, unless
/// all that are granted have one.
fn path(name: &str) -> &str {
    let bare = name.strip_prefix('/').unwrap_or(name);
    if bare.contains('/') || prefix().starts_with('/') { bare } else { name }
}

/// A version by its number or by a label on it ("LabelParameterVersion").
///
/// # Errors
///
/// `invalid-request` for a text that can be neither.
fn version(version: &str) -> Result<&str, Error> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    if !(1..=100).contains(&version.len()) || !version.chars().all(fits) {
        return Err(Error::invalid_request("a version is a number, or a label of letters, digits and `_.-`"));
    }
    Ok(version)
}

/// Whether parameters are meant, and not secrets.
///
/// # Errors
///
/// `invalid-request` for a service that is neither.
pub(crate) fn is_meant() -> Result<bool, Error> {
    match settings::required("service")?.as_str() {
        "secretsmanager" => Ok(false),
        "ssm" => Ok(true),
        _ => Err(Error::invalid_request("the setting `service` is `secretsmanager` or `ssm`")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;
    use crate::call::tests::host;

    #[test]
    fn a_path_of_several_segments_is_a_hierarchy() {
        assert_eq!(name("app/db").unwrap(), "/app/db");
        assert_eq!(name("db").unwrap(), "db");
        for known in ["/app/db", "db", "/db"] {
            assert_eq!(name(path(known)).unwrap(), known);
        }
        host().setting("prefix", "/app/").install();
        for known in ["/app/db", "/db"] {
            assert_eq!((name(path(known)).unwrap().as_str(), path(known)), (known, known.trim_start_matches('/')));
        }
        host().install();
        let deep = "a/".repeat(15) + "a";
        for odd in ["", "a b", "caf\u{e9}", "a:1", "a+b", "arn:aws:ssm:x", "/", &deep, &"a".repeat(901)] {
            assert_eq!(name(odd).unwrap_err().kind(), ErrorKind::InvalidRequest, "{odd}");
        }
    }

    #[test]
    fn what_is_the_services_own_is_read_and_not_written() {
        for path in ["aws/service/x", "AWS/x", "aws", "awesome/db", "ssm-x", "Ssm/x", "SSM"] {
            name(path).unwrap();
            assert_eq!(name_to_write(path).is_ok(), path == "awesome/db", "{path}");
        }
        for path in ["app/aws", "a", "as/db", "app/ssm/x"] {
            assert_eq!(name_to_write(path).unwrap(), name(path).unwrap());
        }
    }

    #[test]
    fn a_version_can_not_bring_another_selector() {
        assert_eq!(version("12").unwrap(), "12");
        assert_eq!(version("prod.1").unwrap(), "prod.1");
        for odd in ["", "1:2", "a b", &"1".repeat(101)] {
            assert_eq!(version(odd).unwrap_err().kind(), ErrorKind::InvalidRequest, "{odd}");
        }
    }
}
