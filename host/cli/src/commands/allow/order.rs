//! The order in which a project's providers are tried: one whose credential is another one's secret comes after it.

use forge_core::config::LOCAL;
use forge_core::grant::Grant;
use forge_core::reference::Reference;

use super::Pending;
use crate::credential;
use crate::failure::{Outcome, usage};

/// The providers so that each comes after those it reads its credential from.
///
/// # Errors
/// Several wait for each other, or one for itself.
pub(super) fn by_need(pending: Vec<Pending>) -> Outcome<Vec<Pending>> {
    let mut waiting = pending;
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let waits =
            |one: &Pending| needs(&one.proposed.grant).any(|name| waiting.iter().any(|other| other.name == name));
        let Some(next) = waiting.iter().position(|one| !waits(one)) else {
            let names: Vec<String> = waiting.iter().map(|one| format!("`{}`", one.name)).collect();
            return Err(usage(format!("the credentials of {} wait for each other", names.join(", ")))
                .with_hint("one of them has to come from elsewhere: `--credential PROVIDER=KIND,NAME=SOURCE`"));
        };
        ordered.push(waiting.remove(next));
    }
    Ok(ordered)
}

/// The providers whose secrets this grant's sources are.
fn needs(grant: &Grant) -> impl Iterator<Item = String> {
    let references = credential::sources(grant).filter_map(|source| source.parse::<Reference>().ok());
    references.map(|reference| reference.provider.unwrap_or_else(|| LOCAL.to_owned()))
}
