//! What is known of a secret without its value ("AWS Secrets Manager API Reference, DescribeSecret").

use std::collections::BTreeMap;

use forge_sdk::{Attributes, Entry, Error, ErrorKind, SecretVersion, VersionState, settings};
use serde::{Deserialize, Serialize};

use crate::call::{self, NOT_FOUND, WRONG_STATE, ask, is};
use crate::name::{CURRENT, Id};
use crate::tags::{self, Tag};

/// A request that names a secret and nothing else.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct About<'a> {
    pub(crate) secret_id: &'a str,
}

/// A secret, as `DescribeSecret` and `ListSecrets` tell about it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Described {
    pub(crate) name: Option<String>,
    #[serde(rename = "ARN")]
    arn: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    created_date: Option<f64>,
    last_changed_date: Option<f64>,
    last_accessed_date: Option<f64>,
    last_rotated_date: Option<f64>,
    next_rotation_date: Option<f64>,
    deleted_date: Option<f64>,
    rotation_enabled: Option<bool>,
    owning_service: Option<String>,
    primary_region: Option<String>,
    replication_status: Option<Vec<Replica>>,
    tags: Option<Vec<Tag>>,
    /// Versions by their ids, but for those without a label.
    version_ids_to_stages: Option<BTreeMap<String, Vec<String>>>,
    /// The same in a listing.
    secret_versions_to_stages: Option<BTreeMap<String, Vec<String>>>,
}

/// A copy in another region.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Replica {
    region: Option<String>,
    status: Option<String>,
}

impl Described {
    /// Its ARN, by which a grant holds it to an account: a name is whoever's the key is.
    ///
    /// # Errors
    ///
    /// `upstream` where the service did not tell it.
    pub(crate) fn arn(&self) -> Result<&str, Error> {
        self.arn.as_deref().ok_or_else(|| Error::upstream("the description of a secret has no ARN"))
    }

    /// Refuses a secret of another account than the one that a person said; a key may have been exchanged for another's.
    ///
    /// # Errors
    ///
    /// `access-denied` for another account, `upstream` where the service did not tell whose it is.
    pub(crate) fn check_account(&self) -> Result<(), Error> {
        // An account that was learnt and not said is known to the host alone.
        let Some(said) = settings::get("account").filter(|account| account != "any") else { return Ok(()) };
        // `arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME` ("IAM User Guide, Amazon Resource Names").
        if self.arn()?.split(':').nth(4) == Some(said.as_str()) {
            return Ok(());
        }
        let words = format!("the secret belongs to another account than `{said}`, which the provider's settings name");
        Err(Error::new(ErrorKind::AccessDenied, words))
    }

    /// Whether it is scheduled for deletion.
    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted_date.is_some()
    }

    /// The id of the version with this label.
    pub(crate) fn labelled(&self, label: &str) -> Option<&str> {
        self.versions().find(|(_, labels)| labels.iter().any(|known| known == label)).map(|(id, _)| id.as_str())
    }

    /// The id of the current version; none where the secret never had a value.
    pub(crate) fn current(&self) -> Option<&str> {
        self.labelled(CURRENT)
    }

    /// The ids of the versions that have labels, with them.
    pub(crate) fn versions(&self) -> impl Iterator<Item = (&String, &Vec<String>)> {
        self.version_ids_to_stages.as_ref().or(self.secret_versions_to_stages.as_ref()).into_iter().flatten()
    }

    /// The state of all its versions.
    pub(crate) fn state(&self) -> VersionState {
        if self.is_deleted() { VersionState::Deleted } else { VersionState::Enabled }
    }

    /// The secret in the words of the contract, under the path that it was asked for or listed with.
    pub(crate) fn entry(self, path: String) -> Entry {
        let state = self.state();
        let current = self.versions().find(|(_, labels)| labels.iter().any(|label| label == CURRENT));
        let version = current.map(|(id, labels)| SecretVersion {
            state,
            labels: labels.clone(),
            ..SecretVersion::new(id.clone(), true)
        });
        let times = [
            ("created-at", self.created_date),
            ("changed-at", self.last_changed_date),
            ("accessed-at", self.last_accessed_date),
            ("rotated-at", self.last_rotated_date),
            ("next-rotation-at", self.next_rotation_date),
            // The end of the days within which it can be recovered.
            ("deleted-at", self.deleted_date),
        ];
        let times = times.into_iter().map(|(name, time)| (name, call::time(time).map(|time| time.to_string())));
        let rotation = self.rotation_enabled.map(|is_on| if is_on { "on" } else { "off" }.to_owned());
        let replica = |replica: &Replica| {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            ("replica", Some(format!("{} ({})", part(&replica.region), part(&replica.status))))
        };
        let replicas = self.replication_status.iter().flatten().map(replica);
        let texts = [
            ("arn", self.arn.clone()),
            ("description", self.description.clone().filter(|text| !text.is_empty())),
            ("kms-key", self.kms_key_id.clone()),
            ("rotation", rotation),
            ("owning-service", self.owning_service.clone()),
            ("primary-region", self.primary_region.clone()),
        ];
        let known = texts.into_iter().chain(times).chain(replicas);
        let attributes: Attributes =
            known.filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))).collect();
        Entry { path, version, attributes, tags: tags::pairs(self.tags) }
    }
}

