//! Listing all secrets at or below a prefix, folder by folder, a page at a time.
//!
//! The server lists one folder at a time. The walk goes depth first and by the bytes of the names, and its place is
//! one folder and one name in it, so a cursor is never longer than a path, however large the tree is, and stays right
//! when secrets come and go meanwhile.

use forge_sdk::{Entry, Error, ErrorKind, Page, http, log, url};

use crate::answer::{Names, content};
use crate::mount::{Kv, Mount};

/// Requests that one page may take; the host ends a call that sends more than 16.
const REQUESTS: u32 = 12;

/// The most entries of one page, whatever the limit.
const ENTRIES: usize = 1000;

/// How far the walk has come: everything in `folder` up to and with `after` is done.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// A path without `/` at its end; empty for the mount itself.
    folder: String,
    /// A name in the folder, that of a folder with its `/`; empty at the beginning.
    after: String,
}

impl Place {
    /// The length of the folder, `:`, the folder and the name; both may hold any character.
    fn to_cursor(&self) -> String {
        format!("{}:{}{}", self.folder.len(), self.folder, self.after)
    }

    /// The place of a cursor, which may come from anyone.
    fn from_cursor(cursor: &str, prefix: &str) -> Result<Self, Error> {
        let parts = cursor.split_once(':').and_then(|(length, rest)| rest.split_at_checked(length.parse().ok()?));
        let (folder, after) = parts.ok_or_else(damaged)?;
        let place = Self { folder: folder.to_owned(), after: after.to_owned() };
        let name = after.strip_suffix('/').unwrap_or(after);
        let sound = place.to_cursor() == cursor
            && is_within(folder, prefix)
            && (folder.is_empty() || url::path(folder).is_ok())
            && !name.contains('/');
        if sound { Ok(place) } else { Err(damaged()) }
    }

    /// The path of a name in this folder.
    fn path_of(&self, name: &str) -> String {
        if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) }
    }

    /// The place right behind this folder in the one above it.
    fn above(&self) -> Self {
        let (above, name) = parent(&self.folder);
        Self { folder: above.to_owned(), after: format!("{name}/") }
    }
}

fn damaged() -> Error {
    Error::invalid_request("the cursor isn't one that this listing gave")
}

fn is_within(folder: &str, prefix: &str) -> bool {
    prefix.is_empty() || folder.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The folder that a path lies in, and its name there.
fn parent(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// A walk with its place, and the names of the folders on the way down that this page has read.
struct Walk<'a> {
    mount: &'a Mount,
    kv: Kv,
    requests: u32,
    /// The innermost last; those further up may not have been read in this page.
    read: Vec<(String, Vec<String>)>,
}

impl Walk<'_> {
    /// The names in a folder, sorted; none where there is no such folder. `None` where no request is left.
    fn names(&mut self, folder: &str) -> Result<Option<Vec<String>>, Error> {
        if self.requests == REQUESTS {
            return Ok(None);
        }
        self.requests += 1;
        let Some(response) = self.mount.send(http::get(self.mount.folder(self.kv, folder)?))? else {
            return Ok(Some(Vec::new()));
        };
        let Names { mut keys } = content(&response, "a list of names")?;
        // A name that reaches into another folder, from a server that means no good, would lead the walk in circles.
        keys.retain(|name| !name.is_empty() && !name.strip_suffix('/').unwrap_or(name).contains('/'));
        keys.sort_unstable();
        keys.dedup();
        Ok(Some(keys))
    }

    /// The first name behind the place. The outer `None` means that no request is left.
    fn next(&mut self, place: &Place) -> Result<Option<Option<String>>, Error> {
        self.read.retain(|(folder, _)| is_within(&place.folder, folder));
        if self.read.last().is_none_or(|(folder, _)| *folder != place.folder) {
            let Some(names) = self.names(&place.folder)? else { return Ok(None) };
            self.read.push((place.folder.clone(), names));
        }
        let names = self.read.last().map(|(_, names)| names.as_slice()).unwrap_or_default();
        let behind = names.partition_point(|name| *name <= place.after);
        Ok(Some(names.get(behind).cloned()))
    }
}

