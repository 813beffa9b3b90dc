//! Tests of the way to a granted directory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use super::*;

/// A folder without links on the way to it, with a project in it and a folder beside that one.
fn world() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = std::fs::canonicalize(folder.path()).unwrap();
    std::fs::create_dir_all(root.join("project/data")).unwrap();
    std::fs::create_dir(root.join("outside")).unwrap();
    std::fs::write(root.join("project/data/a"), "inside").unwrap();
    std::fs::write(root.join("outside/a"), "outside").unwrap();
    (folder, root)
}

fn directory(path: PathBuf) -> Directory {
    let path = path.display().to_string();
    let grant = DirectoryGrant { path, mode: DirectoryMode::ReadWrite, sealed: false, file: None };
    Directory::new(&grant, None, "test".to_owned())
}

fn swap(root: &Path, folder: &str, to: &str) {
    std::fs::rename(root.join(folder), root.join("moved")).unwrap();
    std::os::unix::fs::symlink(root.join(to), root.join(folder)).unwrap();
}

#[tokio::test]
async fn a_directory_that_was_replaced_by_a_link_after_its_check_is_not_opened() {
    for (swapped, to) in [("project/data", "outside"), ("project", "evil")] {
        let (_folder, root) = world();
        std::fs::create_dir(root.join("evil")).unwrap();
        std::fs::rename(root.join("outside"), root.join("evil/data")).unwrap();
        let to = if to == "outside" { "evil/data" } else { to };
        let checked = directory(root.join("project/data")).without_links();
        assert_eq!(checked.read("a").unwrap().unwrap().as_slice(), b"inside");
        swap(&root, swapped, to);
        assert!(checked.read("a").is_err() && checked.list("", None, 10).is_err(), "{swapped}");
        assert!(checked.lock().await.is_err() && checked.write("b", b"x").is_err(), "{swapped}");
        assert!(!root.join("evil/data/b").exists());
        // The same path where links may be followed, so it is the guard that refuses.
        let open = directory(root.join("project/data"));
        assert_eq!(open.read("a").unwrap().unwrap().as_slice(), b"outside", "{swapped}");
    }
}

#[tokio::test]
async fn a_directory_that_is_missing_is_made_through_no_link() {
    let (_folder, root) = world();
    let checked = directory(root.join("project/new/deeper")).without_links();
    assert!(checked.read("a").unwrap().is_none());
    let lock = checked.lock().await.unwrap();
    checked.write("a", b"x").unwrap();
    drop(lock);
    assert_eq!(std::fs::read(root.join("project/new/deeper/a")).unwrap(), b"x");
    std::os::unix::fs::symlink(root.join("outside"), root.join("project/link")).unwrap();
    let linked = root.join("project/link/new");
    assert!(directory(linked.clone()).without_links().lock().await.is_err());
    assert!(!root.join("outside/new").exists());
    assert!(directory(linked).lock().await.is_ok() && root.join("outside/new").exists());
}
