//! The plugin store: components by digest, and the names that they are installed under.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use forge_core::home::{self, Home};
use serde::{Deserialize, Serialize};

use crate::component::{self, Component};
use crate::error::{Error, LONGEST_COMPONENT};

/// A component that the program itself carries.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// The plugin's id.
    pub id: &'static str,
    /// The component.
    pub bytes: &'static [u8],
    /// Its SHA-256 in lower-case hexadecimal, from when the program was built: whoever changes the program's bytes
    /// could change this as well, so hashing them at each start would show nothing.
    pub digest: &'static str,
}

/// What was installed under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installed {
    /// The format of this record.
    pub schema_version: u32,
    /// SHA-256 of the component in hexadecimal.
    pub digest: String,
    /// The manifest's id.
    pub id: String,
    /// Where it came from, as a person typed it.
    pub source: String,
    /// When, in milliseconds since the Unix epoch.
    pub installed_at: u64,
}

/// A plugin with its bytes.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it is.
    pub component: Component,
    /// The bytes that have this digest.
    pub bytes: std::borrow::Cow<'static, [u8]>,
    /// Whether the program carries it.
    pub is_builtin: bool,
}

/// Components on disk, and those in the program.
#[derive(Debug)]
pub struct Plugins {
    directory: PathBuf,
    builtins: &'static [Builtin],
}

impl Plugins {
    /// The plugins of one user.
    pub fn new(home: &Home, builtins: &'static [Builtin]) -> Self {
        Self { directory: home.data.join("plugins"), builtins }
    }

    fn record_file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }

    fn component_file(&self, digest: &str) -> PathBuf {
        self.directory.join("sha256").join(format!("{digest}.wasm"))
    }

    /// The ids of the built-in plugins.
    pub fn builtins(&self) -> impl Iterator<Item = &'static str> {
        self.builtins.iter().map(|builtin| builtin.id)
    }

    /// The built-in plugin of this id.
    fn builtin(&self, name: &str) -> Option<&'static Builtin> {
        self.builtins.iter().find(|builtin| builtin.id == name)
    }

    /// Finds a plugin by name, and hashes its bytes anew.
    ///
    /// # Errors
    /// There is none, or its bytes are not what was installed.
    pub fn find(&self, name: &str) -> Result<Found, Error> {
        if let Some(builtin) = self.builtin(name) {
            let component = component::read(builtin.bytes, builtin.digest.to_owned())?;
            return Ok(Found { component, bytes: builtin.bytes.into(), is_builtin: true });
        }
        let installed = self.record(name)?.ok_or_else(|| Error::Unknown(name.to_owned()))?;
        let bytes = home::read_private(&self.component_file(&installed.digest), LONGEST_COMPONENT)?
            .ok_or_else(|| Error::Record(name.to_owned()))?;
        let found = component::digest(&bytes);
        if found != installed.digest {
            return Err(Error::Digest { digest: installed.digest, found });
        }
        Ok(Found { component: component::read(&bytes, found)?, bytes: bytes.into(), is_builtin: false })
    }

    /// What is recorded under a name; `None` for a name that nothing is installed under.
    ///
    /// # Errors
    /// The record can't be read.
    pub fn record(&self, name: &str) -> Result<Option<Installed>, Error> {
        if !forge_core::reference::is_name(name) {
            return Ok(None);
        }
        let Some(text) = home::read_private(&self.record_file(name), 64 << 10)? else { return Ok(None) };
        let record: Installed = serde_json::from_slice(&text).map_err(|_| Error::Record(name.to_owned()))?;
        // The digest becomes part of a path.
        if record.digest.len() != 64 || !record.digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::Record(name.to_owned()));
        }
        Ok(Some(record))
    }

    /// Everything that was installed, by name; built-in plugins are not among them.
    ///
    /// # Errors
    /// The directory or a record can't be read.
    pub fn installed(&self) -> Result<BTreeMap<String, Installed>, Error> {
        let mut installed = BTreeMap::new();
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(installed),
            Err(error) => {
                let why = error.to_string();
                return Err(home::Error { what: "list", path: self.directory.clone(), why }.into());
            }
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            if let Some(record) = self.record(name)? {
                installed.insert(name.to_owned(), record);
            }
        }
        Ok(installed)
    }

    /// Whether a component of this digest can be installed under a name.
    ///
    /// # Errors
    /// The name is none, a built-in's, or taken by another digest.
    pub fn check_free(&self, name: &str, digest: &str) -> Result<(), Error> {
        let taken = |what: String| Err(Error::Taken(what));
        if !forge_core::reference::is_name(name) {
            return taken("a plugin's name has lower-case letters, digits, `-` and `_`".to_owned());
        }
        if self.builtin(name).is_some() {
            return taken(format!(
                "`{name}` is a built-in plugin; install this one under another name with `--as NAME`"
            ));
        }
        if let Some(other) = self.record(name)?
            && other.digest != digest
        {
            return taken(format!(
                "`{name}` is taken by another plugin ({}); remove it, or use `--as NAME`",
                short(&other.digest)
            ));
        }
        Ok(())
    }

    /// The files that a component of this digest has under a name: itself, and the record of the name.
    pub fn files(&self, name: &str, digest: &str) -> [PathBuf; 2] {
        [self.component_file(digest), self.record_file(name)]
    }

    /// Installs an inspected component under a name.
    ///
    /// # Errors
    /// The name is a built-in's or taken by another digest, or the files can't be written.
    pub fn install(&self, name: &str, component: &Component, bytes: &[u8], source: &str) -> Result<(), Error> {
        self.check_free(name, &component.digest)?;
        let file = self.component_file(&component.digest);
        home::write(&file, bytes)?;
        let read_only = std::fs::Permissions::from_mode(0o444);
        std::fs::set_permissions(&file, read_only).map_err(|error| home::Error {
            what: "protect",
            path: file,
            why: error.to_string(),
        })?;
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let record = Installed {
            schema_version: 1,
            digest: component.digest.clone(),
            id: component.manifest.id.clone(),
            source: forge_core::manifest::printable(source),
            installed_at: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        };
        let text = serde_json::to_vec_pretty(&record).map_err(|_| Error::Record(name.to_owned()))?;
        Ok(home::write(&self.record_file(name), &text)?)
    }

    /// Removes a name, and the component if no other name has it; answers the digest.
    ///
    /// # Errors
    /// There is no such name, or a file can't be removed.
    pub fn remove(&self, name: &str) -> Result<String, Error> {
        let digest = self.removed(name)?;
        for path in self.removable(name)? {
            std::fs::remove_file(&path).map_err(|error| home::Error {
                what: "remove",
                path,
                why: error.to_string(),
            })?;
        }
        Ok(digest)
    }

    /// The files that go with a name: its record, and the component if no other name has it.
    ///
    /// # Errors
    /// There is no such name, or it is a built-in's.
    pub fn removable(&self, name: &str) -> Result<Vec<PathBuf>, Error> {
        let digest = self.removed(name)?;
        let mut files = vec![self.record_file(name)];
        if !self.installed()?.iter().any(|(other, record)| other != name && record.digest == digest) {
            files.push(self.component_file(&digest));
        }
        Ok(files)
    }

    fn removed(&self, name: &str) -> Result<String, Error> {
        if self.builtin(name).is_some() {
            return Err(Error::Taken(format!("`{name}` is built in and can't be removed")));
        }
        let record = self.record(name)?.ok_or_else(|| Error::Unknown(name.to_owned()))?;
        Ok(record.digest)
    }
}

/// The first twelve digits of a digest: enough for people, never for decisions.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
