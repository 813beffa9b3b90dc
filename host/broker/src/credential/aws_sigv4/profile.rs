//! A profile of AWS' own tools: by which way it says that its key is got.
//!
//! Source: "AWS SDKs and Tools Reference Guide, Settings reference" (Assume role, IAM Identity Center, Process, Static
//! credentials); of several ways in one profile the first counts in the order of "Standardized credential providers".

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::KIND;
use super::shared::{About, Lines, Shared, section, without_comment};
use crate::Error;
use crate::denial::shown;

/// How many profiles may stand behind another, by `source_profile`.
const DEEPEST: usize = 5;

/// The lines of an access key.
const KEY: [&str; 3] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];

/// An access key as a profile holds it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) access_key_id: SecretString,
    pub(super) secret_access_key: SecretString,
    pub(super) session_token: Option<SecretString>,
}

/// A role to assume ("AWS STS API Reference, AssumeRole").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) external_id: Option<String>,
    /// The device whose code has to be given as well.
    pub(super) mfa_serial: Option<String>,
    pub(super) session_name: Option<String>,
    /// For how many seconds; the role's own default where it is not said.
    pub(super) duration: Option<u32>,
}

/// A login at IAM Identity Center, and the role there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sso {
    /// What the login's file is named after: the session's name, or else the start URL.
    pub(super) cached_as: String,
    pub(super) region: String,
    pub(super) account: String,
    pub(super) role: String,
}

/// Where the first key comes from.
#[derive(Debug)]
pub(super) enum Base {
    /// From the file itself.
    Key(Found),
    /// From the usual variables.
    Environment,
    /// From the metadata server of a machine at EC2.
    Instance,
    /// From the endpoint that ECS or EKS gives a container.
    Container,
    /// For a token that somebody else issued.
    WebIdentity { token: PathBuf, role: Role },
    /// From IAM Identity Center.
    Sso(Sso),
    /// From a program of the user's.
    Process(String),
}

/// The whole way: where the first key comes from, and the roles that are assumed one after another.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) base: Base,
    pub(super) roles: Vec<Role>,
}

impl Way {
    /// All that it says, in one text: what is kept of another way is not used for this one.
    pub(super) fn written(&self) -> Zeroizing<String> {
        let base = match &self.base {
            Base::Key(found) => {
                let token = found.session_token.as_ref().map_or("", |token| token.expose_secret());
                let parts = [found.access_key_id.expose_secret(), found.secret_access_key.expose_secret(), token];
                Zeroizing::new(format!("key {}", parts.join(" ")))
            }
            Base::Environment => Zeroizing::new("environment".to_owned()),
            Base::Instance => Zeroizing::new("instance".to_owned()),
            Base::Container => Zeroizing::new("container".to_owned()),
            // The token is another one each hour, and speaks for the same.
            Base::WebIdentity { token, role } => Zeroizing::new(format!("{} {role:?}", token.display())),
            Base::Sso(sso) => Zeroizing::new(format!("{sso:?}")),
            Base::Process(command) => Zeroizing::new(format!("process {command}")),
        };
        Zeroizing::new(format!("{}\n{:?}", base.as_str(), self.roles))
    }
}

/// Checks the name of a profile.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = (1..=128).contains(&name.len())
        && name.trim() == name
        && name.chars().all(|c| c.is_ascii_graphic() || c == ' ')
        && !name.contains(['[', ']', '#', ';', '"']);
    if is_plain { Ok(()) } else { Err(KIND.error("needs as `profile` the name of one, such as `default`")) }
}

/// The two files, as far as they are there.
pub(super) struct Files {
    pub(super) credentials: Option<SecretString>,
    pub(super) config: Option<SecretString>,
}

/// A profile's lines, and the files it stands in.
struct Profile<'files> {
    files: &'files Files,
    lines: Lines,
}

impl Files {
    /// The way to the key of the profile of this name.
    ///
    /// # Errors
    /// A sentence about the profile that names lines and nothing that stands behind their `=`.
    pub(super) fn way(&self, name: &str) -> Result<Way, String> {
        self.way_behind(name, &mut Vec::new())
    }

