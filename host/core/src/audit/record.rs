//! What the records hold, and how a line is made of one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Id;
use super::key::{Keys, MAC, Tag, tag};
use crate::provider::RequestRecord;
use crate::sealing::hex;

/// The version of the records' form.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// The longest text of a record, in bytes; what is longer is cut, and ends in `…`.
const LONGEST_TEXT: usize = 2048;

/// The longest line that is read as a record, in bytes: no record that forge writes comes near it.
pub(super) const LONGEST_LINE: usize = 64 << 10;

/// The most fields of a change.
const MOST_FIELDS: usize = 8;

/// What stands between a record's fields and its MAC.
const BEFORE_MAC: &[u8] = b",\"mac\":\"";
/// What stands behind it.
const AFTER_MAC: &[u8] = b"\"}";

/// A secret as a person would name it, `store://PROVIDER/PATH?version=V`, no longer than a record takes.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    provider: &'a str,
    path: &'a str,
    version: Option<&'a str>,
}

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { provider, path, version } = self;
        let asked = version.map_or_else(String::new, |version| format!("?version={version}"));
        f.write_str(&bounded(&format!("store://{provider}/{path}{asked}")))
    }
}

impl Serialize for Named<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which operation on which secret: what its beginning and its outcome both say.
#[derive(Clone, Debug, Serialize)]
pub struct Asked<'a> {
    /// The user.
    pub user: Cow<'a, str>,
    /// `get`, `set` and so on.
    pub operation: &'a str,
    /// The secret, as a person would name it.
    pub reference: Named<'a>,
    /// The provider's name.
    pub provider: Cow<'a, str>,
    /// The path within the provider, or the prefix of a listing.
    pub path: Cow<'a, str>,
    /// The version asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Cow<'a, str>>,
    /// SHA-256 of the plugin.
    pub plugin: &'a str,
    /// The policy's rule.
    pub rule: Cow<'a, str>,
    /// Whether the policy allowed it.
    pub allowed: bool,
    /// The secret in whose place this one is read, because its backend is unavailable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_for: Option<Cow<'a, str>>,
}

impl<'a> Asked<'a> {
    /// What is asked of a provider, with its texts bounded; the rest is filled in by whoever knows it.
    pub fn new(user: &'a str, operation: &'a str, provider: &'a str, path: &'a str, version: Option<&'a str>) -> Self {
        Self {
            user: bounded(user),
            operation,
            reference: Named { provider, path, version },
            provider: bounded(provider),
            path: bounded(path),
            version: version.map(bounded),
            plugin: "",
            rule: Cow::Borrowed(""),
            allowed: false,
            fallback_for: None,
        }
    }
}

/// How an operation ended.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ended {
    /// Whether the answer came from the cache.
    pub cached: bool,
    /// How old the copy was that answered although it was past its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_seconds: Option<u64>,
    /// `ok`, or the token of the failure's kind.
    pub outcome: &'static str,
    /// The keyed HMAC of the value that was handed out or written, as `forge audit hash` prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_hmac: Option<String>,
    /// How long it took.
    pub milliseconds: u64,
}

/// An operation that has ended.
#[derive(Debug)]
pub struct Ending<'a> {
    /// Its name.
    pub id: Id,
    /// What was asked.
    pub asked: &'a Asked<'a>,
    /// How it ended.
    pub ended: &'a Ended,
    /// The requests that it made; of a call for several operations they are the first one's.
    pub requests: Vec<RequestRecord>,
}

/// A change that forge makes to its own state: an installation, a grant, a key that moves.
#[derive(Clone, Debug, Serialize)]
pub struct Change<'a> {
    /// What is done, such as `provider-add`.
    pub change: &'static str,
    /// What it is done to: the name of a provider or a plugin, or the folder of a project.
    pub subject: Cow<'a, str>,
    /// What else has to be known, such as the digest of a plugin: short texts, and never a secret.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub fields: Vec<(&'static str, String)>,
}

impl<'a> Change<'a> {
    /// A change of this kind to `subject`.
    pub fn new(change: &'static str, subject: &'a str) -> Self {
        Self { change, subject: bounded(subject), fields: Vec::new() }
    }

    /// The same with one more field.
    #[must_use]
    pub fn with(mut self, name: &'static str, text: impl AsRef<str>) -> Self {
        self.add(name, text.as_ref());
        self
    }

    /// Adds a field, as long as there are not more than a record takes; of a name that is there already one more text.
    pub(super) fn add(&mut self, name: &'static str, text: &str) {
        if let Some((_, there)) = self.fields.iter_mut().find(|(there, _)| *there == name) {
            *there = bounded(&format!("{there}, {text}")).into_owned();
        } else if self.fields.len() < MOST_FIELDS {
            self.fields.push((name, bounded(text).into_owned()));
        }
    }
}

