//! A host for tests: what a plugin asks is answered from what the test prepared, and kept for it to look at.
//!
//! It exists on native targets only and belongs to the thread, as a test does. A plugin's functions are called as
//! they are; nothing of the component, the sandbox or the grant is involved.
//!
//! ```
//! use forge_sdk::{fake, http};
//!
//! fake::Host::new().answer("GET", "https://x.example/v1/a", 200, r#"{"name":"a"}"#).install();
//! let response = http::get("https://x.example/v1/a").send().unwrap();
//! assert_eq!(response.status(), 200);
//! assert_eq!(fake::requests().len(), 1);
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use crate::http::{Failure, Parts, Request, Response};
use crate::log::Level;
use crate::secret::{Attributes, Timestamp};

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::new());
}

type Answer = Result<Response, Failure>;

/// What the host has and answers; build it, then [`Host::install`] it.
#[derive(Debug, Default)]
pub struct Host {
    settings: BTreeMap<String, String>,
    variables: BTreeMap<String, Vec<u8>>,
    files: BTreeMap<String, (Vec<u8>, Timestamp)>,
    answers: BTreeMap<(String, String), VecDeque<Answer>>,
    now: Timestamp,
    random: u8,
    requests: Vec<Request>,
    lines: Vec<(Level, String)>,
}

impl Host {
    /// A host that has nothing, answers nothing, and whose clock stands at 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a setting its value.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets an environment variable whose name is granted.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Puts a file into the granted directory.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), (content.into(), self.now));
        self
    }

    /// Sets the clock, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// Prepares an answer. Several for the same method and URL are given in order, and the last one stays.
    #[must_use]
    pub fn answer(self, method: &str, url: &str, status: u16, body: impl AsRef<[u8]>) -> Self {
        self.answer_with(method, url, status, &[], body)
    }

    /// Prepares an answer with headers.
    #[must_use]
    pub fn answer_with(
        self,
        method: &str,
        url: &str,
        status: u16,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers: Attributes = headers.iter().map(owned).collect();
        self.prepared(method, url, Ok(Response::new(status, headers, body.as_ref().to_vec())))
    }

    /// Prepares a failure of the host itself.
    #[must_use]
    pub fn fail(self, method: &str, url: &str, failure: Failure) -> Self {
        self.prepared(method, url, Err(failure))
    }

    fn prepared(mut self, method: &str, url: &str, answer: Answer) -> Self {
        self.answers.entry((method.to_owned(), url.to_owned())).or_default().push_back(answer);
        self
    }

    /// Makes this the host of the thread, in place of the one before.
    pub fn install(self) {
        HOST.with_borrow_mut(|host| *host = self);
    }

    fn send(&mut self, parts: Parts) -> Answer {
        let place = (parts.method.clone(), parts.url.clone());
        self.requests.push(parts.into());
        let answers = self.answers.get_mut(&place);
        let answer =
            answers.and_then(|answers| if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() });
        // As the host does for a request that no route of the grant matches.
        answer.unwrap_or_else(|| Err(Failure::Denied(format!("no answer was prepared for `{} {}`", place.0, place.1))))
    }
}

/// The requests that were sent to this thread's host, in order.
#[must_use]
pub fn requests() -> Vec<Request> {
    HOST.with_borrow(|host| host.requests.clone())
}

/// The lines that were logged, in order.
#[must_use]
pub fn lines() -> Vec<(Level, String)> {
    HOST.with_borrow(|host| host.lines.clone())
}

/// The paths of the files in the granted directory, sorted.
#[must_use]
pub fn file_paths() -> Vec<String> {
    HOST.with_borrow(|host| host.files.keys().cloned().collect())
}

/// The content of a file in the granted directory.
#[must_use]
pub fn file(path: &str) -> Option<Vec<u8>> {
    HOST.with_borrow(|host| host.files.get(path).map(|(content, _)| content.clone()))
}

