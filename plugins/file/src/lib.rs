//! The embedded store: each secret is one file of a directory, sealed by the host.

mod name;
mod record;

use forge_sdk::{
    Attributes, Entry, Error, Page, PutOptions, Secret, SecretMetadata, SecretProvider, SecretRemoval, SecretVersion,
    SecretWriter, clock, files, log, secret,
};
use record::Record;

/// The plugin: secrets in the granted directory.
#[derive(Debug)]
pub struct File;

forge_sdk::plugin! {
    manifest: "../plugin.toml",
    type: File,
    abilities: [provider, metadata, writer, removal],
}

/// The record at this path, where there is one.
fn stored(path: &str) -> Result<Option<Record>, Error> {
    files::read(&name::file(path)?)?.map(|content| Record::parse(&content)).transpose()
}

impl SecretProvider for File {
    /// Only the latest version is kept, so any other is absent.
    fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
        let secret = stored(path)?.map(Record::into_secret);
        let wanted = |secret: &Secret| {
            version.is_none_or(|wanted| secret.version.as_ref().is_some_and(|version| version.id == wanted))
        };
        Ok(secret.filter(wanted))
    }

    /// Looks into the directory, which fails where the host can't.
    fn check() -> Result<Attributes, Error> {
        files::list("", None, 1)?;
        Ok(Attributes::new())
    }
}

impl SecretMetadata for File {
    fn describe(path: &str) -> Result<Option<Entry>, Error> {
        let entry = |record: Record| Entry {
            version: Some(record.version()),
            tags: record.tags(),
            attributes: vec![("created-at".to_owned(), record.created_at().to_string())],
            ..Entry::new(path)
        };
        Ok(stored(path)?.map(entry))
    }

    /// Names only, as the directory has them: no file is opened.
    fn list(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let prefix = prefix.filter(|prefix| !prefix.is_empty());
        let folder = prefix.map(name::folder).transpose()?.unwrap_or_default();
        let page = files::list(&folder, cursor, limit)?;
        let mut entries = Vec::with_capacity(page.files.len());
        for file in page.files {
            match name::secret(&file.path) {
                // The host compares text, so a listing of `app` meets `apple` too.
                Some(path) if is_within(&path, prefix) => entries.push(Entry::new(path)),
                Some(_) => {}
                None => log::warn(&format!("`{}` is no file of a secret and was left out", file.path)),
            }
        }
        Ok(Page { entries, next: page.next })
    }
}

