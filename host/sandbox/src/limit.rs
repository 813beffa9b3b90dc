//! Limits of one call, each with its usual value and its ceiling.

use std::time::Duration;

use forge_core::manifest::{LimitsAsk, Manifest};

use crate::error::Error;

/// What one call may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Linear memory in bytes; a component has one, and its adapters may have as much again.
    pub(crate) memory: usize,
    /// Time on the processor, counted in ticks of [`crate::engine::TICK`].
    pub(crate) ticks: u64,
    /// Time from beginning to end.
    pub(crate) wall: Duration,
}

/// Memory of usual guests, in bytes; guests that carry an interpreter ask for more.
const MEMORY: u64 = 64 << 20;
/// The most memory that may be asked for, in bytes.
pub(crate) const MEMORY_MOST: u64 = 256 << 20;
/// Processor time of a call, in milliseconds: a hundred times what a real one takes.
const CPU: u32 = 2_000;
/// The most processor time that may be asked for, in milliseconds.
const CPU_MOST: u32 = 30_000;
/// The longest call, in milliseconds, as the broker's own.
const WALL: u32 = 20_000;
/// The longest call that may be asked for, in milliseconds.
const WALL_MOST: u32 = 60_000;

/// Lists, handles and strings that a call may make the host keep, in bytes.
pub(crate) const HOST_CALL_FUEL: usize = 32 << 20;
/// Entries of tables, of which a real guest has some hundreds.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;
/// Core instances, memories and tables of one component.
pub(crate) const INSTANCES: u32 = 64;
/// Memories of one component, adapters included.
pub(crate) const MEMORIES: u32 = 4;
/// Tables of one component.
pub(crate) const TABLES: u32 = 16;
/// Bytes that a call may write to its directory: a write of the largest file, and its bookkeeping.
pub(crate) const FILE_BYTES: u64 = 64 << 20;
/// Files that a call may write or remove.
pub(crate) const FILE_CHANGES: u32 = 1_000;
/// Lines that a call may log.
pub(crate) const LOG_LINES: u32 = 100;
/// Characters of a line that are kept.
pub(crate) const LOG_LINE: usize = 400;
/// Random bytes that one request may ask for.
pub(crate) const RANDOM: u32 = 64 << 10;

impl Limits {
    /// The limits of a plugin: what it asks for, or the usual ones.
    pub(crate) fn of(ask: &LimitsAsk) -> Self {
        let memory = ask.memory.map_or(MEMORY, |size| size.0.min(MEMORY_MOST));
        let cpu = ask.cpu_ms.unwrap_or(CPU).clamp(1, CPU_MOST);
        let tick = u32::try_from(crate::engine::TICK.as_millis()).unwrap_or(10);
        Self {
            memory: usize::try_from(memory).unwrap_or(usize::MAX),
            ticks: u64::from(cpu.div_ceil(tick)),
            wall: Duration::from_millis(u64::from(ask.wall_ms.unwrap_or(WALL).clamp(1, WALL_MOST))),
        }
    }

    /// Refuses a manifest that asks for more than anybody gets.
    pub(crate) fn check(manifest: &Manifest) -> Result<(), Error> {
        let ask = &manifest.limits;
        let refuse = |what: String, most: String| Err(Error::Limit { plugin: manifest.id.clone(), what, most });
        if let Some(size) = ask.memory.filter(|size| size.0 > MEMORY_MOST) {
            return refuse(format!("{} bytes of memory", size.0), format!("{} MiB", MEMORY_MOST >> 20));
        }
        if let Some(cpu) = ask.cpu_ms.filter(|cpu| *cpu > CPU_MOST) {
            return refuse(format!("{cpu} ms on the processor"), format!("{CPU_MOST} ms"));
        }
        if let Some(wall) = ask.wall_ms.filter(|wall| *wall > WALL_MOST) {
            return refuse(format!("calls of {wall} ms"), format!("{WALL_MOST} ms"));
        }
        Ok(())
    }
}
