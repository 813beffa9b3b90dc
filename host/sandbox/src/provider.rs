//! A provider: a compiled plugin with its grant, behind the seam that the resolver knows.

use std::sync::Arc;

use async_trait::async_trait;
use forge_broker::Egress;
use forge_core::Kind;
use forge_core::policy::Action;
use forge_core::provider::{CallLog, Failure, RequestRecord, SecretProvider};
use forge_core::route;
use forge_core::secret::{Attributes, Entry, Page, PutOptions, Secret, SecretVersion, VersionPage, VersionState};
use tokio::task::JoinSet;
use wasmtime::Engine;
use wasmtime::component::InstancePre;

use crate::bindings::types;
use crate::bindings::writer::exports::forge::plugin::secret_writer;
use crate::bindings::{
    batch::BatchPre, history::HistoryPre, metadata::MetadataPre, provider::ProviderPre, removal::RemovalPre,
    rotation::RotationPre, writer::WriterPre,
};
use crate::call::{Act, End, Ended, Names, run};
use crate::component::Component;
use crate::convert;
use crate::state::{Lent, State};

/// A plugin that runs for one provider.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) pre: InstancePre<State>,
    pub(crate) component: Component,
    pub(crate) lent: Lent,
    pub(crate) egress: Option<Arc<Egress>>,
    pub(crate) is_builtin: bool,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("plugin", &self.0.component.digest).finish_non_exhaustive()
    }
}

/// Which ability a call needs.
#[derive(Clone, Copy)]
enum Ability {
    Read,
    Batch,
    Metadata,
    Write,
    Removal,
    Rotation,
    History,
    /// The same interface for calls that change something.
    Rewriting,
}

impl Ability {
    fn interface(self) -> &'static str {
        match self {
            Self::Read => "secret-provider",
            Self::Batch => "secret-batch",
            Self::Metadata => "secret-metadata",
            Self::Write => "secret-writer",
            Self::Removal => "secret-removal",
            Self::Rotation => "secret-rotation",
            Self::History | Self::Rewriting => "secret-history",
        }
    }

    fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Removal | Self::Rotation | Self::Rewriting)
    }

    /// The abilities of the routes that such a call may use.
    fn routes(self) -> &'static [route::Ability] {
        match self {
            Self::Read | Self::Batch | Self::Metadata | Self::History => &[route::Ability::Read],
            Self::Write | Self::Rotation => &[route::Ability::Read, route::Ability::Write],
            Self::Removal => &[route::Ability::Read, route::Ability::Remove],
            // A rollback writes the old value anew, or enables a version by taking its deletion back.
            Self::Rewriting => &[route::Ability::Read, route::Ability::Write, route::Ability::Remove],
        }
    }
}

impl Provider {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The way out that its requests take, where its grant has routes.
    pub fn egress(&self) -> Option<&Arc<Egress>> {
        self.0.egress.as_ref()
    }

    /// The plugin that runs here.
    pub fn component(&self) -> &Component {
        &self.0.component
    }

    /// Refuses what the component exports no interface for.
    fn has(&self, ability: Ability) -> Result<(), Failure> {
        let component = &self.0.component;
        if component.has(ability.interface()) {
            return Ok(());
        }
        let what = format!("plugin `{}` has no `{}`, so it can't do this", component.manifest.id, ability.interface());
        Err(Failure::new(Kind::Unsupported, what))
    }

