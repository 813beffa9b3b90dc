//! From what was written to what is meant: the one place that reads the fields of a configuration file.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{At, AuditConfig, Environment, Error, KeyPlace, LOCAL, Layer, Owner, Place, ProviderConfig, SecretConfig};
use crate::audit::OnFailure;
use crate::manifest::printable;
use crate::policy::Source;
use crate::rate;
use crate::reference::{self, Reference, is_name};
use crate::setting::is_invisible;

mod cache;
mod policy;

/// The longest name of a variable, in bytes.
const LONGEST_VARIABLE: usize = 200;

/// The longest list of fallbacks: more would be a mistake, and each costs a read.
const MOST_FALLBACKS: usize = 16;

/// The largest that a file of the audit log may be told to grow, in MiB.
const LARGEST_LOG: u64 = 1024;

/// Fields that a configuration of one's own may have, or may have some day, and a project never.
const OWN: [&str; 12] = [
    "audience",
    "audit",
    "credential-audience",
    "grant",
    "network",
    "plugins",
    "policy",
    "proxy",
    "publishers",
    "read-only",
    "store",
    "tls",
];

/// A value and where it stands.
type Value<'t> = Spanned<DeValue<'t>>;

/// One file as it is read.
struct Reader<'t> {
    text: &'t str,
    place: &'t Place,
}

/// A field: its value, its place, and its name from the top.
struct Field<'a, 't> {
    key: &'a str,
    value: &'a Value<'t>,
    name: String,
    at: At,
}

pub(super) fn parse(bytes: &[u8], place: &Place) -> Result<Layer, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::Encoding)?;
    let table = DeTable::parse(text).map_err(|error| Error::Syntax {
        at: at(text, error.span().map_or(0, |span| span.start)),
        // The first line alone: the rest of a parser's words would show the text.
        what: printable(error.message().lines().next().unwrap_or_default()),
    })?;
    Reader { text, place }.layer(table.get_ref())
}

/// Where in a text the byte at `offset` stands.
pub(crate) fn at(text: &str, offset: usize) -> At {
    let before = text.get(..offset.min(text.len())).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    At { line, column }
}

