//! What the resolver promises whoever stands behind the provider.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::Kind;
use crate::audit::{Expected, Settings, Who};
use crate::home::Home;
use crate::provider::CallLog;
use crate::secret::{Value, VersionState};

mod copies;
mod metrics;
mod policy;
mod references;

#[derive(Debug, Default)]
struct Memory {
    reads: AtomicU32,
    /// How many secrets a batch has; none is none.
    batch: usize,
    batches: AtomicU32,
    /// What happens during the twentieth read.
    twentieth: Option<Happens>,
}

/// Something that a test has happen.
struct Happens(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Happens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Happens")
    }
}

#[async_trait]
impl SecretProvider for Memory {
    fn check_ability(&self, _: Action) -> Result<(), Failure> {
        Ok(())
    }

    async fn get(&self, _: &CallLog, path: &str, _: Option<&str>) -> Result<Option<Secret>, Failure> {
        if let (19, Some(happens)) = (self.reads.fetch_add(1, Ordering::Relaxed), &self.twentieth) {
            happens.0();
        }
        match path {
            "missing" => Ok(None),
            "broken" => Err(Failure::new(Kind::Unavailable, "it is down")),
            _ => Ok(Some(Secret { value: Value::new(b"hunter2-hunter2".to_vec()), ..Secret::default() })),
        }
    }
    fn batch_max(&self) -> usize {
        self.batch.max(1)
    }
    async fn get_many(&self, _: &CallLog, paths: &[&str]) -> Result<Vec<Result<Option<Secret>, Failure>>, Failure> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        let answer = |path: &&str| match *path {
            "missing" => Ok(None),
            "broken" => Err(Failure::new(Kind::Unavailable, "it is down")),
            "alone" => Err(Failure::new(Kind::AccessDenied, "not in a batch")),
            path => Ok(Some(Secret { value: Value::new(path.as_bytes().to_vec()), ..Secret::default() })),
        };
        let denied = |status| Err(Failure { status: Some(status), ..Failure::new(Kind::AccessDenied, "no") });
        match paths {
            ["whole", ..] => Err(Failure::new(Kind::TooLarge, "not all of it")),
            ["each", ..] => Ok(paths.iter().map(|_| denied(200)).collect()),
            ["denied", ..] => Ok(paths.iter().map(|_| denied(403)).collect()),
            _ => Ok(paths.iter().map(answer).collect()),
        }
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
    async fn put(&self, _: &CallLog, _: &str, _: &[u8], _: &PutOptions) -> Result<SecretVersion, Failure> {
        let state = VersionState::Enabled;
        Ok(SecretVersion {
            id: "1".to_owned(),
            created_at: None,
            expires_at: None,
            state,
            labels: Vec::new(),
            current: true,
            attributes: Vec::new(),
        })
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

struct One(Opened);

#[async_trait]
impl Providers for One {
    async fn open(&self, name: Option<&str>) -> Result<Opened, Failure> {
        match name {
            Some("closed") => Err(Failure::new(Kind::NotGranted, "nobody has allowed it")),
            _ => Ok(self.0.clone()),
        }
    }
}

fn resolver(memory: &Arc<Memory>, data: &std::path::Path) -> Resolver {
    let opened = Opened {
        provider: memory.clone(),
        identity: Arc::new(Identity {
            provider: "mem".to_owned(),
            grant: "g".to_owned(),
            plugin: "d".to_owned(),
            credential: String::new(),
        }),
        terms: Terms { is_remote: true, ..Terms::default() },
    };
    let caller = Caller { user: "tester".into() };
    let home = Home { config: data.join("c"), data: data.to_owned(), cache: data.join("k"), keyring: None };
    let audit = Audit::new(&home, Settings::default(), Who::default());
    Resolver::new(Box::new(One(opened)), caller, Policy::default(), Cache::new(10), audit)
}

/// The log's text, and the outcomes in it.
fn outcomes(resolver: &Resolver) -> (String, Vec<serde_json::Value>) {
    let log = std::fs::read_to_string(resolver.audit.file()).unwrap();
    let records: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| {
        records.iter().filter(|record| record.get("event").unwrap() == event).cloned().collect::<Vec<_>>()
    };
    let (mut begun, ended) = (of("begin"), of("operation"));
    // Changes have beginnings as well.
    begun.retain(|record| record.get("change").is_none());
    // Each outcome has a beginning of the same name before it, and each beginning an outcome.
    assert_eq!(begun.len(), ended.len());
    for record in &ended {
        let id = record.get("id").unwrap();
        assert!(begun.iter().any(|begin| begin.get("id").unwrap() == id && begin.get("path") == record.get("path")));
    }
    (log, ended)
}

fn target(path: &str) -> Target<'_> {
    Target { provider: None, path, version: None }
}

#[tokio::test]
async fn every_operation_leaves_one_record_and_no_value() {
    let directory = tempfile::tempdir().unwrap();
    let resolver = resolver(&Arc::default(), directory.path());
    resolver.read(target("a")).await.unwrap();
    resolver.read(target("missing")).await.unwrap();
    resolver.read(target("broken")).await.unwrap_err();
    resolver.write(target("a"), b"hunter2-hunter2", &PutOptions::default()).await.unwrap();
    resolver.list(target(""), None, 10).await.unwrap();
    resolver.delete(target("a")).await.unwrap();
    resolver.check(None).await.unwrap();
    let (log, records) = outcomes(&resolver);
    let of = |name: &str| records.iter().map(|r| r.get(name).unwrap().as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(of("operation"), ["get", "get", "get", "set", "list", "delete", "check"]);
    assert_eq!(of("outcome"), ["ok", "ok", "unavailable", "ok", "ok", "ok", "ok"]);
    assert!(!log.contains("hunter2"));
    // A value is there as its keyed HMAC, where one was handed out or written.
    let value = resolver.audit.hash(b"hunter2-hunter2").unwrap();
    let with: Vec<bool> = records.iter().map(|r| r.get("value_hmac").is_some_and(|hmac| *hmac == *value)).collect();
    assert_eq!(with, [true, false, false, true, false, false, false]);
}

#[tokio::test]
async fn a_provider_that_cannot_be_opened_is_on_record() {
    let directory = tempfile::tempdir().unwrap();
    let resolver = resolver(&Arc::default(), directory.path());
    resolver.read(Target { provider: Some("closed"), path: "a", version: None }).await.unwrap_err();
    let record = outcomes(&resolver).1.remove(0);
    let of = |name: &str| record.get(name).and_then(|value| value.as_str()).unwrap();
    assert_eq!((of("provider"), of("operation"), of("outcome")), ("closed", "get", "not-granted"));
}

#[tokio::test]
async fn nothing_is_answered_when_it_cannot_be_recorded() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("audit"), b"a file where the directory should be").unwrap();
    let resolver = resolver(&Arc::default(), directory.path());
    let failure = resolver.read(target("a")).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Internal);
}