    /// One call from its beginning to the host's verdict.
    async fn call<T: Send + 'static>(
        &self,
        log: &CallLog,
        ability: Ability,
        path: &str,
        act: Act<T>,
    ) -> Result<T, Failure> {
        self.answered(log, ability, path, act).await.map(|answered| answered.answer)
    }

    /// The words for failures of this plugin.
    fn names<'a>(&'a self, path: &'a str) -> Names<'a> {
        let Inner { component, lent, is_builtin, .. } = &*self.0;
        Names { manifest: &component.manifest, settings: &lent.settings, path, is_builtin: *is_builtin }
    }

    /// The same with what the host refused meanwhile.
    async fn answered<T: Send + 'static>(
        &self,
        log: &CallLog,
        ability: Ability,
        path: &str,
        act: Act<T>,
    ) -> Result<Answered<T>, Failure> {
        let inner = &self.0;
        let plugin = &inner.component.manifest.id;
        self.has(ability)?;
        let writes = ability.writes();
        let lock = match &inner.lent.directory {
            Some(directory) if writes => Some(directory.lock().await?),
            _ => None,
        };
        let http = inner.egress.as_ref().map(|egress| Arc::new(egress.call_for(ability.routes())));
        let state = State::new(&inner.lent, http.clone(), lock);
        let store = state.into_store(&inner.engine, &inner.lent.limits);
        let (pre, limits) = (inner.pre.clone(), inner.lent.limits);
        // A task of its own: a panic in the host's code is then an error of this call and of no other.
        let mut task = JoinSet::new();
        task.spawn(async move { run(store, &pre, &limits, act).await });
        let joined = task.join_next().await;
        let records = http.as_ref().map(|call| call.take_records()).unwrap_or_default();
        let verdict = http.and_then(|call| call.verdict());
        records.iter().cloned().for_each(|record| log.push(record));
        let names = self.names(path);
        let mut verdict = verdict.map(|verdict| {
            let hint = names.hint(verdict.kind, records.last()).filter(|_| verdict.kind != Kind::NotGranted);
            Failure { hint: verdict.hint.or(hint), ..Failure::new(verdict.kind, verdict.what) }
        });
        let Some(Ok(Ended { end, refused, missed })) = joined else {
            return Err(Failure::new(Kind::Internal, format!("the host broke while it ran plugin `{plugin}`")));
        };
        // A reflected credential is an attack or a very odd server, however the guest took it.
        let is_reflected = |failure: &Failure| failure.kind == Kind::CredentialReflected;
        if let Some(failure) = verdict.take_if(|failure| is_reflected(failure)) {
            return Err(failure);
        }
        let could_not = refused.is_some();
        let is_open = writes && records.iter().any(|record| record.is_open);
        if let (End::Answered(_), Some(missed), true) = (&end, &missed, writes) {
            // What was written counts, and the guest says that it is done: the rest was tidying.
            tracing::warn!(
                "plugin `{plugin}` did what it was asked to, and not all that belongs to it: {}",
                missed.what
            );
        }
        let answered = match (end, refused.or(missed).or(verdict)) {
            // A write that the host could not do is not done, whatever the guest makes of it.
            (End::Answered(_), Some(failure)) if writes && could_not => Err(failure),
            (End::Answered(answer), refused) => Ok(Answered { answer, refused, records }),
            (_, Some(failure)) => Err(failure),
            (End::Broke(failure), None) => Err(failure),
            (End::Refused(error), None) => Err(names.judged(error, &records)),
        };
        answered.map_err(|failure| if is_open { names.left_open(failure) } else { failure })
    }
}

/// What a call answered, and what a failure within the answer is judged by.
struct Answered<T> {
    answer: T,
    /// What the host refused or could not do: it has the last word over the guest's.
    refused: Option<Failure>,
    /// The requests of the call.
    records: Vec<RequestRecord>,
}

/// Whether a plugin that was refused a request, or got no answer to it, has no reason to speak of this kind.
fn is_of_an_answer(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::NotFound
            | Kind::AccessDenied
            | Kind::InvalidRequest
            | Kind::Conflict
            | Kind::WrongState
            | Kind::Unsupported
            | Kind::Upstream
    )
}

/// A call of one exported function: instantiates, then calls.
macro_rules! act {
    ($pre:ident, $interface:ident, |$store:ident, $guest:ident| $call:expr) => {
        Box::new(move |$store, pre| {
            Box::pin(async move {
                let instance = $pre::new(pre.clone())?.instantiate_async(&mut *$store).await?;
                let $guest = instance.$interface();
                $call.await
            })
        })
    };
}

#[async_trait]
impl SecretProvider for Provider {
    fn check_ability(&self, action: Action) -> Result<(), Failure> {
        self.has(match action {
            Action::Get | Action::Check => Ability::Read,
            Action::List | Action::Describe => Ability::Metadata,
            Action::Set => Ability::Write,
            Action::Delete | Action::Recover | Action::Purge => Ability::Removal,
            Action::Rotate => Ability::Rotation,
            Action::Versions => Ability::History,
            Action::Rollback | Action::SetState => Ability::Rewriting,
        })
    }

    async fn get(&self, log: &CallLog, path: &str, version: Option<&str>) -> Result<Option<Secret>, Failure> {
        let (name, version) = (path.to_owned(), version.map(str::to_owned));
        let act: Act<Option<types::Secret>> = act!(ProviderPre, forge_plugin_secret_provider, |store, guest| guest
            .call_get(store, &name, version.as_deref()));
        let answer = self.call(log, Ability::Read, path, act).await?;
        answer.map(convert::secret).transpose()
    }

    fn batch_max(&self) -> usize {
        let Component { manifest, .. } = &self.0.component;
        let most = manifest.batch.filter(|_| self.has(Ability::Batch).is_ok()).map_or(1, |batch| batch.max);
        usize::try_from(most).unwrap_or(1)
    }

    async fn get_many(&self, log: &CallLog, paths: &[&str]) -> Result<Vec<Result<Option<Secret>, Failure>>, Failure> {
        let names: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let act: Act<Vec<convert::Many>> = Box::new(move |store, pre| {
            Box::pin(async move {
                let instance = BatchPre::new(pre.clone())?.instantiate_async(&mut *store).await?;
                instance.forge_plugin_secret_batch().call_get_many(store, &names).await.map(Ok)
            })
        });
        let Answered { answer, refused, records } = self.answered(log, Ability::Batch, "", act).await?;
        if answer.len() != paths.len() {
            let what = format!("the plugin answered {} secrets where {} were asked for", answer.len(), paths.len());
            return Err(Failure::new(Kind::PluginFault, what));
        }
        let one = |(path, answer): (&&str, convert::Many)| match (answer, &refused) {
            (Ok(secret), _) => secret.map(convert::secret).transpose(),
            // What the host refused was one request of perhaps several. A failure of which only an answer or the plugin's
            // own rule can speak is none of that; one that a plugin makes up is asked for alone, and judged there.
            (Err(error), Some(refused)) if !is_of_an_answer(convert::kind(error.kind)) => Err(refused.clone()),
            (Err(error), _) => Err(self.names(path).judged(error, &records)),
        };
        Ok(paths.iter().zip(answer).map(one).collect())
    }