fn as_text<S: serde::Serializer>(id: &&Id, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn as_map<S: serde::Serializer>(fields: &[(&'static str, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, text)| (name, text)))
}

/// Who asks, as far as the program knows it: the same for all records of a process.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Who {
    /// The user, where a record has no caller of its own.
    #[serde(skip)]
    pub user: String,
    /// The program, its version and its command, such as `forge 0.1.0 secret get`.
    pub program: String,
    /// The name of the program that started it, which it can choose freely.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Why, in the words of whoever asked (`--reason`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The fields of a record without its place in the chain: the inside of a JSON object.
pub(super) type Body = Vec<u8>;

/// A record's own part.
#[derive(Serialize)]
struct Fields<'a, A: Serialize, B: Serialize> {
    #[serde(serialize_with = "as_text")]
    id: &'a Id,
    event: &'a str,
    #[serde(flatten)]
    first: A,
    #[serde(flatten)]
    second: B,
}

fn body(id: &Id, event: &str, first: impl Serialize, second: impl Serialize) -> Body {
    // Texts, numbers and flags under fixed names can't fail to be written.
    let mut body = serde_json::to_vec(&Fields { id, event, first, second }).unwrap_or_default();
    body.pop();
    if !body.is_empty() {
        body.remove(0);
    }
    body
}

/// That an operation begins.
pub(super) fn begin(id: &Id, who: &Who, asked: &Asked<'_>) -> Body {
    body(id, "begin", who, asked)
}

/// How an operation ended.
pub(super) fn operation(id: &Id, who: &Who, asked: &Asked<'_>, ended: &Ended) -> Body {
    #[derive(Serialize)]
    struct Outcome<'a> {
        #[serde(flatten)]
        asked: &'a Asked<'a>,
        #[serde(flatten)]
        ended: &'a Ended,
    }
    body(id, "operation", who, Outcome { asked, ended })
}

/// What went out for an operation.
pub(super) fn request(id: &Id, record: &RequestRecord) -> Body {
    body(id, "request", record, ())
}

/// That a change begins, or how it ended.
pub(super) fn change(id: &Id, who: &Who, change: &Change<'_>, outcome: Option<&str>) -> Body {
    #[derive(Serialize)]
    struct Told<'a> {
        user: &'a str,
        #[serde(flatten)]
        change: &'a Change<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        outcome: Option<&'a str>,
    }
    let event = if outcome.is_some() { "change" } else { "begin" };
    body(id, event, who, Told { user: &who.user, change, outcome })
}

/// What every file begins with: whose key it needs, and the MAC that its chain goes on from.
pub(super) fn file(key: &str, previous: &Tag, anew: Option<&str>) -> Body {
    #[derive(Serialize)]
    struct Begins<'a> {
        event: &'a str,
        key: &'a str,
        previous: String,
        /// Why records may be missing before this file, where its writer knew that.
        #[serde(skip_serializing_if = "Option::is_none")]
        anew: Option<&'a str>,
    }
    inside(&Begins { event: "file", key, previous: hex(previous), anew })
}

/// That a line was found which its writer could not finish, and where its remains are.
pub(super) fn torn(bytes: u64, kept: &str, sha256: &str) -> Body {
    #[derive(Serialize)]
    struct Torn<'a> {
        event: &'a str,
        bytes: u64,
        kept: &'a str,
        sha256: &'a str,
    }
    inside(&Torn { event: "torn", bytes, kept, sha256 })
}

fn inside(fields: &impl Serialize) -> Body {
    let text = serde_json::to_vec(fields).unwrap_or_default();
    text.get(1..text.len().saturating_sub(1)).unwrap_or_default().to_vec()
}

/// Adds a record's line to `lines`; answers its MAC.
pub(super) fn chain(lines: &mut Vec<u8>, keys: &Keys, before: &Tag, sequence: u64, time: &str, body: &[u8]) -> Tag {
    let begins = lines.len();
    lines.extend_from_slice(
        format!("{{\"schema_version\":{SCHEMA_VERSION},\"sequence\":{sequence},\"time\":\"{time}\",").as_bytes(),
    );
    lines.extend_from_slice(body);
    let tag = keys.chained(before, lines.get(begins..).unwrap_or_default());
    lines.extend_from_slice(BEFORE_MAC);
    lines.extend_from_slice(hex(&tag).as_bytes());
    lines.extend_from_slice(AFTER_MAC);
    lines.push(b'\n');
    tag
}

/// What has to be known of a record to look at the chain.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Link {
    pub(super) schema_version: u32,
    pub(super) sequence: u64,
    pub(super) time: String,
    #[serde(default)]
    pub(super) id: String,
    pub(super) event: String,
    #[serde(default)]
    pub(super) key: String,
    #[serde(default)]
    pub(super) previous: String,
    #[serde(default)]
    pub(super) anew: Option<String>,
    #[serde(default)]
    pub(super) kept: String,
    #[serde(default)]
    pub(super) sha256: String,
}

/// A line as a record: what it says, the text that its MAC is over, and the MAC.
pub(super) struct Line<'a> {
    pub(super) link: Link,
    pub(super) text: &'a [u8],
    pub(super) tag: Tag,
}

impl<'a> Line<'a> {
    /// Reads a line without its end; `None` where it is no record of this form.
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        let (text, ending) =
            line.split_at_checked(line.len().checked_sub(BEFORE_MAC.len() + 2 * MAC + AFTER_MAC.len())?)?;
        let tag = tag(ending.strip_prefix(BEFORE_MAC)?.strip_suffix(AFTER_MAC)?)?;
        let link: Link = serde_json::from_slice(line).ok()?;
        (link.schema_version == SCHEMA_VERSION).then_some(Self { link, text, tag })
    }
}

/// A text that is no longer than a record takes.
fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_TEXT {
        return Cow::Borrowed(text);
    }
    let cut = text.get(..text.floor_char_boundary(LONGEST_TEXT)).unwrap_or_default();
    Cow::Owned(format!("{cut}…"))
}
