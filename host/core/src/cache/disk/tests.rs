//! What is on the disk, who can read it, and what becomes of a file that somebody touched.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt as _;

use super::super::tests::{key, others, secret};
use super::super::{Cache, Rules};
use super::*;

const RULES: Rules = Rules {
    time_to_live: Duration::from_secs(60),
    negative: Duration::from_secs(10),
    max_stale: Duration::from_secs(600),
    disk: true,
};

fn home(directory: &Path) -> Home {
    Home { config: directory.join("c"), data: directory.join("d"), cache: directory.join("k"), keyring: None }
}

fn disk(directory: &Path) -> Disk {
    Disk::new(&home(directory), &Notices::default())
}

/// A new process with the same cache directory.
fn process(directory: &Path) -> Cache {
    Cache::new(10).with_disk(disk(directory))
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = disk(directory).files().map(|(_, name, _)| name).collect();
    names.sort();
    names
}

async fn keep(cache: &Cache, key: &CacheKey) {
    cache.keep(key, &RULES, &Some(secret("canary-value")), cache.begun()).await;
}

#[tokio::test]
async fn the_next_process_has_the_copy_and_nobody_else_has() {
    let directory = tempfile::tempdir().unwrap();
    keep(&process(directory.path()), &key("canary/path")).await;
    let next = process(directory.path());
    let copy = next.fresh(&key("canary/path"), &RULES).await.unwrap();
    assert_eq!(copy.answer.unwrap().value.expose(), b"canary-value");
    for other in others("canary/path") {
        assert!(next.fresh(&other, &RULES).await.is_none(), "{other:?}");
    }
    // Neither the name nor the content says anything, and the file is private.
    let path = directory.path().join("k/secrets").join(&names(directory.path())[0]);
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"canary"));
    assert!(!path.display().to_string().contains("canary"));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_file_that_was_given_the_name_of_another_opens_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let one = process(directory.path());
    keep(&one, &key("mine")).await;
    let disk = disk(directory.path());
    let keys = disk.keys().unwrap();
    let at = |key: &CacheKey| disk.folder.join(keys.name(key));
    for other in others("mine") {
        fs::copy(at(&key("mine")), at(&other)).unwrap();
        assert!(process(directory.path()).fresh(&other, &RULES).await.is_none(), "{other:?}");
        assert!(!at(&other).exists(), "what is of no use is dropped");
    }
    assert!(process(directory.path()).fresh(&key("mine"), &RULES).await.is_some());
}

#[tokio::test]
async fn a_file_that_is_cut_edited_or_of_another_key_is_dropped_without_an_error() {
    let directory = tempfile::tempdir().unwrap();
    keep(&process(directory.path()), &key("a")).await;
    let path = directory.path().join("k/secrets").join(&names(directory.path())[0]);
    let whole = fs::read(&path).unwrap();
    let mut broken: Vec<Vec<u8>> = (0..whole.len()).map(|at| whole[..at].to_vec()).collect();
    for at in 0..whole.len() {
        let mut edited = whole.clone();
        edited[at] ^= 1;
        broken.push(edited);
    }
    for bytes in broken {
        fs::write(&path, bytes).unwrap();
        let notices = Notices::default();
        assert!(Disk::new(&home(directory.path()), &notices).get(&key("a")).is_none());
        assert!(!path.exists());
        assert!(notices.take().iter().all(|notice| notice.is_detail));
    }
    fs::write(&path, &whole).unwrap();
    assert!(disk(directory.path()).get(&key("a")).is_some(), "the file as it was is a copy");
    fs::remove_dir_all(directory.path().join("d")).unwrap();
    let other = disk(directory.path());
    let name = other.keys().unwrap().name(&key("a"));
    fs::rename(&path, path.with_file_name(name)).unwrap();
    assert!(other.get(&key("a")).is_none(), "another key opened it");
}

#[tokio::test]
async fn a_file_that_others_could_have_written_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    keep(&process(directory.path()), &key("a")).await;
    let path = directory.path().join("k/secrets").join(&names(directory.path())[0]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(disk(directory.path()).get(&key("a")).is_none());
}