#[tokio::test]
async fn a_second_read_is_a_copy_until_a_write() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Arc::<Memory>::default();
    let resolver = resolver(&memory, directory.path());
    for _ in 0..3 {
        resolver.read(target("a")).await.unwrap();
    }
    assert_eq!(memory.reads.load(Ordering::Relaxed), 1);
    resolver.write(target("a"), b"x", &PutOptions::default()).await.unwrap();
    resolver.read(target("a")).await.unwrap();
    assert_eq!(memory.reads.load(Ordering::Relaxed), 2);
}

/// What is read of these paths: the value's text, `-` for none, or the kind of the failure.
async fn many(resolver: &Resolver, paths: &[&str]) -> Vec<String> {
    let targets: Vec<Target<'_>> = paths.iter().map(|path| target(path)).collect();
    let told = |answer: Result<Option<Secret>, Failure>| match answer {
        Ok(Some(secret)) => String::from_utf8(secret.value.expose().to_vec()).unwrap(),
        Ok(None) => "-".to_owned(),
        Err(failure) => failure.kind.token().to_owned(),
    };
    resolver.read_many(&targets).await.into_iter().map(told).collect()
}

#[tokio::test]
async fn many_are_read_in_batches_in_their_order_and_each_is_on_record() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Arc::new(Memory { batch: 3, ..Memory::default() });
    let resolver = resolver(&memory, directory.path());
    let paths = ["a", "missing", "b", "alone", "c", "broken", "a", "d"];
    let expected = ["a", "-", "b", "hunter2-hunter2", "c", "unavailable", "a", "hunter2-hunter2"];
    assert_eq!(many(&resolver, &paths).await, expected);
    let counted = || (memory.batches.load(Ordering::Relaxed), memory.reads.load(Ordering::Relaxed));
    // Two that a batch did not answer, and the last one go alone; a path that stands twice is read once.
    assert_eq!(counted(), (2, 3));
    let (_, records) = outcomes(&resolver);
    let mut read: Vec<String> =
        records.iter().map(|record| record.get("path").unwrap().as_str().unwrap().to_owned()).collect();
    read.sort_unstable();
    assert_eq!(read, ["a", "a", "alone", "b", "broken", "c", "d", "missing"]);
    // What was read is a copy from now on, which is on record as well.
    assert_eq!(many(&resolver, &["b", "c"]).await, ["b", "c"]);
    let (_, records) = outcomes(&resolver);
    assert_eq!(records.iter().filter(|record| record.get("cached").unwrap() == true).count(), 3);
    assert!(resolver.audit.verify(Expected::default()).unwrap().fault.is_none());
    assert_eq!(counted(), (2, 3));
}