    /// The section of this name out of both files; what the credentials file says counts first.
    fn lines(&self, about: About, name: &str) -> Result<Option<Lines>, String> {
        let of = |text: &Option<SecretString>, file| match text {
            Some(text) => section(text, file, about, name),
            None => Ok(None),
        };
        let (config, credentials) = (of(&self.config, Shared::Config)?, of(&self.credentials, Shared::Credentials)?);
        if config.is_none() && credentials.is_none() {
            return Ok(None);
        }
        let (mut lines, credentials) = (config.unwrap_or_default(), credentials.unwrap_or_default());
        // A key is taken out of one file as a whole, and out of this one last of all: its parts never belong to another's.
        let is_elsewhere = |lines: &Lines| KEY.iter().any(|part| lines.contains_key(*part));
        let has_process = [&lines, &credentials].iter().any(|lines| lines.contains_key("credential_process"));
        if is_elsewhere(&credentials) || has_process {
            lines.retain(|name, _| !KEY.contains(&name.as_str()));
        }
        lines.extend(credentials);
        Ok(Some(lines))
    }

    fn way_behind(&self, name: &str, before: &mut Vec<String>) -> Result<Way, String> {
        let lines = self.lines(About::Profile, name)?.ok_or("is not there")?;
        let profile = Profile { files: self, lines };
        // A role that names its own profile is assumed with the key that stands beside it.
        let is_own = before.last().is_some_and(|last| last == name);
        if !is_own && before.iter().any(|known| known == name) {
            return Err("names itself by `source_profile`, over others".to_owned());
        }
        if before.len() >= DEEPEST {
            return Err(format!("has more than {DEEPEST} others behind it, by `source_profile`"));
        }
        before.push(name.to_owned());
        // A profile that another one names gives the key that stands in it, whatever role it has besides.
        let gives_key = before.len() > 1 && profile.text("aws_access_key_id").is_some();
        match profile.role()? {
            Some(role) if !is_own && !gives_key => profile.way_of(role, before),
            _ => Ok(Way { base: profile.base()?, roles: Vec::new() }),
        }
    }
}

