//! Where a signature may go: AWS' own names, what they say about region and service, and what no grant opens there.

use forge_core::route::Route;
use url::{Host, Url};

use super::{KIND, partition};
use crate::Error;
use crate::request::Parsed;
use crate::request::json::Json;

/// The domains of AWS' partitions ("AWS General Reference, Service endpoints").
///
/// Those of the isolated partitions are not public names, so they are origins that a person types.
const DOMAINS: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu"];

/// Services that give out credentials or say who may do what: whoever reaches one of them needs no other route.
const FORBIDDEN_SERVICES: [&str; 12] = [
    "access-analyzer",
    "account",
    "cognito-identity",
    "iam",
    "identitystore",
    "oidc",
    "organizations",
    "ram",
    "rolesanywhere",
    "signin",
    "sso",
    "sts",
];

/// How the targets of such services begin where one origin serves several ("Service Authorization Reference").
const FORBIDDEN_TARGETS: [&str; 6] = [
    "AWSSecurityTokenService",
    "AWSIdentityManagement",
    "AWSCognitoIdentityService",
    "AWSOrganizations",
    "SWBExternalService",
    "AWSIdentityStore",
];

/// Actions that change who may use a secret or a key ("AWS Secrets Manager API Reference", "AWS KMS API Reference",
/// "AWS Systems Manager API Reference").
const FORBIDDEN_ACTIONS: [&str; 10] = [
    "PutResourcePolicy",
    "DeleteResourcePolicy",
    "PutKeyPolicy",
    "CreateGrant",
    "RetireGrant",
    "RevokeGrant",
    "ReplicateKey",
    "UpdatePrimaryRegion",
    "ModifyDocumentPermission",
    "CreateCustomKeyStore",
];

/// The fields by which requests name secrets, parameters and keys (the references above, parameters of the actions).
pub(super) const TARGETS: [&str; 11] = [
    "SecretId",
    "SecretIdList",
    "Name",
    "Names",
    "Path",
    "ResourceId",
    // Of `Filters` and `ParameterFilters`.
    "Values",
    "KeyId",
    "KmsKeyId",
    "DestinationKeyId",
    "SourceKeyId",
];

/// What the name of an endpoint of AWS' own says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) service: String,
    pub(super) region: String,
    /// The partition's domain, with its dot.
    pub(super) domain: &'static str,
}

impl Endpoint {
    /// The endpoint at this origin: `https://SERVICE.REGION` or `https://SERVICE-fips.REGION` in a partition's domain.
    ///
    /// Nothing else there counts: longer names (`NAME.REGION.elb.…`, `NAME.execute-api.REGION.…`) and names of machines
    /// (`ec2-….compute-1.…`) belong to whoever rents them.
    pub(super) fn of_origin(origin: &str) -> Option<Self> {
        let host = origin.strip_prefix("https://")?;
        let (labels, domain) = DOMAINS.into_iter().find_map(|known| Some((host.strip_suffix(known)?, known)))?;
        let (service, region) = labels.split_once('.')?;
        let service = service.strip_suffix("-fips").unwrap_or(service);
        let is_its_own = domain.strip_prefix('.') == Some(partition::of(region).domain);
        let is_there = is_region(region) && is_service(service) && is_its_own;
        is_there.then(|| Self { service: service.to_owned(), region: region.to_owned(), domain })
    }
}

/// Whether a text is a region: an area, one or more words, a number ("AWS General Reference, Service endpoints").
pub(super) fn is_region(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    match words.as_slice() {
        [area, middle @ .., number] => {
            let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
            is_number
                && matches!(area.len(), 2 | 4)
                && is_word(area)
                && !middle.is_empty()
                && middle.iter().all(is_word)
        }
        _ => false,
    }
}

