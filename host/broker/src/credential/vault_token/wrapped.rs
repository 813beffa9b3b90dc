//! A secret id that came wrapped: opened once, by the broker itself, and only if it is what it should be.
//!
//! Source: "Vault docs, Response wrapping: response-wrapping token validation". Whoever intercepts a wrapping token can
//! open it once as well, and wrap something else in its place; a token that is spent, or was made elsewhere, tells.

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::Mutex;

use super::wire::Server;
use crate::Error;
use crate::credential::Errand;
use crate::credential::held::{Held, Reading};
use crate::error::Unwrapping;

/// A wrapping token at its source, and what it held.
pub(super) struct Wrapped {
    held: Held,
    /// Where the auth method is mounted.
    mount: String,
    /// The edition of the wrapping token, and the secret that it held.
    opened: Mutex<Option<(u64, SecretString)>>,
    /// The print of a wrapping token that an earlier process of this user opened.
    own: std::sync::Mutex<Option<String>>,
}

impl Wrapped {
    pub(super) fn new(held: Held, mount: &str) -> Self {
        let (opened, own) = (Mutex::const_new(None), std::sync::Mutex::default());
        Self { held, mount: mount.to_owned(), opened, own }
    }

    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    /// Remembers that the wrapping token of this print was opened by forge, so that nobody else is suspected of it.
    pub(super) fn is_own(&self, print: Option<String>) {
        *self.own.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = print;
    }

    /// The print of the last wrapping token that forge opened.
    pub(super) fn own(&self) -> Option<String> {
        self.own.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// The secret, opened now if this wrapping token never was.
    pub(super) async fn open(
        &self,
        server: &Server,
        errand: &Errand<'_>,
    ) -> Result<(Arc<Reading>, SecretString), Error> {
        let (reading, _) = self.held.read().await?;
        let mut opened = self.opened.lock().await;
        if let Some((_, secret)) = opened.as_ref().filter(|(edition, _)| *edition == reading.edition) {
            return Ok((reading, secret.clone()));
        }
        let refuse = |what| Error::Unwrapping { origin: server.origin.clone(), place: self.held.place(), what };
        let print = super::kept::print(&reading.text);
        if self.own().is_some_and(|own| own == print) {
            return Err(refuse(Unwrapping::Own));
        }
        let spent = |error| if let Error::Rejected { .. } = error { refuse(Unwrapping::Spent) } else { error };
        let path = server.wrapped_at(&reading.text, errand).await.map_err(spent)?;
        if !self.is_expected(&path, server) {
            return Err(refuse(Unwrapping::Elsewhere));
        }
        let secret = server.unwrap(&reading.text, errand).await.map_err(spent)?;
        self.is_own(Some(print));
        *opened = Some((reading.edition, secret.clone()));
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
