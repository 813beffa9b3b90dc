//! Reads an environment variable by the name in the path, and lists the names it can see.

use forge_sdk::{Secret, environment};

use crate::{Loot, text};

/// `environment/NAME`, or `environment` for the names.
pub(super) fn run(rest: &str) -> Loot {
    if rest.is_empty() {
        return text(environment::names().join(" "));
    }
    Ok(environment::get(rest).map(Secret::new))
}
