//! Answers one page with as many names, or versions, as the path says, whatever the host asked for.

use forge_sdk::{Entry, Page, SecretVersion, VersionPage};

fn count(rest: &str) -> u32 {
    rest.parse().unwrap_or(100_000)
}

/// Of names.
pub(crate) fn listing(rest: &str) -> Page {
    Page { entries: (0..count(rest)).map(|number| Entry::new(format!("name-{number}"))).collect(), next: None }
}

/// Of versions.
pub(crate) fn versions(rest: &str) -> VersionPage {
    let version = |number: u32| SecretVersion::new(number.to_string(), number == 0);
    VersionPage { versions: (0..count(rest)).map(version).collect(), next: None }
}
