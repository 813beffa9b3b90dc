//! No way around the policy: whatever is asked of a resolver whose policy denies everything, the provider hears nothing.

use super::*;
use crate::config::{Layer, Owner, Place};
use crate::policy::{Names, Principal};

/// A resolver with this policy for the user 1000.
fn under(policy: &str, memory: &Arc<Memory>, data: &std::path::Path) -> Resolver {
    let place = Place { owner: Owner::User, file: data.join("config.toml") };
    let sources = Layer::parse(policy.as_bytes(), &place).unwrap().policies;
    let policy = Policy::new(&sources, Principal::new(1000, [], &Names::default()), None);
    Resolver { policy, ..resolver(memory, data) }
}

fn told<T>(name: &'static str, answer: Result<T, Failure>) -> (&'static str, &'static str) {
    (name, answer.err().map_or("ok", |failure| failure.kind.token()))
}

/// What every entry answers: the kind of its failure, or `ok`.
async fn every_entry(resolver: &Resolver) -> Vec<(&'static str, &'static str)> {
    let a = || Target { provider: None, path: "app/a", version: Some("1") };
    let now = || target("app/a");
    let options = PutOptions::default();
    let wanted = crate::resolver::references::Wanted::new("here", "app/b".parse().unwrap());
    let mut all = vec![
        told("prepare", resolver.prepare(now(), Action::Set).await),
        told("read", resolver.read(now()).await),
        told("write", resolver.write(now(), b"x", &options).await),
        told("delete", resolver.delete(now()).await),
        told("recover", resolver.recover(now()).await),
        told("purge", resolver.purge(now()).await),
        told("versions", resolver.versions(now(), None, 10).await),
        told("rollback", resolver.rollback(a()).await),
        told("rotate", resolver.rotate(now()).await),
        told("set_state", resolver.set_state(a(), VersionState::Enabled).await),
        told("describe", resolver.describe(now()).await),
        told("list", resolver.list(target("app"), None, 10).await),
        told("check", resolver.check(None).await),
        told("read_wanted", resolver.read_wanted(&[wanted]).await.remove(0)),
    ];
    all.push(told("warm", resolver.warm(&[target("app/e")]).await.remove(0)));
    for answer in resolver.read_many(&[target("app/c"), target("app/d")]).await {
        all.push(told("read_many", answer));
    }
    all
}

#[tokio::test]
async fn a_policy_that_denies_everything_lets_no_entry_through_and_each_refusal_is_on_record() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Arc::new(Memory { batch: 3, ..Memory::default() });
    let resolver = under("[policy]\n", &memory, directory.path());
    let told = every_entry(&resolver).await;
    assert!(told.iter().all(|(_, kind)| *kind == "access-denied"), "{told:?}");
    assert_eq!((memory.reads.load(Ordering::Relaxed), memory.batches.load(Ordering::Relaxed)), (0, 0));
    let (_, records) = outcomes(&resolver);
    assert_eq!(records.len(), told.len());
    for record in &records {
        let of = |name: &str| record.get(name).unwrap().clone();
        assert_eq!(
            (of("allowed"), of("rule"), of("outcome")),
            (false.into(), "no-rule".into(), "access-denied".into())
        );
    }
}

#[tokio::test]
async fn a_policy_that_allows_everything_lets_every_entry_through() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[policy.roles.all]\nmembers = [\"user:1000\"]\nallow = [\"* store://mem/**\"]\n";
    let resolver = under(text, &Arc::new(Memory { batch: 3, ..Memory::default() }), directory.path());
    let told = every_entry(&resolver).await;
    assert!(told.iter().all(|(_, kind)| *kind == "ok"), "{told:?}");
    let (_, records) = outcomes(&resolver);
    assert!(records.iter().all(|record| *record.get("rule").unwrap() == "all.allow.1"));
}

#[tokio::test]
async fn a_copy_in_the_cache_is_no_way_around_a_policy() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Arc::<Memory>::default();
    let all = "[policy.roles.all]\nmembers = [\"user:1000\"]\nallow = [\"* store://mem/**\"]\n";
    let open = under(all, &memory, directory.path());
    open.read(target("app/a")).await.unwrap();
    let closed = Resolver { policy: under("[policy]\n", &memory, directory.path()).policy, ..open };
    assert_eq!(closed.read(target("app/a")).await.unwrap_err().kind, Kind::AccessDenied);
    assert_eq!(memory.reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn one_secret_that_is_denied_keeps_no_other_of_its_batch_from_its_reader() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Arc::new(Memory { batch: 3, ..Memory::default() });
    let text = "[policy.roles.r]\nmembers = [\"user:1000\"]\nallow = [\"read store://mem/app/*\"]\ndeny = [\"get store://mem/app/b\"]\n";
    let resolver = under(text, &memory, directory.path());
    assert_eq!(
        many(&resolver, &["app/a", "app/b", "app/c", "other"]).await,
        ["app/a", "access-denied", "app/c", "access-denied"]
    );
}

#[tokio::test]
async fn other_rules_are_on_record_before_they_decide_and_once() {
    let directory = tempfile::tempdir().unwrap();
    let all = "[policy.roles.all]\nmembers = [\"user:1000\"]\nallow = [\"* store://mem/**\"]\n";
    let changes = |resolver: &Resolver| {
        let log = std::fs::read_to_string(resolver.audit.file()).unwrap();
        let records: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of =
            |record: &serde_json::Value, name: &str| record.get(name).and_then(|text| text.as_str().map(str::to_owned));
        let is_change = |record: &&serde_json::Value| of(record, "event").as_deref() == Some("change");
        let told = |record: &serde_json::Value| (of(record, "change").unwrap(), of(record, "subject").unwrap());
        records.iter().filter(is_change).map(told).collect::<Vec<_>>()
    };
    let memory = Arc::<Memory>::default();
    // Nothing is to be told where there never was one.
    let none = under("", &memory, directory.path());
    none.read(target("app/a")).await.unwrap();
    assert_eq!(changes(&none), []);
    let mut subjects = Vec::new();
    for text in [all, all, "[policy]\n", "policy = 1\n", ""] {
        let resolver = under(text, &memory, directory.path());
        for _ in 0..2 {
            let answer = resolver.read(target("app/a")).await;
            assert_eq!(answer.is_ok(), text == all || text.is_empty());
        }
        subjects = changes(&resolver);
    }
    assert!(subjects.iter().all(|(change, _)| change == "policy"));
    let subjects: Vec<&str> = subjects.iter().map(|(_, subject)| subject.as_str()).collect();
    assert!(matches!(subjects[..], [first, second, "unusable", "none"] if first != second && first.len() == 64));
}
