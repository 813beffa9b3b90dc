//! From the guest's types to forge's own, with a bound on everything: whatever a guest answers may be hostile.

use forge_core::Kind;
use forge_core::provider::Failure;
use forge_core::secret::{Attributes, Entry, Page, Secret, SecretVersion, Value, VersionPage, VersionState};

use crate::bindings::history::exports::forge::plugin::secret_history as history;
use crate::bindings::metadata::exports::forge::plugin::secret_metadata as metadata;
use crate::bindings::types;

/// The most entries of one page.
const ENTRIES: usize = 10_000;
/// The most pairs of one list of attributes.
const PAIRS: usize = 256;
/// The longest name, value, id or path, in bytes.
const TEXT: usize = 8 << 10;
/// The longest cursor, in bytes.
const CURSOR: usize = 64 << 10;

/// What a batch answers for one secret.
pub(crate) type Many = Result<Option<types::Secret>, types::Error>;

fn too_long(what: &str) -> Failure {
    Failure::new(Kind::PluginFault, format!("the plugin answered {what} over its limit"))
}

fn text(text: String, most: usize, what: &str) -> Result<String, Failure> {
    if text.len() <= most { Ok(text) } else { Err(too_long(what)) }
}

fn optional(value: Option<String>, most: usize, what: &str) -> Result<Option<String>, Failure> {
    value.map(|value| text(value, most, what)).transpose()
}

/// Bounded attributes.
pub(crate) fn attributes(pairs: Attributes) -> Result<Attributes, Failure> {
    if pairs.len() > PAIRS || pairs.iter().any(|(name, value)| name.len() > TEXT || value.len() > TEXT) {
        return Err(too_long("attributes"));
    }
    Ok(pairs)
}

fn state(state: types::VersionState) -> VersionState {
    match state {
        types::VersionState::Enabled => VersionState::Enabled,
        types::VersionState::Disabled => VersionState::Disabled,
        types::VersionState::Deleted => VersionState::Deleted,
        types::VersionState::Destroyed => VersionState::Destroyed,
    }
}

/// A bounded version.
pub(crate) fn version(version: types::SecretVersion) -> Result<SecretVersion, Failure> {
    if version.labels.len() > PAIRS || version.labels.iter().any(|label| label.len() > TEXT) {
        return Err(too_long("labels"));
    }
    Ok(SecretVersion {
        id: text(version.id, TEXT, "a version")?,
        created_at: version.created_at,
        expires_at: version.expires_at,
        state: state(version.state),
        labels: version.labels,
        current: version.current,
        attributes: attributes(version.attributes)?,
    })
}

/// A bounded secret; its bytes move into the type that is wiped.
pub(crate) fn secret(secret: types::Secret) -> Result<Secret, Failure> {
    let value = Value::new(secret.value);
    Ok(Secret {
        value,
        content_type: optional(secret.content_type, TEXT, "a content type")?,
        version: secret.version.map(version).transpose()?,
        tags: attributes(secret.tags)?,
        attributes: attributes(secret.attributes)?,
    })
}

/// A bounded entry.
pub(crate) fn entry(entry: metadata::Entry) -> Result<Entry, Failure> {
    Ok(Entry {
        path: text(entry.path, TEXT, "a path")?,
        version: entry.version.map(version).transpose()?,
        tags: attributes(entry.tags)?,
        attributes: attributes(entry.attributes)?,
    })
}

/// A bounded page.
pub(crate) fn page(page: metadata::Page) -> Result<Page, Failure> {
    if page.entries.len() > ENTRIES {
        return Err(too_long("a page"));
    }
    let entries = page.entries.into_iter().map(entry).collect::<Result<_, _>>()?;
    Ok(Page { entries, next: optional(page.next, CURSOR, "a cursor")? })
}

/// A bounded page of versions.
pub(crate) fn versions(page: history::Page) -> Result<VersionPage, Failure> {
    if page.versions.len() > ENTRIES {
        return Err(too_long("a page"));
    }
    let versions = page.versions.into_iter().map(version).collect::<Result<_, _>>()?;
    Ok(VersionPage { versions, next: optional(page.next, CURSOR, "a cursor")? })
}

/// The guest's word for a state.
pub(crate) fn guest_state(state: VersionState) -> types::VersionState {
    match state {
        VersionState::Enabled => types::VersionState::Enabled,
        VersionState::Disabled => types::VersionState::Disabled,
        VersionState::Deleted => types::VersionState::Deleted,
        VersionState::Destroyed => types::VersionState::Destroyed,
    }
}

/// The kind that a guest names, as forge's own.
pub(crate) fn kind(kind: types::ErrorKind) -> Kind {
    match kind {
        types::ErrorKind::NotFound => Kind::NotFound,
        types::ErrorKind::AccessDenied => Kind::AccessDenied,
        types::ErrorKind::Unauthenticated => Kind::Unauthenticated,
        types::ErrorKind::InvalidRequest => Kind::InvalidRequest,
        types::ErrorKind::Conflict => Kind::Conflict,
        types::ErrorKind::WrongState => Kind::WrongState,
        types::ErrorKind::TooLarge => Kind::TooLarge,
        types::ErrorKind::Unsupported => Kind::Unsupported,
        types::ErrorKind::RateLimited => Kind::RateLimited,
        types::ErrorKind::Unavailable => Kind::Unavailable,
        types::ErrorKind::Timeout => Kind::Timeout,
        types::ErrorKind::Upstream => Kind::Upstream,
        // The host knows best whether it denied something; a guest's word for it is only a fault.
        types::ErrorKind::DeniedByHost | types::ErrorKind::Internal => Kind::PluginFault,
    }
}
