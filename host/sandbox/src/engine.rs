//! The engine: one set of rules for all plugins, and the clock that stops those that don't stop.

use std::time::Duration;

use wasmtime::{Config, Engine, OptLevel, WasmBacktraceDetails};

/// How often a running plugin is looked at. Also the unit of the processor budget.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// The deepest stack of a plugin, in bytes.
const STACK: usize = 1 << 20;

/// The engine that runs plugins. It compiles none: that is the child's work, and a compiler would cost each start.
pub(crate) fn running() -> wasmtime::Result<Engine> {
    let engine = Engine::new(config().enable_compiler(false))?;
    start_ticking(&engine)?;
    Ok(engine)
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