/// Whether the path is the prefix or below it, by whole segments.
fn is_within(path: &str, prefix: Option<&str>) -> bool {
    prefix.is_none_or(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

impl SecretWriter for File {
    /// The host holds the directory's lock for the whole call, so no one writes between the read and the write.
    fn put(path: &str, value: &[u8], options: &PutOptions) -> Result<SecretVersion, Error> {
        options.only(&["content-type", "tags", "expected-version"])?;
        let before = stored(path)?;
        if let Some(expected) = options.expected_version.as_deref() {
            compared(expected, before.as_ref())?;
        }
        let record = Record::following(
            before.as_ref(),
            clock::now(),
            options.content_type.clone(),
            options.tags.clone(),
            value,
        )?;
        files::write(&name::file(path)?, &record.content()?)?;
        Ok(record.version())
    }
}

/// The compare of a compare-and-set.
fn compared(expected: &str, before: Option<&Record>) -> Result<(), Error> {
    let current = before.map(|record| record.version().id);
    match current {
        None if expected.is_empty() => Ok(()),
        None => Err(Error::conflict(format!("version `{expected}` was expected, and there is no such secret"))),
        Some(current) if current == expected => Ok(()),
        Some(current) if expected.is_empty() => {
            Err(Error::conflict(format!("no secret was expected, and there is version `{current}`")))
        }
        Some(current) => {
            Err(Error::conflict(format!("version `{expected}` was expected, and the current one is `{current}`")))
        }
    }
}

impl SecretRemoval for File {
    /// The file is not opened, so a damaged one can be removed.
    fn delete(path: &str, options: &Attributes) -> Result<bool, Error> {
        secret::no_attributes(options)?;
        files::remove(&name::file(path)?)
    }

    fn recover(_path: &str) -> Result<(), Error> {
        Err(Error::unsupported("a secret that was deleted from this store is gone"))
    }

    fn purge(_path: &str) -> Result<bool, Error> {
        Err(Error::unsupported("this store keeps nothing of a deleted secret: `delete` is all it takes"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use forge_sdk::{ErrorKind, fake};

    use super::*;

    fn expecting(version: &str) -> PutOptions {
        PutOptions { expected_version: Some(version.to_owned()), ..PutOptions::default() }
    }

    fn put(path: &str, value: &str) -> SecretVersion {
        File::put(path, value.as_bytes(), &PutOptions::default()).unwrap()
    }

    fn value(path: &str) -> Option<Vec<u8>> {
        File::get(path, None).unwrap().map(|secret| secret.value.into_bytes())
    }

    fn listed(prefix: Option<&str>) -> Vec<String> {
        let mut paths = Vec::new();
        let mut cursor = None;
        loop {
            let page = File::list(prefix, cursor.as_deref(), 2).unwrap();
            assert!(page.entries.len() <= 2);
            paths.extend(page.entries.into_iter().map(|entry| entry.path));
            cursor = page.next;
            if cursor.is_none() {
                return paths;
            }
        }
    }

    #[test]
    fn what_was_put_is_read_again_with_its_version_and_times() {
        fake::Host::new().at(1000).install();
        let options = PutOptions {
            content_type: Some("text/plain".into()),
            tags: vec![("team".into(), "a".into())],
            ..PutOptions::default()
        };
        assert_eq!(File::put("app/db", &[0, 255, 10], &options).unwrap().id, "1");
        fake::set_clock(2000);
        let version = File::put("app/db", b"\xff\x00", &options).unwrap();
        assert_eq!((version.id.as_str(), version.current, version.created_at), ("2", true, Some(2000)));

        let secret = File::get("app/db", None).unwrap().unwrap();
        assert_eq!(secret.value.as_bytes(), b"\xff\x00");
        assert_eq!(secret.content_type.as_deref(), Some("text/plain"));
        assert_eq!(secret.version, Some(version));
        let entry = File::describe("app/db").unwrap().unwrap();
        assert_eq!(entry.tags, [("team".to_owned(), "a".to_owned())]);
        assert_eq!(entry.attributes, [("created-at".to_owned(), "1000".to_owned())]);
    }

    #[test]
    fn absence_is_none_and_not_an_error() {
        fake::Host::new().install();
        assert_eq!(File::get("nothing", None).unwrap(), None);
        assert_eq!(File::describe("nothing").unwrap(), None);
        assert!(!File::delete("nothing", &Attributes::new()).unwrap());
    }

    #[test]
    fn only_the_latest_version_is_kept() {
        fake::Host::new().install();
        put("a", "one");
        put("a", "two");
        assert_eq!(File::get("a", Some("1")).unwrap(), None);
        assert_eq!(File::get("a", Some("two")).unwrap(), None);
        assert_eq!(File::get("a", Some("2")).unwrap().unwrap().value.as_bytes(), b"two");
    }

    #[test]
    fn a_write_that_expects_another_version_is_a_conflict_and_changes_nothing() {
        fake::Host::new().install();
        assert_eq!(File::put("a", b"x", &expecting("1")).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(fake::file_paths(), [""; 0]);
        assert_eq!(File::put("a", b"one", &expecting("")).unwrap().id, "1");
        for wrong in ["", "0", "2", "01", "one"] {
            assert_eq!(File::put("a", b"x", &expecting(wrong)).unwrap_err().kind(), ErrorKind::Conflict);
        }
        assert_eq!(value("a").unwrap(), b"one");
        assert_eq!(File::put("a", b"two", &expecting("1")).unwrap().id, "2");
    }

    #[test]
    fn an_expiry_is_refused_by_its_name() {
        fake::Host::new().install();
        let options = PutOptions { expires_at: Some(1), ..PutOptions::default() };
        let error = File::put("a", b"x", &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("`expires-at`"));
        assert_eq!(fake::file_paths(), [""; 0]);
    }

    #[test]
    fn a_listing_goes_by_whole_segments_and_meets_each_secret_once() {
        fake::Host::new().file("notes.txt", "x").file("app/UPPER.secret", "x").install();
        for path in ["app", "app/db", "app/Db", "app/db/user", "apple", "app.x", "other"] {
            put(path, "x");
        }
        let mut all = listed(None);
        all.sort();
        assert_eq!(all, ["app", "app.x", "app/Db", "app/db", "app/db/user", "apple", "other"]);
        assert_eq!(listed(Some("")).len(), 7);
        let mut below = listed(Some("app"));
        below.sort();
        assert_eq!(below, ["app", "app/Db", "app/db", "app/db/user"]);
        assert_eq!(listed(Some("app/d")), [""; 0]);
        assert!(fake::lines().iter().any(|(_, line)| line.contains("notes.txt")));
    }

    #[test]
    fn a_deleted_secret_is_gone_and_can_not_be_recovered() {
        fake::Host::new().install();
        put("a", "x");
        assert!(File::delete("a", &Attributes::new()).unwrap());
        assert_eq!(value("a"), None);
        assert_eq!(File::recover("a").unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(File::purge("a").unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_damaged_file_is_neither_read_nor_overwritten_and_can_be_deleted() {
        fake::Host::new().file("a.secret", "edited by hand").install();
        assert_eq!(File::get("a", None).unwrap_err().kind(), ErrorKind::Upstream);
        assert_eq!(File::put("a", b"x", &PutOptions::default()).unwrap_err().kind(), ErrorKind::Upstream);
        assert_eq!(fake::file("a.secret").unwrap(), b"edited by hand");
        assert!(File::delete("a", &Attributes::new()).unwrap());
    }

    #[test]
    fn an_option_of_a_deletion_that_is_not_known_is_refused() {
        fake::Host::new().install();
        put("a", "x");
        let options = vec![("force".to_owned(), "true".to_owned())];
        assert_eq!(File::delete("a", &options).unwrap_err().kind(), ErrorKind::Unsupported);
        assert!(value("a").is_some());
    }
}
