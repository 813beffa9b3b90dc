//! The walls of design/architecture.md, read off the manifests and the sources; `broken` shows that each one can fall.

mod broken;
mod manifests;
mod policy;
mod sources;

use std::path::{Path, PathBuf};

use forge_tests::world::{files, root};

/// One wall: finds what breaks it in the tree below a root, each with its place.
type Wall = fn(&Path) -> Vec<String>;

/// All walls, by the sentence that each one keeps.
const WALLS: [(&str, Wall); 10] = [
    ("crates depend on each other only along the arrows", manifests::arrows),
    ("a library that is one crate's alone is named by no other", manifests::sole_users),
    ("no file has more than 500 lines", sources::lengths),
    ("every file opens with its sentence", sources::openings),
    ("no backend is named outside its plugin and its credential kind", sources::backends),
    ("unsafe code stands only where it is listed", sources::unsafe_code),
    ("secret bytes are exposed only where it is listed", sources::exposures),
    ("only the command line reads the environment", sources::environment),
    ("every entry into the resolver asks the policy", policy::entries),
    ("only the resolver asks a provider", policy::callers),
];

#[test]
fn every_wall_stands() {
    let root = root();
    let mut broken = Vec::new();
    for (sentence, wall) in WALLS {
        broken.extend(wall(&root).into_iter().map(|place| format!("{sentence}: {place}")));
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// The files below a root that people wrote, with the ending, as paths from the root and in order.
fn written(root: &Path, ending: &str) -> Vec<PathBuf> {
    let mut written: Vec<PathBuf> = files_of_rooms(root)
        .into_iter()
        .filter_map(|path| path.strip_prefix(root).ok().map(Path::to_owned))
        .filter(|path| path.to_str().is_some_and(|path| path.ends_with(ending)))
        .collect();
    written.sort();
    written
}

/// All files, without what was built or fetched.
fn files_of_rooms(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap_or_default();
        if path.is_file() {
            found.push(path);
        } else if name != "target" && !name.starts_with('.') {
            found.extend(files(&path));
        }
    }
    found
}

fn read(root: &Path, file: &Path) -> String {
    std::fs::read_to_string(root.join(file)).unwrap()
}

fn shown(file: &Path) -> String {
    file.to_str().unwrap().to_owned()
}
