//! A token that a login gave, as it is kept between processes, and the rules by which it is used again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use zeroize::Zeroizing;

/// The version of the entry's format.
const SCHEMA_VERSION: u32 = 2;

/// How long a token without an end is kept, in seconds: a day.
const ENDLESS: u64 = 86_400;

/// The most seconds by which a token counts as over before its server says so: what is sent now arrives a little later.
const MARGIN: u64 = 10;

/// Milliseconds by which the clock may have been set back since the login, as time servers do; more, and nobody knows
/// how old the token is.
const SET_BACK: i64 = 30_000;

/// The longest entry in bytes.
const LONGEST: usize = 16 * 1024;

/// What is kept. An entry without a token remembers that a wrapping token was opened, and what it held.
pub(super) struct Kept {
    pub(super) token: Option<SecretString>,
    /// When its life began, at the login or at the last renewal.
    pub(super) since: Timestamp,
    /// In seconds; `None` for a token without an end.
    pub(super) life: Option<u64>,
    /// The life that the login promised, in seconds.
    pub(super) promised: Option<u64>,
    pub(super) is_renewable: bool,
    /// Hashes of what stood at the sources, by field.
    pub(super) sources: BTreeMap<String, String>,
    /// Whether its policies are known to keep the token from looking itself up.
    pub(super) is_blind: bool,
    /// The print of the wrapping token that was opened for it.
    pub(super) opened: Option<String>,
    /// What that wrapping token held, until a login with it succeeded or was rejected: it can't be had again.
    pub(super) unwrapped: Option<SecretString>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    schema_version: u32,
    token: Option<String>,
    /// In milliseconds since 1970: a token may live for a few seconds.
    since: i64,
    life: Option<u64>,
    promised: Option<u64>,
    is_renewable: bool,
    sources: BTreeMap<String, String>,
    is_blind: bool,
    opened: Option<String>,
    unwrapped: Option<String>,
}

/// The same on its way to be sealed: secrets are borrowed, so that no type that owns one can be serialised.
#[derive(Serialize)]
struct Storing<'a> {
    schema_version: u32,
    token: Option<&'a str>,
    since: i64,
    life: Option<u64>,
    promised: Option<u64>,
    is_renewable: bool,
    sources: &'a BTreeMap<String, String>,
    is_blind: bool,
    opened: Option<&'a str>,
    unwrapped: Option<&'a str>,
}

/// A hash of a secret, by which it is known again without being kept.
pub(super) fn print(secret: &SecretString) -> String {
    let mut hash = sha2::Sha256::new_with_prefix(b"forge source of a login\0");
    hash.update(secret.expose_secret().as_bytes());
    forge_core::sealing::hex(&hash.finalize())
}

