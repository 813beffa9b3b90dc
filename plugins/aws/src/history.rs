//! Versions, and the way back to one: the label of the current version is moved, and nothing is written anew ("AWS Secrets
//! Manager API Reference, ListSecretVersionIds" and "UpdateSecretVersionStage").

use forge_sdk::{Error, SecretVersion, VersionPage};
use serde::{Deserialize, Serialize};

use crate::call::{self, ask};
use crate::compare::make_current;
use crate::describe::{Described, known};
use crate::name::{CURRENT, Id, Wanted};

/// The most versions of one answer ("ListSecretVersionIds", parameter `MaxResults`).
const PAGE: u32 = 100;
/// The most answers that are read: a secret has about 100 versions with labels and those of the last day without.
const PAGES: usize = 20;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct List<'a> {
    secret_id: &'a str,
    max_results: u32,
    include_deprecated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    versions: Vec<Version>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version_id: String,
    version_stages: Option<Vec<String>>,
    created_date: Option<f64>,
}

fn there(id: Id<'_>) -> Result<Described, Error> {
    known(id)?.ok_or_else(|| Error::not_found("there is no such secret, not even a deleted one"))
}

/// All versions that the service keeps, newest first: it answers them in no order.
fn all(id: Id<'_>, secret: &Described) -> Result<Vec<SecretVersion>, Error> {
    let (mut versions, mut next) = (Vec::new(), None::<String>);
    for _ in 0..PAGES {
        let body =
            List { secret_id: id.text, max_results: PAGE, include_deprecated: true, next_token: next.as_deref() };
        let listed: Listed = ask("ListSecretVersionIds", &body)?.json("a list of versions")?;
        versions.extend(listed.versions);
        next = listed.next_token.filter(|next| !next.is_empty());
        if next.is_none() {
            break;
        }
    }
    if next.is_some() {
        return Err(Error::upstream("the service's list of versions does not end"));
    }
    let mut versions: Vec<SecretVersion> = versions
        .into_iter()
        .map(|version| {
            let labels = version.version_stages.unwrap_or_default();
            let current = labels.iter().any(|label| label == CURRENT);
            let created_at = call::time(version.created_date);
            let state = secret.state();
            SecretVersion { created_at, state, labels, ..SecretVersion::new(version.version_id, current) }
        })
        .collect();
    versions
        .sort_by_key(|version| (std::cmp::Reverse(version.created_at), !version.current, version.labels.is_empty()));
    Ok(versions)
}