impl<'t> Reader<'t> {
    fn fields<'a>(&self, table: &'a DeTable<'t>, above: &str) -> Vec<Field<'a, 't>> {
        let field = |(key, value): (&'a Spanned<_>, &'a Value<'t>)| {
            let key: &'a std::borrow::Cow<'t, str> = key.get_ref();
            let dot = if above.is_empty() { "" } else { "." };
            let name = format!("{above}{dot}{}", printable(key));
            Field { key, value, name, at: at(self.text, value.span().start) }
        };
        table.iter().map(field).collect()
    }

    fn layer(&self, table: &DeTable<'t>) -> Result<Layer, Error> {
        let mut layer = Layer::default();
        for field in self.fields(table, "") {
            match field.key {
                "default" => layer.default = Some(field.provider_name()?),
                "providers" => {
                    for field in self.fields(field.table()?, &field.name) {
                        let (name, provider) = self.provider(&field)?;
                        layer.providers.insert(name, provider);
                    }
                }
                "environments" => {
                    for field in self.fields(field.table()?, &field.name) {
                        if !is_name(field.key) {
                            return Err(field
                                .refused("can't be an environment's name: lower-case letters, digits, `-` and `_`"));
                        }
                        layer.environments.insert(field.key.to_owned(), self.environment(&field)?);
                    }
                }
                "secrets" => layer.secrets = self.secrets(&field)?,
                "fallback" => layer.fallback = Some(self.stand_ins(&field)?),
                "cache" => layer.cache = self.cache(&field, false)?,
                "store" if self.place.owner != Owner::Project => {
                    for field in self.fields(field.table()?, &field.name) {
                        layer.key_place = Some(self.key_place(&field)?);
                    }
                }
                "audit" if self.place.owner != Owner::Project => {
                    for field in self.fields(field.table()?, &field.name) {
                        self.audit(&field, &mut layer.audit)?;
                    }
                }
                // What is wrong with it stops no command: it denies what a policy decides.
                "policy" if self.place.owner != Owner::Project => {
                    layer.policies = vec![Source { place: self.place.clone(), written: self.policy(&field) }];
                }
                _ => return Err(self.unknown(&field)),
            }
        }
        Ok(layer)
    }

    fn audit(&self, field: &Field<'_, '_>, audit: &mut AuditConfig) -> Result<(), Error> {
        match (field.key, field.value.get_ref()) {
            ("on-failure", DeValue::String(text)) if text == "refuse" => audit.on_failure = Some(OnFailure::Refuse),
            ("on-failure", DeValue::String(text)) if text == "warn" => audit.on_failure = Some(OnFailure::Warn),
            ("on-failure", _) => return Err(field.refused("must be `refuse` or `warn`")),
            ("sync", DeValue::Boolean(flag)) => audit.sync = Some(*flag),
            ("sync", _) => return Err(field.refused("must be `true` or `false`")),
            ("rotate-at", DeValue::String(text)) => {
                let number = text.strip_suffix("MiB").and_then(|text| text.trim_end().parse::<u64>().ok());
                let number = number.filter(|number| (1..=LARGEST_LOG).contains(number));
                let number = number.ok_or_else(|| field.refused("must be a size from `1 MiB` to `1024 MiB`"))?;
                audit.rotate_at = Some(number << 20);
            }
            ("rotate-at", _) => return Err(field.refused("must be a size from `1 MiB` to `1024 MiB`")),
            _ => return Err(self.unknown(field)),
        }
        Ok(())
    }

    fn key_place(&self, field: &Field<'_, '_>) -> Result<KeyPlace, Error> {
        match (field.key, field.value.get_ref()) {
            ("key", DeValue::String(text)) if text == "keyring" => Ok(KeyPlace::Keyring),
            ("key", DeValue::String(text)) if text == "file" => Ok(KeyPlace::File),
            ("key", _) => Err(field.refused("must be `keyring` or `file`")),
            _ => Err(self.unknown(field)),
        }
    }

    fn unknown(&self, field: &Field<'_, '_>) -> Error {
        let (at, name) = (field.at, field.name.clone());
        let dashed = field.key.replace('_', "-");
        let is_own = OWN.iter().any(|own| dashed.starts_with(own));
        if self.place.owner == Owner::Project && is_own {
            Error::NotForProjects { at, name }
        } else {
            Error::Unknown { at, name }
        }
    }

    fn provider(&self, field: &Field<'_, 't>) -> Result<(String, ProviderConfig), Error> {
        if field.key == LOCAL {
            return Err(Error::Local { at: field.at });
        }
        if !is_name(field.key) {
            return Err(field.refused("can't be a provider's name: lower-case letters, digits, `-` and `_`"));
        }
        let (mut plugin, mut settings, mut credential, mut rate_limit) = (None, BTreeMap::new(), None, None);
        let mut cache = None;
        for field in self.fields(field.table()?, &field.name) {
            match field.key {
                "plugin" => {
                    let text = field.text()?;
                    if !is_name(text) {
                        return Err(field.refused("must be a plugin's name: lower-case letters, digits, `-` and `_`"));
                    }
                    plugin = Some(text.to_owned());
                }
                "settings" => {
                    for field in self.fields(field.table()?, &field.name) {
                        if !is_name(field.key) {
                            return Err(field.refused("can't be a setting's name"));
                        }
                        settings.insert(field.key.to_owned(), field.setting()?);
                    }
                }
                "credential" => credential = Some(self.credential(&field)?),
                "cache" => cache = Some(self.cache(&field, true)?),
                "rate-limit" => {
                    let rate = field.text()?.parse().map_err(|error: rate::Error| field.refused(error.to_string()))?;
                    rate_limit = Some(rate);
                }
                _ => return Err(self.unknown(&field)),
            }
        }
        let plugin = plugin.ok_or_else(|| field.refused("needs a `plugin`"))?;
        let place = self.place.clone();
        Ok((field.key.to_owned(), ProviderConfig { plugin, settings, credential, rate_limit, cache, place }))
    }

    fn credential(&self, field: &Field<'_, 't>) -> Result<String, Error> {
        let mut kind = None;
        for field in self.fields(field.table()?, &field.name) {
            match field.key {
                // A name and no more: where a credential is found is typed by a person, and a kind is read together with
                // what follows it.
                "kind" if !crate::reference::is_name(field.text()?) => {
                    return Err(field.refused("is no kind of credential: letters, digits and `-`"));
                }
                "kind" => kind = Some(field.text()?.to_owned()),
                _ => return Err(Error::Source { at: field.at, name: field.name }),
            }
        }
        kind.ok_or_else(|| field.refused("needs a `kind`"))
    }

    fn environment(&self, field: &Field<'_, 't>) -> Result<Environment, Error> {
        let mut environment = Environment::default();
        for field in self.fields(field.table()?, &field.name) {
            match field.key {
                "default" => environment.default = Some(field.provider_name()?),
                "fallback" => environment.fallback = Some(self.stand_ins(&field)?),
                "secrets" => environment.secrets = self.secrets(&field)?,
                _ => return Err(self.unknown(&field)),
            }
        }
        Ok(environment)
    }

    /// The providers that stand in for the default one.
    fn stand_ins(&self, field: &Field<'_, 't>) -> Result<Vec<String>, Error> {
        let refuse = || field.refused("must be a list of at most 16 names of providers");
        let DeValue::Array(items) = field.value.get_ref() else { return Err(refuse()) };
        if items.len() > MOST_FALLBACKS {
            return Err(refuse());
        }
        let name = |item: &Value<'t>| {
            let at = at(self.text, item.span().start);
            Field { key: field.key, value: item, name: field.name.clone(), at }.provider_name()
        };
        items.iter().map(name).collect()
    }

    fn secrets(&self, field: &Field<'_, 't>) -> Result<BTreeMap<String, SecretConfig>, Error> {
        let mut secrets = BTreeMap::new();
        for field in self.fields(field.table()?, &field.name) {
            let is_plain = field.key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let begins = field.key.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
            if !is_plain || !begins || field.key.len() > LONGEST_VARIABLE {
                return Err(field.refused("can't be a variable's name: letters, digits and `_`"));
            }
            secrets.insert(field.key.to_owned(), self.secret(&field)?);
        }
        Ok(secrets)
    }

    fn secret(&self, field: &Field<'_, 't>) -> Result<SecretConfig, Error> {
        if matches!(field.value.get_ref(), DeValue::String(_)) {
            let reference = field.reference()?;
            return Ok(SecretConfig { reference, fallback: Vec::new(), required: true, cache: None });
        }
        let (mut found, mut fallback, mut required, mut cache) = (None, Vec::new(), true, None);
        for field in self.fields(field.table()?, &field.name) {
            match (field.key, field.value.get_ref()) {
                ("ref", _) => found = Some(field.reference()?),
                ("fallback", DeValue::Array(items)) if items.len() <= MOST_FALLBACKS => {
                    for item in items.iter() {
                        let at = at(self.text, item.span().start);
                        let item = Field { key: field.key, value: item, name: field.name.clone(), at };
                        fallback.push(item.reference()?);
                    }
                }
                ("fallback", _) => return Err(field.refused("must be a list of at most 16 references")),
                ("required", DeValue::Boolean(flag)) => required = *flag,
                ("cache", _) => cache = Some(field.limit()?),
                ("required", _) => return Err(field.refused("must be `true` or `false`")),
                _ => return Err(self.unknown(&field)),
            }
        }
        let reference = found.ok_or_else(|| field.refused("needs a `ref`"))?;
        Ok(SecretConfig { reference, fallback, required, cache })
    }
}

