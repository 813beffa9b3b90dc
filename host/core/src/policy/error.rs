//! Why a policy can't be used, and where: everything is denied until it is mended.

use std::path::{Path, PathBuf};

use crate::config::{self, At, Place};
use crate::home;
use crate::manifest::printable_name;

/// Why a policy can't be used. A policy holds no secret, so what its parser says may be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The configuration's own part of it is wrong.
    #[error("{place}, {error}")]
    Config {
        /// The configuration.
        place: Place,
        /// Where in it and what.
        error: config::Error,
    },
    /// A file can't be read, is too long, or others could have written it.
    #[error("{0}")]
    File(String),
    /// A file is not there.
    #[error("there is no `{}`", shown(.0))]
    Missing(PathBuf),
    /// A policy is no Cedar, or none that this schema has a meaning for.
    #[error("`{}`, {at}: {what}", shown(.file))]
    Cedar {
        /// The file.
        file: PathBuf,
        /// Where in it.
        at: At,
        /// What Cedar says of it, on one line.
        what: String,
    },
    /// More policies than are read.
    #[error("`{}` has more policies than the {most} that are read", shown(.file))]
    TooMany {
        /// The file, or the configuration.
        file: PathBuf,
        /// How many are read.
        most: usize,
    },
    /// Whether something is denied to this user follows from a name that is not known here.
    #[error(
        "`{}`, {at}: whether it is about user {user} can't be known, who has {what} that the machine's own files don't name",
        shown(.file)
    )]
    Unnamed {
        /// The file, or the configuration.
        file: PathBuf,
        /// Where in it.
        at: At,
        /// The user's number.
        user: u32,
        /// `a number`, or `a group`.
        what: &'static str,
    },
    /// Cedar can't take what forge made for it.
    #[error("the policy can't be evaluated: {0}")]
    Engine(String),
}

impl From<home::Error> for Error {
    fn from(error: home::Error) -> Self {
        Self::File(error.to_string())
    }
}

impl Error {
    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::Unnamed { .. } => "write the number in its place: `principal.uid == …`, `principal.gids.contains(…)`, or `user:…` and `group:…` in a role".to_owned(),
            _ => "mend it: until then everything is denied; `forge policy test get REF` says whether it can be used".to_owned(),
        }
    }
}

fn shown(file: &Path) -> String {
    printable_name(&file.display().to_string())
}
