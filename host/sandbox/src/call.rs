//! One call of a plugin: a fresh store, a clock around it, and the host's verdict at its end.

use std::pin::Pin;

use forge_core::Kind;
use forge_core::manifest::Manifest;
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
        let mut hint = self.manifest.hint.get(kind.token())?.clone();
        for (name, value) in self.settings {
            hint = hint.replace(&format!("{{{name}}}"), value);
        }
        hint = hint.replace("{path}", self.path);
        if let Some(last) = last {
            let request = last.route.trim_start_matches('/').replace("**", self.path);
            hint = hint.replace("{origin}", &last.origin).replace("{request-path}", &request);
        }
        // Only the words of plugins that forge itself carries are forge's own.
        Some(if self.is_builtin { hint } else { format!("plugin `{}` suggests: {hint}", self.manifest.id) })
    }

    /// A guest's error in the host's words: the kind is the guest's, the status and the origin are the broker's.
    pub(crate) fn judged(&self, error: types::Error, last: Option<&RequestRecord>) -> Failure {
        let kind = convert::kind(error.kind);
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
        Failure { kind, what, hint: self.hint(kind, last), status, guest }
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
