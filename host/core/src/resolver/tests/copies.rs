//! What copies and other reads answer, and what they never do.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::cache::Rules;
use crate::resolver::references::Wanted;

/// A backend that can be stopped, that can deny, and that counts what it is asked.
#[derive(Debug, Default)]
struct Backend {
    asked: AtomicU32,
    is_away: AtomicBool,
    denies: AtomicBool,
    is_empty: AtomicBool,
}

#[async_trait]
impl SecretProvider for Backend {
    fn check_ability(&self, _: Action) -> Result<(), Failure> {
        Ok(())
    }
    async fn get(&self, _: &CallLog, path: &str, _: Option<&str>) -> Result<Option<Secret>, Failure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Failure::new(Kind::Unavailable, "it is down"));
        }
        if self.denies.load(Ordering::SeqCst) {
            return Err(Failure::new(Kind::AccessDenied, "it says no"));
        }
        let secret = Secret { value: Value::new(path.as_bytes().to_vec()), ..Secret::default() };
        Ok((!self.is_empty.load(Ordering::SeqCst)).then_some(secret))
    }
    async fn check(&self, _: &CallLog) -> Result<Attributes, Failure> {
        Ok(Vec::new())
    }
    async fn describe(&self, _: &CallLog, _: &str) -> Result<Option<Entry>, Failure> {
        Ok(None)
    }
    async fn list(&self, _: &CallLog, _: Option<&str>, _: Option<&str>, _: u32) -> Result<Page, Failure> {
        Ok(Page::default())
    }
    async fn put(&self, log: &CallLog, path: &str, _: &[u8], options: &PutOptions) -> Result<SecretVersion, Failure> {
        Memory::default().put(log, path, b"", options).await
    }
    async fn delete(&self, _: &CallLog, _: &str) -> Result<bool, Failure> {
        Ok(true)
    }
    async fn recover(&self, _: &CallLog, _: &str) -> Result<(), Failure> {
        Ok(())
    }
    async fn purge(&self, _: &CallLog, _: &str) -> Result<bool, Failure> {
        Ok(true)
    }
    async fn versions(&self, _: &CallLog, _: &str, _: Option<&str>, _: u32) -> Result<VersionPage, Failure> {
        Ok(VersionPage::default())
    }
    async fn restore(&self, log: &CallLog, path: &str, _: &str) -> Result<SecretVersion, Failure> {
        self.put(log, path, b"", &PutOptions::default()).await
    }
    async fn rotate(&self, _: &CallLog, _: &str) -> Result<Option<SecretVersion>, Failure> {
        Ok(None)
    }
    async fn set_state(&self, _: &CallLog, _: &str, _: &str, _: VersionState) -> Result<(), Failure> {
        Ok(())
    }
}

