//! What the chain promises: whatever is done to the log is found and placed, and what a crash leaves is told as that.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;

use super::*;

/// A home for one test.
fn home(directory: &tempfile::TempDir) -> Home {
    let path = directory.path();
    Home { config: path.join("c"), data: path.join("d"), cache: path.join("k"), keyring: None }
}

fn audit(home: &Home, rotate_at: u64) -> Audit {
    let who = Who { user: "tester (1)".to_owned(), program: "forge test".to_owned(), ..Who::default() };
    Audit::new(home, Settings { rotate_at, ..Settings::default() }, who)
}

/// So many operations, each with a beginning and an outcome.
fn operate(audit: &Audit, count: u64) {
    for number in 0..count {
        let path = format!("app/{number}");
        let asked = Asked::new("tester", "get", "local", &path, None);
        let id = audit.id().unwrap();
        audit.begin([(&id, &asked)]).unwrap();
        let ended = Ended {
            cached: false,
            outcome: "ok",
            value_hmac: audit.value(b"hunter2"),
            milliseconds: 1,
            ..Ended::default()
        };
        audit.end(&[Ending { id, asked: &asked, ended: &ended, requests: Vec::new() }], true).unwrap();
    }
}

#[test]
fn every_operation_has_an_id_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (audit(&home(&directory), ROTATE_AT), audit(&home(&directory), ROTATE_AT));
    let ids = [&one, &one, &one.clone(), &other].map(|audit| audit.id().unwrap().to_string());
    for (place, id) in ids.iter().enumerate() {
        assert!(id.len() == 16 && !ids[..place].contains(id), "{ids:?}");
    }
}

fn verified(home: &Home) -> Report {
    audit(home, ROTATE_AT).verify(Expected::default()).unwrap()
}

/// The first fault: its line, the sequence that should be there, and what it is.
fn fault(home: &Home) -> (u64, u64, Fault) {
    let found = verified(home).fault.unwrap();
    (found.line, found.sequence, found.fault)
}

/// A log of six records: a file's beginning, and two operations and a half.
fn written() -> (tempfile::TempDir, Home, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let home = home(&directory);
    let audit = audit(&home, ROTATE_AT);
    operate(&audit, 2);
    let asked = Asked::new("tester", "set", "local", "last", None);
    audit.begin([(&audit.id().unwrap(), &asked)]).unwrap();
    let lines = fs::read_to_string(audit.file()).unwrap().lines().map(str::to_owned).collect();
    (directory, home, lines)
}

fn rewrite(home: &Home, lines: &[&str]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(home.data.join("audit/audit.jsonl"), text).unwrap();
}

#[test]
fn a_log_that_nobody_touched_is_whole_and_says_what_did_not_end() {
    let (_directory, home, lines) = written();
    let report = verified(&home);
    assert_eq!((report.fault, report.records, report.first, report.unfinished), (None, 6, 1, 1));
    assert_eq!(report.notes, Vec::<String>::new());
    assert_eq!(report.head.unwrap().count, 6);
    // No value, and of the program what it said of itself.
    assert!(lines.iter().all(|line| !line.contains("hunter2") && line.len() < 1024));
    assert!(lines[1].contains("\"program\":\"forge test\"") && lines[1].contains("store://local/app/0"));
}

