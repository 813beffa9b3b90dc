//! Reads and writes files outside the granted directory, by the path of the setting `target`.

use forge_sdk::{Error, Secret, files};

use crate::{Loot, target, text};

/// What a test means by a byte that no setting can hold.
const NUL: &str = "{nul}";

fn path() -> Result<String, Error> {
    Ok(target()?.replace(NUL, "\0"))
}

/// Reads the file.
pub(super) fn run(_rest: &str) -> Loot {
    Ok(files::read(&path()?)?.map(Secret::new))
}

/// Writes the file, in a call that may only read.
pub(super) fn write(_rest: &str) -> Loot {
    files::write(&path()?, b"written by the attacker")?;
    text("written")
}
