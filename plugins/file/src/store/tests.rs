//! The store against the fake host: versions, states, deletions, and what a crash between two writes leaves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use forge_sdk::fake;

use super::*;

fn host() -> fake::Host {
    fake::Host::new().setting("path", "/store")
}

fn put(path: &str, value: &str) -> SecretVersion {
    super::put(path, value.as_bytes(), &PutOptions::default()).unwrap()
}

fn expecting(version: &str) -> PutOptions {
    PutOptions { expected_version: Some(version.to_owned()), ..PutOptions::default() }
}

fn value(path: &str, version: Option<&str>) -> Option<Vec<u8>> {
    get(path, version).unwrap().map(|secret| secret.value.into_bytes())
}

fn kind(error: Error) -> ErrorKind {
    error.kind()
}

fn listed(prefix: Option<&str>) -> Vec<String> {
    let mut paths = Vec::new();
    let mut cursor = None;
    loop {
        let page = list(prefix, cursor.as_deref(), 2).unwrap();
        assert!(page.entries.len() <= 2);
        paths.extend(page.entries.into_iter().map(|entry| entry.path));
        cursor = page.next;
        if cursor.is_none() {
            return paths;
        }
    }
}

fn ids(path: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let page = versions(path, cursor.as_deref(), 2).unwrap();
        ids.extend(page.versions.into_iter().map(|version| version.id));
        cursor = page.next;
        if cursor.is_none() {
            return ids;
        }
    }
}

#[test]
fn what_was_put_is_read_again_with_its_version_and_times() {
    host().at(1000).install();
    let options = PutOptions {
        content_type: Some("text/plain".into()),
        tags: vec![("team".into(), "a".into())],
        expires_at: Some(5000),
        ..PutOptions::default()
    };
    assert_eq!(super::put("app/db", &[0, 255, 10], &options).unwrap().id, "1");
    fake::set_clock(2000);
    let version = super::put("app/db", b"\xff\x00", &options).unwrap();
    assert_eq!((version.id.as_str(), version.current, version.created_at), ("2", true, Some(2000)));
    let secret = get("app/db", None).unwrap().unwrap();
    assert_eq!(secret.value.as_bytes(), b"\xff\x00");
    assert_eq!(secret.content_type.as_deref(), Some("text/plain"));
    assert_eq!(secret.version, Some(version));
    let entry = describe("app/db").unwrap().unwrap();
    assert_eq!(entry.tags, [("team".to_owned(), "a".to_owned())]);
    assert_eq!(entry.version.unwrap().expires_at, Some(5000));
    let expected = [("created-at".to_owned(), "1000".to_owned()), ("versions".to_owned(), "2".to_owned())];
    assert_eq!(entry.attributes, expected);
}

#[test]
fn absence_is_none_and_not_an_error() {
    host().install();
    assert_eq!(get("nothing", None).unwrap(), None);
    assert_eq!(describe("nothing").unwrap(), None);
    assert!(!delete("nothing", &Attributes::new()).unwrap());
    assert!(!purge("nothing").unwrap());
    assert_eq!(kind(versions("nothing", None, 5).unwrap_err()), ErrorKind::NotFound);
    assert_eq!(kind(recover("nothing").unwrap_err()), ErrorKind::NotFound);
    assert_eq!(kind(restore("nothing", "1").unwrap_err()), ErrorKind::NotFound);
}

#[test]
fn every_version_that_is_kept_is_read_by_its_number_and_an_older_one_is_gone_with_its_file() {
    host().setting("keep", "3").install();
    for number in 1..=5 {
        put("a", &format!("value {number}"));
    }
    assert_eq!(ids("a"), ["5", "4", "3"]);
    assert_eq!(value("a", Some("3")).unwrap(), b"value 3");
    assert_eq!(value("a", None).unwrap(), b"value 5");
    for absent in ["2", "6", "05", "five", ""] {
        assert_eq!(value("a", Some(absent)), None);
    }
    assert_eq!(fake::file_paths().len(), 4, "{:?}", fake::file_paths());
}

#[test]
fn a_number_of_versions_that_is_none_is_refused_and_nothing_is_written() {
    for keep in ["0", "101", "-1"] {
        host().setting("keep", keep).install();
        let error = super::put("a", b"x", &PutOptions::default()).unwrap_err();
        assert!(error.message().contains("1 to 100"), "{keep}");
        assert_eq!(fake::file_paths(), [""; 0]);
    }
}

