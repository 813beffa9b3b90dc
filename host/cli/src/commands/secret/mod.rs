//! `forge secret`: reading and writing secrets, one file per thing that can be done with them.

pub(crate) mod copy;
mod get;
mod history;
pub(crate) mod list;
mod removal;
mod rotate;
mod set;

pub(in crate::commands) use self::set::value;

use self::removal::Removal;
use forge_core::policy::Action;
use forge_core::reference::Reference;
use forge_core::resolver::{Resolver, Target};
use forge_core::secret::{Attributes, VersionState};
use serde_json::{Value as Json, json};

use crate::app::App;
use crate::arguments::Later;
use crate::arguments::secret::{Copy, Get, List, Rollback, Secret, State};
use crate::failure::{Context as _, Outcome, usage};
use crate::printer::Printer;

pub(crate) async fn run(app: &App, printer: &mut Printer, command: Secret) -> Outcome {
    match command {
        Secret::Get(Later(Get { reference, out, raw })) => {
            get::get(app, printer, &reference, out.as_deref(), raw).await
        }
        Secret::Set(Later(arguments)) => set::set(app, printer, *arguments).await,
        Secret::List(Later(List { prefix })) => list::list(app, printer, prefix.as_deref()).await,
        Secret::Describe(Later(name)) => history::describe(app, printer, &name.reference).await,
        Secret::Versions(Later(name)) => history::versions(app, printer, &name.reference).await,
        Secret::Rollback(Later(Rollback { name, to, dry_run })) => {
            history::rollback(app, printer, &name.reference, &to, dry_run).await
        }
        Secret::Rotate(Later(arguments)) => rotate::rotate(app, printer, *arguments).await,
        Secret::Enable(Later(State { reference, dry_run })) => {
            history::set_state(app, printer, &reference, VersionState::Enabled, dry_run).await
        }
        Secret::Disable(Later(State { reference, dry_run })) => {
            history::set_state(app, printer, &reference, VersionState::Disabled, dry_run).await
        }
        Secret::Delete(Later(typed)) => {
            removal::run(app, printer, Removal::Delete, &typed.name.reference, typed.yes, typed.dry_run).await
        }
        Secret::Recover(Later(typed)) => {
            removal::run(app, printer, Removal::Recover, &typed.name.reference, true, typed.dry_run).await
        }
        Secret::Purge(Later(typed)) => {
            removal::run(app, printer, Removal::Purge, &typed.name.reference, typed.yes, typed.dry_run).await
        }
        Secret::Copy(Later(Copy { from, to, overwrite, dry_run })) => {
            copy::copy(app, printer, &from, &to, copy::Manner { overwrite, dry_run }).await
        }
    }
}

/// A reference whose provider is open: no question is asked and no value is typed for one that is not there.
struct Named {
    resolver: Resolver,
    /// As it was typed.
    reference: Reference,
    /// With the provider's own name.
    resolved: Reference,
}

impl Named {
    async fn open(app: &App, reference: Reference, action: Action) -> Outcome<Self> {
        let resolver = app.resolver();
        let opened = resolver.prepare(target(&reference), action).await?;
        let resolved = Reference { provider: Some(opened.identity.provider.clone()), ..reference.clone() };
        Ok(Self { resolver, reference, resolved })
    }

    fn without_version(&self) -> Reference {
        Reference { version: None, ..self.resolved.clone() }
    }

    /// What `--dry-run` answers: that nothing was done.
    fn dry(&self, printer: &mut Printer, operation: &str) -> Outcome {
        if !printer.is_json() {
            return Ok(());
        }
        printer.object(json!({ "reference": self.resolved.to_string(), "operation": operation, "dry_run": true }))
    }
}

pub(super) fn parsed(text: &str) -> Outcome<Reference> {
    // The text is not repeated: what does not parse may be a value that was pasted by mistake.
    text.parse::<Reference>().context(|| "can't read the reference".to_owned())
}

pub(super) fn target(reference: &Reference) -> Target<'_> {
    Target { provider: reference.provider.as_deref(), path: &reference.path, version: reference.version.as_deref() }
}

/// Refuses a reference to a part of a secret where a whole one is meant.
fn whole(reference: &Reference, verb: &str) -> Outcome {
    if reference.field.is_none() && reference.version.is_none() {
        return Ok(());
    }
    Err(usage(format!("a whole secret {verb}, so the reference has no field and no version")))
}

/// Attributes as one JSON object; of a name that repeats the last value counts.
fn pairs(attributes: &Attributes) -> Json {
    attributes.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<serde_json::Map<_, _>>().into()
}