/// One page of the versions; the cursor is the id of the version that was told last.
///
/// # Errors
///
/// `not-found` where there is no such secret, `invalid-request` for a path or a cursor that can't be, and what the service
/// said.
pub(crate) fn versions(path: &str, cursor: Option<&str>, limit: u32) -> Result<VersionPage, Error> {
    let id = Id::of(path)?;
    let mut versions = all(id, &there(id)?)?;
    if let Some(cursor) = cursor {
        let told = versions.iter().position(|version| version.id == cursor);
        let told = told.ok_or_else(|| Error::invalid_request("the cursor is none of this list's"))?;
        versions.drain(..=told);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
    let has_more = versions.len() > limit;
    versions.truncate(limit);
    let next = versions.last().filter(|_| has_more).map(|last| last.id.clone());
    Ok(VersionPage { versions, next })
}

/// Makes an old version current, named by its id or by a label on it; what is current already stays as it is.
///
/// # Errors
///
/// `not-found` for a secret or a version that isn't there, `wrong-state` for a secret that is scheduled for deletion,
/// `conflict` where somebody else makes another version current meanwhile, and what the service said.
pub(crate) fn restore(path: &str, version: &str) -> Result<SecretVersion, Error> {
    let (id, wanted) = (Id::of(path)?, Wanted::of(Some(version))?);
    let secret = there(id)?;
    if secret.is_deleted() {
        return Err(Error::wrong_state("the secret is scheduled for deletion: recover it first"));
    }
    let missing = || Error::not_found(format!("the service keeps no version `{version}` of this secret"));
    let is_described = |id: &str| secret.versions().any(|(known, _)| known == id);
    let to = match (wanted, secret.labelled(version)) {
        (Wanted::IdOrLabel(wanted), _) if is_described(wanted) => wanted,
        (_, Some(labelled)) => labelled,
        // A version without a label is described by the list alone.
        (Wanted::IdOrLabel(wanted), None) if all(id, &secret)?.iter().any(|version| version.id == wanted) => wanted,
        _ => return Err(missing()),
    };
    if secret.current() != Some(to) {
        make_current(id, secret.current(), to)?;
    }
    Ok(SecretVersion { labels: vec![CURRENT.to_owned()], ..SecretVersion::new(to, true) })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use forge_sdk::{ErrorKind, SecretHistory as _, VersionState};
    use serde_json::json;

    use super::*;
    use crate::Aws;
    use crate::call::NOT_FOUND;
    use crate::call::tests::{actions, answering, asked};

    const OLD: &str = "11111111-2222-3333-4444-555555555555";
    const NEW: &str = "66666666-7777-8888-9999-000000000000";

    fn secret(more: &str) -> String {
        format!(r#"{{"Name":"a","VersionIdsToStages":{{"{OLD}":["AWSPREVIOUS"],"{NEW}":["AWSCURRENT"]}}{more}}}"#)
    }

    #[test]
    fn versions_are_told_newest_first_with_their_labels_whatever_the_order_of_the_answers() {
        let first = format!(
            r#"{{"Versions":[{{"VersionId":"{OLD}","VersionStages":["AWSPREVIOUS"],"CreatedDate":1}}],"NextToken":"n"}}"#
        );
        let second = format!(
            r#"{{"Versions":[{{"VersionId":"none","CreatedDate":1.5}},
            {{"VersionId":"{NEW}","VersionStages":["AWSCURRENT"],"CreatedDate":2}}],"NextToken":""}}"#
        );
        answering(&[(200, &secret("")), (200, &first), (200, &second)]).install();
        let page = versions("a", None, 100).unwrap();
        let told: Vec<(&str, bool, usize)> =
            page.versions.iter().map(|version| (version.id.as_str(), version.current, version.labels.len())).collect();
        assert_eq!(told, [(NEW, true, 1), ("none", false, 0), (OLD, false, 1)]);
        assert_eq!(page.next, None);
        assert_eq!(asked()[1].1, json!({ "SecretId": "a", "MaxResults": 100, "IncludeDeprecated": true }));
        assert_eq!(asked()[2].1["NextToken"], "n");
        let both = [(200, &*secret("")), (200, &*first), (200, &*second)];
        answering(&both).install();
        let page = versions("a", None, 2).unwrap();
        assert_eq!((page.versions.len(), page.next.as_deref()), (2, Some("none")));
        answering(&both).install();
        let page = versions("a", Some("none"), 2).unwrap();
        assert_eq!((page.versions.len(), page.next), (1, None));
        answering(&both).install();
        assert_eq!(versions("a", Some("other"), 2).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }

    #[test]
    fn versions_of_a_secret_that_is_scheduled_for_deletion_are_deleted_and_of_none_not_found() {
        let list = format!(r#"{{"Versions":[{{"VersionId":"{OLD}"}}]}}"#);
        answering(&[(200, &secret(r#","DeletedDate":1"#)), (200, &list)]).install();
        assert_eq!(versions("a", None, 10).unwrap().versions[0].state, VersionState::Deleted);
        answering(&[(400, NOT_FOUND)]).install();
        assert_eq!(versions("a", None, 10).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_list_of_versions_without_an_end_is_given_up() {
        answering(&[(200, &secret("")), (200, r#"{"Versions":[],"NextToken":"again"}"#)]).install();
        assert_eq!(versions("a", None, 10).unwrap_err().kind(), ErrorKind::Upstream);
        assert_eq!(actions().len(), 1 + PAGES);
    }

    #[test]
    fn an_old_version_becomes_current_by_its_id_or_label_and_the_current_one_stays() {
        for version in [OLD, "AWSPREVIOUS"] {
            answering(&[(200, &secret("")), (200, "{}")]).install();
            assert_eq!(restore("a", version).unwrap().id, OLD);
            let moved = json!({ "SecretId": "a", "VersionStage": "AWSCURRENT", "MoveToVersionId": OLD, "RemoveFromVersionId": NEW });
            assert_eq!(asked()[1], ("UpdateSecretVersionStage".to_owned(), moved));
        }
        answering(&[(200, &secret(""))]).install();
        assert_eq!(restore("a", NEW).unwrap().id, NEW);
        assert_eq!(actions(), ["DescribeSecret"]);
    }

    #[test]
    fn a_label_as_long_as_an_id_is_rolled_back_to() {
        let label = "release-of-2026-11-22-before-the-migration";
        let labelled = secret("").replace("AWSPREVIOUS", label);
        answering(&[(200, &labelled), (200, "{}")]).install();
        assert_eq!(restore("a", label).unwrap().id, OLD);
        assert_eq!(actions(), ["DescribeSecret", "UpdateSecretVersionStage"]);
    }

    #[test]
    fn a_version_without_a_label_is_looked_for_and_one_that_is_gone_is_not_found() {
        let third = "33333333-3333-3333-3333-333333333333";
        let list = format!(r#"{{"Versions":[{{"VersionId":"{third}"}}]}}"#);
        answering(&[(200, &secret("")), (200, &list), (200, "{}")]).install();
        assert_eq!(restore("a", third).unwrap().id, third);
        answering(&[(200, &secret("")), (200, r#"{"Versions":[]}"#)]).install();
        assert_eq!(restore("a", third).unwrap_err().kind(), ErrorKind::NotFound);
        answering(&[(200, &secret(""))]).install();
        assert_eq!(restore("a", "99").unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_secret_that_is_scheduled_for_deletion_is_recovered_before_it_is_rolled_back() {
        answering(&[(200, &secret(r#","DeletedDate":1"#))]).install();
        assert_eq!(restore("a", OLD).unwrap_err().kind(), ErrorKind::WrongState);
        assert_eq!(actions(), ["DescribeSecret"]);
    }

    #[test]
    fn a_version_has_no_state_of_its_own() {
        answering(&[]).install();
        for state in [VersionState::Enabled, VersionState::Disabled, VersionState::Deleted, VersionState::Destroyed] {
            assert_eq!(Aws::set_state("a", OLD, state).unwrap_err().kind(), ErrorKind::Unsupported);
        }
        assert_eq!(actions(), [""; 0]);
    }
}
