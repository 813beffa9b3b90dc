//! The engine: one set of rules for all plugins, and the clock that stops those that don't stop.

use std::time::Duration;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
};

use crate::limit;

/// How often a running plugin is looked at. Also the unit of the processor budget.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// The deepest stack of a plugin, in bytes.
const STACK: usize = 1 << 20;

/// How many calls a sandbox is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Those of one command: each call makes its memory and gives it back.
    Few,
    /// Those of a server or of a command over many secrets: memories and stacks are made once, and emptied between calls.
    /// Starting takes longer by about a microsecond for each place, and each call a good third less.
    Many {
        /// How many run at once, in all plugins together: each has a place, which reserves address space and no memory.
        at_once: u32,
    },
}

/// Bytes of a memory that are emptied in place after a call and not given back: more than plugins use that carry no
/// interpreter.
const KEPT: usize = 1 << 20;

/// Bytes of a stack that are emptied in place: a call without a TLS handshake uses less.
const KEPT_STACK: usize = 64 << 10;

/// What the engine itself may keep of an instance, in bytes: more than any component that compiles within its limits has.
const INSTANCE: usize = 16 << 20;

/// The engine that runs plugins. It compiles none: that is the child's work, and a compiler would cost each start.
pub(crate) fn running(calls: Calls) -> wasmtime::Result<Engine> {
    let mut config = config();
    config.enable_compiler(false);
    let pools: &[(bool, u32)] = match calls {
        Calls::Many { at_once } => &[(true, at_once), (false, at_once)],
        Calls::Few => &[],
    };
    // Where the kernel can't be asked, or a process may not reserve that much address space, calls do without.
    let pooled = pools.iter().find_map(|(asks_kernel, at_once)| {
        let mut pooling = config.clone();
        // No guest can read the stack, on which the host's calls run too; what they leave there is gone all the same.
        pooling.async_stack_zeroing(true);
        pooling.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(*asks_kernel, *at_once)));
        Engine::new(&pooling).ok()
    });
    let engine = pooled.map_or_else(|| Engine::new(&config), Ok)?;
    start_ticking(&engine)?;
    Ok(engine)
}

/// Places for the memories, tables and stacks of calls, within the limits that every plugin has.
///
/// The engine empties each place before another call has it: in place, where the kernel says which pages were touched
/// (ioctl PAGEMAP_SCAN, Linux 6.7), and by giving all of it back otherwise.
fn pool(asks_kernel: bool, at_once: u32) -> PoolingAllocationConfig {
    const PER_CALL: u32 = 4;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(at_once)
        .total_stacks(at_once)
        .total_memories(at_once)
        .total_core_instances(at_once.saturating_mul(PER_CALL))
        .total_tables(at_once.saturating_mul(PER_CALL))
        .max_core_instances_per_component(limit::INSTANCES)
        .max_memories_per_component(limit::MEMORIES)
        .max_tables_per_component(limit::TABLES)
        .max_tables_per_module(limit::TABLES)
        .max_core_instance_size(INSTANCE)
        .max_component_instance_size(INSTANCE)
        .table_elements(limit::TABLE_ELEMENTS)
        .max_memory_size(usize::try_from(limit::MEMORY_MOST).unwrap_or(usize::MAX))
        .async_stack_keep_resident(KEPT_STACK);
    if asks_kernel {
        pool.pagemap_scan(Enabled::Yes).linear_memory_keep_resident(KEPT).table_keep_resident(KEPT);
    }
    pool
}

/// The engine of the child that compiles. It runs nothing.
pub(crate) fn compiling() -> wasmtime::Result<Engine> {
    Engine::new(config().cranelift_opt_level(OptLevel::Speed))
}

/// What the contract needs, and everything else off.
///
/// Each proposal that is off is code of the engine that no plugin reaches.
fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_exceptions(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        // Host calls run on the guest's stack: a TLS handshake or another plugin's compilation must fit behind it.
        .async_stack_size(STACK + (8 << 20))
        // A guest's symbols are the guest's words: traps are named by the host alone.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(None)
        // Both tables are for debuggers and backtraces; without them there is less to check and to load.
        .generate_address_map(false)
        .native_unwind_info(false);
    config
}

/// A thread that moves the epoch on, for as long as the engine lives.
fn start_ticking(engine: &Engine) -> wasmtime::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new().name("forge-epoch".to_owned()).stack_size(64 * 1024).spawn(tick)?;
    Ok(())
}
