//! What a copy is good for, and for whom.

use std::time::Duration;

use super::*;

const RULES: Rules = Rules {
    time_to_live: Duration::from_secs(60),
    negative: Duration::from_secs(10),
    max_stale: Duration::from_secs(600),
    disk: false,
};

pub(super) fn key(path: &str) -> CacheKey {
    CacheKey {
        caller: Caller { user: "one".into() },
        identity: Arc::new(identity()),
        path: path.to_owned(),
        version: None,
    }
}

fn identity() -> Identity {
    Identity {
        provider: "prod".to_owned(),
        grant: "grant".to_owned(),
        plugin: "plugin".to_owned(),
        credential: "credential".to_owned(),
    }
}

pub(super) fn secret(text: &str) -> Secret {
    Secret { value: crate::secret::Value::new(text.as_bytes().to_vec()), ..Secret::default() }
}

/// Keys that differ from that of `path` in one part each.
pub(super) fn others(path: &str) -> Vec<CacheKey> {
    let own = || key(path);
    let of = |identity| CacheKey { identity: Arc::new(identity), ..own() };
    vec![
        CacheKey { caller: Caller { user: "two".into() }, ..own() },
        of(Identity { provider: "other".to_owned(), ..identity() }),
        of(Identity { grant: "changed".to_owned(), ..identity() }),
        of(Identity { plugin: "changed".to_owned(), ..identity() }),
        of(Identity { credential: "changed".to_owned(), ..identity() }),
        CacheKey { path: format!("{path}2"), ..own() },
        CacheKey { version: Some("1".to_owned()), ..own() },
    ]
}

async fn put(cache: &Cache, key: &CacheKey, rules: &Rules) {
    cache.keep(key, rules, &Some(secret("hunter2")), cache.begun()).await;
}

#[tokio::test]
async fn a_copy_is_only_for_whoever_read_it_in_the_same_way() {
    let cache = Cache::new(10);
    put(&cache, &key("a"), &RULES).await;
    assert!(cache.fresh(&key("a"), &RULES).await.is_some());
    for other in others("a") {
        assert!(cache.fresh(&other, &RULES).await.is_none(), "{other:?}");
        assert!(cache.stale(&other, &RULES).await.is_none(), "{other:?}");
    }
}

#[tokio::test]
async fn a_copy_past_its_time_answers_only_as_a_stale_one_and_only_as_long_as_the_rules_of_now_say() {
    let cache = Cache::new(10);
    put(&cache, &key("a"), &RULES).await;
    let past = Rules { time_to_live: Duration::from_nanos(1), ..RULES };
    std::thread::sleep(Duration::from_millis(2));
    assert!(cache.fresh(&key("a"), &past).await.is_none());
    assert!(cache.stale(&key("a"), &past).await.is_some());
    let never = Rules { max_stale: Duration::ZERO, ..past };
    assert!(cache.stale(&key("a"), &never).await.is_none());
    assert!(cache.fresh(&key("a"), &Rules::OFF).await.is_none());
}

#[tokio::test]
async fn that_there_is_nothing_is_believed_for_a_moment_and_never_while_a_backend_is_away() {
    let cache = Cache::new(10);
    cache.keep(&key("a"), &RULES, &None, cache.begun()).await;
    assert!(cache.fresh(&key("a"), &RULES).await.is_some_and(|copy| copy.answer.is_none()));
    assert!(cache.stale(&key("a"), &RULES).await.is_none());
    assert!(cache.fresh(&key("a"), &Rules { negative: Duration::ZERO, ..RULES }).await.is_none());
    // What is found later takes its place.
    put(&cache, &key("a"), &RULES).await;
    assert!(cache.fresh(&key("a"), &RULES).await.is_some_and(|copy| copy.answer.is_some()));
}

#[tokio::test]
async fn the_number_of_copies_is_bounded_and_large_values_are_not_kept() {
    let cache = Cache::new(3);
    for number in 0..50 {
        put(&cache, &key(&number.to_string()), &RULES).await;
    }
    assert_eq!(cache.counts().await.entries, 3);
    assert!(cache.fresh(&key("49"), &RULES).await.is_some(), "the newest made room for the oldest");
    let large = Some(secret(&"x".repeat(memory::LARGEST + 1)));
    put(&cache, &key("large"), &RULES).await;
    cache.keep(&key("large"), &RULES, &large, cache.begun()).await;
    assert!(cache.fresh(&key("large"), &RULES).await.is_none(), "an old copy of it stayed");
}

#[tokio::test]
async fn a_write_forgets_every_version_for_every_caller() {
    let cache = Cache::new(10);
    let own = key("a");
    let version = CacheKey { version: Some("1".to_owned()), ..key("a") };
    let caller = CacheKey { caller: Caller { user: "two".into() }, ..key("a") };
    for key in [&own, &version, &caller, &key("b")] {
        put(&cache, key, &RULES).await;
    }
    cache.forget("grant", "a").await;
    for gone in [&own, &version, &caller] {
        assert!(cache.fresh(gone, &RULES).await.is_none(), "{gone:?}");
    }
    assert!(cache.fresh(&key("b"), &RULES).await.is_some());
    cache.clear().await;
    assert!(cache.fresh(&key("b"), &RULES).await.is_none());
}

#[tokio::test]
async fn what_was_read_before_a_write_is_not_kept_after_it() {
    let cache = Cache::new(10);
    let begun = cache.begun();
    cache.forget("grant", "a").await;
    cache.keep(&key("a"), &RULES, &Some(secret("old")), begun).await;
    assert!(cache.fresh(&key("a"), &RULES).await.is_none());
}

#[tokio::test]
async fn nobody_joins_a_call_that_began_before_a_write() {
    let cache = Cache::new(10);
    let Boarding::Lead(_old) = cache.board(&key("a")) else { unreachable!("nobody is on the way") };
    assert!(matches!(cache.board(&key("a")), Boarding::Follow(_)));
    cache.forget("grant", "a").await;
    assert!(matches!(cache.board(&key("a")), Boarding::Lead(_)));
}

#[tokio::test]
async fn where_a_call_is_given_up_the_next_one_is_made() {
    let cache = Cache::new(10);
    let Boarding::Lead(flight) = cache.board(&key("a")) else { unreachable!("nobody is on the way") };
    let Boarding::Follow(waiting) = cache.board(&key("a")) else { unreachable!("somebody is on the way") };
    drop(flight);
    assert!(waiting.answer().await.is_none());
    assert!(matches!(cache.board(&key("a")), Boarding::Lead(_)));
}

#[test]
fn a_limit_of_one_secret_only_shortens() {
    let day = Duration::from_secs(86_400);
    assert_eq!(RULES.limited(day), RULES);
    let limited = RULES.limited(Duration::from_secs(90));
    assert_eq!((limited.time_to_live, limited.max_stale), (RULES.time_to_live, Duration::from_secs(30)));
    assert_eq!(Rules { disk: true, ..RULES }.limited(Duration::ZERO), Rules::OFF);
}