impl<'a, 't> Field<'a, 't> {
    fn refused(&self, rule: impl Into<String>) -> Error {
        Error::Rule { at: self.at, name: self.name.clone(), rule: rule.into() }
    }

    fn table(&self) -> Result<&'a DeTable<'t>, Error> {
        match self.value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.refused("must be a table")),
        }
    }

    /// A text that can be shown as it is: nothing in it drives a terminal or makes it look like another one.
    fn text(&self) -> Result<&'a str, Error> {
        match self.value.get_ref() {
            DeValue::String(text) if text.chars().any(|c| c.is_control() || is_invisible(c)) => {
                Err(self.refused("must be printable"))
            }
            DeValue::String(text) => Ok(text),
            _ => Err(self.refused("must be a text")),
        }
    }

    fn provider_name(&self) -> Result<String, Error> {
        let text = self.text()?;
        if is_name(text) {
            Ok(text.to_owned())
        } else {
            Err(self.refused("must be a provider's name: lower-case letters, digits, `-` and `_`"))
        }
    }

    /// A setting's value as text, so that `2` and `"2"` mean the same.
    fn setting(&self) -> Result<String, Error> {
        match self.value.get_ref() {
            DeValue::Integer(number) => {
                let value = i64::from_str_radix(number.as_str(), number.radix());
                value.map(|value| value.to_string()).map_err(|_| self.refused("must be a number of 64 bits"))
            }
            DeValue::Boolean(flag) => Ok(flag.to_string()),
            DeValue::String(_) => self.text().map(str::to_owned),
            _ => Err(self.refused("must be a text, a whole number, `true` or `false`")),
        }
    }

    fn reference(&self) -> Result<Reference, Error> {
        self.text()?.parse().map_err(|error: reference::Error| self.refused(format!("is no reference: {error}")))
    }
}
