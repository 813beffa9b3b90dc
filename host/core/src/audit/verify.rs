//! Verifying: the whole chain is followed, and the first thing that does not fit is named by file, line and sequence.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use super::folder::Folder;
use super::head::{Found, Head, Mark};
use super::key::{Keys, tag};
use super::record::{LONGEST_LINE, Line, Link};
use crate::home::{self, Error};
use crate::sealing::hex;

/// The most operations without an outcome that are counted: more are no accident of a process that was killed.
const MOST_OPEN: usize = 1 << 20;

/// The most notes: after so many, more of them say nothing new.
const MOST_NOTES: usize = 20;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many files were followed.
    pub files: u64,
    /// How many records are in an unbroken chain.
    pub records: u64,
    /// The sequence of the first of them; 1 where nothing was taken away.
    pub first: u64,
    /// The end of the chain, to be kept elsewhere; `None` where there is no record, or the chain is broken.
    pub head: Option<Mark>,
    /// How many operations have a beginning and no outcome: they run still, or their process was killed.
    pub unfinished: u64,
    /// What is worth knowing and breaks nothing.
    pub notes: Vec<String>,
    /// The first thing that does not fit.
    pub fault: Option<Break>,
}

/// Where the chain breaks, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1 on; 0 where the file as a whole is meant.
    pub line: u64,
    /// The sequence of the record that should be there.
    pub sequence: u64,
    /// What is the matter.
    pub fault: Fault,
}

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A byte of the record is another one.
    #[error("the record was changed")]
    Changed,
    /// Records are missing, up to this one.
    #[error("records up to {0} were removed")]
    Removed(u64),
    /// Two records stand in each other's place.
    #[error("records were swapped: {0} stands here")]
    Swapped(u64),
    /// A line that forge did not write here.
    #[error("a line was put in, or appended, that forge did not write here")]
    Inserted,
    /// The log ends before the head does.
    #[error("the log was cut: it ends with record {last}, and the head says {head}")]
    Cut {
        /// The last record that is there.
        last: u64,
        /// The last record that was there.
        head: u64,
    },
    /// A record of the head's number has another MAC.
    #[error("the log is another one than that of the head: both have a record {0}, and they differ")]
    Other(u64),
    /// The chain was begun anew, because its head or its file was not there.
    #[error("the chain begins anew here, because {0}: records may be missing")]
    Anew(String),
    /// The head is not there.
    #[error("the head is gone, so nobody can say how many records there were")]
    HeadGone,
    /// The head was edited.
    #[error("the head was changed, so nobody can say how many records there were")]
    HeadChanged,
    /// Written with another key.
    #[error("it was written with the key `{found}`, and yours is `{expected}`")]
    OtherKey {
        /// The key that the file names.
        found: String,
        /// The key at hand.
        expected: String,
    },
    /// Old files are missing, and all were to be there.
    #[error("the records before {0} are in no file here")]
    Missing(u64),
    /// The remains that a record tells of are other ones.
    #[error("the remains in `{0}` are not those that were put there")]
    Remains(String),
}

/// What verifying is told beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    /// A head that was kept elsewhere.
    pub head: Option<Mark>,
    /// Whether all files have to be there, the oldest as well.
    pub all: bool,
}

/// A chain that is being followed.
struct Follower<'a> {
    keys: &'a Keys,
    folder: &'a Folder,
    expected: Expected,
    /// The sealed head, where it can be used.
    sealed: Option<Mark>,
    /// The last record that fits; `None` before the first.
    at: Option<Mark>,
    /// The last line that was read.
    place: (PathBuf, u64),
    time: String,
    open: HashMap<String, i64>,
    report: Report,
}

