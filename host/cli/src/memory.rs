//! What this process holds in memory stays there: no core file, and no other program of the user that reads it.

/// Keeps the system from writing this process' memory into a core file, where a secret would outlive it.
///
/// Programs of the same user can't attach to it either. Those that it starts begin anew and have their own ("prctl(2),
/// PR_SET_DUMPABLE: reset by execve").
#[cfg(target_os = "linux")]
pub(crate) fn keep() {
    // Every kernel has it; without it a command works as well, and is not the place to say so.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).unwrap_or_default();
}

/// The same where core files have a limit alone; what this process starts inherits that.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keep() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Core);
    limit.current = Some(0);
    rustix::process::setrlimit(rustix::process::Resource::Core, limit).unwrap_or_default();
}
