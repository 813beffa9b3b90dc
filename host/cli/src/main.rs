//! `forge`: secrets of any backend, read and written through sandboxed plugins.

mod app;
mod arguments;
mod commands;
mod consent;
mod credential;
mod environment;
mod failure;
mod grants;
mod keyring;
mod memory;
mod printer;
mod program;
mod providers;
mod tokens;

use std::process::ExitCode;

fn main() -> ExitCode {
    memory::keep();
    if let Some(code) = commands::run::session() {
        return ExitCode::from(code);
    }
    commands::completion::answer();
    let arguments = match arguments::parse() {
        Ok(arguments) => arguments,
        Err(code) => return ExitCode::from(code),
    };
    if let arguments::Command::Compile { limits } = &arguments.command {
        // Before anything is read or opened: the child of an installation needs nothing of this user's.
        return ExitCode::from(forge_sandbox::compile(limits, std::io::stdin(), std::io::stdout()));
    }
    let mut printer = printer::Printer::new(&arguments.global);
    ExitCode::from(app::run(arguments, &mut printer))
}
