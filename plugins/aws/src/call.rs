//! One action of the service: how it is asked (Smithy, "AWS JSON 1.1 protocol") and what its errors mean.

use forge_sdk::http::{self, Response};
use forge_sdk::{Code, Error, ErrorKind, Timestamp, settings};
use serde::{Deserialize, Serialize};

/// The content type of the protocol.
const JSON: &str = "application/x-amz-json-1.1";

/// There is no such secret, or no such version of it.
pub(crate) const NOT_FOUND: &str = "ResourceNotFoundException";
/// There is a secret of this name.
pub(crate) const EXISTS: &str = "ResourceExistsException";
/// The secret is in a state that forbids it, such as scheduled for deletion.
pub(crate) const WRONG_STATE: &str = "InvalidRequestException";
/// A parameter can't be, such as a version that doesn't have the label that is taken from it.
pub(crate) const WRONG_PARAMETER: &str = "InvalidParameterException";

/// What each error means ("AWS Secrets Manager API Reference" and "AWS Systems Manager API Reference", errors of the actions
/// and "Common Errors"); those of throttling are of "AWS SDKs and Tools Reference Guide, Retry behavior".
const CODES: [Code; 46] = [
    (NOT_FOUND, ErrorKind::NotFound, "there is no such secret or version"),
    (EXISTS, ErrorKind::Conflict, "there is a secret of this name"),
    (WRONG_STATE, ErrorKind::WrongState, "the secret is deleted, or another service manages it"),
    (WRONG_PARAMETER, ErrorKind::InvalidRequest, "the service does not take what was asked"),
    ("PreconditionNotMetException", ErrorKind::WrongState, "the secret is in a state that forbids this"),
    ("InvalidNextTokenException", ErrorKind::InvalidRequest, "the cursor is none of this listing's"),
    ("ValidationException", ErrorKind::InvalidRequest, "the service does not take what was asked"),
    ("SerializationException", ErrorKind::InvalidRequest, "the service does not take what was asked"),
    ("LimitExceededException", ErrorKind::InvalidRequest, "a quota of the service is used up"),
    ("AccessDeniedException", ErrorKind::AccessDenied, "no policy allows this action on this secret"),
    ("AccessDenied", ErrorKind::AccessDenied, "no policy allows this action on this secret"),
    ("NotAuthorized", ErrorKind::AccessDenied, "no policy allows this action on this secret"),
    ("DecryptionFailure", ErrorKind::AccessDenied, "the service can't decrypt with the secret's KMS key"),
    ("EncryptionFailure", ErrorKind::AccessDenied, "the service can't encrypt with the secret's KMS key"),
    ("OptInRequired", ErrorKind::AccessDenied, "the account does not use this region or service"),
    ("UnrecognizedClientException", ErrorKind::Unauthenticated, "the key is not known"),
    ("InvalidSignatureException", ErrorKind::Unauthenticated, "the signature is not accepted"),
    ("ExpiredTokenException", ErrorKind::Unauthenticated, "the session is over"),
    ("MissingAuthenticationTokenException", ErrorKind::Unauthenticated, "the request was not signed"),
    ("IncompleteSignatureException", ErrorKind::Unauthenticated, "the signature is not accepted"),
    ("Throttling", ErrorKind::RateLimited, "the account asks too often"),
    ("ThrottlingException", ErrorKind::RateLimited, "the account asks too often"),
    ("ThrottledException", ErrorKind::RateLimited, "the account asks too often"),
    ("RequestThrottled", ErrorKind::RateLimited, "the account asks too often"),
    ("RequestThrottledException", ErrorKind::RateLimited, "the account asks too often"),
    ("RequestLimitExceeded", ErrorKind::RateLimited, "the account asks too often"),
    ("TooManyRequestsException", ErrorKind::RateLimited, "the account asks too often"),
    ("InternalServiceError", ErrorKind::Unavailable, "the service failed"),
    ("InternalFailure", ErrorKind::Unavailable, "the service failed"),
    ("ServiceUnavailableException", ErrorKind::Unavailable, "the service is not ready"),
    ("ParameterNotFound", ErrorKind::NotFound, "there is no such parameter"),
    ("ParameterVersionNotFound", ErrorKind::NotFound, "there is no such version of the parameter"),
    ("ParameterAlreadyExists", ErrorKind::Conflict, "there is a parameter of this name"),
    ("InvalidResourceId", ErrorKind::NotFound, "there is no such parameter"),
    ("InvalidKeyId", ErrorKind::AccessDenied, "the service can't use the KMS key"),
    ("TooManyUpdates", ErrorKind::RateLimited, "somebody else changes the parameter at this moment"),
    ("InternalServerError", ErrorKind::Unavailable, "the service failed"),
    (
        "HierarchyTypeMismatchException",
        ErrorKind::InvalidRequest,
        "the parameter is of another type, which can't change",
    ),
    ("HierarchyLevelLimitExceededException", ErrorKind::InvalidRequest, "a parameter has at most 15 segments"),
    ("ParameterPatternMismatchException", ErrorKind::InvalidRequest, "the value is not of the parameter's own pattern"),
    ("UnsupportedParameterType", ErrorKind::InvalidRequest, "the service does not take this type"),
    ("ParameterLimitExceeded", ErrorKind::InvalidRequest, "a quota of the service is used up"),
    (
        "ParameterMaxVersionLimitExceeded",
        ErrorKind::InvalidRequest,
        "its oldest version has a label and can't give way",
    ),
    ("TooManyTagsError", ErrorKind::InvalidRequest, "a quota of the service is used up"),
    ("InvalidNextToken", ErrorKind::InvalidRequest, "the cursor is none of this listing's"),
    ("InvalidFilterValue", ErrorKind::InvalidRequest, "the service does not take what was asked"),
];