impl Profile<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        let text = self.lines.get(name)?.expose_secret();
        // A command may have a `;` of its own.
        let text = if name == "credential_process" { text } else { without_comment(text) };
        (!text.is_empty()).then_some(text)
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn role(&self) -> Result<Option<Role>, String> {
        let Some(arn) = self.owned("role_arn") else { return Ok(None) };
        let duration = self.text("duration_seconds").map(str::parse).transpose();
        let role = Role {
            arn,
            external_id: self.owned("external_id"),
            mfa_serial: self.owned("mfa_serial"),
            session_name: self.owned("role_session_name"),
            duration: duration.map_err(|_| "has a `duration_seconds` that is no number")?,
        };
        check_role(&role)?;
        Ok(Some(role))
    }

    /// The way to a role: with a token, with the key of another profile, or with one of a place that is named.
    fn way_of(&self, role: Role, before: &mut Vec<String>) -> Result<Way, String> {
        let token = self.text("web_identity_token_file");
        let (profile, source) = (self.text("source_profile"), self.text("credential_source"));
        match (token, profile, source) {
            (Some(token), None, None) => {
                let token = PathBuf::from(token);
                if !token.is_absolute() {
                    return Err("has a `web_identity_token_file` that is no absolute path".to_owned());
                }
                Ok(Way { base: Base::WebIdentity { token, role }, roles: Vec::new() })
            }
            (None, Some(profile), None) => {
                let behind = self.files.way_behind(profile, before);
                let mut way = behind.map_err(|rule| format!("has a `source_profile` that {rule}"))?;
                way.roles.push(role);
                Ok(way)
            }
            (None, None, Some(source)) => {
                let base = match source {
                    "Environment" => Base::Environment,
                    "Ec2InstanceMetadata" => Base::Instance,
                    "EcsContainer" => Base::Container,
                    _ => return Err("has a `credential_source` that is not known here".to_owned()),
                };
                Ok(Way { base, roles: vec![role] })
            }
            (None, None, None) => {
                Err("has a `role_arn` without a `source_profile`, `credential_source` or `web_identity_token_file`"
                    .to_owned())
            }
            _ => {
                Err("has more than one of `source_profile`, `credential_source` and `web_identity_token_file`"
                    .to_owned())
            }
        }
    }

    fn base(&self) -> Result<Base, String> {
        if self.lines.keys().any(|name| name == "sso_role_name" || name == "sso_account_id") {
            return self.sso().map(Base::Sso);
        }
        let part = |name: &str| self.text(name).map(SecretString::from);
        if let (Some(access_key_id), Some(secret_access_key)) =
            (part("aws_access_key_id"), part("aws_secret_access_key"))
        {
            let session_token = part("aws_session_token");
            return Ok(Base::Key(Found { access_key_id, secret_access_key, session_token }));
        }
        if let Some(command) = self.owned("credential_process") {
            return Ok(Base::Process(command));
        }
        Err(match self.lines.keys().find(|name| name.starts_with("login_")) {
            Some(name) => format!(
                "has `{}`, which is not read here: run `aws configure export-credentials` and name what it gives",
                shown(name)
            ),
            None => "has no `aws_access_key_id` with its `aws_secret_access_key`, and names no other way to a key"
                .to_owned(),
        })
    }

    fn sso(&self) -> Result<Sso, String> {
        let session = self.text("sso_session");
        let lines = match session {
            Some(name) => self
                .files
                .lines(About::SsoSession, name)
                .map_err(|rule| format!("has an `sso_session` that {rule}"))?
                .ok_or("has an `sso_session` that is not there")?,
            None => self.lines.clone(),
        };
        let of = |lines: &Lines, name: &str| {
            let value = lines.get(name).map(|value| without_comment(value.expose_secret()).to_owned());
            value.filter(|value| !value.is_empty()).ok_or_else(|| format!("has no `{name}`"))
        };
        let start_url = of(&lines, "sso_start_url")?;
        Ok(Sso {
            cached_as: session.map_or(start_url, str::to_owned),
            region: of(&lines, "sso_region")?,
            account: of(&self.lines, "sso_account_id")?,
            role: of(&self.lines, "sso_role_name")?,
        })
    }
}

/// Checks what a role is asked for with; the service's own rules, so that nothing else ever stands in its request.
///
/// Source: "AWS STS API Reference, AssumeRole", request parameters.
pub(super) fn check_role(role: &Role) -> Result<(), String> {
    let is_plain = |text: &str, more: &[u8]| text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b));
    let is_arn = (20..=2048).contains(&role.arn.len())
        && role.arn.starts_with("arn:")
        && role.arn.contains(":role/")
        && is_plain(&role.arn, b":/_+=,.@-");
    let fits = |text: &Option<String>, length: std::ops::RangeInclusive<usize>, more: &[u8]| {
        text.as_deref().is_none_or(|text| length.contains(&text.len()) && is_plain(text, more))
    };
    if !is_arn {
        return Err("has a role that is no ARN of one, such as `arn:aws:iam::111122223333:role/reader`".to_owned());
    }
    if !fits(&role.external_id, 2..=1224, b"_+=,.@:/-") {
        return Err("has an external id that is none".to_owned());
    }
    if !fits(&role.mfa_serial, 9..=256, b"_+=/:,.@-") {
        return Err("has an `mfa_serial` that is none".to_owned());
    }
    if !fits(&role.session_name, 2..=64, b"_+=,.@-") {
        return Err("has a session name that is none: 2 to 64 letters, digits and `_+=,.@-`".to_owned());
    }
    if role.duration.is_some_and(|seconds| !(900..=43_200).contains(&seconds)) {
        return Err("asks for a session of less than 900 or more than 43200 seconds".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
