//! Sends a request exactly as the test spelt it: another origin, a metadata server, a query, a twisted path, a header.

use forge_sdk::http::Request;
use forge_sdk::{Error, SecretVersion};

use crate::{Loot, fetch, target};

/// Asks for the URL of the setting `target`, by the method that stands in the path (`request/GET`).
pub(super) fn run(rest: &str) -> Loot {
    let method = if rest.is_empty() { "GET" } else { rest };
    fetch(Request::new(method, target()?))
}

/// The same from a call that writes.
pub(crate) fn put(method: &str) -> Result<SecretVersion, Error> {
    Request::new(method, target()?).send()?.success()?;
    Ok(SecretVersion::new("1", true))
}

/// The same with one header, `header/METHOD/NAME/VALUE`: an identity, another method, a wrapped answer, a namespace.
pub(super) fn with_header(rest: &str) -> Loot {
    let mut parts = rest.splitn(3, '/');
    let mut next = || parts.next().unwrap_or_default();
    let (method, name, value) = (next(), next(), next());
    fetch(Request::new(method, target()?).header(name, value))
}
