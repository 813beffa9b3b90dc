//! Whom an access key speaks for, asked of AWS itself ("AWS STS API Reference, GetCallerIdentity"), which needs no right.

use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use super::endpoint::Endpoint;
use super::keys::Reading;
use super::refusal::{Refusal, element};
use super::sign::{self, Scope, Unsigned};
use super::{KIND, partition};
use crate::Error;
use crate::client::{Answer, Transport};
use crate::credential::question::Question;
use crate::credential::{Errand, Parameters};

/// What the error texts call this request.
const WHAT: &str = "identity request";
/// "AWS STS API Reference, GetCallerIdentity".
const BODY: &[u8] = b"Action=GetCallerIdentity&Version=2011-06-15";

/// Where the question goes.
pub(super) struct Caller {
    transport: Arc<Transport>,
    origin: String,
    region: String,
}

/// Origin and region of the endpoint that a person typed, or of the one in the region of AWS' own endpoint.
pub(super) fn place(parameters: &Parameters, audience: &[String]) -> Option<(String, String)> {
    let own = audience.iter().find_map(|origin| Endpoint::of_origin(origin));
    let region = parameters.get("region").cloned().or_else(|| Some(own.as_ref()?.region.clone()))?;
    let usual = || own.as_ref().map(|own| format!("https://sts.{}{}", own.region, own.domain));
    Some((parameters.get("login-endpoint").cloned().or_else(usual)?, region))
}

impl Caller {
    /// `None` where nobody knows a place.
    pub(super) fn of(parameters: &Parameters, audience: &[String], transport: Arc<Transport>) -> Option<Self> {
        let (origin, region) = place(parameters, audience)?;
        Some(Self { transport, origin, region })
    }

    /// The ARN and the account, in words for people: `arn:aws:iam::111122223333:user/x (account: 111122223333)`.
    pub(super) async fn ask(&self, reading: &Reading, place: &str, errand: &Errand<'_>) -> Result<String, Error> {
        let answer = self.send(reading, errand).await?;
        let (kind, origin, status) = (KIND.name, self.origin.clone(), answer.status);
        match status {
            200 => identity(&answer.body).ok_or_else(|| self.protocol()),
            429 | 500..=599 => Err(Error::Unavailable { kind, origin, what: WHAT, status }),
            _ => Err(match Refusal::of(&answer) {
                Some(refusal) => refusal.error(&self.origin, place.to_owned(), super::ahead(&answer.headers)),
                None => Error::Rejected { kind, origin, what: WHAT, status },
            }),
        }
    }

    async fn send(&self, reading: &Reading, errand: &Errand<'_>) -> Result<Answer, Error> {
        let url = Url::parse(&format!("{}/", self.origin)).map_err(|_| self.protocol())?;
        let own = [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        let scope = Scope { region: self.region.clone(), service: "sts".to_owned() };
        let unsigned = Unsigned { method: "POST", url: url.as_str(), headers: &own, body: BODY };
        let mut headers = HeaderMap::new();
        headers.extend(sign::headers(reading, &scope, &unsigned, SystemTime::now())?);
        for (name, value) in &own {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| self.protocol())?;
            headers.insert(name, HeaderValue::from_str(value).map_err(|_| self.protocol())?);
        }
        let question = Question {
            kind: KIND.name,
            what: WHAT,
            method: Method::POST,
            origin: &self.origin,
            target: "/",
            headers,
            body: BODY,
            is_of_metadata: false,
        };
        question.ask(&self.transport, errand).await
    }

    fn protocol(&self) -> Error {
        Error::Protocol { kind: KIND.name, origin: self.origin.clone(), what: WHAT }
    }
}

/// The words for what the answer says; `None` for one whose parts can't be an ARN and an account.
fn identity(body: &[u8]) -> Option<String> {
    let xml = std::str::from_utf8(body).ok()?;
    let (arn, account) = (element(xml, "Arn")?, element(xml, "Account")?);
    // They are shown and kept, and a server may answer anything ("IAM User Guide, IAM identifiers").
    let is_arn = arn.starts_with("arn:")
        && arn.len() <= 2048
        && arn.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/_+=,.@-".contains(&byte));
    // What is granted by ARN is held to this account, so both have to say the same.
    let is_account = partition::account(arn) == Some(account);
    (is_arn && is_account).then(|| format!("{arn} (account: {account})"))
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
        let typed = [("region", "eu-central-1"), ("login-endpoint", "https://sts.example")];
        assert_eq!(at(&typed, "https://vpce.example"), told("https://sts.example", "eu-central-1"));
        assert_eq!(at(&[("region", "eu-central-1")], "https://vpce.example"), None);
    }

    #[test]
    fn an_identity_that_is_none_is_not_shown() {
        let answered = |arn: &str, account: &str| {
            identity(format!("<R><Arn>{arn}</Arn><UserId>x</UserId><Account>{account}</Account></R>").as_bytes())
        };
        assert_eq!(
            answered("arn:aws:iam::111122223333:user/dev", "111122223333").as_deref(),
            Some("arn:aws:iam::111122223333:user/dev (account: 111122223333)")
        );
        for (arn, account) in [
            ("arn:aws:iam::1:user/\u{1b}[31m", "111122223333"),
            ("arn:aws:iam::1:user/x</Arn><Arn>y", "111122223333"),
            ("root", "111122223333"),
            ("arn:aws:iam::11112222333x:user/x", "11112222333x"),
            ("arn:aws:iam::111122223333:user/x", "999999999999"),
            ("arn:aws:iam::1:user/x", ""),
        ] {
            assert_eq!(answered(arn, account), None, "{arn} {account}");
        }
    }
}