/// Asks for one action of Secrets Manager; answers the answer of success.
///
/// # Errors
///
/// What the host refused, and what the service answered, with its code where that is a known one.
pub(crate) fn ask(action: &str, body: &impl Serialize) -> Result<Response, Error> {
    ask_for(&format!("secretsmanager.{action}"), body)
}

/// Asks for a target: an action with the name of its service before it.
///
/// # Errors
///
/// As [`ask`].
pub(crate) fn ask_for(target: &str, body: &impl Serialize) -> Result<Response, Error> {
    let body = serde_json::to_vec(body).map_err(|_| Error::internal("a request can't be written as JSON"))?;
    let request = http::post(format!("{}/", settings::required("endpoint")?));
    let response = request.header("x-amz-target", target).body(JSON, body).send()?;
    if (200..300).contains(&response.status()) { Ok(response) } else { Err(refusal(&response)) }
}

/// Whether an error is the service's with this code.
pub(crate) fn is(error: &Error, code: &str) -> bool {
    error.code() == Some(code)
}

/// An error by its code; one that is not known by its status alone, since its words are the server's.
fn refusal(response: &Response) -> Error {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "__type")]
        code: String,
    }
    let typed = || serde_json::from_slice::<Typed>(response.body()).ok().map(|typed| typed.code);
    let text = response.header("x-amzn-errortype").map(str::to_owned).or_else(typed);
    // `com.amazonaws.x#Code:http://…` ("AWS JSON 1.1 protocol", operation error serialization).
    let code = text.as_deref().map(|text| text.split(':').next().unwrap_or_default());
    response.refusal(&CODES, code.map(|code| code.rsplit('#').next().unwrap_or_default()))
}

/// The error of this code, in words of the plugin's own; none for a code that is not known.
pub(crate) fn known(code: &str) -> Option<Error> {
    Error::from_code(&CODES, code)
}

