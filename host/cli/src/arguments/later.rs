//! Parts of the command line that are described once they are typed: building the whole tree would take a command longer
//! than reading its secret.

use clap::error::Error;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use crate::environment;

/// A command's own arguments or subcommands, whose description clap asks for when it meets the command.
#[derive(Debug)]
pub(crate) struct Later<T>(pub(crate) T);

/// What the enum of commands says of a command is said of it still, after its arguments were added.
fn described(command: Command, add: fn(Command) -> Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    add(command).about(about).long_about(None)
}

/// Adds the subcommands of `T`: the one alone that the line begins with, else all of them.
///
/// Each subcommand is given a copy of each option that all commands take, and a line has no use for those of the others.
/// What is typed behind a subcommand is judged by that one alone, so no error and no help text tells the difference.
fn add<T: Subcommand>(command: Command) -> Command {
    let is_program = command.get_name() == env!("CARGO_PKG_NAME");
    let typed = match environment::typed_word(1) {
        Some(first) if is_program => Some(first),
        Some(first) if first == command.get_name() => environment::typed_word(2),
        _ => None,
    };
    let all = T::augment_subcommands(Command::new(env!("CARGO_PKG_NAME")));
    match typed.and_then(|word| all.find_subcommand(word)) {
        Some(typed) => command.subcommand_required(true).arg_required_else_help(true).subcommand(typed.clone()),
        None => T::augment_subcommands(command),
    }
}

impl<T: FromArgMatches> FromArgMatches for Later<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T: Args> Args for Later<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| described(command, T::augment_args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(|command| described(command, T::augment_args_for_update))
    }
}

impl<T: Subcommand> Subcommand for Later<T> {
    fn augment_subcommands(command: Command) -> Command {
        command.defer(|command| described(command, add::<T>))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        command.defer(|command| described(command, T::augment_subcommands_for_update))
    }

    fn has_subcommand(name: &str) -> bool {
        T::has_subcommand(name)
    }
}
