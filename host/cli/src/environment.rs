//! The process's environment and the machine's facts: the only file that reads them.

#![expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]

use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use forge_core::Kind;
use forge_core::home::Home;
use forge_core::policy::{LONGEST_NAMES, Names, Principal};
use forge_core::provider::Failure;
use zeroize::Zeroizing;

/// This program, to be started again. Where the system keeps it at hand, an upgrade in between changes nothing.
pub(crate) fn program() -> PathBuf {
    if cfg!(target_os = "linux") {
        return PathBuf::from("/proc/self/exe");
    }
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("forge"))
}

/// What was typed, the program's own name first.
pub(crate) fn arguments() -> std::env::ArgsOs {
    std::env::args_os()
}

/// One of the words that were typed, counted from the program's own name; one that is not UTF-8 counts as missing.
pub(crate) fn typed_word(position: usize) -> Option<String> {
    std::env::args_os().nth(position)?.into_string().ok()
}

/// A variable; one that is not UTF-8 counts as missing.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// All variables whose names are UTF-8; a value need not be.
pub(crate) fn variables() -> impl Iterator<Item = (String, Zeroizing<Vec<u8>>)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_vec().into())))
}

/// All variables as they are.
pub(crate) fn all_variables() -> std::env::VarsOs {
    std::env::vars_os()
}

/// Whether the user wants no colours from any program (no-color.org).
pub(crate) fn wants_no_colours() -> bool {
    variable("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Forge's own words: behind `--` stands the command line of another program.
fn own_words() -> impl Iterator<Item = std::ffi::OsString> {
    std::env::args_os().skip(1).take_while(|word| word != "--")
}

/// Whether this word is among those that the program was started with.
pub(crate) fn is_typed(word: &str) -> bool {
    own_words().any(|argument| argument == word)
}

/// Whether these words stand behind each other among those that the program was started with.
pub(crate) fn are_typed(first: &str, second: &str) -> bool {
    own_words().zip(own_words().skip(1)).any(|(one, other)| one == first && other == second)
}

/// The user's home directory.
pub(crate) fn home_directory() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Forge's directories by the XDG Base Directory Specification, which says to ignore paths that are not absolute.
pub(crate) fn home() -> Result<Home, Failure> {
    let place = |variable: &str, fallback: &str| {
        let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        named.or_else(|| home_directory().map(|home| home.join(fallback))).map(|path| path.join("forge"))
    };
    let homeless = || {
        Failure::new(Kind::InvalidRequest, "there is no home directory: `HOME` is not set")
            .with_hint("set `HOME`, or `XDG_CONFIG_HOME`, `XDG_DATA_HOME` and `XDG_CACHE_HOME`")
    };
    Ok(Home {
        config: place("XDG_CONFIG_HOME", ".config").ok_or_else(homeless)?,
        data: place("XDG_DATA_HOME", ".local/share").ok_or_else(homeless)?,
        cache: place("XDG_CACHE_HOME", ".cache").ok_or_else(homeless)?,
        keyring: None,
    })
}

/// The working directory, as the system names it: without links. `None` when it is gone.
pub(crate) fn working_directory() -> Option<PathBuf> {
    std::env::current_dir().ok()
}

/// The number of the user who runs this, whose files are trusted to be theirs.
pub(crate) fn user_number() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Who runs this, as policies see it: the kernel's word for the numbers, and the machine's own files for their names.
pub(crate) fn principal() -> Principal {
    // What the process is in, and not what a file says that its user may be in.
    let groups = rustix::process::getgroups().unwrap_or_default();
    let groups = groups.into_iter().chain([rustix::process::getegid()]).map(|group| group.as_raw());
    Principal::new(user_number(), groups, &names())
}

/// The names of this machine's own users and groups. Where a file can't be read, nobody has one: then what a policy denies
/// by name is denied to all.
pub(crate) fn names() -> Names {
    let read =
        |path| forge_core::home::read_owned(Path::new(path), LONGEST_NAMES, 0).ok().flatten().unwrap_or_default();
    Names::read(&read("/etc/passwd"), &read("/etc/group"))
}

/// The machine's configuration, which only root may write.
pub(crate) fn system_config_file() -> &'static Path {
    Path::new("/etc/forge/config.toml")
}

/// A path as it is from the root.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    if path.as_os_str().is_empty() {
        return Err(Failure::new(Kind::InvalidRequest, "an empty path names no file"));
    }
    std::path::absolute(path)
        .map_err(|error| Failure::new(Kind::Internal, format!("can't find the working directory: {error}")))
}

/// The name of the program that started this one, where the system tells it ("proc_pid_comm(5)": at most 15 bytes, which
/// that program can choose).
pub(crate) fn parent() -> Option<String> {
    let parent = rustix::process::getppid()?.as_raw_nonzero();
    let name = forge_core::home::read(Path::new(&format!("/proc/{parent}/comm")), 64).ok()??;
    Some(forge_core::manifest::printable(String::from_utf8_lossy(&name).trim_end()))
}

/// Who runs this: the name, or the number where the environment has no name.
pub(crate) fn user() -> String {
    let number = user_number();
    // The name is only for people, so what the environment says is enough; the number can't be made up.
    match variable("USER").or_else(|| variable("LOGNAME")) {
        Some(name) => format!("{} ({number})", forge_core::manifest::printable(&name)),
        None => number.to_string(),
    }
}
