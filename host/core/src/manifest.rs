//! The manifest: what a plugin says of itself and asks for, read before any of its code runs.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::route::body::{BodyAsk, FieldAsk, FieldPath, MOST_FIELDS};
use crate::route::{Ability, QueryRule};
use crate::setting::{SettingKind, is_invisible};

/// The custom section of a component that holds the manifest.
pub const SECTION: &str = "forge:manifest";

/// The longest manifest that is read, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// How many settings, routes or hints a manifest may have each: far above any real one, and still quick to check.
const MOST: usize = 64;

/// How many secrets a batch may have: as many as the largest of any backend, and what a call's memory can hold.
const MOST_IN_BATCH: u32 = 100;

/// A plugin's manifest, checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// The plugin's id, a lower-case name.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// The plugin's own version.
    pub version: String,
    /// Who claims to have made it: a claim, not a fact.
    #[serde(default)]
    pub publisher: String,
    /// Names that other tools' configurations use for this backend.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The settings it reads.
    #[serde(default, rename = "setting")]
    pub settings: Vec<SettingAsk>,
    /// The kind of credential that the host adds to its requests.
    pub credential: Option<CredentialAsk>,
    /// Settings and the environment variables that people usually keep them in.
    #[serde(default)]
    pub detect: BTreeMap<String, String>,
    /// Help that knows the backend, by kind of failure.
    #[serde(default)]
    pub hint: BTreeMap<String, String>,
    /// Where `secret-batch` is exported: how many at a time.
    pub batch: Option<BatchAsk>,
    /// Directories it works in.
    #[serde(default, rename = "directory")]
    pub directories: Vec<DirectoryAsk>,
    /// Environment variables it reads.
    #[serde(default, rename = "environment")]
    pub environment: Vec<EnvironmentAsk>,
    /// Requests it makes.
    #[serde(default, rename = "route")]
    pub routes: Vec<RouteAsk>,
    /// Limits other than the usual ones.
    #[serde(default)]
    pub limits: LimitsAsk,
}

/// A setting that a plugin reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SettingAsk {
    /// Its name.
    pub name: String,
    /// What its value has to be.
    pub kind: SettingKind,
    /// Whether a provider can't do without it.
    #[serde(default)]
    pub required: bool,
    /// Its value when none is given; may use other settings in braces.
    pub default: Option<String>,
    /// Whether `check` answers it, so that `provider add` records it.
    #[serde(default)]
    pub discovered: bool,
}

/// The kind of credential that a plugin's requests need.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialAsk {
    /// One of the broker's kinds.
    pub kind: String,
}

/// How many secrets `get-many` takes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchAsk {
    /// At most this many at a time.
    pub max: u32,
}

/// A directory that a plugin works in, or one file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DirectoryAsk {
    /// The setting that names it: of kind `directory`, or of kind `file` for that file alone.
    pub setting: String,
    /// Whether it writes there.
    pub mode: DirectoryMode,
    /// Whether the host seals each file.
    #[serde(default)]
    pub sealed: bool,
}

/// What may be done in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectoryMode {
    /// Files are read and listed.
    Read,
    /// Files are written and removed too.
    ReadWrite,
}

/// Environment variables that a plugin reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentAsk {
    /// The setting of kind `name-pattern` that says which.
    pub setting: String,
}

/// Requests that a plugin makes, before its settings are filled in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RouteAsk {
    /// What the route is for.
    pub ability: Ability,
    /// The methods.
    pub methods: Vec<String>,
    /// Origin and path, with settings in braces.
    pub url: String,
    /// Query parameters.
    #[serde(default)]
    pub query: BTreeMap<String, QueryRule>,
    /// Headers beyond the usual ones, with permitted values.
    #[serde(default)]
    pub headers: BTreeMap<String, Vec<String>>,
    /// The longest answer: a number of bytes, or `"16 MiB"`.
    pub response_max: Option<Size>,
    /// Whether the same request may be sent again after a failure.
    #[serde(default)]
    pub idempotent: bool,
    /// The route counts only while these settings have these values.
    #[serde(default)]
    pub when: BTreeMap<String, String>,
    /// The fields that the body may have, and no others, with settings in braces: for endpoints that all tenants share.
    pub body: Option<BodyAsk>,
    /// What the backend calls the right that such a request needs, for the words of a denial: at most 80 characters.
    pub permission: Option<String>,
}

