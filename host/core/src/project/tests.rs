//! Tests of finding projects, and of the hash of what they mean.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use super::*;

/// A folder without links, as the system names the working directory.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(folder.path()).unwrap();
    (folder, path)
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn found(from: &Path, home: Option<&Path>) -> Option<PathBuf> {
    find(from, home, me()).map(|found| found.directory)
}

#[test]
fn the_search_ends_at_the_repository_and_at_the_home_directory() {
    let (_keep, root) = folder();
    let below = root.join("repository/a/b");
    fs::create_dir_all(&below).unwrap();
    fs::write(root.join(FILE), "").unwrap();
    assert_eq!(found(&below, None), Some(root.clone()));
    fs::create_dir(root.join("repository/.git")).unwrap();
    assert_eq!(found(&below, None), None);
    // The repository's own file counts; a work tree's `.git` is a file.
    fs::write(root.join("repository").join(FILE), "").unwrap();
    assert_eq!(found(&below, None), Some(root.join("repository")));
    fs::remove_dir(root.join("repository/.git")).unwrap();
    fs::remove_file(root.join("repository").join(FILE)).unwrap();
    assert_eq!(found(&below, Some(&root.join("repository"))), None);
    let link = root.join("link");
    std::os::unix::fs::symlink("repository", &link).unwrap();
    assert_eq!(found(&below, Some(&link)), None);
    assert_eq!(found(&below, Some(&root)), Some(root));
}

#[test]
fn the_local_file_counts_over_the_committed_one_and_never_alone() {
    let (_keep, root) = folder();
    fs::write(root.join(LOCAL_FILE), "default = \"b\"").unwrap();
    assert!(find(&root, Some(&root), me()).is_none());
    fs::write(root.join(FILE), "default = \"a\"\n[secrets]\nA = \"a\"\nB = \"b\"\n").unwrap();
    fs::write(root.join(LOCAL_FILE), "default = \"b\"\n[secrets]\nA = \"local\"\n").unwrap();
    let found = find(&root, None, me()).unwrap();
    let layer = found.meaning.unwrap();
    assert_eq!(layer.default.as_deref(), Some("b"));
    assert_eq!(layer.secrets.get("A").unwrap().reference.path, "local");
    assert_eq!(layer.secrets.get("B").unwrap().reference.path, "b");
    assert_eq!(found.files.len(), 2);
}

#[test]
fn what_is_no_small_regular_file_is_refused_by_name() {
    let (_keep, root) = folder();
    for name in [FILE, LOCAL_FILE] {
        let file = root.join(name);
        fs::write(root.join(FILE), "").unwrap();
        let refused = |expected: fn(&Error) -> bool| {
            let error = find(&root, None, me()).unwrap().meaning.unwrap_err();
            assert!(expected(&error), "{error}");
            if file.is_dir() { fs::remove_dir(&file) } else { fs::remove_file(&file) }.unwrap();
        };
        fs::File::create(&file).unwrap().set_len(LONGEST + 1).unwrap();
        refused(|error| matches!(error, Error::TooLong(_)));
        fs::write(root.join(FILE), "").unwrap();
        fs::remove_file(&file).unwrap_or_default();
        std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
        refused(|error| matches!(error, Error::Link(_)));
        fs::create_dir(&file).unwrap();
        if name == LOCAL_FILE {
            fs::write(root.join(FILE), "").unwrap();
        }
        refused(|error| matches!(error, Error::NotAFile(_)));
        rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        refused(|error| matches!(error, Error::NotAFile(_)));
    }
}

#[test]
fn a_file_that_somebody_else_owns_is_passed_over() {
    let (_keep, root) = folder();
    let below = root.join("below");
    fs::create_dir(&below).unwrap();
    fs::write(root.join(FILE), "default = \"a\"").unwrap();
    fs::write(below.join(FILE), "default = \"b\"").unwrap();
    assert_eq!(find(&below, None, me()).unwrap().directory, below);
    // For anybody but its owner and root, the file is somebody else's.
    let stranger = me() + 1;
    if me() != 0 {
        assert!(find(&below, None, stranger).is_none());
    } else {
        std::os::unix::fs::chown(below.join(FILE), Some(stranger), None).unwrap();
        assert_eq!(find(&below, None, me()).unwrap().directory, root);
        assert_eq!(find(&below, None, stranger).unwrap().directory, below);
    }
}

#[test]
fn a_folder_whose_name_can_not_be_written_down_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let (_keep, root) = folder();
    let odd = root.join(std::ffi::OsStr::from_bytes(b"\xff"));
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join(FILE), "").unwrap();
    assert!(matches!(find(&odd, None, me()).unwrap().meaning, Err(Error::Path(_))));
}

#[test]
fn the_hash_is_that_of_the_meaning() {
    let layer = |text: &str| Layer::parse(text.as_bytes(), &Place::default()).unwrap();
    let one = "default = \"a\"\n[providers.a]\nplugin = \"vault\"\nsettings = { x = \"2\", y = \"true\" }\n[secrets]\nA = \"store://a/p?version=1#f\"\nB = \"b\"\n";
    let same = "# a comment\ndefault='a'\nsecrets.B = { ref = \"b\", fallback = [], required = true }\nsecrets.A = \"store://a/p#f?version=1\"\nproviders = { a = { settings.y = true, settings.x = 0b10, plugin = \"vault\" } }\n";
    assert_eq!(hash(&layer(one)), hash(&layer(same)));
    for (from, to) in [
        ("default = \"a\"", "default = \"local\""),
        ("plugin = \"vault\"", "plugin = \"file\""),
        ("\"2\"", "\"3\""),
        ("\"true\" }", "\"true\" }\ncredential = { kind = \"none\" }"),
        ("version=1", "version=2"),
        ("B = \"b\"", "B = { ref = \"b\", required = false }"),
        ("B = \"b\"", "B = \"b\"\n[environments.e]"),
    ] {
        assert!(one.contains(from));
        assert_ne!(hash(&layer(one)), hash(&layer(&one.replace(from, to))), "{to}");
    }
}