/// Follows the log that is there now.
pub(super) fn verify(folder: &Folder, keys: &Keys, expected: Expected) -> Result<Report, Error> {
    let (found, files, last) = seen(folder, keys)?;
    if let Found::OtherKey { key, .. } = &found {
        let fault = Fault::OtherKey { found: key.clone(), expected: keys.id().to_owned() };
        return Ok(Report { fault: Some(whole(&folder.head(), 0, fault)), ..Report::default() });
    }
    let sealed = if let Found::Head(head) = &found { Some(head.mark) } else { None };
    let mut follower = Follower {
        keys,
        folder,
        expected,
        sealed,
        at: None,
        place: (folder.current(), 0),
        time: String::new(),
        open: HashMap::new(),
        report: Report::default(),
    };
    let mut fault = None;
    for (name, path) in files {
        let opened = match &last {
            Some((current, length)) if name.is_none() => (current.try_clone().ok(), *length),
            _ => (home::open_private(&path)?, u64::MAX),
        };
        let (Some(file), length) = opened else { continue };
        fault = follower.file(&path, name, BufReader::new(file.take(length)))?;
        if fault.is_some() {
            break;
        }
    }
    let mut fault = fault.or_else(|| follower.ending());
    fault = fault.or_else(|| match found {
        Found::Broken => Some(whole(&folder.head(), 0, Fault::HeadChanged)),
        Found::Absent if follower.at.is_some() => Some(whole(&folder.head(), 0, Fault::HeadGone)),
        _ => None,
    });
    let unfinished = follower.open.values().filter(|open| **open > 0).sum::<i64>();
    // The end of a chain that is broken is none that anybody should keep.
    let head = follower.at.filter(|_| fault.is_none());
    let report = Report { fault, unfinished: unfinished.unsigned_abs(), head, ..follower.report };
    Ok(report)
}

/// The head and the files of one moment, between two writes.
type Seen = (Found, Vec<(Option<u64>, PathBuf)>, Option<(File, u64)>);

fn seen(folder: &Folder, keys: &Keys) -> Result<Seen, Error> {
    // Without its folder there is no log, and looking at it makes none.
    if !folder.path().exists() {
        return Ok((Found::Absent, Vec::new(), None));
    }
    let lock = folder.lock_file()?;
    let _held = folder.lock(&lock, true)?;
    let head = home::read_private(&folder.head(), super::head::LENGTH as u64 + 1)?.unwrap_or_default();
    let files = folder.files()?.all();
    // This one alone is still written to, and may be rotated away while it is read.
    let current = home::open_private(&folder.current())?;
    let current = current.and_then(|file| file.metadata().ok().map(|metadata| (file, metadata.len())));
    Ok((Head::open(&head, keys), files, current))
}

/// A fault of a whole file.
fn whole(file: &Path, sequence: u64, fault: Fault) -> Break {
    Break { file: file.to_owned(), line: 0, sequence, fault }
}