/// Limits that a plugin asks for; the sandbox and the broker have the usual ones and the ceilings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LimitsAsk {
    /// Linear memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// Time on the processor per call, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u32>,
    /// Time per call, waits included, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u32>,
    /// Requests per call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
}

/// A number of bytes, written as a number or as `"64 MiB"` (`KiB` and `MiB` only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize)]
#[serde(try_from = "RawSize", into = "u64")]
pub struct Size(pub u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum RawSize {
    Number(u64),
    Text(String),
}

impl TryFrom<RawSize> for Size {
    type Error = &'static str;

    fn try_from(raw: RawSize) -> Result<Self, &'static str> {
        const RULE: &str = "a size is a number of bytes, or a text such as `64 KiB` or `16 MiB`";
        let text = match raw {
            RawSize::Number(bytes) => return Ok(Self(bytes)),
            RawSize::Text(text) => text,
        };
        let (number, unit) = text.split_once(' ').ok_or(RULE)?;
        let unit: u64 = match unit {
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            _ => return Err(RULE),
        };
        let number: u64 = number.parse().map_err(|_| RULE)?;
        number.checked_mul(unit).map(Self).ok_or(RULE)
    }
}

impl From<Size> for u64 {
    fn from(size: Size) -> Self {
        size.0
    }
}

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Over [`LONGEST`] bytes.
    #[error("the manifest is longer than {LONGEST} bytes")]
    TooLong,
    /// Not UTF-8, not TOML, or not the fields that a manifest has.
    #[error("the manifest can't be read at line {line}: {what}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What the parser expected; never the line itself.
        what: String,
    },
    /// Read, and against a rule.
    #[error("the manifest's {place} {rule}")]
    Rule {
        /// Which part.
        place: String,
        /// What it has to be.
        rule: &'static str,
    },
}