#[test]
fn a_copy_of_the_future_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let disk = disk(directory.path());
    let keys = disk.keys().unwrap();
    let name = keys.name(&key("a"));
    let path = disk.folder.join(&name);
    let mut made = serde_json::to_value(Moment::now()).unwrap();
    for (ahead, is_there) in [(0, true), (3_600_000, false)] {
        made["wall"] = (crate::time::now() + ahead).into();
        let made: Moment = serde_json::from_value(made.clone()).unwrap();
        disk.write(&path, &keys.seal(&name, &key("a"), &secret("x"), made).unwrap()).unwrap();
        assert_eq!(disk.get(&key("a")).is_some(), is_there);
        assert_eq!(path.exists(), is_there);
    }
}

#[tokio::test]
async fn what_a_process_drops_or_forgets_the_next_one_has_not() {
    let directory = tempfile::tempdir().unwrap();
    let cache = process(directory.path());
    let version = CacheKey { version: Some("1".to_owned()), ..key("a") };
    for key in [&key("a"), &version, &key("b"), &key("c")] {
        keep(&cache, key).await;
    }
    process(directory.path()).forget("grant", "a").await;
    process(directory.path()).drop(&key("b")).await;
    let next = process(directory.path());
    for gone in [&key("a"), &version, &key("b")] {
        assert!(next.fresh(gone, &RULES).await.is_none());
    }
    assert!(next.fresh(&key("c"), &RULES).await.is_some());
    // That there is nothing any more is an answer, too.
    next.keep(&key("c"), &RULES, &None, next.begun()).await;
    assert!(process(directory.path()).stale(&key("c"), &RULES).await.is_none());
    assert!(names(directory.path()).is_empty());
}

#[test]
fn the_number_of_files_is_bounded_and_what_a_dead_process_left_goes() {
    let directory = tempfile::tempdir().unwrap();
    let disk = disk(directory.path());
    home::make_directory(&disk.folder).unwrap();
    let old = SystemTime::now() - LEFT * 2;
    for number in 0..MOST_FILES + 5 {
        let file = fs::File::create(disk.folder.join(format!("{number:04}{ENDING}"))).unwrap();
        file.set_modified(old + Duration::from_millis(u64::try_from(number).unwrap())).unwrap();
    }
    fs::File::create(disk.folder.join(".new-0")).unwrap().set_modified(old).unwrap();
    fs::File::create(disk.folder.join(".new-1")).unwrap();
    disk.put(&key("a"), &secret("x"));
    let names = names(directory.path());
    assert_eq!(names.len(), MOST_FILES + 1);
    assert!(names.contains(&".new-1".to_owned()) && !names.contains(&".new-0".to_owned()));
    assert!(names.contains(&format!("0006{ENDING}")) && !names.contains(&format!("0005{ENDING}")));
    assert!(disk.get(&key("a")).is_some());
}

#[test]
fn many_who_write_and_read_one_copy_find_it_whole() {
    let directory = tempfile::tempdir().unwrap();
    disk(directory.path()).put(&key("a"), &secret(&"0".repeat(4096)));
    std::thread::scope(|scope| {
        for text in ["1", "2", "3"] {
            let disk = disk(directory.path());
            scope.spawn(move || (0..30).for_each(|_| disk.put(&key("a"), &secret(&text.repeat(4096)))));
        }
        let disk = disk(directory.path());
        for _ in 0..100 {
            let secret = disk.get(&key("a")).unwrap().answer.unwrap();
            let value = secret.value.expose();
            assert!(value.len() == 4096 && value.iter().all(|byte| Some(byte) == value.first()));
        }
    });
}

#[test]
fn copies_are_listed_by_their_names_and_cleared_one_by_one_or_all() {
    let directory = tempfile::tempdir().unwrap();
    let disk = disk(directory.path());
    assert!(disk.entries().unwrap().is_empty());
    for path in ["b", "a"] {
        disk.put(&key(path), &secret("x"));
    }
    fs::write(disk.folder.join(format!("x{ENDING}")), b"of no use").unwrap();
    let entries = disk.entries().unwrap();
    assert_eq!(entries.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>(), ["", "a", "b"]);
    assert!(entries[0].age.is_none() && entries[1].age.is_some());
    disk.clear(&entries[1..2]).unwrap();
    assert!(disk.get(&key("a")).is_none() && disk.get(&key("b")).is_some());
    assert_eq!(disk.clear_all().unwrap(), 2);
    assert_eq!(disk.clear_all().unwrap(), 0);
}