/// One page of the secrets at or below the prefix.
///
/// # Errors
///
/// `invalid-request` for a prefix that can't be a path or a cursor that isn't from here, and what the server said.
pub(crate) fn page(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    let (mount, kv) = Mount::known()?;
    let prefix = prefix.unwrap_or_default();
    let limit = usize::try_from(limit).unwrap_or(ENTRIES).clamp(1, ENTRIES);
    let mut walk = Walk { mount: &mount, kv, requests: 0, read: Vec::new() };
    let mut entries = Vec::new();
    let mut place = match cursor {
        Some(cursor) => Place::from_cursor(cursor, prefix)?,
        None => {
            if !prefix.is_empty() && is_secret(&mut walk, prefix)? {
                entries.push(Entry::new(prefix));
            }
            Place { folder: prefix.to_owned(), after: String::new() }
        }
    };
    while entries.len() < limit {
        match walk.next(&place)? {
            None => break,
            Some(Some(name)) => {
                let folder = name.strip_suffix('/').map(|name| place.path_of(name));
                let path = place.path_of(&name);
                place.after = name;
                match folder {
                    None => entries.push(Entry::new(path)),
                    Some(folder) if url::path(&folder).is_ok() => {
                        place = Place { folder, after: String::new() };
                    }
                    Some(_) => log::warn("a folder whose name can't stand in a URL was left out"),
                }
            }
            Some(None) if place.folder == prefix => return Ok(Page { entries, next: None }),
            Some(None) => place = place.above(),
        }
    }
    Ok(Page { entries, next: Some(place.to_cursor()) })
}

