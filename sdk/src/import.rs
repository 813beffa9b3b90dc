//! The imported side on wasm32: the host's functions, called with the SDK's own types.

use crate::bindings::imports::forge::plugin::{clock, environment, files, http, log, random, settings};
use crate::error::Error;
use crate::files::{File, FilePage};
use crate::http::{Failure, Parts, Response};
use crate::log::Level;
use crate::secret::Timestamp;

pub(crate) fn setting(name: &str) -> Option<String> {
    settings::get(name)
}

pub(crate) fn write_log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
    };
    log::write(level, message);
}

pub(crate) fn now() -> Timestamp {
    clock::now()
}

pub(crate) fn random_bytes(length: u32) -> Vec<u8> {
    random::bytes(length)
}

pub(crate) fn variable(name: &str) -> Option<Vec<u8>> {
    environment::get(name)
}

pub(crate) fn variables() -> Vec<String> {
    environment::names()
}

pub(crate) fn read_file(path: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(files::read(path)?)
}

pub(crate) fn write_file(path: &str, content: &[u8]) -> Result<(), Error> {
    Ok(files::write(path, content)?)
}

pub(crate) fn remove_file(path: &str) -> Result<bool, Error> {
    Ok(files::remove(path)?)
}

pub(crate) fn list_files(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<FilePage, Error> {
    let (entries, next) = files::list(prefix, cursor, limit)?;
    let own = |entry: files::Entry| File { path: entry.path, size: entry.size, modified_at: entry.modified_at };
    Ok(FilePage { files: entries.into_iter().map(own).collect(), next })
}

pub(crate) fn send(request: Parts) -> Result<Response, Failure> {
    answered(http::send(&generated(request)))
}

pub(crate) fn send_all(requests: Vec<Parts>) -> Vec<Result<Response, Failure>> {
    let requests: Vec<http::Request> = requests.into_iter().map(generated).collect();
    http::send_all(&requests).into_iter().map(answered).collect()
}

fn generated(request: Parts) -> http::Request {
    http::Request { method: request.method, url: request.url, headers: request.headers, body: request.body }
}

fn answered(answer: Result<http::Response, http::Failure>) -> Result<Response, Failure> {
    match answer {
        Ok(response) => Ok(Response::new(response.status, response.headers, response.body)),
        Err(http::Failure::Denied(reason)) => Err(Failure::Denied(reason)),
        Err(http::Failure::Credential(reason)) => Err(Failure::Credential(reason)),
        Err(http::Failure::CredentialReflected) => Err(Failure::CredentialReflected),
        Err(http::Failure::Unreachable(reason)) => Err(Failure::Unreachable(reason)),
        Err(http::Failure::Timeout) => Err(Failure::Timeout),
        Err(http::Failure::TooLarge) => Err(Failure::TooLarge),
        Err(http::Failure::Budget) => Err(Failure::Budget),
    }
}
