//! Where generated types become the SDK's own and back: the exported side, and the types both sides share.

use std::marker::PhantomData;

use crate::ability::{
    KeyProvider, SecretBatch, SecretHistory, SecretMetadata, SecretProvider, SecretRemoval, SecretRotation,
    SecretWriter,
};
use crate::bindings::imports::forge::plugin::types;
use crate::bindings::{batch, provider, removal, rotation};
use crate::error::{Error, ErrorKind};
use crate::secret::{Attributes, Entry, KeyInfo, Page, PutOptions, Secret, SecretVersion, VersionState};

/// What `plugin!` exports: the generated interfaces, answered by the plugin's traits.
#[derive(Debug)]
pub struct Exported<P>(PhantomData<P>);

/// Pairs two enums of the same names, in both directions.
macro_rules! same_names {
    ($own:ident = $generated:path { $($name:ident),* $(,)? }) => {
        impl From<$own> for $generated {
            fn from(value: $own) -> Self {
                match value { $($own::$name => Self::$name,)* }
            }
        }
        impl From<$generated> for $own {
            fn from(value: $generated) -> Self {
                match value { $(<$generated>::$name => Self::$name,)* }
            }
        }
    };
}

same_names!(VersionState = types::VersionState { Enabled, Disabled, Deleted, Destroyed });
same_names!(
    ErrorKind = types::ErrorKind {
        NotFound,
        AccessDenied,
        Unauthenticated,
        InvalidRequest,
        Conflict,
        WrongState,
        TooLarge,
        Unsupported,
        RateLimited,
        Unavailable,
        Timeout,
        DeniedByHost,
        Upstream,
        Internal,
    }
);

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        Self {
            kind: error.kind().into(),
            message: error.message().to_owned(),
            status: error.status(),
            code: error.code().map(ToOwned::to_owned),
            retry_after_ms: error.retry_after_ms(),
            attributes: error.attributes().clone(),
        }
    }
}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        let mut own = Self::new(error.kind.into(), error.message);
        if let Some(status) = error.status {
            own = own.with_status(status);
        }
        if let Some(code) = error.code {
            own = own.with_code(code);
        }
        if let Some(milliseconds) = error.retry_after_ms {
            own = own.with_retry_after_ms(milliseconds);
        }
        error.attributes.into_iter().fold(own, |own, (name, value)| own.with_attribute(name, value))
    }
}

impl From<SecretVersion> for types::SecretVersion {
    fn from(version: SecretVersion) -> Self {
        Self {
            id: version.id,
            created_at: version.created_at,
            expires_at: version.expires_at,
            state: version.state.into(),
            labels: version.labels,
            current: version.current,
            attributes: version.attributes,
        }
    }
}

impl From<Secret> for types::Secret {
    fn from(secret: Secret) -> Self {
        Self {
            value: secret.value.into_bytes(),
            content_type: secret.content_type,
            version: secret.version.map(Into::into),
            tags: secret.tags,
            attributes: secret.attributes,
        }
    }
}

impl<P: SecretProvider> provider::exports::forge::plugin::secret_provider::Guest for Exported<P> {
    fn get(path: String, version: Option<String>) -> Result<Option<types::Secret>, types::Error> {
        Ok(P::get(&path, version.as_deref())?.map(Into::into))
    }

    fn check() -> Result<Attributes, types::Error> {
        Ok(P::check()?)
    }
}

impl<P: SecretBatch> batch::exports::forge::plugin::secret_batch::Guest for Exported<P> {
    fn get_many(paths: Vec<String>) -> Vec<Result<Option<types::Secret>, types::Error>> {
        let answers = P::get_many(&paths).into_iter();
        answers.map(|answer| answer.map(|secret| secret.map(Into::into)).map_err(Into::into)).collect()
    }
}

mod metadata_types {
    pub(super) use crate::bindings::metadata::exports::forge::plugin::secret_metadata::{Entry, Guest, Page};
}

impl From<Entry> for metadata_types::Entry {
    fn from(entry: Entry) -> Self {
        Self {
            path: entry.path,
            version: entry.version.map(Into::into),
            tags: entry.tags,
            attributes: entry.attributes,
        }
    }
}

impl From<Page> for metadata_types::Page {
    fn from(page: Page) -> Self {
        Self { entries: page.entries.into_iter().map(Into::into).collect(), next: page.next }
    }
}

impl<P: SecretMetadata> metadata_types::Guest for Exported<P> {
    fn describe(path: String) -> Result<Option<metadata_types::Entry>, types::Error> {
        Ok(P::describe(&path)?.map(Into::into))
    }

    fn list(prefix: Option<String>, cursor: Option<String>, limit: u32) -> Result<metadata_types::Page, types::Error> {
        Ok(P::list(prefix.as_deref(), cursor.as_deref(), limit)?.into())
    }
}

mod writer_types {
    pub(super) use crate::bindings::writer::exports::forge::plugin::secret_writer::{Guest, PutOptions};
}

impl From<writer_types::PutOptions> for PutOptions {
    fn from(options: writer_types::PutOptions) -> Self {
        Self {
            content_type: options.content_type,
            tags: options.tags,
            expires_at: options.expires_at,
            expected_version: options.expected_version,
            attributes: options.attributes,
        }
    }
}