#[test]
fn a_write_that_expects_another_version_is_a_conflict_and_changes_nothing() {
    host().install();
    assert_eq!(kind(super::put("a", b"x", &expecting("1")).unwrap_err()), ErrorKind::Conflict);
    assert_eq!(fake::file_paths(), [""; 0]);
    assert_eq!(super::put("a", b"one", &expecting("")).unwrap().id, "1");
    for wrong in ["", "0", "2", "01", "one"] {
        assert_eq!(kind(super::put("a", b"x", &expecting(wrong)).unwrap_err()), ErrorKind::Conflict);
    }
    assert_eq!(value("a", None).unwrap(), b"one");
    assert_eq!(super::put("a", b"two", &expecting("1")).unwrap().id, "2");
}

#[test]
fn an_expired_version_is_refused_and_described() {
    host().at(1000).install();
    let options = PutOptions { expires_at: Some(2000), ..PutOptions::default() };
    super::put("a", b"x", &options).unwrap();
    assert!(get("a", None).unwrap().is_some());
    fake::set_clock(2000);
    let error = get("a", None).unwrap_err();
    assert!(error.kind() == ErrorKind::WrongState && error.message().contains("expired"));
    assert_eq!(kind(restore("a", "1").unwrap_err()), ErrorKind::WrongState);
    assert_eq!(describe("a").unwrap().unwrap().version.unwrap().expires_at, Some(2000));
    assert_eq!(kind(super::put("a", b"y", &options).unwrap_err()), ErrorKind::InvalidRequest);
    put("a", "new");
    assert_eq!(value("a", None).unwrap(), b"new");
}

#[test]
fn a_disabled_version_is_refused_until_it_is_enabled() {
    host().install();
    put("a", "one");
    put("a", "two");
    set_state("a", "2", VersionState::Disabled).unwrap();
    assert_eq!(kind(get("a", None).unwrap_err()), ErrorKind::WrongState);
    assert_eq!(kind(restore("a", "2").unwrap_err()), ErrorKind::WrongState);
    assert_eq!(value("a", Some("1")).unwrap(), b"one");
    assert_eq!(describe("a").unwrap().unwrap().version.unwrap().state, VersionState::Disabled);
    set_state("a", "2", VersionState::Enabled).unwrap();
    assert_eq!(value("a", None).unwrap(), b"two");
    assert_eq!(kind(set_state("a", "9", VersionState::Enabled).unwrap_err()), ErrorKind::NotFound);
    assert_eq!(kind(set_state("a", "1", VersionState::Destroyed).unwrap_err()), ErrorKind::Unsupported);
}

#[test]
fn a_rollback_writes_the_old_value_as_a_new_version() {
    host().install();
    super::put("a", b"one", &PutOptions { tags: vec![("k".into(), "v".into())], ..PutOptions::default() }).unwrap();
    put("a", "two");
    let version = restore("a", "1").unwrap();
    assert_eq!((version.id.as_str(), version.current), ("3", true));
    assert_eq!(value("a", None).unwrap(), b"one");
    assert_eq!(get("a", None).unwrap().unwrap().tags.len(), 1);
    assert_eq!(value("a", Some("2")).unwrap(), b"two");
    assert_eq!(kind(restore("a", "7").unwrap_err()), ErrorKind::NotFound);
}

#[test]
fn a_deleted_secret_is_gone_and_comes_back_as_it_was() {
    host().install();
    put("a", "one");
    put("a", "two");
    assert!(delete("a", &Attributes::new()).unwrap());
    assert!(!delete("a", &Attributes::new()).unwrap());
    assert_eq!((value("a", None), value("a", Some("1"))), (None, None));
    assert_eq!(listed(None), [""; 0]);
    assert_eq!(describe("a").unwrap().unwrap().version.unwrap().state, VersionState::Deleted);
    assert!(versions("a", None, 9).unwrap().versions.iter().all(|version| version.state == VersionState::Deleted));
    assert_eq!(kind(restore("a", "1").unwrap_err()), ErrorKind::WrongState);
    recover("a").unwrap();
    assert_eq!(kind(recover("a").unwrap_err()), ErrorKind::WrongState);
    assert_eq!((value("a", None).unwrap(), value("a", Some("1")).unwrap()), (b"two".to_vec(), b"one".to_vec()));
    assert_eq!(listed(None), ["a"]);
}