/// Whether a text can be the name of a service in a signature.
fn is_service(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

pub(super) fn check_region(region: &str) -> Result<(), Error> {
    if is_region(region) { Ok(()) } else { Err(KIND.error("needs as `region` one such as `eu-central-1`")) }
}

pub(super) fn check_service(service: &str) -> Result<(), Error> {
    if !is_service(service) {
        return Err(KIND.error("needs as `service` one such as `secretsmanager`"));
    }
    if FORBIDDEN_SERVICES.contains(&service) {
        return Err(KIND.error("signs for no service that gives out credentials or changes who may do what"));
    }
    Ok(())
}

/// The rule that a request breaks whatever the grant says.
pub(super) fn forbidden(request: &Parsed, _: usize) -> Option<&'static str> {
    of_url(&request.url).or_else(|| {
        let (_, target) = request.headers.iter().find(|(name, _)| name == "x-amz-target")?;
        of_target(target).or_else(|| of_reference(target, request.json().ok()?))
    })
}

/// A parameter of a reserved path is a secret of another service ("AWS Systems Manager User Guide, Referencing AWS Secrets
/// Manager secrets from Parameter Store parameters"), which no grant for parameters holds to its names.
fn of_reference(target: &str, body: &Json) -> Option<&'static str> {
    let Json::Object(fields) = body else { return None };
    let is_reference = |value: &Json| match value {
        Json::Text(text) => {
            let name = text.to_ascii_lowercase();
            let name = name.split_once(":parameter/").map_or(name.as_str(), |(_, name)| name);
            name.trim().trim_start_matches('/').starts_with("aws/reference")
        }
        _ => false,
    };
    let refers = |(name, value): &(String, Json)| match (name.as_str(), value) {
        ("Names", Json::List(values)) => values.iter().any(is_reference),
        ("Name", value) => is_reference(value),
        _ => false,
    };
    let is_meant = target.starts_with("AmazonSSM.") && fields.iter().any(refers);
    is_meant.then_some("never reads a secret through a parameter that refers to it")
}

/// The rule that a route breaks.
pub(super) fn forbidden_route(route: &Route) -> Option<&'static str> {
    // Services of other protocols read their actions off the path, the query or a form, and `x-amz-target` not at all.
    let is_json = route.path.to_string() == "/" && route.query.is_empty() && route.methods == ["POST"];
    if !is_json {
        return Some(
            "signs nothing but `POST /` without a query, which is where AWS' JSON services take their actions",
        );
    }
    let of_origin = Url::parse(&route.origin).ok().and_then(|url| of_url(&url));
    let mut targets = route.headers.get("x-amz-target").into_iter().flatten();
    of_origin.or_else(|| targets.find_map(|target| of_target(target)))
}

fn of_url(url: &Url) -> Option<&'static str> {
    let Some(Host::Domain(host)) = url.host() else { return None };
    // `sts.amazonaws.com` names no region, so each label before the domain is looked at.
    let labels = DOMAINS.iter().find_map(|domain| host.strip_suffix(domain))?;
    let is_forbidden = |label: &str| FORBIDDEN_SERVICES.contains(&label.strip_suffix("-fips").unwrap_or(label));
    labels.split('.').any(is_forbidden).then_some("never reaches a service that gives out credentials or rights")
}

