//! The ways to log in to Vault: what each one needs, and the request that it makes.
//!
//! Sources: "Vault API docs", auth methods AppRole, TLS certificate, JWT/OIDC, Kubernetes and Userpass.

use std::sync::Arc;

use forge_core::setting::{SettingKind, origin};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::KIND;
use super::wire::Server;
use super::wrapped::Wrapped;
use crate::credential::held::{Held, Reading};
use crate::credential::{Errand, Parameters};
use crate::tokens::GrantTokens;
use crate::{Error, Sources};

/// A way to log in. Its auth method is mounted under its own name, unless `mount` says otherwise.
struct Method {
    name: &'static str,
    needs: &'static [&'static str],
    may_have: &'static [&'static str],
}

static METHODS: [Method; 5] = [
    Method { name: "approle", needs: &["role-id"], may_have: &["secret-id", "secret-id-wrapped"] },
    Method { name: "cert", needs: &[], may_have: &["role"] },
    Method { name: "jwt", needs: &["jwt"], may_have: &["role"] },
    Method { name: "kubernetes", needs: &["role", "jwt"], may_have: &[] },
    Method { name: "userpass", needs: &["username", "password"], may_have: &[] },
];

/// What every login may have.
const COMMON: [&str; 4] = ["method", "mount", "namespace", "login-endpoint"];

/// What stands for itself in a segment of a path (RFC 3986, section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Checks the parameters of a token that is given, or of a login.
pub(super) fn check(parameters: &Parameters) -> Result<(), Error> {
    match parameters.get("method") {
        None => {
            if let Some(name) = parameters.keys().find(|name| !["token", "namespace"].contains(&name.as_str())) {
                return Err(KIND.error(format!("needs a `method` for `{name}`: {}", known())));
            }
            KIND.source(parameters, "token")?;
        }
        Some(name) => check_login(method(name)?, parameters)?,
    }
    for name in ["mount", "namespace"] {
        let fits = |value: &String| SettingKind::Path.normalise(name, value).is_ok_and(|path| path == *value);
        if !parameters.get(name).is_none_or(fits) {
            return Err(KIND.error(format!("needs as `{name}` a path without a slash at either end")));
        }
    }
    let endpoint = parameters.get("login-endpoint");
    if !endpoint.is_none_or(|text| origin(text).is_ok_and(|one| one == *text)) {
        return Err(
            KIND.error("needs as `login-endpoint` an origin in lower case, such as `https://login.example.com:8200`")
        );
    }
    Ok(())
}

fn check_login(method: &Method, parameters: &Parameters) -> Result<(), Error> {
    let is_known = |name: &str| [method.needs, method.may_have, &COMMON].iter().any(|names| names.contains(&name));
    if let Some(name) = parameters.keys().find(|name| !is_known(name)) {
        return Err(KIND.error(format!("has no `{name}` with `method={}`", method.name)));
    }
    for name in method.needs {
        if KIND.sources.contains(name) {
            KIND.source(parameters, name)?;
        } else if !parameters.contains_key(*name) {
            return Err(KIND.error(format!("needs `{name}` with `method={}`", method.name)));
        }
    }
    if parameters.contains_key("secret-id") && parameters.contains_key("secret-id-wrapped") {
        return Err(KIND.error("has `secret-id` or `secret-id-wrapped`, and not both"));
    }
    for name in ["role", "username"] {
        // A user's name is a segment of the login's path, so one with a slash or of dots would lead to another path.
        let is_segment = |value: &str| !value.is_empty() && ![".", ".."].contains(&value) && !value.contains('/');
        let fits = |value: &String| value.len() <= 256 && is_segment(value) && !value.chars().any(char::is_control);
        if !parameters.get(name).is_none_or(fits) {
            return Err(KIND.error(format!("needs as `{name}` a name of at most 256 characters without a slash")));
        }
    }
    Ok(())
}