#[tokio::test]
async fn of_many_reads_only_those_are_answered_whose_outcome_is_on_record() {
    let directory = tempfile::tempdir().unwrap();
    let (folder, moved) = (directory.path().join("audit"), directory.path().join("moved"));
    let (from, to) = (folder.clone(), moved.clone());
    // The log is gone from one read to the next, and where it was none can be begun.
    let happens = move || {
        std::fs::rename(&from, &to).unwrap();
        std::fs::write(&from, b"a file where the directory should be").unwrap();
    };
    let memory = Arc::new(Memory { twentieth: Some(Happens(Box::new(happens))), ..Memory::default() });
    let resolver = resolver(&memory, directory.path());
    let paths: Vec<String> = (0..40).map(|number| format!("p{number}")).collect();
    let answers = many(&resolver, &paths.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let log = std::fs::read_to_string(moved.join("audit.jsonl")).unwrap();
    let records: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let has_outcome =
        |path: &String| records.iter().any(|record| record["event"] == "operation" && record["path"] == **path);
    for (path, answer) in paths.iter().zip(&answers) {
        assert_eq!(answer == "hunter2-hunter2", has_outcome(path), "{path}: {answer}");
    }
    let answered = answers.iter().filter(|answer| *answer != "internal").count();
    assert!((1..40).contains(&answered), "{answers:?}");
    assert_eq!(records.iter().filter(|record| record["event"] == "begin" && record["operation"] == "get").count(), 40);
}

#[tokio::test]
async fn a_backend_that_refuses_a_whole_batch_is_read_one_by_one_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Arc::new(Memory { batch: 2, ..Memory::default() });
    let resolver = resolver(&memory, directory.path());
    let whole = "hunter2-hunter2";
    // A batch that fails for another reason says nothing of the next one.
    assert_eq!(many(&resolver, &["whole", "b"]).await, [whole; 2]);
    assert_eq!(many(&resolver, &["c", "e"]).await, ["c", "e"]);
    // Nor does one that was answered, by a denial of each.
    assert_eq!(many(&resolver, &["each", "i"]).await, [whole; 2]);
    assert_eq!(many(&resolver, &["j", "k"]).await, ["j", "k"]);
    assert_eq!(many(&resolver, &["denied", "f"]).await, [whole; 2]);
    assert_eq!(many(&resolver, &["g", "h"]).await, [whole; 2]);
    assert_eq!(memory.batches.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn many_of_a_provider_that_can_not_be_opened_are_told_and_the_others_read() {
    let directory = tempfile::tempdir().unwrap();
    let resolver = resolver(&Arc::new(Memory { batch: 3, ..Memory::default() }), directory.path());
    let closed = Target { provider: Some("closed"), path: "a", version: None };
    let old = Target { provider: None, path: "a", version: Some("1") };
    let answers = resolver.read_many(&[closed, target("a"), old, target("b"), closed]).await;
    let told: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(told, [false, true, true, true, false]);
    assert!(resolver.read_many(&[]).await.is_empty());
}
