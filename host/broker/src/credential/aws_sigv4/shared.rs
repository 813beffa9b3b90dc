//! The two files that AWS' own tools share: their sections, and the lines of each.
//!
//! Source: "AWS SDKs and Tools Reference Guide, Shared config and credentials files", "Format of the shared files".

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use crate::denial::shown;

/// The lines of one section by their names in lower case; a value may be a secret.
pub(super) type Lines = BTreeMap<String, SecretString>;

/// Which of the two files a text is: they name their sections differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shared {
    /// `~/.aws/credentials`, where a profile is `[NAME]`.
    Credentials,
    /// `~/.aws/config`, where it is `[profile NAME]`, and `[default]` stands alone.
    Config,
}

/// What a section is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// A profile.
    Profile,
    /// A session with IAM Identity Center, which profiles name by `sso_session`.
    SsoSession,
}

impl Shared {
    /// Whether this header of a section, without its brackets, is about the thing of this name.
    fn is_about(self, header: &str, about: About, name: &str) -> bool {
        let behind = |word: &str| {
            let rest = header.strip_prefix(word)?;
            rest.starts_with([' ', '\t']).then(|| rest.trim().trim_matches('"'))
        };
        match about {
            About::SsoSession => behind("sso-session") == Some(name),
            // A person may have named the tools' other file, so the longer form counts in both.
            About::Profile => {
                behind("profile") == Some(name) || (header == name && (self == Self::Credentials || name == "default"))
            }
        }
    }
}

/// The lines of the one section about this name; `None` where the file has none.
///
/// # Errors
/// A sentence about the file that names lines and nothing that stands behind their `=`.
pub(super) fn section(text: &SecretString, file: Shared, about: About, name: &str) -> Result<Option<Lines>, String> {
    let mut found: Option<Lines> = None;
    let mut is_ours = false;
    // How far the last line that was one of the section is indented.
    let mut depth = None;
    for line in text.expose_secret().lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = trimmed.strip_prefix('[') {
            let header = header.split_once(']').ok_or("has a `[` without its `]`")?.0.trim();
            is_ours = file.is_about(header, about, name);
            depth = None;
            // The tools merge them or take either, so whose key this would be nobody can tell.
            if is_ours && found.replace(Lines::new()).is_some() {
                return Err("stands there twice".to_owned());
            }
            continue;
        }
        let Some(lines) = found.as_mut().filter(|_| is_ours) else { continue };
        // The lines of a table within a section (`s3 =`) are indented deeper, and are no business of a login's.
        let indent = line.len() - line.trim_start().len();
        if depth.is_some_and(|depth| indent > depth) {
            continue;
        }
        depth = Some(indent);
        let (key, value) = trimmed.split_once('=').ok_or("has a line in it without a `=`")?;
        let key = key.trim().to_ascii_lowercase();
        if lines.insert(key.clone(), SecretString::from(value.trim())).is_some() {
            return Err(format!("has `{}` twice", shown(&key)));
        }
    }
    Ok(found)
}

/// A value without the comment behind it: a `#` or `;` that stands behind a space.
pub(super) fn without_comment(value: &str) -> &str {
    let end = value
        .match_indices([' ', '\t'])
        .find(|(at, _)| value.get(at + 1..).is_some_and(|rest| rest.starts_with(['#', ';'])));
    end.and_then(|(at, _)| value.get(..at)).unwrap_or(value).trim()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn lines(text: &str, file: Shared, name: &str) -> Result<Option<Vec<(String, String)>>, String> {
        let found = section(&SecretString::from(text), file, About::Profile, name)?;
        Ok(found
            .map(|lines| lines.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()))
    }

    #[test]
    fn each_file_names_its_profiles_in_its_own_way() {
        let text = "[dev]\na=1\n[profile ops]\nb = 2 # two\n[default]\nc=x#y\n[ profile \"two words\" ]\nd=4\n";
        let one = |name: &str, value: &str| Ok(Some(vec![(name.to_owned(), value.to_owned())]));
        assert_eq!(lines(text, Shared::Credentials, "dev"), one("a", "1"));
        assert_eq!(lines(text, Shared::Config, "dev"), Ok(None));
        assert_eq!(lines(text, Shared::Config, "ops"), one("b", "2 # two"));
        assert_eq!(lines(text, Shared::Config, "default"), one("c", "x#y"));
        assert_eq!(lines(text, Shared::Config, "two words"), one("d", "4"));
    }

    #[test]
    fn a_comment_behind_a_value_is_no_part_of_it() {
        for (value, expected) in
            [("2 # two", "2"), ("2\t;two", "2"), ("a#b;c", "a#b;c"), ("# all", "# all"), (" #x", "")]
        {
            assert_eq!(without_comment(value), expected, "{value}");
        }
    }

    #[test]
    fn a_section_may_be_indented_as_a_whole() {
        let found = lines("[dev]\n  a = 1\n  b =\n    c = 3\n  d = 4\n", Shared::Credentials, "dev").unwrap().unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "d"]);
    }

    #[test]
    fn a_table_within_a_section_is_passed_over() {
        let text = "[dev]\ns3 =\n  max_concurrent_requests = 20\n  a line\nregion = x\n";
        let found = lines(text, Shared::Credentials, "dev").unwrap().unwrap();
        assert_eq!(found, [("region".to_owned(), "x".to_owned()), ("s3".to_owned(), String::new())]);
    }

    #[test]
    fn a_section_that_can_not_be_told_is_refused_without_its_values() {
        for (text, rule) in [
            ("[dev]\n[ops]\n[dev]\n", "twice"),
            ("[dev]\n[profile dev]\n", "twice"),
            ("[dev]\na=hunter2\nA=hunter2\n", "`a` twice"),
            ("[dev\n", "`]`"),
            ("[dev]\nhunter2\n", "without a `=`"),
        ] {
            let error = lines(text, Shared::Credentials, "dev").unwrap_err();
            assert!(error.contains(rule) && !error.contains("hunter2"), "{error}");
        }
    }
}