impl Backend {
    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

/// The providers `main`, which is the default one, and `spare`.
#[derive(Clone, Default)]
struct Two {
    main: Arc<Backend>,
    spare: Arc<Backend>,
    rules: Rules,
}

#[async_trait]
impl Providers for Two {
    async fn open(&self, name: Option<&str>) -> Result<Opened, Failure> {
        let (name, provider, is_remote) = match name {
            Some("spare") => ("spare", &self.spare, false),
            _ => ("main", &self.main, true),
        };
        Ok(Opened {
            provider: provider.clone(),
            identity: Arc::new(Identity {
                provider: name.to_owned(),
                grant: name.to_owned(),
                plugin: "p".to_owned(),
                credential: String::new(),
            }),
            terms: Terms { rules: self.rules, is_remote },
        })
    }
}

/// Copies are past their time at once and answer for an hour more.
const PAST: Rules = Rules { time_to_live: Duration::from_nanos(1), max_stale: Duration::from_secs(3600), ..Rules::OFF };

fn over(two: &Two, data: &std::path::Path, manner: &Manner) -> Resolver {
    let home = Home { config: data.join("c"), data: data.to_owned(), cache: data.join("k"), keyring: None };
    let audit = Audit::new(&home, Settings::default(), Who::default());
    let caller = Caller { user: "tester".into() };
    Resolver::new(Box::new(two.clone()), caller, Policy::default(), Cache::new(10), audit).in_manner(manner.clone())
}

fn falling_back() -> Manner {
    Manner { fallback: vec!["spare".to_owned()], ..Manner::default() }
}

fn told(manner: &Manner) -> Vec<String> {
    manner.notices.take().into_iter().map(|notice| notice.text).collect()
}

#[tokio::test]
async fn many_who_ask_at_once_for_one_secret_cause_one_call() {
    let directory = tempfile::tempdir().unwrap();
    let two = Two::default();
    let resolver = over(&two, directory.path(), &Manner::default());
    let reads = (0..20).map(|_| resolver.read(target("a")));
    assert!(futures_util::future::join_all(reads).await.into_iter().all(|answer| answer.unwrap().is_some()));
    assert_eq!(two.main.asked(), 1);
    // So do those who ask for many, two of which wait for each other's.
    let (one, other) = ([target("b"), target("c"), target("b")], [target("c"), target("b")]);
    let (one, other) = futures_util::future::join(resolver.read_many(&one), resolver.read_many(&other)).await;
    assert!(one.iter().chain(&other).all(|answer| answer.as_ref().unwrap().is_some()));
    assert_eq!(two.main.asked(), 3);
    // Each is on record, and who made no call says so.
    let (_, records) = outcomes(&resolver);
    let cached = records.iter().filter(|record| record.get("cached").unwrap() == true).count();
    assert_eq!((records.len(), cached), (25, 22));
}

#[tokio::test]
async fn a_failure_is_everybodys_who_waited_and_nobodys_who_comes_later() {
    let directory = tempfile::tempdir().unwrap();
    let two = Two::default();
    two.main.is_away.store(true, Ordering::SeqCst);
    let resolver = over(&two, directory.path(), &Manner::default());
    let reads = (0..5).map(|_| resolver.read(target("a")));
    assert!(futures_util::future::join_all(reads).await.into_iter().all(|answer| answer.is_err()));
    assert_eq!(two.main.asked(), 1);
    two.main.is_away.store(false, Ordering::SeqCst);
    assert!(resolver.read(target("a")).await.unwrap().is_some());
    assert_eq!(two.main.asked(), 2);
}

#[tokio::test]
async fn a_stale_copy_answers_for_a_backend_that_is_away_and_is_told_and_on_record() {
    let directory = tempfile::tempdir().unwrap();
    let (two, manner) = (Two { rules: PAST, ..Two::default() }, Manner::default());
    let resolver = over(&two, directory.path(), &manner);
    resolver.read(target("a")).await.unwrap();
    two.main.is_away.store(true, Ordering::SeqCst);
    assert!(resolver.read(target("a")).await.unwrap().is_some());
    assert_eq!(two.main.asked(), 2);
    assert_eq!(told(&manner), ["`store://main/a` is a copy of 0 seconds ago: it is down"]);
    let record = outcomes(&resolver).1.pop().unwrap();
    assert_eq!((record.get("cached").unwrap(), record.get("stale_seconds").unwrap()), (&true.into(), &0.into()));
    // So it does for many, where each is read by itself, and none for a secret that was never read.
    let answers = resolver.read_many(&[target("a"), target("b")]).await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_denial_or_a_secret_that_is_gone_is_never_answered_by_a_copy_and_drops_it() {
    let directory = tempfile::tempdir().unwrap();
    let (two, manner) = (Two { rules: PAST, ..Two::default() }, falling_back());
    let resolver = over(&two, directory.path(), &manner);
    for (state, kind) in [(&two.main.denies, Some(Kind::AccessDenied)), (&two.main.is_empty, None)] {
        resolver.read(target("a")).await.unwrap().unwrap();
        state.store(true, Ordering::SeqCst);
        let answer = resolver.read(target("a")).await;
        assert_eq!(answer.as_ref().err().map(|failure| failure.kind), kind);
        assert!(!answer.is_ok_and(|secret| secret.is_some()));
        // Not even once the backend is away: what it denied is gone from the cache.
        state.store(false, Ordering::SeqCst);
        two.main.is_away.store(true, Ordering::SeqCst);
        let alone = over(&two, directory.path(), &Manner::default());
        assert!(alone.read(target("a")).await.is_err());
        let Err(_) = resolver.read_one(target("a"), None).await else { unreachable!("a copy outlived its denial") };
        two.main.is_away.store(false, Ordering::SeqCst);
    }
    assert_eq!(two.spare.asked(), 0, "another provider answered what this one had answered");
}

#[tokio::test]
async fn a_stand_in_answers_a_bare_path_alone_and_only_while_the_backend_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let (two, manner) = (Two::default(), falling_back());
    let resolver = over(&two, directory.path(), &manner);
    two.main.is_away.store(true, Ordering::SeqCst);
    assert!(resolver.read(target("a")).await.unwrap().is_some());
    assert_eq!(told(&manner), ["`store://spare/a` answers in place of `a`: it is down"]);
    let record = outcomes(&resolver).1.pop().unwrap();
    assert_eq!((record.get("provider").unwrap(), record.get("fallback_for").unwrap()), (&"spare".into(), &"a".into()));
    let named = Target { provider: Some("main"), path: "a", version: None };
    let version = Target { provider: None, path: "a", version: Some("1") };
    let answers = resolver.read_many(&[named, version, target("b")]).await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, false, true]);
    two.main.is_away.store(false, Ordering::SeqCst);
    two.main.denies.store(true, Ordering::SeqCst);
    let before = two.spare.asked();
    assert_eq!(resolver.read(target("c")).await.unwrap_err().kind, Kind::AccessDenied);
    assert_eq!(resolver.read_many(&[target("c")]).await.pop().unwrap().unwrap_err().kind, Kind::AccessDenied);
    assert_eq!(two.spare.asked(), before);
}

