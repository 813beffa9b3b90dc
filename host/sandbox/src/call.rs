//! One call of a plugin: a fresh store, a clock around it, and the host's verdict at its end.

use std::pin::Pin;

use forge_core::Kind;
use forge_core::manifest::{Manifest, printable_name};
use forge_core::provider::{Failure, GuestText, RequestRecord};
use forge_core::setting::Settings;
use wasmtime::component::InstancePre;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};

use crate::bindings::types;
use crate::convert;
use crate::limit::Limits;
use crate::state::State;

/// What a call answers: the guest's own result inside the engine's.
pub(crate) type Answer<T> = wasmtime::Result<Result<T, types::Error>>;

/// Calls one function of a fresh instance.
pub(crate) type Act<T> = Box<
    dyn for<'a> FnOnce(
            &'a mut Store<State>,
            &'a InstancePre<State>,
        ) -> Pin<Box<dyn Future<Output = Answer<T>> + Send + 'a>>
        + Send,
>;

/// How a call ended, before anybody judged it.
pub(crate) enum End<T> {
    Answered(T),
    Refused(types::Error),
    Broke(Failure),
}

/// How a call ended, and what the host has to say of it.
pub(crate) struct Ended<T> {
    pub(crate) end: End<T>,
    /// What the host refused, or a write that it could not do.
    pub(crate) refused: Option<Failure>,
    /// What else it could not do.
    pub(crate) missed: Option<Failure>,
}

/// Runs one call to its end and drops the store whatever that end is.
pub(crate) async fn run<T>(
    mut store: Store<State>,
    pre: &InstancePre<State>,
    limits: &Limits,
    act: Act<T>,
) -> Ended<T> {
    // Epochs stop a guest that computes; a guest that waits in the host is stopped by this clock.
    let answer = tokio::time::timeout(limits.wall, act(&mut store, pre)).await;
    let end = match answer {
        Ok(Ok(Ok(answer))) => End::Answered(answer),
        Ok(Ok(Err(error))) => End::Refused(error),
        Ok(Err(error)) => End::Broke(fault(&error, store.data(), limits)),
        Err(_) => End::Broke(timeout(store.data(), limits)),
    };
    let state = store.data_mut();
    Ended { end, refused: state.refused.take(), missed: state.missed.take() }
}

fn timeout(state: &State, limits: &Limits) -> Failure {
    let what = format!("plugin `{}` did not answer within {} ms", state.plugin, limits.wall.as_millis());
    Failure::new(Kind::Timeout, what)
}

/// What the engine stopped a guest for, in the host's words: a guest's own message may hold a secret.
fn fault(error: &wasmtime::Error, state: &State, limits: &Limits) -> Failure {
    let plugin = &state.plugin;
    if error.is::<PoolConcurrencyLimitError>() {
        let what = format!("plugin `{plugin}` was not called: too many calls of plugins run at once");
        return Failure::new(Kind::Unavailable, what);
    }
    let what = match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            let budget = crate::engine::TICK.as_millis() * u128::from(limits.ticks);
            format!("plugin `{plugin}` used up its {budget} ms on the processor")
        }
        Some(Trap::StackOverflow) => format!("plugin `{plugin}` used up its stack"),
        // A compiled guest has most of its stack in its own memory, below which there is nothing.
        Some(Trap::MemoryOutOfBounds) => {
            format!("plugin `{plugin}` reached outside its memory, as it does when it used up its stack")
        }
        _ if state.met_limit() => {
            format!("plugin `{plugin}` asked for more than its {} MiB of memory or its tables", limits.memory >> 20)
        }
        Some(_) => format!("plugin `{plugin}` broke off"),
        None => format!("plugin `{plugin}` broke a rule of the contract"),
    };
    Failure::new(Kind::PluginFault, what)
}

/// What a hint may name.
pub(crate) struct Names<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) settings: &'a Settings,
    pub(crate) path: &'a str,
    pub(crate) is_builtin: bool,
}

