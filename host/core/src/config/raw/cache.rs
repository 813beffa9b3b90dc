//! What a configuration file says of copies: `[cache]`, and `cache` of a provider and of a secret.

use std::time::Duration;

use toml::de::DeValue;

use super::{Error, Field, Owner, Reader};
use crate::config::cache::CacheConfig;
use crate::time;

/// The most copies that a process may be told to hold: each may have a megabyte.
const MOST_ENTRIES: u64 = 10_000;

/// The longest that a copy may be told to count: what is older was surely rotated.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

impl<'t> Reader<'t> {
    /// `[cache]`, or the `cache` of a provider.
    pub(super) fn cache(&self, field: &Field<'_, 't>, is_provider: bool) -> Result<CacheConfig, Error> {
        if let DeValue::Boolean(false) = field.value.get_ref() {
            return Ok(CacheConfig::OFF);
        }
        let DeValue::Table(table) = field.value.get_ref() else {
            return Err(field.refused("must be a table, or `false`"));
        };
        let mut cache = CacheConfig::default();
        for field in self.fields(table, &field.name) {
            match (field.key, field.value.get_ref()) {
                ("ttl", _) => cache.ttl = Some(field.time()?),
                ("negative-ttl", _) => cache.negative_ttl = Some(field.time()?),
                ("max-stale", _) => cache.max_stale = Some(field.time()?),
                // Where secrets lie on this machine is not for whoever wrote a project to say.
                ("disk", DeValue::Boolean(true)) if self.place.owner == Owner::Project => {
                    return Err(Error::NotForProjects { at: field.at, name: field.name });
                }
                ("disk", DeValue::Boolean(flag)) => cache.disk = Some(*flag),
                ("disk", _) => return Err(field.refused("must be `true` or `false`")),
                ("entries", _) if is_provider => return Err(self.unknown(&field)),
                ("entries", _) if self.place.owner == Owner::Project => {
                    return Err(Error::NotForProjects { at: field.at, name: field.name });
                }
                ("entries", DeValue::Integer(number)) => {
                    let number = u64::from_str_radix(number.as_str(), number.radix()).ok();
                    let number = number.filter(|number| (1..=MOST_ENTRIES).contains(number));
                    cache.entries =
                        Some(number.ok_or_else(|| field.refused("must be a whole number from 1 to 10000"))?);
                }
                ("entries", _) => return Err(field.refused("must be a whole number from 1 to 10000")),
                _ => return Err(self.unknown(&field)),
            }
        }
        Ok(cache)
    }
}

impl Field<'_, '_> {
    /// How old a copy of one secret may be: a time, or `false` for not at all.
    pub(super) fn limit(&self) -> Result<Duration, Error> {
        match self.value.get_ref() {
            DeValue::Boolean(false) => Ok(Duration::ZERO),
            DeValue::String(_) => self.time(),
            _ => Err(self.refused("must be a time such as `60s`, or `false`")),
        }
    }

    fn time(&self) -> Result<Duration, Error> {
        let refuse = || self.refused("must be a time such as `60s`, `5m` or `1h`, at most 30 days");
        let time = time::duration(self.text().map_err(|_| refuse())?).ok();
        time.filter(|time| *time <= LONGEST).ok_or_else(refuse)
    }
}
