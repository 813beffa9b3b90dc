//! Where values go: a file that was named, or a terminal.

use std::path::{Path, PathBuf};

use crate::environment;
use crate::failure::{Outcome, usage};

/// The place of a file that is to hold values, new or instead of the one that is there.
pub(crate) fn place(path: &Path) -> Outcome<PathBuf> {
    let absolute = environment::absolute(path)?;
    // What is no file, such as `/dev/null`, would be replaced by one that holds the secret.
    if absolute.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(usage(format!("`{}` is there and is no regular file", path.display())));
    }
    // A mistyped folder is a mistake, and not the place for a secret.
    if !absolute.parent().is_some_and(Path::is_dir) {
        return Err(usage(format!("there is no directory for `{}`", path.display())));
    }
    Ok(absolute)
}

/// Whether bytes can be shown on a terminal: other control characters than those of lines can drive it.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')))
}