fn of_target(target: &str) -> Option<&'static str> {
    let (service, action) = target.rsplit_once('.').unwrap_or(("", target));
    if FORBIDDEN_TARGETS.iter().any(|forbidden| service.starts_with(forbidden)) {
        return Some("never reaches a service that gives out credentials or rights");
    }
    FORBIDDEN_ACTIONS.contains(&action).then_some("never changes who may use a secret or a key")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn region_and_service_follow_from_a_name_of_aws_own() {
        for (origin, service, region) in [
            ("https://secretsmanager.eu-central-1.amazonaws.com", "secretsmanager", "eu-central-1"),
            ("https://ssm.us-gov-west-1.amazonaws.com", "ssm", "us-gov-west-1"),
            ("https://kms-fips.us-east-1.amazonaws.com", "kms", "us-east-1"),
            ("https://secretsmanager.cn-north-1.amazonaws.com.cn", "secretsmanager", "cn-north-1"),
            ("https://secretsmanager.eusc-de-east-1.amazonaws.eu", "secretsmanager", "eusc-de-east-1"),
        ] {
            let endpoint = Endpoint::of_origin(origin).unwrap();
            assert_eq!((endpoint.service.as_str(), endpoint.region.as_str()), (service, region));
        }
    }

    #[test]
    fn names_below_the_domains_of_aws_that_anybody_can_rent_are_none_of_its_own() {
        for origin in [
            "http://secretsmanager.eu-central-1.amazonaws.com",
            "https://secretsmanager.eu-central-1.amazonaws.com:8443",
            "https://secretsmanager.eu-central-1.amazonaws.com.evil.example",
            "https://secretsmanager.eu-central-1.evilamazonaws.com",
            "https://secretsmanager.cn-north-1.amazonaws.com",
            "https://secretsmanager.eu-central-1.amazonaws.com.cn",
            "https://secretsmanager.eu-central-1.amazonaws.eu",
            "https://secretsmanager.us-iso-east-1.amazonaws.com",
            "https://evil.execute-api.us-east-1.amazonaws.com",
            "https://evil.us-east-1.elb.amazonaws.com",
            "https://ec2-203-0-113-7.compute-1.amazonaws.com",
            "https://ec2-203-0-113-7.us-west-2.compute.amazonaws.com",
            "https://evil.s3.amazonaws.com",
            "https://evil.s3.us-east-1.amazonaws.com",
            "https://secretsmanager.amazonaws.com",
            "https://amazonaws.com",
            "https://127.0.0.1:5000",
        ] {
            assert_eq!(Endpoint::of_origin(origin), None, "{origin}");
        }
    }

    #[test]
    fn services_and_actions_that_give_out_rights_are_closed() {
        for host in [
            "sts.amazonaws.com",
            "sts.eu-central-1.amazonaws.com",
            "iam.amazonaws.com",
            "sts-fips.us-east-1.amazonaws.com",
        ] {
            assert!(of_url(&Url::parse(&format!("https://{host}/")).unwrap()).is_some(), "{host}");
        }
        assert!(of_url(&Url::parse("https://secretsmanager.eu-central-1.amazonaws.com/").unwrap()).is_none());
        for target in [
            "secretsmanager.PutResourcePolicy",
            "TrentService.PutKeyPolicy",
            "TrentService.CreateGrant",
            "AWSSecurityTokenServiceV20110615.GetCallerIdentity",
            "AWSCognitoIdentityService.GetCredentialsForIdentity",
        ] {
            assert!(of_target(target).is_some(), "{target}");
        }
        for target in ["secretsmanager.GetSecretValue", "TrentService.Decrypt", "AmazonSSM.GetParameter"] {
            assert!(of_target(target).is_none(), "{target}");
        }
        for service in ["sts", "iam", "", "UPPER", "a.b", "-a"] {
            assert!(check_service(service).is_err(), "{service}");
        }
    }

    #[test]
    fn a_secret_is_not_read_through_a_parameter_that_refers_to_it() {
        let of = |target, body: &str| of_reference(target, &Json::parse(body.as_bytes()).unwrap());
        for body in [
            r#"{"Name":"/aws/reference/secretsmanager/prod/db"}"#,
            r#"{"Name":"\u002faws\/reference/secretsmanager/prod/db:AWSCURRENT"}"#,
            r#"{"Name":"aws/Reference/secretsmanager/prod/db"}"#,
            r#"{"Name":" //aws/reference/secretsmanager/prod/db"}"#,
            r#"{"Name":"arn:aws:ssm:eu-central-1:1:parameter/aws/reference/secretsmanager/prod/db"}"#,
            r#"{"Names":["/app/db","/aws/reference/secretsmanager/prod/db"]}"#,
        ] {
            assert!(of("AmazonSSM.GetParameter", body).is_some(), "{body}");
        }
        for body in [r#"{"Name":"/app/aws/reference"}"#, r#"{"Value":"/aws/reference/x","Name":"/a"}"#, "[]"] {
            assert!(of("AmazonSSM.PutParameter", body).is_none(), "{body}");
        }
        assert!(of("secretsmanager.GetSecretValue", r#"{"Name":"/aws/reference/x"}"#).is_none());
    }
}