#[test]
fn the_numbers_go_on_over_a_deletion_and_what_was_deleted_stays_so() {
    host().install();
    put("a", "one");
    delete("a", &Attributes::new()).unwrap();
    assert_eq!(super::put("a", b"two", &expecting("")).unwrap().id, "2");
    assert_eq!(kind(get("a", Some("1")).unwrap_err()), ErrorKind::WrongState);
    assert_eq!(kind(recover("a").unwrap_err()), ErrorKind::WrongState);
    set_state("a", "1", VersionState::Enabled).unwrap();
    assert_eq!(value("a", Some("1")).unwrap(), b"one");
}

#[test]
fn a_purge_leaves_nothing_and_the_next_secret_of_the_name_shares_no_file_with_it() {
    host().install();
    put("a", "one");
    let before = fake::file_paths();
    delete("a", &Attributes::new()).unwrap();
    assert!(purge("a").unwrap());
    assert_eq!(fake::file_paths(), [""; 0]);
    assert_eq!(put("a", "again").id, "1");
    let values = |paths: Vec<String>| -> Vec<String> {
        paths.into_iter().filter(|path| path.starts_with(".versions")).collect()
    };
    assert_ne!(values(before), values(fake::file_paths()));
}

#[test]
fn a_crash_between_two_writes_leaves_the_old_secret_or_the_new_one_and_the_next_write_tidies_up() {
    host().setting("keep", "2").install();
    put("a", "one");
    let place = Place::of("a").unwrap();
    let life = Stored::live("a").unwrap().unwrap().head.life;
    // The value of a version whose head was never written, and one of an earlier secret of the same name.
    files::write(&place.value(&life, 2), b"never acknowledged").unwrap();
    files::write(&place.value(&"0".repeat(32), 1), b"of an earlier life").unwrap();
    assert_eq!(value("a", None).unwrap(), b"one");
    assert_eq!(value("a", Some("2")), None);
    put("a", "two");
    assert_eq!(fake::file_paths().len(), 3, "{:?}", fake::file_paths());
    assert_eq!(value("a", None).unwrap(), b"two");
    // A deletion that got as far as its own head, and a recovery that did not remove it.
    let head = fake::file("a.secret").unwrap();
    files::write(&place.deleted(), &head).unwrap();
    assert_eq!(value("a", None).unwrap(), b"two");
    put("a", "three");
    assert_eq!(fake::file("a.deleted"), None);
}

#[test]
fn a_value_that_is_missing_is_damage_and_no_absence() {
    host().install();
    put("a", "one");
    let value = Place::of("a").unwrap().value(&Stored::live("a").unwrap().unwrap().head.life, 1);
    files::remove(&value).unwrap();
    assert_eq!(kind(get("a", None).unwrap_err()), ErrorKind::Upstream);
}

#[test]
fn a_secret_of_the_first_format_is_read_and_keeps_its_value_when_it_is_written() {
    let old = b"{\"format\":1,\"version\":7,\"created-at\":1,\"updated-at\":2,\"tags\":[[\"k\",\"v\"]]}\nhello\n";
    host().file("app/db.secret", old).install();
    let secret = get("app/db", None).unwrap().unwrap();
    assert_eq!((secret.value.as_bytes(), secret.version.unwrap().id.as_str()), (&b"hello\n"[..], "7"));
    assert_eq!((value("app/db", Some("7")).unwrap(), value("app/db", Some("1"))), (b"hello\n".to_vec(), None));
    assert_eq!(ids("app/db"), ["7"]);
    assert_eq!(fake::file("app/db.secret").unwrap(), old, "a read has written");
    assert_eq!(super::put("app/db", b"new", &expecting("7")).unwrap().id, "8");
    assert_eq!(value("app/db", Some("7")).unwrap(), b"hello\n");
    assert_eq!(describe("app/db").unwrap().unwrap().attributes.first().unwrap().1, "1");
    for change in [
        |path: &str| delete(path, &Attributes::new()).map(|_| ()).and_then(|()| recover(path)),
        |path: &str| set_state(path, "7", VersionState::Enabled),
        |path: &str| restore(path, "7").map(|_| ()),
    ] {
        host().file("a.secret", old).install();
        change("a").unwrap();
        assert_eq!(value("a", None).unwrap(), b"hello\n");
        assert_eq!(value("a", Some("7")).unwrap(), b"hello\n");
    }
}