#[test]
fn any_byte_that_is_changed_anywhere_is_found_at_its_line() {
    let (_directory, home, _) = written();
    let file = home.data.join("audit/audit.jsonl");
    let whole = fs::read(&file).unwrap();
    let mut line = 1;
    for at in 0..whole.len() {
        let mut edited = whole.clone();
        edited[at] ^= 1 << (at % 8);
        fs::write(&file, &edited).unwrap();
        let (found, sequence, fault) = fault(&home);
        // A line's end that is changed makes one line of two.
        assert!(found == line && sequence == line, "byte {at} of line {line}: {found}, {sequence}, {fault}");
        if whole[at] == b'\n' {
            line += 1;
        }
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(verified(&home).fault, None);
}

#[test]
fn a_removed_a_swapped_an_appended_record_and_a_cut_tail_are_told_apart() {
    let (_directory, home, lines) = written();
    let [a, b, c, d, e, f] = lines.iter().map(String::as_str).collect::<Vec<_>>().try_into().unwrap();
    for (lines, expected) in [
        (vec![a, b, d, e, f], (3, 3, Fault::Removed(3))),
        (vec![a, b, e, f], (3, 3, Fault::Removed(4))),
        (vec![b, c, d, e, f], (1, 1, Fault::Removed(1))),
        (vec![a, b, d, c, e, f], (3, 3, Fault::Swapped(4))),
        (vec![a, b, c, d, e, f, f], (7, 7, Fault::Inserted)),
        (vec![a, b, c, b, d, e, f], (4, 4, Fault::Inserted)),
        (vec![a, b, c, "{}", d, e, f], (4, 4, Fault::Inserted)),
        (vec![a, b, c, d, e, f, "made up"], (7, 7, Fault::Inserted)),
        (vec![a, b, c, d, e], (6, 6, Fault::Cut { last: 5, head: 6 })),
        (vec![a], (2, 2, Fault::Cut { last: 1, head: 6 })),
        (vec![a, b, c, "gone", e, f], (4, 4, Fault::Changed)),
    ] {
        rewrite(&home, &lines);
        assert_eq!(fault(&home), expected, "{lines:#?}");
    }
    // A genuine record's text with another number is a changed one.
    let forged = d.replace("\"sequence\":4", "\"sequence\":7");
    rewrite(&home, &[a, b, c, &forged, e, f]);
    assert_eq!(fault(&home), (4, 4, Fault::Changed));
    fs::write(home.data.join("audit/audit.jsonl"), lines.join("\n").split_at(900).0).unwrap();
    assert!(matches!(fault(&home).2, Fault::Cut { head: 6, .. }));
    fs::remove_file(home.data.join("audit/audit.jsonl")).unwrap();
    assert_eq!(fault(&home).2, Fault::Cut { last: 0, head: 6 });
}

#[test]
fn what_was_done_to_the_log_is_found_after_more_was_written_too() {
    for cut in 1..6 {
        let (_directory, home, lines) = written();
        let kept: Vec<&str> = lines.iter().take(cut).map(String::as_str).collect();
        rewrite(&home, &kept);
        operate(&audit(&home, ROTATE_AT), 1);
        assert_eq!(fault(&home), (cut as u64 + 1, cut as u64 + 1, Fault::Removed(6)), "cut behind {cut}");
    }
    let (_directory, home, mut lines) = written();
    lines.push("appended".to_owned());
    rewrite(&home, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    operate(&audit(&home, ROTATE_AT), 1);
    assert_eq!(fault(&home), (7, 7, Fault::Inserted));
}

#[test]
fn the_head_can_not_be_taken_away_edited_or_put_back() {
    let (_directory, home, lines) = written();
    let head = home.data.join("audit/head");
    let whole = fs::read(&head).unwrap();
    for at in 0..whole.len() {
        let mut edited = whole.clone();
        edited[at] ^= 1;
        fs::write(&head, &edited).unwrap();
        assert!(verified(&home).fault.is_some(), "byte {at}");
    }
    fs::remove_file(&head).unwrap();
    assert_eq!(fault(&home).2, Fault::HeadGone);
    // Whoever cuts the tail and takes the head with it is found after the next write, too.
    rewrite(&home, &lines.iter().take(3).map(String::as_str).collect::<Vec<_>>());
    operate(&audit(&home, ROTATE_AT), 1);
    assert_eq!(fault(&home), (1, 4, Fault::Anew("its head was gone".to_owned())));
    // An older state of both has only a head that is kept elsewhere against it.
    let (_directory, home, lines) = written();
    let kept = verified(&home).head.unwrap();
    let old = (fs::read(home.data.join("audit/head")).unwrap(), lines.join("\n") + "\n");
    operate(&audit(&home, ROTATE_AT), 1);
    let later = verified(&home).head.unwrap();
    fs::write(home.data.join("audit/head"), old.0).unwrap();
    fs::write(home.data.join("audit/audit.jsonl"), old.1).unwrap();
    let with = |head| audit(&home, ROTATE_AT).verify(Expected { head: Some(head), all: true }).unwrap().fault;
    assert_eq!((verified(&home).fault, with(kept)), (None, None));
    assert_eq!(with(later).unwrap().fault, Fault::Cut { last: 6, head: 8 });
    // A chain that was written anew with the key has as many records and other MACs.
    operate(&audit(&home, ROTATE_AT), 1);
    assert_eq!(with(later).unwrap().fault, Fault::Other(8));
    assert_eq!(later.to_string().parse::<Mark>(), Ok(later));
}

#[test]
fn files_are_rotated_without_breaking_the_chain_and_one_that_is_gone_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let home = home(&directory);
    operate(&audit(&home, 4096), 40);
    let report = verified(&home);
    assert_eq!((report.fault, report.unfinished, report.notes.len()), (None, 0, 0));
    let files = audit(&home, 4096).files().unwrap();
    assert!(files.len() > 5 && report.files == files.len() as u64, "{files:?}");
    assert!(files.iter().all(|file| file.metadata().unwrap().len() <= 4096 + 1024));
    assert_eq!(report.records, 80 + report.files);
    // An old file may be archived; all the others hold, and a person is told from where on.
    let moved = directory.path().join("archived");
    fs::rename(&files[0], &moved).unwrap();
    let archived = verified(&home);
    assert!(archived.fault.is_none() && archived.first > 1 && archived.notes.len() == 1, "{archived:?}");
    let all = audit(&home, 4096).verify(Expected { head: None, all: true }).unwrap();
    assert_eq!(all.fault.unwrap().fault, Fault::Missing(archived.first));
    fs::rename(&moved, &files[0]).unwrap();
    // One between others may not, nor may two change places.
    fs::rename(&files[2], &moved).unwrap();
    assert!(matches!(verified(&home).fault.unwrap().fault, Fault::Removed(_)));
    fs::rename(&files[1], &files[2]).unwrap();
    fs::rename(&moved, &files[1]).unwrap();
    assert!(verified(&home).fault.is_some());
}

#[test]
fn a_process_that_dies_between_log_and_head_breaks_nothing() {
    let (_directory, home, _) = written();
    let (head, log) = (home.data.join("audit/head"), home.data.join("audit/audit.jsonl"));
    // The head of each moment, under the log of a later one, also where a file was begun in between.
    for rotate_at in [ROTATE_AT, 1500] {
        let old = fs::read(&head).unwrap();
        let before = verified(&home).head.unwrap().count;
        let other = audit(&home, rotate_at);
        other.begin([(&other.id().unwrap(), &Asked::new("t", "get", "local", "x", None))]).unwrap();
        fs::write(&head, &old).unwrap();
        let report = verified(&home);
        assert!(report.fault.is_none() && report.head.unwrap().count > before && report.notes.len() == 1, "{report:?}");
        operate(&audit(&home, ROTATE_AT), 1);
        let report = verified(&home);
        assert!(report.fault.is_none() && report.notes.is_empty(), "{report:?}");
    }
    // Between the new name of the old file and the first line of the new one.
    let first = audit(&home, ROTATE_AT).files().unwrap().len();
    assert_eq!(first, 2);
    let begins = fs::read_to_string(&log).unwrap();
    let begins: serde_json::Value = serde_json::from_str(begins.lines().next().unwrap()).unwrap();
    fs::rename(&log, home.data.join(format!("audit/audit.{}.jsonl", begins["sequence"]))).unwrap();
    operate(&audit(&home, ROTATE_AT), 1);
    assert_eq!(verified(&home).fault, None);
    assert_eq!(audit(&home, ROTATE_AT).files().unwrap().len(), 3);
    // That somebody removed the file that is written to is no rotation, and stays to be seen.
    fs::remove_file(&log).unwrap();
    operate(&audit(&home, ROTATE_AT), 2);
    assert_eq!(fault(&home), (1, 14, Fault::Anew("the file before it was removed".to_owned())));
}

#[test]
fn a_line_that_was_not_finished_is_kept_aside_and_told_with_its_place() {
    let (_directory, home, lines) = written();
    let file = home.data.join("audit/audit.jsonl");
    let audit = audit(&home, ROTATE_AT);
    let asked = Asked::new("t", "get", "local", "x", None);
    for length in [1, 40, 300] {
        fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(&lines[1].as_bytes()[..length]).unwrap();
        let report = verified(&home);
        assert!(report.fault.is_none(), "{report:?}");
        assert!(report.notes.last().unwrap().contains(&format!("{length} bytes of a record")), "{report:?}");
        audit.begin([(&audit.id().unwrap(), &asked)]).unwrap();
        let report = verified(&home);
        assert!(report.fault.is_none() && report.notes.last().unwrap().contains("torn-"), "{report:?}");
    }
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let kept = home.data.join("audit/torn-7.part");
    assert_eq!(fs::read(&kept).unwrap(), &lines[1].as_bytes()[..1]);
    fs::write(&kept, "!").unwrap();
    assert_eq!(fault(&home).2, Fault::Remains("torn-7.part".to_owned()));
}

#[test]
fn a_log_of_another_key_is_named_and_goes_on_in_a_file_of_its_own() {
    let (_directory, home, _) = written();
    let key = home.sealing_key_file();
    let first = fs::read(&key).unwrap();
    home::write(&key, &[9; 32]).unwrap();
    assert!(matches!(fault(&home).2, Fault::OtherKey { .. }));
    operate(&audit(&home, ROTATE_AT), 1);
    assert_eq!(audit(&home, ROTATE_AT).files().unwrap().len(), 2);
    assert!(matches!(fault(&home), (1, _, Fault::OtherKey { .. })));
    // Without a key nothing is said of it, and none is made to look.
    fs::remove_file(&key).unwrap();
    assert!(matches!(audit(&home, ROTATE_AT).verify(Expected::default()), Err(Error::NoKey(_))));
    assert!(!key.exists());
    home::write(&key, &first).unwrap();
    fs::remove_file(home.data.join("audit/audit.jsonl")).unwrap();
    assert!(matches!(fault(&home).2, Fault::OtherKey { .. }), "the head is still the other key's");
}

#[test]
fn a_clock_that_is_set_back_is_told_and_breaks_nothing() {
    let (_directory, home, lines) = written();
    let audit = audit(&home, ROTATE_AT);
    let keys = audit.keys().unwrap().unwrap();
    let mut tag = [0; 32];
    let mut text = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let body = line.split_once("Z\",").unwrap().1.rsplit_once(",\"mac\"").unwrap().0;
        let time = if number == 3 { "2020-01-01T00:00:00.000000Z" } else { "2026-01-01T00:00:00.000000Z" };
        tag = record::chain(&mut text, &keys, &tag, number as u64 + 1, time, body.as_bytes());
    }
    fs::write(audit.file(), &text).unwrap();
    let mark = Mark { count: 6, tag };
    let head = head::Head { mark, first: 1, offset: text.len() as u64 };
    fs::write(home.data.join("audit/head"), head.sealed(&keys)).unwrap();
    let report = verified(&home);
    assert!(report.fault.is_none() && report.notes.len() == 1 && report.notes[0].contains("record 4"), "{report:?}");
}

