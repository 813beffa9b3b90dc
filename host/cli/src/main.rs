//! `forge`: secrets of any backend, read and written through sandboxed plugins.

mod app;
mod arguments;
mod commands;
mod consent;
mod credential;
mod environment;
mod failure;
mod printer;
mod providers;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    let mut printer = printer::Printer::new(&arguments.global);
    match app::run(arguments, &mut printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.failure(&failure);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}
