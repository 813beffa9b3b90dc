//! Development files: secrets in one dotenv, JSON or YAML file that people edit too, changed without touching the rest.
//!
//! Whatever is written is read again before it reaches the disk: the new text must hold the new value, every other
//! value as it was, and nothing else. So a rule of a format that this code got wrong is an error and no lost secret.

mod dotenv;
mod edit;
mod json;
mod tree;
mod yaml;

use forge_sdk::{
    Attributes, Entry, Error, Page, PutOptions, Secret, SecretMetadata, SecretProvider, SecretRemoval, SecretVersion,
    SecretWriter, files, secret, settings,
};

/// The plugin: secrets in the granted file.
#[derive(Debug)]
pub struct TextFile;

forge_sdk::plugin! {
    manifest: "../plugin.toml",
    type: TextFile,
    abilities: [provider, metadata, writer, removal],
}

/// The name by which the host shows the one file that was granted: that of its setting.
const FILE: &str = "file";

/// The longest file, in bytes: what is made of it while it is read takes many times as much memory.
const LONGEST: usize = 4 << 20;

/// What a value can be.
#[derive(Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    /// Something that is no text, in words.
    Other(&'static str),
}

/// The names of a file with their values, in its order. A name stands there once.
type Entries = Vec<(String, Value)>;

/// How the file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Dotenv,
    Json,
    Yaml,
}

impl Format {
    /// What the setting says, or what the file's name ends in.
    fn of(setting: Option<&str>, file: &str) -> Result<Self, Error> {
        match setting {
            Some("dotenv") => return Ok(Self::Dotenv),
            Some("json") => return Ok(Self::Json),
            Some("yaml") => return Ok(Self::Yaml),
            None | Some("auto") => {}
            Some(_) => {
                return Err(Error::invalid_request("the setting `format` is `auto`, `dotenv`, `json` or `yaml`"));
            }
        }
        let name = file.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        match ending {
            "json" | "jsonc" => Ok(Self::Json),
            "yaml" | "yml" => Ok(Self::Yaml),
            // `.env`, `.env.local`, `production.env`
            _ if ending == "env" || name.starts_with(".env") => Ok(Self::Dotenv),
            _ => {
                Err(Error::invalid_request("the file's name doesn't tell its format; say it with the setting `format`"))
            }
        }
    }

    fn entries(self, text: &str) -> Result<Entries, Error> {
        match self {
            Self::Dotenv => dotenv::entries(text),
            Self::Json => json::parse(text)?.map_or(Ok(Entries::new()), |root| root.entries()),
            Self::Yaml => yaml::parse(text)?.map_or(Ok(Entries::new()), |root| root.entries()),
        }
    }

    fn set(self, text: &str, path: &str, value: &str) -> Result<String, Error> {
        match self {
            Self::Dotenv => dotenv::set(text, path, value),
            Self::Json => edit::set(text, json::parse(text)?.as_ref(), edit::Style::Flow, path, value),
            Self::Yaml => edit::set(text, yaml::parse(text)?.as_ref(), edit::Style::Block, path, value),
        }
    }

    fn remove(self, text: &str, path: &str) -> Result<String, Error> {
        match self {
            Self::Dotenv => dotenv::remove(text, path),
            Self::Json => edit::remove(text, json::parse(text)?.as_ref(), path),
            Self::Yaml => edit::remove(text, yaml::parse(text)?.as_ref(), path),
        }
    }
}

/// The file as it is now.
struct Loaded {
    format: Format,
    /// A byte order mark that the file begins with; it stays where it is.
    mark: &'static str,
    text: String,
}

impl Loaded {
    fn load() -> Result<Self, Error> {
        let format = Format::of(settings::get("format").as_deref(), &settings::required(FILE)?)?;
        let content = files::read(FILE)?.unwrap_or_default();
        if content.len() > LONGEST {
            return Err(Error::too_large(format!("a development file has at most {} MiB", LONGEST >> 20)));
        }
        let text = String::from_utf8(content).map_err(|_| Error::upstream("the file is not UTF-8"))?;
        Ok(match text.strip_prefix('\u{feff}') {
            Some(rest) => Self { format, mark: "\u{feff}", text: rest.to_owned() },
            None => Self { format, mark: "", text },
        })
    }

    fn entries(&self) -> Result<Entries, Error> {
        self.format.entries(&self.text)
    }