/// What is known of a secret, also of one that is scheduled for deletion; none where there is none.
///
/// # Errors
///
/// Anything but absence.
pub(crate) fn known(id: Id<'_>) -> Result<Option<Described>, Error> {
    match ask("DescribeSecret", &About { secret_id: id.text }) {
        Ok(response) => response.json("the description of a secret").map(Some),
        Err(error) if is(&error, NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an error is that of a secret which is scheduled for deletion.
///
/// The service answers the same to other states, so it is asked; who may not ask hears the error itself.
pub(crate) fn is_of_deleted(error: &Error, id: Id<'_>) -> bool {
    is(error, WRONG_STATE) && matches!(known(id), Ok(Some(known)) if known.is_deleted())
}

/// What is known of the secret at this path.
///
/// # Errors
///
/// `invalid-request` for a path that can't be, and what the service said.
pub(crate) fn entry(path: &str) -> Result<Option<Entry>, Error> {
    Ok(known(Id::of(path)?)?.map(|known| known.entry(path.to_owned())))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::call::tests::{actions, answering};

    #[test]
    fn a_description_tells_everything_but_the_value() {
        let body = r#"{"ARN":"arn:x","Name":"app/db","Description":"d","KmsKeyId":"k","RotationEnabled":true,
            "CreatedDate":1.5,"LastChangedDate":2,"DeletedDate":null,"Tags":[{"Key":"team","Value":"web"}],
            "VersionIdsToStages":{"one":["AWSPREVIOUS"],"two":["AWSCURRENT","x"]},
            "ReplicationStatus":[{"Region":"us-east-1","Status":"InSync"}],"NewField":{}}"#;
        answering(&[(200, body)]).install();
        let entry = entry("app/db").unwrap().unwrap();
        let version = entry.version.unwrap();
        assert_eq!((entry.path.as_str(), version.id.as_str(), version.current), ("app/db", "two", true));
        assert_eq!(version.state, VersionState::Enabled);
        assert_eq!(entry.tags, [("team".to_owned(), "web".to_owned())]);
        let expected = [
            ("arn", "arn:x"),
            ("description", "d"),
            ("kms-key", "k"),
            ("rotation", "on"),
            ("created-at", "1500"),
            ("changed-at", "2000"),
            ("replica", "us-east-1 (InSync)"),
        ];
        assert_eq!(entry.attributes, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(actions(), ["DescribeSecret"]);
    }

    #[test]
    fn a_secret_that_is_scheduled_for_deletion_is_told_as_deleted_and_none_is_none() {
        answering(&[(200, r#"{"Name":"a","DeletedDate":3,"VersionIdsToStages":{"one":["AWSCURRENT"]}}"#)]).install();
        let deleted = entry("a").unwrap().unwrap();
        assert_eq!(deleted.version.unwrap().state, VersionState::Deleted);
        assert_eq!(deleted.attributes, [("deleted-at".to_owned(), "3000".to_owned())]);
        answering(&[(400, NOT_FOUND)]).install();
        assert_eq!(entry("a").unwrap(), None);
        // One that was made without a value has no version yet.
        answering(&[(200, r#"{"Name":"a"}"#)]).install();
        assert_eq!(entry("a").unwrap().unwrap().version, None);
    }
}