impl Kept {
    /// An entry for a token that was fetched, which is never renewed by itself.
    pub(super) fn fetched(
        token: SecretString,
        since: Timestamp,
        life: Option<u64>,
        prints: Vec<(&'static str, String)>,
    ) -> Self {
        Self {
            token: Some(token),
            since,
            life,
            promised: life,
            is_renewable: false,
            sources: prints.into_iter().map(|(name, print)| (name.to_owned(), print)).collect(),
            is_blind: false,
            opened: None,
            unwrapped: None,
        }
    }

    /// An entry as it was opened; `None` for anything but an entry of this format.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        if stored.schema_version != SCHEMA_VERSION {
            return None;
        }
        Some(Self {
            token: stored.token.map(SecretString::from),
            since: Timestamp::from_millisecond(stored.since).ok()?,
            life: stored.life,
            promised: stored.promised,
            is_renewable: stored.is_renewable,
            sources: stored.sources,
            is_blind: stored.is_blind,
            opened: stored.opened,
            unwrapped: stored.unwrapped.map(SecretString::from),
        })
    }

    /// The entry as it is to be sealed; `None` for one that is too long to be one.
    pub(super) fn print(&self) -> Option<Zeroizing<Vec<u8>>> {
        let storing = Storing {
            schema_version: SCHEMA_VERSION,
            token: self.token.as_ref().map(|token| token.expose_secret()),
            since: self.since.as_millisecond(),
            life: self.life,
            promised: self.promised,
            is_renewable: self.is_renewable,
            sources: &self.sources,
            is_blind: self.is_blind,
            opened: self.opened.as_deref(),
            unwrapped: self.unwrapped.as_ref().map(|secret| secret.expose_secret()),
        };
        // Room from the beginning: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
        serde_json::to_writer(&mut *bytes, &storing).ok()?;
        (bytes.len() <= LONGEST).then_some(bytes)
    }

    /// How old the token is and how long it still counts, by this machine's clock; `None` when it counts no more.
    ///
    /// The second is `None` for a token without an end.
    pub(super) fn age(&self, now: Timestamp) -> Option<(Duration, Option<Duration>)> {
        let age = now.as_millisecond().checked_sub(self.since.as_millisecond())?;
        // Whoever sets the clock back would make every token young again.
        if age < -SET_BACK {
            return None;
        }
        let age = Duration::from_millis(u64::try_from(age).unwrap_or_default());
        let margin = self.life.map_or(0, |life| MARGIN.min(life / 10));
        let counts = Duration::from_secs(self.life.unwrap_or(ENDLESS).saturating_sub(margin));
        let left = counts.checked_sub(age).filter(|left| !left.is_zero())?;
        Some((age, self.life.map(|_| left)))
    }

    /// Whether what stands at the sources now is what the login used; sources that are gone say nothing.
    pub(super) fn is_of(&self, prints: &[(&'static str, String)]) -> bool {
        prints.iter().all(|(name, print)| self.sources.get(*name) == Some(print))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn kept(life: Option<u64>) -> Kept {
        Kept {
            token: Some("s.canary".into()),
            since: Timestamp::from_second(1_000_000).unwrap(),
            life,
            promised: life,
            is_renewable: true,
            sources: [("secret_id".to_owned(), print(&"one".into()))].into(),
            is_blind: false,
            opened: None,
            unwrapped: None,
        }
    }

    fn left(life: Option<u64>, after: i64) -> Option<Option<u64>> {
        let age = kept(life).age(Timestamp::from_second(1_000_000 + after).unwrap());
        age.map(|(_, left)| left.map(|left| left.as_secs()))
    }

    #[test]
    fn a_token_counts_as_over_a_little_before_its_server_says_so() {
        assert_eq!(left(Some(3600), 0), Some(Some(3590)));
        assert_eq!(left(Some(3600), 3589), Some(Some(1)));
        assert_eq!(left(Some(3600), 3590), None);
        assert_eq!(left(Some(20), 17), Some(Some(1)));
        assert_eq!(left(Some(20), 18), None);
        assert_eq!(left(Some(2), 1), Some(Some(1)));
    }

    #[test]
    fn the_age_of_a_token_is_known_to_the_millisecond() {
        let mut kept = kept(Some(4));
        kept.since = Timestamp::from_millisecond(1_000_000_999).unwrap();
        let age = kept.age(Timestamp::from_millisecond(1_000_003_900).unwrap()).unwrap();
        assert_eq!(age, (Duration::from_millis(2_901), Some(Duration::from_millis(1_099))));
        let kept = Kept::parse(&kept.print().unwrap()).unwrap();
        assert_eq!(kept.since.as_millisecond(), 1_000_000_999);
    }

    #[test]
    fn a_token_without_an_end_is_kept_for_a_day() {
        assert_eq!(left(None, 86_399), Some(None));
        assert_eq!(left(None, 86_400), None);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_token_young_again() {
        assert_eq!(left(Some(3600), -30), Some(Some(3590)));
        assert_eq!(left(Some(3600), -31), None);
        assert_eq!(left(None, -100_000), None);
    }

    #[test]
    fn an_entry_survives_print_and_parse_and_another_format_is_none() {
        let bytes = kept(Some(60)).print().unwrap();
        let again = Kept::parse(&bytes).unwrap();
        assert_eq!(again.token.as_ref().unwrap().expose_secret(), "s.canary");
        assert_eq!((again.since, again.life, again.promised), (kept(None).since, Some(60), Some(60)));
        let other = String::from_utf8(bytes.to_vec()).unwrap().replace("\"schema_version\":2", "\"schema_version\":1");
        assert!(Kept::parse(other.as_bytes()).is_none() && Kept::parse(b"").is_none());
    }

    #[test]
    fn a_source_that_holds_something_else_is_another_login() {
        let kept = kept(None);
        assert!(kept.is_of(&[("secret_id", print(&"one".into()))]));
        assert!(!kept.is_of(&[("secret_id", print(&"two".into()))]));
        assert!(!kept.is_of(&[("role_id", print(&"one".into()))]));
        assert!(kept.is_of(&[]));
    }
}
