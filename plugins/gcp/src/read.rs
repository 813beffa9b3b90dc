//! Reading a value ("Secret Manager API, projects.secrets.versions.access"), which has to come as it was stored.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_sdk::{Error, Secret, SecretVersion, http};
use serde::Deserialize;

use crate::call::{found, send};
use crate::{crc32c, name};

#[derive(Deserialize)]
struct Accessed {
    name: String,
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    #[serde(default)]
    data: String,
    /// A 64-bit number, which the API's JSON writes as a text.
    data_crc32c: Option<String>,
}

/// The secret of this name, at this version or the newest one.
///
/// # Errors
///
/// `invalid-request` for a name or a version that can't be, `upstream` for a value that is not the one that was stored, and
/// what the service said.
pub(crate) fn secret(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
    let (secret, wanted) = (name::secret(path)?, name::version(version)?);
    let url = name::below(&format!("secrets/{secret}/versions/{wanted}:access"))?;
    let Some(response) = found(send(http::get(url)))? else { return Ok(None) };
    let accessed: Accessed = response.json("the value of a version")?;
    let value = STANDARD.decode(accessed.payload.data.as_bytes());
    let value = value.map_err(|_| Error::upstream("the value is not in base64"))?;
    // Without it nobody would see that something on the way cut the value, or changed it.
    let told = accessed.payload.data_crc32c.and_then(|text| text.parse::<u32>().ok());
    if told != Some(crc32c::of(&value)) {
        return Err(Error::upstream("the value does not have the checksum that the service stored with it"));
    }
    let version = SecretVersion::new(name::last(&accessed.name), wanted == name::LATEST);
    Ok(Some(Secret { version: Some(version), ..Secret::new(value) }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::{ErrorKind, fake};

    use super::*;
    use crate::call::tests::{URL, host, refused};

    fn accessed(data: &str, checksum: &str) -> String {
        format!(r#"{{"name":"projects/1/secrets/a/versions/3","payload":{{"data":"{data}"{checksum}}}}}"#)
    }

    #[test]
    fn a_read_is_one_request_and_its_checksum_is_compared() {
        let url = format!("{URL}/a/versions/latest:access");
        host().answer("GET", &url, 200, accessed("MTIzNDU2Nzg5", r#","dataCrc32c":"3808858755""#)).install();
        let secret = secret("a", None).unwrap().unwrap();
        let version = secret.version.unwrap();
        assert_eq!((secret.value.as_bytes(), version.id.as_str(), version.current), (&b"123456789"[..], "3", true));
        assert_eq!(fake::requests().len(), 1);
    }

    #[test]
    fn a_value_that_was_changed_on_the_way_or_has_no_checksum_is_not_given() {
        let url = format!("{URL}/a/versions/latest:access");
        for checksum in [r#","dataCrc32c":"3808858756""#, "", r#","dataCrc32c":"x""#] {
            host().answer("GET", &url, 200, accessed("MTIzNDU2Nzg5", checksum)).install();
            let error = secret("a", None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Upstream);
            assert!(!format!("{error:?}").contains("1234"), "{error:?}");
        }
    }

    #[test]
    fn a_version_is_read_by_its_number_and_a_missing_one_is_none() {
        let url = format!("{URL}/a/versions/2:access");
        host().answer("GET", &url, 200, accessed("MTIzNDU2Nzg5", r#","dataCrc32c":"3808858755""#)).install();
        assert!(!secret("a", Some("2")).unwrap().unwrap().version.unwrap().current);
        host().answer("GET", &url, 404, refused("NOT_FOUND")).install();
        assert_eq!(secret("a", Some("2")).unwrap(), None);
        host().answer("GET", &url, 400, refused("FAILED_PRECONDITION")).install();
        assert_eq!(secret("a", Some("2")).unwrap_err().kind(), ErrorKind::WrongState);
        host().install();
        assert_eq!(secret("a/b", None).unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert!(fake::requests().is_empty());
    }
}
