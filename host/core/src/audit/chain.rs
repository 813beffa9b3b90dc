//! Writing: every line goes behind the last one of the chain, whichever of many processes wrote that.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use sha2::Digest as _;

use super::Settings;
use super::folder::{Folder, Lock};
use super::head::{Found, Head, LENGTH, Mark};
use super::key::Keys;
use super::record::{self, Body, LONGEST_LINE, Line};
use crate::home::{self, Error};
use crate::sealing::hex;

/// The most bytes behind the head that are looked at: what one write left there whose process died before the head's.
const MOST_AHEAD: u64 = 64 << 20;

/// The most bytes of a line's remains that are kept aside.
const MOST_KEPT: usize = 64 << 10;

/// Writes the log; what one process needs again and again stays open.
#[derive(Debug)]
pub(super) struct Writer {
    folder: Folder,
    keys: Keys,
    lock: File,
    head: File,
    /// The bytes of the head that this process wrote last, and what they mean.
    known: Option<([u8; LENGTH], Head)>,
    /// The file that is written to, by the sequence of its first record.
    log: Option<(u64, File)>,
}

/// What has to be written before the records that are asked for.
#[derive(Debug, Default)]
struct Before {
    /// A line that somebody else began needs an end of its own.
    newline: bool,
    /// Why the chain begins anew.
    anew: Option<&'static str>,
    torn: Option<Body>,
}

impl Writer {
    pub(super) fn open(folder: &Folder, keys: Keys) -> Result<Self, Error> {
        folder.make()?;
        let (lock, head) = (folder.lock_file()?, Folder::open(&folder.head(), false)?);
        Ok(Self { folder: folder.clone(), keys, lock, head, known: None, log: None })
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Appends records in one write, behind whatever is the end of the chain now.
    pub(super) fn append(&mut self, bodies: &[Body], settings: &Settings) -> Result<(), Error> {
        let folder = self.folder.clone();
        let is_gone = |file: &File| file.metadata().map_or(true, |metadata| metadata.nlink() == 0);
        if is_gone(&self.lock) || is_gone(&self.head) {
            // Somebody removed the folder, or the head: what is held open is nobody else's any more.
            folder.make()?;
            (self.lock, self.head) = (folder.lock_file()?, Folder::open(&folder.head(), false)?);
        }
        // The lock is taken over a handle of its own, so that the rest of the writer can be changed under it.
        let lock =
            self.lock.try_clone().map_err(|error| Folder::error("lock the audit log in", folder.path(), error))?;
        let _held: Lock<'_> = folder.lock(&lock, false)?;
        let mut before = Before::default();
        let mut head = self.end(&mut before)?;
        let length: usize = bodies.iter().map(|body| body.len() + 256).sum();
        let mut log = self.current(&mut head, &mut before, settings, length as u64)?;
        let path = folder.current();
        let refuse = |error: std::io::Error| Folder::error("write the audit log", &path, error);

        let time = format!("{:.6}", jiff::Timestamp::now());
        let mut lines = Vec::with_capacity(length + 512);
        if before.newline {
            lines.push(b'\n');
        }
        let is_new = head.first == 0;
        let mut mark = head.mark;
        let mut add = |body: &[u8]| {
            let sequence = mark.count + 1;
            mark =
                Mark { count: sequence, tag: record::chain(&mut lines, &self.keys, &mark.tag, sequence, &time, body) };
        };
        if is_new {
            add(&record::file(self.keys.id(), &head.mark.tag, before.anew));
        }
        before.torn.iter().for_each(|body| add(body));
        bodies.iter().for_each(|body| add(body));
        log.write_all(&lines).map_err(refuse)?;
        if settings.sync {
            log.sync_data().map_err(refuse)?;
        }
        let first = if is_new { head.mark.count + 1 } else { head.first };
        let head = Head { mark, first, offset: head.offset + lines.len() as u64 };
        self.log = Some((first, log));
        self.seal(head, settings, is_new)
    }

    /// Where the chain ends, by its head, or by what can be known without one.
    fn end(&mut self, before: &mut Before) -> Result<Head, Error> {
        let path = self.folder.head();
        let mut bytes = [0; LENGTH + 1];
        let read = self.head.read_at(&mut bytes, 0).map_err(|error| Folder::error("read", &path, error))?;
        let bytes = bytes.get(..read).unwrap_or_default();
        if let Some((known, head)) = &self.known
            && known.as_slice() == bytes
        {
            return Ok(*head);
        }
        let (why, claimed) = match Head::open(bytes, &self.keys) {
            Found::Head(head) => return Ok(head),
            Found::Absent if self.folder.files()?.is_empty() => {
                // The head is there before the log: a head that is gone then means that somebody took it away.
                self.head
                    .write_all_at(&Head::EMPTY.sealed(&self.keys), 0)
                    .map_err(|error| Folder::error("write", &path, error))?;
                return Ok(Head::EMPTY);
            }
            Found::Absent => ("its head was gone", 0),
            Found::Broken => ("its head was changed", 0),
            Found::OtherKey { count, .. } => ("its head was of another key", count),
        };
        // Nobody can say any more where the chain ended, so it begins anew in a file that says so for good.
        before.anew = Some(why);
        let count = self.claimed()?.max(claimed).min(u64::MAX >> 1);
        self.put_away(0)?;
        Ok(Head { mark: Mark { count, tag: [0; 32] }, ..Head::EMPTY })
    }

    /// The highest sequence that the log claims to have, which decides nothing but that no number stands there twice.
    fn claimed(&self) -> Result<u64, Error> {
        let mut claimed = 0;
        for (first, path) in self.folder.files()?.all() {
            claimed = claimed.max(first.unwrap_or_default());
            let Ok(Some(mut file)) = home::open_private(&path) else { continue };
            let mut ending = Vec::new();
            let from = file.metadata().map_or(0, |metadata| metadata.len()).saturating_sub(2 * LONGEST_LINE as u64);
            let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.take(MOST_AHEAD).read_to_end(&mut ending));
            read.map_err(|error| Folder::error("read", &path, error))?;
            let sequences = ending.split(|byte| *byte == b'\n').filter_map(|line| Some(Line::of(line)?.link.sequence));
            claimed = claimed.max(sequences.max().unwrap_or_default());
        }
        Ok(claimed)
    }