    /// Writes the new text, if it holds `value` at `path` and is otherwise what it was.
    fn replace(&self, before: Entries, new: &str, path: &str, value: Option<&str>) -> Result<(), Error> {
        let rest = |mut entries: Entries| {
            entries.retain(|(name, _)| name != path);
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            entries
        };
        let refuse = || {
            Error::unsupported("the file is written in a way in which this entry can't be changed; change it by hand")
        };
        let after = self.format.entries(new).map_err(|_| refuse())?;
        let found = after.iter().find(|(name, _)| name == path).map(|(_, value)| value.clone());
        if found != value.map(|value| Value::Text(value.to_owned())) || rest(after) != rest(before) {
            return Err(refuse());
        }
        if self.mark.len() + new.len() > LONGEST {
            return Err(Error::too_large(format!("a development file has at most {} MiB", LONGEST >> 20)));
        }
        files::write(FILE, format!("{}{new}", self.mark).as_bytes())
    }
}

/// The value at this path, as text.
fn text_of(entries: Entries, path: &str) -> Result<Option<String>, Error> {
    match entries.into_iter().find(|(name, _)| name == path) {
        None => Ok(None),
        Some((_, Value::Text(text))) => Ok(Some(text)),
        Some((_, Value::Other(what))) => Err(Error::unsupported(format!("what stands there is {what}, and no text"))),
    }
}

impl SecretProvider for TextFile {
    fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
        if version.is_some() {
            return Err(Error::unsupported("a development file has no versions"));
        }
        Ok(text_of(Loaded::load()?.entries()?, path)?.map(Secret::new))
    }

    /// Reads the file, which fails where it isn't what its format wants.
    fn check() -> Result<Attributes, Error> {
        Loaded::load()?.entries().map(|_| Attributes::new())
    }
}

impl SecretMetadata for TextFile {
    /// Whether there is such an entry; more is not known.
    fn describe(path: &str) -> Result<Option<Entry>, Error> {
        Ok(text_of(Loaded::load()?.entries()?, path)?.map(|_| Entry::new(path)))
    }

    /// The names of the entries that are text, in order.
    fn list(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let prefix = prefix.filter(|prefix| !prefix.is_empty());
        let mut names: Vec<String> = Loaded::load()?
            .entries()?
            .into_iter()
            .filter(|(_, value)| matches!(value, Value::Text(_)))
            .map(|(name, _)| name)
            .filter(|name| is_within(name, prefix) && cursor.is_none_or(|cursor| name.as_str() > cursor))
            .collect();
        names.sort_unstable();
        let limit = limit.max(1) as usize;
        let next = names.get(limit).and(names.get(limit - 1)).cloned();
        names.truncate(limit);
        Ok(Page { entries: names.into_iter().map(Entry::new).collect(), next })
    }
}

/// Whether the path is the prefix or below it, by whole segments.
fn is_within(path: &str, prefix: Option<&str>) -> bool {
    prefix.is_none_or(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

impl SecretWriter for TextFile {
    /// The host holds the lock for the whole call, so no other forge writes between the read and the write.
    fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
        options.only(&["expected-version"])?;
        // There are no versions to compare with; that there is no such entry yet can be told all the same.
        let is_new = match options.expected_version.as_deref() {
            None => false,
            Some("") => true,
            Some(_) => return Err(Error::unsupported("a development file has no versions")),
        };
        let refuse = || Error::invalid_request("a development file holds text, and the value is none");
        let value = std::str::from_utf8(value).map_err(|_| refuse())?;
        if value.contains('\0') {
            return Err(refuse());
        }
        let loaded = Loaded::load()?;
        let before = loaded.entries()?;
        if is_new && before.iter().any(|(name, _)| name == path) {
            return Err(Error::conflict("no entry was expected, and there is one"));
        }
        let new = loaded.format.set(&loaded.text, path, value)?;
        loaded.replace(before, &new, path, Some(value))?;
        Ok(SecretVersion::new("", true))
    }
}

impl SecretRemoval for TextFile {
    fn delete(path: &str, options: &Attributes) -> Result<bool, Error> {
        secret::no_attributes(options)?;
        let loaded = Loaded::load()?;
        let before = loaded.entries()?;
        if text_of(before.clone(), path)?.is_none() {
            return Ok(false);
        }
        let new = loaded.format.remove(&loaded.text, path)?;
        loaded.replace(before, &new, path, None)?;
        Ok(true)
    }

    fn recover(_path: &str) -> Result<(), Error> {
        Err(Error::unsupported("a development file keeps nothing of an entry that was deleted"))
    }

    fn purge(_path: &str) -> Result<bool, Error> {
        Err(Error::unsupported("a development file keeps nothing of a deleted entry: `delete` is all it takes"))
    }
}

/// How the lines of a text end: as its first one does.
fn line_end(text: &str) -> &'static str {
    match text.find('\n').and_then(|at| text.get(..at)) {
        Some(line) if line.ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// The line of this byte, counted from 1.
fn line_at(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests;
