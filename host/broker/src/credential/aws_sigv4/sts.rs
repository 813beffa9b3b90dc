//! STS, which gives keys for roles and says whom a key speaks for.
//!
//! Source: "AWS STS API Reference" (AssumeRole, AssumeRoleWithWebIdentity, Common Errors).

use std::sync::Arc;
use std::time::SystemTime;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::KIND;
use super::endpoint::Endpoint;
use super::keys::Reading;
use super::profile::Role;
use super::refusal::{Refusal, code};
use super::session::Session;
use super::sign::{self, Scope, Unsigned};
use crate::Error;
use crate::client::{Answer, Transport};
use crate::credential::question::{self, Question};
use crate::credential::{Errand, Parameters};

/// How all its requests are written ("AWS STS API Reference, Making query requests").
const FORM: &str = "application/x-www-form-urlencoded";

/// The name of a session that nobody named; it stands in the account's audit log.
const SESSION: &str = "forge";

/// The longest token of somebody else's in bytes ("AssumeRoleWithWebIdentity", `WebIdentityToken`).
const LONGEST_TOKEN: usize = 20_000;

/// Where STS is asked.
#[derive(Clone)]
pub(super) struct Sts {
    pub(super) transport: Arc<Transport>,
    pub(super) origin: String,
    pub(super) region: String,
}

/// Origin and region of the endpoint that a person typed, or of the one in the region of AWS' own endpoint.
pub(super) fn place(parameters: &Parameters, audience: &[String]) -> Option<(String, String)> {
    let own = audience.iter().find_map(|origin| Endpoint::of_origin(origin));
    let region = parameters.get("region").cloned().or_else(|| Some(own.as_ref()?.region.clone()))?;
    let usual = || own.as_ref().map(|own| format!("https://sts.{}{}", own.region, own.domain));
    Some((parameters.get("login-endpoint").cloned().or_else(usual)?, region))
}

impl Sts {
    /// `None` where nobody knows a place.
    pub(super) fn of(parameters: &Parameters, audience: &[String], transport: &Arc<Transport>) -> Option<Self> {
        let (origin, region) = place(parameters, audience)?;
        Some(Self { transport: Arc::clone(transport), origin, region })
    }

    /// The key of a role, for whoever holds `reading`; `place` is where that key is from.
    pub(super) async fn assume(
        &self,
        role: &Role,
        reading: &Reading,
        place: &str,
        code: Option<&SecretString>,
        errand: &Errand<'_>,
    ) -> Result<Session, Error> {
        let mut form = Form::new("AssumeRole");
        form.role(role);
        if let (Some(device), Some(code)) = (&role.mfa_serial, code) {
            form.add("SerialNumber", device);
            form.add("TokenCode", code.expose_secret());
        }
        let answer = self.ask("login", &form.0, Some(reading), errand).await?;
        self.session(&answer, role, place)
    }

    /// The key of a role, for a token that somebody issued whom the role trusts. It is not signed: there is no key yet.
    pub(super) async fn assume_with(
        &self,
        role: &Role,
        token: &SecretString,
        place: &str,
        errand: &Errand<'_>,
    ) -> Result<Session, Error> {
        let mut form = Form::new("AssumeRoleWithWebIdentity");
        form.role(role);
        let token = token.expose_secret().trim_end();
        let is_token = !token.is_empty() && token.len() <= LONGEST_TOKEN && token.bytes().all(|b| b.is_ascii_graphic());
        if !is_token {
            return Err(Error::SourceContent { place: place.to_owned(), rule: "holds no token, which is one word" });
        }
        form.add("WebIdentityToken", token);
        let answer = self.ask("login", &form.0, None, errand).await?;
        self.session(&answer, role, place)
    }

