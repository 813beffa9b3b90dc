//! Deleting a secret, taking that back, and removing it for good.

use forge_core::policy::Action;
use serde_json::json;

use super::{Named, parsed, target, whole};
use crate::app::App;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

/// What is done to a whole secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    Delete,
    Recover,
    Purge,
}

impl Removal {
    fn verb(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Recover => "recover",
            Self::Purge => "purge",
        }
    }

    fn action(self) -> Action {
        match self {
            Self::Delete => Action::Delete,
            Self::Recover => Action::Recover,
            Self::Purge => Action::Purge,
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Delete => "deleted",
            Self::Recover => "recovered",
            Self::Purge => "purged",
        }
    }
}

pub(super) async fn run(
    app: &App,
    printer: &mut Printer,
    removal: Removal,
    text: &str,
    yes: bool,
    dry_run: bool,
) -> Outcome {
    let reference = parsed(text)?;
    let (verb, done) = (removal.verb(), removal.done());
    let tried = || format!("can't {verb} `{reference}`");
    whole(&reference, &format!("is {done}")).context(tried)?;
    let named = Named::open(app, reference.clone(), removal.action()).await.context(tried)?;
    if dry_run {
        printer.note(&format!("would {verb} `{}`", named.resolved));
        return named.dry(printer, verb);
    }
    let question = match removal {
        Removal::Delete => format!("delete `{}`?", named.resolved),
        Removal::Purge => format!("remove `{}` and all its versions for good?", named.resolved),
        Removal::Recover => String::new(),
    };
    if !question.is_empty() && !yes && !printer.confirm(&question) {
        return Err(usage("nobody said yes").with_hint(format!("`--yes` {verb}s without a question"))).context(tried);
    }
    let found = match removal {
        Removal::Delete => named.resolver.delete(target(&reference)).await,
        Removal::Recover => named.resolver.recover(target(&reference)).await.map(|()| true),
        Removal::Purge => named.resolver.purge(target(&reference)).await,
    };
    if !found.context(tried)? {
        let left = if removal == Removal::Purge { ", and nothing left of one" } else { "" };
        return Err(not_found(format!("there is no such secret{left}"))).context(tried);
    }
    if printer.is_json() {
        return printer.object(json!({ "reference": named.resolved.to_string(), done: true }));
    }
    printer.note(&format!("{done} `{}`", named.resolved));
    Ok(())
}