    /// Gives the file that is written to the name that it keeps; `false` where that name is taken.
    fn put_away(&mut self, first: u64) -> Result<bool, Error> {
        let path = self.folder.current();
        self.log = None;
        if path.symlink_metadata().is_err() {
            return Ok(true);
        }
        let mut first = first;
        if first == 0 {
            // Without a head its first line says its name, and the next free one is as good.
            let mut line = Vec::new();
            let file = home::open_private(&path)?;
            let read = file.map_or(Ok(0), |file| file.take(LONGEST_LINE as u64).read_to_end(&mut line));
            read.map_err(|error| Folder::error("read", &path, error))?;
            let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
            first = Line::of(line).map_or(1, |line| line.link.sequence);
            while self.folder.rotated(first).symlink_metadata().is_ok() {
                first += 1;
            }
        }
        let to = self.folder.rotated(first);
        if to.symlink_metadata().is_ok() {
            return Ok(false);
        }
        std::fs::rename(&path, &to).map_err(|error| Folder::error("rename", &path, error))?;
        Ok(true)
    }

    /// The file that the next line goes to, opened, with the head where its end is.
    fn current(&mut self, head: &mut Head, before: &mut Before, settings: &Settings, more: u64) -> Result<File, Error> {
        let path = self.folder.current();
        let refuse = |error: std::io::Error| Folder::error("write the audit log", &path, error);
        // Another process may have rotated it meanwhile: what counts is the file of this name.
        let is_current = |log: &File| {
            let (ours, named) = (log.metadata().ok(), path.symlink_metadata().ok());
            let inode = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
            ours.map(inode).is_some_and(|ours| named.map(inode) == Some(ours))
        };
        let (log, is_known) = match self.log.take() {
            Some((first, log)) if first == head.first && is_current(&log) => (log, true),
            _ => (Folder::open(&path, true)?, false),
        };
        let length = log.metadata().map_err(refuse)?.len();
        if length == 0 {
            // A new file: the first of all, or one whose predecessor was rotated away; or else it was removed.
            if head.first > 0 && self.folder.rotated(head.first).symlink_metadata().is_err() {
                before.anew = Some("the file before it was removed");
            }
            (head.first, head.offset) = (0, 0);
            return Ok(log);
        }
        if head.first == 0 || !is_known && self.folder.rotated(head.first).symlink_metadata().is_ok() {
            // Begun by a process that died before it wrote the head.
            (head.first, head.offset) = (head.mark.count + 1, 0);
        }
        if length != head.offset {
            self.follow(&log, length, head, before)?;
        }
        if head.offset + more > settings.rotate_at && self.put_away(head.first)? {
            (head.first, head.offset) = (0, 0);
            before.newline = false;
            return Folder::open(&path, true);
        }
        Ok(log)
    }

