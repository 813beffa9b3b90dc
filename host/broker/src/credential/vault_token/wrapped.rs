//! A secret id that came wrapped: opened once, by the broker itself, and only if it is what it should be.
//!
//! Source: "Vault docs, Response wrapping: response-wrapping token validation". Whoever intercepts a wrapping token can
//! open it once as well, and wrap something else in its place; a token that is spent, or was made elsewhere, tells.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;

use super::wire::Server;
use crate::Error;
use crate::credential::Errand;
use crate::credential::held::{Held, Reading};
use crate::error::Unwrapping;
use crate::tokens::GrantTokens;

/// A wrapping token at its source, and what it held.
pub(super) struct Wrapped {
    held: Held,
    /// Where the auth method is mounted.
    mount: String,
    /// The last wrapping token that forge opened, in this process or an earlier one of this user.
    opened: Mutex<Option<Opened>>,
}

/// A wrapping token that was opened.
struct Opened {
    print: String,
    /// What it held; `None` where an earlier process has used that up.
    secret: Option<SecretString>,
    /// Whether no login has shown yet what the secret is worth.
    is_untried: bool,
}

impl Wrapped {
    pub(super) fn new(held: Held, mount: &str) -> Self {
        Self { held, mount: mount.to_owned(), opened: Mutex::default() }
    }

    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    fn opened(&self) -> MutexGuard<'_, Option<Opened>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that forge opened the wrapping token of this print, so that nobody else is suspected of it, and the
    /// secret that no login has tried yet.
    pub(super) fn was_opened(&self, print: &str, secret: Option<SecretString>) {
        let mut opened = self.opened();
        // What this process opened by itself it knows better.
        if opened.as_ref().is_none_or(|opened| opened.print != print) {
            *opened = Some(Opened { print: print.to_owned(), is_untried: secret.is_some(), secret });
        }
    }

    /// The print of the last wrapping token that forge opened, and its secret while no login has tried it.
    pub(super) fn own(&self) -> (Option<String>, Option<SecretString>) {
        let opened = self.opened();
        let Some(opened) = opened.as_ref() else { return (None, None) };
        (Some(opened.print.clone()), opened.secret.clone().filter(|_| opened.is_untried))
    }

    /// A server has said what the secret is worth. Answers whether nobody had before.
    pub(super) fn was_tried(&self) -> bool {
        self.opened().as_mut().is_some_and(|opened| std::mem::take(&mut opened.is_untried))
    }

    /// The secret, opened now if this wrapping token never was. Only one login at a time may ask.
    pub(super) async fn open(
        &self,
        server: &Server,
        tokens: Option<&GrantTokens>,
        errand: &Errand<'_>,
    ) -> Result<(Arc<Reading>, SecretString), Error> {
        let (reading, _) = self.held.read().await?;
        let refuse = |what| Error::Unwrapping { origin: server.origin.clone(), place: self.held.place(), what };
        let print = crate::credential::kept::print(&reading.text);
        if let Some(opened) = self.opened().as_ref().filter(|opened| opened.print == print) {
            let secret = opened.secret.clone().ok_or_else(|| refuse(Unwrapping::Own))?;
            return Ok((reading, secret));
        }
        // Opened without a place for what it holds, the secret would end with this process.
        tokens.map_or(Ok(()), GrantTokens::is_ready)?;
        let spent = |error| if let Error::Rejected { .. } = error { refuse(Unwrapping::Spent) } else { error };
        let path = server.wrapped_at(&reading.text, errand).await.map_err(spent)?;
        let namespace = server.namespace.as_ref().and_then(|namespace| namespace.to_str().ok()).unwrap_or_default();
        if !is_expected(&path, namespace, &self.mount) {
            return Err(refuse(Unwrapping::Elsewhere));
        }
        let secret = server.unwrap(&reading.text, errand).await.map_err(spent)?;
        *self.opened() = Some(Opened { print, secret: Some(secret.clone()), is_untried: true });
        Ok((reading, secret))
    }
}

/// Whether a path is one at which AppRole makes secret ids ("Vault API docs, AppRole: Generate New Secret ID"), with or
/// without the namespace that it lies in.
fn is_expected(path: &str, namespace: &str, mount: &str) -> bool {
    // With its slash: else a mount of another namespace's whose name only begins like this one would do.
    let within = format!("{}/", namespace.trim_matches('/'));
    let path = path.strip_prefix(&within).filter(|_| within.len() > 1).unwrap_or(path);
    let role = path.strip_prefix(&format!("auth/{mount}/role/"));
    let role = role.and_then(|rest| rest.strip_suffix("/secret-id").or(rest.strip_suffix("/custom-secret-id")));
    role.is_some_and(|role| !role.is_empty() && !role.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::is_expected;

    #[test]
    fn a_secret_id_is_expected_from_this_namespace_and_this_mount_alone() {
        for path in ["auth/approle/role/app/secret-id", "team/auth/approle/role/app/custom-secret-id"] {
            assert!(is_expected(path, "team", "approle") && is_expected(path, "team/", "approle"), "{path}");
        }
        for path in [
            "teamauth/approle/role/app/secret-id",
            "team//auth/approle/role/app/secret-id",
            "teams/auth/approle/role/app/secret-id",
            "/auth/approle/role/app/secret-id",
            "auth/approle/role//secret-id",
            "auth/approle/role/a/b/secret-id",
            "auth/approle2/role/app/secret-id",
        ] {
            assert!(!is_expected(path, "team", "approle"), "{path}");
        }
        assert!(is_expected("auth/approle/role/app/secret-id", "", "approle"));
        assert!(!is_expected("/auth/approle/role/app/secret-id", "", "approle"));
    }
}