impl Names<'_> {
    /// The manifest's hint for a kind, with names filled in; a name that is unknown stays as it is.
    pub(crate) fn hint(&self, kind: Kind, last: Option<&RequestRecord>) -> Option<String> {
        self.filled(kind, last).map(|hint| self.attributed(&hint))
    }

    fn filled(&self, kind: Kind, last: Option<&RequestRecord>) -> Option<String> {
        let mut hint = self.manifest.hint.get(kind.token())?.clone();
        for (name, value) in self.settings {
            hint = hint.replace(&format!("{{{name}}}"), value);
        }
        hint = hint.replace("{path}", self.path);
        if let Some(last) = last {
            let request = last.route.trim_start_matches('/').replace("**", self.path);
            hint = hint.replace("{origin}", &last.origin).replace("{request-path}", &request);
        }
        Some(hint)
    }

    /// Words of a manifest with whose they are: only those of plugins that forge itself carries are forge's own.
    fn attributed(&self, hint: &str) -> String {
        if self.is_builtin { hint.to_owned() } else { format!("plugin `{}` suggests: {hint}", self.manifest.id) }
    }

    /// A failure of a call that may have changed what it was to change: whoever does it again should know.
    pub(crate) fn left_open(&self, failure: Failure) -> Failure {
        let open = "it may have been done all the same: look before you do it again";
        let hint = failure.hint.map_or_else(|| open.to_owned(), |hint| format!("{open}; {hint}"));
        Failure { hint: Some(hint), ..failure }
    }

    /// The hint after an answer that denied what needs this right.
    fn denied(&self, permission: &str, hint: Option<String>) -> String {
        let on = match self.path {
            "" => "all secrets".to_owned(),
            path => format!("`{}`", printable_name(path)),
        };
        let hint = hint.unwrap_or_else(|| "give the credential this right, or use another one".to_owned());
        format!("`{permission}` on {on} was refused: {hint}")
    }

    /// A guest's error in the host's words: the kind is the guest's, the status and the origin are the broker's.
    pub(crate) fn judged(&self, error: types::Error, records: &[RequestRecord]) -> Failure {
        let kind = convert::kind(error.kind);
        // Which answer denied it the guest tells by the status, since it may have tidied up behind it; a denial without one is
        // the plugin's own. What was asked there is the broker's to say.
        let is_denial = |record: &&RequestRecord| {
            kind == Kind::AccessDenied
                && record.status == error.status
                && record.status.is_some_and(|status| status >= 400)
        };
        let denial = records.iter().rfind(is_denial);
        let last = denial.or(records.last());
        let plugin = &self.manifest.id;
        let status = last.and_then(|record| record.status);
        let what = match (kind, last, status) {
            (Kind::PluginFault, ..) => format!("plugin `{plugin}` failed"),
            // What was refused before anything was sent is the plugin's own rule.
            (_, Some(record), Some(status)) if is_answer(kind, status) => {
                format!("{}: `{plugin}` answered {status} ({})", sentence(kind), record.origin)
            }
            _ => sentence(kind).to_owned(),
        };
        let said = [error.code.as_deref().unwrap_or_default(), &error.message].join(" ");
        let guest = Some(GuestText::new(said.trim())).filter(|text| !text.for_terminal().is_empty());
        let hint = match denial.and_then(|denial| denial.permission.as_ref()) {
            Some(permission) => Some(self.denied(permission, self.filled(kind, last))),
            None => self.filled(kind, last),
        };
        Failure { kind, what, hint: hint.map(|hint| self.attributed(&hint)), status, guest }
    }
}

/// Whether the backend's last answer is what the plugin complains about: an answer of success is so only where it could not
/// be understood, and else what it told was weighed by the plugin.
fn is_answer(kind: Kind, status: u16) -> bool {
    !matches!(kind, Kind::Unsupported) && (kind == Kind::Upstream || !(200..300).contains(&status))
}

fn sentence(kind: Kind) -> &'static str {
    match kind {
        Kind::NotFound => "there is no such secret",
        Kind::AccessDenied => "the backend denies access",
        Kind::Unauthenticated => "the backend does not accept the credential",
        Kind::InvalidRequest => "the backend does not take this name, version or value",
        Kind::Conflict => "another version is current",
        Kind::WrongState => "the secret is in a state that does not allow this",
        Kind::TooLarge => "the value is too large",
        Kind::Unsupported => "the backend has no such operation",
        Kind::RateLimited => "the backend asks to slow down",
        Kind::Unavailable => "the backend is not available",
        Kind::Timeout => "the backend took too long",
        Kind::Upstream => "the backend answered what its protocol does not have",
        _ => "the plugin failed",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const MANIFEST: &str =
        "id = \"notes\"\ntitle = \"Notes\"\nversion = \"1\"\n[hint]\naccess-denied = \"ask {origin}\"\n";

    fn record(status: u16, permission: &str) -> RequestRecord {
        RequestRecord {
            method: "GET".to_owned(),
            origin: format!("https://{status}.example"),
            route: "/**".to_owned(),
            status: Some(status),
            bytes: 0,
            milliseconds: 0,
            attempts: 1,
            outcome: "ok",
            permission: Some(permission.to_owned()),
            is_open: false,
        }
    }

    fn hint(manifest: &str, is_builtin: bool, path: &str, status: Option<u16>, records: &[RequestRecord]) -> String {
        let manifest = Manifest::parse(manifest.as_bytes()).unwrap();
        let names = Names { manifest: &manifest, settings: &Settings::new(), path, is_builtin };
        let error = types::Error {
            kind: types::ErrorKind::AccessDenied,
            message: "words of the guest".to_owned(),
            status,
            code: None,
            retry_after_ms: None,
            attributes: Vec::new(),
        };
        names.judged(error, records).hint.unwrap()
    }

    #[test]
    fn a_denial_names_the_right_of_the_request_that_was_denied_whatever_came_behind_it() {
        let records = [record(403, "first"), record(403, "notes:Get"), record(404, "other"), record(200, "tidy")];
        let told = hint(MANIFEST, true, "a/b", Some(403), &records);
        assert_eq!(told, "`notes:Get` on `a/b` was refused: ask https://403.example");
        assert_eq!(
            hint(MANIFEST, false, "", Some(403), &records),
            "plugin `notes` suggests: `notes:Get` on all secrets was refused: ask https://403.example"
        );
        let silent = MANIFEST.split("[hint]").next().unwrap();
        let told = hint(silent, true, "a\u{1b}[2J", Some(403), &records);
        assert_eq!(
            told,
            "`notes:Get` on `a\u{fffd}[2J` was refused: give the credential this right, or use another one"
        );
    }

    #[test]
    fn a_denial_that_no_answer_stands_behind_names_no_right() {
        // The plugin's own rule; a status that no answer had; one of success, which denies nothing.
        let records = [record(403, "notes:Get"), record(200, "tidy")];
        for status in [None, Some(401), Some(200)] {
            assert_eq!(hint(MANIFEST, true, "a", status, &records), "ask https://200.example", "{status:?}");
        }
    }
}
