//! Listing parameters without their values ("AWS Systems Manager API Reference, DescribeParameters").

use forge_sdk::{Entry, Error, ErrorKind, Page, SecretVersion, log};
use serde::{Deserialize, Serialize};

use super::ask;
use crate::bounds::Bounds;
use crate::call;

/// The most parameters of one page ("DescribeParameters", parameter `MaxResults`).
pub(super) const PAGE: u32 = 50;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Describe<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter_filters: Option<[Filter; 1]>,
    max_results: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
}

/// Names, of which any may be meant ("ParameterStringFilter").
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Filter {
    key: &'static str,
    option: &'static str,
    values: Vec<String>,
}

impl Filter {
    /// The parameter of exactly this name.
    pub(super) fn equal(name: &str) -> Option<Self> {
        Some(Self { key: "Name", option: "Equals", values: vec![name.to_owned()] })
    }

    /// Those whose paths begin so; one of a single segment may have no `/` before it, where such names are granted.
    fn beginning(text: &str) -> Option<Self> {
        let is_rooted = super::prefix().starts_with('/');
        let mut values = vec![format!("/{text}")];
        if !text.contains('/') && !is_rooted {
            values.push(text.to_owned());
        }
        (is_rooted || !text.is_empty()).then_some(Self { key: "Name", option: "BeginsWith", values })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    pub(super) parameters: Vec<Known>,
    pub(super) next_token: Option<String>,
}

/// A parameter without its value.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) version: Option<u64>,
    pub(super) r#type: Option<String>,
    description: Option<String>,
    pub(super) key_id: Option<String>,
    tier: Option<String>,
    last_modified_date: Option<f64>,
}

