//! The metadata server of Google Cloud, which gives tokens to whatever runs there ("Compute Engine docs, View and query metadata").

use forge_core::manifest::printable;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{KIND, is_project};
use crate::Error;
use crate::client::{Answer, Transport};
use crate::credential::Errand;
use crate::credential::fetched::Token;
use crate::credential::oauth::{self, Asked};
use crate::credential::question::Question;

/// Where it is, by the one name that it has; its address is link-local, and only the host's own questions reach it.
pub(super) const ORIGIN: &str = "http://metadata.google.internal";

/// The header by which it knows that nobody was tricked into asking, and by which it is known itself.
const FLAVOR: HeaderName = HeaderName::from_static("metadata-flavor");

const WHAT: &str = "metadata request";

/// A metadata server: the fixed one, or one that a person typed.
pub(super) struct Metadata<'a> {
    pub(super) transport: &'a Transport,
    pub(super) typed: Option<&'a str>,
}

impl Metadata<'_> {
    fn asked(&self) -> Asked<'_> {
        Asked { kind: KIND.name, what: WHAT, origin: self.typed.unwrap_or(ORIGIN), place: "the metadata server" }
    }

    /// The token of the account that this machine runs as.
    pub(super) async fn token(&self, errand: &Errand<'_>) -> Result<Token, Error> {
        let answer = self.ask("instance/service-accounts/default/token", errand).await?;
        oauth::token(self.asked(), &answer)
    }

    /// That account's e-mail address, and the project.
    pub(super) async fn identity(&self, errand: &Errand<'_>) -> Result<String, Error> {
        let email = self.text("instance/service-accounts/default/email", errand).await?;
        let project = self.text("project/project-id", errand).await?;
        if !is_project(&project) || email.len() > 254 {
            return Err(oauth::protocol(self.asked()));
        }
        Ok(printable(&format!("{email} (project: {project})")))
    }

    async fn text(&self, path: &str, errand: &Errand<'_>) -> Result<String, Error> {
        let answer = self.ask(path, errand).await?;
        oauth::check(self.asked(), &answer)?;
        let text = std::str::from_utf8(&answer.body).map_err(|_| oauth::protocol(self.asked()))?;
        Ok(text.trim_end().to_owned())
    }

    async fn ask(&self, path: &str, errand: &Errand<'_>) -> Result<Answer, Error> {
        let asked = self.asked();
        let question = Question {
            kind: asked.kind,
            what: asked.what,
            method: Method::GET,
            origin: asked.origin,
            target: &format!("/computeMetadata/v1/{path}"),
            headers: HeaderMap::from_iter([(FLAVOR, HeaderValue::from_static("Google"))]),
            body: b"",
            is_of_metadata: self.typed.is_none(),
        };
        let answer = question.ask(self.transport, errand).await?;
        // Whatever else answers for its name, such as a captive portal, does not send this.
        let is_its_own = answer.headers.get(FLAVOR).is_some_and(|value| value.as_bytes() == b"Google");
        if answer.status == 200 && !is_its_own {
            return Err(oauth::protocol(asked));
        }
        Ok(answer)
    }
}