/// The line, counted from 1, in which a parser's complaint lies.
pub(crate) fn line_of(text: &str, error: &toml::de::Error) -> usize {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    text.as_bytes().get(..at).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count() + 1
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// What can't be read or breaks a rule, by place; rules of credential kinds are the broker's to check.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > LONGEST {
            return Err(Error::TooLong);
        }
        let text =
            std::str::from_utf8(bytes).map_err(|_| Error::Syntax { line: 1, what: "it is not UTF-8".to_owned() })?;
        let manifest: Self = toml::from_str(text)
            .map_err(|error| Error::Syntax { line: line_of(text, &error), what: printable(error.message()) })?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The ask for a setting.
    pub fn setting(&self, name: &str) -> Option<&SettingAsk> {
        self.settings.iter().find(|setting| setting.name == name)
    }

    fn check(&self) -> Result<(), Error> {
        let rule = |place: &str, rule| Err(Error::Rule { place: place.to_owned(), rule });
        if !crate::reference::is_name(&self.id) {
            return rule("`id`", "must be 1 to 64 lower-case letters, digits, `-` and `_`");
        }
        // A manifest is shown in a consent prompt: its author must not be able to write the rest of the screen.
        let texts = [("`title`", &self.title), ("`version`", &self.version), ("`publisher`", &self.publisher)];
        for (place, text) in texts {
            if text.chars().count() > 80 || !is_plain(text) {
                return rule(place, "must be printable and at most 80 characters");
            }
        }
        if !self.setting_and_route_texts().all(is_plain) {
            return rule("settings and routes", "must be printable");
        }
        if self
            .hint
            .iter()
            .chain(&self.detect)
            .any(|(name, text)| !is_plain(name) || text.len() > 400 || !is_plain(text))
        {
            return rule("`[hint]` and `[detect]`", "must be printable and at most 400 bytes each");
        }
        if !self.aliases.iter().all(|alias| crate::reference::is_name(alias)) {
            return rule("`aliases`", "must be names: lower-case letters, digits, `-` and `_`");
        }
        let counts =
            [self.settings.len(), self.routes.len(), self.aliases.len(), self.hint.len(), self.directories.len()];
        if counts.iter().any(|count| *count > MOST) {
            return rule("lists", "have at most 64 entries each");
        }
        for (at, setting) in self.settings.iter().enumerate() {
            if !crate::reference::is_name(&setting.name)
                || self.settings.iter().take(at).any(|s| s.name == setting.name)
            {
                return rule("setting names", "must be lower-case names, each given once");
            }
        }
        if self.batch.is_some_and(|batch| !(2..=MOST_IN_BATCH).contains(&batch.max)) {
            return rule("`[batch]`", "has a `max` of 2 to 100");
        }
        for directory in &self.directories {
            match self.setting(&directory.setting).map(|setting| setting.kind) {
                Some(SettingKind::Directory) => {}
                // What is sealed is a store with an id of its own, for which one file has no room.
                Some(SettingKind::File) if !directory.sealed => {}
                Some(SettingKind::File) => return rule("`[[directory]]`", "can't be `sealed` where it is one file"),
                _ => return rule("`[[directory]]`", "must name a setting of kind `directory` or `file`"),
            }
        }
        for environment in &self.environment {
            if self.setting(&environment.setting).is_none_or(|s| s.kind != SettingKind::NamePattern) {
                return rule("`[[environment]]`", "must name a setting of kind `name-pattern`");
            }
        }
        self.routes.iter().try_for_each(|route| self.check_route(route))
    }

    /// Every free text of settings and routes, all of which a consent prompt shows.
    fn setting_and_route_texts(&self) -> impl Iterator<Item = &str> {
        let settings =
            self.settings.iter().flat_map(|setting| [Some(&setting.name), setting.default.as_ref()]).flatten();
        let asked =
            self.directories.iter().map(|ask| &ask.setting).chain(self.environment.iter().map(|ask| &ask.setting));
        let routes = self.routes.iter().flat_map(|route| {
            let queries = route.query.iter().flat_map(|(name, rule)| {
                let values = if let QueryRule::OneOf(values) = rule { values.as_slice() } else { &[] };
                std::iter::once(name).chain(values)
            });
            let headers = route.headers.iter().flat_map(|(name, values)| std::iter::once(name).chain(values));
            let conditions = route.when.iter().flat_map(|(name, value)| [name, value]);
            let fields = route.body.iter().flatten();
            let fields = fields.flat_map(|(field, ask)| std::iter::once(field).chain(FieldAsk::texts(ask)));
            let named = std::iter::once(&route.url).chain(&route.permission);
            let named = named.chain(&route.methods).chain(queries).chain(headers);
            named.chain(conditions).chain(fields)
        });
        let kind = self.credential.iter().map(|ask| &ask.kind);
        settings.chain(asked).chain(routes).chain(kind).map(String::as_str)
    }

    fn check_route(&self, route: &RouteAsk) -> Result<(), Error> {
        let rule = |rule| Err(Error::Rule { place: format!("route `{}`", printable(&route.url)), rule });
        const METHODS: [&str; 7] = ["GET", "HEAD", "LIST", "POST", "PUT", "PATCH", "DELETE"];
        if route.methods.is_empty() || !route.methods.iter().all(|m| METHODS.contains(&m.as_str())) {
            return rule("must have methods of `GET`, `HEAD`, `LIST`, `POST`, `PUT`, `PATCH`, `DELETE`");
        }
        if let Some(body) = &route.body {
            if route.methods.iter().any(|method| matches!(method.as_str(), "GET" | "HEAD" | "LIST")) {
                return rule("constrains the body, which a `GET`, `HEAD` or `LIST` doesn't have");
            }
            if body.len() > MOST_FIELDS || body.keys().any(|field| field.parse::<FieldPath>().is_err()) {
                return rule("must name at most 64 fields of its body, such as `Name`, `Tags[].Key` or `labels.*`");
            }
        }
        // It stands between backticks in front of a person, who must see where it ends.
        if route.permission.as_ref().is_some_and(|text| !(1..=80).contains(&text.chars().count()) || text.contains('`'))
        {
            return rule("has a `permission` that is not 1 to 80 characters without a backtick");
        }
        if route.response_max.is_some_and(|size| size.0 > 16 << 20) {
            return rule("may ask for a `response-max` of at most `16 MiB`");
        }
        let lower = |name: &String| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if !route
            .headers
            .iter()
            .all(|(name, values)| lower(name) && !values.is_empty() && values.iter().all(|v| is_plain(v)))
        {
            return rule("must name headers in lower case, each with its permitted values");
        }
        if !route.when.keys().all(|name| self.setting(name).is_some()) {
            return rule("has a `when` that names no setting");
        }
        Ok(())
    }
}

/// Text without control and invisible characters.
fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || is_invisible(c))
}

/// `text` as it may stand in an error: one line, nothing invisible, at most 200 characters.
pub fn printable(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c }).collect()
}

/// A name as a listing shows it: whole, on one line, with nothing in it that drives a terminal.
pub fn printable_name(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c }).collect()
}
