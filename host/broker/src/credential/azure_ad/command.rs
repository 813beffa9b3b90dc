//! The token of whoever is logged in to Azure's own command line, which runs only where a person wrote `method=cli`.
//!
//! It runs in the environment of this process, as from the person's own shell: `az` finds its login by `HOME`, `PATH` and
//! `AZURE_CONFIG_DIR`, and the shell line holds a fixed scope and a tenant of letters, digits, dots and dashes.

use std::ffi::OsStr;
use std::io;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential as _};
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions, Executor};
use tokio::process::Command;

use crate::Error;

/// The command as people know it.
pub(super) const SHOWN: &str = "az account get-access-token";

/// What a shell answers for a command that it does not find (POSIX, "Shell Command Language", 2.8.2).
const NOT_FOUND: i32 = 127;

/// Runs commands and remembers how the last one ended: its own words may hold anything, and are never shown.
#[derive(Debug, Default)]
struct Watched {
    ended: Mutex<Option<i32>>,
}

#[async_trait]
impl Executor for Watched {
    async fn run(&self, program: &OsStr, arguments: &[&OsStr]) -> io::Result<Output> {
        // The library's own executor leaves a command running that nobody waits for any more.
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await?;
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = output.status.code();
        Ok(output)
    }
}

/// A token for this scope, of this tenant or of the login's own.
pub(super) async fn token(scope: &str, tenant_id: Option<String>) -> Result<AccessToken, Error> {
    let watched = Arc::new(Watched::default());
    let executor = Some(Arc::clone(&watched) as Arc<dyn Executor>);
    let unreadable = |why: String| Error::SourceUnreadable { place: SHOWN.to_owned(), why };
    let options = AzureCliCredentialOptions { tenant_id, executor, ..Default::default() };
    let credential = AzureCliCredential::new(Some(options)).map_err(|_| unreadable("its tenant is none".to_owned()))?;
    credential.get_token(&[scope], None).await.map_err(|_| {
        let ended = *watched.ended.lock().unwrap_or_else(PoisonError::into_inner);
        unreadable(match ended {
            Some(0) => "it answered no token, which takes `az` 2.54 or newer".to_owned(),
            Some(NOT_FOUND) => "there is no `az` on the `PATH`".to_owned(),
            Some(code) => format!("it ended with {code}: `az login` makes a new login"),
            None => "it did not end by itself".to_owned(),
        })
    })
}

#[cfg(test)]
#[expect(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Whether there is a `sleep` with this argument.
    fn sleeps(argument: &str) -> bool {
        let expected = format!("sleep\0{argument}\0");
        let line = |process: std::fs::DirEntry| std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        std::fs::read_dir("/proc").into_iter().flatten().flatten().any(|process| line(process) == expected.as_bytes())
    }

    async fn until(is_so: impl Fn() -> bool) {
        for _ in 0..1000 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not come to that");
    }

    #[tokio::test]
    async fn a_command_that_nobody_waits_for_any_more_is_ended() {
        let argument = format!("600.{}", std::process::id());
        let line = format!("exec sleep {argument}");
        let (watched, arguments) = (Watched::default(), [OsStr::new("-c"), OsStr::new(&line)]);
        let mut run = watched.run(OsStr::new("/bin/sh"), &arguments);
        tokio::select! {
            _ = &mut run => panic!("it ended by itself"),
            () = until(|| sleeps(&argument)) => {}
        }
        drop(run);
        until(|| !sleeps(&argument)).await;
    }
}