#[tokio::test]
async fn a_reference_has_stand_ins_of_its_own_or_those_of_the_default_provider() {
    let directory = tempfile::tempdir().unwrap();
    let (two, manner) = (Two::default(), falling_back());
    let resolver = over(&two, directory.path(), &manner);
    two.main.is_away.store(true, Ordering::SeqCst);
    let wanted = |text: &str, fallback: &[&str]| Wanted {
        fallback: fallback.iter().map(|text| text.parse().unwrap()).collect(),
        ..Wanted::new("here", text.parse().unwrap())
    };
    let all = [
        wanted("a", &[]),
        wanted("a", &["store://main/b", "store://spare/c"]),
        wanted("store://main/a", &[]),
        wanted("a?version=1", &[]),
    ];
    let answers = resolver.read_wanted(&all).await;
    let values: Vec<Option<&[u8]>> =
        answers.iter().map(|answer| answer.as_ref().ok().map(|value| value.expose())).collect();
    let expected: [Option<&[u8]>; 4] = [Some(b"a"), Some(b"c"), None, None];
    assert_eq!(values, expected);
    let told = told(&manner);
    assert!(told.contains(&"`store://spare/a` answers in place of `a`: it is down".to_owned()), "{told:?}");
    let both = "`store://spare/c` answers in place of `a`: it is down; in its place `store://main/b`: it is down";
    assert!(told.contains(&both.to_owned()), "{told:?}");
    // One that has answered ends it, whatever it said.
    two.spare.denies.store(true, Ordering::SeqCst);
    let own = wanted("a", &["store://spare/d", "store://spare/e"]);
    let failure = resolver.read_wanted(&[own]).await.pop().unwrap().unwrap_err();
    assert_eq!(failure.what, "it is down; in its place `store://spare/d`: it says no");
    two.main.is_away.store(false, Ordering::SeqCst);
    two.main.denies.store(true, Ordering::SeqCst);
    let before = two.spare.asked();
    let own = wanted("f", &["store://spare/f"]);
    assert_eq!(resolver.read_wanted(&[own]).await.pop().unwrap().unwrap_err().kind, Kind::AccessDenied);
    assert_eq!(two.spare.asked(), before);
}

