//! What a listing is about: the names that the provider may use, and of these the ones at or below a path.

use forge_sdk::settings;

/// The granted prefix of names, and the path that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bounds<'a> {
    granted: String,
    wanted: &'a str,
}

impl<'a> Bounds<'a> {
    /// The bounds of a listing of this prefix of whole segments.
    pub(crate) fn of(prefix: Option<&'a str>) -> Self {
        Self::within(settings::get("prefix").unwrap_or_default(), prefix)
    }

    /// The same for a granted prefix that is spelt as paths are.
    pub(crate) fn within(granted: String, prefix: Option<&'a str>) -> Self {
        Self { granted, wanted: prefix.unwrap_or_default() }
    }

    /// How each name begins that lies within, which is what the service is asked for; none where there can be no such
    /// name, or none of these marks beside ASCII letters and digits: then the service would refuse the question.
    pub(crate) fn beginning(&self, marks: &str) -> Option<&str> {
        // The longer of the two, where one begins with the other; else no name can begin with both.
        let beginning = if self.wanted.starts_with(&self.granted) {
            self.wanted
        } else if self.granted.starts_with(self.wanted) {
            &self.granted
        } else {
            return None;
        };
        let fits = |character: char| character.is_ascii_alphanumeric() || marks.contains(character);
        beginning.chars().all(fits).then_some(beginning)
    }

    /// Whether a path lies within: the service is asked for beginnings, and `app` also begins `apple`.
    pub(crate) fn hold(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.wanted);
        let is_below = |rest: &str| self.wanted.is_empty() || rest.is_empty() || rest.starts_with('/');
        path.starts_with(&self.granted) && rest.is_some_and(is_below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds<'a>(granted: &str, wanted: &'a str) -> Bounds<'a> {
        Bounds { granted: granted.to_owned(), wanted }
    }

    #[test]
    fn the_longer_of_prefix_and_path_is_asked_for_where_they_agree() {
        for (granted, wanted, beginning) in [
            ("", "", Some("")),
            ("app/", "", Some("app/")),
            ("app/", "app", Some("app/")),
            ("app/", "app/db", Some("app/db")),
            ("app/", "other", None),
            ("", "caf\u{e9}", None),
            ("", "a+b", None),
        ] {
            assert_eq!(bounds(granted, wanted).beginning("/-"), beginning, "{granted} {wanted}");
        }
    }

    #[test]
    fn a_path_is_held_to_the_granted_prefix_and_to_whole_segments() {
        for path in ["app", "app/db"] {
            assert!(bounds("", "app").hold(path) && bounds("ap", "app").hold(path), "{path}");
        }
        for path in ["apple", "ap", "other/app"] {
            assert!(!bounds("", "app").hold(path), "{path}");
        }
        assert!(!bounds("app/", "app").hold("app") && bounds("app/", "").hold("app/db"));
    }
}