impl Follower<'_> {
    fn note(&mut self, note: String) {
        if self.report.notes.len() < MOST_NOTES {
            self.report.notes.push(note);
        }
    }

    /// Follows one file; answers where it breaks.
    fn file(&mut self, path: &Path, name: Option<u64>, mut reader: impl BufRead) -> Result<Option<Break>, Error> {
        self.report.files += 1;
        let (mut number, mut next) = (0, line(&mut reader, path)?);
        while let Some(bytes) = next.take() {
            number += 1;
            next = line(&mut reader, path)?;
            let sequence = self.at.map_or(name.unwrap_or(1), |mark| mark.count + 1);
            let at = |fault| Some(Break { file: path.to_owned(), line: number, sequence, fault });
            let Some(text) = bytes.strip_suffix(b"\n") else {
                if next.is_none() && name.is_none() && self.sealed.is_none_or(|sealed| sealed.count < sequence) {
                    let length = bytes.len();
                    self.note(format!(
                        "`{}`, line {number}: {length} bytes of a record that was not finished; the next write keeps them aside",
                        path.display()
                    ));
                    return Ok(None);
                }
                let is_whole = bytes.split_last().is_some_and(|(_, record)| Line::of(record).is_some());
                return Ok(match self.sealed {
                    Some(sealed) if !is_whole && next.is_none() && name.is_none() => {
                        at(Fault::Cut { last: sequence - 1, head: sealed.count })
                    }
                    _ => at(self.diagnosis(None, next.as_deref())),
                });
            };
            let parsed = Line::of(text);
            let Some(line) = &parsed else { return Ok(at(self.diagnosis(None, next.as_deref()))) };
            let begins = number == 1;
            let fits = if begins { self.begins(line, name) } else { self.fits(line, self.at) };
            match fits {
                Ok(()) => {}
                Err(Some(fault)) => return Ok(at(fault)),
                Err(None) => return Ok(at(self.diagnosis(Some(&line.link), next.as_deref()))),
            }
            if let Some(fault) = self.take(line) {
                return Ok(at(fault));
            }
            self.place = (path.to_owned(), number);
        }
        Ok(None)
    }

    /// Whether a record is the next of the chain.
    fn fits(&self, line: &Line<'_>, at: Option<Mark>) -> Result<(), Option<Fault>> {
        let Mark { count, tag } = at.unwrap_or(Head::EMPTY.mark);
        let is_next = line.link.sequence == count + 1 && self.keys.is_chained(&tag, line.text, &line.tag);
        if is_next { Ok(()) } else { Err(None) }
    }

    /// Whether a record begins a file as it must: with its key, and what it goes on from.
    fn begins(&mut self, line: &Line<'_>, name: Option<u64>) -> Result<(), Option<Fault>> {
        let Link { sequence, event, key, previous, anew, .. } = &line.link;
        let (true, Some(previous)) = (event == "file", tag(previous.as_bytes())) else { return Err(None) };
        if key != self.keys.id() {
            let found = crate::manifest::printable(key);
            return Err(Some(Fault::OtherKey { found, expected: self.keys.id().to_owned() }));
        }
        let before = Mark { count: sequence.saturating_sub(1), tag: previous };
        self.fits(line, Some(before))?;
        if name.is_some_and(|name| name != *sequence) {
            return Err(Some(Fault::Swapped(*sequence)));
        }
        if let Some(why) = anew {
            return Err(Some(Fault::Anew(crate::manifest::printable(why))));
        }
        match self.at {
            Some(at) if at == before => Ok(()),
            Some(at) if at.count < before.count => Err(Some(Fault::Removed(before.count))),
            Some(_) => Err(Some(Fault::Swapped(*sequence))),
            None if *sequence == 1 => Ok(()),
            None if self.expected.all => Err(Some(Fault::Missing(*sequence))),
            None => {
                self.note(format!(
                    "the records before {sequence} are in no file here: the chain holds from there on (an older file was archived, or removed)"
                ));
                self.passes(before).map_or(Ok(()), |fault| Err(Some(fault)))
            }
        }
    }

    /// Takes a record that fits as the new end.
    fn take(&mut self, line: &Line<'_>) -> Option<Fault> {
        let Link { sequence, time, id, event, kept, sha256, .. } = &line.link;
        if *time < self.time {
            let before = std::mem::take(&mut self.time);
            self.note(format!("the clock was set back before record {sequence}, from {before} to {time}"));
        }
        self.time.clone_from(time);
        if self.report.records == 0 {
            self.report.first = *sequence;
        }
        self.report.records += 1;
        let mark = Mark { count: *sequence, tag: line.tag };
        self.at = Some(mark);
        match event.as_str() {
            "begin" if self.open.len() < MOST_OPEN => *self.open.entry(id.clone()).or_default() += 1,
            "operation" | "change" => {
                if let Some(open) = self.open.get_mut(id) {
                    *open -= 1;
                    if *open <= 0 {
                        self.open.remove(id);
                    }
                }
            }
            "torn" => return self.torn(*sequence, kept, sha256),
            _ => {}
        }
        self.passes(mark)
    }

    /// Whether the heads that say something of this record say the same.
    fn passes(&self, mark: Mark) -> Option<Fault> {
        let heads = [self.sealed, self.expected.head];
        let other = heads.into_iter().flatten().find(|head| head.count == mark.count && *head != mark);
        other.map(|head| Fault::Other(head.count))
    }

    /// Looks at the remains of a line that its writer could not finish.
    fn torn(&mut self, sequence: u64, kept: &str, sha256: &str) -> Option<Fault> {
        // The record is genuine, so it names a file of this folder.
        let path = self.folder.path().join(kept);
        match home::read_private(&path, LONGEST_LINE as u64) {
            Ok(Some(bytes)) if hex(&sha2::Sha256::digest(&bytes)) != sha256 => Some(Fault::Remains(kept.to_owned())),
            found => {
                let gone = if matches!(found, Ok(Some(_))) { "" } else { ", which is not there any more" };
                self.note(format!(
                    "record {sequence} tells of a line that a crash or a full disk cut; its remains are in `{kept}`{gone}"
                ));
                None
            }
        }
    }

    /// What became of the record that should stand here, by what stands here and behind it.
    fn diagnosis(&self, here: Option<&Link>, behind: Option<&[u8]>) -> Fault {
        let sequence = self.at.map_or(1, |mark| mark.count + 1);
        let is_beyond = self.sealed.is_some_and(|sealed| sealed.count < sequence);
        let behind = behind.and_then(|line| Line::of(line.strip_suffix(b"\n").unwrap_or(line)));
        let behind = behind.map(|line| line.link.sequence);
        match (here.map(|link| link.sequence), behind) {
            // A genuine record of this sequence comes yet, so this line is none of them.
            (None, Some(behind)) if behind == sequence => Fault::Inserted,
            (Some(here), Some(behind)) if behind == sequence => {
                if here == sequence + 1 {
                    Fault::Swapped(here)
                } else {
                    Fault::Inserted
                }
            }
            (_, None) if is_beyond => Fault::Inserted,
            (Some(here), Some(behind)) if here > sequence && behind == here + 1 => Fault::Removed(here - 1),
            (Some(here), None) if here > sequence => Fault::Removed(here - 1),
            (Some(here), Some(behind)) if here != sequence && behind != sequence + 1 => {
                if here > sequence {
                    Fault::Removed(here - 1)
                } else {
                    Fault::Inserted
                }
            }
            (Some(here), None) if here < sequence => Fault::Inserted,
            _ => Fault::Changed,
        }
    }

    /// What the end of the log says: it must be where the heads say.
    fn ending(&mut self) -> Option<Break> {
        let last = self.at.map_or(0, |mark| mark.count);
        let furthest = [self.sealed, self.expected.head].into_iter().flatten().map(|head| head.count).max();
        if let Some(head) = furthest.filter(|head| *head > last) {
            let (file, line) = self.place.clone();
            return Some(Break { file, line: line + 1, sequence: last + 1, fault: Fault::Cut { last, head } });
        }
        if let Some(sealed) = self.sealed.filter(|sealed| sealed.count < last) {
            let ahead = last - sealed.count;
            self.note(format!(
                "the head is {ahead} records behind: a process ended between the two, and the next write mends it"
            ));
        }
        if let Some(head) = self.expected.head.filter(|head| head.count + 1 < self.report.first) {
            self.note(format!(
                "record {} of the head that was given is in no file here, so it was not compared",
                head.count
            ));
        }
        None
    }
}

/// A line with its end, or what there is of the last one; `None` at the end of the file.
fn line(reader: &mut impl BufRead, path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let mut line = Vec::new();
    let read = reader.take(LONGEST_LINE as u64).read_until(b'\n', &mut line);
    read.map_err(|error| Folder::error("read", path, error))?;
    Ok((!line.is_empty()).then_some(line))
}
