//! The environment of a program that is run: this one without credentials, and the secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use crate::app::App;
use crate::commands::variables::{Given, text};
use crate::failure::Outcome;
use crate::{credential, environment, grants};

/// Variables of forge's own, which the program has no use for.
const OWN: &[u8] = b"FORGE_";

/// What is left of an environment that is to hold nothing else.
const PLAIN: [&str; 9] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "TZ", "TMPDIR"];

/// The beginning of the variables that say which language is spoken.
const LANGUAGE: &[u8] = b"LC_";

/// Variables by name.
pub(super) type Variables = BTreeMap<OsString, OsString>;

/// This environment as a program may have it.
///
/// Whoever can have a program run here must not be handed what forge logs in with: a variable that is the source of a
/// credential is left out, be it named in a grant or one that is looked at unasked. All else is the program's to have.
///
/// # Errors
/// A grant can't be read, so nobody knows which variable it names.
pub(super) fn inherited(app: &App, is_pristine: bool) -> Outcome<Variables> {
    let all = environment::all_variables();
    if is_pristine {
        let is_plain =
            |name: &OsString| PLAIN.iter().any(|plain| *name == **plain) || name.as_bytes().starts_with(LANGUAGE);
        return Ok(all.filter(|(name, _)| is_plain(name)).collect());
    }
    let held = held(app)?;
    let is_kept = |name: &OsString| {
        let is_credential = name.to_str().is_some_and(|name| held.contains(name));
        !is_credential && !name.as_bytes().starts_with(OWN)
    };
    Ok(all.filter(|(name, _)| is_kept(name)).collect())
}

/// The variables that hold credentials.
fn held(app: &App) -> Outcome<BTreeSet<String>> {
    let grants = grants::every(&app.home)?;
    let mut sources: Vec<String> = grants.iter().flat_map(credential::sources).cloned().collect();
    // A provider that is configured here and looks at the usual places of its kind, or did before a source was named.
    for (name, provider) in &app.config.providers {
        let granted = grants.iter().filter(|grant| {
            grant.provider == *name && grant.project.as_deref().map(std::path::Path::new) == provider.project()
        });
        let granted = granted.filter_map(|grant| grant.credential.as_ref()).map(|credential| &credential.kind);
        for kind in granted.chain(&provider.credential) {
            sources.extend(forge_broker::every_usual_source_of(kind).map(str::to_owned));
        }
    }
    Ok(sources.iter().filter_map(|source| source.strip_prefix("env:")).map(str::to_owned).collect())
}

/// Adds secrets, over whatever has their names: who configured a variable wants the program to have this value.
pub(super) fn give(variables: &mut Variables, given: &Given) -> Outcome {
    for (name, value) in given {
        variables.insert(name.into(), text(name, value)?.into());
    }
    Ok(())
}