    async fn check(&self, log: &CallLog) -> Result<Attributes, Failure> {
        let act: Act<Attributes> =
            act!(ProviderPre, forge_plugin_secret_provider, |store, guest| guest.call_check(store));
        convert::attributes(self.call(log, Ability::Read, "", act).await?)
    }

    async fn describe(&self, log: &CallLog, path: &str) -> Result<Option<Entry>, Failure> {
        let name = path.to_owned();
        let act: Act<_> =
            act!(MetadataPre, forge_plugin_secret_metadata, |store, guest| guest.call_describe(store, &name));
        self.call(log, Ability::Metadata, path, act).await?.map(convert::entry).transpose()
    }

    async fn list(
        &self,
        log: &CallLog,
        prefix: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page, Failure> {
        let (wanted, cursor) = (prefix.map(str::to_owned), cursor.map(str::to_owned));
        let act: Act<_> = act!(MetadataPre, forge_plugin_secret_metadata, |store, guest| guest.call_list(
            store,
            wanted.as_deref(),
            cursor.as_deref(),
            limit
        ));
        convert::page(self.call(log, Ability::Metadata, prefix.unwrap_or_default(), act).await?)
    }

    async fn put(
        &self,
        log: &CallLog,
        path: &str,
        value: &[u8],
        options: &PutOptions,
    ) -> Result<SecretVersion, Failure> {
        let (name, value) = (path.to_owned(), zeroize::Zeroizing::new(value.to_vec()));
        let options = secret_writer::PutOptions {
            content_type: options.content_type.clone(),
            tags: options.tags.clone(),
            expires_at: options.expires_at,
            expected_version: options.expected_version.clone(),
            attributes: options.attributes.clone(),
        };
        let act: Act<types::SecretVersion> =
            act!(WriterPre, forge_plugin_secret_writer, |store, guest| guest.call_put(store, &name, &value, &options));
        convert::version(self.call(log, Ability::Write, path, act).await?)
    }

    async fn delete(&self, log: &CallLog, path: &str) -> Result<bool, Failure> {
        let name = path.to_owned();
        let act: Act<bool> =
            act!(RemovalPre, forge_plugin_secret_removal, |store, guest| guest.call_delete(store, &name, &Vec::new()));
        self.call(log, Ability::Removal, path, act).await
    }

    async fn recover(&self, log: &CallLog, path: &str) -> Result<(), Failure> {
        let name = path.to_owned();
        let act: Act<()> =
            act!(RemovalPre, forge_plugin_secret_removal, |store, guest| guest.call_recover(store, &name));
        self.call(log, Ability::Removal, path, act).await
    }

    async fn purge(&self, log: &CallLog, path: &str) -> Result<bool, Failure> {
        let name = path.to_owned();
        let act: Act<bool> =
            act!(RemovalPre, forge_plugin_secret_removal, |store, guest| guest.call_purge(store, &name));
        self.call(log, Ability::Removal, path, act).await
    }

    async fn versions(
        &self,
        log: &CallLog,
        path: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<VersionPage, Failure> {
        let (name, cursor) = (path.to_owned(), cursor.map(str::to_owned));
        let act: Act<_> = act!(HistoryPre, forge_plugin_secret_history, |store, guest| guest.call_versions(
            store,
            &name,
            cursor.as_deref(),
            limit
        ));
        convert::versions(self.call(log, Ability::History, path, act).await?)
    }

    async fn restore(&self, log: &CallLog, path: &str, version: &str) -> Result<SecretVersion, Failure> {
        let (name, version) = (path.to_owned(), version.to_owned());
        let act: Act<types::SecretVersion> =
            act!(HistoryPre, forge_plugin_secret_history, |store, guest| guest.call_restore(store, &name, &version));
        convert::version(self.call(log, Ability::Rewriting, path, act).await?)
    }

    async fn rotate(&self, log: &CallLog, path: &str) -> Result<Option<SecretVersion>, Failure> {
        let name = path.to_owned();
        let act: Act<Option<types::SecretVersion>> =
            act!(RotationPre, forge_plugin_secret_rotation, |store, guest| guest.call_rotate(store, &name));
        self.call(log, Ability::Rotation, path, act).await?.map(convert::version).transpose()
    }

    async fn set_state(&self, log: &CallLog, path: &str, version: &str, state: VersionState) -> Result<(), Failure> {
        let (name, version, state) = (path.to_owned(), version.to_owned(), convert::guest_state(state));
        let act: Act<()> = act!(HistoryPre, forge_plugin_secret_history, |store, guest| guest
            .call_set_state(store, &name, &version, state));
        self.call(log, Ability::Rewriting, path, act).await
    }
}
