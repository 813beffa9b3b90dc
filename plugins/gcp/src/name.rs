//! Names of secrets and versions, refused before anything is sent where the service would refuse them.
//!
//! Source: "Secret Manager API, projects.secrets.create" (`secretId`) and "projects.secrets.versions".

use forge_sdk::{Error, settings};

/// The longest name in bytes.
const LONGEST: usize = 255;

/// The newest version, whatever it is.
pub(crate) const LATEST: &str = "latest";

/// The URL of what lies below the provider's part of the project: `https://…/v1/projects/p/` and this.
///
/// # Errors
///
/// `invalid-request` for a setting that is missing, and for a `parent` that is not the one of the project and the location:
/// whoever was shown those two would have allowed another place.
pub(crate) fn below(rest: &str) -> Result<String, Error> {
    let (endpoint, parent) = (settings::required("endpoint")?, settings::required("parent")?);
    let project = settings::required("project")?;
    let location = settings::get("location").filter(|location| !location.is_empty());
    let place = location.map(|location| format!("/locations/{location}")).unwrap_or_default();
    if parent != format!("projects/{project}{place}") {
        return Err(Error::invalid_request(
            "the setting `parent` is not the place of `project` and `location`: leave it out, it follows from them",
        ));
    }
    Ok(format!("{endpoint}/v1/{parent}/{rest}"))
}

/// A path as a secret's name.
///
/// # Errors
///
/// `invalid-request`, saying the rule.
pub(crate) fn secret(path: &str) -> Result<&str, Error> {
    let is_name = is_name(path, LONGEST);
    is_name.then_some(path).ok_or_else(|| {
        Error::invalid_request("a name has 1 to 255 ASCII letters, digits, `-` and `_`, and there are no folders")
    })
}

/// Whether a text can be a secret's name.
pub(crate) fn is_secret(text: &str) -> bool {
    is_name(text, LONGEST)
}

fn is_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// A version: its number, an alias of the secret's, or `latest`.
///
/// # Errors
///
/// `invalid-request`, saying the rule.
pub(crate) fn version(version: Option<&str>) -> Result<&str, Error> {
    let version = version.unwrap_or(LATEST);
    let is_version = is_name(version, 63);
    is_version.then_some(version).ok_or_else(|| {
        Error::invalid_request("a version is a number, `latest`, or an alias of letters, digits, `-` and `_`")
    })
}

/// What a resource's name ends with: `projects/1/secrets/a/versions/3` with `3`.
pub(crate) fn last(resource: &str) -> &str {
    resource.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::ErrorKind;

    use super::*;
    use crate::call::tests::host;

    #[test]
    fn a_parent_that_is_not_the_place_of_project_and_location_is_refused_before_anything_is_sent() {
        let at = |location: &str, parent: &str| {
            host().setting("location", location).setting("parent", parent).install();
            below("secrets")
        };
        assert_eq!(at("", "projects/p").unwrap(), "https://s.example/v1/projects/p/secrets");
        let regional = "projects/p/locations/europe-west3";
        assert_eq!(at("europe-west3", regional).unwrap(), format!("https://s.example/v1/{regional}/secrets"));
        for (location, parent) in [
            ("", "projects/victim"),
            ("", regional),
            ("europe-west3", "projects/p"),
            ("europe-west4", regional),
            ("", "projects/p/secrets/a"),
        ] {
            let error = at(location, parent).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{location} {parent}");
            assert!(crate::listing::check().is_err() && forge_sdk::fake::requests().is_empty());
        }
    }

    #[test]
    fn a_name_that_google_would_refuse_is_refused_before_it_is_sent() {
        for name in ["a", "DATABASE_URL", "app-db_2", &"n".repeat(255)] {
            assert_eq!(secret(name).unwrap(), name);
        }
        for name in ["", "app/db", "a.b", "caf\u{e9}", "a b", "a:access", "a%2F", &"n".repeat(256)] {
            assert!(secret(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_version_is_a_number_an_alias_or_the_newest() {
        assert_eq!(version(None).unwrap(), "latest");
        for text in ["1", "latest", "prod_2"] {
            assert_eq!(version(Some(text)).unwrap(), text);
        }
        for text in ["", "1:destroy", "../1", "-\n"] {
            assert!(version(Some(text)).is_err(), "{text}");
        }
    }
}
