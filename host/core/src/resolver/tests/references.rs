//! References of files and programs: what is read for them, what they become, and what is told of those without a value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;
use crate::document::resolve;
use crate::resolver::references::{Wanted, all_or_failure};

/// A resolver over a provider whose secrets, in batches, hold their own names.
fn echoing(directory: &std::path::Path) -> (Arc<Memory>, Resolver) {
    let memory = Arc::new(Memory { batch: 10, ..Memory::default() });
    let resolver = resolver(&memory, directory);
    (memory, resolver)
}

fn wanted(references: &[&str]) -> Vec<Wanted> {
    let of = |(line, text): (usize, &&str)| Wanted::new(format!("f:{line}"), text.parse().unwrap());
    references.iter().enumerate().map(of).collect()
}

#[tokio::test]
async fn a_secret_is_read_once_for_all_its_fields_and_all_names_of_its_provider() {
    let directory = tempfile::tempdir().unwrap();
    let (memory, resolver) = echoing(directory.path());
    let map = "%7B%22user%22:%22me%22,%22none%22:null%7D";
    let texts = [
        format!("{map}#user"),
        "plain".to_owned(),
        format!("store://mem/{map}#/user"),
        format!("store://alias/{map}"),
        "store://mem/plain?version=2".to_owned(),
    ];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let answers = resolver.read_wanted(&wanted(&texts)).await;
    let values: Vec<&[u8]> = answers.iter().map(|answer| answer.as_ref().unwrap().expose()).collect();
    let whole: &[u8] = br#"{"user":"me","none":null}"#;
    let expected: [&[u8]; 5] = [b"me", b"plain", b"me", whole, b"hunter2-hunter2"];
    assert_eq!(values, expected);
    assert_eq!(memory.batches.load(Ordering::Relaxed), 1);
    let log = std::fs::read_to_string(resolver.audit.file()).unwrap();
    let operations = log.lines().filter(|line| line.contains("\"event\":\"operation\"")).count();
    assert_eq!(operations, 3, "two secrets and a version of one: {log}");
}

#[tokio::test]
async fn everything_without_a_value_is_told_at_once_and_the_worst_decides() {
    let directory = tempfile::tempdir().unwrap();
    let (_, resolver) = echoing(directory.path());
    let all = wanted(&["missing", "good", "%7B%22a%22:null%7D#a", "good#x"]);
    let answers = resolver.read_wanted(&all).await;
    let failure = all_or_failure(&all, answers).unwrap_err();
    assert_eq!(
        failure.what,
        "3 references have no value\n  f:0: can't read `missing`: there is no such secret or version\
         \n  f:2: can't read `%7B%22a%22:null%7D#a`: field `a`: there is no such field\
         \n  f:3: can't read `good#x`: field `x`: the value is not a JSON object, so it has no fields"
    );
    assert_eq!(failure.kind, Kind::InvalidRequest);
    let missing = wanted(&["missing", "good"]);
    let failure = all_or_failure(&missing, resolver.read_wanted(&missing).await).unwrap_err();
    assert_eq!((failure.kind, failure.what.lines().count()), (Kind::NotFound, 1));
    let closed = wanted(&["missing", "store://closed/a"]);
    let failure = all_or_failure(&closed, resolver.read_wanted(&closed).await).unwrap_err();
    assert_eq!(failure.kind, Kind::NotGranted);
    let many: Vec<String> = (0..300).map(|number| format!("missing?version={number}")).collect();
    let many = wanted(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let answers = many.iter().map(|_| Err(Failure::new(Kind::NotFound, "x"))).collect();
    assert!(all_or_failure(&many, answers).unwrap_err().what.ends_with("\n  and 200 more"));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    url: String,
    port: u16,
    ratio: f64,
    keys: Vec<Option<String>>,
    more: BTreeMap<String, String>,
}

fn settings(key: &str) -> Settings {
    Settings {
        url: "https://u:${secret:p%22w}@h/${OTHER}".to_owned(),
        port: 80,
        ratio: 0.1,
        keys: vec![Some(key.to_owned()), None],
        more: BTreeMap::from([("a/b".to_owned(), "$${secret:x}".to_owned())]),
    }
}

#[tokio::test]
async fn one_call_puts_secrets_into_the_values_of_a_program() {
    let directory = tempfile::tempdir().unwrap();
    let (memory, resolver) = echoing(directory.path());
    let resolved = resolve(&resolver, &settings("${secret:$%7Bsecret:a%7D}${secret:p%22w}")).await.unwrap();
    let more = BTreeMap::from([("a/b".to_owned(), "${secret:x}".to_owned())]);
    let expected = Settings {
        url: "https://u:p\"w@h/${OTHER}".to_owned(),
        keys: vec![Some("${secret:a}p\"w".to_owned()), None],
        more,
        ..settings("")
    };
    assert_eq!(resolved, expected);
    assert_eq!(memory.batches.load(Ordering::Relaxed), 1);
    let plain = Settings { url: String::new(), ..settings("x") };
    assert_eq!(resolve(&resolver, &plain).await.unwrap().keys, plain.keys);
}

#[tokio::test]
async fn what_a_program_can_not_be_given_is_told_by_its_place_and_never_by_its_value() {
    let directory = tempfile::tempdir().unwrap();
    let (_, resolver) = echoing(directory.path());
    let failure = resolve(&resolver, &settings("${secret:missing}")).await.unwrap_err();
    assert_eq!(failure.what, "/keys/0: can't read `missing`: there is no such secret or version");
    assert_eq!(failure.kind, Kind::NotFound);
    for (text, place) in [("${secret:a", "`/keys/0`"), ("${secret:}", "`/keys/0`")] {
        let failure = resolve(&resolver, &settings(text)).await.unwrap_err();
        assert!(failure.what.starts_with(place) && failure.kind == Kind::InvalidRequest, "{}", failure.what);
    }
    let named = BTreeMap::from([("${secret:a}".to_owned(), 1)]);
    assert_eq!(resolve(&resolver, &named).await.unwrap_err().kind, Kind::InvalidRequest);
    /// Takes one text alone, which its parser's error repeats.
    #[derive(Debug, Serialize, Deserialize)]
    enum Choice {
        #[serde(rename(serialize = "${secret:canary}"))]
        One,
    }
    let failure = resolve(&resolver, &Choice::One).await.unwrap_err();
    assert!(!failure.what.contains("canary"), "{}", failure.what);
}
