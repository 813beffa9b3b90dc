//! Answers a secret, or a description of one, with as many tags as the path says.

use forge_sdk::{Attributes, Entry, Error, Secret};

use crate::Loot;

fn tags(rest: &str) -> Attributes {
    let count: u32 = rest.parse().unwrap_or(10_000);
    (0..count).map(|number| (format!("tag-{number}"), "x".to_owned())).collect()
}

/// In a secret.
pub(super) fn run(rest: &str) -> Loot {
    Ok(Some(Secret { tags: tags(rest), ..Secret::new("tagged") }))
}

/// In a description.
pub(crate) fn described(rest: &str) -> Result<Option<Entry>, Error> {
    Ok(Some(Entry { tags: tags(rest), ..Entry::new("tagged") }))
}
