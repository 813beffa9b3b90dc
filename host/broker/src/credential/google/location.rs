//! What follows from a project and a location: where Secret Manager is, and below what its secrets lie.
//!
//! Source: "Secret Manager docs, Regional secrets" (service endpoints and resource names).

use forge_core::grant::Derived;
use forge_core::setting::Settings;

use super::is_project;
use super::paths::is_location;
use crate::credential::Derives;

/// `{location-host}` and `{location-path}` follow from the settings `project` and `location`.
pub(super) const DERIVES: Derives = Derives { followed: &["location-host", "location-path"], learnt: &[], make };

fn make(settings: &Settings, _: Option<&str>) -> Result<Derived, String> {
    let mut derived = Derived::default();
    let location = settings.get("location").map(String::as_str).filter(|location| !location.is_empty());
    let host = match location {
        None => "secretmanager.googleapis.com".to_owned(),
        Some(location) if is_location(location) => format!("secretmanager.{location}.rep.googleapis.com"),
        Some(_) => return Err("setting `location` must be one such as `europe-west3`".to_owned()),
    };
    derived.followed.insert("location-host".to_owned(), host);
    if let Some(project) = settings.get("project") {
        if !is_project(project) {
            return Err("setting `project` must be a project's id or number, such as `my-project-1`".to_owned());
        }
        let below = location.map_or_else(String::new, |location| format!("/locations/{location}"));
        derived.followed.insert("location-path".to_owned(), format!("projects/{project}{below}"));
    }
    Ok(derived)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::credential::google::paths::is_own_origin;

    fn made(pairs: &[(&str, &str)]) -> Result<Derived, String> {
        make(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), None)
    }

    #[test]
    fn host_and_path_follow_from_project_and_location_and_are_googles_own() {
        for (location, host, path) in [
            ("", "secretmanager.googleapis.com", "projects/p"),
            ("europe-west3", "secretmanager.europe-west3.rep.googleapis.com", "projects/p/locations/europe-west3"),
        ] {
            let followed = made(&[("project", "p"), ("location", location)]).unwrap().followed;
            assert_eq!((followed["location-host"].as_str(), followed["location-path"].as_str()), (host, path));
            assert!(is_own_origin(&format!("https://{}", followed["location-host"])));
        }
        for location in ["evil.example", "-a", "A"] {
            assert!(made(&[("project", "p"), ("location", location)]).is_err(), "{location}");
        }
        for project in ["", "a/b", "P", "a b"] {
            assert!(made(&[("project", project)]).is_err(), "{project}");
        }
    }
}
