//! A program that parses its arguments and ends: what `make bench` compares a whole `secret get` with.

use clap::Parser;

/// Does nothing.
#[derive(Debug, Parser)]
struct Arguments {
    /// Ignored
    words: Vec<String>,
}

fn main() {
    drop(Arguments::parse());
}