impl Known {
    /// The parameter in the words of the contract.
    pub(super) fn entry(self, path: String) -> Entry {
        let changed_at = call::time(self.last_modified_date);
        let version = self
            .version
            .map(|number| SecretVersion { created_at: changed_at, ..SecretVersion::new(number.to_string(), true) });
        let attributes = [
            ("type", self.r#type),
            ("description", self.description.filter(|text| !text.is_empty())),
            ("kms-key", self.key_id),
            ("tier", self.tier),
            ("changed-at", changed_at.map(|time| time.to_string())),
        ];
        let attributes = attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        Entry { version, attributes, ..Entry::new(path) }
    }
}

/// One page of what the filter allows.
///
/// # Errors
///
/// What the service said.
pub(super) fn send(filter: Option<Filter>, cursor: Option<&str>, limit: u32) -> Result<Listed, Error> {
    let body = Describe {
        parameter_filters: filter.map(|filter| [filter]),
        max_results: limit.clamp(1, PAGE),
        next_token: cursor,
    };
    ask("DescribeParameters", &body)?.json("a list of parameters")
}

/// The granted prefix, spelt as paths are.
fn granted() -> String {
    let prefix = super::prefix();
    prefix.strip_prefix('/').map(str::to_owned).unwrap_or(prefix)
}

/// Proves that settings and key work, as for secrets.
///
/// # Errors
///
/// What is wrong with the settings or the key.
pub(crate) fn check() -> Result<(), Error> {
    match send(Filter::beginning(&granted()), None, 1) {
        Err(error) if error.kind() == ErrorKind::AccessDenied => {
            log::warn("the key may not list parameters, so this proves only that the service accepts it");
            Ok(())
        }
        answer => answer.map(drop),
    }
}

/// One page of the parameters at or below a prefix of whole segments.
///
/// # Errors
///
/// `invalid-request` for a cursor that is none of the service's, and what it said.
pub(crate) fn page(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    let bounds = Bounds::within(granted(), prefix);
    let Some(beginning) = bounds.beginning("/_.-") else { return Ok(Page::default()) };
    let listed = send(Filter::beginning(beginning), cursor, limit)?;
    let is_rooted = super::prefix().starts_with('/');
    let entry = |known: Known| {
        let (path, bare) = (super::path(&known.name).to_owned(), known.name.strip_prefix('/'));
        // What keeps its `/` is below no path, and a name without one is granted by no prefix that has it.
        let is_below = !path.starts_with('/') || prefix.is_none_or(str::is_empty);
        let is_granted = bare.is_some() || !is_rooted;
        let is_listed = is_below && is_granted && bounds.hold(bare.unwrap_or(&known.name));
        let mut entry = is_listed.then(|| known.entry(path))?;
        // The service tells tags to who asks for those of one parameter.
        entry.attributes.push(("tags".to_owned(), "unlisted".to_owned()));
        Some(entry)
    };
    let entries = listed.parameters.into_iter().filter_map(entry).collect();
    Ok(Page { entries, next: listed.next_token.filter(|next| !next.is_empty()) })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::call::tests::{answering, asked};

    const LISTED: &str = r#"{"Parameters":[{"Name":"/app/db","Version":1},{"Name":"app"},{"Name":"apple"},{"Name":"/apple/x"}],"NextToken":"n"}"#;

    fn paths(page: &Page) -> Vec<&str> {
        page.entries.iter().map(|entry| entry.path.as_str()).collect()
    }

    #[test]
    fn a_page_has_the_paths_of_whole_segments_and_the_services_cursor() {
        answering(&[(200, LISTED)]).install();
        let page = page(Some("app"), Some("there"), 1000).unwrap();
        assert_eq!((paths(&page), page.next.as_deref()), (vec!["app/db", "app"], Some("n")));
        let filter = json!([{ "Key": "Name", "Option": "BeginsWith", "Values": ["/app", "app"] }]);
        let expected = json!({ "ParameterFilters": filter, "MaxResults": 50, "NextToken": "there" });
        assert_eq!(asked(), [("AmazonSSM.DescribeParameters".to_owned(), expected)]);
        answering(&[(200, LISTED)]).install();
        assert_eq!(paths(&super::page(None, None, 10).unwrap()).len(), 4);
        assert_eq!(asked()[0].1, json!({ "MaxResults": 10 }));
    }

    #[test]
    fn a_granted_prefix_bounds_what_is_asked_for() {
        let granted = |prefix: Option<&str>| {
            answering(&[(200, LISTED)]).setting("prefix", "app/").install();
            let page = page(prefix, None, 10).unwrap();
            (paths(&page).join(" "), asked().first().map(|(_, body)| body["ParameterFilters"][0]["Values"].clone()))
        };
        assert_eq!(granted(None), ("app/db".to_owned(), Some(json!(["/app/"]))));
        assert_eq!(granted(Some("app")), ("app/db".to_owned(), Some(json!(["/app/"]))));
        assert_eq!(granted(Some("app/x")), (String::new(), Some(json!(["/app/x"]))));
        assert_eq!(granted(Some("other")), (String::new(), None));
        assert_eq!(granted(Some("app/\u{e9}")), (String::new(), None));
    }

    #[test]
    fn a_prefix_is_also_spelt_as_the_service_spells_names() {
        const NAMES: &str = r#"{"Parameters":[{"Name":"/app/db"},{"Name":"/apple"},{"Name":"app"},{"Name":"/db"}]}"#;
        let listed = |granted: &str, prefix: Option<&str>| {
            answering(&[(200, NAMES)]).setting("prefix", granted).install();
            let page = page(prefix, None, 10).unwrap();
            (paths(&page).join(" "), asked().first().map(|(_, body)| body["ParameterFilters"][0]["Values"].clone()))
        };
        assert_eq!(listed("/app/", None), ("app/db".to_owned(), Some(json!(["/app/"]))));
        assert_eq!(listed("/app/", Some("app")), ("app/db".to_owned(), Some(json!(["/app/"]))));
        assert_eq!(listed("/app/", Some("other")), (String::new(), None));
        assert_eq!(listed("/app", None), ("app/db apple".to_owned(), Some(json!(["/app"]))));
        assert_eq!(listed("/", None), ("app/db apple db".to_owned(), Some(json!(["/"]))));
        assert_eq!(listed("/", Some("db")), ("db".to_owned(), Some(json!(["/db"]))));
        answering(&[(200, NAMES)]).setting("prefix", "/app/").install();
        check().unwrap();
        assert_eq!(asked()[0].1["ParameterFilters"][0]["Values"], json!(["/app/"]));
    }

    #[test]
    fn two_parameters_that_differ_in_a_slash_alone_are_listed_as_two() {
        const BOTH: &str = r#"{"Parameters":[{"Name":"/db"},{"Name":"db"}]}"#;
        answering(&[(200, BOTH)]).install();
        assert_eq!(paths(&page(None, None, 10).unwrap()), ["/db", "db"]);
        assert_eq!(paths(&page(Some("db"), None, 10).unwrap()), ["db"]);
        // A prefix without a `/` grants the names with and without it.
        answering(&[(200, BOTH)]).setting("prefix", "d").install();
        assert_eq!(paths(&page(None, None, 10).unwrap()), ["/db", "db"]);
    }
}
