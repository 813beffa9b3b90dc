//! What one call's store holds: the grant's doors, the limits, and what the host itself refused.

use std::sync::Arc;

use forge_broker::Call;
use forge_core::provider::Failure;
use forge_core::setting::Settings;
use wasmtime::{Engine, ResourceLimiter, Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};

use crate::directory::{Directory, Lock};
use crate::environment::Environment;
use crate::limit::{self, Limits};

/// The host's side of one call. A fresh one for each: nothing of a call is left for the next.
pub(crate) struct State {
    pub(crate) plugin: Arc<str>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) http: Option<Arc<Call>>,
    pub(crate) directory: Option<Arc<Directory>>,
    /// Held by calls that write; a call without it writes nothing.
    pub(crate) lock: Option<Lock>,
    pub(crate) environment: Arc<Environment>,
    pub(crate) log_lines: u32,
    /// Files changed and bytes written so far.
    pub(crate) changes: (u32, u64),
    /// What the host refused, or a write that it could not do; it has the last word over what the guest says.
    pub(crate) refused: Option<Failure>,
    /// What else the host could not do. What that means is the guest's to say: behind a write that is done it is tidying.
    pub(crate) missed: Option<Failure>,
    limits: Meter,
}

/// Counts what the engine asks for, and remembers that it said no.
struct Meter {
    limits: StoreLimits,
    /// Bytes that all memories of the call may have together, and those they have.
    most: usize,
    used: usize,
    was_refused: bool,
}

/// What a provider lends to each of its calls.
#[derive(Clone)]
pub(crate) struct Lent {
    pub(crate) plugin: Arc<str>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) directory: Option<Arc<Directory>>,
    pub(crate) environment: Arc<Environment>,
    pub(crate) limits: Limits,
}

impl State {
    pub(crate) fn new(lent: &Lent, http: Option<Arc<Call>>, lock: Option<Lock>) -> Self {
        let limits = StoreLimitsBuilder::new()
            .memory_size(lent.limits.memory)
            .memories(limit::MEMORIES as usize)
            .tables(limit::TABLES as usize)
            .table_elements(limit::TABLE_ELEMENTS)
            .instances(limit::INSTANCES as usize)
            .build();
        Self {
            plugin: lent.plugin.clone(),
            settings: lent.settings.clone(),
            http,
            directory: lent.directory.clone(),
            lock,
            environment: lent.environment.clone(),
            log_lines: 0,
            changes: (0, 0),
            refused: None,
            missed: None,
            limits: Meter { limits, most: lent.limits.memory, used: 0, was_refused: false },
        }
    }

    /// Keeps the first thing that the host refused: what follows is often its consequence.
    pub(crate) fn refuse(&mut self, failure: Failure) {
        self.refused.get_or_insert(failure);
    }

    /// Keeps the first thing that the host could not do and that is no write.
    pub(crate) fn miss(&mut self, failure: Failure) {
        self.missed.get_or_insert(failure);
    }

    /// Whether the guest met the limit of its memory or tables.
    pub(crate) fn met_limit(&self) -> bool {
        self.limits.was_refused
    }

    /// A store for one call. Whatever ends it, the store is dropped and never used again.
    pub(crate) fn into_store(self, engine: &Engine, limits: &Limits) -> Store<Self> {
        let mut store = Store::new(engine, self);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(limit::HOST_CALL_FUEL);
        store.set_max_component_handles(1_000);
        let budget = limits.ticks;
        let mut used = 0_u64;
        // The callback runs when guest code meets a new epoch, so a wait in the host costs one tick however long it
        // takes, and a guest that computes pays for each. Waits are bounded by the clock around the call.
        store.epoch_deadline_callback(move |_| {
            used += 1;
            Ok(if used > budget { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
        });
        store.set_epoch_deadline(1);
        store
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // The engine's own limit counts each memory by itself, and a component may have several.
        let used = self.used.saturating_add(desired.saturating_sub(current));
        let allowed = used <= self.most && self.limits.memory_growing(current, desired, maximum)?;
        if allowed {
            self.used = used;
        }
        self.was_refused |= !allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = self.limits.table_growing(current, desired, maximum)?;
        self.was_refused |= !allowed;
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        self.limits.instances()
    }

    fn tables(&self) -> usize {
        self.limits.tables()
    }

    fn memories(&self) -> usize {
        self.limits.memories()
    }
}
