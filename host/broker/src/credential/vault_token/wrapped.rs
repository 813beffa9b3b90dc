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
        let print = super::kept::print(&reading.text);
        if let Some(opened) = self.opened().as_ref().filter(|opened| opened.print == print) {
            let secret = opened.secret.clone().ok_or_else(|| refuse(Unwrapping::Own))?;
            return Ok((reading, secret));
        }
        // Opened without a place for what it holds, the secret would end with this process.
        tokens.map_or(Ok(()), GrantTokens::is_ready)?;
        let spent = |error| if let Error::Rejected { .. } = error { refuse(Unwrapping::Spent) } else { error };
        let path = server.wrapped_at(&reading.text, errand).await.map_err(spent)?;
        if !self.is_expected(&path, server) {
            return Err(refuse(Unwrapping::Elsewhere));
        }
        let secret = server.unwrap(&reading.text, errand).await.map_err(spent)?;
        *self.opened() = Some(Opened { print, secret: Some(secret.clone()), is_untried: true });
        Ok((reading, secret))
    }

    /// Whether a path is one at which AppRole makes secret ids ("Vault API docs, AppRole: Generate New Secret ID").
    fn is_expected(&self, path: &str, server: &Server) -> bool {
        let namespace = server.namespace.as_ref().and_then(|namespace| namespace.to_str().ok()).unwrap_or_default();
        let path = path.strip_prefix(namespace).map_or(path, |rest| rest.trim_start_matches('/'));
        let role = path.strip_prefix(&format!("auth/{}/role/", self.mount));
        let role = role.and_then(|rest| rest.strip_suffix("/secret-id").or(rest.strip_suffix("/custom-secret-id")));
        role.is_some_and(|role| !role.is_empty() && !role.contains('/'))
    }
}
