//! Compilation in a child process with limits: a component can be made to take hours or all memory, and is not run here.
//!
//! The child bounds resources and is no wall of trust: machine code is what its compiler makes of a component, so an
//! attacker who could take the compiler over would be in the code as well. What a plugin may do is decided elsewhere.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, setrlimit};

use crate::error::{Error, LONGEST_COMPONENT};

/// The argument that makes the program the child of [`Compiler`].
pub const COMPILE: &str = "__compile";

/// The longest machine code, in bytes: it is some times larger than a component.
pub(crate) const LONGEST_CODE: u64 = 512 << 20;

/// The child's exit code when the engine refuses the component.
const REFUSED: u8 = 3;

/// What one compilation may take.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// On all processors together, in seconds.
    processor: u64,
    /// By the clock; a machine that is busy gets more of it than of the processor.
    clock: Duration,
    /// Address space, in bytes. Each thread of the compiler takes 64 MiB of it before it does anything.
    memory: u64,
}

/// Python's guests, the largest we know of, take 20 s of one processor and 1 GiB.
const BUDGET: Budget = Budget { processor: 120, clock: Duration::from_secs(180), memory: 6 << 30 };

/// Threads of one compilation: more of them gain little, and each takes memory.
const THREADS: usize = 8;

/// Compiles components in a child process.
#[derive(Clone, Debug)]
pub struct Compiler {
    program: PathBuf,
    budget: Budget,
}

impl Compiler {
    /// A compiler whose child is `program`, which answers [`COMPILE`] with [`compile`].
    pub fn new(program: PathBuf) -> Self {
        Self { program, budget: BUDGET }
    }

    /// The machine code of a component.
    ///
    /// # Errors
    /// [`Error::Uncompilable`] when the engine refuses it, [`Error::CompileLimit`] when the child used up a limit,
    /// [`Error::Compiler`] when there is no child.
    pub(crate) fn compile(&self, component: &[u8]) -> Result<Vec<u8>, Error> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let mut child = Command::new(&self.program)
            .args([COMPILE, &self.budget.processor.to_string(), &self.budget.memory.to_string()])
            // Nothing of this process's environment, which holds credentials, is of use to a compiler.
            .env_clear()
            .env("RAYON_NUM_THREADS", threads.to_string())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Error::Compiler(error.to_string()))?;
        let code = converse(&mut child, component, self.budget.clock);
        if code.is_none() {
            // It may have ended by itself meanwhile, which is as good.
            child.kill().unwrap_or_default();
        }
        let status = child.wait().map_err(|error| Error::Compiler(error.to_string()))?;
        match code {
            Some(code) if status.success() => Ok(code),
            _ => Err(verdict(status)),
        }
    }
}

/// Gives the child the component and takes the code; `None` when the clock ran out first or the code is too long.
fn converse(child: &mut Child, component: &[u8], clock: Duration) -> Option<Vec<u8>> {
    let (mut input, output) = (child.stdin.take()?, child.stdout.take()?);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut code = Vec::new();
            let read = output.take(LONGEST_CODE + 1).read_to_end(&mut code);
            // Whoever waits may have given up.
            sender.send(read.is_ok().then_some(code)).unwrap_or_default();
        });
        // A child that dies early closes its input; its exit says why.
        input.write_all(component).unwrap_or_default();
        drop(input);
        let answer = receiver.recv_timeout(clock).ok().flatten();
        if answer.is_none() {
            // The reader above ends when the child does.
            child.kill().unwrap_or_default();
        }
        answer.filter(|code| code.len() as u64 <= LONGEST_CODE)
    })
}

fn verdict(status: ExitStatus) -> Error {
    // A refusal has its own code; every other end is a limit: a signal from the system, or memory that was not given.
    if status.code() == Some(i32::from(REFUSED)) { Error::Uncompilable } else { Error::CompileLimit }
}

/// The child's side: limits itself, reads a component from `input`, writes machine code to `output`; answers the exit code.
///
/// `limits` are the arguments behind [`COMPILE`]: seconds on the processor, and bytes of address space.
pub fn compile(limits: &[String], input: impl Read, mut output: impl Write) -> u8 {
    let Some(()) = limit(limits) else { return 1 };
    let mut component = Vec::new();
    if input.take(LONGEST_COMPONENT + 1).read_to_end(&mut component).is_err() {
        return 1;
    }
    let Ok(engine) = crate::engine::compiling() else { return 1 };
    let Ok(code) = engine.precompile_component(&component) else { return REFUSED };
    if output.write_all(&code).and_then(|()| output.flush()).is_err() {
        return 1;
    }
    0
}

fn limit(limits: &[String]) -> Option<()> {
    let [processor, memory] = limits else { return None };
    let (processor, memory) = (processor.parse::<u64>().ok()?, memory.parse::<u64>().ok()?);
    let all = [
        (Resource::Cpu, processor),
        (Resource::As, memory),
        // The output is a pipe: a compiler writes no file, opens few, and leaves no core behind.
        (Resource::Fsize, 0),
        (Resource::Nofile, 64),
        (Resource::Core, 0),
    ];
    for (resource, most) in all {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).ok()?;
    }
    die_with_parent();
    Some(())
}

/// A command that was stopped with Ctrl-C or killed leaves no compiler behind.
fn die_with_parent() {
    #[cfg(target_os = "linux")]
    // Without it the limits above still end the child.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).unwrap_or_default();
}
