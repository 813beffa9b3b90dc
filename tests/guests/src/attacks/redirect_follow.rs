//! Lets a granted server say where to go next, and goes there: the host must not follow, and the guest must be asked anew.

use forge_sdk::{Error, http};

use crate::{Loot, fetch, granted};

/// Follows one redirect by hand.
pub(super) fn run(_rest: &str) -> Loot {
    let answer = http::get(granted("/v1/secret/data/redirect")?).send()?;
    let Some(location) = answer.header("location") else {
        return Err(Error::upstream(format!("the host followed by itself, and there came {}", answer.status())));
    };
    fetch(http::get(location))
}