/// A time as the protocol writes it, seconds since 1970 with a fraction, in milliseconds.
pub(crate) fn time(seconds: Option<f64>) -> Option<Timestamp> {
    let milliseconds = (seconds? * 1000.0).round();
    // Up to the year 9999: within this a fraction of 64 bits tells each millisecond.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies within the bounds")]
    (0.0..=253_402_300_799_999.0).contains(&milliseconds).then_some(milliseconds as Timestamp)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) mod tests {
    use forge_sdk::fake;

    use super::*;

    pub(crate) const URL: &str = "https://s.example/";

    /// A host with the manifest's own settings.
    pub(crate) fn host() -> fake::Host {
        let settings = [
            ("endpoint", "https://s.example"),
            ("region", "eu-central-1"),
            ("prefix", ""),
            ("kms-key", "alias/aws/secretsmanager"),
            ("recovery-days", "30"),
            ("service", "secretsmanager"),
            ("parameter-type", "SecureString"),
        ];
        settings.into_iter().fold(fake::Host::new(), |host, (name, value)| host.setting(name, value))
    }

    /// A host that answers these in turn: a status, and a body or the code of an error.
    pub(crate) fn answering(answers: &[(u16, &str)]) -> fake::Host {
        let body = |text: &str| {
            if text.starts_with('{') {
                text.to_owned()
            } else {
                format!(r#"{{"__type":"{text}","message":"hunter2"}}"#)
            }
        };
        answers.iter().fold(host(), |host, (status, text)| host.answer("POST", URL, *status, body(text)))
    }

    /// The actions that were asked for, each with its body.
    pub(crate) fn asked() -> Vec<(String, serde_json::Value)> {
        let one = |request: &http::Request| {
            let target = request.headers().iter().find(|(name, _)| name == "x-amz-target").unwrap();
            let action = target.1.strip_prefix("secretsmanager.").unwrap_or(&target.1);
            (action.to_owned(), serde_json::from_slice(request.body_bytes()).unwrap())
        };
        fake::requests().iter().map(one).collect()
    }

    /// The names of the actions that were asked for.
    pub(crate) fn actions() -> Vec<String> {
        asked().into_iter().map(|(action, _)| action).collect()
    }

    fn error(status: u16, body: &str) -> Error {
        host().answer("POST", URL, status, body).install();
        ask("GetSecretValue", &()).unwrap_err()
    }

    #[test]
    fn a_request_names_its_action_in_a_header_and_is_json_of_the_protocols_own_type() {
        host().answer("POST", URL, 200, "{}").install();
        ask("DescribeSecret", &serde_json::json!({ "SecretId": "a" })).unwrap();
        let requests = fake::requests();
        let request = requests.first().unwrap();
        let headers = [("x-amz-target", "secretsmanager.DescribeSecret"), ("content-type", JSON)];
        assert_eq!(request.headers(), &headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(request.body_bytes(), br#"{"SecretId":"a"}"#);
    }

    #[test]
    fn an_error_is_told_by_its_code_in_each_form_and_never_by_its_words() {
        for (body, kind, code) in [
            (r#"{"__type":"ResourceNotFoundException","message":"hunter2"}"#, ErrorKind::NotFound, Some(NOT_FOUND)),
            (
                r#"{"__type":"com.amazonaws.secretsmanager#InvalidRequestException"}"#,
                ErrorKind::WrongState,
                Some(WRONG_STATE),
            ),
            (r#"{"__type":"ThrottlingException:http://x/"}"#, ErrorKind::RateLimited, Some("ThrottlingException")),
            (r#"{"__type":"hunter2","message":"ResourceNotFoundException"}"#, ErrorKind::InvalidRequest, None),
            ("<Code>ResourceNotFoundException</Code>", ErrorKind::Upstream, None),
            ("", ErrorKind::Upstream, None),
        ] {
            let error = error(400, body);
            assert_eq!((error.kind(), error.code(), error.status()), (kind, code, Some(400)), "{body}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let statuses = [(403, ErrorKind::AccessDenied), (404, ErrorKind::Upstream), (503, ErrorKind::Unavailable)];
        for (status, kind) in statuses {
            assert_eq!(error(status, "").kind(), kind, "{status}");
        }
        let named = [("x-amzn-ErrorType", "AccessDeniedException")];
        host().answer_with("POST", URL, 400, &named, "").install();
        assert_eq!(ask("GetSecretValue", &()).unwrap_err().kind(), ErrorKind::AccessDenied);
    }

    #[test]
    fn every_code_of_throttling_is_one_and_a_missing_right_is_no_wrong_request() {
        for code in [
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "RequestLimitExceeded",
            "TooManyRequestsException",
        ] {
            assert_eq!(error(400, &format!(r#"{{"__type":"{code}"}}"#)).kind(), ErrorKind::RateLimited, "{code}");
        }
        assert_eq!(error(400, r#"{"__type":"NotAuthorized"}"#).kind(), ErrorKind::AccessDenied);
        // A code that nobody knows is what its status says.
        assert_eq!(error(400, r#"{"__type":"Throttle"}"#).kind(), ErrorKind::InvalidRequest);
    }

    #[test]
    fn a_time_has_a_fraction_and_may_be_none() {
        assert_eq!(time(Some(1.5)), Some(1500));
        assert_eq!(time(Some(1_700_000_000.123)), Some(1_700_000_000_123));
        for none in [None, Some(-1.0), Some(f64::NAN), Some(f64::INFINITY), Some(1e300)] {
            assert_eq!(time(none), None, "{none:?}");
        }
    }
}