    fn session(&self, answer: &Answer, role: &Role, place: &str) -> Result<Session, Error> {
        let (kind, origin, status) = (KIND.name, self.origin.clone(), answer.status);
        match status {
            200 => return Session::of_sts(&answer.body).ok_or_else(|| self.protocol("login")),
            429 | 500..=599 => return Err(Error::Unavailable { kind, origin, what: "login", status }),
            _ => {}
        }
        if let Some(refusal) = Refusal::of(answer) {
            return Err(refusal.error(&self.origin, place.to_owned(), question::ahead(&answer.headers)));
        }
        Err(match code(answer).as_deref() {
            Some("AccessDenied" | "AccessDeniedException") => {
                Error::RoleDenied { origin, role: role.arn.clone(), place: place.to_owned() }
            }
            Some("InvalidIdentityToken" | "IDPRejectedClaim" | "ExpiredTokenException") => {
                Error::Rejected { kind, origin, what: "login", status: 401 }
            }
            _ => Error::Rejected { kind, origin, what: "login", status },
        })
    }

    /// One request, signed where there is a key to sign with.
    pub(super) async fn ask(
        &self,
        what: &'static str,
        body: &str,
        reading: Option<&Reading>,
        errand: &Errand<'_>,
    ) -> Result<Answer, Error> {
        let mut headers = HeaderMap::new();
        if let Some(reading) = reading {
            let own = [(CONTENT_TYPE.as_str().to_owned(), FORM.to_owned())];
            let scope = Scope { region: self.region.clone(), service: "sts".to_owned() };
            let url = format!("{}/", self.origin);
            let unsigned = Unsigned { method: "POST", url: &url, headers: &own, body: body.as_bytes() };
            headers.extend(sign::headers(reading, &scope, &unsigned, SystemTime::now())?);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        let question = Question {
            kind: KIND.name,
            what,
            method: Method::POST,
            origin: &self.origin,
            target: "/",
            headers,
            body: body.as_bytes(),
            is_of_metadata: false,
        };
        question.ask(&self.transport, errand).await
    }

    pub(super) fn protocol(&self, what: &'static str) -> Error {
        Error::Protocol { kind: KIND.name, origin: self.origin.clone(), what }
    }
}

/// The body of a request, which may hold a token.
struct Form(Zeroizing<String>);

impl Form {
    fn new(action: &str) -> Self {
        // Room from the beginning: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(3 * LONGEST_TOKEN + 8192));
        text.push_str("Version=2011-06-15");
        let mut form = Self(text);
        form.add("Action", action);
        form
    }

    fn add(&mut self, name: &str, value: &str) {
        self.0.push('&');
        self.0.push_str(name);
        self.0.push('=');
        byte_serialize(value.as_bytes()).for_each(|part| self.0.push_str(part));
    }

    fn role(&mut self, role: &Role) {
        self.add("RoleArn", &role.arn);
        self.add("RoleSessionName", role.session_name.as_deref().unwrap_or(SESSION));
        if let Some(external_id) = &role.external_id {
            self.add("ExternalId", external_id);
        }
        if let Some(seconds) = role.duration {
            self.add("DurationSeconds", &seconds.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_goes_to_the_region_of_the_endpoint_or_where_a_person_says() {
        let at = |parameters: &[(&str, &str)], origin: &str| {
            let parameters: Parameters =
                parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            place(&parameters, &[origin.to_owned()])
        };
        let told = |origin: &str, region: &str| Some((origin.to_owned(), region.to_owned()));
        let china = at(&[], "https://ssm.cn-north-1.amazonaws.com.cn");
        assert_eq!(china, told("https://sts.cn-north-1.amazonaws.com.cn", "cn-north-1"));
        let own = "https://secretsmanager.eu-central-1.amazonaws.com";
        assert_eq!(at(&[], own), told("https://sts.eu-central-1.amazonaws.com", "eu-central-1"));
        let typed = ("login-endpoint", "https://sts.internal.example");
        assert_eq!(at(&[typed], own), told(typed.1, "eu-central-1"));
        assert_eq!(at(&[typed, ("region", "eu-west-1")], "https://vpce.example"), told(typed.1, "eu-west-1"));
        assert_eq!(at(&[("region", "eu-west-1")], "https://vpce.example"), None);
    }

    #[test]
    fn what_stands_in_a_form_can_not_become_another_field_of_it() {
        let mut form = Form::new("AssumeRole");
        form.add("ExternalId", "a&RoleArn=b c/+");
        assert_eq!(*form.0, "Version=2011-06-15&Action=AssumeRole&ExternalId=a%26RoleArn%3Db+c%2F%2B");
    }
}
