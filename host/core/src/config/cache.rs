//! What a configuration says of copies, and what of it counts: the user decides, and a project can only ask for less.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache::{ENTRIES, Rules};

/// What one place of a configuration says of copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheConfig {
    /// How long a copy is as good as a read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// How long it is believed that there is no such secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_ttl: Option<Duration>,
    /// For how long after `ttl` a copy answers while the backend is unavailable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_stale: Option<Duration>,
    /// Whether copies lie on disk, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<bool>,
    /// How many copies a process holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
}

impl CacheConfig {
    /// `cache = false`.
    pub const OFF: Self = Self {
        ttl: Some(Duration::ZERO),
        negative_ttl: Some(Duration::ZERO),
        max_stale: Some(Duration::ZERO),
        disk: Some(false),
        entries: None,
    };

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This with `over` on top of it.
    #[must_use]
    pub fn under(self, over: Self) -> Self {
        Self {
            ttl: over.ttl.or(self.ttl),
            negative_ttl: over.negative_ttl.or(self.negative_ttl),
            max_stale: over.max_stale.or(self.max_stale),
            disk: over.disk.or(self.disk),
            entries: over.entries.or(self.entries),
        }
    }

    /// The rules with what this says in their place.
    fn chosen(self, rules: Rules) -> Rules {
        Rules {
            time_to_live: self.ttl.unwrap_or(rules.time_to_live),
            negative: self.negative_ttl.unwrap_or(rules.negative),
            max_stale: self.max_stale.unwrap_or(rules.max_stale),
            disk: self.disk.unwrap_or(rules.disk),
        }
    }

    /// The rules where they are stricter than this, and this where it is.
    fn lowered(self, rules: Rules) -> Rules {
        let chosen = self.chosen(rules);
        Rules {
            time_to_live: chosen.time_to_live.min(rules.time_to_live),
            negative: chosen.negative.min(rules.negative),
            max_stale: chosen.max_stale.min(rules.max_stale),
            disk: chosen.disk && rules.disk,
        }
    }

    /// The fields that are there, as a person writes them.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, String)> {
        let time = |time: Duration| if time.is_zero() { "0s".to_owned() } else { written(time) };
        let times = [("ttl", self.ttl), ("negative-ttl", self.negative_ttl), ("max-stale", self.max_stale)];
        let times = times.into_iter().filter_map(move |(name, value)| Some((name, time(value?))));
        let disk = self.disk.map(|disk| ("disk", disk.to_string()));
        times.chain(disk).chain(self.entries.map(|entries| ("entries", entries.to_string())))
    }
}

/// A time in seconds, which is what a configuration is compared in.
pub(crate) fn written(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

/// What all layers say of copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caching {
    /// What the user's and the machine's configurations say.
    pub(super) own: CacheConfig,
    /// What the project says.
    pub(super) project: CacheConfig,
}

impl Caching {
    /// The rules of a provider, which says this of its copies and stands in a project or not.
    pub fn rules(&self, provider: Option<CacheConfig>, is_project: bool) -> Rules {
        let provider = provider.unwrap_or_default();
        let rules = self.own.chosen(Rules::default());
        // Whoever wrote the project may know that a secret changes often, and not how long others may keep theirs.
        let rules = if is_project { provider.lowered(rules) } else { provider.chosen(rules) };
        self.project.lowered(rules)
    }

    /// How many copies a process holds in memory.
    pub fn entries(&self) -> u64 {
        self.own.entries.unwrap_or(ENTRIES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_project_can_only_ask_for_less() {
        let own = CacheConfig { max_stale: Some(MINUTE * 60), disk: Some(true), ..CacheConfig::default() };
        let more = CacheConfig { ttl: Some(MINUTE * 600), max_stale: Some(MINUTE * 600), ..own };
        let less = CacheConfig { ttl: Some(MINUTE), disk: Some(false), ..CacheConfig::default() };
        let plain = Caching { own, ..Caching::default() }.rules(None, false);
        assert_eq!((plain.time_to_live, plain.max_stale, plain.disk), (MINUTE * 5, MINUTE * 60, true));
        for (project, provider) in [(more, None), (CacheConfig::default(), Some(more))] {
            assert_eq!(Caching { own, project }.rules(provider, true), plain, "{project:?} {provider:?}");
        }
        for (project, provider) in [(less, None), (CacheConfig::default(), Some(less))] {
            let rules = Caching { own, project }.rules(provider, true);
            assert_eq!((rules.time_to_live, rules.max_stale, rules.disk), (MINUTE, MINUTE * 60, false));
        }
        // A provider of the user's own is the user's to decide about, and still the project can ask for less.
        assert_eq!(Caching { own, ..Caching::default() }.rules(Some(more), false).time_to_live, MINUTE * 600);
        assert_eq!(Caching { own, project: less }.rules(Some(more), false).time_to_live, MINUTE);
        assert!(!Caching { own, project: CacheConfig::OFF }.rules(Some(more), false).keeps());
    }
}
