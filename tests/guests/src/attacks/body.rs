//! Sends bodies that would carry another target, another field or another meaning past the rule of their route.

use forge_sdk::http::{self, Request};
use forge_sdk::{Error, SecretVersion};

use crate::{Loot, fetch, granted};

const JSON: &str = "application/json";

/// Each way by its name: the content type, and the body.
const WAYS: [(&str, &str, &[u8]); 27] = [
    // Written so that a test sees who wrote what arrived.
    ("honest", JSON, br#" { "\u0049d" : "app/db", "Value":"\u0078", "Days": 1.0e1 } "#),
    ("own-arn", JSON, br#"{"Id":"arn:p:s:r:111:secret:app/db"}"#),
    ("other-name", JSON, br#"{"Id":"other"}"#),
    ("name-beside-the-prefix", JSON, br#"{"Id":"apple"}"#),
    ("climbing-name", JSON, br#"{"Id":"app/../other"}"#),
    ("other-account", JSON, br#"{"Id":"arn:p:s:r:999:secret:app/db"}"#),
    ("other-region", JSON, br#"{"Id":"arn:p:s:elsewhere:111:secret:app/db"}"#),
    ("escaped-arn", JSON, br#"{"Id":"\u0061rn:p:s:r:999:secret:app/db"}"#),
    ("upper-case-arn", JSON, br#"{"Id":"ARN:p:s:r:999:secret:app/db"}"#),
    ("other-field", JSON, br#"{"Id":"app/db","KeyId":"mine"}"#),
    ("other-case", JSON, br#"{"Id":"app/db","id":"other"}"#),
    ("nested-field", JSON, br#"{"Id":"app/db","Tags":[{"Key":"k","Id":"other"}]}"#),
    ("replica", JSON, br#"{"Id":"app/db","Replicas":[{"Region":"elsewhere"}]}"#),
    ("repeated-name", JSON, br#"{"Id":"app/db","Id":"other"}"#),
    ("repeated-in-escapes", JSON, br#"{"Id":"app/db","\u0049\u0064":"other"}"#),
    ("list-for-text", JSON, br#"{"Id":["app/db","other"]}"#),
    ("object-for-text", JSON, br#"{"Id":{"Id":"other"}}"#),
    ("number-for-text", JSON, br#"{"Id":1}"#),
    ("nothing-at-all", JSON, b""),
    ("no-id", JSON, br#"{"Value":"x"}"#),
    ("list-at-the-top", JSON, br#"[{"Id":"app/db"},{"Id":"other"}]"#),
    ("byte-order-mark", JSON, b"\xef\xbb\xbf{\"Id\":\"app/db\"}"),
    ("more-behind-it", JSON, br#"{"Id":"app/db"}{"Id":"other"}"#),
    ("not-utf-8", JSON, b"{\"Id\":\"app/\xff\"}"),
    ("form", "application/x-www-form-urlencoded", b"Action=Put&Id=other"),
    ("json-called-text", "text/plain", br#"{"Id":"app/db"}"#),
    ("json-in-another-charset", "application/json; charset=utf-16", br#"{"Id":"app/db"}"#),
];

/// One of the ways, or `deep`: a body of a megabyte in which everything is nested.
pub(super) fn run(rest: &str) -> Loot {
    if rest == "deep" {
        return fetch(request("put", JSON, [&b"{\"Id\":"[..], &[b'['; 1 << 20]].concat())?);
    }
    if rest == "no-action" {
        return fetch(http::post(granted("/v1/shared")?).body(JSON, br#"{"Id":"app/db"}"#.to_vec()));
    }
    if rest == "other-action" {
        return fetch(request("delete", JSON, br#"{"Id":"app/db"}"#.to_vec())?);
    }
    let way = WAYS.iter().find(|(name, _, _)| *name == rest);
    let (_, content_type, body) = way.ok_or_else(|| Error::invalid_request("no such body"))?;
    fetch(request("put", content_type, body.to_vec())?)
}

/// A request to the endpoint that all tenants share.
fn request(action: &str, content_type: &str, body: Vec<u8>) -> Result<Request, Error> {
    Ok(http::post(granted("/v1/shared")?).header("x-action", action).body(content_type, body))
}

/// Changes with the patch that adds tags how many versions of a secret are kept, which removes all others.
pub(crate) fn put(way: &str) -> Result<SecretVersion, Error> {
    let patch: &[u8] = match way {
        "tags" => br#"{"custom_metadata":{"team":"web"}}"#,
        "remove-tag" => br#"{"custom_metadata":{"team":null}}"#,
        _ => br#"{"custom_metadata":{"team":"web"},"max_versions":1}"#,
    };
    let url = granted("/v1/secret/metadata/app")?;
    http::patch(url).body("application/merge-patch+json", patch.to_vec()).send()?.success()?;
    Ok(SecretVersion::new("1", true))
}