#[tokio::test]
async fn where_the_stand_in_fails_too_both_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let (two, manner) = (Two::default(), falling_back());
    let resolver = over(&two, directory.path(), &manner);
    two.main.is_away.store(true, Ordering::SeqCst);
    for (state, why) in [(&two.spare.denies, "it says no"), (&two.spare.is_empty, "there is no such secret or version")]
    {
        state.store(true, Ordering::SeqCst);
        let failure = resolver.read(target("a")).await.unwrap_err();
        assert_eq!(failure.what, format!("it is down; in its place `store://spare/a`: {why}"));
        assert_eq!(failure.kind, Kind::Unavailable);
        state.store(false, Ordering::SeqCst);
    }
    assert!(told(&manner).is_empty());
}

#[tokio::test]
async fn a_refresh_passes_by_copies_and_replaces_them() {
    let directory = tempfile::tempdir().unwrap();
    let two = Two::default();
    let refreshing = over(&two, directory.path(), &Manner { mode: Mode::Refresh, ..Manner::default() });
    refreshing.read(target("a")).await.unwrap();
    refreshing.read(target("a")).await.unwrap();
    assert_eq!(two.main.asked(), 2);
    two.main.is_away.store(true, Ordering::SeqCst);
    assert_eq!(refreshing.read(target("a")).await.unwrap_err().kind, Kind::Unavailable);
}

#[tokio::test]
async fn offline_asks_no_backend_that_needs_the_network() {
    let directory = tempfile::tempdir().unwrap();
    let (two, manner) = (Two::default(), Manner { mode: Mode::Offline, ..falling_back() });
    let resolver = over(&two, directory.path(), &manner);
    let named = Target { provider: Some("main"), path: "a", version: None };
    let failure = resolver.read(named).await.unwrap_err();
    assert_eq!(failure.what, "`main` needs the network, and `--offline` was asked for");
    assert_eq!(failure.kind, Kind::Unavailable);
    assert_eq!(resolver.list(named, None, 10).await.unwrap_err().kind, Kind::Unavailable);
    assert_eq!(resolver.delete(named).await.unwrap_err().kind, Kind::Unavailable);
    assert!(resolver.read(target("a")).await.unwrap().is_some(), "what needs no network stands in for it");
    assert_eq!((two.main.asked(), two.spare.asked()), (0, 1));
}

#[tokio::test]
async fn a_copy_that_is_read_anew_in_the_background_answers_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let two = Two { rules: PAST, ..Two::default() };
    let manner = Manner { while_revalidated: Duration::from_secs(60), ..Manner::default() };
    let resolver = over(&two, directory.path(), &manner);
    resolver.read(target("a")).await.unwrap();
    resolver.read(target("a")).await.unwrap();
    resolver.read(target("a")).await.unwrap();
    assert_eq!(two.main.asked(), 1);
    assert_eq!((resolver.revalidate().await, two.main.asked(), resolver.revalidate().await), (1, 2, 0));
    // A denial ends that as any other copy.
    two.main.denies.store(true, Ordering::SeqCst);
    resolver.read(target("a")).await.unwrap();
    resolver.revalidate().await;
    assert_eq!(resolver.read(target("a")).await.unwrap_err().kind, Kind::AccessDenied);
}

#[tokio::test]
async fn a_secret_with_a_limit_of_its_own_is_not_kept_longer() {
    let directory = tempfile::tempdir().unwrap();
    let two = Two::default();
    let limits = [(("main".to_owned(), "a".to_owned()), Duration::ZERO)].into();
    let resolver = over(&two, directory.path(), &Manner { limits, ..Manner::default() });
    for path in ["a", "a", "b", "b"] {
        resolver.read(target(path)).await.unwrap();
    }
    assert_eq!(two.main.asked(), 3);
    let counts = resolver.cache().counts().await;
    assert_eq!((counts.hits, counts.misses, counts.entries), (1, 1, 1));
    resolver.warm(&[target("c")]).await.into_iter().for_each(Result::unwrap);
    resolver.read(target("c")).await.unwrap();
    assert_eq!(two.main.asked(), 4);
}
