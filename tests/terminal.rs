//! A person at a terminal: the program behind a pty, with questions that are read and answered.

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

use crate::world::{World, program, variable};

/// How long a question may take to appear, in milliseconds: a debug build compiles plugins before it asks.
const PATIENCE: u64 = 120_000;

/// The program in a terminal.
pub struct Terminal(PtySession);

impl std::fmt::Debug for Terminal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Terminal")
    }
}

impl Terminal {
    /// Starts the program with these arguments.
    pub fn start<const N: usize>(world: &World, arguments: [&str; N]) -> Self {
        // A suite that was started in the background ignores these signals, and would hand that on.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT,QUIT,HUP").arg(program());
        command.args(arguments).current_dir(world.path("work")).env_clear();
        command.env("HOME", world.home()).env("TERM", "xterm").envs(world.variables());
        Self(spawn_command(command, Some(PATIENCE)).unwrap())
    }

    /// Starts a command line of `sh`, which finds the program as `forge`.
    pub fn shell(world: &World, line: &str) -> Self {
        let program = program();
        let mut path = program.parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(variable("PATH").unwrap_or_default());
        let mut command = Command::new("env");
        command.args(["--default-signal=INT,QUIT,HUP", "sh", "-c", line]).current_dir(world.path("work")).env_clear();
        command.env("HOME", world.home()).env("TERM", "xterm").env("PATH", path).envs(world.variables());
        Self(spawn_command(command, Some(PATIENCE)).unwrap())
    }

    /// Presses keys, without the one that ends a line.
    pub fn presses(&mut self, keys: &str) {
        self.0.send(keys).unwrap();
        self.0.flush().unwrap();
    }

    /// Waits until this is on the screen; answers what came before it.
    #[track_caller]
    pub fn sees(&mut self, text: &str) -> String {
        self.0.exp_string(text).unwrap_or_else(|error| panic!("expected `{text}`: {error}"))
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        self.0.send_line(line).unwrap();
    }

    /// Presses Ctrl and this key.
    pub fn presses_control(&mut self, key: char) {
        self.0.send_control(key).unwrap();
    }

    /// Sends what the system sends when a terminal is closed, and waits until the program is gone.
    pub fn closes(mut self) {
        use rexpect::process::Signal;
        self.0.process_mut().kill(Signal::SIGHUP).unwrap();
    }

    /// Everything until the program ends, and its exit code; a signal is counted as shells do, from 128 on.
    pub fn ends(mut self) -> (String, i32) {
        use rexpect::process::WaitStatus;
        let rest = self.0.exp_eof().unwrap();
        let code = match self.0.process().wait().unwrap() {
            WaitStatus::Exited(_, code) => code,
            WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
            other => panic!("it did not end: {other:?}"),
        };
        (rest, code)
    }
}
