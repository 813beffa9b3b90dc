//! The audit log: one JSON line for each operation and one for each request it made, never a value.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::home;
use crate::provider::RequestRecord;

/// Where records go.
#[derive(Clone, Debug)]
pub struct Audit {
    file: PathBuf,
}

/// One operation: who did what to which secret, and how it ended.
#[derive(Debug, Serialize)]
pub struct OperationRecord<'a> {
    /// The user.
    pub user: &'a str,
    /// `get`, `set` and so on.
    pub operation: &'a str,
    /// The provider's name.
    pub provider: &'a str,
    /// The path within the provider, or the prefix of a listing.
    pub path: &'a str,
    /// The version asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
    /// SHA-256 of the plugin.
    pub plugin: &'a str,
    /// The policy's rule.
    pub rule: &'a str,
    /// Whether the policy allowed it.
    pub allowed: bool,
    /// Whether the answer came from the cache.
    pub cached: bool,
    /// `ok`, or the token of the failure's kind.
    pub outcome: &'a str,
    /// How long it took.
    pub milliseconds: u64,
}

#[derive(Serialize)]
struct Line<'a, T> {
    schema_version: u32,
    time: String,
    /// Ties the lines of one operation together, or of those that one call did.
    id: &'a str,
    event: &'static str,
    #[serde(flatten)]
    record: &'a T,
}

impl Audit {
    /// The log in this user's data directory.
    pub fn new(data: &Path) -> Self {
        Self { file: data.join("audit").join("audit.jsonl") }
    }

    /// The file that records are appended to.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Appends operations and the requests that they made together: those of one call have one id.
    ///
    /// # Errors
    /// The log can't be written; whoever asked must then not hand out the value.
    pub fn write(&self, operations: &[OperationRecord<'_>], requests: &[RequestRecord]) -> Result<(), home::Error> {
        let refuse = |why: String| home::Error { what: "write the audit log", path: self.file.clone(), why };
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| refuse("the system gives no random bytes".to_owned()))?;
        let id = crate::sealing::hex(&random);
        let time = jiff::Timestamp::now().to_string();
        let mut lines = Vec::new();
        let mut line = |bytes: serde_json::Result<Vec<u8>>| {
            lines.extend(bytes.map_err(|error| refuse(error.to_string()))?);
            lines.push(b'\n');
            Ok::<_, home::Error>(())
        };
        for record in requests {
            let line_of = Line { schema_version: 1, time: time.clone(), id: &id, event: "request", record };
            line(serde_json::to_vec(&line_of))?;
        }
        for record in operations {
            let line_of = Line { schema_version: 1, time: time.clone(), id: &id, event: "operation", record };
            line(serde_json::to_vec(&line_of))?;
        }
        if let Some(directory) = self.file.parent() {
            home::make_directory(directory)?;
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&self.file)
            .map_err(|error| refuse(error.to_string()))?;
        // One write for all lines, so that those of another process can't stand between them.
        file.write_all(&lines).map_err(|error| refuse(error.to_string()))
    }
}
