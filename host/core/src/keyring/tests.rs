//! Tests of where the sealing key is: a keyring in memory, and what is lost, moved or made twice.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use super::*;

/// A keyring that remembers, and can be told to have a trouble.
#[derive(Debug, Default)]
struct Memory {
    keys: Mutex<BTreeMap<String, [u8; 32]>>,
    trouble: Mutex<Option<Trouble>>,
    forgets_not: Mutex<Option<Trouble>>,
    takes_new: bool,
    /// Whether it takes a new key after nobody waits for it any more.
    takes_late: bool,
}

impl Keyring for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn keep_new(&self, key: &SealingKey) -> Result<bool, Trouble> {
        if self.takes_late {
            self.keep(key)?;
        }
        if self.takes_new { self.keep(key).map(|()| true) } else { Ok(false) }
    }

    fn keep(&self, key: &SealingKey) -> Result<(), Trouble> {
        if let Some(trouble) = self.trouble.lock().unwrap().clone() {
            return Err(trouble);
        }
        self.keys.lock().unwrap().insert(key.id(), *key.expose());
        Ok(())
    }

    fn find(&self, id: &str) -> Result<SealingKey, Trouble> {
        if let Some(trouble) = self.trouble.lock().unwrap().clone() {
            return Err(trouble);
        }
        self.keys.lock().unwrap().get(id).map(SealingKey::from_bytes).ok_or(Trouble::Missing)
    }

    fn forget(&self, id: &str) -> Result<(), Trouble> {
        if let Some(trouble) = self.forgets_not.lock().unwrap().clone() {
            return Err(trouble);
        }
        self.keys.lock().unwrap().remove(id);
        Ok(())
    }
}

fn home(takes_new: bool) -> (tempfile::TempDir, Home, Arc<Memory>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let memory = Arc::new(Memory { takes_new, ..Memory::default() });
    let keyring: Arc<dyn Keyring> = memory.clone();
    let home = Home { config: path.join("c"), data: path.join("d"), cache: path.join("k"), keyring: Some(keyring) };
    (directory, home, memory)
}

fn holds_bytes(home: &Home, key: &SealingKey) -> bool {
    fs::read(home.sealing_key_file()).unwrap().windows(32).any(|window| window == key.expose())
}

#[test]
fn a_new_key_goes_into_the_keyring_and_no_byte_of_it_into_the_file() {
    let (_directory, home, memory) = home(true);
    let key = home.sealing_key().unwrap();
    assert!(!holds_bytes(&home, &key));
    assert_eq!(home.key_location().unwrap(), Location::Keyring(key.id()));
    assert_eq!(home.sealing_key().unwrap().expose(), key.expose());
    assert_eq!(memory.keys.lock().unwrap().len(), 1);
}

#[test]
fn a_keyring_that_takes_no_new_key_leaves_it_to_the_file() {
    let (_directory, home, memory) = home(false);
    let key = home.sealing_key().unwrap();
    assert!(holds_bytes(&home, &key));
    assert_eq!(home.key_location().unwrap(), Location::File);
    assert!(memory.keys.lock().unwrap().is_empty());
}

#[test]
fn many_that_make_the_first_key_at_once_get_the_same_and_leave_one() {
    let (_directory, home, memory) = home(true);
    let ids: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| home.sealing_key().unwrap().id())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| Some(id) == ids.first()));
    assert_eq!(memory.keys.lock().unwrap().len(), 1);
}

#[test]
fn a_lost_or_swapped_key_is_told_and_never_made_anew() {
    let (_directory, home, memory) = home(true);
    let key = home.sealing_key().unwrap();
    let file = fs::read(home.sealing_key_file()).unwrap();
    memory.keys.lock().unwrap().insert(key.id(), [7; 32]);
    assert!(matches!(home.sealing_key(), Err(Error::Keyring { trouble: Trouble::Other, .. })));
    memory.keys.lock().unwrap().clear();
    let error = home.sealing_key().unwrap_err();
    assert!(matches!(error, Error::Keyring { trouble: Trouble::Missing, .. }));
    assert_eq!(error.kind(), Kind::Integrity);
    *memory.trouble.lock().unwrap() = Some(Trouble::Locked);
    assert_eq!(home.sealing_key().unwrap_err().kind(), Kind::Unauthenticated);
    assert_eq!(fs::read(home.sealing_key_file()).unwrap(), file);
    assert!(memory.keys.lock().unwrap().is_empty());
}

#[test]
fn a_key_file_that_is_gone_is_told_while_something_sealed_is_there() {
    let (_directory, home, _) = home(false);
    home.sealing_key().unwrap();
    fs::remove_file(home.sealing_key_file()).unwrap();
    home::write(&home.local_store().join(".forge-lock"), b"").unwrap();
    home.sealing_key().unwrap();
    fs::remove_file(home.sealing_key_file()).unwrap();
    home::write(&home.local_store().join(".forge-store"), b"names a key that nobody has").unwrap();
    let error = home.sealing_key().unwrap_err();
    assert!(matches!(error, Error::Gone { is_empty: true, .. }), "{error}");
    assert!(error.hint().unwrap().contains("remove the folder"));
    home::write(&home.local_store().join("a.secret"), b"sealed").unwrap();
    let error = home.sealing_key().unwrap_err();
    assert!(matches!(error, Error::Gone { is_empty: false, .. }), "{error}");
    assert!(!home.sealing_key_file().exists());
}

