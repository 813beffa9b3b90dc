//! The same counts from the audit log, for whoever was not there: of its end, and never of more than fits.

use std::collections::{HashMap, VecDeque};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Done, Metrics, Snapshot};
use crate::audit;
use crate::home;
use crate::time::rfc3339;

/// How much of the log is read, in bytes, from its end.
pub const LONGEST_TAIL: u64 = 16 << 20;

/// The most operations that are counted: the last ones.
pub const MOST_OPERATIONS: usize = 10_000;

/// The most requests that are counted.
const MOST_REQUESTS: usize = 100_000;

/// How much of a time says the second: `2026-01-31T12:00:00`.
const SECOND: usize = 19;

/// What was counted in a log, and since when.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Log {
    /// The first operation's time; nothing where there is none.
    pub since: Option<String>,
    /// What was counted.
    #[serde(flatten)]
    pub counted: Snapshot,
}

/// A record, as far as it is counted. What somebody else wrote into the log is no record, or counts as what it says.
#[derive(Deserialize)]
struct Record {
    event: String,
    #[serde(default)]
    id: String,
    time: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    cached: bool,
    #[serde(default)]
    milliseconds: u64,
}

/// Counts the operations of a log whose files these are, oldest first, since a time in milliseconds since 1970.
///
/// At most [`LONGEST_TAIL`] bytes are read and the last [`MOST_OPERATIONS`] operations counted. The chain is not followed.
///
/// # Errors
/// A file can't be read, or others could have written it.
pub fn of_log(files: &[PathBuf], since: u64) -> Result<Log, home::Error> {
    let since = rfc3339(since).unwrap_or_default();
    let since = since.get(..SECOND).unwrap_or_default();
    let (mut operations, mut requests) = (VecDeque::new(), VecDeque::new());
    for piece in tail(files)?.iter().rev() {
        for line in piece.split(|byte| *byte == b'\n') {
            let Ok(record) = serde_json::from_slice::<Record>(line) else { continue };
            if record.time.get(..SECOND).is_none_or(|second| second < since) {
                continue;
            }
            match record.event.as_str() {
                "operation" => keep(&mut operations, record, MOST_OPERATIONS),
                "request" => keep(&mut requests, record.id, MOST_REQUESTS),
                _ => {}
            }
        }
    }
    let metrics = Metrics::default();
    let mut providers = HashMap::new();
    for record in &operations {
        let (operation, outcome, took) =
            (&record.operation, &record.outcome, Duration::from_millis(record.milliseconds));
        metrics.operation(Done { operation, outcome, cached: record.cached, took });
        providers.insert(record.id.as_str(), record.provider.as_str());
    }
    let of_counted = requests.iter().filter_map(|id| providers.get(id.as_str()));
    of_counted.for_each(|provider| metrics.requests(provider, 1));
    let since = operations.front().map(|record| record.time.clone());
    Ok(Log { since, counted: metrics.snapshot() })
}

/// Keeps the last ones.
fn keep<T>(kept: &mut VecDeque<T>, one: T, most: usize) {
    if kept.len() >= most {
        kept.pop_front();
    }
    kept.push_back(one);
}

/// The end of the log: its files from the newest on, as much as is read.
fn tail(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, home::Error> {
    let (mut pieces, mut left) = (Vec::new(), LONGEST_TAIL);
    for path in files.iter().rev() {
        let Some(mut file) = audit::open(path)? else { continue };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let mut piece = Vec::new();
        let skipped = length.saturating_sub(left);
        // What can't be read is the end of what is counted: the log's own commands tell why.
        let read = file.seek(SeekFrom::Start(skipped)).and_then(|_| file.take(left).read_to_end(&mut piece));
        if read.is_err() {
            break;
        }
        left = left.saturating_sub(piece.len() as u64);
        pieces.push(piece);
        if left == 0 {
            break;
        }
    }
    Ok(pieces)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::audit::{Asked, Audit, Ended, Ending, Settings, Who};
    use crate::home::Home;
    use crate::provider::RequestRecord;

    fn request() -> RequestRecord {
        RequestRecord {
            method: "GET".to_owned(),
            origin: "https://a".to_owned(),
            route: "/".to_owned(),
            status: Some(200),
            bytes: 1,
            milliseconds: 1,
            attempts: 1,
            outcome: "ok",
            permission: None,
            is_open: false,
        }
    }

    #[test]
    fn what_the_log_holds_is_counted_over_all_its_files_and_from_a_time_on() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path();
        let home = Home { config: data.join("c"), data: data.to_owned(), cache: data.join("k"), keyring: None };
        // Small files, so that there are several.
        let audit = Audit::new(&home, Settings { rotate_at: 4096, ..Settings::default() }, Who::default());
        for number in 0..20 {
            let id = audit.id().unwrap();
            let asked = Asked::new("somebody", if number < 15 { "get" } else { "set" }, "prod", "app/db", None);
            let outcome = if number % 5 == 0 { "unavailable" } else { "ok" };
            let cached = number % 2 == 1;
            let ended = Ended { cached, outcome, milliseconds: number, ..Ended::default() };
            audit.begin([(&id, &asked)]).unwrap();
            let requests = vec![request(), request()];
            audit.end(&[Ending { id, asked: &asked, ended: &ended, requests }], true).unwrap();
        }
        let files = audit.files().unwrap();
        assert!(files.len() > 2, "{files:?}");
        let log = of_log(&files, 0).unwrap();
        assert_eq!((log.counted.operations, log.counted.cache_hits, log.counted.cache_misses), (20, 7, 8));
        assert_eq!(log.counted.failures.get("unavailable"), Some(&4));
        assert_eq!(log.counted.requests.get("prod"), Some(&40));
        assert_eq!(log.counted.by_operation.get("set").unwrap().count, 5);
        assert!((log.counted.latency.max - 19.0).abs() < f64::EPSILON && log.since.is_some());
        // What is older than asked for does not count, and what is no record counts for nothing.
        let later = crate::time::now() + 3_600_000;
        assert_eq!(of_log(&files, later).unwrap(), Log::default());
        let strange = data.join("strange");
        crate::home::write(&strange, b"{}\n[]\nnull\n\xff\n{\"event\":\"operation\",\"time\":\"x\"}\n").unwrap();
        assert_eq!(of_log(&[strange], 0).unwrap(), Log::default());
        assert_eq!(of_log(&[data.join("none")], 0).unwrap(), Log::default());
    }

    #[test]
    fn of_a_long_log_the_last_operations_count() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("log");
        let line = |number: u64| {
            let time = rfc3339(1_700_000_000_000 + number * 1000).unwrap();
            format!(
                "{{\"event\":\"operation\",\"id\":\"{number}\",\"time\":\"{time}\",\"operation\":\"get\",\"provider\":\"p\",\"outcome\":\"ok\",\"milliseconds\":{number}}}\n"
            )
        };
        let text: String = (0..12_000).map(line).collect();
        crate::home::write(&file, text.as_bytes()).unwrap();
        let log = of_log(&[file], 0).unwrap();
        assert_eq!(log.counted.operations, MOST_OPERATIONS as u64);
        assert_eq!(log.since, rfc3339(1_700_000_000_000 + 2_000_000));
    }
}