/// Moves the clock of this thread's host.
pub fn set_clock(now: Timestamp) {
    HOST.with_borrow_mut(|host| host.now = now);
}

/// The same functions that `import` has on wasm32.
pub(crate) mod call {
    use super::{Answer, HOST};
    use crate::error::Error;
    use crate::files::{File, FilePage};
    use crate::http::Parts;
    use crate::log::Level;
    use crate::secret::Timestamp;

    pub(crate) fn setting(name: &str) -> Option<String> {
        HOST.with_borrow(|host| host.settings.get(name).cloned())
    }

    pub(crate) fn write_log(level: Level, message: &str) {
        HOST.with_borrow_mut(|host| host.lines.push((level, message.to_owned())));
    }

    pub(crate) fn now() -> Timestamp {
        HOST.with_borrow(|host| host.now)
    }

    /// Not random: a test must be the same each time. No two bytes in a row are equal.
    pub(crate) fn random_bytes(length: u32) -> Vec<u8> {
        HOST.with_borrow_mut(|host| {
            let next = || {
                host.random = host.random.wrapping_mul(5).wrapping_add(3);
                host.random
            };
            std::iter::repeat_with(next).take(length as usize).collect()
        })
    }

    pub(crate) fn variable(name: &str) -> Option<Vec<u8>> {
        HOST.with_borrow(|host| host.variables.get(name).cloned())
    }

    pub(crate) fn variables() -> Vec<String> {
        HOST.with_borrow(|host| host.variables.keys().cloned().collect())
    }

    fn checked(path: &str) -> Result<(), Error> {
        let leaves = |segment: &str| segment.is_empty() || segment == "." || segment == "..";
        if path.split('/').any(leaves) || path.contains(['\0', '\\']) {
            return Err(Error::invalid_request("a file's path is relative and stays in the directory"));
        }
        Ok(())
    }

    pub(crate) fn read_file(path: &str) -> Result<Option<Vec<u8>>, Error> {
        checked(path)?;
        Ok(super::file(path))
    }

    pub(crate) fn write_file(path: &str, content: &[u8]) -> Result<(), Error> {
        checked(path)?;
        HOST.with_borrow_mut(|host| host.files.insert(path.to_owned(), (content.to_vec(), host.now)));
        Ok(())
    }

    pub(crate) fn remove_file(path: &str) -> Result<bool, Error> {
        checked(path)?;
        Ok(HOST.with_borrow_mut(|host| host.files.remove(path)).is_some())
    }

    pub(crate) fn list_files(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<FilePage, Error> {
        let limit = limit.max(1) as usize;
        let mut files: Vec<File> = HOST.with_borrow(|host| {
            let wanted = host.files.iter().filter(|(path, _)| path.starts_with(prefix) && !is_hidden(path, prefix));
            let after = wanted.filter(|(path, _)| cursor.is_none_or(|cursor| path.as_str() > cursor));
            let file = |(path, (content, modified_at)): (&String, &(Vec<u8>, Timestamp))| File {
                path: path.clone(),
                size: content.len() as u64,
                modified_at: *modified_at,
            };
            after.map(file).take(limit + 1).collect()
        });
        let more = files.len() > limit;
        files.truncate(limit);
        let next = if more { files.last().map(|file| file.path.clone()) } else { None };
        Ok(FilePage { files, next })
    }

    /// Whether a folder whose name begins with a dot lies between the prefix and the file.
    fn is_hidden(path: &str, prefix: &str) -> bool {
        let folders = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        folders
            .filter(|folder| !prefix.starts_with(folder))
            .any(|folder| folder.rsplit('/').next().is_some_and(|name| name.starts_with('.')))
    }

    pub(crate) fn send(request: Parts) -> Answer {
        HOST.with_borrow_mut(|host| host.send(request))
    }

    pub(crate) fn send_all(requests: Vec<Parts>) -> Vec<Answer> {
        requests.into_iter().map(send).collect()
    }
}
