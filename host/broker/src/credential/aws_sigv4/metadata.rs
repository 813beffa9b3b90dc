//! Keys that AWS gives to whatever runs on its machines: the metadata server of EC2, and the endpoint of a container.
//!
//! Sources: "Amazon EC2 User Guide, Use the Instance Metadata Service" (version 2, which a server-side request forgery
//! can't use); "AWS SDKs and Tools Reference Guide, Container credential provider".

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use secrecy::ExposeSecret as _;
use url::Url;

use super::KIND;
use super::session::Session;
use crate::Error;
use crate::client::{Answer, Transport};
use crate::credential::Errand;
use crate::credential::held::line;
use crate::credential::question::Question;
use crate::credential::value::sensitive;
use crate::{Source, Sources};

/// The metadata server of EC2.
pub(super) const INSTANCE: &str = "http://169.254.169.254";
/// The endpoint of ECS, to which a relative URI belongs.
pub(super) const CONTAINER: &str = "http://169.254.170.2";
/// All origins at which AWS itself answers: those two, EKS, and the same in IPv6.
const OWN: [&str; 5] =
    [INSTANCE, "http://[fd00:ec2::254]", CONTAINER, "http://169.254.170.23", "http://[fd00:ec2::23]"];

const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const TOKEN_LIFE: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

/// Below it lies the name of the machine's role, and below that its key.
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// What answers to whatever runs on a machine.
#[derive(Clone)]
pub(super) struct Metadata {
    pub(super) transport: Arc<Transport>,
    /// The origin that a person typed in the place of AWS' own.
    pub(super) typed: Option<String>,
}

impl Metadata {
    /// The key of the machine's role.
    pub(super) async fn of_instance(&self, errand: &Errand<'_>) -> Result<Session, Error> {
        let origin = self.typed.as_deref().unwrap_or(INSTANCE);
        let life = HeaderMap::from_iter([(TOKEN_LIFE, HeaderValue::from_static("300"))]);
        let answer = self.ask(Method::PUT, origin, "/latest/api/token", life, errand).await?;
        let token = std::str::from_utf8(&answer.body).ok().and_then(|text| sensitive("", text));
        let token = token.ok_or_else(|| protocol(origin))?;
        let with_token = || HeaderMap::from_iter([(TOKEN, token.clone())]);
        let answer = self.ask(Method::GET, origin, ROLES, with_token(), errand).await?;
        let role = std::str::from_utf8(&answer.body).map_err(|_| protocol(origin))?.trim();
        // "IAM and AWS STS quotas", names of roles; what is none would lead the next question elsewhere.
        let is_role = (1..=64).contains(&role.len())
            && role.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
            && !matches!(role, "." | "..");
        if !is_role {
            return Err(protocol(origin));
        }
        let answer = self.ask(Method::GET, origin, &format!("{ROLES}{role}"), with_token(), errand).await?;
        Session::of_json(&answer.body, false).ok_or_else(|| protocol(origin))
    }

    /// The key of a container's role: its endpoint stands at one source, and what the endpoint asks for at another.
    pub(super) async fn of_container(
        &self,
        sources: &dyn Sources,
        uri: &Source,
        token: Option<&Source>,
        errand: &Errand<'_>,
    ) -> Result<Session, Error> {
        let text = line(sources.read(uri).await?, uri)?;
        let refuse = |rule| Error::SourceContent { place: uri.to_string(), rule };
        let (origin, target) = self.endpoint(text.expose_secret()).map_err(refuse)?;
        let mut headers = HeaderMap::new();
        if let Some(source) = token {
            let token = line(sources.read(source).await?, source)?;
            headers.insert(
                http::header::AUTHORIZATION,
                sensitive("", token.expose_secret()).ok_or_else(|| protocol(&origin))?,
            );
        }
        // Whoever knows the path of a task's endpoint gets the task's key there.
        let answer = self.ask_as(Some("/**"), Method::GET, &origin, &target, headers, errand).await?;
        Session::of_json(&answer.body, false).ok_or_else(|| protocol(&origin))
    }

    /// Origin and target of a container's endpoint. A variable of the environment does not choose to whom a container's
    /// token goes: it is AWS' own address, or the one that a person typed.
    fn endpoint(&self, text: &str) -> Result<(String, String), &'static str> {
        let whole = if text.starts_with('/') {
            format!("{}{text}", self.typed.as_deref().unwrap_or(CONTAINER))
        } else {
            text.to_owned()
        };
        let url = Url::parse(&whole).map_err(|_| "holds no URI of a container's endpoint")?;
        let origin = url.origin().ascii_serialization();
        if !OWN.contains(&origin.as_str()) && self.typed.as_ref() != Some(&origin) {
            return Err(
                "names an endpoint that is not AWS' own: if it may be asked, say so with `metadata-endpoint=…`",
            );
        }
        let query = url.query().map_or(String::new(), |query| format!("?{query}"));
        Ok((origin, format!("{}{query}", url.path())))
    }

    async fn ask(
        &self,
        method: Method,
        origin: &str,
        target: &str,
        headers: HeaderMap,
        errand: &Errand<'_>,
    ) -> Result<Answer, Error> {
        self.ask_as(None, method, origin, target, headers, errand).await
    }

    async fn ask_as(
        &self,
        route: Option<&str>,
        method: Method,
        origin: &str,
        target: &str,
        headers: HeaderMap,
        errand: &Errand<'_>,
    ) -> Result<Answer, Error> {
        const WHAT: &str = "login";
        let is_of_metadata = OWN.contains(&origin);
        let question =
            Question { kind: KIND.name, what: WHAT, method, origin, target, headers, body: b"", is_of_metadata };
        let answer = question.ask_as(route, &self.transport, errand).await?;
        let (kind, origin, status) = (KIND.name, origin.to_owned(), answer.status);
        match status {
            200 => Ok(answer),
            404 => Err(Error::NoRole { origin }),
            429 | 500..=599 => Err(Error::Unavailable { kind, origin, what: WHAT, status }),
            _ => Err(Error::Rejected { kind, origin, what: WHAT, status }),
        }
    }
}

fn protocol(origin: &str) -> Error {
    Error::Protocol { kind: KIND.name, origin: origin.to_owned(), what: "login" }
}
