//! `forge audit`: reading the log, following its chain, and looking for a value in it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use forge_core::Kind;
use forge_core::audit::{self, Break, Expected, Mark, Report};
use forge_core::manifest::printable_name;
use forge_core::provider::Failure;
use forge_core::resolver::ago;
use serde_json::{Value as Json, json};

use crate::app::App;
use crate::arguments::audit::{Audit, Tail};
use crate::failure::{Context as _, Outcome, not_found};
use crate::printer::Printer;

/// How often the log is looked at for what came, while it is followed.
const PAUSE: Duration = Duration::from_millis(200);

/// The longest line that is shown, in bytes.
const LONGEST_LINE: u64 = 64 << 10;

/// The most records that are kept to be shown.
const MOST: usize = 100_000;

pub(crate) async fn run(app: &App, printer: &mut Printer, command: Audit) -> Outcome {
    match command {
        Audit::Tail(arguments) => tail(app, printer, &arguments).await,
        Audit::Verify { head, all } => verify(app, printer, Expected { head, all }),
        Audit::Head => head(app, printer),
        Audit::Hash { from_file, keep_newline } => {
            let tried = || "can't hash a value".to_owned();
            let value = super::secret::value(printer, from_file.as_deref(), keep_newline).context(tried)?;
            let hash = app.audit.hash(value.expose()).map_err(Failure::from).context(tried)?;
            if printer.is_json() {
                return printer.object(json!({ "value_hmac": hash }));
            }
            printer.line(&hash)
        }
    }
}

fn verify(app: &App, printer: &mut Printer, expected: Expected) -> Outcome {
    let report = app.audit.verify(expected).map_err(|error| Failure { hint: None, ..error.into() })?;
    if printer.is_json() {
        printer.object(as_json(&report))?;
    } else {
        report.notes.iter().try_for_each(|note| printer.line(&format!("note  {note}")))?;
        if report.unfinished > 0 {
            let text = "have a beginning and no outcome: they run still, or their process was killed";
            printer.line(&format!("note  {} operations {text}", report.unfinished))?;
        }
        if report.fault.is_none() {
            printer.line(&format!("ok    {}", summary(&report)))?;
            report.head.iter().try_for_each(|head| printer.line(&format!("head  {head}")))?;
        }
    }
    report.fault.as_ref().map_or(Ok(()), |fault| Err(broken(fault)))
}

fn summary(report: &Report) -> String {
    let Some(head) = report.head else { return "there are no records yet".to_owned() };
    let files = if report.files == 1 { "1 file".to_owned() } else { format!("{} files", report.files) };
    format!("{} records in {files}, {} to {}, in one unbroken chain", report.records, report.first, head.count)
}

fn broken(found: &Break) -> Failure {
    let file = printable_name(&found.file.display().to_string());
    let line = if found.line > 0 { format!(", line {}", found.line) } else { String::new() };
    let sequence = if found.sequence > 0 { format!(", record {}", found.sequence) } else { String::new() };
    let what = format!("the audit log is not what forge wrote: `{file}`{line}{sequence}: {}", found.fault);
    Failure::new(Kind::Integrity, what).with_hint(
        "the records before that place are as they were written; a copy that was kept elsewhere has the rest",
    )
}

fn as_json(report: &Report) -> Json {
    let fault = report.fault.as_ref().map(|found| {
        let line = Some(found.line).filter(|line| *line > 0);
        let file = found.file.display().to_string();
        json!({ "file": file, "line": line, "sequence": found.sequence, "message": found.fault.to_string() })
    });
    json!({
        "ok": report.fault.is_none(),
        "records": report.records,
        "files": report.files,
        "first": report.first,
        "head": report.head.map(|head| head.to_string()),
        "unfinished": report.unfinished,
        "notes": report.notes,
        "fault": fault,
    })
}

fn head(app: &App, printer: &mut Printer) -> Outcome {
    let report = app.audit.verify(Expected::default()).map_err(|error| Failure { hint: None, ..error.into() })?;
    // A head that is kept is the word for the whole log, so that of a broken one is none.
    if let Some(fault) = &report.fault {
        return Err(broken(fault));
    }
    let head: Mark = report.head.ok_or_else(|| not_found("the audit log has no records yet"))?;
    if printer.is_json() {
        return printer.object(json!({ "head": head.to_string(), "count": head.count }));
    }
    printer.line(&head.to_string())
}

/// One of the log's files on its way through.
struct Reader {
    file: BufReader<File>,
    /// What was read of a line that has no end yet.
    begun: Vec<u8>,
}

impl Reader {
    fn open(path: &Path) -> Outcome<Option<Self>> {
        let file = audit::open(path)?;
        Ok(file.map(|file| Self { file: BufReader::new(file), begun: Vec::new() }))
    }

