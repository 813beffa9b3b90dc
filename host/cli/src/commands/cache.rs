//! `forge cache`: the copies of secrets on disk, and what they were good for.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};

use forge_core::audit::{self, Change};
use forge_core::cache::{Disk, Entry};
use forge_core::manifest::printable_name;
use forge_core::provider::Failure;
use forge_core::reference::{Reference, is_name};
use forge_core::resolver::ago;
use serde_json::{Value as Json, json};

use super::secret::parsed;
use crate::app::App;
use crate::arguments::Cache;
use crate::failure::{Context as _, Outcome};
use crate::printer::Printer;

/// How much of the audit log is counted, in bytes from its end.
const COUNTED: u64 = 16 << 20;

/// How many reads of a provider the log has, and how many of them copies answered.
type Reads = BTreeMap<String, (u64, u64)>;

pub(crate) fn run(app: &App, printer: &mut Printer, command: &Cache) -> Outcome {
    let disk = Disk::new(&app.home, &app.notices);
    match command {
        Cache::Status => status(app, printer, &disk),
        Cache::Clear { pattern, dry_run } => clear(app, printer, &disk, pattern.as_deref(), *dry_run),
    }
}

/// A copy's name, as a person would type it.
fn named(entry: &Entry) -> String {
    let reference = Reference {
        provider: Some(entry.provider.clone()),
        path: entry.path.clone(),
        version: entry.version.clone(),
        field: None,
    };
    reference.to_string()
}

/// What a copy is good for now.
fn state(app: &App, entry: &Entry) -> &'static str {
    let Some(age) = entry.age else { return "of no use" };
    let rules = app.cache_rules(&entry.provider);
    match age {
        _ if !rules.disk || !rules.keeps() => "not used",
        age if age < rules.time_to_live => "fresh",
        age if age < rules.time_to_live.saturating_add(rules.max_stale) => "stale",
        _ => "too old",
    }
}

fn status(app: &App, printer: &mut Printer, disk: &Disk) -> Outcome {
    let entries = disk.entries().map_err(Failure::from).context(|| "can't look at the cache".to_owned())?;
    let reads = reads(app)?;
    if printer.is_json() {
        let copy = |entry: &Entry| {
            json!({
                "reference": entry.age.map(|_| named(entry)),
                "age_seconds": entry.age.map(|age| age.as_secs()),
                "state": state(app, entry),
                "bytes": entry.bytes,
            })
        };
        let read = |(provider, (reads, hits)): (&String, &(u64, u64))| json!({ "provider": provider, "reads": reads, "from_copies": hits });
        let copies: Vec<Json> = entries.iter().map(copy).collect();
        let providers: Vec<Json> = reads.iter().map(read).collect();
        return printer.object(json!({ "copies": copies, "providers": providers }));
    }
    let bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let number = match entries.len() {
        1 => "1 copy".to_owned(),
        number => format!("{number} copies"),
    };
    printer.line(&format!("{number} on disk, {bytes} bytes"))?;
    for entry in &entries {
        let state = state(app, entry);
        printer.line(&match entry.age {
            Some(age) => {
                format!("  {}  {state}, of {} ago, {} bytes", printable_name(&named(entry)), ago(age), entry.bytes)
            }
            None => format!("  a file that does not open, {} bytes", entry.bytes),
        })?;
    }
    for (provider, (reads, hits)) in &reads {
        let rate = hits * 100 / reads.max(&1);
        printer.line(&format!("{}: {hits} of {reads} reads from copies ({rate} %)", printable_name(provider)))?;
    }
    Ok(())
}

/// What the audit log's current file says of reads that were answered, by provider.
fn reads(app: &App) -> Outcome<Reads> {
    let mut reads = Reads::new();
    let Some(mut file) = audit::open(&app.audit.file())? else { return Ok(reads) };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    // A line that is cut at the beginning is no record, and so does not count.
    if file.seek(SeekFrom::Start(length.saturating_sub(COUNTED))).is_err() {
        return Ok(reads);
    }
    for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
        let Ok(record) = serde_json::from_slice::<Json>(&line) else { continue };
        let is = |field: &str, text: &str| record.get(field).and_then(Json::as_str) == Some(text);
        if !is("event", "operation") || !is("operation", "get") || !is("outcome", "ok") {
            continue;
        }
        let Some(provider) = record.get("provider").and_then(Json::as_str) else { continue };
        let (all, hits) = reads.entry(provider.to_owned()).or_default();
        *all += 1;
        *hits += u64::from(record.get("cached") == Some(&Json::Bool(true)));
    }
    Ok(reads)
}

/// Which copies are meant.
enum Meant {
    Provider(String),
    Below(String, String),
    One(String, Reference),
}

impl Meant {
    fn of(app: &App, text: &str) -> Outcome<Self> {
        let Some(prefix) = text.strip_suffix("/**") else {
            let reference = parsed(text)?;
            return Ok(Self::One(app.opener().name_of(reference.provider.as_deref())?, reference));
        };
        if let Some(name) = prefix.strip_prefix("store://").filter(|name| is_name(name)) {
            return Ok(Self::Provider(app.opener().name_of(Some(name))?));
        }
        let reference = parsed(prefix)?;
        Ok(Self::Below(app.opener().name_of(reference.provider.as_deref())?, format!("{}/", reference.path)))
    }

    fn holds(&self, entry: &Entry) -> bool {
        // One that does not open has no name, so nobody can mean it.
        entry.age.is_some()
            && match self {
                Self::Provider(name) => entry.provider == *name,
                Self::Below(name, prefix) => entry.provider == *name && entry.path.starts_with(prefix),
                Self::One(name, reference) => {
                    let is_version = reference.version.is_none() || reference.version == entry.version;
                    entry.provider == *name && entry.path == reference.path && is_version
                }
            }
    }
}

fn clear(app: &App, printer: &mut Printer, disk: &Disk, pattern: Option<&str>, dry_run: bool) -> Outcome {
    let tried = || "can't clear the cache".to_owned();
    let meant = pattern.map(|text| Meant::of(app, text)).transpose().context(tried)?;
    // Without a pattern nothing has to be opened, so that goes without a key as well.
    let listed =
        if meant.is_some() || dry_run { disk.entries().map_err(Failure::from).context(tried)? } else { Vec::new() };
    let chosen: Vec<Entry> =
        listed.into_iter().filter(|entry| meant.as_ref().is_none_or(|meant| meant.holds(entry))).collect();
    let number = if dry_run {
        chosen.len()
    } else {
        let begun = app.audit.change(Change::new("cache-clear", pattern.unwrap_or("everything"))).context(tried)?;
        let cleared = match meant {
            Some(_) => disk.clear(&chosen).map(|()| chosen.len()),
            None => disk.clear_all(),
        };
        app.audit.changed(&begun, cleared.map_err(Failure::from)).context(tried)?
    };
    if printer.is_json() {
        return printer.object(json!({ "copies": number, "dry_run": dry_run }));
    }
    for entry in chosen.iter().filter(|entry| dry_run && entry.age.is_some()) {
        printer.line(&printable_name(&named(entry)))?;
    }
    let copies = if number == 1 { "copy" } else { "copies" };
    printer.note(&if dry_run {
        format!("would remove {number} {copies}")
    } else {
        format!("removed {number} {copies}")
    });
    Ok(())
}