#[test]
fn a_newer_format_is_refused_by_its_number_and_left_alone() {
    let newer = b"{\"format\":3,\"sealed-twice\":true}\nvalue";
    host().file("a.secret", newer).install();
    for error in [
        get("a", None).unwrap_err(),
        super::put("a", b"x", &PutOptions::default()).unwrap_err(),
        delete("a", &Attributes::new()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("format 3"), "{}", error.message());
    }
    assert_eq!(fake::file("a.secret").unwrap(), newer);
}

#[test]
fn damage_is_an_error_that_repeats_nothing_of_the_file_and_only_a_purge_removes_it() {
    host().install();
    put("b", "x");
    let sound = String::from_utf8(fake::file("b.secret").unwrap()).unwrap();
    let long = " ".repeat(3 << 20);
    let contents = [
        "",
        "hunter2",
        "hunter2\nvalue",
        "{\"format\":1}\nhunter2",
        "{\"format\":0,\"version\":1,\"created-at\":1,\"updated-at\":2}\nhunter2",
        "{\"format\":1,\"version\":0,\"created-at\":1,\"updated-at\":2}\nhunter2",
        "{\"format\":2}\n",
        &format!("{sound}hunter2"),
        &sound.replace("\"next\":2", "\"next\":1"),
        &sound.replace("\"next\"", "\"hunter2\":1,\"next\""),
        &sound.replace("\"life\":\"", "\"life\":\"../"),
        &long,
    ];
    for content in contents {
        host().file("a.secret", content).install();
        let read = get("a", None).unwrap_err();
        for error in [&read, &super::put("a", b"x", &PutOptions::default()).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Upstream);
            assert!(!error.message().contains("hunter2"));
        }
        assert_eq!(fake::file("a.secret").unwrap(), content.as_bytes());
        assert!(purge("a").unwrap());
        assert_eq!(fake::file_paths(), [""; 0]);
    }
}

#[test]
fn a_listing_goes_by_whole_segments_and_meets_each_secret_once() {
    host().file("notes.txt", "x").file("app/UPPER.secret", "x").install();
    let long = format!("app/{}", "L".repeat(300));
    for path in ["app", "app/db", "app/Db", "app/db/user", "apple", "app.x", "other", &long] {
        put(path, "x");
        put(path, "y");
    }
    let mut all = listed(None);
    all.sort();
    assert_eq!(all, ["app", "app.x", "app/Db", &long, "app/db", "app/db/user", "apple", "other"]);
    assert_eq!(listed(Some("")).len(), 8);
    let mut below = listed(Some("app"));
    below.sort();
    assert_eq!(below, ["app", "app/Db", &long, "app/db", "app/db/user"]);
    assert_eq!(listed(Some(&long)), [long.as_str()]);
    assert_eq!(listed(Some("app/d")), [""; 0]);
    assert!(fake::lines().iter().any(|(_, line)| line.contains("notes.txt")));
}

#[test]
fn a_hashed_file_that_holds_another_name_is_not_taken_for_it() {
    host().install();
    let (one, other) = ("L".repeat(300), "M".repeat(300));
    put(&one, "x");
    let head = fake::file(&Place::of(&one).unwrap().head()).unwrap();
    files::write(&Place::of(&other).unwrap().head(), &head).unwrap();
    assert_eq!(value(&one, None).unwrap(), b"x");
    assert_eq!(kind(get(&other, None).unwrap_err()), ErrorKind::Upstream);
    assert_eq!(listed(None), [one.as_str()]);
}

#[test]
fn options_that_are_not_known_and_tags_that_do_not_fit_are_refused_by_name() {
    host().install();
    let unknown = vec![("force".to_owned(), "true".to_owned())];
    put("a", "x");
    assert_eq!(kind(delete("a", &unknown).unwrap_err()), ErrorKind::Unsupported);
    let options = PutOptions { attributes: unknown, ..PutOptions::default() };
    assert_eq!(kind(super::put("a", b"y", &options).unwrap_err()), ErrorKind::Unsupported);
    let options = PutOptions { tags: vec![("a".to_owned(), "b".repeat(17 << 10))], ..PutOptions::default() };
    assert_eq!(kind(super::put("a", b"y", &options).unwrap_err()), ErrorKind::TooLarge);
    assert_eq!(value("a", None).unwrap(), b"x");
}