fn method(name: &str) -> Result<&'static Method, Error> {
    let found = METHODS.iter().find(|method| method.name == name);
    found.ok_or_else(|| KIND.error(format!("knows the methods {}; leave `method` out for a token", known())))
}

/// The names of the methods, as they are typed.
fn known() -> String {
    METHODS.iter().map(|method| format!("`{}`", method.name)).collect::<Vec<_>>().join(", ")
}

/// One field of a login's body.
enum Part {
    Name(String),
    Held(Held),
    Wrapped(Wrapped),
}

/// What logs in: the path and the fields of the request.
pub(super) struct Means {
    mount: String,
    /// Below the mount.
    path: String,
    parts: Vec<(&'static str, Part)>,
}

/// The means of these parameters, which were checked; `None` where a token is given.
pub(super) fn of(parameters: &Parameters, sources: &Arc<dyn Sources>) -> Result<Option<Means>, Error> {
    let Some(name) = parameters.get("method") else { return Ok(None) };
    let method = method(name)?;
    let mount = parameters.get("mount").cloned().unwrap_or_else(|| method.name.to_owned());
    let mut path = "login".to_owned();
    let mut parts = Vec::new();
    let held = |name| Ok::<Held, Error>(Held::new(Arc::clone(sources), KIND.source(parameters, name)?));
    for name in method.needs.iter().chain(method.may_have).filter(|name| parameters.contains_key(**name)) {
        let typed = || parameters.get(*name).cloned().unwrap_or_default();
        match *name {
            "username" => path = format!("login/{}", utf8_percent_encode(&typed(), UNRESERVED)),
            // The certificate's method calls its role a name ("Vault API docs, TLS certificate: Login").
            "role" if method.name == "cert" => parts.push(("name", Part::Name(typed()))),
            "role" => parts.push(("role", Part::Name(typed()))),
            "role-id" => parts.push(("role_id", Part::Held(held("role-id")?))),
            "secret-id" => parts.push(("secret_id", Part::Held(held("secret-id")?))),
            "secret-id-wrapped" => {
                parts.push(("secret_id", Part::Wrapped(Wrapped::new(held("secret-id-wrapped")?, &mount))));
            }
            "password" => parts.push(("password", Part::Held(held("password")?))),
            _ => parts.push(("jwt", Part::Held(held("jwt")?))),
        }
    }
    Ok(Some(Means { mount, path, parts }))
}

/// A request to log in, and the readings it was made of.
pub(super) struct Request {
    /// Below `/v1/`.
    pub(super) path: String,
    pub(super) body: Zeroizing<String>,
    readings: Vec<Arc<Reading>>,
}

impl Means {
    fn held(&self) -> impl Iterator<Item = (&'static str, &Held)> {
        self.parts.iter().filter_map(|(name, part)| match part {
            Part::Name(_) => None,
            Part::Held(held) => Some((*name, held)),
            Part::Wrapped(wrapped) => Some((*name, wrapped.held())),
        })
    }

    /// The wrapping token, where there is one.
    pub(super) fn wrapped(&self) -> Option<&Wrapped> {
        self.parts.iter().find_map(|(_, part)| if let Part::Wrapped(wrapped) = part { Some(wrapped) } else { None })
    }

    /// The request, with sources that are read now if they never were, and a wrapped secret that is opened once, and
    /// only if `tokens` can keep what it holds.
    pub(super) async fn request(
        &self,
        endpoint: &Server,
        tokens: Option<&GrantTokens>,
        errand: &Errand<'_>,
    ) -> Result<Request, Error> {
        let mut fields: Vec<(&str, SecretString)> = Vec::new();
        let mut readings = Vec::new();
        for (name, part) in &self.parts {
            let text = match part {
                Part::Name(text) => SecretString::from(text.as_str()),
                Part::Held(held) => {
                    let (reading, _) = held.read().await?;
                    readings.push(Arc::clone(&reading));
                    reading.text.clone()
                }
                Part::Wrapped(wrapped) => {
                    let (reading, secret) = wrapped.open(endpoint, tokens, errand).await?;
                    readings.push(reading);
                    secret
                }
            };
            fields.push((name, text));
        }
        let fields: serde_json::Map<String, serde_json::Value> =
            fields.iter().map(|(name, text)| ((*name).to_owned(), text.expose_secret().into())).collect();
        let body = Zeroizing::new(serde_json::Value::Object(fields).to_string());
        Ok(Request { path: format!("auth/{}/{}", self.mount, self.path), body, readings })
    }

