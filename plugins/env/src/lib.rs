//! Environment variables: what forge was started with, under the names that were granted, to be read and nothing else.

use forge_sdk::{Attributes, Entry, Error, Page, Secret, SecretMetadata, SecretProvider, environment, log, settings};

/// The plugin: the variables whose names are within the setting `names`.
#[derive(Debug)]
pub struct Env;

forge_sdk::plugin! {
    manifest: "../plugin.toml",
    type: Env,
    abilities: [provider, metadata],
}

/// The setting that says which variables were granted: a name, or the beginning of names followed by one `*`.
const NAMES: &str = "names";

/// The value of a variable; `None` where it isn't set.
fn value(path: &str) -> Result<Option<Vec<u8>>, Error> {
    let names = settings::required(NAMES)?;
    let is_granted = match names.strip_suffix('*') {
        Some(beginning) => path.starts_with(beginning),
        None => path == names,
    };
    // "Not found" would send people to look for a variable that is there, and that nobody granted.
    if !is_granted {
        return Err(Error::invalid_request(format!("the granted variables are `{names}`")));
    }
    Ok(environment::get(path))
}

/// Whether a reference can name this variable: the system lets a name be anything without a `=`.
fn is_path(name: &str) -> bool {
    !name.chars().any(char::is_control) && !name.split('/').any(|segment| matches!(segment, "" | "." | ".."))
}

/// Whether the path is the prefix or below it, by whole segments.
fn is_below(path: &str, prefix: Option<&str>) -> bool {
    prefix.is_none_or(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

impl SecretProvider for Env {
    fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
        if version.is_some() {
            return Err(Error::unsupported("a variable has no versions"));
        }
        Ok(value(path)?.map(Secret::new))
    }

    /// Says at `-v` where none of the variables is set, which is no error: they may be set for the next command.
    fn check() -> Result<Attributes, Error> {
        let names = settings::required(NAMES)?;
        if environment::names().is_empty() {
            log::warn(&format!("none of the variables `{names}` is set"));
        }
        Ok(Attributes::new())
    }
}

impl SecretMetadata for Env {
    /// Whether it is set; more is not known.
    fn describe(path: &str) -> Result<Option<Entry>, Error> {
        Ok(value(path)?.map(|_| Entry::new(path)))
    }

    /// The names of those that are set, in order.
    fn list(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let prefix = prefix.filter(|prefix| !prefix.is_empty());
        let mut names = environment::names();
        names.retain(|name| is_below(name, prefix) && cursor.is_none_or(|cursor| name.as_str() > cursor));
        let all = names.len();
        names.retain(|name| is_path(name));
        if names.len() < all && cursor.is_none() {
            log::warn("a variable is left out whose name can't stand in a reference");
        }
        names.sort_unstable();
        let limit = limit.max(1) as usize;
        let next = names.get(limit).and(names.get(limit - 1)).cloned();
        names.truncate(limit);
        Ok(Page { entries: names.into_iter().map(Entry::new).collect(), next })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use forge_sdk::{ErrorKind, fake};

    use super::*;

    fn host() -> fake::Host {
        fake::Host::new().setting("names", "APP_*").variable("APP_A", "one").variable("APP_B", b"\xff\0".to_vec())
    }

    fn listed(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> (Vec<String>, Option<String>) {
        let page = Env::list(prefix, cursor, limit).unwrap();
        (page.entries.into_iter().map(|entry| entry.path).collect(), page.next)
    }

    #[test]
    fn a_variable_is_read_byte_for_byte() {
        host().variable("APP_EMPTY", "").install();
        let read = |name: &str| Env::get(name, None).unwrap().map(|secret| secret.value.into_bytes());
        assert_eq!(read("APP_A").unwrap(), b"one");
        assert_eq!(read("APP_B").unwrap(), b"\xff\0");
        assert_eq!(read("APP_EMPTY").unwrap(), b"");
        assert_eq!(read("APP_MISSING"), None);
        assert_eq!(Env::describe("APP_MISSING").unwrap(), None);
        assert_eq!(Env::describe("APP_A").unwrap().unwrap().path, "APP_A");
    }

    #[test]
    fn a_name_that_was_not_granted_is_refused_and_not_called_missing() {
        host().install();
        for name in ["HOME", "APP", "XAPP_A", "app_a"] {
            assert_eq!(Env::get(name, None).unwrap_err().kind(), ErrorKind::InvalidRequest, "{name}");
            assert_eq!(Env::describe(name).unwrap_err().kind(), ErrorKind::InvalidRequest, "{name}");
        }
        fake::Host::new().setting("names", "ONE").variable("ONE", "1").install();
        assert!(Env::get("ONE", None).unwrap().is_some());
        assert_eq!(Env::get("ONE_MORE", None).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }

    #[test]
    fn a_version_is_refused() {
        host().install();
        assert_eq!(Env::get("APP_A", Some("1")).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn names_are_listed_in_order_and_by_pages() {
        host().variable("APP_C", "").install();
        assert_eq!(listed(None, None, 100), (vec!["APP_A".into(), "APP_B".into(), "APP_C".into()], None));
        assert_eq!(listed(None, None, 2), (vec!["APP_A".into(), "APP_B".into()], Some("APP_B".into())));
        assert_eq!(listed(None, Some("APP_B"), 2), (vec!["APP_C".into()], None));
        assert_eq!(listed(Some("APP_A"), None, 9), (vec!["APP_A".into()], None));
        assert_eq!(listed(Some("APP"), None, 9), (vec![], None));
    }

    #[test]
    fn a_name_that_no_reference_can_spell_is_left_out_and_told() {
        host().variable("APP_/../X", "").variable("APP_\n", "").install();
        assert_eq!(listed(None, None, 9).0, ["APP_A", "APP_B"]);
        assert_eq!(fake::lines().len(), 1);
    }

    #[test]
    fn a_provider_of_variables_that_are_not_set_is_told_and_works() {
        fake::Host::new().setting("names", "APP_*").install();
        Env::check().unwrap();
        assert!(fake::lines().iter().any(|(_, line)| line.contains("`APP_*`")));
        assert_eq!(listed(None, None, 9), (vec![], None));
    }
}