#[test]
fn no_new_key_is_made_while_a_granted_directory_holds_what_another_one_sealed() {
    for grant in ["grants/team.json", "grants/projects/0123456789abcdef/team.json"] {
        let (directory, home, _) = home(false);
        let store = directory.path().join("granted");
        let grants = serde_json::json!({
            "schema_version": 1,
            "provider": "team",
            "plugin": { "builtin": "file" },
            "settings": {},
            "routes": [],
            "directories": [{ "path": store, "mode": "read-write", "sealed": true }],
        });
        home::write(&home.data.join(grant), grants.to_string().as_bytes()).unwrap();
        home.sealing_key().unwrap();
        fs::remove_file(home.sealing_key_file()).unwrap();
        home::write(&store.join(".forge-store"), b"names a key that nobody has").unwrap();
        let error = home.sealing_key().unwrap_err();
        assert!(matches!(&error, Error::Gone { sealed, .. } if *sealed == store), "{grant}: {error}");
        assert!(!home.sealing_key_file().exists());
    }
}

#[test]
fn looking_for_a_key_makes_none() {
    let (_directory, home, memory) = home(true);
    assert!(home.made_key().unwrap().is_none());
    assert!(!home.data.exists() && memory.keys.lock().unwrap().is_empty());
    let key = home.sealing_key().unwrap();
    assert_eq!(home.made_key().unwrap().unwrap().expose(), key.expose());
}

#[test]
fn a_key_that_a_keyring_took_too_late_is_not_the_one_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let memory = Arc::new(Memory { takes_late: true, ..Memory::default() });
    let keyring: Arc<dyn Keyring> = memory.clone();
    let home = Home { config: path.join("c"), data: path.join("d"), cache: path.join("k"), keyring: Some(keyring) };
    let key = home.sealing_key().unwrap();
    assert!(holds_bytes(&home, &key));
    let kept = memory.keys.lock().unwrap();
    assert_eq!(kept.len(), 1);
    assert!(!kept.values().any(|bytes| bytes == key.expose()), "the same bytes are in both places");
}

#[test]
fn a_key_that_moves_into_the_keyring_leaves_no_byte_beside_its_file() {
    let (_directory, home, _) = home(false);
    let key = home.sealing_key().unwrap();
    let left = home.sealing_key_file().with_file_name(".new-0123456789abcdef");
    // A writer was killed a moment ago.
    fs::write(&left, key.expose()).unwrap();
    home.move_key_to_keyring().unwrap();
    assert!(!left.exists());
    // And one that was killed before an earlier forge moved the key.
    fs::write(&left, key.expose()).unwrap();
    home.move_key_to_keyring().unwrap();
    assert!(!left.exists());
}

#[test]
fn a_key_that_the_keyring_could_not_forget_is_forgotten_by_the_next_move() {
    let (_directory, home, memory) = home(true);
    let key = home.sealing_key().unwrap();
    *memory.forgets_not.lock().unwrap() = Some(Trouble::Locked);
    for _ in 0..2 {
        let error = home.move_key_to_file().unwrap_err();
        assert!(error.to_string().contains("the keyring still keeps"), "{error}");
        assert!(holds_bytes(&home, &key));
    }
    *memory.forgets_not.lock().unwrap() = None;
    home.move_key_to_file().unwrap();
    assert!(memory.keys.lock().unwrap().is_empty());
    // A machine without a keyring has nothing that could be forgotten.
    *memory.forgets_not.lock().unwrap() = Some(Trouble::Unreachable("away".to_owned()));
    home.move_key_to_file().unwrap();
}

#[test]
fn a_marker_that_says_something_else_is_refused() {
    let (_directory, home, _) = home(true);
    let id = home.sealing_key().unwrap().id();
    for wrong in [
        String::new(),
        "x".repeat(33),
        format!("{{\"schema_version\":2,\"kept_in\":\"memory\",\"key_id\":\"{id}\"}}"),
        format!("{{\"schema_version\":1,\"kept_in\":\"memory\",\"key_id\":\"{id}\",\"more\":1}}"),
    ] {
        home::write(&home.sealing_key_file(), wrong.as_bytes()).unwrap();
        assert!(matches!(home.sealing_key(), Err(Error::Damaged(_))), "{wrong}");
    }
    let elsewhere = format!("{{\"schema_version\":1,\"kept_in\":\"cloud\",\"key_id\":\"{id}\"}}");
    home::write(&home.sealing_key_file(), elsewhere.as_bytes()).unwrap();
    assert!(matches!(home.sealing_key(), Err(Error::Unknown { place, .. }) if place == "cloud"));
}

#[test]
fn a_key_moves_there_and_back_and_stays_where_it_is_when_it_can_not() {
    let (_directory, home, memory) = home(false);
    let key = home.sealing_key().unwrap();
    *memory.trouble.lock().unwrap() = Some(Trouble::Locked);
    assert!(home.move_key_to_keyring().is_err());
    assert!(holds_bytes(&home, &key));
    *memory.trouble.lock().unwrap() = None;
    home.move_key_to_keyring().unwrap();
    assert!(!holds_bytes(&home, &key));
    assert_eq!(home.sealing_key().unwrap().expose(), key.expose());
    *memory.trouble.lock().unwrap() = Some(Trouble::Locked);
    assert!(home.move_key_to_file().is_err());
    assert_eq!(home.key_location().unwrap(), Location::Keyring(key.id()));
    *memory.trouble.lock().unwrap() = None;
    home.move_key_to_file().unwrap();
    assert_eq!(home.sealing_key().unwrap().expose(), key.expose());
    assert!(memory.keys.lock().unwrap().is_empty());
}