    /// The next whole line; `None` where there is none yet.
    fn line(&mut self) -> Outcome<Option<Vec<u8>>> {
        let room = LONGEST_LINE.saturating_sub(self.begun.len() as u64);
        let read = self.file.by_ref().take(room.max(1)).read_until(b'\n', &mut self.begun);
        read.map_err(|error| Failure::new(Kind::Internal, format!("can't read the audit log: {error}")))?;
        let is_whole = self.begun.last() == Some(&b'\n') || self.begun.len() as u64 >= LONGEST_LINE;
        Ok(is_whole.then(|| std::mem::take(&mut self.begun)))
    }

    fn inode(&self) -> Option<u64> {
        self.file.get_ref().metadata().ok().map(|metadata| metadata.ino())
    }
}

async fn tail(app: &App, printer: &mut Printer, arguments: &Tail) -> Outcome {
    let most = arguments.lines.min(MOST);
    let provider = &app.global.provider;
    let mut shown: VecDeque<Json> = VecDeque::new();
    let files = app.audit.files().map_err(|error| Failure { hint: None, ..error.into() })?;
    let current = app.audit.file();
    let mut following = None;
    // The newest file first: most often it has all that is wanted.
    for path in files.iter().rev() {
        let Some(mut reader) = Reader::open(path)? else { continue };
        let mut matching = VecDeque::new();
        while let Some(line) = reader.line()? {
            matching.extend(wanted(&line, arguments, provider));
            if matching.len() + shown.len() > most {
                matching.pop_front();
            }
        }
        if *path == current {
            following = Some(reader);
        }
        matching.append(&mut shown);
        shown = matching;
        if shown.len() >= most {
            break;
        }
    }
    for record in &shown {
        if !show(printer, record)? {
            return Ok(());
        }
    }
    if !arguments.follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(PAUSE).await;
        if let Some(reader) = &mut following {
            while let Some(line) = reader.line()? {
                if let Some(record) = wanted(&line, arguments, provider)
                    && !show(printer, &record)?
                {
                    return Ok(());
                }
            }
        }
        // Only what has been read to its end is left for the file that has its name now.
        let inode = current.symlink_metadata().ok().map(|metadata| metadata.ino());
        if inode.is_some() && following.as_ref().and_then(Reader::inode) != inode {
            following = Reader::open(&current)?;
        }
    }
}

/// A line's record, if it is one that was asked for.
fn wanted(line: &[u8], arguments: &Tail, provider: &Option<String>) -> Option<Json> {
    let record: Json = serde_json::from_slice(line).ok().filter(Json::is_object)?;
    let text = |field: &str| record.get(field).and_then(Json::as_str);
    let event = text("event").unwrap_or_default();
    let is = |field: &str, wanted: &Option<String>| wanted.is_none() || text(field) == wanted.as_deref();
    let is_outcome = !matches!(event, "begin" | "request");
    let is_operation = is("operation", &arguments.operation) || is("change", &arguments.operation);
    let is_provider = is("provider", provider);
    let is_it =
        (is_outcome || arguments.everything) && is_operation && is_provider && is("outcome", &arguments.outcome);
    is_it.then_some(record)
}

/// Shows a record; answers whether somebody still reads.
fn show(printer: &mut Printer, record: &Json) -> Outcome<bool> {
    if printer.is_json() {
        return printer.stream(&record.to_string());
    }
    // What somebody wrote into the log must not drive the terminal of whoever looks at it.
    let text = |field: &str| record[field].as_str().map(printable_name).unwrap_or_default();
    let of =
        |field: &str| if record[field].is_null() { String::new() } else { printable_name(&record[field].to_string()) };
    let event = text("event");
    let what = match event.as_str() {
        "request" => format!("{} {}{}", text("method"), text("origin"), text("route")),
        "torn" => format!("{} bytes of a line that was not finished, kept in `{}`", of("bytes"), text("kept")),
        "file" => format!("a file begins, with the key `{}`", text("key")),
        _ if !record["change"].is_null() => format!("{} {}", text("change"), text("subject")),
        _ => format!("{} {}", text("operation"), text("reference")),
    };
    let outcome = if event == "begin" { "begins".to_owned() } else { text("outcome") };
    let mut line = format!("{:>6}  {}  {:<16} {what}  {outcome}", of("sequence"), text("time"), text("user"));
    if !record["milliseconds"].is_null() {
        line.push_str(&format!("  {} ms", of("milliseconds")));
    }
    if record["cached"] == true {
        line.push_str("  from the cache");
        if let Some(seconds) = record["stale_seconds"].as_u64() {
            line.push_str(&format!(", {} old", ago(Duration::from_secs(seconds))));
        }
    }
    if !record["fallback_for"].is_null() {
        line.push_str(&format!("  in place of {}", text("fallback_for")));
    }
    if !record["reason"].is_null() {
        line.push_str(&format!("  ({})", text("reason")));
    }
    printer.stream(line.trim_end())
}