impl<P: SecretWriter> writer_types::Guest for Exported<P> {
    fn put(
        path: String,
        value: Vec<u8>,
        options: writer_types::PutOptions,
    ) -> Result<types::SecretVersion, types::Error> {
        Ok(P::put(&path, &value, &options.into())?.into())
    }
}

impl<P: SecretRemoval> removal::exports::forge::plugin::secret_removal::Guest for Exported<P> {
    fn delete(path: String, options: Attributes) -> Result<bool, types::Error> {
        Ok(P::delete(&path, &options)?)
    }

    fn recover(path: String) -> Result<(), types::Error> {
        Ok(P::recover(&path)?)
    }

    fn purge(path: String) -> Result<bool, types::Error> {
        Ok(P::purge(&path)?)
    }
}

mod history_types {
    pub(super) use crate::bindings::history::exports::forge::plugin::secret_history::{Guest, Page};
}

impl<P: SecretHistory> history_types::Guest for Exported<P> {
    fn versions(path: String, cursor: Option<String>, limit: u32) -> Result<history_types::Page, types::Error> {
        let page = P::versions(&path, cursor.as_deref(), limit)?;
        Ok(history_types::Page { versions: page.versions.into_iter().map(Into::into).collect(), next: page.next })
    }

    fn restore(path: String, version: String) -> Result<types::SecretVersion, types::Error> {
        Ok(P::restore(&path, &version)?.into())
    }

    fn set_state(path: String, version: String, state: types::VersionState) -> Result<(), types::Error> {
        Ok(P::set_state(&path, &version, state.into())?)
    }
}

impl<P: SecretRotation> rotation::exports::forge::plugin::secret_rotation::Guest for Exported<P> {
    fn rotate(path: String) -> Result<Option<types::SecretVersion>, types::Error> {
        Ok(P::rotate(&path)?.map(Into::into))
    }
}

mod key_types {
    pub(super) use crate::bindings::keys::exports::forge::plugin::key_provider::{Guest, KeyInfo};
}

impl From<KeyInfo> for key_types::KeyInfo {
    fn from(key: KeyInfo) -> Self {
        Self {
            id: key.id,
            version: key.version,
            algorithm: key.algorithm,
            enabled: key.enabled,
            attributes: key.attributes,
        }
    }
}

impl<P: KeyProvider> key_types::Guest for Exported<P> {
    fn encrypt(key: String, plaintext: Vec<u8>, context: Attributes) -> Result<Vec<u8>, types::Error> {
        Ok(P::encrypt(&key, &plaintext, &context)?)
    }

    fn decrypt(key: String, ciphertext: Vec<u8>, context: Attributes) -> Result<Vec<u8>, types::Error> {
        Ok(P::decrypt(&key, &ciphertext, &context)?)
    }

    fn rotate_key(key: String) -> Result<key_types::KeyInfo, types::Error> {
        Ok(P::rotate_key(&key)?.into())
    }

    fn describe_key(key: String) -> Result<key_types::KeyInfo, types::Error> {
        Ok(P::describe_key(&key)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::provider::exports::forge::plugin::secret_provider::Guest;

    struct Whole;

    /// A secret in which every field has a value of its own.
    fn whole() -> Secret {
        let pair = |name: &str| vec![(name.to_owned(), "1".to_owned())];
        let version = SecretVersion {
            id: "7".into(),
            created_at: Some(1),
            expires_at: Some(2),
            state: VersionState::Destroyed,
            labels: vec!["current".into()],
            current: true,
            attributes: pair("a"),
        };
        Secret {
            value: "hunter2".into(),
            content_type: Some("text/plain".into()),
            version: Some(version),
            tags: pair("b"),
            attributes: pair("c"),
        }
    }

    fn failed() -> Error {
        let error = Error::new(ErrorKind::RateLimited, "slow down").with_status(429).with_code("Throttled");
        error.with_retry_after_ms(5).with_attribute("d", "1")
    }

    impl SecretProvider for Whole {
        fn get(path: &str, version: Option<&str>) -> Result<Option<Secret>, Error> {
            match (path, version) {
                ("whole", Some("7")) => Ok(Some(whole())),
                ("none", None) => Ok(None),
                _ => Err(failed()),
            }
        }

        fn check() -> Result<Attributes, Error> {
            Ok(vec![("kv-version".into(), "2".into())])
        }
    }

    #[test]
    fn nothing_of_a_secret_is_lost_on_its_way_out() {
        let Ok(Some(secret)) = Exported::<Whole>::get("whole".into(), Some("7".into())) else {
            unreachable!("the plugin has it")
        };
        let own = whole();
        assert_eq!(secret.value, own.value.into_bytes());
        assert_eq!((secret.content_type, secret.tags, secret.attributes), (own.content_type, own.tags, own.attributes));
        let (Some(out), Some(own)) = (secret.version, own.version) else { unreachable!("both have one") };
        assert_eq!((out.id, out.created_at, out.expires_at), (own.id, own.created_at, own.expires_at));
        assert_eq!((out.labels, out.current, out.attributes), (own.labels, own.current, own.attributes));
        assert_eq!(VersionState::from(out.state), own.state);
        assert!(matches!(Exported::<Whole>::get("none".into(), None), Ok(None)));
    }

    #[test]
    fn nothing_of_an_error_is_lost_on_its_way_out_and_back() {
        let Err(error) = Exported::<Whole>::get("other".into(), None) else { unreachable!("the plugin fails") };
        assert_eq!(Error::from(error), failed());
    }
}
