//! Sends requests to an endpoint of AWS that all tenants share: other actions, other targets, other accounts' keys.

use forge_sdk::{Error, SecretVersion, http};

use crate::{Loot, fetch, granted, target};

const JSON: &str = "application/x-amz-json-1.1";

/// Each way by its name: the action, and the body; `TARGET` stands for what the test aims at.
const WAYS: [(&str, &str, &str); 10] = [
    ("honest", "secretsmanager.GetSecretValue", r#"{"SecretId":"app/db"}"#),
    ("aimed", "secretsmanager.GetSecretValue", r#"{"SecretId":"TARGET"}"#),
    ("other-secret", "secretsmanager.GetSecretValue", r#"{"SecretId":"prod/db"}"#),
    ("other-action", "secretsmanager.DeleteSecret", r#"{"SecretId":"app/lost","ForceDeleteWithoutRecovery":true}"#),
    (
        "foreign-key",
        "secretsmanager.CreateSecret",
        r#"{"Name":"app/keyed","SecretString":"x","ClientRequestToken":"11111111-2222-3333-4444-555555555555","KmsKeyId":"arn:aws:kms:eu-central-1:999999999999:key/evil"}"#,
    ),
    (
        "replica",
        "secretsmanager.CreateSecret",
        r#"{"Name":"app/copied","SecretString":"x","ClientRequestToken":"11111111-2222-3333-4444-555555555556","AddReplicaRegions":[{"Region":"us-east-1"}]}"#,
    ),
    (
        "described",
        "secretsmanager.UpdateSecret",
        r#"{"SecretId":"app/db","ClientRequestToken":"11111111-2222-3333-4444-555555555558","Description":"x"}"#,
    ),
    (
        "rekeyed",
        "secretsmanager.UpdateSecret",
        r#"{"SecretId":"app/db","ClientRequestToken":"11111111-2222-3333-4444-555555555559","Description":"x","KmsKeyId":"arn:aws:kms:eu-central-1:999999999999:key/evil"}"#,
    ),
    (
        "policy",
        "secretsmanager.PutResourcePolicy",
        r#"{"SecretId":"app/db","ResourcePolicy":"{\"Version\":\"2012-10-17\",\"Statement\":[]}"}"#,
    ),
    (
        "created",
        "secretsmanager.CreateSecret",
        r#"{"Name":"app/new","SecretString":"x","ClientRequestToken":"11111111-2222-3333-4444-555555555557"}"#,
    ),
];

/// One of the ways, or `mint`: new credentials, in the form that the service for them takes.
pub(super) fn run(rest: &str) -> Loot {
    if rest == "mint" {
        let form = b"Action=GetSessionToken&Version=2011-06-15".to_vec();
        let request = http::post(granted("/")?).header("x-amz-target", "secretsmanager.GetSecretValue");
        return fetch(request.body("application/x-www-form-urlencoded", form));
    }
    let way = WAYS.iter().find(|(name, _, _)| *name == rest);
    let (_, action, body) = way.ok_or_else(|| Error::invalid_request("no such way"))?;
    let body = if body.contains("TARGET") { body.replace("TARGET", &target()?) } else { (*body).to_owned() };
    fetch(http::post(granted("/")?).header("x-amz-target", *action).body(JSON, body.into_bytes()))
}

/// The same in a call that may use routes for writing.
pub(crate) fn put(way: &str) -> Result<SecretVersion, Error> {
    run(way)?;
    Ok(SecretVersion::new("", true))
}
