//! What a resolver counts of what it was asked.

use super::*;

#[tokio::test]
async fn every_operation_is_counted_once_however_it_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let resolver = resolver(&Arc::new(Memory { batch: 3, ..Memory::default() }), directory.path());
    resolver.read(target("a")).await.unwrap();
    resolver.read(target("a")).await.unwrap();
    resolver.read(target("broken")).await.unwrap_err();
    resolver.write(target("a"), b"x", &PutOptions::default()).await.unwrap();
    resolver.read(Target { provider: Some("closed"), path: "a", version: None }).await.unwrap_err();
    // One of the batch is asked for again by itself, and one is a copy.
    resolver.read_many(&[target("b"), target("alone"), target("c")]).await;
    resolver.read_many(&[target("b")]).await;
    let counted = resolver.metrics().snapshot();
    let (_, records) = outcomes(&resolver);
    assert_eq!(counted.operations, records.len() as u64);
    assert_eq!((counted.operations, counted.cache_hits, counted.cache_misses), (9, 2, 5));
    assert_eq!(counted.by_operation.get("set").unwrap().count, 1);
    assert_eq!(counted.failures.get("unavailable"), Some(&1));
    assert_eq!(counted.failures.get("not-granted"), Some(&1));
    // The log says the same to whoever was not there.
    let log = crate::metrics::of_log(&resolver.audit.files().unwrap(), 0).unwrap().counted;
    let of = |snapshot: &crate::metrics::Snapshot| {
        (snapshot.operations, snapshot.failures.clone(), snapshot.cache_hits, snapshot.cache_misses)
    };
    assert_eq!(of(&log), of(&counted));
}