    /// Looks at a file whose length is not the head's: a process died before it wrote the head, or somebody was at it.
    fn follow(&self, log: &File, length: u64, head: &mut Head, before: &mut Before) -> Result<(), Error> {
        let path = self.folder.current();
        let refuse = |error: std::io::Error| Folder::error("write the audit log", &path, error);
        let mut last = [b'\n'];
        if length < head.offset || length - head.offset > MOST_AHEAD {
            // Cut, or more than any write leaves. It stays as it is, and the chain goes on from its head: the gap shows.
            log.read_exact_at(&mut last, length - 1).map_err(refuse)?;
            before.newline = last != [b'\n'];
            head.offset = length;
            return Ok(());
        }
        let mut ahead = vec![0; usize::try_from(length - head.offset).unwrap_or_default()];
        log.read_exact_at(&mut ahead, head.offset).map_err(refuse)?;
        let mut rest = ahead.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = rest.split_at(end);
            let Some(line) = Line::of(line) else { break };
            let is_next = line.link.sequence == head.mark.count + 1;
            if !is_next || !self.keys.is_chained(&head.mark.tag, line.text, &line.tag) {
                break;
            }
            head.mark = Mark { count: line.link.sequence, tag: line.tag };
            head.offset += end as u64 + 1;
            rest = behind.get(1..).unwrap_or_default();
        }
        if rest.is_empty() {
            return Ok(());
        }
        if rest.contains(&b'\n') {
            // Whole lines that nobody with the key wrote: they stay, for `verify` to find.
            before.newline = rest.last() != Some(&b'\n');
            head.offset = length;
            return Ok(());
        }
        // A line without an end is what a crash or a full disk leaves. It is kept, and the log is whole again.
        let name = self.folder.remains(head.mark.count + 1);
        let kept = rest.get(..MOST_KEPT).unwrap_or(rest);
        home::write(&self.folder.path().join(&name), kept)?;
        log.set_len(head.offset).map_err(refuse)?;
        before.torn = Some(record::torn(rest.len() as u64, &name, &hex(&sha2::Sha256::digest(kept))));
        Ok(())
    }

    /// Writes the head: after the log, so that it never claims a record that is not there.
    fn seal(&mut self, head: Head, settings: &Settings, is_new: bool) -> Result<(), Error> {
        let path = self.folder.head();
        let refuse = |error: std::io::Error| Folder::error("write", &path, error);
        let bytes = head.sealed(&self.keys);
        self.known = None;
        self.head.write_all_at(&bytes, 0).map_err(refuse)?;
        if settings.sync {
            self.head.sync_data().map_err(refuse)?;
            if is_new {
                File::open(self.folder.path()).and_then(|folder| folder.sync_all()).map_err(refuse)?;
            }
        }
        self.known = Some((bytes, head));
        Ok(())
    }
}