    /// After the request `used` was refused: whether a source holds something else by now.
    ///
    /// A secret that a deployment replaced lies in the same file, so one more look is worth a try.
    pub(super) async fn is_newer(&self, used: &Request) -> Result<bool, Error> {
        let mut is_newer = false;
        for ((_, held), reading) in self.held().zip(&used.readings) {
            is_newer |= held.newer_than(reading.edition).await?.is_some();
        }
        Ok(is_newer)
    }

    /// What stands at the sources now, as hashes by field; nothing of sources that are gone or cost requests to read.
    ///
    /// # Errors
    /// A source that is there and can't be read.
    pub(super) async fn prints(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let mut prints = Vec::new();
        for (name, held) in self.held().filter(|(_, held)| !held.is_reference()) {
            match held.read().await {
                Ok((reading, _)) => prints.push((name, crate::credential::kept::print(&reading.text))),
                // A secret of one use is often removed once it is used; what it bought may still live.
                Err(Error::SourceAbsent { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(prints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        let parameters = text.split(',').filter_map(|pair| pair.split_once('='));
        check(&parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()).is_err()
    }

    #[test]
    fn a_token_or_a_login_is_given_and_never_both() {
        for text in [
            "token=env:T",
            "token=env:T,namespace=team/a",
            "method=approle,role-id=env:R",
            "method=approle,role-id=env:R,secret-id=file:/s,mount=a/b,login-endpoint=https://l.example",
            "method=approle,role-id=env:R,secret-id-wrapped=file:/s",
            "method=userpass,username=a@b,password=env:P",
            "method=jwt,jwt=env:J",
            "method=jwt,jwt=env:J,role=ci,mount=gitlab",
            "method=kubernetes,jwt=file:/j,role=app",
            "method=cert",
            "method=cert,role=web",
        ] {
            assert!(!refused(text), "{text}");
        }
        for text in [
            "",
            "namespace=a",
            "method=approle",
            "method=approle,secret-id=env:S",
            "method=approle,role-id=env:R,token=env:T",
            "method=approle,role-id=env:R,secret-id=env:S,secret-id-wrapped=env:W",
            "token=env:T,role-id=env:R",
            "token=env:T,mount=a",
            "method=kubernetes,role-id=env:R",
            "method=kubernetes,jwt=file:/j",
            "method=userpass,username=a",
            "method=userpass,password=env:P",
            "method=jwt,role=ci",
            "method=jwt,jwt=eyJhbGciOi",
            "method=cert,jwt=env:J",
            "method=ldap,username=a,password=env:P",
        ] {
            assert!(refused(text), "{text}");
        }
    }

    #[test]
    fn a_namespace_a_mount_an_endpoint_and_a_user_can_not_leave_their_place() {
        for text in [
            "token=env:T,namespace=../a",
            "token=env:T,namespace=/a",
            "token=env:T,namespace=a/",
            "token=env:T,namespace=a//b",
            "token=env:T,namespace=a?b",
            "method=approle,role-id=env:R,mount=../../sys",
            "method=approle,role-id=env:R,mount=",
            "method=approle,role-id=env:R,login-endpoint=https://l.example/path",
            "method=approle,role-id=env:R,login-endpoint=https://L.example",
            "method=approle,role-id=env:R,login-endpoint=https://u:p@l.example",
            "method=userpass,username=../../token/create,password=env:P",
            "method=userpass,username=..,password=env:P",
            "method=userpass,username=,password=env:P",
        ] {
            assert!(refused(text), "{text}");
        }
    }
}