#[test]
fn a_log_that_can_not_be_written_refuses_or_warns_as_the_settings_say() {
    let directory = tempfile::tempdir().unwrap();
    let home = home(&directory);
    fs::create_dir_all(&home.data).unwrap();
    fs::write(home.data.join("audit"), "in the way").unwrap();
    let asked = Asked::new("t", "get", "local", "x", None);
    let refusing = audit(&home, ROTATE_AT);
    assert!(refusing.begin([(&refusing.id().unwrap(), &asked)]).is_err());
    assert_eq!(refusing.trouble(), None);
    let warning = Audit::new(&home, Settings { on_failure: OnFailure::Warn, ..Settings::default() }, Who::default());
    warning.begin([(&warning.id().unwrap(), &asked)]).unwrap();
    assert!(warning.trouble().unwrap().contains("not on record"));
    assert_eq!(warning.trouble(), None);
    // A keyring that gives no key is asked once, and not for each record.
    fs::remove_file(home.data.join("audit")).unwrap();
    let marker = b"{\"schema_version\":1,\"kept_in\":\"counting\",\"key_id\":\"0123456789abcdef\"}";
    home::write(&home.sealing_key_file(), marker).unwrap();
    let asked_for = Arc::new(Counting::default());
    let home = Home { keyring: Some(asked_for.clone()), ..home };
    let warning = Audit::new(&home, Settings { on_failure: OnFailure::Warn, ..Settings::default() }, Who::default());
    for _ in 0..3 {
        warning.begin([(&warning.id().unwrap(), &asked)]).unwrap();
        assert_eq!(warning.value(b"x"), None);
    }
    assert_eq!(asked_for.0.load(Ordering::Relaxed), 1);
    let refusing = audit(&home, ROTATE_AT);
    let refused = refusing.begin([(&refusing.id().unwrap(), &asked)]).unwrap_err();
    assert_eq!(refused.kind(), Kind::Unauthenticated);
}

/// A keyring that is locked, and counts how often it is asked.
#[derive(Debug, Default)]
struct Counting(std::sync::atomic::AtomicU32);

impl keyring::Keyring for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }
    fn keep_new(&self, _: &crate::sealing::SealingKey) -> Result<bool, keyring::Trouble> {
        Ok(false)
    }
    fn keep(&self, _: &crate::sealing::SealingKey) -> Result<(), keyring::Trouble> {
        Ok(())
    }
    fn find(&self, _: &str) -> Result<crate::sealing::SealingKey, keyring::Trouble> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(keyring::Trouble::Locked)
    }
    fn forget(&self, _: &str) -> Result<(), keyring::Trouble> {
        Ok(())
    }
}