/// Whether the prefix is a secret itself, which only the folder above can tell without reading it.
fn is_secret(walk: &mut Walk<'_>, prefix: &str) -> Result<bool, Error> {
    let (folder, name) = parent(prefix);
    match walk.names(folder) {
        Ok(names) => Ok(names.unwrap_or_default().iter().any(|known| known == name)),
        // A token may well be allowed to list the prefix and not what is above it.
        Err(error) if error.kind() == ErrorKind::AccessDenied => {
            log::warn("the token may not list the folder above, so a secret at the prefix itself was left out");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use forge_sdk::{SecretMetadata, fake};

    use super::*;
    use crate::Vault;

    const MISSING: &str = r#"{"errors":[]}"#;

    fn host(kv: &str) -> fake::Host {
        fake::Host::new().setting("address", "https://v.example").setting("mount", "secret").setting("kv-version", kv)
    }

    fn url(folder: &str) -> String {
        let slash = if folder.is_empty() { "" } else { "/" };
        format!("https://v.example/v1/secret/metadata{slash}{folder}?list=true")
    }

    fn folders(folders: &[(&str, &[&str])]) -> fake::Host {
        folders.iter().fold(host("2"), |host, (folder, names)| {
            let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
            host.answer("GET", &url(folder), 200, format!(r#"{{"data":{{"keys":[{}]}}}}"#, names.join(",")))
        })
    }

    fn tree() -> fake::Host {
        folders(&[
            ("", &["zoo", "app/", "app", "apple"]),
            ("app", &["web/", "db", "db/", "a"]),
            ("app/db", &["user", "password"]),
            ("app/web", &["tls"]),
        ])
    }

    /// All pages, each with at most 12 requests and as many entries as asked for, and how many pages there were.
    fn listed(prefix: Option<&str>, limit: u32) -> Result<(Vec<String>, usize), Error> {
        let (mut paths, mut pages, mut cursor) = (Vec::new(), 0, None);
        loop {
            let before = fake::requests().len();
            let page = Vault::list(prefix, cursor.as_deref(), limit)?;
            assert!(fake::requests().len() - before <= 12);
            assert!(page.entries.len() <= limit.max(1) as usize);
            paths.extend(page.entries.into_iter().map(|entry| entry.path));
            pages += 1;
            assert!(pages < 1000, "the listing must end");
            assert!(page.next.is_none() || page.next != cursor, "each page must come further");
            cursor = page.next;
            if cursor.is_none() {
                return Ok((paths, pages));
            }
        }
    }

    #[test]
    fn a_listing_is_the_same_whatever_the_size_of_its_pages() {
        tree().install();
        let expected = ["app", "app/a", "app/db", "app/db/password", "app/db/user", "app/web/tls", "apple", "zoo"];
        for limit in [0, 1, 2, 3, 7, 8, 100, u32::MAX] {
            assert_eq!(listed(None, limit).unwrap().0, expected, "{limit}");
        }
        assert_eq!(listed(Some(""), 100).unwrap().0, expected);
    }

    #[test]
    fn a_prefix_goes_by_whole_segments_and_includes_the_secret_of_that_name() {
        tree().answer("GET", &url("app/d"), 404, MISSING).install();
        assert_eq!(listed(Some("app/db"), 1).unwrap().0, ["app/db", "app/db/password", "app/db/user"]);
        assert_eq!(listed(Some("app/web"), 100).unwrap().0, ["app/web/tls"]);
        assert_eq!(listed(Some("app/d"), 100).unwrap().0, [""; 0]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_empty_page() {
        host("2").answer("GET", &url(""), 404, MISSING).answer("GET", &url("x"), 404, MISSING).install();
        assert_eq!(Vault::list(Some("x"), None, 10).unwrap(), Page::default());
        assert_eq!(Vault::list(None, None, 10).unwrap(), Page::default());
    }

    #[test]
    fn a_tree_deeper_than_one_page_may_ask_is_walked_to_its_end() {
        let deep: Vec<String> = (0..40).map(|depth| vec!["d"; depth].join("/")).collect();
        let mut tree: Vec<(&str, &[&str])> = deep.iter().map(|folder| (folder.as_str(), &["d/", "e"][..])).collect();
        let bottom = vec!["d"; 40].join("/");
        tree.push((&bottom, &["last"]));
        folders(&tree).install();
        let (paths, pages) = listed(None, 1000).unwrap();
        assert_eq!(paths.len(), 41);
        assert_eq!(paths.first().unwrap(), &format!("{bottom}/last"));
        assert_eq!(paths.last().unwrap(), "e");
        assert!(pages > 3);
    }

    #[test]
    fn a_secret_that_appears_between_two_pages_shifts_nothing() {
        folders(&[("", &["a", "c", "d"])]).install();
        let first = Vault::list(None, None, 2).unwrap();
        folders(&[("", &["a", "b", "c", "d"])]).install();
        let second = Vault::list(None, first.next.as_deref(), 2).unwrap();
        assert_eq!(second.entries, [Entry::new("d")]);
    }

    #[test]
    fn a_cursor_that_was_not_given_is_refused_before_any_request() {
        tree().install();
        for cursor in [
            "",
            "x",
            "3:app",
            ":app",
            "4:app",
            "-1:app",
            "03:app",
            "99999999999999999999:app",
            "2:éa",
            "3:zoo",
            "6:app/..",
            "5:app//",
            "3:appa/b",
            "3:appa//",
        ] {
            let error = Vault::list(Some("app"), Some(cursor), 10);
            if cursor == "3:app" {
                assert!(error.is_ok(), "this one is sound");
            } else {
                assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidRequest, "{cursor:?}");
            }
        }
        assert!(fake::requests().iter().all(|request| request.url().contains("/metadata/app")));
    }

    #[test]
    fn a_prefix_may_be_listed_where_what_is_above_it_may_not() {
        folders(&[("app", &["a"])]).answer("GET", &url(""), 403, MISSING).install();
        assert_eq!(listed(Some("app"), 10).unwrap().0, ["app/a"]);
        assert_eq!(fake::lines().len(), 1);
        host("2").answer("GET", &url(""), 403, MISSING).answer("GET", &url("app"), 403, MISSING).install();
        assert_eq!(listed(Some("app"), 10).unwrap_err().kind(), ErrorKind::AccessDenied);
    }

    #[test]
    fn a_folder_that_can_not_be_asked_for_is_left_out_and_said() {
        folders(&[("", &["100%/", "../", "/", "a\\b/", "ok/", "p%q"]), ("ok", &["x"])]).install();
        assert_eq!(listed(None, 100).unwrap().0, ["ok/x", "p%q"]);
        assert_eq!(fake::lines().len(), 4);
    }

    #[test]
    fn names_that_reach_into_other_folders_lead_nowhere() {
        folders(&[("", &["a/", "a/b/", "a/b", "/x", "//", ""]), ("a", &["b/", "c", "../"]), ("a/b", &["", "d"])])
            .install();
        assert_eq!(listed(None, 1).unwrap().0, ["a/b/d", "a/c"]);
    }

    #[test]
    fn version_1_lists_the_mount_itself() {
        let url = |folder: &str| format!("https://v.example/v1/secret{folder}?list=true");
        host("1")
            .answer("GET", &url(""), 200, r#"{"data":{"keys":["a","b/"]}}"#)
            .answer("GET", &url("/b"), 200, r#"{"data":{"keys":["c d"]}}"#)
            .install();
        assert_eq!(listed(None, 10).unwrap().0, ["a", "b/c d"]);
    }

    #[test]
    fn an_answer_that_is_no_list_is_an_error() {
        for body in ["<html>", "{}", r#"{"data":{"keys":[1]}}"#, r#"{"data":{"keys":null}}"#] {
            host("2").answer("GET", &url(""), 200, body).install();
            assert_eq!(listed(None, 10).unwrap_err().kind(), ErrorKind::Upstream, "{body}");
        }
    }
}
